//! What keeps packets from passing: cuts, clogs, and nodes that stand still.

use super::NodeIndex;
use crate::event::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A set of nodes: one bit each, so that a cut of a large mesh costs nothing per pair.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeSet(Vec<u64>);

impl NodeSet {
    pub(super) fn of(nodes: &[NodeIndex]) -> Self {
        let mut bits = Vec::new();
        for node in nodes {
            let word = node / 64;
            if bits.len() <= word {
                bits.resize(word + 1, 0);
            }
            bits[word] |= 1 << (node % 64);
        }
        Self(bits)
    }

    pub(super) fn has(&self, node: NodeIndex) -> bool {
        let word = self.0.get(node / 64).copied().unwrap_or(0);
        word >> (node % 64) & 1 == 1
    }
}

/// Paths in one direction that carry nothing.
#[derive(Debug)]
struct Cut {
    from: NodeSet,
    to: NodeSet,
    since: Time,
}

/// Paths in one direction that hold everything for a while.
#[derive(Debug)]
struct Clog {
    from: NodeSet,
    to: NodeSet,
    since: Time,
    until: Time,
}

/// Every fault that lasts.
#[derive(Debug, Default)]
pub(super) struct Faults {
    cuts: Vec<Cut>,
    clogs: Vec<Clog>,
    /// Nodes that neither send nor acknowledge: dead or frozen.
    silent: BTreeMap<NodeIndex, Time>,
    /// Who does not read (the second) what whom (the first) sends.
    unread: BTreeSet<(NodeIndex, NodeIndex)>,
}

impl Faults {
    pub(super) fn cut(&mut self, since: Time, from: NodeSet, to: NodeSet) {
        self.cuts.push(Cut { from, to, since });
    }

    pub(super) fn clog(&mut self, since: Time, until: Time, from: NodeSet, to: NodeSet) {
        self.clogs.retain(|clog| clog.until > since);
        self.clogs.push(Clog {
            from,
            to,
            since,
            until,
        });
    }

    /// When the last clog ends.
    pub(super) fn clogged_until(&self) -> Time {
        let ends = self.clogs.iter().map(|clog| clog.until);
        ends.max().unwrap_or_default()
    }

    /// Mends every cut. Clogs end by themselves.
    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    pub(super) fn fall_silent(&mut self, now: Time, node: NodeIndex) {
        self.silent.entry(node).or_insert(now);
    }

    /// A node speaks again; since when it was silent.
    pub(super) fn speak(&mut self, node: NodeIndex) -> Option<Time> {
        self.silent.remove(&node)
    }

    pub(super) fn silent_since(&self, node: NodeIndex) -> Option<Time> {
        self.silent.get(&node).copied()
    }

    /// A node stops reading what another sends, or reads it again.
    pub(super) fn read(&mut self, from: NodeIndex, to: NodeIndex, reads: bool) {
        match reads {
            true => self.unread.remove(&(from, to)),
            false => self.unread.insert((from, to)),
        };
    }

    pub(super) fn reads(&self, from: NodeIndex, to: NodeIndex) -> bool {
        !self.unread.contains(&(from, to))
    }

    /// Whether anything is cut.
    pub(super) fn has_cuts(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Since when a path is cut.
    pub(super) fn cut_since(&self, from: NodeIndex, to: NodeIndex) -> Option<Time> {
        let cuts = self.cuts.iter();
        cuts.filter(|cut| cut.from.has(from) && cut.to.has(to))
            .map(|cut| cut.since)
            .min()
    }

    /// Until when a path holds what is sent now, and since when it does.
    pub(super) fn clogged(
        &self,
        now: Time,
        from: NodeIndex,
        to: NodeIndex,
    ) -> Option<(Time, Time)> {
        let clogs = self.clogs.iter();
        clogs
            .filter(|clog| clog.until > now && clog.from.has(from) && clog.to.has(to))
            .map(|clog| (clog.since, clog.until))
            .reduce(|one, two| (one.0.min(two.0), one.1.max(two.1)))
    }
}
