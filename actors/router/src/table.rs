//! What sessions and workers said of the holders.

use crate::HOLDERS_MAX;
use kernel::Outbox;
use messages::limits::MODELS_MAX;
use messages::router::{PeerState, Via};
use messages::wire::latest::Load;
use messages::{Address, DeviceId, List, Micros, ModelAdvert, Mono, NodeId};
use std::collections::BTreeMap;

/// All holders, by the way to them.
#[derive(Debug)]
pub(crate) struct Table {
    holders: BTreeMap<Via, Holder>,
}

/// One peer or device.
#[derive(Debug)]
pub(crate) struct Holder {
    /// Whether it may be chosen at all.
    pub(crate) fresh: bool,
    /// What it serves.
    pub(crate) models: List<ModelAdvert, MODELS_MAX>,
    /// How busy it said it was.
    load: Load,
    /// Jobs of ours that its session counts.
    in_flight: u32,
    /// Round-trip time; zero on this node.
    pub(crate) rtt: Micros,
    /// Requests sent there since it last spoke of its load: a burst is not all sent to one holder.
    chosen: u32,
    /// When the last of them was.
    chosen_at: Mono,
    /// When a request last failed there.
    failed_at: Option<Mono>,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            holders: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Via, &Holder)> {
        self.holders.iter().map(|(via, holder)| (*via, holder))
    }

    /// A session's word. True where somebody might be chosen, or listed, who was not before.
    pub(crate) fn set_peer(&mut self, state: PeerState, out: &mut Outbox) -> bool {
        let via = Via::Peer(state.network, state.peer);
        self.set(via, out, |holder| {
            holder.fresh = state.fresh;
            holder.models = state.models;
            holder.load = state.load;
            holder.in_flight = state.in_flight;
            holder.rtt = state.rtt;
        })
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
        self.set(Via::Local(me, device), out, |holder| {
            holder.fresh = true;
            holder.models = models;
            holder.load = load;
        })
    }

    fn set(&mut self, via: Via, out: &mut Outbox, change: impl FnOnce(&mut Holder)) -> bool {
        if !self.holders.contains_key(&via) {
            if self.holders.len() >= HOLDERS_MAX && !self.make_room(out) {
                return false;
            }
            // A speaker that dies without a word takes its holder out of the table.
            out.watch(speaker(via));
        }
        let holder = self.holders.entry(via).or_insert(Holder::UNKNOWN);
        let before = (
            holder.is_listed(),
            holder.models.clone(),
            holder.is_full(Mono(0)),
        );
        change(holder);
        holder.chosen = 0;
        before
            != (
                holder.is_listed(),
                holder.models.clone(),
                holder.is_full(Mono(0)),
            )
    }

    /// Drops a holder that could not be chosen anyway.
    fn make_room(&mut self, out: &mut Outbox) -> bool {
        let silent = self.holders.iter().find(|(_, holder)| !holder.is_listed());
        let Some(via) = silent.map(|(via, _)| *via) else {
            return false;
        };
        self.holders.remove(&via);
        out.unwatch(speaker(via));
        true
    }

    /// Forgets the holders that this actor spoke for. True where there was one.
    pub(crate) fn remove_speaker(&mut self, who: Address) -> bool {
        if let Address::Session(network, peer) = who {
            return self.holders.remove(&Via::Peer(network, peer)).is_some();
        }
        let before = self.holders.len();
        if let Address::Worker(_) = who {
            self.holders.retain(|via, _| speaker(*via) != who);
        }
        self.holders.len() != before
    }

    /// A request goes there.
    pub(crate) fn remember_choice(&mut self, via: Via, now: Mono) {
        if let Some(holder) = self.holders.get_mut(&via) {
            holder.chosen = holder.chosen_lately(now).saturating_add(1);
            holder.chosen_at = now;
        }
    }

    /// A request is no longer there.
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

    /// The models that a client may name: each name once, this node's own first, then in the
    /// order of the ids that serve it.
    pub(crate) fn models(&self) -> List<ModelAdvert, MODELS_MAX> {
        let mut by_name = BTreeMap::new();
        for holder in self.holders.values().filter(|holder| holder.is_listed()) {
            for advert in &holder.models {
                by_name.entry(&*advert.name).or_insert(advert);
            }
        }
        List::truncated(by_name.into_values().cloned())
    }
}

impl Holder {
    const UNKNOWN: Self = Self {
        fresh: false,
        models: List::new(),
        load: Load {
            active: 0,
            queued: 0,
            slots: 0,
            queue_max: 0,
        },
        in_flight: 0,
        rtt: Micros::ZERO,
        chosen: 0,
        chosen_at: Mono(0),
        failed_at: None,
    };

    fn is_listed(&self) -> bool {
        self.fresh && !self.models.is_empty()
    }

    /// Jobs that are there or on their way. What it said includes jobs of ours that it knows, so
    /// the larger of both counts is taken, not their sum.
    pub(crate) fn jobs(&self, now: Mono) -> u64 {
        let said = u64::from(self.load.active) + u64::from(self.load.queued);
        said.max(u64::from(self.in_flight)) + u64::from(self.chosen_lately(now))
    }

    /// Jobs that may decode at once. A holder that has not spoken of its load has one slot: what
    /// is advertised is a hint, and the worker itself answers Busy.
    pub(crate) fn slots(&self) -> u64 {
        u64::from(self.load.slots).max(1)
    }

    /// Whether another job would be turned away.
    pub(crate) fn is_full(&self, now: Mono) -> bool {
        let spoke = self.load.slots > 0 || self.load.queue_max > 0;
        spoke && self.jobs(now) >= self.slots() + u64::from(self.load.queue_max)
    }

    /// Whether a request failed there lately.
    pub(crate) fn failed_lately(&self, now: Mono) -> bool {
        self.failed_at
            .is_some_and(|at| now.since(at) < FAILURE_MEMORY)
    }

    fn chosen_lately(&self, now: Mono) -> u32 {
        if now.since(self.chosen_at) < CHOICE_MEMORY {
            self.chosen
        } else {
            0
        }
    }
}

/// Who speaks for a holder.
const fn speaker(via: Via) -> Address {
    match via {
        Via::Local(_, device) => Address::Worker(device),
        Via::Peer(network, peer) => Address::Session(network, peer),
    }
}

/// How long a failure counts against a holder: a restarted engine has served others by then.
const FAILURE_MEMORY: Micros = Micros::from_secs(10);
/// How long a choice counts without a word of the holder's load: sessions speak each 100 ms.
const CHOICE_MEMORY: Micros = Micros::from_millis(500);
