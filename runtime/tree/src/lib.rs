//! The supervision tree: what a node consists of, in the order in which it starts.
//!
//! ```text
//! node
//! ├─ store        database, identity files
//! ├─ observer     the node's snapshot
//! ├─ transport    one endpoint for all networks
//! ├─ gateway      Router, HTTP server, control socket; requests [dynamic]: RequestProxy
//! ├─ inference    per device: engine and InferenceWorker
//! └─ network/<id> GossipStore, Roster; sessions [dynamic]: PeerSession
//! ```
//!
//! This is the only place that names machine types: both worlds build their actors here. Children
//! stop in the reverse order.

use kernel::{Child, Ctx, DynMachine, Erased, Restart};
use messages::{Address, Branch, Seed, gossip_store, inference_worker, roster};

/// A driver's seed was given to be built as a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMachine;

/// Builds the machine of a seed.
///
/// # Errors
/// [`NotAMachine`] for a driver: the world builds it.
pub fn build(seed: &Seed, ctx: Ctx) -> Result<Box<dyn DynMachine>, NotAMachine> {
    Ok(match seed {
        Seed::Roster(seed) => Box::new(Erased::new(::roster::Roster::new(seed.clone(), ctx))),
        Seed::GossipStore(seed) => Box::new(Erased::new(::gossip_store::GossipStore::new(
            seed.clone(),
            ctx,
        ))),
        Seed::Session(seed) => Box::new(Erased::new(::peer_session::PeerSession::new(
            seed.clone(),
            ctx,
        ))),
        Seed::Router => Box::new(Erased::new(::router::Router::new(ctx))),
        Seed::Proxy(seed) => Box::new(Erased::new(::request_proxy::RequestProxy::new(
            seed.as_ref().clone(),
            ctx,
        ))),
        Seed::Worker(seed) => Box::new(Erased::new(::inference_worker::InferenceWorker::new(
            seed.clone(),
            ctx,
        ))),
        Seed::Observer => Box::new(Erased::new(::observer::Observer::new(ctx))),
        Seed::Driver => return Err(NotAMachine),
    })
}

/// What one node consists of.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One network each.
    pub networks: Vec<roster::Seed>,
    /// One device each.
    pub workers: Vec<inference_worker::Seed>,
    /// Whether it has a control socket.
    pub control: bool,
}

impl Plan {
    /// The static children, in the order in which they start.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        let mut children = vec![
            driver(Address::Store, Branch::Store),
            machine(Address::Observer, Branch::Node, Seed::Observer),
            driver(Address::Transport, Branch::Transport),
            // The router tells the gateway the models in its first turn.
            driver(Address::Gateway, Branch::Gateway),
            machine(Address::Router, Branch::Gateway, Seed::Router),
        ];
        if self.control {
            children.push(driver(Address::Control, Branch::Gateway));
        }
        for worker in &self.workers {
            children.push(driver(Address::Engine(worker.device), Branch::Inference));
            let at = Address::Worker(worker.device);
            children.push(machine(at, Branch::Inference, Seed::Worker(worker.clone())));
        }
        let networks = self.networks.iter();
        children.extend(networks.flat_map(|network| network_children(network.clone())));
        children
    }
}

/// A network's static children, for a network that a running node joins too.
#[must_use]
pub fn network_children(seed: roster::Seed) -> [Child; 2] {
    let (network, under) = (seed.network, Branch::Network(seed.network));
    let records = Seed::GossipStore(gossip_store::Seed {
        network,
        me: seed.me,
        shares: true,
    });
    [
        // The roster tells it the members when it is ready.
        machine(Address::GossipStore(network), under, records),
        machine(Address::Roster(network), under, Seed::Roster(seed)),
    ]
}

/// The child that serves one request.
#[must_use]
pub fn request_child(seed: messages::request_proxy::Seed) -> Child {
    Child {
        at: Address::Proxy(seed.request),
        under: Branch::Requests,
        restart: Restart::Temporary,
        seed: Seed::Proxy(Box::new(seed)),
    }
}

const fn machine(at: Address, under: Branch, seed: Seed) -> Child {
    Child {
        at,
        seed,
        under,
        restart: Restart::Permanent,
    }
}

const fn driver(at: Address, under: Branch) -> Child {
    machine(at, under, Seed::Driver)
}
