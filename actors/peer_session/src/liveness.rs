//! Whether the peer is there: a ping each second, and what arrived lately.

use crate::PeerSession;
use crate::sleep::Sleep;
use kernel::{Deadline, Outbox};
use messages::peer_session::{Ended, LinkLoss};
use messages::wire::latest::{ControlFrame, Deny};
use messages::{Micros, Mono, Now};

/// When the peer was last heard, and whether it hears us.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    heard: Mono,
    answered: Mono,
    /// The last number pinged, and the last one answered.
    ping: u64,
    pong: u64,
    ping_at: Mono,
    fresh: bool,
    stale_since: Mono,
    /// When the first ping was sent of those after which nothing was heard.
    unheard: Option<Mono>,
    /// Whether a job of this node ran at the peer since it last had nothing to answer: a request
    /// that leaves a holder in doubt leaves the question whether it lives.
    hurried: bool,
    /// Whether requests and the router were told of its silence.
    warned: bool,
    pub(crate) sleep: Sleep,
}

impl Liveness {
    /// The session becomes active.
    pub(crate) const fn begin(&mut self, now: Mono) {
        self.heard = now;
        self.answered = now;
        self.ping_at = now;
        self.fresh = true;
        self.sleep.settle();
    }

    pub(crate) const fn heard(&mut self, now: Mono) {
        self.heard = now;
        self.unheard = None;
        self.warned = false;
    }

    /// A job of this node begins at the peer: its silence is to be noticed soon.
    pub(crate) fn hurry(&mut self, now: Mono) {
        self.hurried = true;
        self.ping_at = self.ping_at.min(now);
    }

    pub(crate) const fn last_ping(&self) -> u64 {
        self.ping
    }

    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether requests were told of the peer's silence, and it lasts.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.warned
    }

    /// A Pong counts where it answers a ping that is still unanswered.
    pub(crate) fn pong(&mut self, now: Mono, number: u64) {
        if number > self.pong && number <= self.ping {
            self.pong = number;
            self.answered = now;
            self.sleep.answered(number);
        }
    }

    fn fresh_until(&self) -> Mono {
        (self.heard + FRESH).min(self.answered + ANSWERED)
    }

    pub(crate) fn refresh(&mut self, now: Mono) {
        let fresh = now < self.fresh_until() && !self.sleep.is_in_doubt();
        if self.fresh && !fresh {
            kernel::sometimes!(true, "session: a peer is silent");
            self.stale_since = now;
        }
        self.fresh = fresh;
    }

    pub(crate) fn deadline(&self) -> Deadline {
        let ping = Deadline {
            at: self.ping_at,
            why: "ping",
        };
        let turn = match self.fresh {
            true => Deadline {
                at: self.fresh_until(),
                why: "the peer is silent",
            },
            false => Deadline {
                at: self.stale_since + SILENT,
                why: "the peer is lost",
            },
        };
        let turn = self.sleep.deadline().map_or(turn, |woken| woken.min(turn));
        match self.unheard {
            Some(since) if self.hurried && !self.warned => ping.min(turn).min(Deadline {
                at: since + QUIET,
                why: "the peer is quiet",
            }),
            Some(_) | None => ping.min(turn),
        }
    }
}

impl PeerSession {
    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self, now: Now, out: &mut Outbox) {
        self.live.ping += 1;
        self.live.hurried &= self.streams.ours() > 0 || self.live.unheard.is_some();
        self.live.ping_at = now.mono
            + match self.live.hurried {
                false => PING,
                true => PING_IN_USE,
            };
        self.live.unheard.get_or_insert(now.mono);
        self.send(ControlFrame::Ping(self.live.ping), out);
    }

    /// The turn of an active session that its clock asks for.
    pub(crate) fn on_tick(&mut self, now: Now, out: &mut Outbox) {
        self.live.refresh(now.mono);
        if self.live.sleep.is_over(now.mono) {
            return self.give_up_after_sleep(out);
        }
        if !self.live.fresh && now.mono >= self.live.stale_since + SILENT {
            kernel::sometimes!(true, "session: a silent peer is lost");
            return self.end(Ended::LinkLost(LinkLoss::TimedOut), None, out);
        }
        let quiet = self
            .live
            .unheard
            .is_some_and(|since| now.mono >= since + QUIET);
        if quiet && self.live.hurried && !self.live.warned {
            self.live.warned = true;
            kernel::sometimes!(true, "session: requests are warned of silence");
            self.warn_requests(out);
        }
        if now.mono < self.live.ping_at {
            return;
        }
        // The wall clock may jump, so expiry has no deadline of its own: it is looked at here.
        if self.until.is_some_and(|until| until <= now.wall) {
            kernel::sometimes!(true, "session: a membership expires");
            return self.refuse(Deny::Expired, out);
        }
        self.ping(now, out);
        self.give_up_openings(now, out);
    }
}

/// Between pings while a session is active.
const PING: Micros = Micros::from_secs(1);
/// Between pings while jobs of this node run at the peer.
const PING_IN_USE: Micros = Micros::from_millis(200);
/// Silence after a ping after which such jobs are looked after elsewhere, if somebody else can:
/// with the time between pings a client waits well under a second. A false alarm costs nothing,
/// for the answer is the same from any holder.
const QUIET: Micros = Micros::from_millis(450);
/// Silence after which nothing is routed to the peer: two pings and a half.
const FRESH: Micros = Micros::from_millis(2_500);
/// Time without a Pong after which nothing is routed to the peer: what arrives does not show that
/// anything of ours does. Longer than [`FRESH`] by a round trip that was lost and repeated.
const ANSWERED: Micros = Micros::from_millis(3_500);
/// Time without freshness after which the session ends: the transport has given up long before.
const SILENT: Micros = Micros::from_secs(15);
