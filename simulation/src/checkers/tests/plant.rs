//! Bugs to plant: what drivers take and do, and what machines do, may be changed on its way.

use crate::drivers::DriverOut;
use crate::event::NodeIndex;
use crate::world::World;
use kernel::{Effect, Mail, View};
use messages::Address;

type Ears = Box<dyn FnMut(NodeIndex, Address, Mail) -> Mail>;
type Hands = Box<dyn FnMut(NodeIndex, Address, Effect) -> Vec<Effect>>;
type Mirrors = Box<dyn Fn(NodeIndex, Address, View) -> View>;

/// What is wrong with the world.
#[derive(Default)]
pub(crate) struct Plants {
    /// Changes what a driver takes.
    pub(crate) ears: Option<Ears>,
    /// Changes what a driver or a machine does.
    pub(crate) hands: Option<Hands>,
    /// Changes what an actor shows.
    pub(crate) mirrors: Option<Mirrors>,
}

impl World {
    pub(crate) fn tampered_mail(&mut self, node: NodeIndex, to: Address, mail: Mail) -> Mail {
        match &mut self.plants.ears {
            Some(ears) => ears(node, to, mail),
            None => mail,
        }
    }

    pub(crate) fn tampered_view(&self, node: NodeIndex, who: Address, view: View) -> View {
        match &self.plants.mirrors {
            Some(mirrors) => mirrors(node, who, view),
            None => view,
        }
    }

    pub(crate) fn tampered_out(&mut self, node: NodeIndex, mut out: DriverOut) -> DriverOut {
        if let Some(hands) = &mut self.plants.hands {
            let effects = std::mem::take(&mut out.effects).into_iter();
            let effects = effects.flat_map(|(from, effect)| {
                let effects = hands(node, from, effect);
                effects.into_iter().map(move |effect| (from, effect))
            });
            out.effects = effects.collect();
        }
        out
    }

    pub(crate) fn tampered_effects(
        &mut self,
        node: NodeIndex,
        who: Address,
        effects: Vec<Effect>,
    ) -> Vec<Effect> {
        match &mut self.plants.hands {
            Some(hands) => effects
                .into_iter()
                .flat_map(|effect| hands(node, who, effect))
                .collect(),
            None => effects,
        }
    }
}
