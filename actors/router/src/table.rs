//! What sessions and workers said of the holders.

use crate::HOLDERS_MAX;
use crate::lately::Lately;
use crate::listing::{Listing, Place};
use kernel::Outbox;
use messages::limits::MODELS_MAX;
use messages::router::{PeerState, Via};
use messages::wire::latest::Load;
use messages::{Address, DeviceId, List, Micros, ModelAdvert, Mono, NetworkId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// All holders, by the way to them.
#[derive(Debug)]
pub(crate) struct Table {
    holders: BTreeMap<Via, Holder>,
    /// What the fresh ones serve.
    listing: Listing,
    /// What those served that left.
    lately: Lately,
}

/// One peer or device.
#[derive(Debug)]
pub(crate) struct Holder {
    word: Word,
    /// Requests sent there since it last spoke of its load: a burst is not all sent to one holder.
    chosen: u32,
    /// When the last of them was.
    chosen_at: Mono,
    /// When a request last failed there.
    failed_at: Option<Mono>,
}

/// What was last said of a holder.
#[derive(Debug)]
struct Word {
    /// Whether it may be chosen at all.
    fresh: bool,
    /// Whether it leaves pings unanswered: nothing is routed there before it is heard.
    quiet: bool,
    /// What it serves; while its engine is away, what it served.
    models: List<ModelAdvert, MODELS_MAX>,
    /// How busy it said it was.
    load: Load,
    /// Jobs of ours that its session counts.
    in_flight: u32,
    /// Round-trip time; zero on this node.
    rtt: Micros,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            holders: BTreeMap::new(),
            listing: Listing::new(),
            lately: Lately::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Via, &Holder)> {
        self.holders.iter().map(|(via, holder)| (*via, holder))
    }

    /// What was served until a moment ago by holders that left.
    pub(crate) fn lately(&self, now: Mono) -> impl Iterator<Item = &ModelAdvert> {
        self.lately.iter(now)
    }

    /// The networks of which a peer has spoken.
    pub(crate) fn networks(&self) -> BTreeSet<NetworkId> {
        let network = |via: &Via| match via {
            Via::Peer(network, _) => Some(*network),
            Via::Local(..) => None,
        };
        self.holders.keys().filter_map(network).collect()
    }

    /// The models that a client may name.
    pub(crate) fn models(&self) -> List<ModelAdvert, MODELS_MAX> {
        self.listing.models()
    }

    /// A session's word. True where somebody might be chosen, or listed, who was not before.
    pub(crate) fn set_peer(&mut self, state: PeerState, out: &mut Outbox) -> bool {
        let via = Via::Peer(state.network, state.peer);
        let word = Word {
            fresh: state.fresh,
            quiet: state.quiet,
            models: state.models,
            load: state.load,
            in_flight: state.in_flight,
            rtt: state.rtt,
        };
        self.set(via, word, out)
    }

    /// A worker's word. True where somebody might be chosen, or listed, who was not before.
    pub(crate) fn set_local(
        &mut self,
        me: NodeId,
        device: DeviceId,
        models: List<ModelAdvert, MODELS_MAX>,
        load: Load,
        out: &mut Outbox,
    ) -> bool {
        let (fresh, quiet) = (true, false);
        let (in_flight, rtt) = (0, Micros::ZERO);
        let word = Word {
            fresh,
            quiet,
            models,
            load,
            in_flight,
            rtt,
        };
        self.set(Via::Local(me, device), word, out)
    }

    fn set(&mut self, via: Via, mut word: Word, out: &mut Outbox) -> bool {
        if !self.holders.contains_key(&via) {
            if self.holders.len() >= HOLDERS_MAX && !self.make_room(out) {
                kernel::sometimes!(true, "router: the table is full");
                return false;
            }
            // A speaker that dies without a word must not leave a ghost.
            out.watch(speaker(via));
        }
        let holder = self.holders.entry(via).or_insert(Holder::UNKNOWN);
        if word.models.is_empty() {
            // Its engine is away. Who asks for what it served may wait a moment for it.
            kernel::sometimes!(true, "router: a holder's engine is away");
            word.models = holder.word.models.clone();
            word.fresh = false;
        }
        let was_full = holder.is_full(Mono(0));
        let old = std::mem::replace(&mut holder.word, word);
        holder.chosen = 0;
        let has_room = was_full && !holder.is_full(Mono(0));
        let is_heard = old.quiet && !holder.word.quiet;
        let changed = (old.fresh, &old.models) != (holder.word.fresh, &holder.word.models);
        if changed {
            self.listing.remove(place(via), old.listed());
            self.listing.add(place(via), holder.word.listed());
        }
        changed || has_room || is_heard
    }

    /// Drops a holder that could not be chosen anyway.
    fn make_room(&mut self, out: &mut Outbox) -> bool {
        let silent = self.holders.iter().find(|(_, holder)| !holder.word.fresh);
        let Some(via) = silent.map(|(via, _)| *via) else {
            return false;
        };
        kernel::sometimes!(true, "router: a silent holder gives way");
        self.holders.remove(&via);
        out.unwatch(speaker(via));
        true
    }

    /// Routes nothing to the holder that this actor speaks for until it speaks again. True where
    /// there is one.
    pub(crate) fn silence_speaker(&mut self, who: Address, out: &mut Outbox) -> bool {
        let Some(via) = self.spoken_for(who) else {
            return false;
        };
        out.watch(who);
        if let Some(holder) = self.holders.get_mut(&via) {
            self.listing.remove(place(via), holder.word.listed());
            holder.word.fresh = false;
        }
        true
    }

    /// Forgets the holder that this actor spoke for. True where there was one.
    pub(crate) fn remove_speaker(&mut self, who: Address, now: Mono) -> bool {
        let via = self.spoken_for(who);
        let removed = via.and_then(|via| self.holders.remove_entry(&via));
        if let Some((via, holder)) = &removed {
            self.listing.remove(place(*via), holder.word.listed());
            self.lately.remember(now, holder.word.listed());
        }
        removed.is_some()
    }

    fn spoken_for(&self, who: Address) -> Option<Via> {
        match who {
            Address::Session(network, peer) => Some(Via::Peer(network, peer)),
            Address::Worker(_) => {
                // This node's devices come before all peers.
                let mut vias = self.holders.keys();
                vias.find(|via| speaker(**via) == who || matches!(via, Via::Peer(..)))
                    .copied()
            }
            Address::Store
            | Address::Transport
            | Address::Stream(_)
            | Address::Engine(_)
            | Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Router
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control
            | Address::Observer => None,
        }
        .filter(|via| speaker(*via) == who && self.holders.contains_key(via))
    }

    /// A request goes there.
    pub(crate) fn remember_choice(&mut self, via: Via, now: Mono) {
        if let Some(holder) = self.holders.get_mut(&via) {
            holder.chosen = holder.chosen_lately(now).saturating_add(1);
            holder.chosen_at = now;
        }
    }

    /// A request has left this holder.
    pub(crate) fn forget_choice(&mut self, via: Via) {
        if let Some(holder) = self.holders.get_mut(&via) {
            holder.chosen = holder.chosen.saturating_sub(1);
        }
    }

    /// A request failed there.
    pub(crate) fn remember_failure(&mut self, via: Via, now: Mono) {
        if let Some(holder) = self.holders.get_mut(&via) {
            holder.failed_at = Some(now);
        }
    }
}

impl Holder {
    const UNKNOWN: Self = Self {
        word: Word {
            fresh: false,
            quiet: false,
            models: List::new(),
            load: NO_LOAD,
            in_flight: 0,
            rtt: Micros::ZERO,
        },
        chosen: 0,
        chosen_at: Mono(0),
        failed_at: None,
    };

    /// Whether it may be chosen at all.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.word.fresh
    }

    /// Whether it leaves pings unanswered.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.word.quiet
    }

    /// What it serves, or served.
    pub(crate) fn models(&self) -> &[ModelAdvert] {
        &self.word.models
    }

    /// Round-trip time.
    pub(crate) const fn rtt(&self) -> Micros {
        self.word.rtt
    }

    /// Jobs that are there or on their way. What it said includes jobs of ours that it knows, so
    /// the larger of both counts is taken, not their sum.
    pub(crate) fn jobs(&self, now: Mono) -> u64 {
        let Word {
            load, in_flight, ..
        } = &self.word;
        let said = u64::from(load.active) + u64::from(load.queued);
        said.max(u64::from(*in_flight)) + u64::from(self.chosen_lately(now))
    }

    /// Jobs that may decode at once. A holder that has not spoken of its load has one slot: what
    /// is advertised is a hint, and the worker itself answers Busy.
    pub(crate) fn slots(&self) -> u64 {
        u64::from(self.word.load.slots).max(1)
    }

    /// Whether another job would be turned away.
    pub(crate) fn is_full(&self, now: Mono) -> bool {
        let load = self.word.load;
        load != NO_LOAD && self.jobs(now) >= self.slots() + u64::from(load.queue_max)
    }

    /// Whether a request failed there lately.
    pub(crate) fn failed_lately(&self, now: Mono) -> bool {
        let ago = self.failed_at.map(|at| now.since(at));
        ago.is_some_and(|ago| ago < FAILURE_MEMORY)
    }

    fn chosen_lately(&self, now: Mono) -> u32 {
        match now.since(self.chosen_at) < CHOICE_MEMORY {
            true => self.chosen,
            false => 0,
        }
    }
}

impl Word {
    /// What a client may name because of it.
    fn listed(&self) -> &[ModelAdvert] {
        if self.fresh { &self.models } else { &[] }
    }
}

/// Who speaks for a holder.
const fn speaker(via: Via) -> Address {
    match via {
        Via::Local(_, device) => Address::Worker(device),
        Via::Peer(network, peer) => Address::Session(network, peer),
    }
}

const fn place(via: Via) -> Place {
    match via {
        Via::Local(..) => Place::Here,
        Via::Peer(..) => Place::Remote,
    }
}

/// The load of a holder that has not spoken of it.
const NO_LOAD: Load = Load {
    active: 0,
    queued: 0,
    slots: 0,
    queue_max: 0,
};
/// How long a failure counts against a holder: a restarted engine has served others by then.
const FAILURE_MEMORY: Micros = Micros::from_secs(10);
/// How long a choice counts without a word of the holder's load: sessions speak each 100 ms.
const CHOICE_MEMORY: Micros = Micros::from_millis(500);
