//! What this node says of itself: one record, signed anew only when what it says has changed.

use crate::Roster;
use crate::durable::What;
use bytes::Bytes;
use kernel::{Deadline, Outbox};
use messages::limits::{ADDRS_MAX, MODELS_MAX};
use messages::peer_session;
use messages::roster::Seed;
use messages::wire::latest::{Introduction, Load};
use messages::{
    Capabilities, DeviceId, Kind, Label, List, Micros, ModelAdvert, ModelId, Mono, Now, Record,
    RecordClass, SignedRecord, Stamp,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What this node says of itself, and what it last signed.
#[derive(Debug)]
pub(crate) struct Advert {
    /// Nothing for a device that has not spoken in this life.
    devices: BTreeMap<DeviceId, Option<List<ModelAdvert, MODELS_MAX>>>,
    loads: BTreeMap<DeviceId, Load>,
    addrs: Option<List<SocketAddr, ADDRS_MAX>>,
    /// The highest stamp that may be durable.
    stamp: Stamp,
    signed: Option<SignedRecord>,
    /// Whether `signed` says what holds in this life: only then is it shown.
    confirmed: bool,
    publish_at: Option<Mono>,
    /// Until then a device that is silent is waited for.
    patience: Mono,
}

impl Advert {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            devices: seed.devices.iter().map(|device| (*device, None)).collect(),
            loads: BTreeMap::new(),
            addrs: None,
            stamp: Stamp(0),
            signed: None,
            confirmed: false,
            publish_at: None,
            patience: Mono::default(),
        }
    }

    pub(crate) fn devices(&self) -> Vec<DeviceId> {
        self.devices.keys().copied().collect()
    }

    /// Where this node listens.
    pub(crate) fn addrs(&self) -> &List<SocketAddr, ADDRS_MAX> {
        const NONE: &List<SocketAddr, ADDRS_MAX> = &List::new();
        self.addrs.as_ref().unwrap_or(NONE)
    }

    /// What each device serves.
    pub(crate) fn serves(&self) -> Vec<(ModelId, DeviceId)> {
        let devices = self
            .devices
            .iter()
            .filter_map(|(device, models)| Some((device, models.as_ref()?)));
        devices
            .flat_map(|(device, models)| models.iter().map(|model| (model.model, *device)))
            .collect()
    }

    /// How busy the devices are together.
    pub(crate) fn load(&self) -> Load {
        self.loads.values().fold(Load::default(), |sum, load| Load {
            active: sum.active.saturating_add(load.active),
            queued: sum.queued.saturating_add(load.queued),
            slots: sum.slots.saturating_add(load.slots),
            queue_max: sum.queue_max.saturating_add(load.queue_max),
        })
    }

    pub(crate) fn restored(&mut self, record: Option<SignedRecord>) {
        if let Some(record) = record {
            self.raise_stamp(record.record.stamp);
            self.signed.get_or_insert(record);
        }
    }

    pub(crate) fn raise_stamp(&mut self, stamp: Stamp) {
        self.stamp = self.stamp.max(stamp);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.publish_at.map(|at| Deadline { at, why: "publish" })
    }

    /// This node's record, where it says what holds.
    pub(crate) fn shown(&self) -> Option<&SignedRecord> {
        self.signed.as_ref().filter(|_| self.confirmed)
    }

    /// Plans the next record: changes that come together are one.
    fn touch(&mut self, now: Mono) {
        let complete = self.addrs.is_some() && self.devices.values().all(Option::is_some);
        kernel::sometimes!(!complete, "roster: an advert waits for its devices");
        let at = match complete {
            true => now + PUBLISH_PAUSE,
            false => (now + PUBLISH_PAUSE).max(self.patience),
        };
        self.publish_at = Some(self.publish_at.map_or(at, |planned| planned.min(at)));
    }

    fn said(&self, app_version: &str) -> Capabilities {
        let mut llms: Vec<ModelAdvert> = Vec::new();
        for model in self
            .devices
            .values()
            .flatten()
            .flat_map(|models| models.iter())
        {
            if llms.iter().all(|known| known.model != model.model) {
                llms.push(model.clone());
            }
        }
        let text = || List::truncated([Label::truncated("text")]);
        Capabilities {
            llms: List::truncated(llms),
            inputs: text(),
            outputs: text(),
            app_version: Label::truncated(app_version),
            addrs: self.addrs().clone(),
            ..Capabilities::default()
        }
    }

    /// The record's value. Models that have no room in a record are left out, the last first: the
    /// node serves them, but nobody hears of it.
    fn value(&self, app_version: &str) -> Bytes {
        let mut said = self.said(app_version);
        loop {
            if let Ok(value) = said.encode() {
                return value;
            }
            let mut llms = said.llms.into_vec();
            kernel::sometimes!(true, "roster: an advert is too large");
            if llms.pop().is_none() {
                said.addrs = List::new();
            }
            said.llms = List::truncated(llms);
        }
    }
}

impl Roster {
    /// The record may be signed from here on.
    pub(crate) fn begin_advert(&mut self, now: Now) {
        self.advert.patience = now.mono + PATIENCE;
        self.advert.touch(now.mono);
    }

    pub(crate) fn on_bound(&mut self, now: Now, addrs: List<SocketAddr, ADDRS_MAX>) {
        if self.advert.addrs.replace(addrs.clone()) != Some(addrs) && !self.is_loading() {
            self.advert.touch(now.mono);
        }
    }

    /// A worker says what its device serves; nothing where it is gone.
    pub(crate) fn on_models(
        &mut self,
        now: Now,
        device: DeviceId,
        models: List<ModelAdvert, MODELS_MAX>,
        out: &mut Outbox,
    ) {
        let Some(known) = self.advert.devices.get_mut(&device) else {
            return;
        };
        if known.replace(models.clone()) == Some(models) {
            return;
        }
        let serves = self.advert.serves();
        for peer in self.sessions.live_peers() {
            self.to_session(peer, peer_session::Input::Serves(serves.clone()), out);
        }
        if !self.is_loading() {
            self.advert.touch(now.mono);
        }
    }

    pub(crate) fn on_load(&mut self, device: DeviceId, load: Load, out: &mut Outbox) {
        let known = self.advert.devices.contains_key(&device);
        if !known || self.advert.loads.insert(device, load) == Some(load) {
            return;
        }
        let load = self.advert.load();
        for peer in self.sessions.live_peers() {
            self.to_session(peer, peer_session::Input::Load(load), out);
        }
    }

    /// Signs what this node says, if it says something else than before.
    pub(crate) fn publish(&mut self, now: Now, out: &mut Outbox) {
        self.advert.publish_at = None;
        if self
            .durable
            .waits_for(|what| matches!(what, What::Advert(_)))
        {
            // One record at a time; its write's end looks again.
            return;
        }
        let value = self.advert.value(&self.seed.app_version);
        let signed = self.advert.signed.as_ref();
        if signed.is_some_and(|signed| signed.record.value.as_ref() == Some(&value)) {
            if !std::mem::replace(&mut self.advert.confirmed, true) {
                self.show_own_record(out);
            }
            return;
        }
        let stamp = Stamp(now.wall.0.max(self.advert.stamp.0.saturating_add(1)));
        self.advert.raise_stamp(stamp);
        let record = Record {
            network: self.seed.network,
            class: RecordClass::Public,
            kind: Kind::CAPABILITIES,
            author: self.seed.me,
            id: Label::default(),
            stamp,
            value: Some(value),
        };
        let signature = self.ctx.signer.sign(&record.signing_bytes());
        let record = SignedRecord { record, signature };
        let writes = self.advert_writes(&record);
        self.commit(What::Advert(record), writes, out);
    }

    /// This node's record is durable, and may be shown.
    pub(crate) fn on_own_record(&mut self, now: Now, record: SignedRecord, out: &mut Outbox) {
        let value = self.advert.value(&self.seed.app_version);
        let stale = record.record.value.as_ref() != Some(&value);
        self.advert.signed = Some(record);
        self.advert.confirmed = true;
        self.show_own_record(out);
        if stale {
            self.advert.touch(now.mono);
        }
    }

    fn show_own_record(&self, out: &mut Outbox) {
        if let Some(own) = self.own_introduction() {
            self.pass_on(&[own], self.seed.me, out);
        }
    }

    /// This node as it introduces itself.
    pub(crate) fn own_introduction(&self) -> Option<Introduction> {
        let record = self.advert.shown()?.clone();
        Some(Introduction {
            record,
            credential: self.seed.credential.clone(),
        })
    }
}

/// Changes within this time are one record.
const PUBLISH_PAUSE: Micros = Micros::from_millis(250);
/// So long a first record waits for devices and addresses that have not spoken yet.
const PATIENCE: Micros = Micros::from_secs(2);
