//! The end of a run: requests that nobody wants any more, and what is left of them.

use super::super::plan::{one_of, section};
use super::{Demands, until};
use crate::event::NodeIndex;
use crate::{Ask, ClientId, Mesh, millis, secs};
use messages::{Address, Micros};

/// How long a request that is given up would take by itself: minutes.
const LONG: Micros = secs(400);
/// From a request to its end by force: it is served by then.
const SERVED: Micros = millis(500);
/// Within it nothing works for a client that went away.
const CANCELLED: Micros = secs(2);
/// Within it nothing works for who cannot say any more that it is gone: a connection is given up
/// after ten seconds of silence, and a node that was down has met the others again.
const GIVEN_UP: Micros = secs(40);

/// How nobody wants a request any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Loss {
    /// Its client goes away.
    #[default]
    Client,
    /// The server dies, and with it every client's connection.
    Gateway,
    /// The request's own actor dies.
    Request,
    /// The transport dies, and then its client goes away: nobody there can be told.
    Transport,
    /// The power of the node fails, and comes back.
    Power,
}

const LOSSES: [Loss; 8] = [
    Loss::Client,
    Loss::Client,
    Loss::Client,
    Loss::Client,
    Loss::Gateway,
    Loss::Request,
    Loss::Transport,
    Loss::Power,
];

impl Demands<'_> {
    /// Long requests that nobody wants any more: clients go away, and their servers fail.
    pub(super) fn abandon(&mut self) {
        let tokens = u32::try_from(LONG.0 / self.core.plan.step.0.max(1)).unwrap_or(u32::MAX);
        let tokens = tokens.min(kernel::scripted::CONTEXT_TOKENS / 2);
        let mut draw = section(self.core.plan.seed, "end");
        let ask = |node: &NodeIndex| self.mesh.ask(*node, Ask::new(1).max_tokens(tokens));
        let clients: Vec<ClientId> = self.core.all().iter().map(ask).collect();
        self.mesh.run_for(SERVED);
        let only_clients = one_of(&mut draw, &[true, false]);
        for client in clients {
            let loss = one_of(&mut draw, &LOSSES);
            let loss = if only_clients { Loss::Client } else { loss };
            give_up(self.mesh, client, loss);
        }
        self.mesh.run_for(CANCELLED);
        if !only_clients {
            let core = self.core.all();
            until(self.mesh, GIVEN_UP, |mesh| left(mesh, &core).is_empty());
        }
    }

    /// Every request is over, and those who could not come back are long given up: nobody works,
    /// waits or counts for them.
    pub(super) fn lingering(&mut self) {
        self.failures.extend(left(self.mesh, &self.core.all()));
    }
}

fn give_up(mesh: &mut Mesh, client: ClientId, loss: Loss) {
    let node = client.node();
    // A request that is not built yet cannot die, and will not hear of what died before it.
    let is_built = mesh.phase(node, Address::Proxy(client.request())).is_some();
    let loss = if is_built { loss } else { Loss::Client };
    match loss {
        Loss::Client => mesh.hang_up(client),
        Loss::Gateway => {
            mesh.kill_actor(node, Address::Gateway);
        }
        Loss::Request => {
            mesh.kill_actor(node, Address::Proxy(client.request()));
        }
        Loss::Transport => {
            mesh.kill_actor(node, Address::Transport);
            mesh.hang_up(client);
        }
        Loss::Power => {
            mesh.kill(node);
            mesh.start(node);
        }
    }
}

/// What is left of requests on these nodes.
fn left(mesh: &Mesh, core: &[NodeIndex]) -> Vec<String> {
    core.iter().flat_map(|node| left_on(mesh, *node)).collect()
}

fn left_on(mesh: &Mesh, node: NodeIndex) -> Vec<String> {
    let mut left = Vec::new();
    let jobs = mesh.jobs(node);
    if jobs > 0 {
        left.push(format!("node {node} works on {jobs} jobs of nobody"));
    }
    for who in mesh.addresses(node) {
        let is_left = match who {
            Address::Proxy(_) => Some("a request is left"),
            Address::Stream(_) => Some("a stream is left"),
            Address::Worker(_) if counts(mesh, node, who, &["active", "queued"]) => {
                Some("a worker counts jobs of nobody")
            }
            Address::Session(..) if counts(mesh, node, who, &["jobs there", "jobs here"]) => {
                Some("a session counts jobs of nobody")
            }
            Address::Router if counts(mesh, node, who, &["waiting"]) => {
                Some("a router keeps a question of nobody")
            }
            Address::Worker(_)
            | Address::Session(..)
            | Address::Router
            | Address::Store
            | Address::Transport
            | Address::Engine(_)
            | Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Gateway
            | Address::Control
            | Address::Observer => None,
        };
        left.extend(is_left.map(|what| format!("node {node}: {what}: {who}")));
    }
    left
}

/// Whether an actor shows more than nothing under one of these names.
fn counts(mesh: &Mesh, node: NodeIndex, who: Address, names: &[&str]) -> bool {
    let shown = mesh.facts(node, who);
    let is_some = |(name, figure): &(&str, String)| names.contains(name) && figure != "0";
    shown.iter().any(is_some)
}
