//! What the neighbours were told of this device, and what they are to be told next.

use crate::engine::Models;
use kernel::Outbox;
use messages::observer::{DeviceFact, Fact, FactKey, Input as Observed};
use messages::wire::latest::Load;
use messages::{DeviceId, Letter, Micros, Mono, NetworkId, NodeId, roster, router};
use std::collections::BTreeSet;

/// Load is told to peers and people at most this often: a record of each job's start and end would
/// be traffic without use.
const LOAD_EVERY: Micros = Micros::from_millis(250);
/// Networks that one node is in. A person is in a handful.
const NETWORKS_MAX: usize = 64;

/// What was told, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Report {
    networks: BTreeSet<NetworkId>,
    /// The router's knowledge.
    routed: Option<Load>,
    /// The knowledge of rosters and the observer: load, and jobs finished.
    told: Option<(Load, u64)>,
    /// When they were told.
    told_at: Mono,
    /// Whether models or readiness changed since.
    urgent: bool,
}

impl Report {
    /// Models or readiness changed: nothing of it waits.
    pub(crate) const fn urgent(&mut self) {
        self.urgent = true;
    }

    /// The router forgot everything.
    pub(crate) const fn router_lost(&mut self) {
        self.routed = None;
    }

    /// The observer forgot everything.
    pub(crate) const fn observer_lost(&mut self) {
        self.told = None;
    }

    /// Another network is told from now on. Whether there was room for it.
    pub(crate) fn attach(&mut self, network: NetworkId) -> bool {
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains(&network) {
            kernel::sometimes!(true, "worker: too many networks attach");
            return false;
        }
        self.networks.insert(network);
        true
    }

    /// A network is gone.
    pub(crate) fn detach(&mut self, network: NetworkId) {
        self.networks.remove(&network);
    }

    pub(crate) fn invariants(&self) {
        assert!(self.networks.len() <= NETWORKS_MAX, "too many networks");
    }

    /// Whether that network is told.
    pub(crate) fn has(&self, network: NetworkId) -> bool {
        self.networks.contains(&network)
    }

    /// When load that changed is told.
    pub(crate) fn due(&self, load: Load, finished: u64) -> Option<Mono> {
        (self.told != Some((load, finished))).then(|| self.told_at + LOAD_EVERY)
    }

    /// Tells whoever does not know. `fact` is asked for only where it is told.
    pub(crate) fn tell(
        &mut self,
        now: Mono,
        (me, device): (NodeId, DeviceId),
        (load, finished): (Load, u64),
        fact: impl Fn() -> DeviceFact,
        out: &mut Outbox,
    ) {
        let urgent = std::mem::take(&mut self.urgent);
        if urgent || self.routed != Some(load) {
            self.routed = Some(load);
            let local = router::Input::Local {
                me,
                device,
                models: fact().models,
                load,
            };
            out.tell(Letter::Router(local));
        }
        let known = self.told == Some((load, finished));
        let wait = self.told.is_some() && now < self.told_at + LOAD_EVERY;
        if !urgent && (known || wait) {
            return;
        }
        let fact = fact();
        for network in &self.networks {
            if urgent {
                tell_models(*network, device, fact.models.clone(), out);
            }
            tell_load(*network, device, load, out);
        }
        self.told = Some((load, finished));
        self.told_at = now;
        let fact = Box::new(Fact::Device(fact));
        out.tell(Letter::Observer(Observed::Fact(
            FactKey::Device(device),
            fact,
        )));
    }
}

/// Tells one roster what the device serves.
pub(crate) fn tell_models(network: NetworkId, device: DeviceId, models: Models, out: &mut Outbox) {
    out.tell(Letter::Roster(
        network,
        roster::Input::Models { device, models },
    ));
}

/// Tells one roster how busy the device is.
pub(crate) fn tell_load(network: NetworkId, device: DeviceId, load: Load, out: &mut Outbox) {
    out.tell(Letter::Roster(
        network,
        roster::Input::Load { device, load },
    ));
}
