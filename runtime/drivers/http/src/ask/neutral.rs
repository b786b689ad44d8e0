//! Parameters that would change the output and are not honoured: only the values that many clients
//! always send, and that change nothing, are taken.

use super::Shape;
use super::fields::{Fields, Kind, is_empty};
use crate::error::ApiError;
use serde_json::value::RawValue;

/// Refuses the first parameter with a value that would have to be honoured.
pub(super) fn check(shape: Shape, fields: &Fields<'_>) -> Result<(), ApiError> {
    for (name, neutral, wanted) in COMMON {
        one(fields, name, *neutral, wanted)?;
    }
    let own = match shape {
        Shape::Chat => CHAT,
        Shape::Text => TEXT,
    };
    for (name, neutral, wanted) in own {
        one(fields, name, *neutral, wanted)?;
    }
    Ok(())
}

type Rule = (&'static str, fn(&RawValue) -> bool, &'static str);

fn one(
    fields: &Fields<'_>,
    name: &str,
    neutral: fn(&RawValue) -> bool,
    wanted: &str,
) -> Result<(), ApiError> {
    let Some(value) = fields.raw(name) else {
        return Ok(());
    };
    if neutral(value) {
        return Ok(());
    }
    let message = format!("`{name}` is not supported yet, except {wanted}: leave it out");
    Err(ApiError::unsupported(name, &message))
}

/// What both routes take.
const COMMON: &[Rule] = &[
    ("n", is_one, "1"),
    ("presence_penalty", is_zero, "0"),
    ("frequency_penalty", is_zero, "0"),
    ("logit_bias", is_nothing, "{}"),
    // Of other servers of this API, and known to many clients.
    ("top_k", is_no_limit, "0 or -1"),
    ("min_p", is_zero, "0"),
    ("typical_p", is_one, "1"),
    ("repetition_penalty", is_one, "1"),
    ("repeat_penalty", is_one, "1"),
    ("grammar", is_no_text, "\"\""),
    ("json_schema", is_nothing, "{}"),
    ("ignore_eos", is_false, "false"),
    ("min_tokens", is_zero, "0"),
];

/// What the chat route takes.
const CHAT: &[Rule] = &[
    ("logprobs", is_false, "false"),
    ("top_logprobs", is_zero, "0"),
    ("response_format", is_text_format, "{\"type\": \"text\"}"),
    ("tools", is_nothing, "[]"),
    (
        "tool_choice",
        is_no_choice,
        "\"none\", or \"auto\" without tools",
    ),
    (
        "parallel_tool_calls",
        is_flag,
        "true or false without tools",
    ),
    ("functions", is_nothing, "[]"),
    (
        "function_call",
        is_no_choice,
        "\"none\", or \"auto\" without functions",
    ),
    ("modalities", is_text_only, "[\"text\"]"),
    ("audio", never, "null"),
];

/// What the text route takes.
const TEXT: &[Rule] = &[
    ("logprobs", is_false, "null"),
    ("best_of", is_one, "1"),
    ("echo", is_false, "false"),
    ("suffix", is_no_text, "\"\""),
];

fn number(value: &RawValue) -> Option<f64> {
    serde_json::from_str(value.get()).ok()
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn is_one(value: &RawValue) -> bool {
    number(value) == Some(1.0)
}

fn is_zero(value: &RawValue) -> bool {
    number(value) == Some(0.0)
}

/// What other servers take for "all tokens".
fn is_no_limit(value: &RawValue) -> bool {
    matches!(number(value), Some(0.0 | -1.0))
}

fn is_false(value: &RawValue) -> bool {
    value.get() == "false"
}

fn is_flag(value: &RawValue) -> bool {
    super::fields::kind(value) == Kind::Flag
}

fn is_nothing(value: &RawValue) -> bool {
    is_empty(value)
}

fn is_no_text(value: &RawValue) -> bool {
    text(value).as_deref() == Some("")
}

fn is_no_choice(value: &RawValue) -> bool {
    matches!(text(value).as_deref(), Some("none" | "auto"))
}

fn is_text_only(value: &RawValue) -> bool {
    let wanted: Option<Vec<String>> = serde_json::from_str(value.get()).ok();
    wanted.is_some_and(|wanted| wanted == ["text"])
}

fn is_text_format(value: &RawValue) -> bool {
    let Ok(format) = Fields::parse(value.get(), &["type"]) else {
        return false;
    };
    matches!(format.string("type"), Ok(Some(kind)) if kind == "text")
}

const fn never(_: &RawValue) -> bool {
    false
}
