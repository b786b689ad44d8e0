//! An engine on one device.

use crate::bounded::{Label, List};
use crate::limits::{MODELS_MAX, REASON_BYTES_MAX};
use crate::{Digest, EndReason, Job, JobId, ModelAdvert, Refusal, TokenPiece};
use serde::{Deserialize, Serialize};

/// What an engine may be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Say what you serve: answered by Ready or Failed, now or when it is known. Forgets every
    /// job: a worker that asks has none.
    Attach,
    /// Render and read a prompt and the resumed tokens. Answered by Began or Rejected.
    Begin(Box<Job>),
    /// One decode step of these jobs. Answered by Stepped, with one entry for each.
    Step(Vec<JobId>),
    /// Forget this job; inert where it is unknown.
    End(JobId),
}

/// What an engine reports to its worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A real one-token inference of each model succeeded.
    Ready {
        /// What is served.
        models: List<ModelAdvert, MODELS_MAX>,
    },
    /// The engine cannot serve; it may become Ready later by itself. All jobs are lost.
    Failed {
        /// Why, for people.
        why: Label<REASON_BYTES_MAX>,
    },
    /// A job's prompt was read: it may be stepped.
    Began {
        /// The job.
        job: JobId,
        /// Digest of the prompt's tokens, resumed ones not included.
        prompt: Digest,
        /// How many they are.
        prompt_tokens: u32,
    },
    /// A job cannot be done.
    Rejected {
        /// The job.
        job: JobId,
        /// Why.
        why: Refusal,
    },
    /// A step is done.
    Stepped(Vec<Stepped>),
    /// The loop turns, though nothing else is reported: a long prompt is being read.
    Beacon {
        /// Chunks of work done since the engine started.
        steps: u64,
    },
}

/// One job's part of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stepped {
    /// The job.
    pub job: JobId,
    /// What it drew.
    pub drawn: Drawn,
}

/// What a step drew for a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drawn {
    /// The next token.
    Token(TokenPiece),
    /// The answer is over.
    End(EndReason),
    /// The job cannot go on.
    Failed(Refusal),
}
