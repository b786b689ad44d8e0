//! Who may ask: checked before anything of the body is read.

use crate::config::HttpConfig;
use crate::error::ApiError;
use crate::front::{Front, Side};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{StatusCode, Uri};
use std::net::{IpAddr, SocketAddr};

/// Names the host of a request, and of the page that it comes from. A page of a foreign name that
/// resolves to this machine would otherwise speak for its visitor.
///
/// # Errors
/// A host that is not this node.
pub(crate) fn host(
    front: &Front,
    side: Side,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let config = front.config();
    let bound = front.address(side);
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        let message = "exactly one Host header must name this node";
        return Err(ApiError::request(
            StatusCode::BAD_REQUEST,
            "invalid_host",
            message,
        ));
    };
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    for named in [Some(host.as_bytes()), authority].into_iter().flatten() {
        if !is_ours(named, config, bound) {
            let message = "the Host header names another host than this node: use localhost or \
                           the address that it listens on, or add the name to its configuration";
            return Err(forbidden("invalid_host", message));
        }
    }
    for origin in headers.get_all(header::ORIGIN) {
        let named = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"));
        if !named.is_some_and(|(_, named)| is_ours(named.as_bytes(), config, bound)) {
            let message = "the Origin header names another site than this node: pages of other \
                           sites may not call it";
            return Err(forbidden("invalid_origin", message));
        }
    }
    Ok(())
}

/// Whether a body is said to be JSON. A page of another origin may send other bodies without being
/// asked first.
///
/// # Errors
/// It is said to be something else.
pub(crate) fn json(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next();
    if kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json")) {
        return Ok(());
    }
    let message = "send a JSON body, with Content-Type: application/json";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(ApiError::request(status, "unsupported_content", message))
}

/// Whether the client may use this listener.
///
/// # Errors
/// A key is wanted, and was not given.
pub(crate) fn key(front: &Front, side: Side, headers: &HeaderMap) -> Result<(), ApiError> {
    let wanted = match side {
        Side::Api => front.config().api_key,
        Side::Console => front
            .config()
            .api_key
            .filter(|_| !front.address(side).ip().is_loopback()),
    };
    let Some(wanted) = wanted else { return Ok(()) };
    let given = given(headers);
    if given.is_some_and(|given| wanted.matches(given)) {
        return Ok(());
    }
    let message = match given {
        Some(_) => "this is not the API key of this node",
        None => "this node wants its API key: send it as `Authorization: Bearer KEY`",
    };
    Err(ApiError::request(
        StatusCode::UNAUTHORIZED,
        "invalid_api_key",
        message,
    ))
}

/// The key in `Authorization: Bearer`, or in `x-api-key` as some clients send it.
fn given(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let plain = headers.get(API_KEY).and_then(|value| value.to_str().ok());
    bearer.or_else(|| plain.map(str::trim))
}

/// Whether `host`, with or without a port, is a name of this node.
fn is_ours(host: &[u8], config: &HttpConfig, bound: SocketAddr) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let Some(host) = without_port(host) else {
        return false;
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        // A literal address cannot be made to resolve to another one.
        Ok(ip) => ip.is_loopback() || ip == bound.ip() || bound.ip().is_unspecified(),
        Err(_) => {
            host.eq_ignore_ascii_case("localhost")
                || config
                    .names
                    .iter()
                    .any(|name| host.eq_ignore_ascii_case(name))
        }
    }
}

fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            (
                name,
                if port.is_empty() {
                    None
                } else {
                    Some(port.strip_prefix(':')?)
                },
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let digits = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    (digits && !name.is_empty()).then_some(name)
}

fn forbidden(code: &'static str, message: &str) -> ApiError {
    let error = ApiError::request(StatusCode::FORBIDDEN, code, message);
    ApiError {
        kind: "permission_error",
        ..error
    }
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
