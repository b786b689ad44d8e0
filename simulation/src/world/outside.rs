//! Drivers of actors that run outside of the world.

use super::{World, driving};
use crate::event::NodeIndex;
#[cfg(feature = "conformance")]
use crate::event::Time;
use kernel::Incarnation;
use messages::Address;

impl World {
    /// When the next thing happens.
    #[cfg(feature = "conformance")]
    pub(crate) fn next_event(&self) -> Option<Time> {
        self.events.next_at()
    }

    /// A driver's life begins.
    pub(crate) fn renew_driver(&mut self, node: NodeIndex, at: Address, life: Incarnation) {
        if at == Address::Transport {
            self.network.renewed(self.time, node);
        }
        let loaded = self.time + self.costs.of_load();
        let place = &mut self.nodes[node];
        let me = (place.index, place.me);
        if let Some(boot) = &mut place.boot {
            driving::renew(me, &place.engines, loaded, boot, (at, life));
        }
    }
}
