//! Whether this machine slept: its wall clock went on while the other one stood still.
//!
//! What times out by the clock that stood still has not noticed: the peer may have given the
//! connection up minutes ago. So whoever wakes asks at once, and waits for an answer to that very
//! ping: what was received before the sleep answers nothing. A wall clock that is set ahead looks
//! the same, and costs a ping and, for a round trip, the choice of this peer.

use crate::PeerSession;
use kernel::{Deadline, Outbox};
use messages::peer_session::{Ended, LinkLoss};
use messages::{Micros, Mono, Now};

/// What the clocks say, and what a sleep leaves to be shown.
#[derive(Debug, Default)]
pub(crate) struct Sleep {
    /// How far the wall clock is ahead of the other one, in microseconds.
    ahead: Option<u64>,
    /// The ping that shows whether the peer is still there, and until when its answer is awaited.
    question: Option<(u64, Mono)>,
}

impl Sleep {
    /// Looks at both clocks. Tells whether the machine slept since they were looked at last.
    fn look(&mut self, now: Now) -> bool {
        let ahead = now.wall.0.saturating_sub(now.mono.0);
        let before = self.ahead.replace(ahead).unwrap_or(ahead);
        ahead.saturating_sub(before) >= ASLEEP.0
    }

    /// The peer has answered this ping.
    pub(crate) fn answered(&mut self, number: u64) {
        if self.question.is_some_and(|(asked, _)| asked <= number) {
            self.settle();
        }
    }

    /// The peer is there.
    pub(crate) const fn settle(&mut self) {
        self.question = None;
    }

    /// Whether it is not known yet that the peer outlasted the sleep.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.question.is_some()
    }

    /// Whether the peer had its time to answer.
    pub(crate) fn is_over(&self, now: Mono) -> bool {
        self.question.is_some_and(|(_, until)| until <= now)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.question.map(|(_, at)| Deadline {
            at,
            why: "the peer is gone since this machine slept",
        })
    }
}

impl PeerSession {
    /// Where the machine slept, the peer is asked at once.
    pub(crate) fn look_at_clocks(&mut self, now: Now, out: &mut Outbox) {
        if self.live.sleep.look(now) && self.active {
            kernel::sometimes!(true, "session: the machine has slept");
            self.ping(now, out);
            self.live.sleep.question = Some((self.live.last_ping(), now.mono + AWAKE));
        }
    }

    /// The peer did not answer after the sleep: the connection is given up, so that a new one is
    /// dialled.
    pub(crate) fn give_up_after_sleep(&mut self, out: &mut Outbox) {
        kernel::sometimes!(true, "session: a peer is gone since this machine slept");
        self.end(Ended::LinkLost(LinkLoss::TimedOut), None, out);
    }
}

/// What the wall clock gains at least in a sleep that matters: a peer gives up after ten seconds,
/// and a turn comes each second. Clocks that are disciplined gain far less.
const ASLEEP: Micros = Micros::from_secs(5);
/// How long the answer after a sleep is awaited: several round trips of the slowest path, and with
/// a dial behind it less than five seconds.
const AWAKE: Micros = Micros::from_secs(2);
