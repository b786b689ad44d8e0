//! What goes wrong, as a client sees it: a status and the field's error object, all keys present.

use crate::reply::{Reply, json};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use messages::request_proxy::Failure;
use serde_json::{Value, json};

/// The longest wait that a client is asked for: beyond it the common libraries do not retry.
const RETRY_MS_MAX: u32 = 120_000;
/// The wait that is asked for where nothing better is known.
const RETRY_MS: u32 = 1_000;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u32>,
    /// The methods that the route takes.
    pub(crate) allow: Option<String>,
}

impl ApiError {
    /// An error that the request itself causes.
    pub(crate) fn request(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self {
            status,
            kind: "invalid_request_error",
            code,
            param: None,
            message: message.to_owned(),
            retry_after_ms: None,
            allow: None,
        }
    }

    /// A parameter has a wrong value.
    pub(crate) fn value(param: &str, message: &str) -> Self {
        Self::request(StatusCode::BAD_REQUEST, "invalid_value", message).about(param)
    }

    /// A parameter would change the output, and is not honoured.
    pub(crate) fn unsupported(param: &str, message: &str) -> Self {
        Self::request(StatusCode::BAD_REQUEST, "unsupported_parameter", message).about(param)
    }

    /// An error that this node or its mesh causes.
    pub(crate) fn server(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self {
            kind: "server_error",
            ..Self::request(status, code, message)
        }
    }

    /// There is no room now.
    pub(crate) fn overloaded(what: &str) -> Self {
        let message = format!("{what}: try again after the time in Retry-After");
        Self::server(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            &message,
        )
        .again_in(RETRY_MS)
    }

    /// The time for the request is over.
    pub(crate) fn timeout() -> Self {
        let message = "the request's time is over: ask for fewer tokens, or try again";
        Self::server(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// Names the parameter.
    pub(crate) fn about(self, param: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..self
        }
    }

    fn again_in(self, millis: u32) -> Self {
        Self {
            retry_after_ms: Some(millis.clamp(1, RETRY_MS_MAX)),
            ..self
        }
    }

    /// Why a request failed. `prompt` names the parameter that holds the prompt.
    pub(crate) fn of(failure: &Failure, model: &str, prompt: &str) -> Self {
        match failure {
            Failure::UnknownModel => Self::unknown_model(model),
            Failure::ContextExceeded {
                context,
                prompt: tokens,
            } => {
                let message = format!(
                    "This model's maximum context length is {context} tokens, and the prompt has \
                     {tokens}: shorten it, or ask for fewer tokens"
                );
                Self::request(StatusCode::BAD_REQUEST, "context_length_exceeded", &message)
                    .about(prompt)
            }
            Failure::Busy { retry_after_ms } => {
                Self::overloaded("every holder of the model is full").again_in(*retry_after_ms)
            }
            Failure::Unsupported(why) => {
                Self::request(StatusCode::BAD_REQUEST, "unsupported_parameter", why)
            }
            Failure::HoldersLost { attempts: 0 } => {
                Self::overloaded("no live node serves the model at this moment")
            }
            Failure::HoldersLost { attempts } => {
                let message = format!(
                    "the nodes that served the request failed ({attempts} tried) and no other is \
                     left: try again"
                );
                Self::server(StatusCode::BAD_GATEWAY, "peer_failed", &message)
            }
            Failure::DeadlineExceeded => Self::timeout(),
            Failure::Stopping => Self::overloaded("this node is stopping"),
            Failure::Internal => {
                let message = "this node lost the request by a defect of its own: try again, and \
                               report it with the x-request-id";
                Self::server(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
            }
        }
    }

    /// There is no such model.
    pub(crate) fn unknown_model(model: &str) -> Self {
        let message = format!(
            "the model `{model}` is served neither by this node nor by a live peer: \
             GET /v1/models lists those that are"
        );
        Self::request(StatusCode::NOT_FOUND, "model_not_found", &message).about("model")
    }

    /// The error object, as it stands in a body or in an event.
    pub(crate) fn object(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }

    pub(crate) fn into_response(self) -> Response<Reply> {
        let mut response = json(self.status, self.object().to_string().into());
        let headers = response.headers_mut();
        if let Some(millis) = self.retry_after_ms {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(millis.div_ceil(1_000)),
            );
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
        }
        if let Some(Ok(methods)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::ALLOW, methods);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
