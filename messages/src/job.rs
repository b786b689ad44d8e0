//! One inference job, and what comes back of it.

use crate::bounded::{Label, List};
use crate::limits::{
    BATCH_TOKENS_MAX, MESSAGES_MAX, PROMPT_BYTES_MAX, REASON_BYTES_MAX, TOKEN_BYTES_MAX, TOKENS_MAX,
};
use crate::{Digest, JobId, ModelId, Text, TraceContext, Wall};
use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// One entry of a model's vocabulary.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TokenId(pub u32);

/// One generated token: its id, and the bytes that it adds to the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPiece {
    /// What a later holder is given to go on from.
    pub id: TokenId,
    /// Any bytes, at most [`TOKEN_BYTES_MAX`]: a character may be spread over several tokens.
    #[serde(deserialize_with = "token_bytes")]
    pub bytes: Bytes,
}

fn token_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let bytes = Bytes::deserialize(deserializer)?;
    match bytes.len() {
        len if len > TOKEN_BYTES_MAX => Err(D::Error::custom(crate::TooLong {
            len,
            max: TOKEN_BYTES_MAX,
        })),
        _ => Ok(bytes),
    }
}

/// Consecutive tokens of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBatch {
    /// The try that they belong to.
    pub attempt: u32,
    /// The position of the first one, counted from 0 over the whole answer, resumed part included.
    pub first: u32,
    /// The tokens at `first`, `first + 1`, …
    pub tokens: List<TokenPiece, BATCH_TOKENS_MAX>,
}

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Instructions of the operator (`system`, `developer`).
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said, verbatim.
    pub content: Text,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// Messages for the model's chat template.
    Chat(List<Message, MESSAGES_MAX>),
    /// Text that the model continues as it stands.
    Raw(Text),
}

impl Prompt {
    /// The bytes of user text in it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
            Self::Raw(text) => text.len(),
        }
    }

    /// Whether it holds no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A holder that went by its own word could be given a job that no frame has room to resume.
fn bounded_prompt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Prompt, D::Error> {
    let prompt = Prompt::deserialize(deserializer)?;
    match prompt.len() {
        len if len > PROMPT_BYTES_MAX => Err(D::Error::custom(crate::TooLong {
            len,
            max: PROMPT_BYTES_MAX,
        })),
        _ => Ok(prompt),
    }
}

/// How tokens are drawn. Fractions are in millionths, so that equality is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1,000,000 is the model's own distribution; at most 2,000,000.
    pub temperature_e6: u32,
    /// Keep the likeliest tokens up to this mass; 1,000,000 keeps all.
    pub top_p_e6: u32,
    /// With the position, all there is to chance: position `k` draws the same on any machine.
    pub seed: u64,
}

/// One try of one request, as a worker is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose request, and which try.
    pub id: JobId,
    /// The trace of the request, under this try's own span: tries of one request are told apart.
    pub trace: TraceContext,
    /// The model, by digest.
    pub model: ModelId,
    /// The messages, verbatim: at most [`PROMPT_BYTES_MAX`].
    #[serde(deserialize_with = "bounded_prompt")]
    pub prompt: Prompt,
    /// The wall time that the chat template may show; the same in every attempt.
    pub template_time: Wall,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Tokens of the answer at most, resumed ones included; absent: up to the context's end.
    pub max_tokens: Option<u32>,
    /// The tokens already received, in order from position 0.
    pub resume: List<TokenId, TOKENS_MAX>,
    /// The prompt digest that the first holder reported; absent on the first attempt.
    pub expect: Option<Digest>,
    /// Salts prefix reuse: jobs of different tenants share no cache.
    pub tenant: Digest,
}

/// Which results of two holders are byte-identical: equal digests are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// Weights, engine build, backend and batch-invariant settings.
    pub digest: Digest,
    /// Whether the engine reports token ids, so that another holder can go on from them.
    pub splice: bool,
}

/// Why a worker does not take a job, or gives it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No room now. Another holder may have some; this one is worth asking again then.
    Busy {
        /// Milliseconds after which a slot is likely.
        retry_after_ms: u32,
    },
    /// This node does not serve that model (any more).
    NoModel,
    /// Prompt and answer do not fit. No other holder of the same model helps.
    ContextExceeded {
        /// The model's context in tokens.
        context: u32,
        /// The prompt in tokens.
        prompt: u32,
    },
    /// The prompt came to other tokens here than at the first holder.
    PromptMismatch,
    /// The request asks for what this engine cannot do. The reason is for the client.
    Unsupported(Label<REASON_BYTES_MAX>),
    /// The sender is not an admitted member.
    NotAdmitted,
    /// The engine failed or restarted under the job. Another attempt may succeed.
    EngineFailed(Label<REASON_BYTES_MAX>),
    /// The consumer took nothing for too long.
    TooSlow,
    /// The node is leaving: ask another.
    Draining,
}

impl Refusal {
    /// Whether no other holder would answer differently.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::ContextExceeded { .. } | Self::Unsupported(_))
    }
}

/// Why an answer ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// `max_tokens` or the end of the context.
    Length,
}

/// Tokens spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt: u32,
    /// Tokens of the answer.
    pub completion: u32,
}
