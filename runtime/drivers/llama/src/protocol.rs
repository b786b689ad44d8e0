//! The frames between the driver and its child: a length of four bytes, then postcard.
//!
//! Both ends are the same binary, so nothing is versioned. The child reads files of strangers and
//! may be taken over by one: the parent decodes its frames as those of a peer.

use messages::limits::{MODELS_MAX, REASON_BYTES_MAX};
use messages::ports::engine::{Command, Event};
use messages::{Label, List, ModelId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the child is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// First, once: load these models.
    Load(Box<Setup>),
    /// A command of the worker, Attach never.
    Command(Command),
}

/// What the child is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) threads: u32,
    pub(crate) slots: u32,
    pub(crate) chunk: u32,
    pub(crate) exact: bool,
    pub(crate) gpu_layers: u32,
    pub(crate) models: List<ModelSetup, MODELS_MAX>,
}

/// One model, as its file was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelSetup {
    pub(crate) id: ModelId,
    pub(crate) path: Label<PATH_BYTES_MAX>,
    pub(crate) context: u32,
    pub(crate) template: Option<Label<TEMPLATE_BYTES_MAX>>,
}

/// What the child reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum FromChild {
    /// It loads.
    Loading {
        /// How much of the models is in memory.
        permille: u16,
    },
    /// Each model drew a token.
    Loaded {
        /// Versions and processor features: part of what makes results identical.
        build: Label<BUILD_BYTES_MAX>,
    },
    /// It cannot load, and ends.
    Refused {
        /// Why.
        why: Label<REASON_BYTES_MAX>,
    },
    /// To the worker, neither Ready nor Failed.
    Event(Event),
}

/// A frame with its length before it.
///
/// # Errors
/// It is longer than [`FRAME_BYTES_MAX`].
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame =
        postcard::to_extend(message, vec![0; LENGTH_BYTES]).map_err(|_| FrameError::Malformed)?;
    let length = u32::try_from(frame.len() - LENGTH_BYTES).unwrap_or(u32::MAX);
    body_length(length.to_le_bytes())?;
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The length of a frame's body, from the bytes before it.
///
/// # Errors
/// It is longer than [`FRAME_BYTES_MAX`].
pub(crate) fn body_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    usize::try_from(u32::from_le_bytes(bytes))
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or(FrameError::TooLong)
}

/// The message of a frame's body, all of it.
///
/// # Errors
/// It is none.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(FrameError::Malformed),
    }
}

/// Why a frame is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// Longer than any that is sent.
    #[error("a frame of the engine's process is too long")]
    TooLong,
    /// No message.
    #[error("a frame of the engine's process is malformed")]
    Malformed,
}

/// Bytes of the length before each frame.
pub(crate) const LENGTH_BYTES: usize = 4;
/// A job with the longest prompt (960 KiB) and the longest resume log (131,072 ids of up to five
/// bytes), or the templates of many models, with room for the rest.
pub(crate) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Linux's own limit of a path.
pub(crate) const PATH_BYTES_MAX: usize = 4_096;
/// As long as the GGUF check allows.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 256 * 1024;
/// llama.cpp's line about the processor's features takes some hundred.
pub(crate) const BUILD_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use messages::{JobId, NodeId, RequestId};

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let id = JobId {
            origin: NodeId([3; 32]),
            request: RequestId { boot: 1, n: 2 },
            attempt: 3,
        };
        let message = ToChild::Command(Command::Step(vec![id; 5]));
        let frame = encode(&message).unwrap();
        let (length, body) = frame.split_first_chunk().unwrap();
        assert_eq!(body_length(*length), Ok(body.len()));
        assert_eq!(decode::<ToChild>(body), Ok(message));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(body_length([0xFF; 4]), Err(FrameError::TooLong));
        assert_eq!(decode::<FromChild>(&[9, 9, 9]), Err(FrameError::Malformed));
        assert_eq!(
            decode::<FromChild>(&[0, 7, 7]),
            Err(FrameError::Malformed),
            "a byte too many"
        );
        assert_eq!(decode::<FromChild>(&[]), Err(FrameError::Malformed));
        let long = vec![0_u8; FRAME_BYTES_MAX + 1];
        assert_eq!(encode(&long), Err(FrameError::TooLong));
    }
}
