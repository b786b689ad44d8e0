//! The HTTP server. Its own events start requests and go to them.

use crate::bounded::List;
use crate::limits::MODELS_MAX;
use crate::observer::Snapshot;
use crate::ports::control::Answer;
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
        model: Box<ModelAdvert>,
    },
    /// More text: whole characters only.
    Delta {
        /// Which request.
        request: RequestId,
        /// Bytes of text sent before it: one that is lost shows in the next.
        offset: u64,
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
        /// Bytes of text sent in all: a last Delta that is lost shows here.
        total: u64,
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
    /// The answer to what a human asked of the records.
    Answer {
        /// Which query.
        query: QueryId,
        /// The answer.
        answer: Box<Answer>,
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

/// Where a Delta stands to the text that was taken before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It comes next.
    Next,
    /// All of it was taken before.
    Repeat,
    /// Text before it is missing, or it repeats a part and goes on: nothing sends that.
    Gap,
}

impl Place {
    /// The place of `len` bytes at `offset`, after `taken` bytes without a gap.
    #[must_use]
    pub fn of(taken: u64, offset: u64, len: usize) -> Self {
        let end = u64::try_from(len)
            .ok()
            .and_then(|len| offset.checked_add(len));
        match end {
            Some(_) if offset == taken => Self::Next,
            Some(end) if end <= taken => Self::Repeat,
            Some(_) | None => Self::Gap,
        }
    }
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
            | Self::Snapshot { .. }
            | Self::Answer { .. } => Class::Control,
        }
    }
}
