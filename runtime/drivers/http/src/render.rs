//! Answers as bytes: the whole object, and the chunks of a stream.

use crate::ask::Shape;
use crate::error::ApiError;
use bytes::Bytes;
use messages::ports::gateway::Seam;
use messages::request_proxy::Failure;
use messages::{EndReason, ModelAdvert, RequestId, Usage, Wall};
use serde::Serialize;
use serde_json::{Value, json};

/// What all parts of one answer have in common.
#[derive(Debug)]
pub(crate) struct Answer {
    shape: Shape,
    id: String,
    created: u64,
    model: String,
    fingerprint: Option<String>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) reason: EndReason,
    pub(crate) usage: Usage,
    pub(crate) seam: Seam,
}

/// Writes the events of one stream. What is the same in each is written once.
#[derive(Debug)]
pub(crate) struct Events {
    answer: Answer,
    include_usage: bool,
    /// Up to the list of choices.
    before: String,
}

impl Answer {
    pub(crate) fn new(shape: Shape, id: RequestId, created: Wall, model: &str) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl",
            Shape::Text => "cmpl",
        };
        Self {
            shape,
            id: format!("{prefix}-{id}"),
            created: created.as_secs(),
            model: model.to_owned(),
            fingerprint: None,
        }
    }

    /// Names what draws the tokens: a client sees that a seed may give other text.
    pub(crate) fn serves(&mut self, advert: &ModelAdvert) {
        self.fingerprint = Some(format!("fp_{:016x}", advert.compute.digest.short()));
    }

    /// Why there is no answer.
    pub(crate) fn error(&self, failure: &Failure) -> ApiError {
        ApiError::of(failure, &self.model, self.shape.prompt_param())
    }

    /// The whole answer.
    pub(crate) fn whole(&self, text: &[u8], ending: Ending) -> String {
        let text = String::from_utf8_lossy(text);
        let reason = reason(ending.reason);
        let (object, choice) = match self.shape {
            Shape::Chat => (
                "chat.completion",
                json!({
                    "index": 0,
                    "message": { "role": "assistant", "content": text, "refusal": null },
                    "logprobs": null,
                    "finish_reason": reason,
                }),
            ),
            Shape::Text => (
                "text_completion",
                json!({
                    "index": 0,
                    "text": text,
                    "logprobs": null,
                    "finish_reason": reason,
                }),
            ),
        };
        let mut body = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": [choice],
            "usage": usage(ending.usage),
        });
        if let (Some(mesh), Some(fields)) = (seam(ending.seam), body.as_object_mut()) {
            fields.insert("mesh".to_owned(), mesh);
        }
        body.to_string()
    }
}

impl Events {
    pub(crate) fn new(answer: Answer, include_usage: bool) -> Self {
        let object = match answer.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Text => "text_completion",
        };
        let before = format!(
            "data: {{\"id\":{},\"object\":\"{object}\",\"created\":{},\"model\":{},\
             \"system_fingerprint\":{},\"choices\":[",
            quoted(&answer.id),
            answer.created,
            quoted(&answer.model),
            quoted(&answer.fingerprint),
        );
        Self {
            answer,
            include_usage,
            before,
        }
    }

    /// What comes before any text.
    pub(crate) fn role(&self, out: &mut Vec<u8>) {
        match self.answer.shape {
            Shape::Chat => {
                let delta = b"{\"role\":\"assistant\",\"content\":\"\"}";
                self.choice(out, |out| out.extend_from_slice(delta), None, None);
            }
            Shape::Text => {}
        }
    }

    pub(crate) fn text(&self, text: &Bytes, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(text);
        let write = |out: &mut Vec<u8>| match self.answer.shape {
            Shape::Chat => {
                out.extend_from_slice(b"{\"content\":");
                write_json(&text, out);
                out.push(b'}');
            }
            Shape::Text => write_json(&text, out),
        };
        self.choice(out, write, None, None);
    }

    /// The finishing chunk, the usage where it was asked for, and the end mark.
    pub(crate) fn end(&self, ending: Ending, out: &mut Vec<u8>) {
        let nothing = |out: &mut Vec<u8>| {
            out.extend_from_slice(match self.answer.shape {
                Shape::Chat => b"{}",
                Shape::Text => b"\"\"",
            });
        };
        let mesh = seam(ending.seam);
        self.choice(out, nothing, Some(reason(ending.reason)), mesh.as_ref());
        if self.include_usage {
            out.extend_from_slice(self.before.as_bytes());
            out.extend_from_slice(b"],\"usage\":");
            write_json(&usage(ending.usage), out);
            self.close(out, mesh.as_ref());
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// The stream ends without its end mark.
    pub(crate) fn error(&self, failure: &Failure, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        write_json(&self.answer.error(failure).object(), out);
        out.extend_from_slice(b"\n\n");
    }

    fn choice(
        &self,
        out: &mut Vec<u8>,
        content: impl FnOnce(&mut Vec<u8>),
        reason: Option<&str>,
        mesh: Option<&Value>,
    ) {
        out.extend_from_slice(self.before.as_bytes());
        out.extend_from_slice(match self.answer.shape {
            Shape::Chat => b"{\"index\":0,\"delta\":",
            Shape::Text => b"{\"index\":0,\"text\":",
        });
        content(out);
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        write_json(&reason, out);
        out.extend_from_slice(b"}]");
        if self.include_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        self.close(out, mesh);
    }

    fn close(&self, out: &mut Vec<u8>, mesh: Option<&Value>) {
        if let Some(mesh) = mesh {
            out.extend_from_slice(b",\"mesh\":");
            write_json(mesh, out);
        }
        out.extend_from_slice(b"}\n\n");
    }
}

const fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Stop => "stop",
        EndReason::Length => "length",
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": u64::from(usage.prompt) + u64::from(usage.completion),
    })
}

/// What is said of an answer that several holders gave and none alone would have.
fn seam(seam: Seam) -> Option<Value> {
    let drawn_anew = seam.holders > 1 && !seam.exact;
    drawn_anew.then(|| json!({ "holders": seam.holders, "exact": false }))
}

fn quoted(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Text and plain objects always have a JSON form, and memory takes it.
fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}
