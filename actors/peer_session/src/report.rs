//! What the router and the snapshot are told of the peer: on change, and not too often.

use crate::PeerSession;
use crate::handshake::Phase;
use kernel::{Deadline, Outbox};
use messages::limits::{MODELS_MAX, NAME_BYTES_MAX};
use messages::observer::{self, Fact, FactKey, PeerFact};
use messages::ports::transport::PathInfo;
use messages::router::{self, PeerState};
use messages::wire::latest::{Introduction, Load};
use messages::{
    Accepting, Capabilities, Kind, Label, Letter, List, Micros, ModelAdvert, Mono, Now,
};

/// What the peer says of itself.
#[derive(Debug, Default)]
pub(crate) struct Advertised {
    models: List<ModelAdvert, MODELS_MAX>,
    /// Counts changes of `models`, so that no list is compared in every turn.
    edition: u64,
    pub(crate) load: Load,
    /// Its own record, for a roster that lost it.
    pub(crate) own: Option<Introduction>,
}

/// What was told last, and when.
#[derive(Debug, Default)]
pub(crate) struct Report {
    router: Told<PeerKey>,
    fact: Told<FactMark>,
    shown: Shown,
}

/// The models that the router was told of: people see no other, as no request would find them.
#[derive(Debug, Default)]
struct Shown {
    edition: u64,
    names: List<Label<NAME_BYTES_MAX>, MODELS_MAX>,
}

#[derive(Debug)]
struct Told<K> {
    what: Option<K>,
    at: Mono,
    due: Option<Mono>,
    /// Nothing before this: there was no room.
    hold: Option<Mono>,
}

impl<K> Default for Told<K> {
    fn default() -> Self {
        Self {
            what: None,
            at: Mono::default(),
            due: None,
            hold: None,
        }
    }
}

impl<K: Copy + PartialEq> Told<K> {
    /// Whether `key` is to be told at once; otherwise it is remembered as due, if it is news.
    fn say(&mut self, now: Mono, key: K, urgent: bool, pause: Micros) -> bool {
        let next = self.at + pause;
        self.due = self.hold.filter(|hold| now < *hold);
        if self.what == Some(key) || self.due.is_some() {
            return false;
        }
        self.hold = None;
        if urgent || self.what.is_none() || now >= next {
            self.what = Some(key);
            self.at = now;
            return true;
        }
        self.due = Some(next);
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PeerKey {
    fresh: bool,
    quiet: bool,
    edition: u64,
    load: Load,
    in_flight: usize,
    rtt: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FactMark {
    phase: Phase,
    fresh: bool,
    edition: u64,
    path: PathInfo,
    streams: usize,
    dropped: u64,
}

impl Report {
    /// The router lost what it was told.
    pub(crate) const fn router_lost(&mut self) {
        self.router.what = None;
    }

    /// The router had no room for what it was told.
    pub(crate) const fn router_again(&mut self, at: Mono) {
        self.router.what = None;
        self.router.hold = Some(at);
    }

    /// The snapshot lost what it was told.
    pub(crate) const fn fact_lost(&mut self) {
        self.fact.what = None;
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let due = |at: Option<Mono>, why| at.map(|at| Deadline { at, why });
        Deadline::earliest(
            due(self.router.due, "tell the router"),
            due(self.fact.due, "tell the snapshot"),
        )
    }
}

impl PeerSession {
    /// The peer's own record, from its own hand: no signature could say more than its session.
    pub(crate) fn on_own_record(&mut self, own: &Introduction) {
        let record = &own.record.record;
        if record.network != self.seed.network || record.kind != Kind::CAPABILITIES {
            return;
        }
        let read = record.value.as_deref().map(Capabilities::decode);
        let models = match read {
            Some(Ok(said)) if said.accepting != Accepting::Busy => said.llms,
            Some(Ok(_)) | None => List::new(),
            Some(Err(_)) => return,
        };
        self.peer.own = Some(own.clone());
        if models != self.peer.models {
            self.peer.models = models;
            self.peer.edition += 1;
        }
    }

    /// Tells the router and the snapshot what changed.
    pub(crate) fn report(&mut self, now: Now, out: &mut Outbox) {
        self.report_router(now, out);
        self.report_fact(now, out);
    }

    fn report_router(&mut self, now: Now, out: &mut Outbox) {
        let key = PeerKey {
            fresh: self.active && self.live.is_fresh() && !self.leave.is_leaving(),
            quiet: self.live.is_quiet(),
            edition: self.peer.edition,
            load: self.peer.load,
            in_flight: self.streams.ours(),
            rtt: self.links.primary.path.rtt,
        };
        let told = &mut self.report.router;
        // A router that knows nothing of the peer is told nothing before the peer is active.
        if told.what.is_none() && !self.active {
            told.due = None;
            return;
        }
        let urgent = told
            .what
            .is_some_and(|last| (last.fresh, last.quiet) != (key.fresh, key.quiet));
        if told.say(now.mono, key, urgent, REPORT_PAUSE) {
            let state = PeerState {
                network: self.seed.network,
                peer: self.seed.peer,
                fresh: key.fresh,
                quiet: key.quiet,
                models: self.peer.models.clone(),
                load: key.load,
                in_flight: u32::try_from(key.in_flight).unwrap_or(u32::MAX),
                rtt: key.rtt,
            };
            self.report.shown = Shown {
                edition: key.edition,
                names: List::truncated(state.models.iter().map(|model| model.name.clone())),
            };
            out.tell(Letter::Router(router::Input::Peer(Box::new(state))));
        }
    }

    fn report_fact(&mut self, now: Now, out: &mut Outbox) {
        let key = FactMark {
            phase: self.phase(),
            fresh: self.active && self.live.is_fresh(),
            edition: self.report.shown.edition,
            path: self.links.primary.path,
            streams: self.streams.count(),
            dropped: self.dropped,
        };
        let told = &mut self.report.fact;
        let urgent = told.what.is_some_and(|last| {
            (last.phase, last.fresh, last.edition) != (key.phase, key.fresh, key.edition)
        });
        if told.say(now.mono, key, urgent, FACT_PAUSE) {
            let fact = PeerFact {
                phase: Label::truncated(key.phase.name()),
                fresh: key.fresh,
                path: key.path,
                models: self.report.shown.names.clone(),
                streams: u32::try_from(key.streams).unwrap_or(u32::MAX),
                dropped: key.dropped,
            };
            let fact = Box::new(Fact::Peer(fact));
            out.tell(Letter::Observer(observer::Input::Fact(
                self.fact_key(),
                fact,
            )));
        }
    }

    pub(crate) const fn fact_key(&self) -> FactKey {
        FactKey::Peer(self.seed.network, self.seed.peer)
    }
}

/// Between two reports to the router: its choices are made on a scale of tenths of seconds.
const REPORT_PAUSE: Micros = Micros::from_millis(100);
/// Between two facts that differ in figures only: for human eyes.
const FACT_PAUSE: Micros = Micros::from_secs(1);
