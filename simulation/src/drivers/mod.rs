//! The simulated drivers: the same ports, in virtual time.

pub(crate) mod engine;
pub(crate) mod gateway;
pub(crate) mod store;
pub(crate) mod transport;

use crate::event::{Occurrence, Time};
use crate::network::{Fate, Packet};
use kernel::{Effect, Exit};
use messages::{Address, Letter};

/// What a driver does in a turn.
#[derive(Debug, Default)]
pub(crate) struct DriverOut {
    /// Effects under its own or a leaf's name, in order.
    pub(crate) effects: Vec<(Address, Effect)>,
    /// Leaves that can be reached from now on: before `effects`.
    pub(crate) leaves_up: Vec<Address>,
    /// Leaves that are gone: after `effects`.
    pub(crate) leaves_down: Vec<(Address, Exit)>,
    /// Packets to send.
    pub(crate) packets: Vec<Packet>,
    /// Packets that are on their way already.
    pub(crate) fates: Vec<Fate>,
    /// Connections on which nothing more is sent.
    pub(crate) forgotten: Vec<u64>,
    /// What happens later, on this node.
    pub(crate) later: Vec<(Time, Occurrence)>,
    /// The node's power fails, at once.
    pub(crate) power_fails: bool,
}

impl DriverOut {
    /// A letter under a name.
    pub(crate) fn tell(&mut self, from: Address, letter: Letter) {
        self.effects.push((from, Effect::Tell(letter)));
    }

    /// A watch under a name.
    pub(crate) fn watch(&mut self, from: Address, who: Address) {
        self.effects.push((from, Effect::Watch(who)));
    }
}
