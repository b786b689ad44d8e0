//! The messages of a chat.

use super::fields::{Fields, Kind, is_empty, kind};
use crate::error::ApiError;
use messages::limits::MESSAGES_MAX;
use messages::{List, Message, Role, Text};
use serde_json::value::RawValue;

/// Parts of one message's content: more come of a mistake.
const PARTS_MAX: usize = 1024;

/// Reads `messages`.
pub(super) fn messages(fields: &Fields<'_>) -> Result<List<Message, MESSAGES_MAX>, ApiError> {
    let wanted = format!("`messages` must be an array of 1 to {MESSAGES_MAX} messages");
    let raw: Option<List<&RawValue, MESSAGES_MAX>> = fields.typed("messages", &wanted)?;
    let raw = raw.unwrap_or_default();
    if raw.is_empty() {
        return Err(ApiError::value("messages", &wanted));
    }
    let read: Result<Vec<Message>, ApiError> = raw
        .iter()
        .enumerate()
        .map(|(at, value)| message(at, value))
        .collect();
    Ok(List::truncated(read?))
}

fn message(at: usize, value: &RawValue) -> Result<Message, ApiError> {
    let fields = Fields::parse_at(format!("messages[{at}]"), value, KNOWN)?;
    let role = role(&fields)?;
    for name in ["tool_calls", "function_call", "audio"] {
        if fields.raw(name).is_some_and(|value| !is_empty(value)) {
            let message = format!("`{name}` of a message is not supported: leave it out");
            return Err(ApiError::unsupported(&fields.path(name), &message));
        }
    }
    let content = match fields.kind("content") {
        Some(Kind::Text) => fields.string("content")?.unwrap_or_default(),
        Some(Kind::Array) => parts(&fields)?,
        None if role == Role::Assistant => String::new(),
        Some(Kind::Number | Kind::Flag | Kind::Object) | None => return Err(no_content(&fields)),
    };
    Ok(Message {
        role,
        content: Text::from(content),
    })
}

fn role(fields: &Fields<'_>) -> Result<Role, ApiError> {
    match fields.string("role")?.as_deref() {
        Some("system" | "developer") => Ok(Role::System),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool") => Ok(Role::Tool),
        Some(_) | None => {
            let wanted = "the role of a message must be system, developer, user, assistant or tool";
            Err(ApiError::value(&fields.path("role"), wanted))
        }
    }
}

/// The texts of all parts, one behind the other, with nothing between that nobody wrote.
fn parts(fields: &Fields<'_>) -> Result<String, ApiError> {
    let path = fields.path("content");
    let wanted = format!("`{path}` must be a string or an array of at most {PARTS_MAX} parts");
    let raw: Option<List<&RawValue, PARTS_MAX>> = fields.typed("content", &wanted)?;
    let mut text = String::new();
    for (at, part) in raw.iter().flat_map(|parts| parts.iter()).enumerate() {
        if kind(part) != Kind::Object {
            return Err(ApiError::value(&format!("{path}[{at}]"), &wanted));
        }
        let part = Fields::parse_at(format!("{path}[{at}]"), part, &["type", "text"])?;
        if part.string("type")?.as_deref() != Some("text") {
            let message = "only parts of type `text` are supported: send no images, audio or files";
            return Err(ApiError::value(&part.path("type"), message));
        }
        match part.string("text")? {
            Some(more) => text.push_str(&more),
            None => {
                let message = "a part of type `text` must have a `text`";
                return Err(ApiError::value(&part.path("text"), message));
            }
        }
    }
    Ok(text)
}

fn no_content(fields: &Fields<'_>) -> ApiError {
    let path = fields.path("content");
    let wanted = format!("`{path}` must be a string or an array of parts");
    ApiError::value(&path, &wanted)
}

const KNOWN: &[&str] = &["audio", "content", "function_call", "role", "tool_calls"];
