//! What a node is told at its start.

use messages::Neighbourhood;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which engine runs the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// llama.cpp, in a child process per device.
    Llama,
    /// Deterministic tokens, for tests and benchmarks.
    Scripted {
        /// Tokens per second of each job; 0 is as fast as possible.
        rate: u32,
    },
}

/// What a node is told at its start.
#[derive(Clone)]
pub struct Config {
    /// The node's folder: made where there is none.
    pub home: PathBuf,
    /// Where the control socket lies if the home's path is too long for one.
    pub runtime: PathBuf,
    /// Where the OpenAI-compatible API listens; port 0 takes any.
    pub api: SocketAddr,
    /// Where the management API listens; port 0 takes any.
    pub console: SocketAddr,
    /// Where peers connect (UDP). Empty: every interface, IPv4 and IPv6, on a port that the home
    /// remembers.
    pub listen: Vec<SocketAddr>,
    /// What this node serves: `builtin`, a `.gguf` path, a name in the models folder; `scripted`
    /// with the scripted engine.
    pub models: Vec<String>,
    /// Which engine runs them.
    pub engine: Engine,
    /// How many sessions it looks for in each network, and how many it keeps.
    pub neighbourhood: Neighbourhood,
    /// Tickets of networks to join, before the node starts.
    pub join: Vec<String>,
    /// What clients must present; required where a listener is reachable from other machines.
    pub api_key: Option<String>,
    /// How the engine's child process is started; empty: `llama` cannot be used.
    pub engine_command: Vec<String>,
    /// The program's version, for status and adverts.
    pub version: String,
}

impl fmt::Debug for Config {
    /// Without the key and the tickets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("home", &self.home)
            .field("api", &self.api)
            .field("console", &self.console)
            .field("listen", &self.listen)
            .field("models", &self.models)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
