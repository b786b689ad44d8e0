//! One timer for all deadlines of a node.

use crate::clock::Clock;
use kernel::{Incarnation, Mono};
use messages::Address;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Whom a deadline wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sleeper {
    /// An actor, in one life.
    Actor(Address, Incarnation),
    /// The switchboard: a child is to be started again.
    Switchboard,
}

/// Deadlines in order. A sleeper may stand in it more than once: only its earliest wish counts,
/// and an early wake costs it one look at its own deadline.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    deadlines: Mutex<BTreeSet<(Mono, Sleeper)>>,
    earlier: Notify,
}

impl Timer {
    /// Asks for a wake.
    pub(crate) fn arm(&self, at: Mono, who: Sleeper) {
        let mut deadlines = self
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let first = deadlines.first().is_none_or(|(first, _)| at < *first);
        deadlines.insert((at, who));
        drop(deadlines);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Waits for the next deadlines and returns who is to be woken.
    pub(crate) async fn due(&self, clock: &Clock) -> Vec<Sleeper> {
        loop {
            let next = {
                let mut deadlines = self
                    .deadlines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let now = clock.now().mono;
                let later = deadlines.split_off(&(now + kernel::Micros(1), Sleeper::lowest()));
                let due = std::mem::replace(&mut *deadlines, later);
                if !due.is_empty() {
                    return due.into_iter().map(|(_, who)| who).collect();
                }
                deadlines.first().map(|(at, _)| *at)
            };
            match next {
                None => self.earlier.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.earlier.notified() => {}
                        () = tokio::time::sleep_until(clock.instant(at)) => {}
                    }
                }
            }
        }
    }
}

impl Sleeper {
    /// Sorts before every other, so that a split at an instant takes all of that instant.
    const fn lowest() -> Self {
        Self::Actor(Address::Store, Incarnation { boot: 0, n: 0 })
    }
}
