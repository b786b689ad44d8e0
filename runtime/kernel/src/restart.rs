//! When a dead child is started again: pure, so that restart storms are simulated.

use crate::{Exit, Restart};
use messages::{Micros, Mono};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Failures within [`WINDOW`] that spend a child's budget.
const FAILURES_MAX: usize = 5;
/// The time in which failures count together.
const WINDOW: Micros = Micros::from_secs(30);
/// The wait before the first restart: long enough not to spin, short enough not to be seen.
const BACKOFF_FIRST: Micros = Micros::from_millis(10);
/// The longest wait between restarts.
const BACKOFF_MAX: Micros = Micros::from_secs(2);
/// The wait after the budget is spent.
const RETRY_FAILED: Micros = Micros::from_secs(60);

/// A child's failures so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    failures: VecDeque<Mono>,
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
    history.failures.push_back(now);
    while history
        .failures
        .front()
        .is_some_and(|first| now.since(*first) > WINDOW)
    {
        history.failures.pop_front();
    }
    match history.failures.len() {
        spent if spent >= FAILURES_MAX => {
            // The minute's wait is its own penalty: the next try starts with a whole budget.
            history.failures.clear();
            Decision::Park(RETRY_FAILED)
        }
        failures => {
            let doublings = failures.saturating_sub(1).min(16);
            Decision::Restart(BACKOFF_FIRST.times(1 << doublings).min(BACKOFF_MAX))
        }
    }
}

#[cfg(test)]
mod tests;
