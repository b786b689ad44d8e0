//! What a client asks, read strictly: a wrong type or value is an error that names its parameter,
//! a field that nobody knows is skipped without a trace.

mod chat;
mod fields;

mod neutral;

use crate::error::ApiError;
use fields::{Fields, Kind};
use hyper::StatusCode;
use messages::limits::{NAME_BYTES_MAX, PROMPT_BYTES_MAX, STOP_BYTES_MAX, STOPS_MAX, TOKENS_MAX};
use messages::{Label, List, Prompt, Text};

/// Which of the two completion routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Text,
}

/// A completion request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) shape: Shape,
    pub(crate) model: Label<NAME_BYTES_MAX>,
    pub(crate) prompt: Prompt,
    pub(crate) temperature_e6: u32,
    pub(crate) top_p_e6: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) stops: List<Label<STOP_BYTES_MAX>, STOPS_MAX>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

impl Shape {
    /// The parameter that holds the prompt.
    pub(crate) const fn prompt_param(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Text => "prompt",
        }
    }
}

impl Ask {
    /// Reads a request's body.
    ///
    /// # Errors
    /// 400, or 404 for a model that no node can have, with the parameter named where there is one.
    pub(crate) fn parse(shape: Shape, body: &[u8]) -> Result<Self, ApiError> {
        let fields = top_level(body)?;
        neutral::check(shape, &fields)?;
        let model = model(&fields)?;
        let prompt = match shape {
            Shape::Chat => Prompt::Chat(chat::messages(&fields)?),
            Shape::Text => Prompt::Raw(raw_prompt(&fields)?),
        };
        let param = shape.prompt_param();
        if prompt.len() > PROMPT_BYTES_MAX {
            let message = format!(
                "the prompt has {} bytes, more than the {PROMPT_BYTES_MAX} that fit any model's \
                 context: shorten it",
                prompt.len()
            );
            let status = StatusCode::BAD_REQUEST;
            let error = ApiError::request(status, "context_length_exceeded", &message);
            return Err(error.about(param));
        }
        let stream = fields.flag("stream")?.unwrap_or(false);
        Ok(Self {
            shape,
            model,
            prompt,
            temperature_e6: millionths(fields.number("temperature", 0.0, 2.0)?),
            // Keeping no mass at all means keeping the likeliest token.
            top_p_e6: millionths(fields.number("top_p", 0.0, 1.0)?).max(1),
            seed: fields.integer("seed")?,
            max_tokens: max_tokens(&fields)?,
            stops: stops(&fields)?,
            stream,
            include_usage: include_usage(&fields, stream)?,
        })
    }
}

fn top_level(body: &[u8]) -> Result<Fields<'_>, ApiError> {
    let malformed =
        |message: &str| ApiError::request(StatusCode::BAD_REQUEST, "invalid_json", message);
    if body.is_empty() {
        return Err(malformed("the body is empty: send a JSON object"));
    }
    let text = std::str::from_utf8(body).map_err(|_| malformed("the body is no UTF-8 text"))?;
    Fields::parse(text, KNOWN)
        .map_err(|error| malformed(&format!("the body is no JSON object of this API: {error}")))
}

fn model(fields: &Fields<'_>) -> Result<Label<NAME_BYTES_MAX>, ApiError> {
    let Some(name) = fields.string("model")?.filter(|name| !name.is_empty()) else {
        let message = "you must name a model: GET /v1/models lists those that there are";
        return Err(ApiError::value("model", message));
    };
    Label::try_from(name.as_str())
        .map_err(|_| ApiError::unknown_model(&Label::<NAME_BYTES_MAX>::truncated(&name)))
}

fn raw_prompt(fields: &Fields<'_>) -> Result<Text, ApiError> {
    let one_text = "`prompt` must be one text, as a string or as an array of one string";
    match fields.kind("prompt") {
        Some(Kind::Text) => Ok(Text::from(fields.string("prompt")?.unwrap_or_default())),
        Some(Kind::Array) => {
            let texts: Option<List<String, 1>> = fields.typed("prompt", one_text)?;
            let text = texts.and_then(|texts| texts.into_vec().pop());
            text.map(Text::from)
                .ok_or_else(|| ApiError::value("prompt", one_text))
        }
        Some(Kind::Object | Kind::Number | Kind::Flag) | None => {
            Err(ApiError::value("prompt", one_text))
        }
    }
}

/// The newer name wins where both are given.
fn max_tokens(fields: &Fields<'_>) -> Result<Option<u32>, ApiError> {
    let mut most = None;
    for name in ["max_tokens", "max_completion_tokens"] {
        let wanted = format!("`{name}` must be an integer from 0 to {}", u32::MAX);
        let given = fields.typed::<u32>(name, &wanted)?;
        // More than any context holds is all that the model's context holds.
        most = given.map(|given| given.min(TOKENS)).or(most);
    }
    Ok(most)
}

fn stops(fields: &Fields<'_>) -> Result<List<Label<STOP_BYTES_MAX>, STOPS_MAX>, ApiError> {
    let wanted = format!(
        "`stop` must be a string or an array of at most {STOPS_MAX} strings, each of 1 to \
         {STOP_BYTES_MAX} bytes"
    );
    let stops = match fields.kind("stop") {
        Some(Kind::Text) => List::truncated(fields.typed("stop", &wanted)?),
        Some(_) => fields.typed("stop", &wanted)?.unwrap_or_default(),
        None => List::new(),
    };
    if stops
        .iter()
        .any(|stop: &Label<STOP_BYTES_MAX>| stop.is_empty())
    {
        return Err(ApiError::value("stop", &wanted));
    }
    Ok(stops)
}

fn include_usage(fields: &Fields<'_>, stream: bool) -> Result<bool, ApiError> {
    let options = fields.object("stream_options", &["include_usage", "include_obfuscation"])?;
    let Some(options) = options else {
        return Ok(false);
    };
    if !stream {
        let message = "`stream_options` is only for `stream: true`";
        return Err(ApiError::value("stream_options", message));
    }
    options.flag("include_obfuscation")?;
    Ok(options.flag("include_usage")?.unwrap_or(false))
}

/// A fraction in millionths; absent is 1.
fn millionths(fraction: Option<f64>) -> u32 {
    let scaled = fraction.map_or(1_000_000.0, |fraction| (fraction * 1_000_000.0).round());
    // The range was checked, so nothing is cut off.
    scaled as u32
}

const TOKENS: u32 = TOKENS_MAX as u32;

/// The parameters that are read. All others are skipped.
const KNOWN: &[&str] = &[
    "audio",
    "best_of",
    "echo",
    "frequency_penalty",
    "function_call",
    "functions",
    "grammar",
    "ignore_eos",
    "json_schema",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "min_p",
    "min_tokens",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt",
    "repeat_penalty",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "typical_p",
];
