//! The trace: every turn of every machine, digested, so that two runs can be compared by one
//! number.

use crate::{Effect, Incarnation, Signal, Turn};
use messages::{Address, Digest, Hasher, Letter, Now};
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// What happened in one turn, or to one life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TraceEvent {
    /// A machine took a letter.
    Letter(Box<Letter>),
    /// A machine took a signal.
    Signal(Signal),
    /// A machine's deadline came.
    Deadline,
    /// A turn's effects, in order.
    Effects(Vec<Effect>),
    /// A life began.
    Start,
    /// A life ended.
    Exit(crate::Exit),
    /// A letter waits for a restart.
    Park(Box<Letter>),
    /// A mailbox turned a letter away.
    Shed(Box<Letter>),
}

/// A turn's cause, encoded as the event of the same name.
#[derive(Debug, Serialize)]
enum Cause<'a> {
    Letter(&'a Letter),
    Signal(&'a Signal),
    Deadline,
}

/// The digest of a run, event by event: equal for equal runs.
#[derive(Clone, Debug)]
pub struct Trace {
    hasher: Hasher,
    events: u64,
    /// Entries that are not hashed yet: long runs of bytes are hashed several times as fast.
    pending: Vec<u8>,
    /// Entries that are also kept as text.
    shown: Range<u64>,
    lines: Vec<String>,
    /// Whether entries are counted alone.
    is_off: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: Hasher::new("mesh-node trace v1"),
            events: 0,
            pending: Vec::new(),
            shown: 0..0,
            lines: Vec::new(),
            is_off: false,
        }
    }

    /// A trace that counts its entries and digests nothing: for measuring what digests cost.
    #[must_use]
    pub fn off() -> Self {
        Self {
            is_off: true,
            ..Self::new()
        }
    }

    /// Adds one event of one actor on one node.
    pub fn add(
        &mut self,
        now: Now,
        node: u32,
        who: Address,
        life: Incarnation,
        event: &TraceEvent,
    ) {
        self.entry(&(now, node, who, life, event));
    }

    /// Adds what a machine is about to take: the same entry as that of the event.
    pub fn add_turn(&mut self, now: Now, node: u32, who: Address, life: Incarnation, turn: &Turn) {
        let cause = match turn {
            Turn::Letter(letter) => Cause::Letter(letter),
            Turn::Signal(signal) => Cause::Signal(signal),
            Turn::Deadline => Cause::Deadline,
        };
        self.entry(&(now, node, who, life, cause));
    }

    /// An entry tells by itself where it ends.
    fn entry(&mut self, entry: &(impl Serialize + fmt::Debug)) {
        if self.shown.contains(&self.events) {
            self.lines.push(format!("{entry:?}"));
        }
        self.events += 1;
        if self.is_off {
            return;
        }
        let begun = self.pending.len();
        if postcard::serialize_with_flavor(entry, Behind(&mut self.pending)).is_err() {
            self.pending.truncate(begun);
        }
        if self.pending.len() >= PENDING_BYTES {
            self.hasher.part(&self.pending);
            self.pending.clear();
        }
    }

    /// Keeps these events as text, counted from 0, so that two runs can be compared by eye.
    pub fn show(&mut self, events: Range<u64>) {
        self.shown = events;
    }

    /// The text of the events that are kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many events were added.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all of them, in order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = self.hasher.clone();
        hasher.part(&self.pending);
        hasher.finish()
    }
}

/// Writes behind what is there: ids are written byte by byte, and most of a trace is ids.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// What is hashed at once: 64 of the hash's own chunks.
const PENDING_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
