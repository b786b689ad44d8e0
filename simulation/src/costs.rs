//! What it costs to work: how long turns, births and loads take.

use crate::event::Time;
use kernel::Entropy;
use messages::{Address, Class, Micros};

/// Kinds of actors and drivers, each with costs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The database.
    Store,
    /// The endpoint.
    Transport,
    /// One end of a job stream.
    Stream,
    /// The engine of a device.
    Engine,
    /// The jobs of a device.
    Worker,
    /// Membership.
    Roster,
    /// The protocol with one peer.
    Session,
    /// Whom we choose.
    Router,
    /// One request.
    Proxy,
    /// The HTTP server.
    Gateway,
    /// The control socket.
    Control,
    /// The snapshot.
    Observer,
    /// The records of a network.
    Records,
}

/// What a turn takes, as far as its cost goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputClass {
    /// A control letter, or one that a newer one replaces.
    Control,
    /// What a peer says.
    Frame,
    /// A letter that is counted by its bytes.
    Data,
    /// A signal.
    Signal,
    /// A deadline.
    Deadline,
}

const KINDS: usize = 13;
const CLASSES: usize = 5;

/// Processing time per actor kind and input class. A turn's effects leave when its time is over;
/// what arrives meanwhile waits in the mailbox. Each turn takes between the half of its cost and
/// one and a half times that, drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    turns: [[u64; CLASSES]; KINDS],
    births: [u64; KINDS],
    load: u64,
    /// Whether any of them is more than nothing.
    any: bool,
}

impl Costs {
    /// Turns take no time: a mailbox never has more than what arrives in one instant.
    pub const NONE: Self = Self {
        turns: [[0; CLASSES]; KINDS],
        births: [0; KINDS],
        load: 0,
        any: false,
    };

    /// Costs of a machine of this world: most are some microseconds, as measured; now and then one
    /// is hundreds of times that, as on a machine that is small or has much else to do.
    #[must_use]
    pub fn drawn(entropy: &mut Entropy) -> Self {
        let mut costs = Self::NONE;
        for kind in 0..KINDS {
            for class in &mut costs.turns[kind] {
                *class = if entropy.chance(SLOW_PPM) {
                    between(entropy, TURN_SLOW)
                } else {
                    between(entropy, TURN)
                };
            }
            costs.births[kind] = if entropy.chance(SLOW_PPM) {
                between(entropy, BIRTH_SLOW)
            } else {
                between(entropy, BIRTH)
            };
        }
        costs.load = between(entropy, LOAD);
        costs.any = true;
        costs
    }

    /// The same, but for one sort of turn.
    #[must_use]
    pub const fn turn(mut self, kind: Kind, class: InputClass, cost: Micros) -> Self {
        self.turns[kind as usize][class as usize] = cost.0;
        self.any |= cost.0 > 0;
        self
    }

    /// The same, but for how long it takes to build one kind of actor.
    #[must_use]
    pub const fn birth(mut self, kind: Kind, cost: Micros) -> Self {
        self.births[kind as usize] = cost.0;
        self
    }

    /// The same, but for how long an engine takes from its birth until it can serve.
    #[must_use]
    pub const fn load(mut self, cost: Micros) -> Self {
        self.load = cost.0;
        self
    }

    /// Whether a turn may take time.
    pub(crate) const fn any(&self) -> bool {
        self.any
    }

    pub(crate) const fn of_load(&self) -> Time {
        self.load
    }

    pub(crate) fn of_birth(&self, who: Address, entropy: &mut Entropy) -> Time {
        spread(self.births[kind_of(who) as usize], entropy)
    }

    pub(crate) fn of_turn(&self, who: Address, class: InputClass, entropy: &mut Entropy) -> Time {
        spread(self.turns[kind_of(who) as usize][class as usize], entropy)
    }
}

/// The class of a letter, as far as its cost goes.
pub(crate) const fn input_of(class: &Class) -> InputClass {
    match class {
        Class::Control | Class::Coalesce(_) => InputClass::Control,
        Class::Frame(_) => InputClass::Frame,
        Class::Data(_) => InputClass::Data,
    }
}

const fn kind_of(who: Address) -> Kind {
    match who {
        Address::Store => Kind::Store,
        Address::Transport => Kind::Transport,
        Address::Stream(_) => Kind::Stream,
        Address::Engine(_) => Kind::Engine,
        Address::Worker(_) => Kind::Worker,
        Address::Roster(_) => Kind::Roster,
        Address::GossipStore(_) => Kind::Records,
        Address::Session(..) => Kind::Session,
        Address::Router => Kind::Router,
        Address::Proxy(_) => Kind::Proxy,
        Address::Gateway => Kind::Gateway,
        Address::Control => Kind::Control,
        Address::Observer => Kind::Observer,
    }
}

/// A cost costs no draw where it is nothing.
fn spread(cost: u64, entropy: &mut Entropy) -> Time {
    match cost {
        0 => 0,
        cost => cost / 2 + entropy.below(cost + 1),
    }
}

fn between(entropy: &mut Entropy, (low, high): (u64, u64)) -> u64 {
    low + entropy.below(high - low)
}

/// How many sorts of turns and births are slow, in a million: a few of each machine.
const SLOW_PPM: u64 = 80_000;
/// A turn on a healthy machine, in microseconds: a hop through a mailbox and some work.
const TURN: (u64, u64) = (1, 40);
/// A turn that is starved or does much.
const TURN_SLOW: (u64, u64) = (200, 4_000);
/// Building an actor: a spawn, and a file or a socket.
const BIRTH: (u64, u64) = (5, 500);
/// Building one that waits for a disk or a port.
const BIRTH_SLOW: (u64, u64) = (10_000, 400_000);
/// Loading a model, of which the file may be in memory or not.
const LOAD: (u64, u64) = (50_000, 4_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_costs_are_drawn_for_nothing() {
        let (mut one, mut two) = (Entropy::from_number(1), Entropy::from_number(1));
        for class in [InputClass::Control, InputClass::Data, InputClass::Deadline] {
            assert_eq!(Costs::NONE.of_turn(Address::Router, class, &mut one), 0);
        }
        assert_eq!(Costs::NONE.of_birth(Address::Router, &mut one), 0);
        assert_eq!(one.number(), two.number(), "and no chance is spent");
    }

    #[test]
    fn costs_are_per_kind_and_class_and_spread() {
        let costs = Costs::NONE.turn(Kind::Proxy, InputClass::Data, Micros(100));
        let who = Address::Proxy(messages::RequestId { boot: 1, n: 1 });
        let mut entropy = Entropy::from_number(1);
        let drawn: Vec<u64> = (0..100)
            .map(|_| costs.of_turn(who, InputClass::Data, &mut entropy))
            .collect();
        assert!(drawn.iter().all(|cost| (50..=150).contains(cost)));
        assert!(drawn.iter().any(|cost| *cost != drawn[0]));
        assert_eq!(costs.of_turn(who, InputClass::Control, &mut entropy), 0);
        assert_eq!(
            costs.of_turn(Address::Router, InputClass::Data, &mut entropy),
            0
        );
    }
}
