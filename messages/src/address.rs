//! Where a letter goes: a name scoped to one node, which survives restarts.

use crate::{DeviceId, NetworkId, NodeId, RequestId, StreamId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of one actor, driver or stream of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Address {
    /// The database and the identity files.
    Store,
    /// The endpoint that all networks share.
    Transport,
    /// One end of a job stream: a leaf of the transport, reached without passing through it.
    Stream(StreamId),
    /// The engine of one device.
    Engine(DeviceId),
    /// The jobs of one device.
    Worker(DeviceId),
    /// Membership of one network.
    Roster(NetworkId),
    /// The records of one network.
    GossipStore(NetworkId),
    /// The protocol with one peer in one network.
    Session(NetworkId, NodeId),
    /// Whom we choose.
    Router,
    /// The life of one request.
    Proxy(RequestId),
    /// The HTTP server.
    Gateway,
    /// The control socket.
    Control,
    /// The node's snapshot.
    Observer,
}

/// A supervisor: an inner node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Branch {
    /// The root. It never dies of a child.
    Node,
    /// Database and identity.
    Store,
    /// The endpoint.
    Transport,
    /// Engines and workers.
    Inference,
    /// One network's actors.
    Network(NetworkId),
    /// One network's sessions.
    Sessions(NetworkId),
    /// Router, HTTP server, control socket.
    Gateway,
    /// Requests in progress.
    Requests,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Transport => f.write_str("transport"),
            Self::Stream(id) => write!(f, "stream/{}", id.0),
            Self::Engine(device) => write!(f, "engine/{}", device.0),
            Self::Worker(device) => write!(f, "worker/{}", device.0),
            Self::Roster(network) => write!(f, "roster/{}", network.short()),
            Self::GossipStore(network) => write!(f, "records/{}", network.short()),
            Self::Session(network, peer) => {
                write!(f, "session/{}/{}", network.short(), peer.short())
            }
            Self::Router => f.write_str("router"),
            Self::Proxy(request) => write!(f, "request/{request}"),
            Self::Gateway => f.write_str("gateway"),
            Self::Control => f.write_str("control"),
            Self::Observer => f.write_str("observer"),
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Store => f.write_str("node/store"),
            Self::Transport => f.write_str("node/transport"),
            Self::Inference => f.write_str("node/inference"),
            Self::Network(network) => write!(f, "node/network/{}", network.short()),
            Self::Sessions(network) => write!(f, "node/network/{}/sessions", network.short()),
            Self::Gateway => f.write_str("node/gateway"),
            Self::Requests => f.write_str("node/gateway/requests"),
        }
    }
}

impl Branch {
    /// The branch that it hangs on; the root hangs on none.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Node => None,
            Self::Sessions(network) => Some(Self::Network(network)),
            Self::Requests => Some(Self::Gateway),
            Self::Store | Self::Transport | Self::Inference | Self::Network(_) | Self::Gateway => {
                Some(Self::Node)
            }
        }
    }
}
