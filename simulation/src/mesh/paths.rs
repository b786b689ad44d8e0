//! What befalls the network of a mesh.

use super::Mesh;
use crate::drivers::DriverOut;
use crate::event::NodeIndex;
use crate::network::{PathClass, PathModel};
use messages::Micros;

impl Mesh {
    /// Nothing passes between these nodes any more, either way.
    pub fn cut(&mut self, one: &[NodeIndex], two: &[NodeIndex]) {
        self.cut_one_way(one, two);
        self.cut_one_way(two, one);
    }

    /// Nothing passes from these nodes to those any more. The other way is as it was.
    pub fn cut_one_way(&mut self, from: &[NodeIndex], to: &[NodeIndex]) {
        self.disturb();
        self.world.network.cut(self.world.time, from, to);
        self.world.run_errands();
    }

    /// Mends every cut.
    pub fn heal(&mut self) {
        self.disturb();
        self.world.network.heal(self.world.time);
        self.world.run_errands();
    }

    /// For this long, what these nodes send to those waits; then all of it arrives.
    pub fn clog(&mut self, from: &[NodeIndex], to: &[NodeIndex], span: Micros) {
        self.disturb();
        self.world.network.clog(self.world.time, from, to, span);
        self.world.run_errands();
    }

    /// Gives the paths from these nodes to those a model of their own.
    pub fn set_path(&mut self, from: &[NodeIndex], to: &[NodeIndex], path: PathModel) {
        self.disturb();
        self.world.network.set_path(from, to, path);
    }

    /// A node's address changes, as that of a laptop that leaves the house. Behind NAT boxes, it is
    /// the outermost one that has another address, and no mapping any more.
    pub fn rebind(&mut self, node: NodeIndex) {
        self.disturb();
        self.world.rebind(node);
        let mut out = DriverOut::default();
        let addr = self.world.network.address(node);
        if let Some(boot) = &mut self.world.nodes[node].boot {
            boot.drivers.transport.moved(addr, &mut out);
        }
        self.world.carry_out(node, out);
    }

    /// By what sort of path two nodes speak. Where they do not: what stood in the way of the last
    /// dial of the first to the second.
    #[must_use]
    pub fn path_class(&self, one: NodeIndex, two: NodeIndex) -> PathClass {
        self.world.network.class(one, two, self.id(two))
    }

    /// How often the network did what it does rarely.
    #[must_use]
    pub const fn network_counts(&self) -> crate::network::Counts {
        self.world.network.counts
    }
}
