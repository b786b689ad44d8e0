//! The table of layers and crates. A new edge is a change of this file.

/// What a crate is, and so what it may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Plain data.
    Messages,
    /// The pure half of the runtime.
    Kernel,
    /// One machine.
    Actor,
    /// The supervision tree.
    Tree,
    /// The production world.
    Host,
    /// The owner of one foreign resource.
    Driver,
    /// The simulated world.
    Simulation,
    /// All of the production world, to embed.
    Node,
    /// A binary that runs a node or talks to one.
    Program,
    /// A binary that runs the simulated world.
    Simulator,
    /// Tests and tools: they see anything, and nothing sees them.
    Free,
}

impl Layer {
    /// Layers that its manifest may name in this workspace.
    pub(super) const fn sees(self) -> &'static [Self] {
        use Layer::{Actor, Driver, Host, Kernel, Messages, Node, Simulation, Tree};
        match self {
            Messages => &[],
            Kernel => &[Messages],
            Actor => &[Messages, Kernel],
            Tree => &[Messages, Kernel, Actor],
            Host | Simulation => &[Messages, Kernel, Tree],
            Driver => &[Messages, Kernel, Host],
            Node => &[Messages, Kernel, Actor, Tree, Host, Driver],
            Self::Program => &[Messages, Kernel, Driver, Node],
            Self::Simulator => &[Messages, Kernel, Simulation],
            Self::Free => &[
                Messages, Kernel, Actor, Tree, Host, Driver, Simulation, Node,
            ],
        }
    }

    /// Layers that it may name besides, in tests or behind a feature.
    pub(super) const fn sees_apart(self) -> &'static [Self] {
        match self {
            // The conformance tier runs the real host.
            Self::Simulation => &[Self::Host],
            Self::Messages
            | Self::Kernel
            | Self::Actor
            | Self::Tree
            | Self::Host
            | Self::Driver
            | Self::Node
            | Self::Program
            | Self::Simulator
            | Self::Free => &[],
        }
    }

    /// Whether its sources name no clock, environment or runtime.
    pub(super) const fn is_pure(self) -> bool {
        matches!(
            self,
            Self::Messages | Self::Kernel | Self::Actor | Self::Tree
        )
    }

    /// Whether its closure is held against a list of names.
    pub(super) const fn is_listed(self) -> bool {
        self.is_pure() || matches!(self, Self::Simulation)
    }
}

/// One crate of the workspace.
#[derive(Debug)]
pub(super) struct Crate {
    /// Its package name.
    pub(super) name: &'static str,
    /// Its folder from the root.
    pub(super) folder: &'static str,
    /// What it is.
    pub(super) layer: Layer,
    /// The crates of others that its manifest names.
    pub(super) foreign: Names,
    /// Those that its manifest names for its tests.
    pub(super) tests: Names,
}

/// Names with spaces between them, so that a crate's row stays one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names(&'static str);

impl Names {
    pub(super) fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.iter().any(|one| one == name)
    }
}

/// Every crate, with the crates of others that it depends on. What is not here does not pass, nor
/// does a name here that its manifest does not have.
pub(super) const CRATES: &[Crate] = &[
    row("messages", "messages", Layer::Messages)
        .with("blake3 bytes data-encoding postcard serde thiserror"),
    row("kernel", "runtime/kernel", Layer::Kernel)
        .with("bytes hashbrown postcard rand_chacha rand_core serde thiserror"),
    row("catalog", "runtime/catalog", Layer::Kernel).with("bytes thiserror"),
    row("roster", "actors/roster", Layer::Actor).with("bytes ed25519-dalek postcard thiserror"),
    row("gossip_store", "actors/gossip_store", Layer::Actor)
        .with("bytes ed25519-dalek postcard thiserror"),
    row("peer_session", "actors/peer_session", Layer::Actor),
    row("router", "actors/router", Layer::Actor),
    row("request_proxy", "actors/request_proxy", Layer::Actor).tested_with("bytes"),
    row("inference_worker", "actors/inference_worker", Layer::Actor),
    row("observer", "actors/observer", Layer::Actor),
    row("tree", "runtime/tree", Layer::Tree).with("serde"),
    row("host", "runtime/host", Layer::Host).with("dashmap ractor tokio tracing"),
    row("driver-iroh", "runtime/drivers/iroh", Layer::Driver)
        .with("blake3 bytes iroh thiserror tokio tracing"),
    row("driver-store", "runtime/drivers/store", Layer::Driver)
        .with("bytes ed25519-dalek getrandom postcard redb serde thiserror tokio tracing"),
    row("driver-http", "runtime/drivers/http", Layer::Driver)
        .with("bytes hyper hyper-util serde serde_json socket2 tokio tracing")
        .tested_with("tokio"),
    row("driver-control", "runtime/drivers/admin", Layer::Driver)
        .with("postcard serde thiserror tokio tracing"),
    row("driver-llama", "runtime/drivers/llama", Layer::Driver).with(
        "bytes landlock libc llama-cpp-sys-2 minijinja minijinja-contrib postcard rustix \
         seccompiler serde thiserror tokio tracing",
    ),
    row("driver-scripted", "runtime/drivers/scripted", Layer::Driver).with("tokio"),
    row("node", "runtime/node", Layer::Node).with("thiserror tokio tracing"),
    row("simulation", "simulation", Layer::Simulation)
        .with("bytes ed25519-dalek postcard ractor serde tokio toml"),
    row("mesh-node", "bins/mesh-node", Layer::Program)
        .with("anyhow clap serde serde_json tokio toml tracing tracing-subscriber"),
    row("mesh-sim", "bins/mesh-sim", Layer::Simulator).with("anyhow clap mimalloc toml"),
    row("xtask", "bins/xtask", Layer::Free).with("anyhow blake3 serde_json"),
    row("system-tests", "tests", Layer::Free)
        .with("serde_json")
        .tested_with("anyhow bytes hyper hyper-util iroh ractor tokio"),
];

/// Foreign crates that have one owner, so that each can be replaced by editing one folder: a row
/// of another lists them in vain.
pub(super) const OWNED: &[(&str, &[Layer], &[&str])] = &[
    ("iroh*", &[], &["driver-iroh"]),
    ("quinn*", &[], &["driver-iroh"]),
    ("redb", &[], &["driver-store"]),
    ("axum*", &[], &["driver-http"]),
    ("hyper*", &[], &["driver-http"]),
    ("llama-cpp*", &[], &["driver-llama"]),
    ("ractor*", &[Layer::Host, Layer::Driver, Layer::Node], &[]),
    (
        "tokio*",
        &[Layer::Host, Layer::Driver, Layer::Node, Layer::Program],
        &[],
    ),
];

/// What never enters a closed crate, whatever the list says: runtimes, sockets, ambient chance.
pub(super) const NEVER: &[&str] = &[
    "tokio*",
    "async-std",
    "smol",
    "ractor*",
    "iroh*",
    "quinn*",
    "mio",
    "socket2",
    "axum*",
    "hyper*",
    "redb",
    "nostr*",
    "llama-cpp*",
    "getrandom",
    "rand",
    "fastrand",
    "chrono",
    "time",
];

const fn row(name: &'static str, folder: &'static str, layer: Layer) -> Crate {
    Crate {
        name,
        folder,
        layer,
        foreign: Names(""),
        tests: Names(""),
    }
}

impl Crate {
    /// Lists what its manifest names.
    const fn with(self, names: &'static str) -> Self {
        Self {
            foreign: Names(names),
            ..self
        }
    }

    /// Lists what its manifest names for its tests.
    const fn tested_with(self, names: &'static str) -> Self {
        Self {
            tests: Names(names),
            ..self
        }
    }
}

/// The row of a crate.
pub(super) fn find(name: &str) -> Option<&'static Crate> {
    CRATES.iter().find(|row| row.name == name)
}

/// Whether the closure of a crate is looked at.
pub(super) fn is_closed(name: &str) -> bool {
    let closed = |row: &Crate| row.layer.is_listed() || row.layer == Layer::Simulator;
    find(name).is_some_and(closed)
}

/// Whether a name is what a pattern says; a star at its end stands for anything.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => name.starts_with(head),
        None => name == pattern,
    }
}
