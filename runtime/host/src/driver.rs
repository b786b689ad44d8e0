//! Drivers: actors that own a foreign resource.

use crate::actor::Envelope;
use crate::directory::Directory;
use crate::door::Leaf;
use kernel::{Child, Effect, Failure, Incarnation, Now, Source, Turn};
use messages::{Address, Letter};
use ractor::ActorRef;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

/// The owner of an endpoint, a database, a child process or a socket.
///
/// A turn never waits: work sits in a `JoinSet` in the driver's state, which aborts it when the
/// driver is dropped, and reports through a [`Port`]. Every await of that work has a deadline.
pub trait Driver: Send + 'static {
    /// Takes a letter or a signal. Runs inside the runtime, so tasks can be spawned.
    ///
    /// # Errors
    /// The resource is lost: this life ends and the supervisor decides.
    fn turn(&mut self, turn: Turn) -> Result<(), Failure>;

    /// Gives the resource back in good order. The host waits for it at a drained stop, so it
    /// bounds itself; a crash or a kill skips it.
    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Builds drivers.
pub trait DriverFactory: Send + Sync {
    /// Builds the driver of a child, at each start.
    ///
    /// # Errors
    /// A sentence: the start failed and counts against the child's budget.
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String>;
}

/// How a driver and its tasks speak. Cheap to clone.
#[derive(Clone)]
pub struct Port {
    directory: Arc<Directory>,
    at: Address,
    life: Incarnation,
    me: Arc<OnceLock<ActorRef<Envelope>>>,
}

impl Port {
    pub(crate) fn new(directory: Arc<Directory>, at: Address, life: Incarnation) -> Self {
        Self {
            directory,
            at,
            life,
            me: Arc::new(OnceLock::new()),
        }
    }

    pub(crate) fn bind(&self, me: ActorRef<Envelope>) {
        let _ = self.me.set(me);
    }

    /// Whose port it is.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.at
    }

    /// Which life's port it is: ids that a driver mints are unique with its boot.
    #[must_use]
    pub const fn life(&self) -> Incarnation {
        self.life
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        self.directory.clock().now()
    }

    /// Sends a letter. What cannot be delivered comes back to the driver as a signal.
    pub fn tell(&self, letter: Letter) {
        self.directory
            .send(Source::Actor(self.at, self.life), letter);
    }

    /// Sends a letter that nothing may follow if it finds no room: a full mailbox gives it back
    /// at once. What cannot be delivered for another reason comes back as a signal.
    ///
    /// # Errors
    /// The letter.
    pub fn offer(&self, letter: Letter) -> Result<(), Box<Letter>> {
        self.directory
            .offer(Source::Actor(self.at, self.life), letter)
    }

    /// Carries out effects in order.
    pub fn post(&self, mut effects: Vec<Effect>) {
        self.directory
            .apply(Source::Actor(self.at, self.life), &mut effects);
    }

    /// Ends this life: the resource is lost.
    pub fn fail(&self, why: String) {
        if let Some(me) = self.me.get() {
            // A life that already ended has nothing left to end.
            let _ = me.cast(Envelope::Crash(why));
        }
    }

    /// Makes a leaf reachable until its port is dropped.
    #[must_use]
    pub fn leaf(&self, at: Address, leaf: Arc<dyn Leaf>) -> LeafPort {
        let life = self.directory.leaf_up(at, leaf);
        LeafPort {
            directory: Arc::clone(&self.directory),
            at,
            life,
        }
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port({})", self.at)
    }
}

/// How a leaf speaks. Dropping it takes the leaf down: whoever watches it learns that.
pub struct LeafPort {
    directory: Arc<Directory>,
    at: Address,
    life: Incarnation,
}

impl LeafPort {
    /// Which life's port it is.
    #[must_use]
    pub const fn life(&self) -> Incarnation {
        self.life
    }

    /// Sends a letter. What cannot be delivered comes back to the leaf as a signal.
    pub fn tell(&self, letter: Letter) {
        self.directory
            .send(Source::Actor(self.at, self.life), letter);
    }

    /// Watches an actor: its Down is offered to the leaf.
    pub fn watch(&self, who: Address) {
        let mut effects = vec![Effect::Watch(who)];
        self.directory
            .apply(Source::Actor(self.at, self.life), &mut effects);
    }
}

impl Drop for LeafPort {
    fn drop(&mut self) {
        self.directory.leaf_down(self.at, self.life);
    }
}

impl fmt::Debug for LeafPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafPort({})", self.at)
    }
}
