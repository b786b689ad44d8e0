//! The HTTP server. Its own events start requests and go to them.

use crate::bounded::List;
use crate::limits::MODELS_MAX;
use crate::observer::Snapshot;
use crate::request_proxy::Failure;
use crate::{Class, Coalesce, EndReason, ModelAdvert, NodeId, QueryId, RequestId, Text, Usage};
use serde::{Deserialize, Serialize};

/// What the HTTP server may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A holder accepted the job: the response may begin.
    Started {
        /// Which request.
        request: RequestId,
        /// Who serves it.
        served_by: NodeId,
        /// What serves it.
        model: ModelAdvert,
    },
    /// More text: whole characters only.
    Delta {
        /// Which request.
        request: RequestId,
        /// The text.
        text: Text,
    },
    /// The answer is complete.
    Finished {
        /// Which request.
        request: RequestId,
        /// Why it ended.
        reason: EndReason,
        /// Tokens spent.
        usage: Usage,
        /// How the answer came together.
        seam: Seam,
    },
    /// There is no (more) answer.
    Failed {
        /// Which request.
        request: RequestId,
        /// Why.
        why: Failure,
    },
    /// The models that a client may name. Answered from memory ever after.
    Models(List<ModelAdvert, MODELS_MAX>),
    /// The answer to a snapshot query.
    Snapshot {
        /// Which query.
        query: QueryId,
        /// The answer.
        snapshot: Box<Snapshot>,
    },
}

/// How an answer came together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// Holders that contributed tokens.
    pub holders: u32,
    /// Whether the text is what one holder alone would have produced.
    pub exact: bool,
}

impl Command {
    /// What may happen to it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Delta { text, .. } => Class::Data(text.len() + 64),
            Self::Models(_) => Class::Coalesce(Coalesce::Models),
            Self::Started { .. }
            | Self::Finished { .. }
            | Self::Failed { .. }
            | Self::Snapshot { .. } => Class::Control,
        }
    }
}
