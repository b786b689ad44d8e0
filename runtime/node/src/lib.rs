//! A whole node: actors, drivers and home.
//!
//! [`Node::start`] takes a typed [`Config`] and gives a [`Node`]. Nothing here reads the
//! environment or the command line.

mod advert;
mod config;
mod duties;
mod factory;
mod listen;
mod lookout;
mod networks;
mod node;

pub use catalog;
pub use config::{Config, Engine};
pub use driver_control as control;
pub use driver_http::{
    ApiKey, decision_name, meant_network, mode_name, permission_json, permissions_json,
    policy_name, prompt_json, prompts_json, settings_json, status_json,
};
pub use driver_llama::{BUILTIN, ENGINE_MARKER, engine_main, gguf, locate};
pub use driver_store as store;
pub use networks::{JoinError, membership_of};
pub use node::{Node, StartError};

/// Whose key it is.
#[must_use]
pub fn id_of(signer: &driver_store::NodeSigner) -> messages::NodeId {
    kernel::Signer::node(signer)
}
