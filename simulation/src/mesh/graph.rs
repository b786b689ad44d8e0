//! Who is whose neighbour.

use super::Mesh;
use crate::event::NodeIndex;
use messages::{Address, Micros, NodeId};
use std::collections::BTreeMap;

/// The mesh as a graph: an edge for each session that one of its ends sees as active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Of each node, how many sessions it sees as active; nothing of one that is down.
    pub sessions: BTreeMap<NodeIndex, usize>,
    /// Groups of nodes that sessions connect, the largest first.
    pub parts: Vec<Vec<NodeIndex>>,
}

impl Graph {
    /// Whether every two nodes that are up are connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.parts.len() <= 1
    }

    /// The fewest sessions that a node has.
    #[must_use]
    pub fn least(&self) -> usize {
        self.sessions.values().min().copied().unwrap_or(0)
    }

    /// The most.
    #[must_use]
    pub fn most(&self) -> usize {
        self.sessions.values().max().copied().unwrap_or(0)
    }

    /// Ends of sessions, of all nodes together.
    #[must_use]
    pub fn ends(&self) -> usize {
        self.sessions.values().sum()
    }
}

impl Mesh {
    /// Peers with which a node sees an active session.
    #[must_use]
    pub fn neighbours(&self, node: NodeIndex) -> Vec<NodeId> {
        let Some(boot) = &self.world.nodes[node].boot else {
            return Vec::new();
        };
        let peers = boot.switchboard.addresses().filter_map(|(who, _)| {
            let Address::Session(_, peer) = who else {
                return None;
            };
            let view = boot.executor.view(who)?;
            view.phase.eq_ignore_ascii_case("active").then_some(peer)
        });
        peers.collect()
    }

    /// The mesh as a graph.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let places = self.world.nodes.iter().enumerate();
        let index: BTreeMap<NodeId, NodeIndex> = places.map(|(at, node)| (node.me, at)).collect();
        let mut roots: Vec<NodeIndex> = (0..self.world.nodes.len()).collect();
        let mut sessions = BTreeMap::new();
        for node in (0..roots.len()).filter(|node| self.is_up(*node)) {
            let peers = self.neighbours(node);
            sessions.insert(node, peers.len());
            let up = |peer: &NodeIndex| self.is_up(*peer);
            let known = |peer: &NodeId| index.get(peer).copied();
            for peer in peers.iter().filter_map(known).filter(up) {
                let (one, other) = (root(&mut roots, node), root(&mut roots, peer));
                roots[one.max(other)] = one.min(other);
            }
        }
        let mut parts: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
        for node in sessions.keys() {
            parts
                .entry(root(&mut roots, *node))
                .or_default()
                .push(*node);
        }
        let mut parts: Vec<_> = parts.into_values().collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        Graph { sessions, parts }
    }

    /// Starts nodes that are down one after the other, evenly over this time.
    pub fn arrive(&mut self, nodes: &[NodeIndex], over: Micros) {
        let pause = over.0 / nodes.len().max(1) as u64;
        for node in nodes {
            self.start(*node);
            self.run_for(Micros(pause));
        }
    }
}

/// Who speaks for a node's part; shortens the way there.
fn root(roots: &mut [NodeIndex], node: NodeIndex) -> NodeIndex {
    let mut at = node;
    while roots[at] != at {
        roots[at] = roots[roots[at]];
        at = roots[at];
    }
    at
}
