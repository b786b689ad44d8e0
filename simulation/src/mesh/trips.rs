//! Crashes between two effects of one turn.

use super::Mesh;
use crate::event::NodeIndex;
use crate::world::trip::{Trip, Victim};
use messages::Address;

impl Mesh {
    /// The power of a node fails when its actors have carried out this many effects more, be it
    /// in the middle of a turn.
    pub fn kill_after_effects(&mut self, node: NodeIndex, effects: u64) {
        self.arm(node, effects, Victim::Node);
    }

    /// An actor of a node crashes when the node's actors have carried out this many effects more:
    /// this one, or else the one whose turn it is.
    pub fn kill_actor_after_effects(
        &mut self,
        node: NodeIndex,
        effects: u64,
        who: Option<Address>,
    ) {
        self.arm(node, effects, who.map_or(Victim::Turner, Victim::Other));
    }

    /// Forgets the crashes that have not come yet.
    pub fn disarm(&mut self) {
        self.world.trips.armed.clear();
    }

    fn arm(&mut self, node: NodeIndex, effects: u64, victim: Victim) {
        self.world.trips.armed.push(Trip {
            node,
            effects,
            victim,
        });
    }
}
