//! The OpenAI-compatible HTTP server and the management API, as one driver.
//!
//! ```text
//! connection ─▶ guard (Host, Origin, key) ─▶ route ─▶ ask (parse) ─▶ Start(RequestProxy)
//!      ▲                                                                  │ Gateway::Command
//!      └── reply (whole JSON, or an event stream) ◀── lane (bounded) ◀── HttpGateway::turn
//! ```
//!
//! [`Front`] owns the two listening sockets and all that outlives a crash of the driver; a new
//! life of [`HttpGateway`] accepts from the same sockets. What a client sees is in [`HttpConfig`]
//! and, for `GET /api/status`, in [`status_json`].

mod api;
mod ask;
mod call;
mod completion;
mod config;
mod error;
mod front;
mod gateway;
mod guard;
mod lane;
mod management;
mod records;
mod refusal;
mod render;
mod reply;
mod server;
mod shared;
mod socket;
mod sse;
mod status;
mod trace;

#[cfg(test)]
mod tests;

pub use config::{API_FLAG, ApiKey, CONSOLE_FLAG, HttpConfig, HttpLimits, Readiness};
pub use front::{Addresses, Front};
pub use gateway::HttpGateway;
pub use shared::{
    decision_name, meant_network, mode_name, permission_json, permissions_json, policy_name,
    prompt_json, prompts_json, settings_json,
};
pub use status::status_json;
