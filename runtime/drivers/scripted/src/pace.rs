//! When a job's next token is due.

use messages::{Micros, Mono};

/// Lateness that is made up for. Within it the average rate is exact, though timers are late by
/// a millisecond or two; beyond it the job was paused, and does not catch up in a burst.
const BACKLOG: Micros = Micros::from_millis(50);
/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// A schedule of equal intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    rate: u32,
    base: Mono,
    /// Tokens drawn since `base`.
    drawn: u64,
}

impl Pace {
    /// Starts at `now` with `rate` tokens a second; 0 is no pace at all.
    pub(crate) const fn new(rate: u32, now: Mono) -> Self {
        Self {
            rate,
            base: now,
            drawn: 0,
        }
    }

    /// Takes one token and returns when it is due.
    pub(crate) fn next(&mut self, now: Mono) -> Mono {
        if self.rate == 0 {
            return now;
        }
        if now.since(self.due(self.drawn + 1)) > BACKLOG {
            *self = Self::new(self.rate, now);
        }
        self.drawn += 1;
        self.due(self.drawn)
    }

    /// Multiplied before it is divided: no rounding adds up.
    fn due(&self, drawn: u64) -> Mono {
        self.base + Micros(drawn.saturating_mul(SECOND) / u64::from(self.rate.max(1)))
    }
}
