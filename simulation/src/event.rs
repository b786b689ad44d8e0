//! What happens in the world, and when.

use crate::network::Packet;
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
