//! The trace: every turn of every machine, digested, so that two runs can be compared by one
//! number.

use crate::{Effect, Incarnation, Signal};
use messages::{Address, Digest, Hasher, Letter, Now};
use serde::{Deserialize, Serialize};

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

/// The digest of a run so far.
#[derive(Clone, Debug)]
pub struct Trace {
    hasher: Hasher,
    events: u64,
    scratch: Vec<u8>,
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
            scratch: Vec::new(),
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
        self.events += 1;
        self.scratch.clear();
        let scratch = std::mem::take(&mut self.scratch);
        let entry = (now, node, who, life, event);
        if let Ok(bytes) = postcard::to_extend(&entry, scratch) {
            self.hasher.part(&bytes);
            self.scratch = bytes;
        }
    }

    /// How many events were added.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all of them, in order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.hasher.finish()
    }
}
