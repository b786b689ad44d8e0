//! The status of a node as JSON: the body of `GET /api/status` and the output of `status --json`.

use messages::observer::{
    ChildState, DeviceFact, Fact, FactKey, NetworkFact, PeerFact, Snapshot, Unreached,
};
use messages::ports::transport::PathKind;
use messages::{Address, DeviceId, ModelAdvert, NetworkId, NodeId};
use serde_json::{Value, json};

/// A node's status. Keys are only ever added; ids are printed in full, times are in the unit that
/// ends their name, what is unknown is `null`.
///
/// ```text
/// node, boot, version, uptime_ms
/// ready        whether it can serve: what `/readyz` answers
/// why_not      why it cannot, in words
/// networks[]   id, label, owner, members, active, addrs[], refused,
///              unreached[] (node, why): members whose last dial came to nothing
/// peers[]      node, network, phase, fresh, path (direct|relayed|none), addr, rtt_us, models[],
///              streams, dropped
/// devices[]    device, ready, why_not, models[], active, queued, slots, queue_max, finished
/// models[]     id, digest, context
/// actors[]     address, state (running|restarting|failed|gone), starts, why
/// ```
#[must_use]
pub fn status_json(
    me: NodeId,
    boot: u64,
    version: &str,
    why_not: Option<&str>,
    snapshot: &Snapshot,
) -> Value {
    let mut networks = Vec::new();
    let mut peers = Vec::new();
    let mut devices = Vec::new();
    let mut models = Vec::new();
    for fact in &snapshot.facts {
        match fact {
            (FactKey::Network(id), Fact::Network(fact)) => networks.push(network_json(*id, fact)),
            (FactKey::Peer(network, node), Fact::Peer(fact)) => {
                peers.push(peer_json(*network, *node, fact));
            }
            (FactKey::Device(id), Fact::Device(fact)) => devices.push(device_json(*id, fact)),
            (FactKey::Models, Fact::Models(adverts)) => {
                models.extend(adverts.iter().map(model_json));
            }
            // A key with another actor's fact says nothing that can be shown.
            (
                FactKey::Network(_) | FactKey::Peer(..) | FactKey::Device(_) | FactKey::Models,
                Fact::Network(_) | Fact::Peer(_) | Fact::Device(_) | Fact::Models(_),
            ) => {}
        }
    }
    json!({
        "node": me.to_string(),
        "boot": boot,
        "version": version,
        "uptime_ms": snapshot.uptime.0 / 1_000,
        "ready": why_not.is_none(),
        "why_not": why_not,
        "networks": networks,
        "peers": peers,
        "devices": devices,
        "models": models,
        "actors": snapshot.children.iter().map(actor_json).collect::<Vec<_>>(),
    })
}

fn network_json(id: NetworkId, fact: &NetworkFact) -> Value {
    json!({
        "id": id.to_string(),
        "label": &*fact.label,
        "owner": fact.owner.to_string(),
        "members": fact.members,
        "active": fact.active,
        "addrs": fact.addrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "refused": fact.refused.as_deref(),
        "unreached": fact.unreached.iter().map(unreached_json).collect::<Vec<_>>(),
    })
}

fn unreached_json(unreached: &Unreached) -> Value {
    json!({ "node": unreached.peer.to_string(), "why": unreached.why.to_string() })
}

fn peer_json(network: NetworkId, node: NodeId, fact: &PeerFact) -> Value {
    let path = match fact.path.kind {
        PathKind::Direct => "direct",
        PathKind::Relayed => "relayed",
        PathKind::None => "none",
    };
    json!({
        "node": node.to_string(),
        "network": network.to_string(),
        "phase": &*fact.phase,
        "fresh": fact.fresh,
        "path": path,
        "addr": fact.path.addr.map(|addr| addr.to_string()),
        "rtt_us": fact.path.rtt.0,
        "models": fact.models.iter().map(|name| &**name).collect::<Vec<_>>(),
        "streams": fact.streams,
        "dropped": fact.dropped,
    })
}

fn device_json(id: DeviceId, fact: &DeviceFact) -> Value {
    json!({
        "device": id.0,
        "ready": fact.ready,
        "why_not": fact.why_not.as_deref(),
        "models": fact.models.iter().map(|advert| &*advert.name).collect::<Vec<_>>(),
        "active": fact.load.active,
        "queued": fact.load.queued,
        "slots": fact.load.slots,
        "queue_max": fact.load.queue_max,
        "finished": fact.finished,
    })
}

fn model_json(advert: &ModelAdvert) -> Value {
    json!({
        "id": &*advert.name,
        "digest": advert.model.to_string(),
        "context": advert.context,
    })
}

fn actor_json((address, state): &(Address, ChildState)) -> Value {
    let (name, starts, why) = match state {
        ChildState::Running { starts } => ("running", Some(*starts), None),
        ChildState::Restarting { why, .. } => ("restarting", None, Some(&**why)),
        ChildState::Failed { why } => ("failed", None, Some(&**why)),
        ChildState::Gone => ("gone", None, None),
    };
    json!({ "address": address.to_string(), "state": name, "starts": starts, "why": why })
}
