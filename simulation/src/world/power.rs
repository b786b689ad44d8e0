//! Nodes that go down: their power fails, or their process ends.

use super::World;
use crate::checkers::Seen;
use crate::event::NodeIndex;

impl World {
    /// The power fails: what the disk was writing is torn.
    pub(crate) fn lose_power(&mut self, node: NodeIndex) {
        let place = &mut self.nodes[node];
        if let Some(boot) = &place.boot {
            let writing = boot.drivers.store.writing();
            place.disk.lose_power(writing, &mut self.wreck);
        }
        self.go_down(node);
    }

    /// The process is gone, whatever ended it.
    pub(crate) fn go_down(&mut self, node: NodeIndex) {
        self.show(node, &Seen::Dies);
        let place = &mut self.nodes[node];
        if let Some(boot) = place.boot.take() {
            place.past.extend(boot.drivers.gateway.cut_off());
        }
        place.frozen = None;
        place.clock.resume(self.time);
        self.network.silence(self.time, node, true);
        self.network.died(self.time, node);
        self.run_errands();
    }
}
