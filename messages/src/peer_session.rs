//! What the protocol with one peer may be told.

use crate::bounded::{Label, List};
use crate::limits::{INTRODUCTIONS_MAX, REASON_BYTES_MAX};
use crate::ports::transport::PathInfo;
use crate::wire::latest::{ControlFrame, Deny, Gossip, Introduction, Load};
use crate::{
    Class, Coalesce, Credential, DeviceId, Job, LinkId, ModelId, NetworkId, NodeId, RequestId,
    SignedRecord, StreamId, Wall,
};
use serde::{Deserialize, Serialize};

/// What a session is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The network.
    pub network: NetworkId,
    /// This node.
    pub me: NodeId,
    /// This boot of it.
    pub boot: u64,
    /// The peer, as TLS proved.
    pub peer: NodeId,
    /// Why this node belongs.
    pub credential: Credential,
    /// The connection that it begins on.
    pub link: LinkId,
    /// Whether this side dialled it.
    pub dialled: bool,
}

/// What a session may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From the roster: another connection to the same peer.
    Link {
        /// The connection.
        link: LinkId,
        /// Whether this side dialled.
        dialled: bool,
    },
    /// From the transport: a connection is gone.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        why: LinkLoss,
    },
    /// From the transport: a control frame, decoded and bounded. Where one finds no room the
    /// transport ends the session's end of the link: a hole in the stream would be worse.
    Frame {
        /// The connection that it came on.
        link: LinkId,
        /// The frame.
        frame: ControlFrame,
    },
    /// From the transport: bytes that are no control frame. The control stream is reset.
    BadFrame {
        /// The connection that they came on.
        link: LinkId,
        /// What is wrong with them.
        why: Label<REASON_BYTES_MAX>,
    },
    /// From the transport: how the peer is reached.
    Path {
        /// The connection.
        link: LinkId,
        /// How.
        path: PathInfo,
    },
    /// From the transport: the peer asks for a job. The stream waits for Worker or refusal.
    Inbound {
        /// This end of its stream.
        stream: StreamId,
        /// The connection.
        link: LinkId,
        /// The job.
        job: Box<Job>,
    },
    /// From the transport: a job stream that was asked for is open.
    Opened {
        /// This end of it.
        stream: StreamId,
        /// For whom.
        request: RequestId,
        /// Which try.
        attempt: u32,
    },
    /// From the transport: a job stream could not be opened.
    OpenFailed {
        /// For whom.
        request: RequestId,
        /// Which try.
        attempt: u32,
    },
    /// From the roster: the verdict on the peer's credential.
    Verdict(Verdict),
    /// From the roster: members to name to the peer.
    Introduce(List<Introduction, INTRODUCTIONS_MAX>),
    /// From the roster: a revocation to pass on.
    Revoke(Box<SignedRecord>),
    /// From the roster: how busy this node is.
    Load(Load),
    /// From the roster: what this node serves, and on which device.
    Serves(Vec<(ModelId, DeviceId)>),
    /// From the roster: the peer is no member any more.
    Cut(Deny),
    /// From the roster: this node has enough neighbours; end, unless the session is in use.
    Release,
    /// From a request: open a job stream to the peer.
    Open {
        /// For whom.
        request: RequestId,
        /// The job.
        job: Box<Job>,
    },
    /// From the gossip store: say this to the peer.
    Gossip(Box<Gossip>),
    /// From the node: it leaves.
    Leave,
}

/// The roster's answer to a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// A member, until this wall time where one is given.
    Admit {
        /// When the membership ends by itself.
        until: Option<Wall>,
    },
    /// Not a member.
    Deny(Deny),
    /// The roster cannot tell yet (it is loading): ask again after a moment.
    Unknown,
}

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkLoss {
    /// The peer closed it.
    ClosedByPeer,
    /// Nothing arrived for the transport's idle time.
    TimedOut,
    /// It was reset, or the transport restarted.
    Reset,
    /// This side closed it.
    ClosedHere,
    /// The peer sent more than this side had room for, and this side gave the connection up.
    Overrun,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The connection was lost.
    LinkLost(LinkLoss),
    /// The peer refused us: dialling again with the same credential is pointless where it is final.
    DeniedByPeer(Deny),
    /// We refused the peer.
    DeniedHere(Deny),
    /// The peer said that it leaves.
    Left,
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Load(_) => Class::Coalesce(Coalesce::Load),
            Self::Path { .. } => Class::Coalesce(Coalesce::Path),
            Self::Inbound { job, .. } | Self::Open { job, .. } => Class::Data(job_weight(job)),
            Self::Frame { frame, .. } => Class::Frame(frame.weight()),
            Self::Gossip(gossip) => Class::Frame(gossip.weight()),
            Self::Link { .. }
            | Self::LinkDown { .. }
            | Self::BadFrame { .. }
            | Self::Opened { .. }
            | Self::OpenFailed { .. }
            | Self::Verdict(_)
            | Self::Introduce(_)
            | Self::Revoke(_)
            | Self::Serves(_)
            | Self::Cut(_)
            | Self::Release
            | Self::Leave => Class::Control,
        }
    }
}

/// About how many bytes a job takes in a queue.
pub(crate) fn job_weight(job: &Job) -> usize {
    512 + job.prompt.len() + job.resume.len() * 4
}
