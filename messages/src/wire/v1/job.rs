//! Frames of a job stream: one request, then replies until End or Refused. Cancel is a reset of
//! the stream: no frame can overtake it.

use super::frame::frames;
use crate::limits::{JOB_FRAME_BYTES_MAX, REPLY_FRAME_BYTES_MAX};
use crate::{Compute, Digest, EndReason, Job, Refusal, TokenBatch};
use serde::{Deserialize, Serialize};

/// What the asking side sends: once, first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobRequest {
    /// The job.
    Open(Box<Job>),
}

/// The job was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The try.
    pub attempt: u32,
    /// The prompt's tokens, digested: a later holder must come to the same.
    pub prompt: Digest,
    /// How many tokens the prompt has.
    pub prompt_tokens: u32,
    /// Which other holders draw the same bytes.
    pub compute: Compute,
}

/// The job still runs, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    /// The try.
    pub attempt: u32,
    /// Steps of the engine's loop so far; standing still means that the engine does.
    pub steps: u64,
}

/// The answer ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The try.
    pub attempt: u32,
    /// Why.
    pub reason: EndReason,
    /// Tokens of the answer, resumed ones included: a check against a lost frame.
    pub tokens: u32,
}

/// The job was not taken, or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The try.
    pub attempt: u32,
    /// Why.
    pub why: Refusal,
}

/// What the serving side sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobReply {
    /// First, unless refused.
    Accepted(Accepted),
    /// The next tokens.
    Tokens(TokenBatch),
    /// At most 500 ms after whatever was sent last.
    Beacon(Beacon),
    /// Last.
    End(End),
    /// Last.
    Refused(Refused),
}

impl JobReply {
    /// The try that it belongs to.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        match self {
            Self::Accepted(accepted) => accepted.attempt,
            Self::Tokens(batch) => batch.attempt,
            Self::Beacon(beacon) => beacon.attempt,
            Self::End(end) => end.attempt,
            Self::Refused(refused) => refused.attempt,
        }
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::End(_) | Self::Refused(_))
    }

    /// About how many bytes it takes in a queue.
    #[must_use]
    pub fn weight(&self) -> usize {
        const REPLY_BYTES: usize = 64;
        match self {
            Self::Tokens(batch) => {
                REPLY_BYTES
                    + batch
                        .tokens
                        .iter()
                        .map(|token| 16 + token.bytes.len())
                        .sum::<usize>()
            }
            Self::Accepted(_) | Self::Beacon(_) | Self::End(_) | Self::Refused(_) => REPLY_BYTES,
        }
    }
}

frames!(JobRequest, JOB_FRAME_BYTES_MAX, {
    1 => Open(Box<Job>),
});

frames!(JobReply, REPLY_FRAME_BYTES_MAX, {
    1 => Accepted(Accepted),
    2 => Tokens(TokenBatch),
    3 => Beacon(Beacon),
    4 => End(End),
    5 => Refused(Refused),
});
