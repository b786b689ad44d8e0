//! What a mesh is made of.

mod paths;

use crate::checkers::Checks;
use crate::clock::{Clock, NodeClock};
use crate::costs::Costs;
use crate::drivers::engine::Device;
use crate::drivers::store::Disk;
use crate::event::NodeIndex;
use crate::executor::Executor;
use crate::executor::machines::Machines;
use crate::mesh::{Agenda, Mesh};
use crate::network::{Latency, Network, Plan};
use crate::node::{Checked, Node, NodeKey};
use crate::world::World;
use ed25519_dalek::SigningKey;
use kernel::{Entropy, Signer};
use messages::{KEEP_MAX, Micros, Neighbourhood, NodeId, network_of};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A mesh to be.
///
/// ```
/// use simulation::{Mesh, millis, secs};
///
/// // Twelve nodes, of which two serve; paths of 20 to 30 ms; simultaneous turns in any order.
/// let mut mesh = Mesh::seed(7)
///     .nodes(12)
///     .engines(&[3, 11])
///     .latency(millis(20), millis(10))
///     .shuffled()
///     .build();
/// let met = |mesh: &Mesh| (1..12).all(|node| mesh.is_active(node, 0) && mesh.is_active(0, node));
/// assert!(mesh.run_until(secs(20), met));
/// assert_eq!(mesh.crashes(), Vec::<String>::new());
/// ```
#[derive(Debug)]
pub struct MeshBuilder {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) engines: Vec<NodeIndex>,
    pub(crate) step: Micros,
    pub(crate) net: Plan,
    pub(crate) shuffled: bool,
    pub(crate) absent: Vec<NodeIndex>,
    pub(crate) hosts: bool,
    pub(crate) bare: bool,
    pub(crate) traced: bool,
    pub(crate) one_ticket: bool,
    pub(crate) clocks: BTreeMap<NodeIndex, Clock>,
    pub(crate) costs: Costs,
    pub(crate) checked: bool,
    pub(crate) neighbourhood: Neighbourhood,
}

impl MeshBuilder {
    /// How many nodes there are. Node 0 owns the network; the others hold its tickets.
    #[must_use]
    pub const fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Which nodes serve the scripted model.
    #[must_use]
    pub fn engines(mut self, nodes: &[NodeIndex]) -> Self {
        self.engines = nodes.to_vec();
        self
    }

    /// The time of a decode step; 20 ms unless told.
    #[must_use]
    pub const fn step(mut self, step: Micros) -> Self {
        self.step = step;
        self
    }

    /// Every path's delay; 2 ms and up to 3 ms more unless told.
    #[must_use]
    pub const fn latency(mut self, base: Micros, jitter: Micros) -> Self {
        self.net.path.latency = Latency::new(base, jitter);
        self
    }

    /// Draws the order of simultaneous turns; promised orders hold all the same.
    #[must_use]
    pub const fn shuffled(mut self) -> Self {
        self.shuffled = true;
        self
    }

    /// Nodes that are not started at the beginning.
    #[must_use]
    pub fn absent(mut self, nodes: &[NodeIndex]) -> Self {
        self.absent = nodes.to_vec();
        self
    }

    /// Lets all join by one ticket; each by one of its own unless told.
    #[must_use]
    pub const fn one_ticket(mut self) -> Self {
        self.one_ticket = true;
        self
    }

    /// How the clocks of a node are off; they are right unless told.
    #[must_use]
    pub fn clock(mut self, node: NodeIndex, clock: Clock) -> Self {
        self.clocks.insert(node, clock);
        self
    }

    /// How long turns, births and loads take; no time at all unless told.
    #[must_use]
    pub const fn costs(mut self, costs: Costs) -> Self {
        self.costs = costs;
        self
    }

    /// Takes no trace and asserts no invariants: for measuring what those cost.
    #[must_use]
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self.untraced()
    }

    /// Counts the trace's entries and digests none: for runs that are compared with no other.
    #[must_use]
    pub const fn untraced(mut self) -> Self {
        self.traced = false;
        self
    }

    /// Runs every checker after every step: see [`Mesh::violations`] and [`Mesh::assert_clean`].
    #[must_use]
    pub const fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    /// Sessions per node, on average, 1 to 448: it looks for half as many and keeps twice as many
    /// at most. A node's own default unless told.
    #[must_use]
    pub fn degree(self, degree: u16) -> Self {
        let degree = degree.clamp(1, KEEP_MAX / 2);
        let seek = degree.div_ceil(2);
        let neighbourhood = Neighbourhood::new(seek, 4 * seek);
        self.neighbourhood(neighbourhood.unwrap_or(Neighbourhood::DEFAULT))
    }

    /// How many sessions each node looks for, and how many it keeps.
    #[must_use]
    pub const fn neighbourhood(mut self, neighbourhood: Neighbourhood) -> Self {
        self.neighbourhood = neighbourhood;
        self
    }

    /// Runs the machines in real hosts under real supervisors.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub const fn hosts(mut self) -> Self {
        self.hosts = true;
        self
    }

    /// The nodes that are there from the beginning.
    #[cfg(feature = "conformance")]
    pub(crate) fn present(&self) -> Vec<NodeIndex> {
        let is_here = |node: &NodeIndex| !self.absent.contains(node);
        (0..self.nodes).filter(is_here).collect()
    }

    /// Starts the mesh and lets time pass until the condition holds: the mesh as it is then, or
    /// nothing where it does not come to hold within this time.
    #[must_use]
    pub fn run_until(self, limit: Micros, holds: impl FnMut(&Mesh) -> bool) -> Option<Mesh> {
        let mut mesh = self.build();
        mesh.run_until(limit, holds).then_some(mesh)
    }

    /// Starts the mesh.
    #[must_use]
    pub fn build(self) -> Mesh {
        let mut entropy = Entropy::from_number(self.seed);
        let checked = Arc::<Checked>::default();
        let nodes: Vec<Node> = (0..self.nodes)
            .map(|index| {
                let signer = Arc::new(NodeKey {
                    key: SigningKey::from_bytes(&entropy.bytes()),
                    checked: Arc::clone(&checked),
                });
                let engines = match self.engines.contains(&index) {
                    true => vec![Device {
                        step_us: self.step.0,
                        ..Device::default()
                    }],
                    false => Vec::new(),
                };
                Node {
                    index,
                    me: signer.node(),
                    signer,
                    disk: Disk::default(),
                    boots: 0,
                    boot: None,
                    frozen: None,
                    engines,
                    clock: NodeClock::new(self.clocks.get(&index).copied().unwrap_or_default()),
                    past: BTreeMap::new(),
                }
            })
            .collect();
        let owner = nodes.first().map_or(NodeId([0; 32]), |node| node.me);
        let network = network_of(owner, "");
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.me).collect();
        let paths = Network::new(&self.net, &ids, Entropy::from_seed(entropy.bytes()));
        let make = executor_maker(self.hosts, self.bare);
        let mut world = World::new(self.seed, paths, nodes, self.shuffled, make);
        world.costs = self.costs;
        world.full_max = self.neighbourhood.seek() + 1;
        if !self.traced {
            world.trace.turn_off();
        }
        world.trace.checks = self.checked.then(|| Box::new(Checks::new(ids)));
        let mut mesh = Mesh {
            world,
            network,
            owner,
            one_ticket: self.one_ticket,
            neighbourhood: self.neighbourhood,
            agenda: Agenda::default(),
        };
        for node in (0..self.nodes).filter(|node| !self.absent.contains(node)) {
            mesh.start(node);
        }
        mesh
    }
}

#[cfg(feature = "conformance")]
fn executor_maker(hosts: bool, bare: bool) -> Box<dyn Fn() -> Box<dyn Executor>> {
    match hosts {
        true => Box::new(|| Box::new(crate::executor::hosts::Hosts::new())),
        false => Box::new(move || Box::new(Machines::new(bare))),
    }
}

#[cfg(not(feature = "conformance"))]
fn executor_maker(hosts: bool, bare: bool) -> Box<dyn Fn() -> Box<dyn Executor>> {
    assert!(!hosts, "real hosts need the feature `conformance`");
    Box::new(move || Box::new(Machines::new(bare)))
}
