//! What the HTTP layer refuses before it has a request: the same status, with the error object that
//! every other refusal has.
//!
//! The layer writes such an answer by itself, without a body and outside of the service; the
//! connection's socket is the only place that sees it.

use crate::api::REQUEST_ID;
use crate::error::ApiError;
use hyper::StatusCode;
use messages::RequestId;

/// What the layer's own answers begin with.
const BEGIN: &[u8] = b"HTTP/1.1 4";
/// What each of them has. No part of a body of ours looks so: JSON holds no bare line ends.
const EMPTY: &[u8] = b"\r\ncontent-length: 0\r\n";

/// The whole answer for a write of the layer's own; none for what the service answers, which has
/// an id.
pub(crate) fn dressed(written: &[u8], id: impl FnOnce() -> RequestId) -> Option<Vec<u8>> {
    let own = written.starts_with(BEGIN)
        && written.ends_with(b"\r\n\r\n")
        && holds(written, EMPTY)
        && !holds(written, REQUEST_ID.as_str().as_bytes());
    own.then(|| written.get(9..12))
        .flatten()
        .and_then(|status| StatusCode::from_bytes(status).ok())
        .map(|status| answer(status, id()))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn answer(status: StatusCode, id: RequestId) -> Vec<u8> {
    let body = error(status).object().to_string();
    let reason = status.canonical_reason().unwrap_or_default();
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n{REQUEST_ID}: {id}\r\n\r\n{body}",
        status.as_u16(),
        body.len(),
    )
    .into_bytes()
}

fn error(status: StatusCode) -> ApiError {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            ApiError::request(
                status,
                "head_too_large",
                "the request's path and headers are too long or too many: send fewer, and put data \
                 in the body",
            )
        }
        _ => ApiError::request(
            status,
            "bad_request",
            "the request is not valid HTTP/1.1: look at its first line and its headers",
        ),
    }
}
