//! What is to have happened on a node by some time. A node that stands still is given more.

use crate::event::{NodeIndex, Time};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Times by which something is due, each named once a node.
#[derive(Debug)]
pub(super) struct Dues<K> {
    times: BTreeMap<(NodeIndex, K), Time>,
    order: BTreeSet<(Time, NodeIndex, K)>,
    /// What a node that stood still has for it when it goes on.
    grace: Time,
}

impl<K: Ord + Copy> Dues<K> {
    pub(super) const fn new(grace: Time) -> Self {
        Self {
            times: BTreeMap::new(),
            order: BTreeSet::new(),
            grace,
        }
    }

    pub(super) fn set(&mut self, due: Time, node: NodeIndex, what: K) {
        self.remove(node, what);
        self.times.insert((node, what), due);
        self.order.insert((due, node, what));
    }

    /// It has happened, or nobody waits for it any more.
    pub(super) fn remove(&mut self, node: NodeIndex, what: K) {
        if let Some(due) = self.times.remove(&(node, what)) {
            self.order.remove(&(due, node, what));
        }
    }

    /// The node is gone, and with it all that it owed.
    pub(super) fn dies(&mut self, node: NodeIndex) {
        self.times.retain(|(of, _), _| *of != node);
        self.order.retain(|(_, of, _)| *of != node);
    }

    /// The node goes on: what was due while it stood still is due from now on, and what its clock
    /// has missed is added to all.
    pub(super) fn thaws(&mut self, now: Time, node: NodeIndex, slept: Time) {
        let soon = now + self.grace;
        let late: Vec<(K, Time)> = self
            .times
            .iter()
            .filter(|((of, _), due)| *of == node && (slept > 0 || **due < soon))
            .map(|((_, what), due)| (*what, soon.max(*due + slept)))
            .collect();
        for (what, due) in late {
            self.set(due, node, what);
        }
    }

    /// Something whose time is over, once.
    pub(super) fn over(&mut self, world: &World) -> Option<(NodeIndex, K)> {
        while let Some((due, node, what)) = self.order.first().copied()
            && due <= world.time
        {
            self.remove(node, what);
            if world.nodes[node].frozen.is_none() {
                return Some((node, what));
            }
            self.set(world.time + self.grace, node, what);
        }
        None
    }
}
