//! What the world writes down as it goes: the trace, and what the checkers are shown.

use crate::checkers::{Checks, Seen, Sight};
use crate::event::{NodeIndex, Time};
use kernel::{Incarnation, Now, Trace, TraceEvent, Turn};
use messages::{Address, Digest};
use std::ops::Range;

/// The trace, and whoever looks on.
#[derive(Default)]
pub(crate) struct Recorder {
    trace: Trace,
    /// World time of what is written now.
    pub(crate) time: Time,
    /// Nothing where nobody asked for checks: then looking on costs nothing.
    pub(crate) checks: Option<Box<Checks>>,
}

impl Recorder {
    /// An empty record.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Counts entries from now on and digests none.
    pub(crate) fn turn_off(&mut self) {
        self.trace = Trace::off();
    }

    /// Adds one event of one actor on one node.
    pub(crate) fn add(
        &mut self,
        now: Now,
        node: u32,
        who: Address,
        life: Incarnation,
        event: &TraceEvent,
    ) {
        self.trace.add(now, node, who, life, event);
        if self.checks.is_some() {
            let node = usize::try_from(node).unwrap_or(usize::MAX);
            self.show(node, now, &Seen::Turn(who, life, event));
        }
    }

    /// Adds what a machine is about to take.
    pub(crate) fn add_turn(
        &mut self,
        now: Now,
        node: u32,
        who: Address,
        life: Incarnation,
        turn: &Turn,
    ) {
        self.trace.add_turn(now, node, who, life, turn);
        if self.checks.is_some() {
            let node = usize::try_from(node).unwrap_or(usize::MAX);
            let event = match turn {
                Turn::Letter(letter) => TraceEvent::Letter(Box::new(letter.clone())),
                Turn::Signal(signal) => TraceEvent::Signal(signal.clone()),
                Turn::Deadline => TraceEvent::Deadline,
            };
            self.show(node, now, &Seen::Turn(who, life, &event));
        }
    }

    /// Shows the checkers what the trace does not hold.
    pub(crate) fn show(&mut self, node: NodeIndex, now: Now, seen: &Seen<'_>) {
        let time = self.time;
        if let Some(checks) = &mut self.checks {
            checks.see(&Sight { time, node, now }, seen);
        }
    }

    /// Keeps these entries as text.
    pub(crate) fn keep(&mut self, entries: Range<u64>) {
        self.trace.show(entries);
    }

    /// The entries that are kept.
    pub(crate) fn lines(&self) -> &[String] {
        self.trace.lines()
    }

    /// How many events the trace holds.
    pub(crate) const fn events(&self) -> u64 {
        self.trace.events()
    }

    /// The trace's digest.
    pub(crate) fn digest(&self) -> Digest {
        self.trace.digest()
    }
}
