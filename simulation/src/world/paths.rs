//! The network's share of the loop.

use super::World;
use crate::event::{NodeIndex, Occurrence};
use crate::network::{Body, Fate, Packet};

impl World {
    /// Sends packets of a node.
    pub(crate) fn send(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            let fate = self.network.send(self.time, packet);
            self.follow(fate);
        }
        self.run_errands();
    }

    /// Puts on agendas what becomes of a packet.
    pub(super) fn follow(&mut self, fate: Fate) {
        match fate {
            Fate::Arrives(at, packet) => {
                self.schedule(at, packet.to, Occurrence::Arrive(Box::new(packet)));
            }
            Fate::Twice(times, packet) => {
                for at in times {
                    let copy = Box::new(packet.clone());
                    self.schedule(at, packet.to, Occurrence::Arrive(copy));
                }
            }
            Fate::Gone => {}
        }
    }

    /// Puts on agendas what the network has nodes do.
    pub(crate) fn run_errands(&mut self) {
        if self.network.has_errands() {
            for errand in self.network.errands() {
                self.schedule(errand.at, errand.node, errand.what);
            }
        }
    }

    /// A node tries again what it holds back.
    pub(super) fn resend(&mut self, node: NodeIndex, connection: u64) {
        for fate in self.network.resend(self.time, connection, node) {
            self.follow(fate);
        }
        self.run_errands();
    }

    /// Closes the connections of a node that is gone for good in good order.
    pub(crate) fn hang_up_links(&mut self, node: NodeIndex) {
        let close = |(connection, to)| Packet {
            from: node,
            to,
            connection,
            body: Body::Close,
        };
        let packets = self.network.held_by(node).into_iter().map(close).collect();
        self.send(packets);
    }

    /// A node's address changes: what was on its way to the old one is lost, and sent again.
    pub(crate) fn rebind(&mut self, node: NodeIndex) {
        self.network.rebind(self.time, node);
        let is_coming = |to, what: &Occurrence| to == node && matches!(what, Occurrence::Arrive(_));
        let mut lost = Vec::new();
        for event in self.events.take(self.time, is_coming) {
            if let Occurrence::Arrive(packet) = event.what {
                lost.push(*packet);
            }
        }
        self.network.recall(self.time, lost);
        self.run_errands();
    }
}
