//! What an actor is started from, again after a crash: all that it needs and nothing that it knew.

use crate::{gossip_store, inference_worker, peer_session, request_proxy, roster};
use serde::{Deserialize, Serialize};

/// What a child is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Seed {
    /// Membership of one network.
    Roster(roster::Seed),
    /// The records of one network.
    GossipStore(gossip_store::Seed),
    /// The protocol with one peer.
    Session(peer_session::Seed),
    /// Whom we choose.
    Router,
    /// The life of one request.
    Proxy(Box<request_proxy::Seed>),
    /// The jobs of one device.
    Worker(inference_worker::Seed),
    /// The node's snapshot.
    Observer,
    /// A driver: built by the world, not by the tree.
    Driver,
}
