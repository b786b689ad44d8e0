//! The members that a session admits, as the store deals with them: what each is told, and how
//! much of its questions is answered.

use crate::registers::index_of;
use messages::wire::latest::{Gossip, Roots};
use messages::{Micros, Mono, NodeId, RecordClass};
use std::collections::{BTreeMap, VecDeque};

/// Neighbours at once: more than a bounded neighbourhood keeps, and than a full mesh of this cut
/// has.
pub(crate) const NEIGHBOURS_MAX: usize = 1_024;
/// Questions of one neighbour that wait to be answered: an honest one asks one at a time for
/// records, of two classes, and eight more about all authors of its part of what is held; a newer
/// one takes the oldest one's place.
const QUESTIONS_MAX: usize = 12;
/// What is said to a neighbour unasked, in KiB: at once, and each second. An eighth of what may
/// wait on a control stream, so that a slow path is not given up for it; what is left out is read.
const NEWS: Rate = Rate {
    burst: 128,
    each_second: 32,
};
/// Answers to a neighbour at once, and each second: 11 MiB of the largest. One at a time is asked
/// for, so they do not pile up.
const ANSWERS: Rate = Rate {
    burst: 64,
    each_second: 256,
};
/// Between two times that a neighbour is told that there is more: what comes meanwhile is told
/// together.
const ROOTS_WAIT: Micros = Micros::from_millis(200);

/// How long a store that has had neighbours for a while waits before it reads one more: the new one
/// reads it meanwhile, and where little differed, nothing does any more. At least so long, and at
/// most twice as long, drawn.
pub(crate) const NEWCOMER_WAIT: Micros = Micros::from_secs(1);
/// How long a store that had no neighbour is new, and reads each at once.
pub(crate) const NEW_FOR: Micros = Micros::from_secs(5);

/// All neighbours.
pub(crate) type Neighbours = BTreeMap<NodeId, Neighbour>;

/// One neighbour.
#[derive(Debug)]
pub(crate) struct Neighbour {
    news: Allowance,
    answers: Allowance,
    questions: VecDeque<Gossip>,
    /// Whether something new was not sent to it.
    behind: bool,
    told: Option<Mono>,
    /// Whether it is to be read, by class.
    to_read: [bool; 2],
    /// It is not read before this, where that is still to come.
    reads_from: Option<Mono>,
}

impl Neighbour {
    /// One that has just become a neighbour: both are to be read, from some time on.
    pub(crate) fn new(now: Mono, reads_from: Option<Mono>) -> Self {
        Self {
            news: Allowance::full(NEWS, now),
            answers: Allowance::full(ANSWERS, now),
            questions: VecDeque::new(),
            behind: false,
            told: None,
            to_read: [true; 2],
            reads_from,
        }
    }

    /// Whether news may be sent to it now. It is told later that there was some, if not.
    pub(crate) fn may_hear(&mut self, now: Mono, said: &Gossip) -> bool {
        let may = self.news.take(now, said.weight().div_ceil(1_024) as u64);
        kernel::sometimes!(!may, "gossip store: a neighbour hears of news later");
        self.behind |= !may;
        may
    }

    /// It asks something.
    pub(crate) fn asks(&mut self, question: Gossip) {
        if self.questions.len() >= QUESTIONS_MAX {
            kernel::sometimes!(true, "gossip store: a neighbour asks too much");
            self.questions.pop_front();
        }
        self.questions.push_back(question);
    }

    /// A question that may be answered now.
    pub(crate) fn next_question(&mut self, now: Mono) -> Option<Gossip> {
        if self.questions.is_empty() || !self.answers.take(now, 1) {
            return None;
        }
        self.questions.pop_front()
    }

    /// Whether it is to be told that there is more.
    pub(crate) fn take_behind(&mut self, now: Mono) -> bool {
        let is_time = self.roots_at().is_some_and(|at| at <= now);
        if is_time {
            (self.behind, self.told) = (false, Some(now));
        }
        is_time
    }

    fn roots_at(&self) -> Option<Mono> {
        let at = self
            .told
            .map_or_else(Mono::default, |told| told + ROOTS_WAIT);
        self.behind.then_some(at)
    }

    /// When to look at it again.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let answer = (!self.questions.is_empty()).then(|| self.answers.next());
        let read = self.reads_from.filter(|_| self.to_read != [false; 2]);
        answer.into_iter().chain(self.roots_at()).chain(read).min()
    }

    /// What it has of each class differs from what this node has, or does not any more.
    pub(crate) fn differs(&mut self, theirs: &Roots, mine: &Roots) {
        let was = self.to_read;
        self.to_read[0] = theirs.public != mine.public;
        if let Some((theirs, mine)) = theirs.gated.zip(mine.gated) {
            self.to_read[1] = theirs != mine;
        }
        let spared = self.reads_from.is_some() && was[0] && !self.to_read[0];
        kernel::sometimes!(spared, "gossip store: a newcomer has read what differed");
    }

    /// Ends the wait before it is read, if it is over.
    pub(crate) fn wait_is_over(&mut self, now: Mono) {
        self.reads_from = self.reads_from.filter(|from| *from > now);
    }

    pub(crate) const fn is_to_read(&mut self, class: RecordClass) {
        self.to_read[index_of(class)] = true;
    }

    pub(crate) const fn is_read(&mut self, class: RecordClass) {
        self.to_read[index_of(class)] = false;
    }

    /// There is something that it was not sent.
    pub(crate) const fn is_behind(&mut self) {
        self.behind = true;
    }

    /// A class of it that is to be read.
    pub(crate) const fn class_to_read(&self, shares_gated: bool) -> Option<RecordClass> {
        match self.to_read {
            _ if self.reads_from.is_some() => None,
            [true, _] => Some(RecordClass::Public),
            [false, true] if shares_gated => Some(RecordClass::Gated),
            [false, _] => None,
        }
    }
}

/// How much at once, and how much each second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u64,
    each_second: u64,
}

impl Rate {
    /// The time that one of it takes.
    const fn each(self) -> Micros {
        Micros(1_000_000 / self.each_second)
    }
}

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    rate: Rate,
    left: u64,
    since: Mono,
}

impl Allowance {
    const fn full(rate: Rate, now: Mono) -> Self {
        Self {
            rate,
            left: rate.burst,
            since: now,
        }
    }

    fn take(&mut self, now: Mono, cost: u64) -> bool {
        let each = self.rate.each().0;
        let earned = now.since(self.since).0 / each;
        self.left = self.left.saturating_add(earned).min(self.rate.burst);
        self.since = match self.left == self.rate.burst {
            true => now,
            false => self.since + Micros(earned * each),
        };
        let may = self.left >= cost;
        self.left -= if may { cost } else { 0 };
        may
    }

    /// When there is one.
    fn next(&self) -> Mono {
        match self.left {
            0 => self.since + self.rate.each(),
            _ => self.since,
        }
    }
}
