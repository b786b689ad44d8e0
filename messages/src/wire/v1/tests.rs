//! The bytes of version 1, written down: what these tests hold is the protocol.

mod golden_bytes;
mod goldens;
mod gossip;
mod hostile;
mod limits;
mod samples;

use super::frame::{Frame, FrameError, HEADER_BYTES, Header};
use std::fmt::Write;

/// Bytes as hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Hex digits as bytes.
fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// Splits a whole frame into kind and body, as a reader of a stream does.
fn split<F: Frame>(frame: &[u8]) -> Result<(u16, &[u8]), FrameError> {
    let (head, body) = frame.split_at(HEADER_BYTES);
    let header = Header::parse(head.try_into().unwrap(), F::BYTES_MAX)?;
    assert_eq!(
        header.body,
        body.len(),
        "the header names the body's length"
    );
    Ok((header.kind, body))
}

/// A small xorshift, so that the cases are the same in every run.
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        (0..len).map(|_| self.number().to_le_bytes()[0]).collect()
    }
}
