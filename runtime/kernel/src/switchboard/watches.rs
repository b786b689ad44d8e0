//! Who learns of whose end: exactly one Down for each watch.

use super::Switchboard;
use super::entry::Phase;
use crate::{Action, Exit, Incarnation, Signal, Source};
use messages::Address;
use std::collections::{BTreeMap, BTreeSet};

impl Switchboard {
    /// A watch of a past life is dropped with it: the next one makes its own.
    pub(super) fn watch(&mut self, from: Source, who: Address, out: &mut Vec<Action>) {
        let Source::Actor(watcher, life) = from else {
            return;
        };
        if !self.is_current(watcher, life) {
            return;
        }
        let why = match self.entries.get(&who).map(|entry| &entry.phase) {
            None => Exit::NoActor,
            Some(Phase::Failed { .. }) => Exit::StartFailed("it spent its restarts".to_owned()),
            Some(Phase::Live | Phase::Starting(_) | Phase::Waiting { .. } | Phase::Stopping) => {
                self.watchers.entry(who).or_default().insert(watcher);
                self.watching.entry(watcher).or_default().insert(who);
                return;
            }
        };
        let incarnation = self.entries.get(&who).map(|entry| entry.life);
        crate::sometimes!(incarnation.is_some(), "kernel: a failed child is watched");
        crate::sometimes!(incarnation.is_none(), "kernel: nobody is watched");
        self.signal(
            watcher,
            Some(life),
            Signal::Down {
                who,
                incarnation,
                why,
            },
            out,
        );
    }

    pub(super) fn unwatch(&mut self, from: Source, who: Address) {
        let Source::Actor(watcher, life) = from else {
            return;
        };
        if !self.is_current(watcher, life) {
            return;
        }
        remove_from(&mut self.watchers, who, watcher);
        remove_from(&mut self.watching, watcher, who);
    }

    fn is_current(&self, who: Address, life: Incarnation) -> bool {
        self.entries
            .get(&who)
            .is_some_and(|entry| entry.life == life && entry.phase.is_begun())
    }

    /// One Down to each watcher.
    pub(super) fn announce(
        &mut self,
        who: Address,
        life: Incarnation,
        exit: &Exit,
        out: &mut Vec<Action>,
    ) {
        for watcher in self.watchers.remove(&who).unwrap_or_default() {
            remove_from(&mut self.watching, watcher, who);
            let down = Signal::Down {
                who,
                incarnation: Some(life),
                why: exit.clone(),
            };
            self.signal(watcher, None, down, out);
        }
    }

    pub(super) fn drop_watches_of(&mut self, watcher: Address) {
        for watched in self.watching.remove(&watcher).unwrap_or_default() {
            remove_from(&mut self.watchers, watched, watcher);
        }
    }

    /// Asserts that both tables say the same, and that only those who can be told watch.
    pub(super) fn watch_invariants(&self) {
        let pairs = |table: &BTreeMap<Address, BTreeSet<Address>>| -> usize {
            assert!(
                table.values().all(|set| !set.is_empty()),
                "an empty set of watches"
            );
            table.values().map(BTreeSet::len).sum()
        };
        assert_eq!(
            pairs(&self.watchers),
            pairs(&self.watching),
            "a one-sided watch"
        );
        for (watched, watchers) in &self.watchers {
            assert!(self.entries.contains(watched), "a watch of nobody");
            for watcher in watchers {
                let reverse = self.watching.get(watcher);
                assert!(
                    reverse.is_some_and(|set| set.contains(watched)),
                    "a one-sided watch"
                );
                let entry = self.entries.get(watcher);
                assert!(
                    entry.is_some_and(|entry| entry.phase.is_begun()),
                    "the dead watch"
                );
            }
        }
    }
}

fn remove_from(sets: &mut BTreeMap<Address, BTreeSet<Address>>, key: Address, member: Address) {
    if let Some(set) = sets.get_mut(&key) {
        set.remove(&member);
        if set.is_empty() {
            sets.remove(&key);
        }
    }
}
