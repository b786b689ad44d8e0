//! Whom to dial, and when: one rule for all.

use crate::Roster;
use crate::fair::{FairQueue, Place};
use crate::hearsay::Lane;
use kernel::{Deadline, Entropy, Outbox};
use messages::peer_session::Ended;
use messages::ports::transport::Command;
use messages::wire::latest::Deny;
use messages::{Letter, Micros, Mono, NodeId, Now, TicketKey};
use std::collections::{BTreeMap, BTreeSet};

/// The dials of a network: those to come and those in flight.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    peers: BTreeMap<NodeId, Dial>,
    queue: BTreeSet<(Mono, NodeId)>,
    /// The queue of those that others only spoke of: any member can name any number of them.
    hearsay: FairQueue,
    in_flight: BTreeMap<NodeId, InFlight>,
    /// Nobody is dialled: nothing is loaded yet, or this node is verifiably no member any more.
    pub(crate) paused: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    since: Mono,
    standing: Standing,
}

/// What a peer is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It presented its credential here, or a human named it.
    Trusted,
    /// Others spoke of it.
    Hearsay(Lane),
}

impl Default for Standing {
    fn default() -> Self {
        Self::Hearsay(Lane::default())
    }
}

#[derive(Debug, Default)]
struct Dial {
    standing: Standing,
    /// Since the last session that lasted.
    failures: u32,
    /// When, and where in which queue; nowhere where it is trusted.
    due: Option<(Mono, Option<Place>)>,
    last: Option<Mono>,
    /// The peer refused this node for good.
    stopped: bool,
}

impl Dials {
    /// No dials, and none to come until somebody says so.
    pub(crate) fn paused() -> Self {
        Self {
            paused: true,
            ..Self::default()
        }
    }

    /// Dials a peer at this time, unless it is to be dialled already.
    pub(crate) fn want(&mut self, peer: NodeId, at: Mono) {
        let dial = self.peers.entry(peer).or_default();
        if dial.due.is_none() && !dial.stopped && !self.in_flight.contains_key(&peer) {
            self.schedule(peer, at);
        }
    }

    /// Says what a peer is known by: those that are trusted go before those only heard of.
    pub(crate) fn place(&mut self, peer: NodeId, standing: Standing) {
        let dial = self.peers.entry(peer).or_default();
        if dial.standing != standing {
            dial.standing = standing;
            if let Some((at, _)) = dial.due {
                self.schedule(peer, at);
            }
        }
    }

    /// Something about the peer changed: whatever stopped or delayed its dials may be over.
    pub(crate) fn changed(&mut self, peer: NodeId, now: Mono, entropy: &mut Entropy) {
        let dial = self.peers.entry(peer).or_default();
        dial.stopped = false;
        // A peer that changes its record all the time is not dialled all the time.
        let earliest = dial.last.map_or(now, |last| last + CHANGED_PAUSE).max(now);
        let at = earliest + Micros(entropy.below(SPREAD.0));
        let sooner = dial.due.is_none_or(|(due, _)| at < due);
        if sooner && !self.in_flight.contains_key(&peer) {
            self.schedule(peer, at);
        }
    }

    /// There is a connection, so nothing to dial.
    pub(crate) fn connected(&mut self, peer: NodeId) {
        self.in_flight.remove(&peer);
        self.unschedule(peer);
    }

    /// The peer admits this node: whatever it refused before is over.
    pub(crate) fn admitted(&mut self, peer: NodeId) {
        self.connected(peer);
        self.peers.entry(peer).or_default().stopped = false;
    }

    /// No session came of it, or it ended; `lasted` says that one was active for a while.
    pub(crate) fn ended(&mut self, peer: NodeId, lasted: bool, now: Mono, entropy: &mut Entropy) {
        self.connected(peer);
        let dial = self.peers.entry(peer).or_default();
        if lasted {
            dial.failures = 0;
        }
        let base = BACKOFF_FIRST
            .times(1 << dial.failures.min(16))
            .min(BACKOFF_MAX);
        dial.failures = dial.failures.saturating_add(1);
        if !dial.stopped {
            let jitter = Micros(entropy.below(base.0 / 2));
            self.schedule(peer, now + Micros(base.0 * 3 / 4) + jitter);
        }
    }

    /// The peer refused this node for good, or this node refused it.
    pub(crate) fn stop(&mut self, peer: NodeId) {
        self.connected(peer);
        self.peers.entry(peer).or_default().stopped = true;
    }

    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.connected(peer);
        self.peers.remove(&peer);
    }

    /// Dials in flight by a ticket of members that are only heard of, where it may have more.
    fn open(&self, ticket: Option<TicketKey>) -> Option<usize> {
        let by_ticket = |dial: &&InFlight| match dial.standing {
            Standing::Trusted => false,
            Standing::Hearsay(lane) => lane.ticket == ticket,
        };
        let count = self.in_flight.values().filter(by_ticket).count();
        (self.in_flight.len() < HEARSAY_MAX && count < BY_TICKET_MAX).then_some(count)
    }

    /// When the next dial is due for which there is room.
    fn first(&self) -> Option<Mono> {
        if self.paused || self.in_flight.len() >= DIALS_MAX {
            return None;
        }
        let trusted = self.queue.first().map(|(at, _)| *at);
        let hearsay = self.hearsay.first(|ticket| self.open(ticket).is_some());
        trusted.into_iter().chain(hearsay).min()
    }

    /// The next peer whose time has come: those that are trusted first.
    fn take(&mut self, now: Mono) -> Option<NodeId> {
        if self.first()? > now {
            return None;
        }
        let trusted = self.queue.first().filter(|(at, _)| *at <= now);
        let peer = match trusted {
            Some((_, peer)) => *peer,
            None => {
                let mut hearsay = std::mem::take(&mut self.hearsay);
                let next = hearsay.next(now, |ticket| self.open(ticket));
                self.hearsay = hearsay;
                next?
            }
        };
        self.unschedule(peer);
        let dial = self.peers.entry(peer).or_default();
        dial.last = Some(now);
        let standing = dial.standing;
        let since = now;
        self.in_flight.insert(peer, InFlight { since, standing });
        Some(peer)
    }

    /// Dials that the transport never answered.
    fn overdue(&self, now: Mono) -> Vec<NodeId> {
        let late = |(_, dial): &(&NodeId, &InFlight)| now >= dial.since + ANSWER_MAX;
        self.in_flight
            .iter()
            .filter(late)
            .map(|(peer, _)| *peer)
            .collect()
    }

    pub(crate) fn in_flight(&self) -> Vec<NodeId> {
        self.in_flight.keys().copied().collect()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let oldest = self.in_flight.values().map(|dial| dial.since).min();
        Deadline::earliest(
            self.first().map(|at| Deadline { at, why: "dial" }),
            oldest.map(|at| Deadline {
                at: at + ANSWER_MAX,
                why: "give up a dial",
            }),
        )
    }

    pub(crate) fn invariants(&self) {
        assert!(self.in_flight.len() <= DIALS_MAX, "too many dials at once");
        let queued = self.queue.len() + self.hearsay.len();
        assert!(queued <= self.peers.len(), "a dial of nobody is queued");
    }

    fn schedule(&mut self, peer: NodeId, at: Mono) {
        self.unschedule(peer);
        let dial = self.peers.entry(peer).or_default();
        let failed = dial.failures > 0;
        let place = match dial.standing {
            Standing::Trusted => None,
            Standing::Hearsay(lane) => Some(Place { lane, failed }),
        };
        dial.due = Some((at, place));
        match place {
            None => drop(self.queue.insert((at, peer))),
            Some(place) => self.hearsay.insert(place, at, peer),
        }
    }

    fn unschedule(&mut self, peer: NodeId) {
        match self.peers.get_mut(&peer).and_then(|dial| dial.due.take()) {
            None => {}
            Some((at, None)) => drop(self.queue.remove(&(at, peer))),
            Some((at, Some(place))) => self.hearsay.remove(place, at, peer),
        }
    }
}

impl Roster {
    /// Dials whoever is due, as far as there is room.
    pub(crate) fn dial(&mut self, now: Now, out: &mut Outbox) {
        for peer in self.dials.overdue(now.mono) {
            self.dials
                .ended(peer, false, now.mono, &mut self.ctx.entropy);
        }
        while let Some(peer) = self.dials.take(now.mono) {
            let addrs = self.table.addrs_of(peer);
            let useless = addrs.is_empty() || self.sessions.is_live(peer);
            if useless || peer == self.seed.me || !self.table.knows(peer) {
                self.dials.connected(peer);
                continue;
            }
            let network = self.seed.network;
            out.tell(Letter::Transport(Command::Dial {
                network,
                peer,
                addrs,
            }));
        }
    }

    /// Plans the first dial of a peer that was just learnt: after a moment of its own, so that a
    /// whole network does not dial one newcomer at once.
    pub(crate) fn want(&mut self, now: Now, peer: NodeId) {
        if peer != self.seed.me && !self.sessions.is_live(peer) {
            self.dials.place(peer, self.table.standing(peer));
            let at = now.mono + Micros(self.ctx.entropy.below(SPREAD.0));
            self.dials.want(peer, at);
        }
    }

    /// No connection came of a dial, or its handshake found no room.
    pub(crate) fn on_dial_failed(&mut self, now: Now, peer: NodeId) {
        if self.table.knows(peer) && !self.sessions.is_live(peer) {
            self.dials
                .ended(peer, false, now.mono, &mut self.ctx.entropy);
        } else {
            self.dials.connected(peer);
        }
    }

    /// Plans the next dial after a session, by the reason of its end.
    pub(crate) fn redial(&mut self, now: Now, peer: NodeId, lasted: bool, why: &Ended) {
        let denied = match why {
            Ended::DeniedByPeer(deny) | Ended::DeniedHere(deny) => deny.is_final(),
            Ended::LinkLost(_) | Ended::Left => false,
        };
        if let Ended::DeniedByPeer(deny @ (Deny::Revoked | Deny::Expired)) = why {
            self.on_own_refusal(now, peer, deny);
        }
        if !self.table.knows(peer) {
            return self.dials.forget(peer);
        }
        self.dials.place(peer, self.table.standing(peer));
        match denied {
            true => self.dials.stop(peer),
            false => self
                .dials
                .ended(peer, lasted, now.mono, &mut self.ctx.entropy),
        }
    }
}

/// Dials at once: a dial costs a socket's attention for seconds.
const DIALS_MAX: usize = 8;
/// Dials at once that may be of peers that are only heard of.
const HEARSAY_MAX: usize = 6;
/// Of these, by one ticket: whoever holds it can mint any number of members, and those of others
/// find a place all the same. A network that one ticket admitted is dialled by four at a time.
const BY_TICKET_MAX: usize = 4;
/// The wait after a first failure.
const BACKOFF_FIRST: Micros = Micros::from_secs(1);
/// The longest wait: a node that comes back is found within half a minute.
const BACKOFF_MAX: Micros = Micros::from_secs(30);
/// Over this time the first dials of peers that were learnt together are spread.
const SPREAD: Micros = Micros::from_millis(250);
/// The least time from one dial to the next that a change of the peer's record brings forward.
const CHANGED_PAUSE: Micros = Micros::from_secs(5);
/// After this a dial will not be answered: the transport's own limit is shorter.
const ANSWER_MAX: Micros = Micros::from_secs(30);
