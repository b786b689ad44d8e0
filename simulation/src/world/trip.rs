//! Crashes at moments that no schedule of whole turns can name: after some of a turn's effects.

use super::World;
use crate::checkers::Seen;
use crate::event::NodeIndex;
use kernel::{Effect, Exit, Incarnation, Source};
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

/// The wires that are up.
#[derive(Debug, Default)]
pub(crate) struct Trips {
    pub(crate) armed: Vec<Trip>,
}

impl Trips {
    /// How many of these effects come before the next crash, and whose it is.
    fn next(&mut self, node: NodeIndex, effects: usize) -> Option<(usize, Victim)> {
        let count = effects as u64;
        let here = self.armed.iter().enumerate();
        let touched = here
            .filter(|(_, trip)| trip.node == node && trip.effects < count)
            .min_by_key(|(_, trip)| trip.effects)
            .map(|(at, _)| at);
        let touched = touched.map(|at| self.armed.swap_remove(at));
        let passed = touched.map_or(count, |trip| trip.effects);
        for trip in self.armed.iter_mut().filter(|trip| trip.node == node) {
            trip.effects = trip.effects.saturating_sub(passed);
        }
        touched.map(|trip| (usize::try_from(passed).unwrap_or(effects), trip.victim))
    }
}

/// Who dies where this one does: a stream is a part of the transport.
pub(super) const fn whole(who: Address) -> Address {
    if matches!(who, Address::Stream(_)) {
        Address::Transport
    } else {
        who
    }
}

impl World {
    /// Carries out a turn's effects up to a crash that falls among them, and those behind it
    /// unless they are of the one who crashed. A driver's effects come one by one.
    pub(super) fn apply_turn(
        &mut self,
        node: NodeIndex,
        (who, life): (Address, Incarnation),
        mut effects: Vec<Effect>,
    ) {
        let source = Source::Actor(who, life);
        while let Some((before, victim)) = self.trips.next(node, effects.len()) {
            let rest = effects.split_off(before);
            self.apply(node, source, effects);
            effects = rest;
            match victim {
                Victim::Node => {
                    self.lose_power(node);
                    return;
                }
                Victim::Turner => {
                    self.crash(node, whole(who));
                    return;
                }
                Victim::Other(other) => {
                    self.crash(node, other);
                    if other == whole(who) {
                        return;
                    }
                }
            }
        }
        self.apply(node, source, effects);
    }

    /// An actor or driver crashes. Tells whether it was alive.
    pub(crate) fn crash(&mut self, node: NodeIndex, who: Address) -> bool {
        let Some(boot) = &mut self.nodes[node].boot else {
            return false;
        };
        let Some(life) = boot.switchboard.live(who) else {
            return false;
        };
        boot.executor.halt(who, life);
        self.show(node, &Seen::Planned(who));
        self.exited(node, who, life, Exit::Killed);
        true
    }
}
