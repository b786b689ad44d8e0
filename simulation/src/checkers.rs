//! What must hold whatever happens: one file per promise, looked at after every step.
//!
//! A checker knows the world by what it is shown ([`Seen`]) and by what it may look at after a
//! step. It keeps its own small model and asks no actor for its opinion, so that an actor's
//! mistake is not repeated by who checks it. What it costs is proportional to what happened.

mod admission;
mod agreement;
mod credits;
mod dues;
mod queues;
mod requests_end_once;
mod single_writer;
mod supervision;
mod tokens;

#[cfg(test)]
pub(crate) mod tests;

use crate::event::{NodeIndex, Time};
use crate::world::World;
use kernel::{Effect, Incarnation, Mail, Now, TraceEvent};
use messages::{Address, NodeId, RequestId, request_proxy};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Violations that are kept of one run: the first ones tell what went wrong.
const VIOLATIONS_MAX: usize = 100;

/// Something that must never be, and was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// World time in microseconds.
    pub at_us: u64,
    /// On which node.
    pub node: usize,
    /// Which checker says so.
    pub checker: &'static str,
    /// What was, in a sentence.
    pub sentence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(
            f,
            "{secs}.{micros:06} s, node {}, {}: {}",
            self.node, self.checker, self.sentence
        )
    }
}

/// When and where something was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) time: Time,
    pub(crate) node: NodeIndex,
    /// The node's own clocks.
    pub(crate) now: Now,
}

/// What the checkers are shown.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// An entry of the trace.
    Turn(Address, Incarnation, &'a TraceEvent),
    /// A driver or a leaf is about to take this.
    Takes(Address, &'a Mail),
    /// A driver or a leaf does this.
    Does(Address, &'a Effect),
    /// A leaf can be reached, or not any more.
    Leaf(Address, bool),
    /// A client asks.
    Asked(&'a request_proxy::Seed),
    /// A client goes away.
    HungUp(RequestId),
    /// A client is about to read what it was given.
    Reads(RequestId),
    /// This life is about to be killed: the test wants it so.
    Planned(Address),
    /// The node boots.
    Boots,
    /// The node's power is gone.
    Dies,
    /// The node, which stood still, goes on, and its clock has missed so much.
    Thaws(Time),
    /// The node's disk may forget, from now on, what it was told.
    Spoiled,
    /// The node has another address.
    Moved,
    /// Some fault begins or ends, here or on a path of this node.
    Disturbed,
}

/// One promise.
pub(crate) trait Checker {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Is shown something.
    fn see(&mut self, _at: &Sight, _seen: &Seen<'_>, _found: &mut Findings<'_>) {}
    /// Looks at the world after a step of this node.
    fn after(&mut self, _world: &World, _node: NodeIndex, _found: &mut Findings<'_>) {}
}

/// Where violations go.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    time: Time,
    checker: &'static str,
    ids: &'a BTreeMap<NodeId, NodeIndex>,
    places: &'a [NodeId],
    violations: &'a mut Vec<Violation>,
    said: &'a mut BTreeSet<(&'static str, NodeIndex, String)>,
}

impl Findings<'_> {
    /// Says what is wrong. Once a node, whatever the figures: the first tells most.
    pub(crate) fn say(&mut self, node: NodeIndex, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let kind = sentence.replace(|c: char| c.is_ascii_digit(), "");
        let news = (self.checker, node, kind);
        if self.violations.len() < VIOLATIONS_MAX && self.said.insert(news) {
            self.violations.push(Violation {
                at_us: self.time,
                node,
                checker: self.checker,
                sentence,
            });
        }
    }

    /// The place of a node's id.
    pub(crate) fn index(&self, id: NodeId) -> Option<NodeIndex> {
        self.ids.get(&id).copied()
    }

    /// The id of a node's place.
    pub(crate) fn id(&self, index: NodeIndex) -> Option<NodeId> {
        self.places.get(index).copied()
    }

    /// How a sentence names a node.
    pub(crate) fn name(&self, id: NodeId) -> String {
        self.index(id)
            .map_or_else(|| id.short(), |index| format!("node {index}"))
    }
}

/// All checkers of one world.
pub(crate) struct Checks {
    checkers: Vec<Box<dyn Checker>>,
    ids: BTreeMap<NodeId, NodeIndex>,
    places: Vec<NodeId>,
    violations: Vec<Violation>,
    said: BTreeSet<(&'static str, NodeIndex, String)>,
}

impl Checks {
    /// Every checker, for a world of these nodes.
    pub(crate) fn new(ids: impl IntoIterator<Item = NodeId>) -> Self {
        let places: Vec<NodeId> = ids.into_iter().collect();
        let ids = places.iter().enumerate();
        Self {
            checkers: vec![
                Box::<single_writer::SingleWriter>::default(),
                Box::<credits::Credits>::default(),
                Box::<queues::Queues>::default(),
                Box::<requests_end_once::RequestsEndOnce>::default(),
                Box::<tokens::Tokens>::default(),
                Box::<admission::Admission>::default(),
                Box::<agreement::Agreement>::default(),
                Box::<supervision::Supervision>::default(),
            ],
            ids: ids.map(|(index, id)| (*id, index)).collect(),
            places,
            violations: Vec::new(),
            said: BTreeSet::new(),
        }
    }

    /// What was found so far, in order.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn see(&mut self, at: &Sight, seen: &Seen<'_>) {
        self.each(at.time, |checker, found| checker.see(at, seen, found));
    }

    pub(crate) fn after(&mut self, world: &World, node: NodeIndex) {
        self.each(world.time, |checker, found| {
            checker.after(world, node, found)
        });
    }

    fn each(&mut self, time: Time, mut call: impl FnMut(&mut dyn Checker, &mut Findings<'_>)) {
        for checker in &mut self.checkers {
            let mut found = Findings {
                time,
                checker: checker.name(),
                ids: &self.ids,
                places: &self.places,
                violations: &mut self.violations,
                said: &mut self.said,
            };
            call(checker.as_mut(), &mut found);
        }
    }
}
