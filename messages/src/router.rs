//! What the router may be told.

use crate::bounded::{Label, List};
use crate::limits::{MODELS_MAX, NAME_BYTES_MAX};
use crate::wire::latest::Load;
use crate::{
    Class, Coalesce, Compute, DeviceId, Micros, ModelAdvert, ModelId, NetworkId, NodeId, RequestId,
};
use serde::{Deserialize, Serialize};

/// Holders that one request may rule out: more failures than this end it.
pub const EXCLUDED_MAX: usize = 32;

/// What the router may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From a session: a peer with fresh inbound traffic, or one that has gone silent.
    Peer(Box<PeerState>),
    /// From a session: the peer is gone.
    PeerGone {
        /// In which network.
        network: NetworkId,
        /// Who.
        peer: NodeId,
    },
    /// From a worker: what a device of this node serves, and how busy it is.
    Local {
        /// This node.
        me: NodeId,
        /// The device.
        device: DeviceId,
        /// What it serves.
        models: List<ModelAdvert, MODELS_MAX>,
        /// How busy it is.
        load: Load,
    },
    /// From a request: who shall serve it?
    Route(Box<Query>),
    /// From a request: how a try went.
    Outcome {
        /// Who served, or should have.
        via: Via,
        /// What came of it.
        result: Outcome,
    },
}

/// What the router knows of a peer. A newer one replaces it whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerState {
    /// In which network.
    pub network: NetworkId,
    /// Who.
    pub peer: NodeId,
    /// Whether inbound traffic is fresh: only then is anything routed there.
    pub fresh: bool,
    /// Whether it leaves the pings of running jobs unanswered: it may be dead, and what it serves
    /// stays listed, but nothing is routed there before it is heard.
    pub quiet: bool,
    /// What it serves.
    pub models: List<ModelAdvert, MODELS_MAX>,
    /// How busy it last said it was.
    pub load: Load,
    /// Jobs of ours in flight there.
    pub in_flight: u32,
    /// Round-trip time.
    pub rtt: Micros,
}

/// A request's question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Who asks.
    pub request: RequestId,
    /// For which try.
    pub attempt: u32,
    /// The model's name or digest, as the client gave it.
    pub model: Label<NAME_BYTES_MAX>,
    /// The model that earlier tries used: a later try may use no other.
    pub pinned: Option<ModelId>,
    /// The compute digest to prefer.
    pub prefer: Option<Compute>,
    /// Whether only holders that can go on from token ids will do.
    pub splice: bool,
    /// Holders that failed this request, oldest first.
    pub exclude: List<Via, EXCLUDED_MAX>,
}

/// How a holder is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Via {
    /// A device of this node.
    Local(NodeId, DeviceId),
    /// A peer.
    Peer(NetworkId, NodeId),
}

impl Via {
    /// The serving node.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        match self {
            Self::Local(node, _) | Self::Peer(_, node) => *node,
        }
    }
}

/// How a try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ended by itself.
    Served,
    /// It had no room.
    Busy,
    /// It failed or went silent.
    Failed,
}

/// Who shall serve a request, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// How it is reached.
    pub via: Via,
    /// What it serves.
    pub advert: ModelAdvert,
    /// Why this one, for people.
    pub why: Label<NAME_BYTES_MAX>,
}

/// Why nobody can serve a request now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoRoute {
    /// No live node names such a model.
    UnknownModel,
    /// Those that serve it have all failed this request, or gone silent.
    NoneLeft,
    /// Those that serve it are full.
    Busy {
        /// Milliseconds after which to ask again.
        retry_after_ms: u32,
    },
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Peer(state) => Class::Coalesce(Coalesce::Peer(state.network, state.peer)),
            Self::Local { device, .. } => Class::Coalesce(Coalesce::Device(*device)),
            Self::Route(_) | Self::Outcome { .. } => Class::Data(256),
            Self::PeerGone { .. } => Class::Control,
        }
    }
}
