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
}

/// Every crate. One that is not here does not pass.
pub(super) const CRATES: &[Crate] = &[
    row("messages", "messages", Layer::Messages),
    row("kernel", "runtime/kernel", Layer::Kernel),
    row("roster", "actors/roster", Layer::Actor),
    row("peer_session", "actors/peer_session", Layer::Actor),
    row("router", "actors/router", Layer::Actor),
    row("request_proxy", "actors/request_proxy", Layer::Actor),
    row("inference_worker", "actors/inference_worker", Layer::Actor),
    row("observer", "actors/observer", Layer::Actor),
    row("tree", "runtime/tree", Layer::Tree),
    row("host", "runtime/host", Layer::Host),
    row("driver-iroh", "runtime/drivers/iroh", Layer::Driver),
    row("driver-store", "runtime/drivers/store", Layer::Driver),
    row("driver-http", "runtime/drivers/http", Layer::Driver),
    row("driver-control", "runtime/drivers/admin", Layer::Driver),
    row("driver-llama", "runtime/drivers/llama", Layer::Driver),
    row("driver-scripted", "runtime/drivers/scripted", Layer::Driver),
    row("node", "runtime/node", Layer::Node),
    row("simulation", "simulation", Layer::Simulation),
    row("mesh-node", "bins/mesh-node", Layer::Program),
    row("mesh-sim", "bins/mesh-sim", Layer::Simulator),
    row("xtask", "bins/xtask", Layer::Free),
    row("system-tests", "tests", Layer::Free),
];

/// Foreign crates that have one owner, so that each can be replaced by editing one folder.
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
