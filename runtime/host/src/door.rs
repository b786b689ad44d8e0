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
    frame_bytes: AtomicUsize,
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
            frame_bytes: AtomicUsize::new(0),
            newest: Mutex::new(BTreeMap::new()),
        }
    }

    /// What waits at this moment.
    #[must_use]
    pub fn depth(&self) -> Depth {
        Depth {
            letters: self.letters.load(Ordering::Relaxed),
            data_bytes: self.data_bytes.load(Ordering::Relaxed),
            frame_bytes: self.frame_bytes.load(Ordering::Relaxed),
        }
    }

    /// Counts out what an actor took.
    pub(crate) fn leave(&self, less: Depth) {
        self.letters.fetch_sub(less.letters, Ordering::Relaxed);
        self.data_bytes
            .fetch_sub(less.data_bytes, Ordering::Relaxed);
        self.frame_bytes
            .fetch_sub(less.frame_bytes, Ordering::Relaxed);
    }

    /// The newest letter of a key.
    pub(crate) fn take_newest(&self, key: &Coalesce) -> Option<Letter> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
    }

    /// Counts in what is put into the mailbox past the door.
    pub fn enter(&self, more: Depth) {
        self.letters.fetch_add(more.letters, Ordering::Relaxed);
        self.data_bytes
            .fetch_add(more.data_bytes, Ordering::Relaxed);
        self.frame_bytes
            .fetch_add(more.frame_bytes, Ordering::Relaxed);
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
                gauge.enter(Depth::of(&Class::Control));
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
    let depth = Depth::of(&class);
    let envelope = match class {
        Class::Control | Class::Frame(_) | Class::Data(_) => Envelope::Letter(letter, depth),
        Class::Coalesce(key) => {
            let mut newest = gauge.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if newest.insert(key.clone(), letter).is_some() {
                return Ok(());
            }
            Envelope::Coalesced(key)
        }
    };
    gauge.enter(depth);
    actor.cast(envelope).map_err(|error| {
        gauge.leave(depth);
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
