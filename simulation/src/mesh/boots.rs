//! Which boot of a node a test talks to.

use super::{ClientId, Mesh};
use crate::event::NodeIndex;

impl Mesh {
    /// Whether a node runs, be it frozen.
    #[must_use]
    pub fn is_up(&self, node: NodeIndex) -> bool {
        self.world.nodes[node].boot.is_some()
    }

    /// Whether a node runs, and stands still.
    #[must_use]
    pub fn is_frozen(&self, node: NodeIndex) -> bool {
        self.is_up(node) && self.world.nodes[node].frozen.is_some()
    }

    /// How often a node has started.
    #[must_use]
    pub fn boot_of(&self, node: NodeIndex) -> u64 {
        self.world.nodes[node].boots
    }
}

impl ClientId {
    /// The node that the client talks to.
    #[must_use]
    pub const fn node(self) -> NodeIndex {
        self.node
    }
}
