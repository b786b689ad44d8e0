//! When a dead child is started again: pure, so that restart storms are simulated.

use crate::{Exit, Restart};
use messages::{Address, Micros, Mono};
use serde::{Deserialize, Serialize};

/// Failures in a row that spend a child's budget. The waits between them come to 12.5 s: a
/// neighbour that restarts, or a disk that is full or slow for a moment, is back by then.
const FAILURES_MAX: u32 = 14;
/// A life of this length was a healthy one: what ends it is another trouble, with a whole budget.
/// Longer than the longest wait, so that whoever dies of a neighbour's wait is not healthy.
const HEALTHY: Micros = Micros::from_secs(5);
/// The same of an engine: reading a large model takes minutes, and one whose model cannot be read
/// dies only after that.
const HEALTHY_ENGINE: Micros = Micros::from_secs(600);
/// The wait before the first restart: long enough not to spin, short enough not to be seen.
const BACKOFF_FIRST: Micros = Micros::from_millis(10);
/// The longest wait between restarts: who waits for the child is patient for some seconds.
const BACKOFF_MAX: Micros = Micros::from_secs(2);
/// The wait after the budget is spent.
const RETRY_FAILED: Micros = Micros::from_secs(60);

/// A child's failures so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Failures since the last healthy life.
    failures: u32,
    /// When the life after the last of them was to begin.
    begun: Option<Mono>,
    /// How long a healthy life is, at least.
    healthy: Micros,
}

impl History {
    /// A child that has not failed yet.
    #[must_use]
    pub const fn of(child: Address) -> Self {
        let healthy = match child {
            Address::Engine(_) => HEALTHY_ENGINE,
            Address::Store
            | Address::Transport
            | Address::Stream(_)
            | Address::Gateway
            | Address::Control
            | Address::Worker(_)
            | Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Session(..)
            | Address::Router
            | Address::Proxy(_)
            | Address::Observer => HEALTHY,
        };
        Self {
            failures: 0,
            begun: None,
            healthy,
        }
    }

    /// Whether the life that ends now was a healthy one. Who never began to live was not.
    fn was_healthy(&self, now: Mono, exit: &Exit) -> bool {
        let lived = self.begun.map(|begun| now.since(begun));
        !matches!(exit, Exit::StartFailed(_)) && lived.is_none_or(|lived| lived >= self.healthy)
    }
}

/// What becomes of a dead child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start it again after this time.
    Restart(Micros),
    /// It spent its budget: show it as Failed and try again after this time.
    Park(Micros),
    /// Let it go.
    Forget,
}

/// Decides, and remembers the failure.
#[must_use]
pub fn decide(now: Mono, restart: Restart, exit: &Exit, history: &mut History) -> Decision {
    let again = match restart {
        Restart::Permanent => true,
        Restart::Transient => exit.is_abnormal(),
        Restart::Temporary => false,
    };
    if !again {
        return Decision::Forget;
    }
    if history.was_healthy(now, exit) {
        history.failures = 0;
    }
    history.failures += 1;
    let spent = history.failures >= FAILURES_MAX;
    crate::sometimes!(spent, "kernel: a child has spent its restarts");
    crate::sometimes!(
        history.failures > 8,
        "kernel: a restart waits for the longest time"
    );
    let wait = match spent {
        true => RETRY_FAILED,
        false => BACKOFF_FIRST
            .times(1 << (history.failures - 1))
            .min(BACKOFF_MAX),
    };
    history.begun = Some(now + wait);
    match spent {
        true => {
            // The minute's wait is its own penalty: the next try starts with a whole budget.
            history.failures = 0;
            Decision::Park(wait)
        }
        false => Decision::Restart(wait),
    }
}

#[cfg(test)]
mod tests;
