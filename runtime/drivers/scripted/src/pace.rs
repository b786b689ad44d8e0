//! When the next step is due.

use messages::{Micros, Mono};

/// Lateness that is made up for. Within it the average rate is exact, though timers are late by
/// a millisecond or two; beyond it nobody asked for a step, and none is caught up with in a burst.
const BACKLOG: Micros = Micros::from_millis(50);
/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// A schedule of equal intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    rate: u32,
    base: Mono,
    /// Steps taken since `base`.
    taken: u64,
}

impl Pace {
    /// Starts at `now` with `rate` steps a second; 0 is no pace at all.
    pub(crate) const fn new(rate: u32, now: Mono) -> Self {
        Self {
            rate,
            base: now,
            taken: 0,
        }
    }

    /// Takes one step and returns when it is due.
    pub(crate) fn next(&mut self, now: Mono) -> Mono {
        if self.rate == 0 {
            return now;
        }
        if now.since(self.due(self.taken + 1)) > BACKLOG {
            *self = Self::new(self.rate, now);
        }
        self.taken += 1;
        self.due(self.taken)
    }

    /// Multiplied before it is divided: no rounding adds up.
    fn due(&self, taken: u64) -> Mono {
        self.base + Micros(taken.saturating_mul(SECOND) / u64::from(self.rate.max(1)))
    }
}
