//! A file read from its beginning, and never past what it can hold.

use super::GgufError;
use std::io::{ErrorKind, Read};

/// A header that is longer than this is no header: the largest vocabularies take 20 MiB.
const HEADER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Read at once where bytes are passed over.
const SKIP_BYTES: usize = 8 * 1024;

/// The bytes of a file, counted.
#[derive(Debug)]
pub(super) struct Source<R> {
    file: R,
    length: u64,
    position: u64,
}

impl<R: Read> Source<R> {
    pub(super) const fn new(file: R, length: u64) -> Self {
        Self {
            file,
            length,
            position: 0,
        }
    }

    /// The length of the file.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes were read.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, GgufError> {
        self.bytes().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// A count of things of at least `bytes_min` bytes each, which the rest of the file must hold.
    pub(super) fn count(
        &mut self,
        what: &str,
        max: u64,
        bytes_min: u64,
    ) -> Result<usize, GgufError> {
        let count = self.u64()?;
        let fits = count
            .checked_mul(bytes_min)
            .is_some_and(|bytes| bytes <= self.left());
        if count > max || !fits {
            return Err(GgufError::Damaged(format!("it cannot hold {count} {what}")));
        }
        usize::try_from(count).map_err(|_| GgufError::Damaged(format!("{count} {what}")))
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self, what: &str, max: u64) -> Result<String, GgufError> {
        let length = self.length_of(what, max)?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes)
            .map_err(|_| GgufError::Damaged(format!("{what} is not valid UTF-8")))
    }

    /// Passes over a text with its length before it.
    pub(super) fn skip_text(&mut self, what: &str, max: u64) -> Result<(), GgufError> {
        let length = self.length_of(what, max)?;
        self.skip(length as u64)
    }

    /// Passes over bytes.
    pub(super) fn skip(&mut self, mut bytes: u64) -> Result<(), GgufError> {
        if bytes > self.left() {
            return Err(GgufError::Truncated);
        }
        let mut buffer = [0; SKIP_BYTES];
        while bytes > 0 {
            let take = usize::try_from(bytes).unwrap_or(SKIP_BYTES).min(SKIP_BYTES);
            self.fill(&mut buffer[..take])?;
            bytes -= take as u64;
        }
        Ok(())
    }

    fn length_of(&mut self, what: &str, max: u64) -> Result<usize, GgufError> {
        let length = self.u64()?;
        if length > max {
            let why = format!("{what} of {length} bytes is longer than {max}");
            return Err(GgufError::Damaged(why));
        }
        if length > self.left() {
            return Err(GgufError::Truncated);
        }
        usize::try_from(length).map_err(|_| GgufError::Truncated)
    }

    /// Bytes of the header that may follow.
    const fn left(&self) -> u64 {
        let end = if self.length < HEADER_BYTES_MAX {
            self.length
        } else {
            HEADER_BYTES_MAX
        };
        end.saturating_sub(self.position)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), GgufError> {
        if buffer.len() as u64 > self.left() {
            return Err(GgufError::Truncated);
        }
        self.file.read_exact(buffer).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                GgufError::Truncated
            } else {
                GgufError::Unreadable(error.to_string())
            }
        })?;
        self.position += buffer.len() as u64;
        Ok(())
    }
}
