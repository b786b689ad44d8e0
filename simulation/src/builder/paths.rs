//! What the network of a mesh is made of.

use super::MeshBuilder;
use crate::event::NodeIndex;
use crate::network::{Nat, PathModel};

impl MeshBuilder {
    /// Every path.
    #[must_use]
    pub const fn path(mut self, path: PathModel) -> Self {
        self.net.path = path;
        self
    }

    /// Puts a NAT box or firewall of its own before a node. A second one stands before the first:
    /// double NAT. Every box gives the same private addresses to whoever is behind it.
    #[must_use]
    pub fn nat(self, node: NodeIndex, nat: Nat) -> Self {
        self.nat_of(&[node], nat)
    }

    /// Puts one box before all of these nodes, or before the boxes that they are behind.
    #[must_use]
    pub fn nat_of(mut self, nodes: &[NodeIndex], nat: Nat) -> Self {
        self.net.boxes.push((nodes.to_vec(), nat));
        self
    }

    /// Nodes learn the address that those whom they dial see them at, and tell others.
    ///
    /// The product does not do this yet: iroh's QUIC can report it inside a connection, but is not
    /// asked to, and nothing listens.
    #[must_use]
    pub const fn reflection(mut self) -> Self {
        self.net.reflection = true;
        self
    }

    /// There is a relay, this far from every node. Every dial goes through it too, and a connection
    /// that came about through it looks for a direct path.
    ///
    /// The product has none yet.
    #[must_use]
    pub const fn relay(mut self, leg: PathModel) -> Self {
        self.net.relay = Some(leg);
        self
    }
}
