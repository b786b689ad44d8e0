//! The search for a holder: whom not to ask, when to ask again, and when to give up.

use kernel::Deadline;
use messages::request_proxy::Failure;
use messages::router::{EXCLUDED_MAX, NoRoute, Via};
use messages::{List, Micros, Mono};
use std::collections::VecDeque;

/// The question to the router, and what came of earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Hunt {
    question: Option<Question>,
    /// When somebody first said no since the request last moved on.
    since: Option<Mono>,
    /// The last no.
    why: Why,
    /// Holders that are not to be asked, oldest first; at most [`EXCLUDED_MAX`].
    ruled_out: VecDeque<RuledOut>,
}

/// Where the question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Asked; lost with a dead router if it is not answered until then.
    Asked(Mono),
    /// Asked again at that time.
    Pause(Mono),
    /// Not asked before something else happens.
    Held,
}

/// Why there is no holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Why {
    /// Full, for about so many milliseconds.
    Busy(u32),
    /// Failed or silent.
    #[default]
    Lost,
}

/// For how long a holder is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ban {
    /// It refused for a reason that stays.
    ForGood,
    /// It failed: it may be back in a moment.
    Failed,
    /// It was full: the others are asked first.
    Busy,
}

#[derive(Clone, Copy, Debug)]
struct RuledOut {
    via: Via,
    /// Absent: for good.
    until: Option<Mono>,
}

impl Hunt {
    /// The router was asked.
    pub(crate) fn asked(&mut self, now: Mono) {
        self.question = Some(Question::Asked(now + ANSWER_WAIT));
    }

    /// Nobody is to be had now: asked again a moment later.
    pub(crate) fn pause(&mut self, now: Mono) {
        self.question = Some(Question::Pause(now + ASK_AGAIN));
    }

    /// Not asked before something else happens.
    pub(crate) const fn hold(&mut self) {
        self.question = Some(Question::Held);
    }

    /// There is a holder, or no request any more.
    pub(crate) const fn stop(&mut self) {
        self.question = None;
    }

    /// A holder took the job. The search's time goes on: whoever takes it may do no more.
    pub(crate) const fn settle(&mut self) {
        self.question = None;
        self.why = Why::Lost;
    }

    /// The request moved on: what was said before is past.
    pub(crate) const fn forget(&mut self) {
        self.since = None;
    }

    /// So much of the time since then was not in vain.
    pub(crate) fn excuse(&mut self, span: Micros) {
        self.since = self.since.map(|since| since + span);
    }

    /// Whether a search is on.
    pub(crate) const fn is_on(&self) -> bool {
        self.question.is_some()
    }

    /// Whether an answer is awaited.
    pub(crate) const fn is_asked(&self) -> bool {
        matches!(self.question, Some(Question::Asked(_)))
    }

    /// Whether it waits for something else.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.question, Some(Question::Held))
    }

    /// The router, or a holder, said no.
    pub(crate) fn no(&mut self, now: Mono, why: Why) {
        self.since.get_or_insert(now);
        self.note(why);
    }

    /// What a failure would be put down to.
    pub(crate) fn note(&mut self, why: Why) {
        self.why = match (self.why, why) {
            (Why::Busy(known), Why::Busy(wait)) => Why::Busy(known.min(wait)),
            (Why::Busy(_) | Why::Lost, why) => why,
        };
    }

    /// What an answer of the router means, after what holders said themselves.
    pub(crate) const fn why_of(&self, no_route: &NoRoute) -> Why {
        match (no_route, self.why) {
            // Somebody was asked, so the model is known: whoever had it is gone.
            (NoRoute::UnknownModel, _) => Why::Lost,
            (NoRoute::Busy { retry_after_ms }, _) => Why::Busy(*retry_after_ms),
            // Those that are left out said themselves that they are full.
            (NoRoute::NoneLeft, Why::Busy(wait)) => Why::Busy(wait),
            (NoRoute::NoneLeft, Why::Lost) => Why::Lost,
        }
    }

    /// Does not ask this holder for a while.
    pub(crate) fn rule_out(&mut self, now: Mono, via: Via, ban: Ban) {
        self.ruled_out.retain(|other| other.via != via);
        if self.ruled_out.len() == EXCLUDED_MAX {
            kernel::sometimes!(true, "request: too many holders are ruled out");
            self.ruled_out.pop_front();
        }
        let until = match ban {
            Ban::ForGood => None,
            Ban::Failed => Some(now + FAILED_WAIT),
            Ban::Busy => Some(now + ASK_AGAIN),
        };
        self.ruled_out.push_back(RuledOut { via, until });
    }

    /// Whether a holder is not to be asked now.
    pub(crate) fn is_ruled_out(&self, now: Mono, via: Via) -> bool {
        self.ruled_out
            .iter()
            .any(|other| other.via == via && other.stands(now))
    }

    /// Whom the router is told to leave out; last, the one that is in doubt.
    pub(crate) fn excluded(&self, now: Mono, doubted: Option<Via>) -> List<Via, EXCLUDED_MAX> {
        let standing = self.ruled_out.iter().filter(|other| other.stands(now));
        let others = standing
            .map(|other| other.via)
            .filter(|via| Some(*via) != doubted);
        let room = EXCLUDED_MAX - usize::from(doubted.is_some());
        List::truncated(others.take(room).chain(doubted))
    }

    /// When the question is asked again.
    pub(crate) fn asks_again(&self) -> Option<Deadline> {
        match self.question? {
            Question::Asked(at) => Some(Deadline {
                at,
                why: "the router does not answer",
            }),
            Question::Pause(at) => Some(Deadline {
                at,
                why: "ask the router again",
            }),
            Question::Held => None,
        }
    }

    /// When the search without a holder is given up. Once there are tokens, more is at stake than
    /// an early Busy is worth.
    pub(crate) fn gives_up(&self, has_tokens: bool) -> Option<Deadline> {
        if self.is_held() {
            return None;
        }
        let patience = match self.why {
            Why::Busy(_) if !has_tokens => BUSY_MAX,
            Why::Busy(_) | Why::Lost => HUNT_MAX,
        };
        Some(Deadline {
            at: self.since? + patience,
            why: "there is no holder",
        })
    }

    /// What the client is told in the end.
    pub(crate) const fn failure(&self, has_tokens: bool, attempts: u32) -> Failure {
        match self.why {
            Why::Busy(retry_after_ms) if !has_tokens => Failure::Busy { retry_after_ms },
            Why::Busy(_) | Why::Lost => Failure::HoldersLost { attempts },
        }
    }

    /// Asserts what must hold between turns.
    pub(crate) fn invariants(&self) {
        assert!(
            self.ruled_out.len() <= EXCLUDED_MAX,
            "too many holders are ruled out"
        );
    }
}

impl RuledOut {
    fn stands(&self, now: Mono) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// How long the router may take: it answers at once, or 500 ms after it started.
const ANSWER_WAIT: Micros = Micros::from_secs(1);
/// The pause before the next question without a holder.
const ASK_AGAIN: Micros = Micros::from_millis(200);
/// How long a holder that failed is left alone: a worker restarts in less.
const FAILED_WAIT: Micros = Micros::from_secs(1);
/// How long a search may find nobody: a holder may come back.
pub(crate) const HUNT_MAX: Micros = Micros::from_secs(3);
/// How long every holder may be full: a client that is told early asks elsewhere, and is told
/// within a second, the last question and its answer included.
const BUSY_MAX: Micros = Micros::from_millis(900);
