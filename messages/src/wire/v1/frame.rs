//! Framing: a length, a kind, a postcard body. Unknown kinds are skipped by their length.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes before every body: `u32` length of kind and body, then the `u16` kind, little endian.
pub const HEADER_BYTES: usize = 6;
const KIND_BYTES: usize = 2;

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length exceeds the stream's limit. Nothing was allocated.
    #[error("a frame of {len} bytes, where at most {max} are allowed")]
    Oversize {
        /// What the header says.
        len: usize,
        /// What the stream allows.
        max: usize,
    },
    /// The length leaves no room for the kind.
    #[error("a frame of {0} bytes is too short to name its kind")]
    Undersize(usize),
    /// The body is not what its kind says, or has bytes left over.
    #[error("the body of a frame of kind {kind} is malformed")]
    Malformed {
        /// The kind.
        kind: u16,
    },
    /// A value of this program's own making exceeds the limit.
    #[error("a frame of kind {kind} would take {len} bytes, over the limit of {max}")]
    TooLarge {
        /// The kind.
        kind: u16,
        /// What it would take.
        len: usize,
        /// What the stream allows.
        max: usize,
    },
}

/// The head of a frame, checked before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the body is.
    pub kind: u16,
    /// Bytes of body that follow.
    pub body: usize,
}

impl Header {
    /// Reads a header; `max` bounds kind and body together.
    ///
    /// # Errors
    /// [`FrameError::Oversize`] and [`FrameError::Undersize`]: the stream is to be reset.
    pub fn parse(bytes: [u8; HEADER_BYTES], max: usize) -> Result<Self, FrameError> {
        let [a, b, c, d, e, f] = bytes;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if len > max {
            return Err(FrameError::Oversize { len, max });
        }
        let body = len
            .checked_sub(KIND_BYTES)
            .ok_or(FrameError::Undersize(len))?;
        Ok(Self {
            kind: u16::from_le_bytes([e, f]),
            body,
        })
    }
}

/// A family of frames: what one sort of stream carries.
pub trait Frame: Sized {
    /// Bytes of kind and body at most.
    const BYTES_MAX: usize;

    /// The number of this variant. Never reused.
    fn kind(&self) -> u16;

    /// Appends the body.
    fn encode_body(&self, body: &mut Vec<u8>);

    /// Reads a body. `Ok(None)`: a kind that this version does not know, to be skipped.
    ///
    /// # Errors
    /// [`FrameError::Malformed`].
    fn decode_body(kind: u16, body: &[u8]) -> Result<Option<Self>, FrameError>;

    /// The whole frame: header and body.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`]: nothing may be sent.
    fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut bytes = vec![0; HEADER_BYTES];
        self.encode_body(&mut bytes);
        let len = bytes.len() - HEADER_BYTES + KIND_BYTES;
        let (kind, max) = (self.kind(), Self::BYTES_MAX);
        match u32::try_from(len) {
            Ok(prefix) if len <= max => {
                bytes[..4].copy_from_slice(&prefix.to_le_bytes());
                bytes[4..HEADER_BYTES].copy_from_slice(&kind.to_le_bytes());
                Ok(bytes)
            }
            Ok(_) | Err(_) => Err(FrameError::TooLarge { kind, len, max }),
        }
    }
}

/// Appends the postcard form of `value`.
pub(super) fn put<T: Serialize>(value: &T, body: &mut Vec<u8>) {
    if let Ok(bytes) = postcard::to_stdvec(value) {
        body.extend_from_slice(&bytes);
    }
}

/// Reads exactly one value and nothing after it.
pub(super) fn take<T: DeserializeOwned>(kind: u16, body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(FrameError::Malformed { kind }),
    }
}

/// Implements [`Frame`] from a table of kind numbers.
macro_rules! frames {
    ($family:ident, $max:expr, { $($kind:literal => $variant:ident($body:ty)),+ $(,)? }) => {
        impl $crate::wire::v1::frame::Frame for $family {
            const BYTES_MAX: usize = $max;

            fn kind(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $kind,)+
                }
            }

            fn encode_body(&self, body: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(value) => $crate::wire::v1::frame::put(value, body),)+
                }
            }

            fn decode_body(
                kind: u16,
                body: &[u8],
            ) -> Result<Option<Self>, $crate::wire::v1::frame::FrameError> {
                match kind {
                    $($kind => $crate::wire::v1::frame::take::<$body>(kind, body)
                        .map(|value| Some(Self::$variant(value))),)+
                    _ => Ok(None),
                }
            }
        }
    };
}
pub(super) use frames;
