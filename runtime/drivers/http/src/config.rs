//! What the server is told at its start.

use messages::{Digest, NodeId};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The command line's name for [`HttpConfig::api`].
pub const API_FLAG: &str = "--api";
/// The command line's name for [`HttpConfig::console`].
pub const CONSOLE_FLAG: &str = "--console";

/// What the server is told at its start.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where the OpenAI-compatible API listens; port 0 takes any.
    pub api: SocketAddr,
    /// Where the management API listens; port 0 takes any.
    pub console: SocketAddr,
    /// This node.
    pub me: NodeId,
    /// The node's durable boot counter: the first half of every request's id.
    pub boot: u64,
    /// Drawn anew at each boot: from it come the traces of requests that bring none.
    pub trace_seed: [u8; 32],
    /// The program's version, for the status.
    pub version: String,
    /// What clients must present. Required where a listener is reachable from other machines.
    pub api_key: Option<ApiKey>,
    /// Host names, besides `localhost`, under which clients may call.
    pub names: Vec<String>,
    /// What `/readyz` answers.
    pub ready: Readiness,
    /// Sizes and times.
    pub limits: HttpLimits,
}

/// Sizes and times of the server, each with its reason at [`HttpLimits::DEFAULT`].
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// From the first wait for a request to the end of its head.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// From arrival to the last byte of the answer.
    pub total_time: Duration,
    /// How long a client may take nothing of what is written to it.
    pub stall_time: Duration,
    /// Silence on an open event stream after which a comment is sent.
    pub keep_alive: Duration,
    /// Connections per listener.
    pub connections: usize,
    /// Completions in progress.
    pub requests: usize,
}

impl HttpLimits {
    /// The limits of a node that was not told others.
    pub const DEFAULT: Self = Self {
        // A largest prompt (960 KiB), most of its characters escaped.
        body_bytes: 4 << 20,
        // What comparable servers take.
        head_bytes: 64 << 10,
        // Also how long an idle connection is kept: longer than common clients keep theirs.
        head_time: Duration::from_secs(30),
        // A largest body over a slow line.
        body_time: Duration::from_secs(30),
        // The time-out of the common client libraries.
        total_time: Duration::from_secs(600),
        // As long as a worker waits for a full consumer.
        stall_time: Duration::from_secs(30),
        // Under the idle time-out of every common proxy.
        keep_alive: Duration::from_secs(10),
        // Half the descriptors of a usual process, for each of two listeners a quarter.
        connections: 2_048,
        // One letter of each fits the gateway's mailbox twice.
        requests: 4_096,
    };
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A client's key. Only its digest is kept, so it can be neither printed nor logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKey(Digest);

impl ApiKey {
    /// The key as it is written in a file.
    ///
    /// # Errors
    /// A sentence where it is empty, or cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("an API key is one line of visible ASCII characters".to_owned());
        }
        Ok(Self::digest(text))
    }

    /// Whether `given` is the key. The time that it takes says nothing about the key: digests are
    /// compared, and all of them.
    pub(crate) fn matches(&self, given: &str) -> bool {
        let given = Self::digest(given);
        let differing = self
            .0
            .0
            .iter()
            .zip(given.0.0)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        differing == 0
    }

    /// What salts this key's prefix reuse.
    pub(crate) const fn salt(&self) -> &[u8; 32] {
        &self.0.0
    }

    fn digest(text: &str) -> Self {
        Self(Digest::of("mesh-node api key", &[text.as_bytes()]))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

/// Whether the node can serve, as `/readyz` tells it. Shared: the node writes, the server reads.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<Option<String>>>);

impl Readiness {
    /// Not ready, for this reason.
    #[must_use]
    pub fn not_yet(why: &str) -> Self {
        Self(Arc::new(Mutex::new(Some(why.to_owned()))))
    }

    /// The node can serve.
    pub fn set_ready(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The node cannot serve, for this reason.
    pub fn set_not_ready(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Why the node cannot serve; nothing where it can.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
