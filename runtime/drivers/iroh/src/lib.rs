//! The transport over iroh: one endpoint for all networks of a node.
//!
//! # Hermetic
//! No relay, no address lookup, no port mapper, no probe: packets go to the addresses of a dial,
//! and to those that a connected peer names for a better path. Early data is never sent and never
//! read before the handshake is over.
//!
//! # Streams of a link
//! Every stream begins with a [`Preface`](messages::wire::latest::Preface). The tag in it is made
//! from keying material that TLS exports under [`EXPORTER_LABEL`], so it names a network only to
//! whoever knows it.
//!
//! [`EXPORTER_LABEL`]: messages::wire::latest::EXPORTER_LABEL
//!
//! - **Control**: one bi-stream per session. Whoever sends first opens it and writes the preface;
//!   the other side answers on the same stream. If both open one at the same time, each sends on
//!   its own and reads both: nothing is lost or reordered. Frames are given to the session after
//!   its own first `Send`: before that it may not exist yet. The stream's end is the session's
//!   end; the link ends with its last session.
//! - **Job**: one bi-stream per job. The asking side writes the preface and the request, the
//!   serving side its replies. Cancel is a reset of both halves.
//! - **Gossip**, and streams in one direction, are refused.
//!
//! # Strangers
//! A link is a stranger's until a session sends `Admit` on it. A stranger gets
//! `EARLY_STREAMS_MAX` streams in all, small receive windows and `ADMISSION_WAIT`; strangers
//! together get `STRANGERS_MAX` links, those of one address `STRANGERS_PER_SOURCE_MAX`. Job streams
//! of strangers are reset unread.
//!
//! # After restart
//! Links and streams of an earlier life are closed. A `Send` that names one is answered by
//! `LinkDown`, from what [`Keepsake`] remembers; the port number stays the same.

mod control;
mod dial;
mod driver;
mod endpoint;
mod frames;
mod jobs;
mod keepsake;
mod line;
mod links;
mod outgoing;
mod reach;
mod serve;
mod shared;
mod upkeep;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use driver::IrohTransport;
pub use keepsake::{Counts, Keepsake};

/// What the transport is made of.
#[derive(Clone)]
pub struct IrohConfig {
    /// The node's ed25519 secret.
    pub secret_key: [u8; 32],
    /// Where to listen; port 0 takes any free one. Empty: every interface, any port.
    pub bind: Vec<SocketAddr>,
    /// Job streams that one admitted peer may hold open.
    pub max_jobs: u32,
    /// A link on which nothing arrives for this long is lost.
    pub idle_timeout: Duration,
    /// A link on which nothing is sent for this long sends a sign of life.
    pub keep_alive: Duration,
    /// What outlives a restart of the driver: give every life of one node the same.
    pub keepsake: Arc<Keepsake>,
}

impl IrohConfig {
    /// The usual times, for a node with this secret that listens there.
    #[must_use]
    pub fn new(secret_key: [u8; 32], bind: Vec<SocketAddr>) -> Self {
        Self {
            secret_key,
            bind,
            max_jobs: u32::try_from(messages::limits::JOBS_PER_PEER_MAX).unwrap_or(u32::MAX),
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: KEEP_ALIVE,
            keepsake: Arc::default(),
        }
    }
}

impl fmt::Debug for IrohConfig {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohConfig")
            .field("bind", &self.bind)
            .field("max_jobs", &self.max_jobs)
            .field("idle_timeout", &self.idle_timeout)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

/// Three signs of life fit in it, so one lost packet costs no link.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Under the 30 s after which the strictest home routers forget a mapping.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
