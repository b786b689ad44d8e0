//! The endpoint. Events are the [`crate::roster::Input`] and [`crate::peer_session::Input`]
//! variants that name the transport as their sender.

use crate::bounded::{Label, List};
use crate::limits::{ADDRS_MAX, REASON_BYTES_MAX};
use crate::wire::latest::ControlFrame;
use crate::{Class, Job, LinkId, Micros, NetworkId, NodeId, RequestId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// What the transport may be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Carry this network: answer with `Bound`, and take streams that name it.
    Attach(NetworkId),
    /// Stop carrying it.
    Detach(NetworkId),
    /// Connect. An existing connection to the peer is used. Answered by `LinkUp` or `DialFailed`.
    Dial {
        /// For which network.
        network: NetworkId,
        /// Whom.
        peer: NodeId,
        /// Where: the only addresses that may see a packet.
        addrs: List<SocketAddr, ADDRS_MAX>,
    },
    /// Send on the network's control stream of a link; the first one opens it.
    Send {
        /// The connection.
        link: LinkId,
        /// The network.
        network: NetworkId,
        /// The frame.
        frame: Box<ControlFrame>,
    },
    /// Open a job stream. Answered to the session by `Opened` or `OpenFailed`; replies and the end
    /// go to the request. Never waits for the peer's stream limit: that is `OpenFailed`.
    Open {
        /// The connection.
        link: LinkId,
        /// The network.
        network: NetworkId,
        /// The peer, whose session is answered.
        peer: NodeId,
        /// For whom.
        request: RequestId,
        /// The job: the stream's first frame.
        job: Box<Job>,
    },
    /// The session is over: its streams close, and the link with its last session. What was sent
    /// before is flushed first, for at most a second.
    Close {
        /// The connection.
        link: LinkId,
        /// The network.
        network: NetworkId,
        /// What the peer is told.
        why: Label<REASON_BYTES_MAX>,
    },
}

/// Why no connection came of a dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DialError {
    /// No address was given.
    NoAddress,
    /// Nobody answered in time.
    TimedOut,
    /// Somebody answered, and not the node that was named.
    WrongPeer,
    /// The peer refused the connection.
    Refused,
    /// The endpoint is closed or restarts.
    Closed,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "no address is known",
            Self::TimedOut => "nobody answers at its addresses",
            Self::WrongPeer => "another node answers at its addresses",
            Self::Refused => "it refuses the connection",
            Self::Closed => "the transport restarted",
        })
    }
}

/// How bytes reach a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathKind {
    /// Not known, or not at all.
    #[default]
    None,
    /// From address to address.
    Direct,
    /// Through a relay.
    Relayed,
}

/// A path and its quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathInfo {
    /// What sort of path.
    pub kind: PathKind,
    /// The peer's address, where the path is direct.
    pub addr: Option<SocketAddr>,
    /// Round-trip time.
    pub rtt: Micros,
}

impl Command {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Open { job, .. } => Class::Data(crate::peer_session::job_weight(job)),
            Self::Attach(_)
            | Self::Detach(_)
            | Self::Dial { .. }
            | Self::Send { .. }
            | Self::Close { .. } => Class::Control,
        }
    }
}
