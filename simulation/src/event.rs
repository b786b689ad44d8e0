//! What happens in the world, and when.

use crate::network::{KEEP_ALIVE, Packet};
use kernel::{Child, Incarnation, Mono};
use messages::{Address, DeviceId, RequestId, StreamId};
use std::sync::Arc;

/// World time in microseconds.
pub(crate) type Time = u64;
/// A node's place in the world.
pub(crate) type NodeIndex = usize;

/// Something that happens on one node.
#[derive(Debug)]
pub(crate) enum Occurrence {
    /// An actor or driver takes the next mail of its mailbox.
    Turn(Address, Incarnation),
    /// A machine's deadline comes.
    Wake(Address, Incarnation, Mono),
    /// The switchboard starts children again.
    Restarts,
    /// A packet arrives.
    Arrive(Box<Packet>),
    /// A dial was not answered yet.
    DialTimeout(u64),
    /// The reader of a job stream goes on.
    Read(StreamId),
    /// Has the path of this connection been silent for too long?
    IdleCheck(u64),
    /// Has anybody decided about a stream that a peer opened?
    Decided(StreamId),
    /// Has the peer of this connection taken nothing of what waits for it for too long?
    StallCheck(u64),
    /// The peer of this connection reads again.
    Window(u64),
    /// What this node holds of a connection is sent again.
    Resend(u64),
    /// A relayed connection looks for a direct path.
    Punch(u64),
    /// A child is built.
    Birth(Arc<Child>, Incarnation),
    /// An engine has done something that takes time.
    Engine(DeviceId, u64),
    /// A disk is done with what it was doing.
    Disk(u64),
    /// A client has read what it was given.
    Reads(RequestId),
}

/// An occurrence on a node in one of its boots.
#[derive(Debug)]
pub(crate) struct Event {
    /// When.
    pub(crate) at: Time,
    /// Among simultaneous events: drawn where the schedule is shuffled, else 0.
    pub(crate) tie: u64,
    /// Where.
    pub(crate) node: NodeIndex,
    /// In which boot; an earlier boot's events are void.
    pub(crate) boot: u64,
    /// What.
    pub(crate) what: Occurrence,
}

impl Event {
    /// What a timer of a machine had left when its clock stopped, at this time. What comes from
    /// outside, or looks at the clock itself, is there as soon as the machine wakes.
    pub(crate) fn left(&self, stopped: Time) -> Time {
        let left = self.at.saturating_sub(stopped);
        match self.what {
            Occurrence::Turn(..)
            | Occurrence::Wake(..)
            | Occurrence::Restarts
            | Occurrence::Arrive(_)
            | Occurrence::Window(_) => 0,
            // Some of these were begun by the network while the machine slept: the transport finds
            // out with its next sign of life.
            Occurrence::IdleCheck(_) | Occurrence::Resend(_) | Occurrence::Punch(_) => {
                left.min(KEEP_ALIVE.0)
            }
            Occurrence::DialTimeout(_)
            | Occurrence::Read(_)
            | Occurrence::Decided(_)
            | Occurrence::StallCheck(_)
            | Occurrence::Birth(..)
            | Occurrence::Engine(..)
            | Occurrence::Disk(_)
            | Occurrence::Reads(_) => left,
        }
    }
}
