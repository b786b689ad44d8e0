//! The entrance of a mailbox: where it is bounded.

use crate::actor::Envelope;
use kernel::{Depth, Limits, Mail, admit};
use messages::{Class, Coalesce, Letter};
use ractor::ActorRef;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A mailbox that is no actor's: one end of a stream.
pub trait Leaf: Send + Sync {
    /// Takes a letter or a signal without waiting. A letter that finds no room comes back.
    /// It is called under the directory's lock: it must not speak, and must not drop its own
    /// [`LeafPort`](crate::LeafPort), from within.
    ///
    /// # Errors
    /// The letter.
    fn offer(&self, mail: Mail) -> Result<(), Box<Letter>>;
}

/// What waits in one actor's mailbox.
#[derive(Debug)]
pub struct Gauge {
    limits: Limits,
    letters: AtomicUsize,
    data_bytes: AtomicUsize,
    newest: Mutex<BTreeMap<Coalesce, Letter>>,
}

impl Gauge {
    /// An empty mailbox with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            letters: AtomicUsize::new(0),
            data_bytes: AtomicUsize::new(0),
            newest: Mutex::new(BTreeMap::new()),
        }
    }

    /// What waits at this moment.
    #[must_use]
    pub fn depth(&self) -> Depth {
        Depth {
            letters: self.letters.load(Ordering::Relaxed),
            data_bytes: self.data_bytes.load(Ordering::Relaxed),
        }
    }

    /// Counts out what an actor took.
    pub(crate) fn leave(&self, data_bytes: usize) {
        self.letters.fetch_sub(1, Ordering::Relaxed);
        self.data_bytes.fetch_sub(data_bytes, Ordering::Relaxed);
    }

    /// The newest letter of a key.
    pub(crate) fn take_newest(&self, key: &Coalesce) -> Option<Letter> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
    }

    /// Counts in what is put into the mailbox past the door.
    pub fn enter(&self, data_bytes: usize) {
        self.letters.fetch_add(1, Ordering::Relaxed);
        self.data_bytes.fetch_add(data_bytes, Ordering::Relaxed);
    }
}

/// How a life is reached.
#[derive(Clone)]
pub(crate) enum Door {
    /// An actor's mailbox, and what waits in it.
    Actor(ActorRef<Envelope>, Arc<Gauge>),
    /// A leaf.
    Leaf(Arc<dyn Leaf>),
}

/// Why a letter did not enter.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No room.
    Full(Box<Letter>),
    /// The life behind the door has ended; a coalesced letter may be gone with a newer one.
    Dead(Option<Box<Letter>>),
}

impl Door {
    /// Puts mail into the mailbox. Never waits.
    pub(crate) fn enter(&self, mail: Mail) -> Result<(), Refused> {
        match (self, mail) {
            (Self::Leaf(leaf), mail) => leaf.offer(mail).map_err(Refused::Full),
            (Self::Actor(actor, gauge), Mail::Signal(signal)) => {
                gauge.enter(0);
                // A signal to a dead life is void: the next one gets its own.
                let _ = actor.cast(Envelope::Signal(signal));
                Ok(())
            }
            (Self::Actor(actor, gauge), Mail::Letter(letter)) => enter_actor(actor, gauge, letter),
        }
    }
}

fn enter_actor(actor: &ActorRef<Envelope>, gauge: &Gauge, letter: Letter) -> Result<(), Refused> {
    let class = letter.class();
    if admit(&class, gauge.depth(), gauge.limits).is_err() {
        return Err(Refused::Full(Box::new(letter)));
    }
    let (envelope, bytes) = match class {
        Class::Control => (Envelope::Letter(letter, 0), 0),
        Class::Data(bytes) => (Envelope::Letter(letter, bytes), bytes),
        Class::Coalesce(key) => {
            let mut newest = gauge.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if newest.insert(key.clone(), letter).is_some() {
                return Ok(());
            }
            (Envelope::Coalesced(key), 0)
        }
    };
    gauge.enter(bytes);
    actor.cast(envelope).map_err(|error| {
        gauge.leave(bytes);
        dead(error, gauge)
    })
}

/// What a failed cast leaves to be returned.
fn dead(error: ractor::MessagingErr<Envelope>, gauge: &Gauge) -> Refused {
    Refused::Dead(match error {
        ractor::MessagingErr::SendErr(Envelope::Letter(letter, _)) => Some(Box::new(letter)),
        ractor::MessagingErr::SendErr(Envelope::Coalesced(key)) => {
            gauge.take_newest(&key).map(Box::new)
        }
        ractor::MessagingErr::SendErr(_)
        | ractor::MessagingErr::ChannelClosed
        | ractor::MessagingErr::InvalidActorType => None,
    })
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(actor, gauge) => f
                .debug_tuple("Actor")
                .field(&actor.get_id())
                .field(gauge)
                .finish(),
            Self::Leaf(_) => f.write_str("Leaf"),
        }
    }
}
