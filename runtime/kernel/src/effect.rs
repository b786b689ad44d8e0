//! What a turn may do, and what may be signalled to an actor.

use messages::{Address, Branch, Letter, Seed};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One life of an actor. Ordered: a later life is greater, across boots too.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation {
    /// The node's durable boot counter.
    pub boot: u64,
    /// Counted over all actors of that boot.
    pub n: u64,
}

/// Who caused an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// An actor, in one of its lives.
    Actor(Address, Incarnation),
    /// The world itself. Nothing is returned to it.
    World,
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It stopped itself, its work done.
    Normal,
    /// It was asked to stop.
    Stopped,
    /// It reported a broken invariant or corrupt state.
    Failed(String),
    /// A turn panicked.
    Panicked(String),
    /// It could not be started.
    StartFailed(String),
    /// It was killed.
    Killed,
    /// There is no such actor.
    NoActor,
}

impl Exit {
    /// Whether a transient child is started again after it.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Panicked(_) | Self::StartFailed(_) | Self::Killed => true,
            Self::Normal | Self::Stopped | Self::NoActor => false,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended"),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Panicked(why) => write!(f, "panicked: {why}"),
            Self::StartFailed(why) => write!(f, "could not start: {why}"),
            Self::Killed => f.write_str("killed"),
            Self::NoActor => f.write_str("no such actor"),
        }
    }
}

/// Why a letter came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnReason {
    /// Nobody has that address.
    NoActor,
    /// Its mailbox is full, or it restarts and the letter is data.
    Busy,
    /// It restarts, and as many letters as may wait for it do.
    ParkFull,
    /// It spent its restarts.
    StartFailed,
}

/// What happens to an actor, apart from letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Signal {
    /// The first of every life.
    Started(Incarnation),
    /// A watched actor's life ended. Exactly one per watch.
    Down {
        /// Who.
        who: Address,
        /// Which life; absent where there was none.
        incarnation: Option<Incarnation>,
        /// How it ended.
        why: Exit,
    },
    /// A letter could not be delivered.
    Returned {
        /// The letter.
        letter: Box<Letter>,
        /// Why.
        why: ReturnReason,
    },
}

/// When a child is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Always, unless it was stopped.
    Permanent,
    /// After an abnormal exit.
    Transient,
    /// Never.
    Temporary,
}

/// An actor to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Its address.
    pub at: Address,
    /// What it is built from, at each start.
    pub seed: Seed,
    /// Its supervisor.
    pub under: Branch,
    /// When it is started again.
    pub restart: Restart,
}

/// How an actor is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// After the letters that it already has.
    Drain,
    /// Now: what is in its mailbox is lost.
    Kill,
}

/// What a turn does to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Send a letter.
    Tell(Letter),
    /// Start a child. Inert where the address is taken: a letter behind it reaches whoever has it.
    Start(Arc<Child>),
    /// Stop an actor for good. An actor stops itself by its own address.
    Stop(Address, How),
    /// Be signalled when this actor's life ends. While it restarts, the watch is for its next
    /// life; where nobody is to come, Down follows at once. Watching twice is watching once.
    Watch(Address),
    /// End a watch.
    Unwatch(Address),
}

/// Collects the effects of one turn.
#[derive(Debug, Default)]
pub struct Outbox(Vec<Effect>);

impl Outbox {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sends a letter.
    pub fn tell(&mut self, letter: Letter) {
        self.0.push(Effect::Tell(letter));
    }

    /// Starts a child.
    pub fn start(&mut self, child: Child) {
        self.0.push(Effect::Start(Arc::new(child)));
    }

    /// Stops an actor.
    pub fn stop(&mut self, who: Address, how: How) {
        self.0.push(Effect::Stop(who, how));
    }

    /// Watches an actor.
    pub fn watch(&mut self, who: Address) {
        self.0.push(Effect::Watch(who));
    }

    /// Ends the watch of an actor.
    pub fn unwatch(&mut self, who: Address) {
        self.0.push(Effect::Unwatch(who));
    }

    /// What was collected so far.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.0
    }

    /// For the world that carries the effects out: all of them, in order, leaving none.
    pub const fn effects_mut(&mut self) -> &mut Vec<Effect> {
        &mut self.0
    }
}
