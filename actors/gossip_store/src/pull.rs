//! Reading what a neighbour has and this node has not: by one question at a time, down the digest
//! tree where the two differ, and then record by record.

use crate::registers::Registers;
use crate::tree::Version;
use messages::wire::latest::{
    AskId, BATCH_RECORDS_MAX, BRANCHES, Entry, Gossip, PLACES_MAX, Part, batch,
};
use messages::{Digest, List, Micros, Mono, NodeId, Prefix, RecordClass, RecordKey, SignedRecord};
use std::collections::BTreeSet;

/// How long an answer may take: some round trips, and its turn behind what else the neighbour
/// answers.
pub(crate) const ANSWER_WAIT: Micros = Micros::from_secs(2);
/// How long one neighbour is read before another has its turn.
const TURN: Micros = Micros::from_secs(5);
/// Places that wait to be compared: a neighbour that finds a difference everywhere is followed down
/// to the lowest level, and no wider.
const WAITING_MAX: usize = Prefix::DEPTH_MAX as usize * BRANCHES * PLACES_MAX;

/// One neighbour is being read.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) peer: NodeId,
    pub(crate) class: RecordClass,
    asked: Asked,
    ask: AskId,
    /// Places that differ, the next one last.
    places: Vec<Prefix>,
    wanted: BTreeSet<RecordKey>,
    answer_until: Mono,
    turn_until: Mono,
    /// Whether anything new came of it.
    pub(crate) has_news: bool,
}

/// What was asked last.
#[derive(Debug)]
enum Asked {
    Compare(Vec<Prefix>),
    Want(BTreeSet<RecordKey>),
}

/// What comes after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another question.
    Ask(Gossip),
    /// It is another's turn; what is left is found again from the root.
    Yield,
    /// This node has all that the neighbour has.
    Done,
}

impl Pull {
    /// Begins with the root.
    pub(crate) fn begin(
        now: Mono,
        (peer, class): (NodeId, RecordClass),
        ask: AskId,
        mine: &mut Registers,
    ) -> (Self, Gossip) {
        let mut pull = Self {
            peer,
            class,
            asked: Asked::Compare(Vec::new()),
            ask,
            places: vec![Prefix::ROOT],
            wanted: BTreeSet::new(),
            answer_until: now + ANSWER_WAIT,
            turn_until: now + TURN,
            has_news: false,
        };
        let question = pull.compare(mine);
        (pull, question)
    }

    pub(crate) const fn answer_until(&self) -> Mono {
        self.answer_until
    }

    /// The neighbour has something else at some places.
    pub(crate) fn on_differ(
        &mut self,
        ask: AskId,
        parts: &[Part],
        mine: &mut Registers,
        is_wanted: impl Fn(&Registers, &Entry) -> bool,
    ) -> bool {
        let Asked::Compare(places) = &self.asked else {
            return false;
        };
        if ask != self.ask || parts.len() != places.len() {
            return false;
        }
        let places = places.clone();
        for (at, part) in places.into_iter().zip(parts) {
            match part {
                Part::Same => {}
                Part::Entries(entries) => {
                    let wanted = entries.iter().filter(|entry| is_wanted(mine, entry));
                    self.wanted.extend(wanted.map(|entry| entry.key));
                }
                Part::Branches(theirs) => self.descend(at, theirs, mine),
            }
        }
        true
    }

    fn descend(&mut self, at: Prefix, theirs: &[Digest], mine: &mut Registers) {
        if at.depth() == Prefix::DEPTH_MAX {
            return;
        }
        let empty = crate::tree::nothing();
        for (nibble, theirs) in (0..BRANCHES as u8).zip(theirs) {
            let below = at.child(nibble);
            let differs = *theirs != empty && mine.tree(self.class).digest(below) != *theirs;
            if differs && self.places.len() < WAITING_MAX {
                self.places.push(below);
            }
        }
    }

    /// Some of the records that were asked for. Others are none of the answer; those that are left
    /// out of it are asked for again, where there was any.
    pub(crate) fn on_have(
        &mut self,
        ask: AskId,
        records: List<SignedRecord, BATCH_RECORDS_MAX>,
    ) -> Option<Vec<SignedRecord>> {
        let Asked::Want(keys) = &self.asked else {
            return None;
        };
        let fits = |signed: &SignedRecord| keys.contains(&signed.record.key());
        if ask != self.ask || !records.iter().all(fits) {
            return None;
        }
        if !records.is_empty() {
            let found: BTreeSet<RecordKey> = records.iter().map(|one| one.record.key()).collect();
            self.wanted.extend(keys.difference(&found));
        }
        Some(records.into_vec())
    }

    /// What to do after an answer. `ask` names the next question.
    pub(crate) fn next(&mut self, now: Mono, ask: AskId, mine: &mut Registers) -> Next {
        if self.wanted.is_empty() && self.places.is_empty() {
            return Next::Done;
        }
        if now >= self.turn_until {
            kernel::sometimes!(true, "gossip store: another neighbour has its turn");
            return Next::Yield;
        }
        (self.ask, self.answer_until) = (ask, now + ANSWER_WAIT);
        Next::Ask(
            match self.wanted.len() < BATCH_RECORDS_MAX && !self.places.is_empty() {
                true => self.compare(mine),
                false => self.want(),
            },
        )
    }

    fn compare(&mut self, mine: &mut Registers) -> Gossip {
        let from = self.places.len().saturating_sub(PLACES_MAX);
        let places = self.places.split_off(from);
        let tree = mine.tree(self.class);
        let asked = places.iter().map(|at| (*at, tree.digest(*at)));
        let question = Gossip::Compare {
            ask: self.ask,
            class: self.class,
            places: List::truncated(asked),
        };
        self.asked = Asked::Compare(places);
        question
    }

    fn want(&mut self) -> Gossip {
        let mut keys = BTreeSet::new();
        while keys.len() < BATCH_RECORDS_MAX
            && let Some(key) = self.wanted.pop_first()
        {
            keys.insert(key);
        }
        let question = Gossip::Want {
            ask: self.ask,
            class: self.class,
            keys: List::truncated(keys.iter().copied()),
        };
        self.asked = Asked::Want(keys);
        question
    }
}

/// What this node says to a neighbour's question. It keeps nothing of it.
pub(crate) fn answer(
    question: &Gossip,
    mine: &mut Registers,
    shares_gated: bool,
) -> Option<Gossip> {
    let shares = |class| class == RecordClass::Public || shares_gated;
    match question {
        Gossip::Compare { ask, class, places } => {
            let parts = places.iter().map(|(at, theirs)| match shares(*class) {
                true => mine.tree(*class).part(*at, *theirs),
                false => Part::Same,
            });
            let (ask, parts) = (*ask, List::truncated(parts));
            Some(Gossip::Differ { ask, parts })
        }
        Gossip::Want { ask, class, keys } => {
            let found = keys.iter().filter_map(|key| mine.get(key));
            let found = found.filter(|signed| signed.record.class == *class && shares(*class));
            let (ask, records) = (*ask, batch(found.cloned()));
            Some(Gossip::Have { ask, records })
        }
        Gossip::News(_)
        | Gossip::Roots(_)
        | Gossip::Differ { .. }
        | Gossip::Have { .. }
        | Gossip::Who(_)
        | Gossip::Credentials(_) => None,
    }
}

/// Versions that were refused, so that they are not asked for again and again.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeSet<(RecordKey, Version)>);

/// Of more, some are asked for once more.
const REFUSALS_MAX: usize = 1_024;

impl Refusals {
    pub(crate) fn add(&mut self, key: RecordKey, version: Version) {
        if self.0.len() >= REFUSALS_MAX {
            kernel::sometimes!(true, "gossip store: too many refusals");
            self.0.clear();
        }
        self.0.insert((key, version));
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        self.0.contains(&(entry.key, (entry.stamp, entry.digest)))
    }

    /// Somebody is a member now: what it wrote may be taken.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
