//! What can go wrong.

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
    /// The engine takes commands and answers nothing.
    Wedge(Who),
    /// It answers again.
    Unwedge(Who),
    /// The engine serves no model any more.
    Unload(Who),
    /// An actor or driver crashes.
    KillActor(ActorOf),
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
    /// The node begins to leave, as `mesh-node stop` does.
    Drain(Who),
    /// A member sends bytes that are no frame.
    Garbage(Garbage),
    /// A member opens job streams without a word on them, or more jobs than it was told fit.
    Streams(Streams),
    /// Every connection that a node has lost speaks again.
    StaleLetters(Who),
    /// Tokens of a request come again, too early, or as others.
    Tokens(Forged),
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

/// A sort of actor or driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Actor {
    Store,
    Transport,
    Engine,
    Worker,
    Roster,
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
pub(crate) struct Garbage {
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) bytes: Bytes,
}

/// How they are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bytes {
    /// Drawn from the seed.
    Noise,
    /// A header that promises four gigabytes.
    Oversize,
    /// Fewer bytes than a header.
    Short,
    /// A known kind, and a body that is none.
    Body,
    /// A frame of a kind that this version does not know: to be skipped.
    UnknownKind,
    /// Noise as a job's request.
    Job,
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
pub(crate) struct Forged {
    pub(crate) of: String,
    pub(crate) how: How,
}

/// How they are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// The last ones come again.
    Repeated,
    /// The last ones come again, and the next ones with them.
    Overlapping,
    /// Some are left out.
    Lost,
    /// Others stand at the places of the last ones.
    Changed,
    /// The end comes before the last token.
    Ended,
    /// They belong to a try before the first.
    Old,
}

/// A request and the pace of its client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reader {
    pub(crate) of: String,
    pub(crate) bytes_per_sec: Option<u64>,
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
