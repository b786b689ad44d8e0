//! What the node's snapshot may be told, and what it answers.

use crate::bounded::{Label, List};
use crate::limits::{ADDRS_MAX, MODELS_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX, UNREACHED_MAX};
use crate::ports::transport::{DialError, PathInfo};
use crate::wire::latest::Load;
use crate::{
    Address, Class, Coalesce, DeviceId, ModelAdvert, Mono, NetworkId, NodeId, QueryId, Wall,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What the snapshot may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From any actor: what it is like now. Replaces what it said before under the same key.
    Fact(FactKey, Box<Fact>),
    /// From any actor: what it said under this key is void.
    Forget(FactKey),
    /// From the switchboard: what became of a supervised child.
    Supervised {
        /// The child.
        address: Address,
        /// What became of it.
        state: ChildState,
    },
    /// From the gateway or the control socket: answer with the snapshot.
    Query {
        /// Names the answer.
        query: QueryId,
        /// Where the answer goes.
        asker: Asker,
    },
}

/// Who asks for the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asker {
    /// The HTTP server.
    Gateway,
    /// The control socket.
    Control,
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FactKey {
    /// A network.
    Network(NetworkId),
    /// A peer in a network.
    Peer(NetworkId, NodeId),
    /// A device.
    Device(DeviceId),
    /// The models that a client may name.
    Models,
}

/// One actor's word on itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// From a roster.
    Network(NetworkFact),
    /// From a session.
    Peer(PeerFact),
    /// From a worker.
    Device(DeviceFact),
    /// From the router.
    Models(List<ModelAdvert, MODELS_MAX>),
}

/// A network, as its roster sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFact {
    /// The owner's label.
    pub label: Label<NAME_BYTES_MAX>,
    /// Who signs its grants.
    pub owner: NodeId,
    /// Members known, this node included.
    pub members: u32,
    /// Sessions that are active.
    pub active: u32,
    /// Where this node listens.
    pub addrs: List<SocketAddr, ADDRS_MAX>,
    /// Why this node cannot join, where it was told.
    pub refused: Option<Label<REASON_BYTES_MAX>>,
    /// Some of the members that it dialled and did not reach.
    pub unreached: List<Unreached, UNREACHED_MAX>,
}

/// A member that was dialled and not reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    /// Who.
    pub peer: NodeId,
    /// Why no connection came of the last dial.
    pub why: DialError,
}

/// A peer, as its session sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFact {
    /// The session's phase.
    pub phase: Label<32>,
    /// Whether inbound traffic is fresh.
    pub fresh: bool,
    /// How it is reached.
    pub path: PathInfo,
    /// Names of what it serves.
    pub models: List<Label<NAME_BYTES_MAX>, MODELS_MAX>,
    /// Job streams in flight, both ways.
    pub streams: u32,
    /// Frames dropped because they came before admission.
    pub dropped: u64,
}

/// A device, as its worker sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFact {
    /// Whether its engine is ready.
    pub ready: bool,
    /// Why not.
    pub why_not: Option<Label<REASON_BYTES_MAX>>,
    /// What it serves.
    pub models: List<ModelAdvert, MODELS_MAX>,
    /// How busy it is.
    pub load: Load,
    /// Jobs finished since the worker started.
    pub finished: u64,
}

/// What became of a supervised child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildState {
    /// It runs.
    Running {
        /// Starts since the node's boot.
        starts: u64,
    },
    /// It died and will be started again.
    Restarting {
        /// What it died of.
        why: Label<REASON_BYTES_MAX>,
        /// When it starts again.
        at: Mono,
    },
    /// It spent its restarts; it is tried again each minute.
    Failed {
        /// What it died of.
        why: Label<REASON_BYTES_MAX>,
    },
    /// It ended and is not coming back.
    Gone,
}

/// Everything a console shows, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The wall time of the answer.
    pub wall: Wall,
    /// Time since boot.
    pub uptime: Mono,
    /// What actors said of themselves.
    pub facts: Vec<(FactKey, Fact)>,
    /// The supervised children that are not requests or streams.
    pub children: Vec<(Address, ChildState)>,
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Fact(key, _) => Class::Coalesce(Coalesce::Fact(*key)),
            Self::Forget(_) | Self::Supervised { .. } | Self::Query { .. } => Class::Control,
        }
    }
}
