//! From a request's head to its answer: routes, and the body within its limits.

use crate::ask::{Ask, Shape};
use crate::call::Gate;
use crate::completion::{self, Arrival};
use crate::error::ApiError;
use crate::front::{Side, model_json};
use crate::records::{self, About};
use crate::reply::{Reply, json};
use crate::trace::TRACERESPONSE;
use crate::{guard, management, trace};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use messages::RequestId;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::timeout;

/// The longest `x-request-id` of a client that is echoed.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Health,
    Ready,
    Status,
    Records(About<'a>),
    Models,
    Model(&'a str),
    Complete(Shape),
}

/// Answers one request.
pub(crate) async fn serve(
    gate: Arc<Gate>,
    side: Side,
    request: Request<Incoming>,
) -> Response<Reply> {
    let (id, at) = (gate.front.mint(), gate.port.now());
    let given = trace::given(request.headers());
    if let Some(given) = given {
        let (trace, parent) = (given.trace_id(), given.parent_id());
        tracing::debug!(request = %id, %trace, %parent, "a request of a client's trace");
    }
    let trace = given.unwrap_or_else(|| gate.front.begin_trace());
    let trace = trace.under(id.span());
    let arrival = Arrival { id, at, trace };
    let echo = request_id(request.headers(), id);
    let mut unread = !request.body().is_end_stream();
    let mut response = match answer(&gate, side, arrival, request, &mut unread).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = error.into_response();
            if unread {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            response
        }
    };
    let took = gate.port.now().mono.since(arrival.at.mono);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, echo);
    if let Some(traced) = trace::response(arrival.trace) {
        headers.insert(TRACERESPONSE, traced);
    }
    headers.insert(PROCESSING_MS, HeaderValue::from(took.as_millis()));
    response
}

/// `unread` becomes false once the whole body was taken.
async fn answer(
    gate: &Arc<Gate>,
    side: Side,
    arrival: Arrival,
    request: Request<Incoming>,
    unread: &mut bool,
) -> Result<Response<Reply>, ApiError> {
    let (parts, body) = request.into_parts();
    guard::host(&gate.front, side, &parts.uri, &parts.headers)?;
    let route = route(side, parts.uri.path());
    // A page's preflight carries no key, and its answer gives nothing away.
    let open = matches!(route, Some(Route::Health | Route::Ready));
    if !open && parts.method != Method::OPTIONS {
        guard::key(&gate.front, side, &parts.headers)?;
    }
    let Some(route) = route else {
        return Err(no_route(side));
    };
    allow(route, &parts.method)?;
    match route {
        Route::Health => Ok(management::health()),
        Route::Ready => Ok(management::ready(gate)),
        Route::Status => management::status(gate).await,
        Route::Records(about) => {
            if parts.method == Method::POST {
                guard::json(&parts.headers)?;
            }
            let body = read(gate, &parts.headers, body).await?;
            *unread = false;
            records::serve(gate, about, &parts.method, parts.uri.query(), &body).await
        }
        Route::Models => Ok(json(StatusCode::OK, gate.front.models().rendered())),
        Route::Model(id) => model(gate, id),
        Route::Complete(shape) => {
            let body = read(gate, &parts.headers, body).await?;
            *unread = false;
            let ask = Ask::parse(shape, &body)?;
            drop(body);
            completion::run(gate, arrival, ask).await
        }
    }
}

fn route(side: Side, path: &str) -> Option<Route<'_>> {
    match (side, path) {
        (_, "/health") => Some(Route::Health),
        (_, "/readyz") => Some(Route::Ready),
        (Side::Console, "/api/status") => Some(Route::Status),
        (Side::Api, "/v1/models") => Some(Route::Models),
        (Side::Api, "/v1/chat/completions") => Some(Route::Complete(Shape::Chat)),
        (Side::Api, "/v1/completions") => Some(Route::Complete(Shape::Text)),
        (Side::Api, path) => path.strip_prefix("/v1/models/").map(Route::Model),
        (Side::Console, path) => records::about(path).map(Route::Records),
    }
}

fn no_route(side: Side) -> ApiError {
    let message = match side {
        Side::Api => {
            "there is no such route here: this port answers GET /v1/models, GET /v1/models/{id}, \
             POST /v1/chat/completions, POST /v1/completions, GET /health and GET /readyz"
        }
        Side::Console => {
            "there is no such route here: this port answers GET /api/status, /api/prompts, \
             /api/prompts/{id}, /api/permissions, /api/permissions/{tool}, /api/network, \
             GET /health and GET /readyz"
        }
    };
    let error = ApiError::request(StatusCode::NOT_FOUND, "not_found", message);
    ApiError {
        kind: "not_found_error",
        ..error
    }
}

fn allow(route: Route<'_>, method: &Method) -> Result<(), ApiError> {
    let allowed: &[Method] = match route {
        Route::Complete(_) => &[Method::POST],
        Route::Records(about) => records::methods(about),
        Route::Health | Route::Ready | Route::Status | Route::Models | Route::Model(_) => {
            &[Method::GET, Method::HEAD]
        }
    };
    if allowed.contains(method) {
        return Ok(());
    }
    let methods: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let methods = methods.join(", ");
    let mut message = format!("this route takes {methods}");
    if method == Method::OPTIONS {
        message.push_str(": pages of another origin may not call it, so no preflight is answered");
    }
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let error = ApiError::request(status, "method_not_allowed", &message);
    Err(ApiError {
        allow: Some(methods),
        ..error
    })
}

fn model(gate: &Gate, id: &str) -> Result<Response<Reply>, ApiError> {
    let models = gate.front.models();
    let id = percent_decoded(id).ok_or_else(|| ApiError::unknown_model(id))?;
    let advert = models
        .find(&id)
        .ok_or_else(|| ApiError::unknown_model(&id))?;
    let body = model_json(advert, gate.front.since()).to_string();
    Ok(json(StatusCode::OK, Bytes::from(body)))
}

/// The whole body, within its limits of size and time.
async fn read(gate: &Gate, headers: &HeaderMap, body: Incoming) -> Result<Bytes, ApiError> {
    let limits = gate.front.config().limits;
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !plain(value))
    {
        let message = "send the body as it is, without a Content-Encoding";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::request(status, "unsupported_encoding", message));
    }
    let collected = timeout(limits.body_time, collect(body, limits.body_bytes));
    collected.await.unwrap_or_else(|_| {
        let message = "the body did not arrive in time: send it again";
        Err(ApiError::request(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            message,
        ))
    })
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        let message = format!("the body exceeds {most} bytes: shorten the request");
        ApiError::request(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", &message)
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let part = match frame {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(_)) => {
                let message = "the body is broken off, or not chunked as it says";
                return Err(ApiError::request(
                    StatusCode::BAD_REQUEST,
                    "invalid_body",
                    message,
                ));
            }
        };
        // Most bodies come in one part, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = part;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&part);
        }
        if first.len().max(rest.len()) > most {
            return Err(too_large());
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        Bytes::from(rest)
    })
}

/// A client's own id where it is one, else the request's.
fn request_id(headers: &HeaderMap, id: RequestId) -> HeaderValue {
    let own = headers.get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        let plain = bytes.iter().all(u8::is_ascii_graphic);
        plain && (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
    });
    own.cloned().unwrap_or_else(|| {
        let text = id.to_string();
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from(id.n))
    })
}

/// The text behind `%41`; nothing where that is no UTF-8, or a sequence is broken.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
