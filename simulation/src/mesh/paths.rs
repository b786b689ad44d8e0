//! What befalls the network of a mesh.

use super::Mesh;
use crate::checkers::Seen;
use crate::drivers::DriverOut;
use crate::event::{NodeIndex, Occurrence};
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

    /// A node reads nothing any more of what another sends it, or reads it again: its transport
    /// goes on to acknowledge, and nobody takes what came.
    pub fn read(&mut self, node: NodeIndex, from: NodeIndex, reads: bool) {
        self.disturb();
        self.world.network.read(self.world.time, from, node, reads);
        self.world.run_errands();
        if !reads {
            return;
        }
        let boot = self.world.nodes[node].boot.as_mut();
        let came = boot.map(|boot| boot.drivers.transport.take_unread(from));
        for packet in came.unwrap_or_default() {
            let arrive = Occurrence::Arrive(Box::new(packet));
            self.world.schedule(self.world.time, node, arrive);
        }
    }

    /// Counts the packets from one node to another from now on.
    pub fn count_packets(&mut self, from: NodeIndex, to: NodeIndex) {
        self.world.network.count_on(from, to);
    }

    /// Packets from one node to another since they are counted, first packets of dials included.
    #[must_use]
    pub fn counted_packets(&self, from: NodeIndex, to: NodeIndex) -> u64 {
        self.world.network.counted(from, to)
    }

    /// Bytes that wait in a node's transport because its peers do not read.
    #[must_use]
    pub fn unsent(&self, node: NodeIndex) -> usize {
        let boot = self.world.nodes[node].boot.as_ref();
        boot.map_or(0, |boot| boot.drivers.transport.unsent())
    }

    /// How long some path is clogged yet.
    #[must_use]
    pub fn clogged_for(&self) -> Micros {
        let until = self.world.network.clogged_until();
        Micros(until.saturating_sub(self.world.time))
    }

    /// Gives the paths from these nodes to those a model of their own.
    pub fn set_path(&mut self, from: &[NodeIndex], to: &[NodeIndex], path: PathModel) {
        self.disturb();
        self.world.network.set_path(from, to, path);
    }

    /// A node's address changes, as that of a laptop that leaves the house. Behind NAT boxes, it is
    /// the outermost one that has another address, and no mapping any more.
    pub fn rebind(&mut self, node: NodeIndex) {
        self.world.show(node, &Seen::Moved);
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
