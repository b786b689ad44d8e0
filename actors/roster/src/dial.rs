//! Whom to dial, and when: one rule for all.

use crate::Roster;
use crate::fair::{FairQueue, Place};
use crate::standing::Standing;
use kernel::{Deadline, Entropy, Outbox};
use messages::peer_session::Ended;
use messages::ports::transport::Command;
use messages::wire::latest::Deny;
use messages::{Letter, Micros, Mono, NodeId, Now, TicketKey};
use std::collections::BTreeMap;

/// The dials of a network: those to come and those in flight.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    peers: BTreeMap<NodeId, Dial>,
    trusted: FairQueue,
    /// The queue of those that were only heard of: any member can name any number of them.
    hearsay: FairQueue,
    in_flight: BTreeMap<NodeId, InFlight>,
    /// Nobody is dialled: nothing is loaded yet, or this node is verifiably no member any more.
    pub(crate) paused: bool,
    /// The node leaves: nobody is dialled any more.
    pub(crate) over: bool,
    /// There are as many sessions as are looked for.
    pub(crate) sated: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    since: Mono,
    standing: Standing,
}

#[derive(Debug, Default)]
struct Dial {
    standing: Standing,
    /// Since the last session that lasted.
    failures: u32,
    /// Whether the last thing known of it is a dial or a session that came to nothing.
    failed: bool,
    /// When, and where in which queue.
    due: Option<Due>,
    last: Option<Mono>,
    /// When the last dial or session came to its end.
    lost: Option<Mono>,
    /// The peer refused this node for good.
    stopped: bool,
    /// One of both has enough neighbours: until then it is not dialled.
    rest: Option<Mono>,
    /// How often that was said in a row.
    rests: u32,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Mono,
    trusted: bool,
    place: Place,
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
            if let Some(due) = dial.due {
                self.schedule(peer, due.at);
            }
        }
    }

    /// Something about the peer changed: whatever stopped or delayed its dials may be over.
    pub(crate) fn changed(&mut self, peer: NodeId, now: Mono, entropy: &mut Entropy) {
        let dial = self.peers.entry(peer).or_default();
        dial.stopped = false;
        // A peer that changes its record all the time is not dialled all the time.
        let earliest = dial.last.map_or(now, |last| last + CHANGED_PAUSE).max(now);
        kernel::sometimes!(
            earliest > now,
            "roster: a changed record waits for its dial"
        );
        let earliest = dial.rest.map_or(earliest, |rest| rest.max(earliest));
        let at = earliest + Micros(entropy.below(SPREAD.0));
        let sooner = dial.due.is_none_or(|due| at < due.at);
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
        kernel::sometimes!(dial.failures >= 5, "roster: a dial's wait is the longest");
        dial.failed = !lasted;
        dial.lost = Some(now);
        let longest = match dial.standing {
            Standing::Trusted(_) => BACKOFF_MAX,
            Standing::Hearsay(_) => BACKOFF_HEARSAY_MAX,
        };
        let base = BACKOFF_FIRST.times(1 << dial.failures.min(16)).min(longest);
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

    /// Dials in flight of such peers by a ticket, where it may have more.
    fn open(&self, trusted: bool, ticket: Option<TicketKey>) -> Option<usize> {
        let such = |dial: &&InFlight| dial.standing.is_trusted() == trusted;
        let by_ticket = |dial: &&InFlight| dial.standing.lane().ticket == ticket;
        let all = self.in_flight.values().filter(such);
        let count = all.clone().filter(by_ticket).count();
        let most = if trusted { KIND_MAX } else { BY_TICKET_MAX };
        kernel::sometimes!(
            all.clone().count() >= KIND_MAX,
            "roster: a kind's share of the dials is spent"
        );
        kernel::sometimes!(
            count >= most && most < KIND_MAX,
            "roster: a ticket's share of the dials is spent"
        );
        (all.count() < KIND_MAX && count < most).then_some(count)
    }

    const fn queue(&mut self, trusted: bool) -> &mut FairQueue {
        match trusted {
            true => &mut self.trusted,
            false => &mut self.hearsay,
        }
    }

    /// When the next dial is due for which there is room.
    fn first(&self) -> Option<Mono> {
        if self.paused || self.over || self.sated || self.in_flight.len() >= DIALS_MAX {
            kernel::sometimes!(
                self.in_flight.len() >= DIALS_MAX,
                "roster: all dials are in flight"
            );
            return None;
        }
        let trusted = self
            .trusted
            .first(|ticket| self.open(true, ticket).is_some());
        let hearsay = self
            .hearsay
            .first(|ticket| self.open(false, ticket).is_some());
        trusted.into_iter().chain(hearsay).min()
    }

    /// The next peer whose time has come: those that are trusted first, or as it is drawn. Where
    /// few dials are open, neighbours that died must not keep all others from them.
    fn take(&mut self, now: Mono, draw: Option<u64>) -> Option<NodeId> {
        if self.first()? > now {
            return None;
        }
        let peer = match draw {
            Some(draw) => return self.take_any(now, draw),
            None => self
                .take_from(now, true, None)
                .or_else(|| self.take_from(now, false, None))?,
        };
        self.begin(peer, now);
        Some(peer)
    }

    /// Any peer whose time has come, however many sessions there are.
    pub(crate) fn take_any(&mut self, now: Mono, draw: u64) -> Option<NodeId> {
        if self.paused || self.over || self.in_flight.len() >= DIALS_MAX {
            return None;
        }
        let (trusted, draw) = (draw & 1 == 0, Some(draw >> 1));
        let peer = self
            .take_from(now, trusted, draw)
            .or_else(|| self.take_from(now, !trusted, draw))?;
        self.begin(peer, now);
        Some(peer)
    }

    /// Takes this peer out of turn.
    pub(crate) fn take_this(&mut self, now: Mono, peer: NodeId) -> bool {
        let room = !self.over && self.in_flight.len() < DIALS_MAX;
        if room {
            self.begin(peer, now);
        }
        room
    }

    /// Whether a peer may be dialled now; `anyway`: even if one of both has enough neighbours, or
    /// was not there some time ago.
    pub(crate) fn may_be_taken(&self, peer: NodeId, now: Mono, anyway: bool) -> bool {
        let Some(dial) = self.peers.get(&peer).filter(|_| !self.paused && !self.over) else {
            return false;
        };
        let rests = dial.rest.is_some_and(|rest| now < rest);
        let waits = dial.due.is_some_and(|due| due.at > now);
        let lately = dial.last.is_some_and(|at| now < at + BACKOFF_MAX);
        dial.due.is_some() && (!waits || anyway && (rests || !lately))
    }

    /// Whether a dial or a session of it has come to nothing lately: it may not be there any more.
    pub(crate) fn was_lost(&self, peer: NodeId, now: Mono) -> bool {
        self.peers
            .get(&peer)
            .is_some_and(|dial| was_lost(dial, now))
    }

    fn begin(&mut self, peer: NodeId, now: Mono) {
        self.unschedule(peer);
        let dial = self.peers.entry(peer).or_default();
        dial.last = Some(now);
        let standing = dial.standing;
        let since = now;
        self.in_flight.insert(peer, InFlight { since, standing });
    }

    fn take_from(&mut self, now: Mono, trusted: bool, draw: Option<u64>) -> Option<NodeId> {
        let mut queue = std::mem::take(self.queue(trusted));
        let next = queue.next(now, draw, |ticket| self.open(trusted, ticket));
        *self.queue(trusted) = queue;
        next
    }

    /// One of both has enough neighbours. That is no failure; whoever says it again and again has
    /// many that want it, and is asked less often.
    pub(crate) fn rest(&mut self, peer: NodeId, now: Mono, entropy: &mut Entropy) {
        self.connected(peer);
        let dial = self.peers.entry(peer).or_default();
        let long_ago = dial.rest.is_none_or(|rest| now >= rest + REST_MAX);
        dial.rests = if long_ago { 0 } else { dial.rests + 1 };
        let base = REST.times(1 << dial.rests.min(8)).min(REST_MAX);
        kernel::sometimes!(base == REST_MAX, "roster: a rest is the longest");
        let until = now + base + Micros(entropy.below(base.0 / 4));
        (dial.failed, dial.rest) = (false, Some(until));
        if !dial.stopped {
            self.schedule(peer, until);
        }
    }

    /// There is nobody else: whoever has enough neighbours is asked again.
    pub(crate) fn wake(&mut self, now: Mono, entropy: &mut Entropy) {
        let resting = |dial: &Dial| dial.rest.is_some_and(|rest| now < rest);
        let resting: Vec<NodeId> = self
            .peers
            .iter()
            .filter(|(_, dial)| resting(dial) && dial.due.is_some())
            .map(|(peer, _)| *peer)
            .collect();
        for peer in resting {
            self.schedule(peer, now + BACKOFF_FIRST + Micros(entropy.below(SPREAD.0)));
        }
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

    /// Dials in flight of which a session may be hoped for: the last one did not come to nothing.
    pub(crate) fn underway(&self) -> usize {
        let failed = |peer| self.peers.get(peer).is_some_and(|dial| dial.failed);
        self.in_flight.keys().filter(|peer| !failed(*peer)).count()
    }

    pub(crate) fn is_underway(&self, peer: NodeId) -> bool {
        self.in_flight.contains_key(&peer)
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
        let queued = self.trusted.len() + self.hearsay.len();
        assert!(queued <= self.peers.len(), "a dial of nobody is queued");
    }

    fn schedule(&mut self, peer: NodeId, at: Mono) {
        self.unschedule(peer);
        let dial = self.peers.entry(peer).or_default();
        let (lane, failed) = (dial.standing.lane(), dial.failed);
        let trusted = dial.standing.is_trusted();
        let place = Place { lane, failed };
        dial.due = Some(Due { at, trusted, place });
        self.queue(trusted).insert(place, at, peer);
    }

    fn unschedule(&mut self, peer: NodeId) {
        if let Some(due) = self.peers.get_mut(&peer).and_then(|dial| dial.due.take()) {
            self.queue(due.trusted).remove(due.place, due.at, peer);
        }
    }
}

fn was_lost(dial: &Dial, now: Mono) -> bool {
    dial.lost.is_some_and(|lost| now < lost + BACKOFF_MAX)
}

impl Roster {
    /// Dials whoever is due, as far as there is room.
    pub(crate) fn dial(&mut self, now: Now, out: &mut Outbox) {
        for peer in self.dials.overdue(now.mono) {
            kernel::sometimes!(true, "roster: a dial is not answered");
            self.dials
                .ended(peer, false, now.mono, &mut self.ctx.entropy);
        }
        self.gauge();
        // Where not all can be dialled, chance says who is.
        let bounded = !self.is_whole();
        loop {
            let draw = bounded.then(|| self.ctx.entropy.number());
            let Some(peer) = self.dials.take(now.mono, draw) else {
                break;
            };
            self.dial_one(peer, out);
            self.gauge();
        }
        self.look_around(now, out);
        self.seek_holder(now, out);
    }

    /// Dials one that was taken from the queue, unless that is pointless.
    pub(crate) fn dial_one(&mut self, peer: NodeId, out: &mut Outbox) -> bool {
        let addrs = self.table.addrs_of(peer);
        let useless = addrs.is_empty() || self.sessions.is_live(peer);
        if useless || peer == self.seed.me || !self.table.knows(peer) {
            kernel::sometimes!(true, "roster: a dial has become pointless");
            self.dials.connected(peer);
            return false;
        }
        let network = self.seed.network;
        out.tell(Letter::Transport(Command::Dial {
            network,
            peer,
            addrs,
        }));
        true
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
        kernel::sometimes!(true, "roster: a dial fails");
        if self.table.knows(peer) && !self.sessions.is_live(peer) {
            self.dials
                .ended(peer, false, now.mono, &mut self.ctx.entropy);
        } else {
            self.dials.connected(peer);
        }
        self.on_nobody_there(now, peer);
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
        kernel::sometimes!(denied, "roster: a peer is not dialled any more");
        self.dials.place(peer, self.table.standing(peer));
        let (now, entropy) = (now.mono, &mut self.ctx.entropy);
        match why {
            Ended::DeniedByPeer(Deny::Enough) | Ended::DeniedHere(Deny::Enough) => {
                self.dials.rest(peer, now, entropy);
            }
            _ if denied => self.dials.stop(peer),
            Ended::DeniedByPeer(_) | Ended::DeniedHere(_) | Ended::LinkLost(_) | Ended::Left => {
                self.dials.ended(peer, lasted, now, entropy);
            }
        }
    }
}

/// Dials at once: a dial costs a socket's attention for seconds.
const DIALS_MAX: usize = 8;
/// Dials at once of peers that are trusted, and of such that were heard of: two are kept for the
/// others, whatever crowd of one kind does not answer.
const KIND_MAX: usize = 6;
/// Of those that were heard of, by one ticket: whoever holds it can mint any number of members, and
/// those of others find a place all the same. A network that one ticket admitted is dialled by four
/// at a time.
const BY_TICKET_MAX: usize = 4;
/// The wait after a first failure.
const BACKOFF_FIRST: Micros = Micros::from_secs(1);
/// The longest wait: a node that comes back is found within half a minute.
const BACKOFF_MAX: Micros = Micros::from_secs(30);
/// The longest wait for one of which no session ever lasted: it may be nowhere at all, and a full
/// share of such costs three dials a second. If it is somewhere it dials this node as well.
const BACKOFF_HEARSAY_MAX: Micros = Micros::from_secs(300);
/// So long a peer is not dialled after one of both had enough neighbours, unless there is nobody
/// else: a mesh of 10,000 asks one node twice a second by that at most, in each minute 100 times.
const REST: Micros = Micros::from_secs(300);
/// The longest such time: whoever has many neighbours today has fewer in an hour.
const REST_MAX: Micros = Micros::from_secs(3_600);
/// Over this time the first dials of peers that were learnt together are spread.
const SPREAD: Micros = Micros::from_millis(250);
/// The least time from one dial to the next that a change of the peer's record brings forward.
const CHANGED_PAUSE: Micros = Micros::from_secs(5);
/// After this a dial will not be answered: the transport's own limit is shorter.
const ANSWER_MAX: Micros = Micros::from_secs(30);
