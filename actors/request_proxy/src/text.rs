//! The text pipeline: from the bytes of tokens to text that may be sent and never changes.
//!
//! What comes out depends on the bytes alone, not on how they were cut into tokens, batches or
//! attempts: that is what makes a seam invisible.

use std::fmt;

/// Assembles characters and looks for stop strings.
pub(crate) struct Pipeline {
    /// The beginning of a character whose rest has not come: at most three bytes.
    partial: Vec<u8>,
    /// Text that may turn out to be the beginning of a stop string: shorter than the longest one.
    held: String,
    /// Texts that end the answer; none is empty.
    stops: Vec<String>,
}

/// Whether the answer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// More may come.
    More,
    /// A stop string is complete: what came before it is out, and nothing follows.
    Stopped,
}

impl Pipeline {
    pub(crate) fn new<'a>(stops: impl IntoIterator<Item = &'a str>) -> Self {
        let stops = stops
            .into_iter()
            .filter(|stop| !stop.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            partial: Vec::new(),
            held: String::new(),
            stops,
        }
    }

    /// Takes the bytes of one token and adds to `out` what may be sent.
    ///
    /// The stop string that is complete first ends the answer; of those that are complete with the
    /// same character, the longest.
    pub(crate) fn feed(&mut self, token: &[u8], out: &mut String) -> Fed {
        self.partial.extend_from_slice(token);
        let bytes = std::mem::take(&mut self.partial);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (text, after) = next_text(rest);
            if text.is_empty() {
                break;
            }
            rest = after;
            if self.feed_text(text, out) == Fed::Stopped {
                return Fed::Stopped;
            }
        }
        self.partial.extend_from_slice(rest);
        self.release(out);
        Fed::More
    }

    /// The answer ended by itself: what was held back goes out, half a character does not.
    pub(crate) fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
        self.partial.clear();
    }

    /// Asserts what must hold between turns.
    pub(crate) fn invariants(&self) {
        assert!(self.partial.len() < 4, "a whole character is kept back");
        let longest = self.stops.iter().map(String::len).max();
        assert!(
            self.held.len() <= longest.unwrap_or(0),
            "more is held back than a stop string"
        );
    }

    fn feed_text(&mut self, text: &str, out: &mut String) -> Fed {
        if self.stops.is_empty() {
            out.push_str(text);
            return Fed::More;
        }
        for character in text.chars() {
            self.held.push(character);
            let complete = self
                .stops
                .iter()
                .filter(|stop| self.held.ends_with(stop.as_str()));
            if let Some(stop) = complete.map(String::len).max() {
                out.push_str(&self.held[..self.held.len() - stop]);
                self.held.clear();
                return Fed::Stopped;
            }
        }
        Fed::More
    }

    /// Lets go of what no stop string can begin in.
    fn release(&mut self, out: &mut String) {
        let keep = self
            .stops
            .iter()
            .map(|stop| self.begun(stop))
            .max()
            .unwrap_or(0);
        let free = self.held.len() - keep;
        out.push_str(&self.held[..free]);
        self.held.drain(..free);
    }

    /// How many bytes of `stop` the held text ends with.
    fn begun(&self, stop: &str) -> usize {
        let parts = stop.char_indices().rev().map(|(end, _)| &stop[..end]);
        parts
            .into_iter()
            .find(|part| self.held.ends_with(part))
            .map_or(0, str::len)
    }
}

impl fmt::Debug for Pipeline {
    /// Lengths only: user text is in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("partial", &self.partial.len())
            .field("held", &self.held.len())
            .field("stops", &self.stops.len())
            .finish()
    }
}

/// The first whole characters of `bytes`, or U+FFFD for bytes that can never be one, and the rest.
/// Nothing, where a character has begun and its rest has not come.
fn next_text(bytes: &[u8]) -> (&str, &[u8]) {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return (text, &[]),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at(error.valid_up_to());
    if let Some(text) = std::str::from_utf8(valid)
        .ok()
        .filter(|text| !text.is_empty())
    {
        return (text, rest);
    }
    match error.error_len() {
        Some(len) => ("\u{FFFD}", rest.get(len..).unwrap_or_default()),
        None => ("", rest),
    }
}
