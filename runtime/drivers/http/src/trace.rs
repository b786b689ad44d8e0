//! W3C trace context: the id under which a client follows its request.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use messages::TraceContext;

/// What `traceparent` says. What is malformed or said twice counts as absent, as the standard wants
/// it.
pub(crate) fn given(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    TraceContext::parse(value.to_str().ok()?)
}

/// The header that tells the client in which trace, and under which span of it, this node answered:
/// the span is made of the request's id, which is in this node's own lines.
pub(crate) fn response(trace: TraceContext) -> Option<HeaderValue> {
    HeaderValue::from_str(&trace.to_string()).ok()
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
