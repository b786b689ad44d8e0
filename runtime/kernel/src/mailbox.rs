//! How much waits at an actor's door, and what is turned away.

use messages::{Address, Class};
use serde::{Deserialize, Serialize};

/// The limits of one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Letters of all classes. Data is refused beyond it.
    pub letters: usize,
    /// Room above `letters` that only Control and Coalesce may take.
    pub reserve: usize,
    /// Bytes of data letters.
    pub data_bytes: usize,
}

/// What waits in one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Letters of all classes.
    pub letters: usize,
    /// Bytes of data letters.
    pub data_bytes: usize,
}

/// Why a letter is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// Data beyond the mailbox's room: the sender gets it back as Busy.
    Data,
    /// Control beyond even the reserve: the actor is stuck, and its sender gets it back.
    Reserve,
}

/// The limits of the mailbox at `address`. An actor's turn takes microseconds, so a mailbox holds
/// what arrives during one slow turn of its neighbours, not a backlog.
#[must_use]
pub const fn limits_of(address: Address) -> Limits {
    match address {
        // One letter per open request or job of the node at once.
        Address::Router | Address::Gateway | Address::Worker(_) | Address::Engine(_) => Limits {
            letters: 8_192,
            reserve: 8_192,
            data_bytes: 64 << 20,
        },
        // One letter per peer, link or stream at once.
        Address::Roster(_) | Address::Transport | Address::Observer | Address::Store => Limits {
            letters: 4_096,
            reserve: 4_096,
            data_bytes: 32 << 20,
        },
        // The jobs of one peer, both ways, each with a largest prompt in the worst case.
        Address::Session(..) | Address::Control => Limits {
            letters: 1_024,
            reserve: 1_024,
            data_bytes: 32 << 20,
        },
        // One stream: a second of tokens at any speed, as its writer is told Full long before.
        Address::Proxy(_) | Address::Stream(_) => Limits {
            letters: 512,
            reserve: 64,
            data_bytes: 4 << 20,
        },
    }
}

/// Whether a letter of this class may enter a mailbox of this depth.
///
/// # Errors
/// [`Shed`]: it goes back to its sender.
pub const fn admit(class: &Class, depth: Depth, limits: Limits) -> Result<(), Shed> {
    match class {
        Class::Data(bytes) => {
            let full = depth.letters >= limits.letters;
            // A letter over the byte limit by itself may enter an empty mailbox.
            let heavy = depth.data_bytes > 0 && depth.data_bytes + *bytes > limits.data_bytes;
            if full || heavy {
                Err(Shed::Data)
            } else {
                Ok(())
            }
        }
        Class::Control | Class::Coalesce(_) => {
            if depth.letters >= limits.letters + limits.reserve {
                Err(Shed::Reserve)
            } else {
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
