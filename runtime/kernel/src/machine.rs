//! The one shape of every actor.

use crate::{Entropy, Outbox, Signal};
use messages::{Letter, Mono, NodeId, Now, Signature, WrongActor};
use std::fmt;
use std::sync::Arc;

/// A broken invariant or corrupt state: it ends this life, and the supervisor decides. A bad
/// frame, a refused job or a time-out is none: those are ordinary outcomes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<WrongActor> for Failure {
    fn from(error: WrongActor) -> Self {
        Self(error.to_string())
    }
}

/// The next instant at which a machine wants a turn, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When.
    pub at: Mono,
    /// For "why did it wake".
    pub why: &'static str,
}

impl Deadline {
    /// The earlier of two, either of which may be absent.
    #[must_use]
    pub fn earliest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (found, None) | (None, found) => found,
        }
    }
}

/// What a console may see of a machine. Never user text, never a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The phase it is in.
    pub phase: &'static str,
    /// Its figures, by name.
    pub facts: Vec<(&'static str, String)>,
}

/// A signature, and what it is said to be over.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The ed25519 key.
    pub key: &'a [u8; 32],
    /// What was signed.
    pub bytes: &'a [u8],
    /// By which signature.
    pub signature: &'a Signature,
}

/// Signs with the node's key, which nobody sees.
pub trait Signer: Send + Sync + fmt::Debug {
    /// Whose signatures they are.
    fn node(&self) -> NodeId;
    /// The ed25519 signature of `bytes`.
    fn sign(&self, bytes: &[u8]) -> Signature;
    /// Whether a signature holds, by `check`, whose answer depends on nothing else: a world of many
    /// nodes, each of which checks what the others have checked, may remember it.
    fn verify(&self, signed: &Signed<'_>, check: fn(&Signed<'_>) -> bool) -> bool {
        check(signed)
    }
}

/// What a machine is given besides its seed.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Its own random stream.
    pub entropy: Entropy,
    /// The node's signer.
    pub signer: Arc<dyn Signer>,
}

/// A pure, synchronous state machine: the whole logic of one actor.
///
/// A turn takes no time, waits for nothing and is atomic: if it fails, none of its effects leave.
pub trait Machine: Send + 'static {
    /// What it may be told.
    type Input: TryFrom<Letter, Error = WrongActor>;

    /// Takes a letter.
    ///
    /// # Errors
    /// A broken invariant: this life ends.
    fn handle(&mut self, now: Now, input: Self::Input, out: &mut Outbox) -> Result<(), Failure>;

    /// Takes a signal.
    ///
    /// # Errors
    /// A broken invariant: this life ends.
    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure>;

    /// The next instant at which it wants [`Machine::on_deadline`] to be called.
    fn deadline(&self) -> Option<Deadline>;

    /// Takes the turn that it asked for. Afterwards the next deadline is later than `now`, or is
    /// `now` where a bulk of work goes on in the next turn.
    ///
    /// # Errors
    /// A broken invariant: this life ends.
    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure>;

    /// What a console may see.
    fn view(&self) -> View;

    /// Asserts what must hold between turns. Called after every turn in simulation and in debug
    /// builds.
    fn invariants(&self);
}

/// What a turn takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// A letter.
    Letter(Letter),
    /// A signal.
    Signal(Signal),
    /// The deadline that the machine asked for.
    Deadline,
}

/// A machine of any kind, as hosts and worlds hold it.
pub trait DynMachine: Send {
    /// Takes one turn.
    ///
    /// # Errors
    /// A broken invariant: this life ends.
    fn turn(&mut self, now: Now, turn: Turn, out: &mut Outbox) -> Result<(), Failure>;
    /// See [`Machine::deadline`].
    fn deadline(&self) -> Option<Deadline>;
    /// See [`Machine::view`].
    fn view(&self) -> View;
    /// See [`Machine::invariants`].
    fn invariants(&self);
}

/// Makes a [`DynMachine`] of a [`Machine`], and ends the life of one that spins: whose deadlines
/// ask for the next turn at once, again and again, although nothing else happens.
#[derive(Debug)]
pub struct Erased<M> {
    machine: M,
    /// Deadlines in a row that asked for the next turn at once.
    at_once: u32,
}

impl<M> Erased<M> {
    /// A machine whose kind is forgotten.
    pub const fn new(machine: M) -> Self {
        Self {
            machine,
            at_once: 0,
        }
    }
}

impl<M: Machine> Erased<M> {
    /// Takes the turn of a deadline, and looks whether another is due at once.
    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        self.machine.on_deadline(now, out)?;
        let next = self.machine.deadline();
        let Some(due) = next.filter(|next| next.at <= now.mono) else {
            self.at_once = 0;
            return Ok(());
        };
        self.at_once += 1;
        crate::sometimes!(
            self.at_once > AT_ONCE_MAX,
            "kernel: a deadline is due at once for ever"
        );
        match self.at_once > AT_ONCE_MAX {
            true => Err(Failure(format!(
                "the deadline \"{}\" was due at once {AT_ONCE_MAX} times in a row",
                due.why
            ))),
            false => Ok(()),
        }
    }
}

impl<M: Machine> DynMachine for Erased<M> {
    fn turn(&mut self, now: Now, turn: Turn, out: &mut Outbox) -> Result<(), Failure> {
        match turn {
            Turn::Letter(letter) => {
                self.at_once = 0;
                self.machine.handle(now, M::Input::try_from(letter)?, out)
            }
            Turn::Signal(signal) => {
                self.at_once = 0;
                self.machine.signal(now, signal, out)
            }
            Turn::Deadline => self.on_deadline(now, out),
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.machine.deadline()
    }

    fn view(&self) -> View {
        self.machine.view()
    }

    fn invariants(&self) {
        self.machine.invariants();
    }
}

/// Deadlines in a row that may ask for the next turn at once: a bulk of work that goes on over
/// turns, such as telling a newcomer of a whole mesh, takes a few hundred.
const AT_ONCE_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
