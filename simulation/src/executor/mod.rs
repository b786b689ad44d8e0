//! Who runs the machines: the world itself, or real hosts.

#[cfg(feature = "conformance")]
pub(crate) mod hosts;
pub(crate) mod machines;

use kernel::{Child, Ctx, Deadline, Effect, Exit, Incarnation, Now, Source, Turn, View};
use messages::Address;

/// What came of a turn.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What it does to the world; nothing where the life ended.
    pub(crate) effects: Vec<Effect>,
    /// When the machine wants its next turn.
    pub(crate) deadline: Option<Deadline>,
    /// How its life ended, if it did.
    pub(crate) exit: Option<Exit>,
}

/// Runs the machines of one node.
pub(crate) trait Executor {
    /// Begins a life.
    fn spawn(&mut self, child: &Child, life: Incarnation, ctx: Ctx) -> Result<(), Exit>;
    /// One turn of a life that was begun and has not ended.
    fn turn(&mut self, who: Address, life: Incarnation, now: Now, turn: Turn) -> Outcome;
    /// What a console would see of an actor, where the world can look into it.
    fn view(&self, who: Address) -> Option<View>;
    /// Ends a life.
    fn halt(&mut self, who: Address, life: Incarnation);
}

/// Where a node's actors run by themselves, and the world has its drivers alone.
pub(crate) trait Outlet {
    /// The life of a driver or a leaf.
    fn live(&self, who: Address) -> Option<Incarnation>;
    /// Makes a leaf reachable.
    fn leaf_up(&mut self, leaf: Address);
    /// Takes a leaf down.
    fn leaf_down(&mut self, leaf: Address);
    /// Carries out effects in the name of a driver, a leaf or the world.
    fn apply(&mut self, from: Source, effects: Vec<Effect>);
}
