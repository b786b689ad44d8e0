//! Crashes at moments that no schedule of whole turns can name: after some of a turn's effects.

use super::World;
use crate::event::NodeIndex;
use kernel::Effect;
use messages::Address;

/// Who crashes when a wire is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The power of the node fails.
    Node,
    /// The actor whose turn it is.
    Turner,
    /// Another actor or driver of the node.
    Other(Address),
}

/// A wire across the stream of a node's effects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trip {
    pub(crate) node: NodeIndex,
    /// Effects of the node that are still carried out.
    pub(crate) effects: u64,
    pub(crate) victim: Victim,
}

/// The wires that are up, and who fell over one.
#[derive(Debug, Default)]
pub(crate) struct Trips {
    pub(crate) armed: Vec<Trip>,
    pub(crate) fallen: Vec<(NodeIndex, Option<Address>)>,
}

impl World {
    /// Keeps of a turn's effects what comes before a crash.
    pub(super) fn trip(&mut self, node: NodeIndex, who: Address, effects: &mut Vec<Effect>) {
        let Trips { armed, fallen } = &mut self.trips;
        armed.retain_mut(|trip| {
            let count = effects.len() as u64;
            if trip.node != node || count == 0 {
                return true;
            }
            if trip.effects >= count {
                trip.effects -= count;
                return true;
            }
            effects.truncate(usize::try_from(trip.effects).unwrap_or(usize::MAX));
            fallen.push(match trip.victim {
                Victim::Node => (node, None),
                Victim::Turner => (node, Some(who)),
                Victim::Other(other) => (node, Some(other)),
            });
            false
        });
    }
}
