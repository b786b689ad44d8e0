//! The trace as text, for those who compare two runs.

use super::Mesh;
use std::ops::Range;

impl Mesh {
    /// Keeps these entries of the trace as text, counted from 0.
    pub fn show(&mut self, entries: Range<u64>) {
        self.world.trace.show(entries);
    }

    /// The entries that are kept.
    #[must_use]
    pub fn shown(&self) -> &[String] {
        self.world.trace.lines()
    }
}
