//! What is going to happen, in order.
//!
//! The order is that of (time, tie, cause): of simultaneous events with equal ties, the one that
//! was caused first comes first. Most events are turns that are due at once, so they stand in a
//! queue of their own; the heap moves keys alone, and events lie still until they are taken.

use crate::event::{Event, NodeIndex, Occurrence, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What is going to happen.
#[derive(Debug, Default)]
pub(crate) struct Events {
    heap: BinaryHeap<Reverse<Key>>,
    /// What the keys of the heap stand for.
    slots: Vec<Option<Event>>,
    free: Vec<usize>,
    /// Events of the present time and no tie, in the order of their causes. All of them were
    /// caused at that time, so that what the heap has of it is older.
    due: VecDeque<Event>,
    /// Numbers causes.
    sequence: u64,
}

/// Orders events; the last is a slot.
type Key = (Time, u64, u64, usize);

impl Events {
    /// Puts an event in its place.
    pub(crate) fn push(&mut self, now: Time, event: Event) {
        if event.at == now && event.tie == 0 {
            return self.due.push_back(event);
        }
        self.sequence += 1;
        let (at, tie, sequence) = (event.at, event.tie, self.sequence);
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = Some(event);
            slot
        } else {
            self.slots.push(Some(event));
            self.slots.len() - 1
        };
        self.heap.push(Reverse((at, tie, sequence, slot)));
    }

    /// When the next event happens.
    pub(crate) fn next_at(&self) -> Option<Time> {
        let due = self.due.front().map(|event| event.at);
        let later = self.heap.peek().map(|Reverse((at, ..))| *at);
        due.into_iter().chain(later).min()
    }

    /// Takes the next event.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let due = self.due.front().map(|event| (event.at, event.tie));
        let first = self.heap.peek().map(|Reverse((at, tie, ..))| (*at, *tie));
        match (due, first) {
            (Some(due), Some(first)) if first <= due => self.pop_heap(),
            (None, _) => self.pop_heap(),
            (Some(_), _) => self.due.pop_front(),
        }
    }

    /// Takes what is chosen out of all, in order.
    pub(crate) fn take(
        &mut self,
        now: Time,
        chosen: impl Fn(NodeIndex, &Occurrence) -> bool,
    ) -> Vec<Event> {
        let mut taken = Vec::new();
        let mut all = Vec::new();
        while let Some(event) = self.pop() {
            all.push(event);
        }
        for event in all {
            if chosen(event.node, &event.what) {
                taken.push(event);
            } else {
                self.push(now, event);
            }
        }
        taken
    }

    fn pop_heap(&mut self) -> Option<Event> {
        let Reverse((.., slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.slots[slot].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Entropy;
    use std::collections::BTreeMap;

    fn event(at: Time, tie: u64, node: NodeIndex) -> Event {
        Event {
            at,
            tie,
            node,
            boot: 1,
            what: Occurrence::Restarts,
        }
    }

    fn order(events: &mut Events) -> Vec<NodeIndex> {
        std::iter::from_fn(|| events.pop().map(|event| event.node)).collect()
    }

    #[test]
    fn time_then_tie_then_cause_decide() {
        let mut events = Events::default();
        let all = [(9, 0), (5, 7), (5, 2), (0, 0), (5, 0), (0, 0), (5, 0)];
        for (node, (at, tie)) in all.into_iter().enumerate() {
            events.push(0, event(at, tie, node));
        }
        assert_eq!(order(&mut events), [3, 5, 4, 6, 2, 1, 0]);
    }

    #[test]
    fn what_is_due_comes_behind_what_was_to_happen_then() {
        let mut events = Events::default();
        events.push(0, event(5, 0, 1));
        events.push(0, event(3, 0, 0));
        assert_eq!(events.pop().map(|event| event.node), Some(0));
        events.push(5, event(5, 0, 2));
        events.push(5, event(4, 0, 3));
        assert_eq!(events.next_at(), Some(4));
        assert_eq!(order(&mut events), [3, 1, 2]);
    }

    #[test]
    fn what_is_left_keeps_its_order() {
        let mut events = Events::default();
        for node in 0..9 {
            events.push(1, event(1 + (node as Time) % 3, 0, node));
        }
        let taken = events.take(1, |node, _| node == 4);
        assert_eq!(taken.len(), 1);
        assert_eq!(order(&mut events), [0, 3, 6, 1, 7, 2, 5, 8]);
        assert_eq!(events.slots.len(), events.free.len());
    }

    /// The same, much simpler: by time, tie and number of the cause.
    #[derive(Default)]
    struct Reference {
        agenda: BTreeMap<(Time, u64, usize), NodeIndex>,
        causes: usize,
    }

    impl Reference {
        fn push(&mut self, at: Time, tie: u64) -> NodeIndex {
            self.causes += 1;
            self.agenda.insert((at, tie, self.causes), self.causes);
            self.causes
        }
    }

    #[test]
    fn whatever_is_caused_when_the_order_is_that_of_time_tie_and_cause() {
        for seed in 0..200 {
            let mut draw = Entropy::from_number(seed);
            let (mut events, mut reference) = (Events::default(), Reference::default());
            let (mut now, ties) = (0, 1 + draw.below(3));
            for _ in 0..400 {
                match draw.below(100) {
                    // Much of what is caused happens at once, and together with others.
                    0..55 => {
                        let at = now + draw.below(4) * draw.below(3);
                        let tie = draw.below(ties);
                        let node = reference.push(at, tie);
                        events.push(now, event(at, tie, node));
                    }
                    55..97 => {
                        let first = reference.agenda.pop_first();
                        let expected = first.map(|((at, tie, _), node)| (at, tie, node));
                        assert_eq!(events.next_at(), expected.map(|(at, ..)| at));
                        let event = events.pop();
                        let taken = event.map(|event| (event.at, event.tie, event.node));
                        assert_eq!(taken, expected, "seed {seed}");
                        now = expected.map_or(now, |(at, ..)| at);
                    }
                    _ => {
                        let chosen = |node: NodeIndex| node.is_multiple_of(7);
                        let taken = events.take(now, |node, _| chosen(node));
                        let taken: Vec<_> = taken.iter().map(|event| event.node).collect();
                        let out = reference.agenda.extract_if(.., |_, node| chosen(*node));
                        let expected: Vec<_> = out.map(|(_, node)| node).collect();
                        assert_eq!(taken, expected, "seed {seed}");
                    }
                }
            }
            let rest: Vec<_> = reference.agenda.into_values().collect();
            assert_eq!(order(&mut events), rest, "seed {seed}");
        }
    }
}
