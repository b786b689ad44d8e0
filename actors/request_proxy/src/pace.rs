//! The pace of one holder: how long its tokens usually keep us waiting.

use messages::{Micros, Mono};
use std::collections::VecDeque;

/// The last intervals between arrivals of tokens.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// In order of arrival.
    window: VecDeque<Micros>,
    /// The same, in order of length.
    sorted: Vec<Micros>,
    /// The arrival that the next interval begins at.
    last: Option<Mono>,
}

impl Pace {
    /// Tokens arrived.
    pub(crate) fn arrive(&mut self, now: Mono) {
        if let Some(last) = self.last.replace(now) {
            self.add(now.since(last));
        }
    }

    /// The next interval would not be the holder's own: it is not counted.
    pub(crate) const fn pause(&mut self) {
        self.last = None;
    }

    /// How long to wait for the next tokens before the holder is doubted: eight times the 99th
    /// percentile of its own intervals.
    pub(crate) fn gap_max(&self) -> Micros {
        let floor = if self.window.len() < SAMPLES_MIN {
            GAP_UNKNOWN
        } else {
            GAP_MIN
        };
        self.p99().times(PATIENCE).max(floor)
    }

    /// The 99th percentile by nearest rank: an interval that occurred, zero where none did.
    fn p99(&self) -> Micros {
        let rank = (self.sorted.len() * 99).div_ceil(100);
        rank.checked_sub(1)
            .and_then(|at| self.sorted.get(at))
            .copied()
            .unwrap_or_default()
    }

    fn add(&mut self, interval: Micros) {
        if self.window.len() == WINDOW
            && let Some(oldest) = self.window.pop_front()
            && let Ok(at) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(at);
        }
        self.window.push_back(interval);
        let at = self.sorted.partition_point(|known| *known < interval);
        self.sorted.insert(at, interval);
    }

    /// Asserts what must hold between turns.
    pub(crate) fn invariants(&self) {
        assert!(self.window.len() <= WINDOW, "the window of intervals grows");
        assert_eq!(self.window.len(), self.sorted.len(), "an interval is lost");
        assert!(self.sorted.is_sorted(), "the intervals are out of order");
    }
}

/// Intervals that the percentile is taken over: some seconds of a fast engine.
const WINDOW: usize = 128;
/// How many times its own 99th percentile a holder may be late.
const PATIENCE: u64 = 8;
/// The least patience: shorter gaps are jitter of paths and schedulers.
const GAP_MIN: Micros = Micros::from_millis(250);
/// The patience with a holder whose pace is not known: a beacon comes in it, and a client whose
/// holder dies at its first tokens waits less than a second.
const GAP_UNKNOWN: Micros = Micros::from_millis(600);
/// Intervals from which on the pace counts as known.
const SAMPLES_MIN: usize = 8;
