//! The clocks of a node: both run from one crystal, which may be off, and neither is world time.

use crate::event::Time;
use kernel::Wall;
use serde::{Deserialize, Serialize};

/// Wall time at the world's beginning: 2026-01-01 00:00 UTC.
const EPOCH_US: u64 = 1_767_225_600_000_000;
/// Parts of a million.
const MILLION: u64 = 1_000_000;
/// The most that a crystal is off: half its rate. Real ones are off by less than a thousandth.
const DRIFT_MAX_PPM: i32 = 500_000;

/// How a node's clocks are off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What the wall clock is ahead of the world's, in microseconds.
    pub offset_us: i64,
    /// What the crystal gains, in parts per million, and with it both clocks.
    pub drift_ppm: i32,
}

/// A crystal that counts microseconds, more or less, and the clocks that it drives. It goes on
/// while the node is frozen or down. While the machine sleeps the wall clock goes on as well, and
/// the monotonic one stands still, as on Linux.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeClock {
    /// Ticks at `base`.
    ticks: u64,
    /// World time at which the drift was last changed.
    base: Time,
    ppm: i32,
    offset_us: i64,
    /// Ticks of all sleeps.
    slept: u64,
    /// Ticks when the sleep began that lasts.
    asleep: Option<u64>,
    /// World times of the last sleep.
    sleep: (Time, Time),
}

impl NodeClock {
    pub(crate) fn new(clock: Clock) -> Self {
        let mut new = Self {
            offset_us: clock.offset_us,
            ..Self::default()
        };
        new.drift(0, clock.drift_ppm);
        new
    }

    /// What the monotonic clock has counted. It never goes back.
    pub(crate) fn ticks(&self, time: Time) -> u64 {
        let counted = self.counted(time);
        self.asleep.map_or(counted, |at| counted.min(at)) - self.slept
    }

    /// What the crystal has counted.
    fn counted(&self, time: Time) -> u64 {
        let passed = time.saturating_sub(self.base);
        if self.ppm == 0 {
            return self.ticks + passed;
        }
        let ticks = u128::from(passed) * u128::from(self.rate()) / u128::from(MILLION);
        self.ticks + u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The first world time at which the monotonic clock has counted so much, if no sleep comes
    /// in between.
    pub(crate) fn time_of(&self, ticks: u64) -> Time {
        let more = (ticks + self.slept).saturating_sub(self.ticks);
        if self.ppm == 0 {
            return self.base + more;
        }
        let passed = (u128::from(more) * u128::from(MILLION)).div_ceil(u128::from(self.rate()));
        self.base + u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// The wall clock. It stands still rather than to go below zero.
    pub(crate) fn wall(&self, time: Time) -> Wall {
        Wall((EPOCH_US + self.counted(time)).saturating_add_signed(self.offset_us))
    }

    /// Sets the wall clock, as a person or a time server does. Deadlines do not notice.
    pub(crate) const fn jump(&mut self, by_us: i64) {
        self.offset_us = self.offset_us.saturating_add(by_us);
    }

    /// The crystal changes its rate.
    pub(crate) fn drift(&mut self, time: Time, ppm: i32) {
        self.ticks = self.counted(time);
        self.base = time;
        self.ppm = ppm.clamp(-DRIFT_MAX_PPM, DRIFT_MAX_PPM);
    }

    /// The machine falls asleep.
    pub(crate) fn suspend(&mut self, time: Time) {
        if self.asleep.is_none() {
            self.asleep = Some(self.counted(time));
            self.sleep = (time, Time::MAX);
        }
    }

    /// It wakes. How much world time the monotonic clock has missed: nothing if it did not sleep.
    pub(crate) fn resume(&mut self, time: Time) -> Time {
        let Some(at) = self.asleep.take() else {
            return 0;
        };
        self.slept += self.counted(time) - at;
        self.sleep.1 = time;
        time - self.sleep.0
    }

    /// When the sleep began that lasts.
    pub(crate) const fn asleep_since(&self) -> Option<Time> {
        match self.asleep {
            Some(_) => Some(self.sleep.0),
            None => None,
        }
    }

    /// When the last sleep began.
    pub(crate) const fn slept_at(&self) -> Time {
        self.sleep.0
    }

    /// How much of the time since then the monotonic clock has missed. An earlier sleep than the
    /// last one is forgotten: nobody measures a time as long as that.
    pub(crate) fn missed(&self, since: Time, now: Time) -> Time {
        let (from, to) = self.sleep;
        to.min(now).saturating_sub(from.max(since))
    }

    /// Ticks in a million microseconds of world time.
    fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(i64::from(self.ppm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crystal_counts_on_without_a_step_and_its_inverse_is_exact() {
        let mut clock = NodeClock::new(Clock::default());
        let mut last = 0;
        let mut time = 0;
        for (span, ppm) in [
            (7, 200),
            (1_000_003, -300_000),
            (999, 0),
            (5_000_001, 400_000),
        ] {
            clock.drift(time, ppm);
            for step in 0..1_000 {
                let at = time + span * step / 1_000;
                let ticks = clock.ticks(at);
                assert!(ticks >= last, "it never goes back");
                last = ticks;
                let first = clock.time_of(ticks + 1);
                assert!(clock.ticks(first) > ticks, "not too early");
                assert!(clock.ticks(first - 1) <= ticks, "and no later than that");
            }
            time += span;
        }
    }

    #[test]
    fn a_jump_moves_the_wall_alone() {
        let mut clock = NodeClock::new(Clock {
            offset_us: -5,
            drift_ppm: 100,
        });
        let (ticks, wall) = (clock.ticks(2_000_000), clock.wall(2_000_000));
        assert_eq!((ticks, wall.0), (2_000_200, EPOCH_US + 2_000_195));
        clock.jump(-3_600_000_000);
        assert_eq!(clock.ticks(2_000_000), ticks);
        assert_eq!(clock.wall(2_000_000).0, wall.0 - 3_600_000_000);
        clock.jump(i64::MIN);
        assert_eq!(clock.wall(0), Wall(0), "and not below zero");
    }

    #[test]
    fn a_sleep_stops_the_monotonic_clock_alone() {
        let mut clock = NodeClock::new(Clock {
            offset_us: 7,
            drift_ppm: 200_000,
        });
        clock.suspend(1_000);
        clock.suspend(2_000);
        assert_eq!(clock.ticks(500), 600, "what was before is as it was");
        assert_eq!((clock.ticks(1_000), clock.ticks(5_000)), (1_200, 1_200));
        assert_eq!(clock.wall(5_000).0, EPOCH_US + 6_007);
        clock.drift(5_000, 0);
        assert_eq!(
            (clock.ticks(6_000), clock.missed(3_000, 6_000)),
            (1_200, 3_000)
        );
        assert_eq!((clock.resume(6_000), clock.resume(7_000)), (5_000, 0));
        assert_eq!((clock.ticks(6_000), clock.ticks(7_000)), (1_200, 2_200));
        assert_eq!(clock.wall(7_000).0, EPOCH_US + 8_007);
        assert_eq!(clock.time_of(2_200), 7_000, "and deadlines wait as long");
        assert_eq!(clock.missed(0, 9_000), 5_000);
        assert_eq!(
            (clock.missed(2_000, 4_000), clock.missed(6_500, 9_000)),
            (2_000, 0)
        );
    }
}
