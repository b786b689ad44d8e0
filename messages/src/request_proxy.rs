//! What a request in progress may be told.

use crate::bounded::{Label, List};
use crate::limits::{NAME_BYTES_MAX, STOP_BYTES_MAX, STOPS_MAX};
use crate::router::{Choice, NoRoute};
use crate::wire::latest::JobReply;
use crate::{
    Class, Digest, Micros, NodeId, Prompt, Refusal, RequestId, StreamId, TraceContext, Wall,
};
use serde::{Deserialize, Serialize};

/// What a request is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// Its id.
    pub request: RequestId,
    /// The client's trace, or one of its own, under the request's span.
    pub trace: TraceContext,
    /// This node.
    pub me: NodeId,
    /// The model's name or digest, as the client gave it.
    pub model: Label<NAME_BYTES_MAX>,
    /// What is asked.
    pub prompt: Prompt,
    /// When it arrived: the chat template's time in every try.
    pub arrived: Wall,
    /// 0 to 2,000,000.
    pub temperature_e6: u32,
    /// 1 to 1,000,000.
    pub top_p_e6: u32,
    /// The client's seed; absent: drawn.
    pub seed: Option<u64>,
    /// Tokens of the answer at most; absent: up to the context's end.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and are not part of it.
    pub stops: List<Label<STOP_BYTES_MAX>, STOPS_MAX>,
    /// Salts prefix reuse.
    pub tenant: Digest,
    /// From arrival to the last byte.
    pub total: Micros,
}

/// What a request may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From the router: the answer to a query.
    Routed {
        /// Which try asked.
        attempt: u32,
        /// Who serves it, or why nobody can.
        choice: Result<Box<Choice>, NoRoute>,
    },
    /// From a session: the job's stream is open.
    Opened {
        /// Which try.
        attempt: u32,
        /// This end of it.
        stream: StreamId,
    },
    /// From a session: no stream came of it.
    NotOpened {
        /// Which try.
        attempt: u32,
        /// Why.
        why: Refusal,
    },
    /// From a stream or a worker: what the holder says.
    Reply(JobReply),
    /// From a stream: nothing more will come.
    StreamEnded {
        /// Which try.
        attempt: u32,
    },
    /// From a session: the holder's node does not answer pings. Its engine may be well, but
    /// nothing of it arrives.
    Silent {
        /// Which try.
        attempt: u32,
    },
    /// From the gateway: the client went away.
    ClientGone,
    /// From the gateway: the client's buffer is full, or has room again.
    Client(Flow),
}

/// Whether a bounded queue takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flow {
    /// Stop until Ready.
    Full,
    /// Go on.
    Ready,
}

/// Why a request failed. The gateway turns it into a status or an error event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No live node names such a model.
    UnknownModel,
    /// Prompt and answer exceed the model's context.
    ContextExceeded {
        /// Tokens of context.
        context: u32,
        /// Tokens of the prompt.
        prompt: u32,
    },
    /// Every holder is full.
    Busy {
        /// Milliseconds after which to ask again.
        retry_after_ms: u32,
    },
    /// The request asks for what the engine cannot do.
    Unsupported(Label<NAME_BYTES_MAX>),
    /// Holders failed, and none is left to go on.
    HoldersLost {
        /// How many were tried.
        attempts: u32,
    },
    /// The request's time is over.
    DeadlineExceeded,
    /// A defect of this node.
    Internal,
    /// This node stops, and the answer was not over in time.
    Stopping,
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Reply(reply) if reply.is_last() => Class::Control,
            Self::Reply(reply) => Class::Data(reply.weight()),
            Self::Routed { .. }
            | Self::Opened { .. }
            | Self::NotOpened { .. }
            | Self::StreamEnded { .. }
            | Self::Silent { .. }
            | Self::ClientGone
            | Self::Client(_) => Class::Control,
        }
    }
}
