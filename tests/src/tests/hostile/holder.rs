//! A member that says it serves a model, takes jobs, and answers none of them as it should.

use super::peer::{Control, read_frame};
use iroh::endpoint::SendStream;
use messages::wire::latest::{
    Accepted, Beacon, End, Frame, HEADER_BYTES, JobReply, JobRequest, Preface,
};
use messages::{EndReason, Job, List, TokenBatch, TokenId, TokenPiece};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// What it does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misdeed {
    /// Bytes that are no frame.
    Noise,
    /// A frame whose body is not what its kind says.
    Malformed,
    /// A reply of a kind that nobody knows, then nothing.
    UnknownKind,
    /// Tokens that nobody waits for yet.
    WrongPosition,
    /// Tokens of a job that it did not accept.
    TokensFirst,
    /// The end of an answer of which it sent nothing.
    EmptyEnd,
    /// A reply to a try that was not made.
    WrongAttempt,
    /// The stream is reset.
    Reset,
    /// The stream ends without a word.
    Finish,
    /// Half a frame, then nothing.
    HalfFrame,
    /// It takes the job, then the stream is reset.
    AcceptReset,
    /// It takes the job, then says so again and again.
    AcceptOnly,
    /// Tokens of which there is none.
    EmptyTokens,
    /// Nothing, for ever.
    Silence,
    /// Signs of life from an engine that never makes a step.
    Stuck,
}

impl Misdeed {
    pub(super) const ALL: [Self; 15] = [
        Self::Noise,
        Self::Malformed,
        Self::UnknownKind,
        Self::WrongPosition,
        Self::TokensFirst,
        Self::EmptyEnd,
        Self::WrongAttempt,
        Self::Reset,
        Self::Finish,
        Self::HalfFrame,
        Self::AcceptReset,
        Self::AcceptOnly,
        Self::EmptyTokens,
        Self::Silence,
        Self::Stuck,
    ];

    /// What is sent at once.
    fn bytes(self, job: &Job) -> Vec<u8> {
        let attempt = job.id.attempt;
        let accepted = |attempt| {
            let (prompt, prompt_tokens) = kernel::scripted::prompt(&job.prompt);
            let compute = kernel::scripted::advert().compute;
            JobReply::Accepted(Accepted {
                attempt,
                prompt,
                prompt_tokens,
                compute,
            })
        };
        let tokens = |first| {
            let piece = TokenPiece {
                id: TokenId(1),
                bytes: "lie".into(),
            };
            let tokens = List::truncated([piece]);
            JobReply::Tokens(TokenBatch {
                attempt,
                first,
                tokens,
            })
        };
        let end = JobReply::End(End {
            attempt,
            reason: EndReason::Stop,
            tokens: 40,
        });
        match self {
            Self::Noise => vec![0xff; 256],
            Self::Malformed => vec![3, 0, 0, 0, 1, 0, 0xff],
            Self::UnknownKind => vec![4, 0, 0, 0, 0xee, 0x7f, 1, 2],
            Self::WrongPosition => frames(&[accepted(attempt), tokens(7)]),
            Self::TokensFirst => frames(&[tokens(0)]),
            Self::EmptyEnd => frames(&[accepted(attempt), end]),
            Self::WrongAttempt => frames(&[accepted(attempt + 1), end]),
            Self::HalfFrame => {
                let mut bytes = frames(&[accepted(attempt), tokens(0)]);
                bytes.truncate(bytes.len() - HEADER_BYTES);
                bytes
            }
            Self::AcceptReset | Self::AcceptOnly | Self::EmptyTokens | Self::Stuck => {
                frames(&[accepted(attempt)])
            }
            Self::Reset | Self::Finish | Self::Silence => Vec::new(),
        }
    }

    /// Does it, and holds the stream where that is a part of it.
    async fn with(self, job: &Job, mut send: SendStream) {
        // A node that has enough of it resets the stream.
        let _ = send.write_all(&self.bytes(job)).await;
        match self {
            Self::Reset => drop(send.reset(7_u32.into())),
            Self::AcceptReset => {
                // What was written is read before the reset, or lost with it: both are harmless.
                tokio::time::sleep(BEACON).await;
                drop(send.reset(7_u32.into()));
            }
            Self::Finish => drop(send.finish()),
            Self::AcceptOnly => repeat(send, &self.bytes(job)).await,
            Self::EmptyTokens => {
                let tokens = TokenBatch {
                    attempt: job.id.attempt,
                    first: 0,
                    tokens: List::new(),
                };
                repeat(send, &frames(&[JobReply::Tokens(tokens)])).await;
            }
            Self::Stuck => {
                let attempt = job.id.attempt;
                let beacon = JobReply::Beacon(Beacon { attempt, steps: 0 });
                repeat(send, &frames(&[beacon])).await;
            }
            Self::Noise
            | Self::Malformed
            | Self::UnknownKind
            | Self::WrongPosition
            | Self::TokensFirst
            | Self::EmptyEnd
            | Self::WrongAttempt
            | Self::HalfFrame
            | Self::Silence => drop(send.stopped().await),
        }
    }
}

/// Keeps a session alive and takes jobs, as long as the link lasts.
pub(super) async fn serve(mut control: Control, misdeed: Misdeed, asked: Arc<AtomicU32>) {
    let conn = control.conn.clone();
    let take_jobs = async {
        let mut jobs = JoinSet::new();
        while let Ok((send, mut recv)) = conn.accept_bi().await {
            let mut preface = [0; Preface::BYTES];
            if recv.read_exact(&mut preface).await.is_err() {
                continue;
            }
            if let Some(JobRequest::Open(job)) = read_frame(&mut recv).await {
                asked.fetch_add(1, Ordering::Relaxed);
                jobs.spawn(async move { misdeed.with(&job, send).await });
            }
        }
    };
    let upkeep = async { while control.hear().await.is_some() {} };
    tokio::join!(take_jobs, upkeep);
}

/// Sends this until nobody listens.
async fn repeat(mut send: SendStream, bytes: &[u8]) {
    while send.write_all(bytes).await.is_ok() {
        tokio::time::sleep(BEACON).await;
    }
}

fn frames(replies: &[JobReply]) -> Vec<u8> {
    let encoded = replies.iter().map(|reply| reply.encode().unwrap());
    encoded.collect::<Vec<_>>().concat()
}

/// As often as an honest holder shows that it lives.
const BEACON: Duration = Duration::from_millis(300);
