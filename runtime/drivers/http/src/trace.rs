//! W3C trace context: the id under which a client follows its request.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use messages::RequestId;

/// A client's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace<'a> {
    /// 32 lowercase hexadecimal digits.
    pub(crate) id: &'a str,
    flags: &'a str,
}

impl<'a> Trace<'a> {
    /// The trace that `traceparent` names. What is malformed counts as absent, as the standard
    /// wants it; of a later version, what this one knows is read.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return None;
        };
        let mut parts = value.to_str().ok()?.split('-');
        let (version, id) = (parts.next()?, parts.next()?);
        let (parent, flags) = (parts.next()?, parts.next()?);
        let known = is_hex(version, 2) && version != "ff";
        let alone = version != "00" || parts.next().is_none();
        let ids = is_id(id, 32) && is_id(parent, 16);
        (known && alone && ids && is_hex(flags, 2)).then_some(Self { id, flags })
    }

    /// The header that tells the client under which span of its trace this node answered: the
    /// request's id, which is in this node's own lines.
    pub(crate) fn response(&self, request: RequestId) -> Option<HeaderValue> {
        let (boot, n) = (request.boot & LOW, request.n & LOW);
        let text = format!("00-{}-{boot:08x}{n:08x}-{}", self.id, self.flags);
        HeaderValue::from_str(&text).ok()
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(lower)
}

/// An id of zeros is none.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

/// Half of a span's id.
const LOW: u64 = 0xFFFF_FFFF;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
