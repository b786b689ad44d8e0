//! What can go wrong.

use crate::About;
use crate::hostile::{Forged, Garbage, Unfit};
use crate::scenario::values::{Span, Who};
use serde::Deserialize;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// The power fails.
    Kill(Who),
    /// The process ends in good order: its connections are closed.
    Close(Who),
    /// A node that is down boots.
    Start(Who),
    /// The process stands still.
    Freeze(Who),
    /// The machine sleeps: the process stands still, and so does its monotonic clock.
    Suspend(Who),
    /// It goes on.
    Thaw(Who),
    /// Nothing passes between two groups.
    Cut(Between),
    /// Nothing passes from one group to another; the other way is as it was.
    CutOneWay(FromTo),
    /// What one group sends to another waits for so long, and then arrives.
    Clog(Clog),
    /// Every cut is mended.
    Heal,
    /// A node has another address.
    Rebind(Who),
    /// Every connection between two groups is reset.
    Reset(Between),
    /// A node reads nothing of what another sends; reads it again.
    StopReading(Unread),
    ReadAgain(Unread),
    /// The engine takes commands and answers nothing.
    Wedge(Who),
    /// It answers again.
    Unwedge(Who),
    /// The engine serves no model any more.
    Unload(Who),
    /// An actor or driver crashes.
    KillActor(ActorOf),
    /// An actor or driver crashes between two effects of whoever has a turn on its node.
    Fall(Fall),
    /// A client goes away.
    HangUp(String),
    /// A client reads so much a second from now on, or as fast as it comes.
    SlowReader(Reader),
    /// The wall clock of a node jumps ahead, or back.
    ClockAhead(Jump),
    ClockBack(Jump),
    /// Both clocks of a node gain so much.
    Drift(Drift),
    /// The disk of a node is ill, or well again.
    Disk(DiskOf),
    /// The engines of a node are ill, or well again.
    Engine(EngineOf),
    /// The network's owner withdraws the ticket of this node.
    Revoke(Who),
    /// The node's turns come so much late; with nothing, at once again.
    Busy(Busy),
    /// The node begins to leave, as `mesh-node stop` does.
    Drain(Who),
    /// A member sends bytes that are no frame.
    Garbage(GarbageOf),
    /// A member opens job streams without a word on them, or more jobs than it was told fit.
    Streams(Streams),
    /// Every connection that a node has lost speaks again.
    StaleLetters(Who),
    /// Tokens of a request come again, too early, or as others.
    Tokens(ForgedOf),
    /// A node says something of itself, under each of some ids.
    Publish(Publish),
    /// It withdraws what it said.
    Withdraw(Withdraw),
    /// Whether prompts cross to and from a node.
    Share(Share),
    /// A member passes on a record that it may not.
    Record(ForgedRecord),
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish {
    pub(crate) node: Who,
    pub(crate) about: About,
    /// Under the ids from 0 on.
    pub(crate) ids: u64,
    pub(crate) value: String,
}

/// What a node says no more.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    pub(crate) node: Who,
    pub(crate) about: About,
    pub(crate) ids: u64,
}

/// A node, and whether it shares.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    pub(crate) node: Who,
    pub(crate) on: bool,
}

/// A record that no honest member passes on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgedRecord {
    pub(crate) from: Who,
    pub(crate) to: Who,
    /// Whose session 0 it is about.
    pub(crate) of: usize,
    pub(crate) how: Unfit,
}

/// Two groups of nodes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Between {
    pub(crate) between: Vec<Who>,
    pub(crate) and: Vec<Who>,
}

/// A direction.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FromTo {
    pub(crate) from: Vec<Who>,
    pub(crate) to: Vec<Who>,
}

/// A node and whose bytes it does not read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unread {
    pub(crate) node: Who,
    pub(crate) from: Who,
}

/// A direction and a time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clog {
    pub(crate) from: Vec<Who>,
    pub(crate) to: Vec<Who>,
    pub(crate) lasts: Span,
}

/// An actor of a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActorOf {
    pub(crate) node: Who,
    pub(crate) actor: Actor,
}

/// An actor of a node, and before which of the node's next effects it crashes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fall {
    pub(crate) node: Who,
    pub(crate) actor: Actor,
    pub(crate) effects: u64,
}

/// A sort of actor or driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Actor {
    Store,
    Transport,
    Engine,
    Worker,
    Roster,
    Records,
    Session,
    Router,
    Request,
    Gateway,
    Observer,
    /// Drawn from all that are alive, streams and requests left out.
    Any,
}

/// Bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GarbageOf {
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) bytes: Garbage,
}

/// Job streams of a member that keeps no rule.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Streams {
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) count: u64,
    /// Tokens that each job asks for; absent: the stream stays silent.
    pub(crate) tokens: Option<u32>,
}

/// Tokens that no holder sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgedOf {
    pub(crate) of: String,
    pub(crate) how: Forged,
}

/// A request and the pace of its client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reader {
    pub(crate) of: String,
    pub(crate) bytes_per_sec: Option<u64>,
}

/// A node and how late its turns come.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Busy {
    pub(crate) node: Who,
    #[serde(default)]
    pub(crate) late: Span,
}

/// A node and how far its clock jumps.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jump {
    pub(crate) node: Who,
    pub(crate) by: Span,
}

/// A node and what its clocks gain, in parts per million.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drift {
    pub(crate) node: Who,
    pub(crate) ppm: i32,
}

/// A node and its disk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiskOf {
    pub(crate) node: Who,
    pub(crate) is: Disk,
}

/// What a disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Disk {
    Well,
    Full,
    TornNext,
    LosesSyncs,
    /// Every command takes this much longer.
    Slow(Span),
}

/// A node and its engines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineOf {
    pub(crate) node: Who,
    pub(crate) is: Engine,
}

/// What an engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Engine {
    Well,
    Wedged,
    /// Its process ends, and is started again.
    Crashed,
    /// It stands still for so long.
    Stalled(Span),
    /// It reads each prompt for so long.
    SlowPrefill(Span),
}
