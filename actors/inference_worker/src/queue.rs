//! Who is next: one line per origin node, served in turn.

use messages::{JobId, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// Jobs that wait for a slot. An origin with many of them delays the others by one at most. Its
/// length is bounded by the caller.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: BTreeMap<NodeId, VecDeque<JobId>>,
    /// Whose turn it was last.
    last: Option<NodeId>,
    len: usize,
}

impl Queue {
    /// How many wait.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many of one origin wait.
    pub(crate) fn of_origin(&self, origin: NodeId) -> usize {
        self.lines.get(&origin).map_or(0, VecDeque::len)
    }

    /// How many origins have jobs that wait.
    pub(crate) fn origins(&self) -> usize {
        self.lines.len()
    }

    /// Puts a job behind the others of its origin.
    pub(crate) fn push(&mut self, id: JobId) {
        self.lines.entry(id.origin).or_default().push_back(id);
        self.len += 1;
    }

    /// The oldest job of the origin whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<JobId> {
        let after = self
            .lines
            .keys()
            .copied()
            .find(|origin| Some(*origin) > self.last);
        let origin = after.or_else(|| self.lines.keys().next().copied())?;
        let line = self.lines.get_mut(&origin)?;
        let id = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&origin);
        }
        self.last = Some(origin);
        self.len -= 1;
        Some(id)
    }

    /// Takes a job out of its line; inert where it does not wait.
    pub(crate) fn remove(&mut self, id: JobId) {
        let Some(line) = self.lines.get_mut(&id.origin) else {
            return;
        };
        let before = line.len();
        line.retain(|waiting| *waiting != id);
        self.len -= before - line.len();
        if line.is_empty() {
            self.lines.remove(&id.origin);
        }
    }

    /// Everyone who waits.
    pub(crate) fn ids(&self) -> impl Iterator<Item = JobId> + '_ {
        self.lines.values().flatten().copied()
    }
}
