//! The clocks of a real node.

use kernel::{Mono, Now, Wall};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Both clocks of this node. The monotonic one counts from its creation, and is the runtime's own:
/// where a test pauses that one, deadlines and timers stand still together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Both clocks at once.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where real time enters a node"
    )]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            mono: Mono(micros(self.start.elapsed())),
            wall: Wall(micros(wall)),
        }
    }

    /// The instant of a deadline, for the runtime's timers.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        self.start + Duration::from_micros(at.0)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
