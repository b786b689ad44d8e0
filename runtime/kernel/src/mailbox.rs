//! How much waits at an actor's door, and what is turned away.

use messages::limits::{FRAMES_WAITING_BYTES_MAX, JOBS_PER_PEER_MAX};
use messages::{Address, Class};
use serde::{Deserialize, Serialize};
use std::ops::{AddAssign, SubAssign};

/// The limits of one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Letters of all classes. Data is refused beyond it.
    pub letters: usize,
    /// Room above `letters` that only Control and Coalesce may take.
    pub reserve: usize,
    /// Bytes of data letters.
    pub data_bytes: usize,
    /// Bytes of frames, which come from a peer.
    pub frame_bytes: usize,
}

/// What waits in one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Letters of all classes.
    pub letters: usize,
    /// Bytes of data letters.
    pub data_bytes: usize,
    /// Bytes of frames.
    pub frame_bytes: usize,
}

/// Why a letter is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// Data or a frame beyond the mailbox's room: the sender gets it back as Busy.
    Data,
    /// Control beyond even the reserve: the actor is stuck, and its sender gets it back.
    Reserve,
}

impl Depth {
    /// What one letter of this class adds.
    #[must_use]
    pub const fn of(class: &Class) -> Self {
        let (data_bytes, frame_bytes) = match class {
            Class::Control | Class::Coalesce(_) => (0, 0),
            Class::Frame(bytes) => (0, *bytes),
            Class::Data(bytes) => (*bytes, 0),
        };
        Self {
            letters: 1,
            data_bytes,
            frame_bytes,
        }
    }
}

impl AddAssign for Depth {
    fn add_assign(&mut self, more: Self) {
        self.letters += more.letters;
        self.data_bytes += more.data_bytes;
        self.frame_bytes += more.frame_bytes;
    }
}

impl SubAssign for Depth {
    fn sub_assign(&mut self, less: Self) {
        self.letters -= less.letters;
        self.data_bytes -= less.data_bytes;
        self.frame_bytes -= less.frame_bytes;
    }
}

/// The limits of the mailbox at `address`. An actor's turn takes microseconds, so a mailbox holds
/// what arrives during one slow turn of its neighbours, not a backlog.
#[must_use]
pub const fn limits_of(address: Address) -> Limits {
    let (letters, reserve, data_bytes) = match address {
        // One letter per open request or job of the node at once.
        Address::Router | Address::Gateway | Address::Worker(_) | Address::Engine(_) => {
            (8_192, 8_192, 64 << 20)
        }
        // One letter per peer, link or stream at once.
        Address::Roster(_)
        | Address::GossipStore(_)
        | Address::Transport
        | Address::Observer
        | Address::Store => (4_096, 4_096, 32 << 20),
        // One letter per job of one peer, both ways, and as many frames; twenty of the largest
        // prompts.
        Address::Session(..) => (4 * JOBS_PER_PEER_MAX, 1_024, 32 << 20),
        Address::Control => (1_024, 1_024, 32 << 20),
        // One stream: a second of tokens at any speed, as its writer is told Full long before.
        Address::Proxy(_) | Address::Stream(_) => (512, 64, 4 << 20),
    };
    Limits {
        letters,
        reserve,
        data_bytes,
        frame_bytes: match address {
            // What is said of records by all neighbours together; what finds no room is read again.
            Address::GossipStore(_) => 16 * FRAMES_WAITING_BYTES_MAX,
            // Sessions alone are sent other frames.
            Address::Session(..)
            | Address::Store
            | Address::Transport
            | Address::Stream(_)
            | Address::Engine(_)
            | Address::Worker(_)
            | Address::Roster(_)
            | Address::Router
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control
            | Address::Observer => FRAMES_WAITING_BYTES_MAX,
        },
    }
}

/// Whether a letter of this class may enter a mailbox of this depth.
///
/// # Errors
/// [`Shed`]: it goes back to its sender.
pub const fn admit(class: &Class, depth: Depth, limits: Limits) -> Result<(), Shed> {
    let (waiting, more, max) = match class {
        Class::Control | Class::Coalesce(_) => {
            return if depth.letters >= limits.letters + limits.reserve {
                Err(Shed::Reserve)
            } else {
                Ok(())
            };
        }
        Class::Data(bytes) => (depth.data_bytes, *bytes, limits.data_bytes),
        // The reserve is for this node's own letters, whatever a peer says.
        Class::Frame(bytes) => (depth.frame_bytes, *bytes, limits.frame_bytes),
    };
    let full = depth.letters >= limits.letters;
    // A letter over the byte limit by itself may enter a mailbox without another of its class.
    let heavy = waiting > 0 && waiting + more > max;
    if full || heavy {
        Err(Shed::Data)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
