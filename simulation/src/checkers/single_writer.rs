//! Only the owner of a fact changes it.
//!
//! Two halves. Letters: each kind of letter has one kind of writer, and what it speaks of is the
//! writer's own (a session speaks of its peer, a worker of its device, a request of itself).
//! Records: a register's value at a stamp is what its author wrote, on whatever node it is seen.

use super::{Checker, Findings, Seen, Sight};
use crate::event::NodeIndex;
use kernel::{Effect, TraceEvent};
use messages::observer::{FactKey, Input as Observed};
use messages::ports::store::{Command as Stored, Key};
use messages::ports::{gateway, stream, transport};
use messages::wire::latest::Gossip;
use messages::{
    Address, DeviceId, Kind, Label, Letter, NetworkId, NodeId, Signature, Stamp, gossip_store,
    inference_worker, peer_session, request_proxy, roster, router,
};
use std::collections::{BTreeMap, BTreeSet};

type Register = (
    NetworkId,
    Kind,
    NodeId,
    Label<{ messages::limits::NAME_BYTES_MAX }>,
);

/// See the module.
#[derive(Default)]
pub(super) struct SingleWriter {
    /// What authors wrote: stamps and the signatures under them.
    written: BTreeMap<Register, BTreeMap<Stamp, Signature>>,
    /// Nodes whose disks may have forgotten what they wrote last.
    forgetful: BTreeSet<NodeIndex>,
}

impl Checker for SingleWriter {
    fn name(&self) -> &'static str {
        "single writer"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, found: &mut Findings<'_>) {
        if let Seen::Turn(who, _, TraceEvent::Effects(effects)) = seen {
            for effect in effects {
                self.done(at, *who, effect, found);
            }
        } else if let Seen::Does(who, effect) = seen {
            self.done(at, *who, effect, found);
        } else if matches!(seen, Seen::Spoiled) {
            self.forgetful.insert(at.node);
        }
    }
}

impl SingleWriter {
    fn done(&mut self, at: &Sight, who: Address, effect: &Effect, found: &mut Findings<'_>) {
        let Effect::Tell(letter) = effect else {
            return;
        };
        if !is_written_by(who, letter) {
            let to = letter.to();
            found.say(at.node, format!("{who} told {to} what is not its to say"));
        }
        if let Letter::Session(_, _, peer_session::Input::Introduce(entries)) = letter {
            for entry in entries {
                self.introduced(at, &entry.record, found);
            }
        }
    }

    /// A roster passes a record on: its own, or one that its author has written before.
    fn introduced(
        &mut self,
        at: &Sight,
        signed: &messages::SignedRecord,
        found: &mut Findings<'_>,
    ) {
        let record = &signed.record;
        let Some(author) = found.index(record.author) else {
            return;
        };
        let key = (
            record.network,
            record.kind,
            record.author,
            record.id.clone(),
        );
        let stamps = self.written.entry(key).or_default();
        match stamps.get(&record.stamp) {
            Some(signature) if *signature == signed.signature => {}
            Some(_) => {
                let what = format!("two records of node {author} have one stamp");
                found.say(at.node, what);
            }
            None if author == at.node => {
                let last = stamps.last_key_value().map(|(stamp, _)| *stamp);
                let forgot = self.forgetful.contains(&at.node);
                if last.is_some_and(|last| last > record.stamp) && !forgot {
                    found.say(at.node, "its own record went back to an earlier stamp");
                }
                stamps.insert(record.stamp, signed.signature);
            }
            None => {
                let what = format!("it passes on a record that node {author} did not write");
                found.say(at.node, what);
            }
        }
    }
}

/// Whether a letter of this content is this actor's to write.
fn is_written_by(who: Address, letter: &Letter) -> bool {
    match letter {
        Letter::Roster(network, input) => roster_hears(who, *network, input),
        Letter::GossipStore(network, input) => records_hear(who, *network, input),
        Letter::Session(network, _, input) => session_hears(who, *network, input),
        Letter::Router(input) => router_hears(who, input),
        Letter::Proxy(_, input) => match input {
            request_proxy::Input::Routed { .. } => who == Address::Router,
            request_proxy::Input::Opened { .. }
            | request_proxy::Input::NotOpened { .. }
            | request_proxy::Input::Silent { .. } => matches!(who, Address::Session(..)),
            request_proxy::Input::Reply(_) => {
                matches!(who, Address::Stream(_) | Address::Worker(_))
            }
            request_proxy::Input::StreamEnded { .. } => matches!(who, Address::Stream(_)),
            request_proxy::Input::ClientGone | request_proxy::Input::Client(_) => {
                who == Address::Gateway
            }
        },
        Letter::Worker(device, input) => worker_hears(who, *device, input),
        Letter::Observer(input) => observer_hears(who, input),
        Letter::Transport(command) => transport_hears(who, command),
        Letter::Stream(_, command) => stream_hears(who, command),
        Letter::Engine(device, _) => who == Address::Worker(*device),
        Letter::Gateway(command) => gateway_hears(who, command),
        Letter::Store(Stored::Load(asker)) => who == asker.address(),
        Letter::Store(Stored::Commit { asker, writes, .. }) => {
            let own = |key: &Key| key.network == asker.network() && asker.owns(key.table);
            who == asker.address() && writes.iter().all(|(key, _)| own(key))
        }
        Letter::Control(_) => matches!(
            who,
            Address::Roster(_) | Address::GossipStore(_) | Address::Observer
        ),
    }
}

fn worker_hears(who: Address, device: DeviceId, input: &inference_worker::Input) -> bool {
    match input {
        inference_worker::Input::Job { sink, .. } => match sink {
            inference_worker::Sink::Stream(_) => matches!(who, Address::Session(..)),
            inference_worker::Sink::Proxy(request) => who == Address::Proxy(*request),
        },
        inference_worker::Input::Sink { sink, .. }
        | inference_worker::Input::Cancel { sink, .. } => who == sink.address(),
        inference_worker::Input::Attach(network) => who == Address::Roster(*network),
        inference_worker::Input::Engine(_) => who == Address::Engine(device),
        inference_worker::Input::Drain => false,
    }
}

fn transport_hears(who: Address, command: &transport::Command) -> bool {
    match command {
        transport::Command::Attach(network)
        | transport::Command::Detach(network)
        | transport::Command::Dial { network, .. } => who == Address::Roster(*network),
        transport::Command::Send { network, .. } | transport::Command::Open { network, .. } => {
            matches!(who, Address::Session(of, _) if of == *network)
        }
        transport::Command::Close { network, .. } => {
            who == Address::Roster(*network)
                || matches!(who, Address::Session(of, _) if of == *network)
        }
    }
}

const fn stream_hears(who: Address, command: &stream::Command) -> bool {
    match command {
        stream::Command::Serve(_) | stream::Command::Refuse(_) => {
            matches!(who, Address::Session(..))
        }
        stream::Command::Reply(_) => matches!(who, Address::Worker(_)),
        // A session takes back the stream of a request that is gone.
        stream::Command::Cancel => matches!(who, Address::Proxy(_) | Address::Session(..)),
        stream::Command::Read(_) => matches!(who, Address::Proxy(_)),
    }
}

fn gateway_hears(who: Address, command: &gateway::Command) -> bool {
    match command {
        gateway::Command::Started { request, .. }
        | gateway::Command::Delta { request, .. }
        | gateway::Command::Finished { request, .. }
        | gateway::Command::Failed { request, .. } => who == Address::Proxy(*request),
        gateway::Command::Models(_) => who == Address::Router,
        gateway::Command::Snapshot { .. } => who == Address::Observer,
        gateway::Command::Answer { .. } => matches!(who, Address::GossipStore(_)),
    }
}

fn roster_hears(who: Address, network: NetworkId, input: &roster::Input) -> bool {
    match input {
        roster::Input::Loaded(_) | roster::Input::Committed(_) | roster::Input::CommitFailed(_) => {
            who == Address::Store
        }
        roster::Input::Bound(_) | roster::Input::DialFailed { .. } => who == Address::Transport,
        // A session that has ended hands back a link that came too late for it.
        roster::Input::LinkUp { peer, .. } => {
            who == Address::Transport || who == Address::Session(network, *peer)
        }
        roster::Input::Judge { peer, .. }
        | roster::Input::Active { peer }
        | roster::Input::Ended { peer, .. }
        | roster::Input::InUse { peer }
        | roster::Input::Introduced { from: peer, .. }
        | roster::Input::Revoked { from: peer, .. } => who == Address::Session(network, *peer),
        roster::Input::Models { device, .. } | roster::Input::Load { device, .. } => {
            who == Address::Worker(*device)
        }
        roster::Input::Vouch { .. } | roster::Input::Who { .. } => {
            who == Address::GossipStore(network)
        }
        roster::Input::Admin { .. } => who == Address::Control,
        roster::Input::Wanted { .. } => who == Address::Router,
        roster::Input::Leave => false,
    }
}

fn records_hear(who: Address, network: NetworkId, input: &gossip_store::Input) -> bool {
    match input {
        gossip_store::Input::Loaded(_)
        | gossip_store::Input::Committed(_)
        | gossip_store::Input::CommitFailed(_) => who == Address::Store,
        gossip_store::Input::Members(_)
        | gossip_store::Input::Member(_)
        | gossip_store::Input::Stranger(_)
        | gossip_store::Input::Vouched(_)
        | gossip_store::Input::NotVouched { .. }
        | gossip_store::Input::Revoked(_) => who == Address::Roster(network),
        gossip_store::Input::Active(peer)
        | gossip_store::Input::Gone(peer)
        | gossip_store::Input::Heard(peer, _) => who == Address::Session(network, *peer),
        gossip_store::Input::Admin { .. } => matches!(who, Address::Gateway | Address::Control),
        // Nobody of the node yet: tests and scenarios do.
        gossip_store::Input::Publish(_) => false,
    }
}

fn session_hears(who: Address, network: NetworkId, input: &peer_session::Input) -> bool {
    match input {
        peer_session::Input::LinkDown { .. }
        | peer_session::Input::Frame { .. }
        | peer_session::Input::BadFrame { .. }
        | peer_session::Input::Path { .. }
        | peer_session::Input::Inbound { .. }
        | peer_session::Input::Opened { .. }
        | peer_session::Input::OpenFailed { .. } => who == Address::Transport,
        peer_session::Input::Link { .. }
        | peer_session::Input::Verdict(_)
        | peer_session::Input::Introduce(_)
        | peer_session::Input::Revoke(_)
        | peer_session::Input::Load(_)
        | peer_session::Input::Serves(_)
        | peer_session::Input::Cut(_)
        | peer_session::Input::Release => who == Address::Roster(network),
        // Of members the roster proves why they belong.
        peer_session::Input::Gossip(said) if matches!(**said, Gossip::Credentials(_)) => {
            who == Address::GossipStore(network) || who == Address::Roster(network)
        }
        peer_session::Input::Gossip(_) => who == Address::GossipStore(network),
        peer_session::Input::Open { request, .. } => who == Address::Proxy(*request),
        peer_session::Input::Leave => false,
    }
}

fn router_hears(who: Address, input: &router::Input) -> bool {
    match input {
        router::Input::Peer(state) => who == Address::Session(state.network, state.peer),
        router::Input::PeerGone { network, peer } => who == Address::Session(*network, *peer),
        router::Input::Local { device, .. } => who == Address::Worker(*device),
        router::Input::Route(query) => who == Address::Proxy(query.request),
        router::Input::Outcome { .. } => matches!(who, Address::Proxy(_)),
    }
}

fn observer_hears(who: Address, input: &Observed) -> bool {
    match input {
        Observed::Fact(key, _) | Observed::Forget(key) => {
            who == match key {
                FactKey::Network(network) => Address::Roster(*network),
                FactKey::Peer(network, peer) => Address::Session(*network, *peer),
                FactKey::Device(device) => Address::Worker(*device),
                FactKey::Models => Address::Router,
            }
        }
        // The switchboard alone, which is nobody's source.
        Observed::Supervised { .. } => false,
        Observed::Query { .. } => matches!(who, Address::Gateway | Address::Control),
    }
}
