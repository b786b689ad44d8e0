//! Observer: the node's snapshot.
//!
//! # Role
//! Keeps what actors say of themselves and what became of supervised children, and answers whoever
//! asks with all of it at one moment. It decides nothing: its loss harms no service.
//!
//! # Inputs
//! `observer::Input`: facts and their end from any actor, children from the switchboard, queries
//! from the gateway and the control socket.
//!
//! # Output
//! One answer per query, to its asker: `answer` in the table. `keep`, `drop` and `count` are what
//! happens inside: an entry is kept, dropped, or counted as turned away. A table is full when it
//! has as many keys as it may; the keys that it knows are still told apart from others then.
//!
//! | input | empty | known key | full, other key |
//! |---|---|---|---|
//! | fact | keep | keep | count |
//! | fact of another kind | count | count | count |
//! | forget | - | drop | - |
//! | child runs | keep | keep | count |
//! | child restarts | keep | keep | count |
//! | child failed | keep | keep | count |
//! | child gone | - | drop | - |
//! | request or stream | - | - | - |
//! | query of the gateway | answer | answer | answer |
//! | query of the control socket | answer | answer | answer |
//! | started | - | - | - |
//! | down | - | - | - |
//! | returned | - | - | - |
//!
//! # Invariants
//! At most `FACTS_MAX` facts and `CHILDREN_MAX` children; a newcomer never evicts another's entry.
//! A fact sits under a key of its own kind. No request and no stream is a child here.
//!
//! # Failure
//! None: whatever it is told, it keeps or counts. An answer that comes back is dropped, as its
//! asker is gone or asks again.
//!
//! # After restart
//! It is empty. Actors watch it and say their facts again; the switchboard says again what became
//! of each child.

#[cfg(test)]
mod tests;

use kernel::{Ctx, Deadline, Failure, Machine, Outbox, Signal, View};
use messages::observer::{Asker, ChildState, Fact, FactKey, Input, Snapshot};
use messages::ports::{control, gateway};
use messages::{Address, Letter, Now, QueryId};
use std::collections::BTreeMap;

/// The node's snapshot.
#[derive(Debug, Default)]
pub struct Observer {
    facts: BTreeMap<FactKey, Fact>,
    children: BTreeMap<Address, ChildState>,
    /// Facts and children for which there was no room, or that made no sense.
    turned_away: u64,
    answered: u64,
}

impl Observer {
    /// An observer that knows nothing. It draws nothing and signs nothing.
    #[must_use]
    pub fn new(_ctx: Ctx) -> Self {
        Self::default()
    }

    fn on_fact(&mut self, key: FactKey, fact: Fact) {
        let room = self.facts.len() < FACTS_MAX || self.facts.contains_key(&key);
        kernel::sometimes!(!room, "observer: too many facts");
        kernel::sometimes!(
            !fits(key, &fact),
            "observer: a fact under a key of another kind"
        );
        if room && fits(key, &fact) {
            self.facts.insert(key, fact);
        } else {
            self.turned_away += 1;
        }
    }

    fn on_supervised(&mut self, address: Address, state: ChildState) {
        if !is_shown(address) {
            return;
        }
        let known = self.children.contains_key(&address);
        kernel::sometimes!(
            !known && self.children.len() >= CHILDREN_MAX,
            "observer: too many children"
        );
        match state {
            ChildState::Gone => {
                self.children.remove(&address);
            }
            ChildState::Running { .. }
            | ChildState::Restarting { .. }
            | ChildState::Failed { .. } => {
                if known || self.children.len() < CHILDREN_MAX {
                    self.children.insert(address, state);
                } else {
                    self.turned_away += 1;
                }
            }
        }
    }

    fn on_query(&mut self, now: Now, query: QueryId, asker: Asker, out: &mut Outbox) {
        kernel::sometimes!(true, "observer: somebody asks");
        let snapshot = Snapshot {
            wall: now.wall,
            uptime: now.mono,
            facts: self
                .facts
                .iter()
                .map(|(key, fact)| (*key, fact.clone()))
                .collect(),
            children: self
                .children
                .iter()
                .map(|(who, state)| (*who, state.clone()))
                .collect(),
        };
        self.answered += 1;
        out.tell(match asker {
            Asker::Gateway => {
                let snapshot = Box::new(snapshot);
                Letter::Gateway(gateway::Command::Snapshot { query, snapshot })
            }
            Asker::Control => {
                let answer = Box::new(control::Answer::Snapshot(snapshot));
                Letter::Control(control::Command::Answer { query, answer })
            }
        });
    }
}

impl Machine for Observer {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        match input {
            Input::Fact(key, fact) => self.on_fact(key, *fact),
            Input::Forget(key) => {
                self.facts.remove(&key);
            }
            Input::Supervised { address, state } => self.on_supervised(address, state),
            Input::Query { query, asker } => self.on_query(now, query, asker, out),
        }
        Ok(())
    }

    fn signal(&mut self, _now: Now, signal: Signal, _out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) | Signal::Down { .. } | Signal::Returned { .. } => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        None
    }

    fn on_deadline(&mut self, _now: Now, _out: &mut Outbox) -> Result<(), Failure> {
        Ok(())
    }

    fn view(&self) -> View {
        let facts = vec![
            ("facts", self.facts.len().to_string()),
            ("children", self.children.len().to_string()),
            ("turned away", self.turned_away.to_string()),
            ("answered", self.answered.to_string()),
        ];
        View {
            phase: "watching",
            facts,
        }
    }

    fn invariants(&self) {
        assert!(self.facts.len() <= FACTS_MAX, "too many facts");
        assert!(self.children.len() <= CHILDREN_MAX, "too many children");
        for (key, fact) in &self.facts {
            assert!(fits(*key, fact), "a fact under a key of another kind");
        }
        for (address, state) in &self.children {
            assert!(is_shown(*address), "a request or stream among the children");
            assert!(*state != ChildState::Gone, "a child that is gone");
        }
    }
}

/// Whether a fact is of its key's kind.
const fn fits(key: FactKey, fact: &Fact) -> bool {
    matches!(
        (key, fact),
        (FactKey::Network(_), Fact::Network(_))
            | (FactKey::Peer(..), Fact::Peer(_))
            | (FactKey::Device(_), Fact::Device(_))
            | (FactKey::Models, Fact::Models(_))
    )
}

/// Requests and streams come and go too fast to be shown.
const fn is_shown(address: Address) -> bool {
    !matches!(address, Address::Proxy(_) | Address::Stream(_))
}

/// Facts: one per live peer, and a few per network and device. A mesh of this cut holds 10,000
/// members.
const FACTS_MAX: usize = 16_384;
/// Children: one session per live peer, and a few per network and device.
const CHILDREN_MAX: usize = 16_384;
