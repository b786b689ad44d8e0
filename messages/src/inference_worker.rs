//! What the jobs of a device may be told.

use crate::ports::engine;
use crate::request_proxy::Flow;
use crate::{Address, Class, DeviceId, Job, Letter, NetworkId, NodeId, RequestId, StreamId};
use crate::{ports::stream, request_proxy, wire::latest::JobReply};
use serde::{Deserialize, Serialize};

/// What a worker is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// This node.
    pub me: NodeId,
    /// The device.
    pub device: DeviceId,
    /// Jobs that may decode at once.
    pub slots: u32,
    /// Jobs that may wait; one more is Busy.
    pub queue_max: u32,
    /// Jobs of one origin node that may decode or wait; one more is Busy.
    pub per_origin_max: u32,
}

/// What a worker may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From a session (for a peer) or a request (of this node): do this.
    Job {
        /// Where the replies go.
        sink: Sink,
        /// The job.
        job: Box<Job>,
    },
    /// From a sink: its buffer is full, or has room again.
    Sink {
        /// Which.
        sink: Sink,
        /// Full or ready.
        flow: Flow,
    },
    /// From a request of this node: its try is over. (A peer resets its stream.)
    Cancel {
        /// Whose replies nobody wants any more.
        sink: Sink,
        /// Which try.
        attempt: u32,
    },
    /// From a roster: tell it what this device serves, now and on change.
    Attach(NetworkId),
    /// From the engine.
    Engine(engine::Event),
    /// From the node: it leaves. Running jobs end, waiting and new ones are refused.
    Drain,
}

/// Where a job's replies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Sink {
    /// To a peer.
    Stream(StreamId),
    /// To a request of this node.
    Proxy(RequestId),
}

impl Sink {
    /// The address behind it: its Down cancels the job.
    #[must_use]
    pub const fn address(self) -> Address {
        match self {
            Self::Stream(stream) => Address::Stream(stream),
            Self::Proxy(request) => Address::Proxy(request),
        }
    }

    /// The letter that carries a reply there.
    #[must_use]
    pub const fn reply(self, reply: JobReply) -> Letter {
        match self {
            Self::Stream(stream) => Letter::Stream(stream, stream::Command::Reply(reply)),
            Self::Proxy(request) => Letter::Proxy(request, request_proxy::Input::Reply(reply)),
        }
    }
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Job { job, .. } => Class::Data(crate::peer_session::job_weight(job)),
            Self::Sink { .. }
            | Self::Cancel { .. }
            | Self::Attach(_)
            | Self::Engine(_)
            | Self::Drain => Class::Control,
        }
    }
}
