//! What happens in the world, and when.

use crate::network::Packet;
use kernel::{Child, Incarnation, Mono};
use messages::{Address, DeviceId, RequestId, StreamId};
use std::cmp::Ordering;
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
    /// Has the path of this connection been silent for too long?
    IdleCheck(u64),
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
    /// More of a stream is read.
    Read(StreamId),
}

/// An occurrence on a node in one of its boots.
#[derive(Debug)]
pub(crate) struct Event {
    /// When.
    pub(crate) at: Time,
    /// Among simultaneous events: drawn where the schedule is shuffled, else 0.
    pub(crate) tie: u64,
    /// Among equals: the order in which they were caused.
    pub(crate) sequence: u64,
    /// Where.
    pub(crate) node: NodeIndex,
    /// In which boot; an earlier boot's events are void.
    pub(crate) boot: u64,
    /// What.
    pub(crate) what: Occurrence,
}

impl Event {
    const fn key(&self) -> (Time, u64, u64) {
        (self.at, self.tie, self.sequence)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The earliest event is the greatest: the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}
