//! The schema of a scenario file. A new fault or expectation is one variant in `file/` and one arm
//! where the compiler asks for it.

mod expectation;
mod fault;

pub(crate) use expectation::{
    AtMost, DialErrorKind, DialFailed, EndedWith, Expectation, FailedWith, FailureKind, FigureAt,
    ModelsAt, Nodes, NumberAt, PathIs, PathOf, RecordIs, RefusalKind, Refusals, ServedBy,
    Unreached,
};
pub(crate) use fault::{
    Actor, ActorOf, Between, Busy, Disk, DiskOf, Engine, EngineOf, Fall, Fault, ForgedOf,
    ForgedRecord, GarbageOf, Reader, Streams, Unread,
};

use super::values::{Seeds, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// One sentence: what holds as long as this passes.
    pub(crate) guards: Spanned<String>,
    /// The seeds of a test run.
    pub(crate) seeds: Spanned<Seeds>,
    /// Names of values that vary with the seed: `"$name"` stands for one of them.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read before all else, as the rest is written with it"
    )]
    pub(crate) each: BTreeMap<String, Spanned<toml::Value>>,
    /// Whether it runs through real hosts as well, with equal traces.
    #[serde(default)]
    pub(crate) hosts: bool,
    /// Whether a debug build takes too long for it: a release build alone runs all of it.
    #[serde(default)]
    pub(crate) long: bool,
    /// A bug that is not mended yet, in a sentence: the file must fail until it is.
    pub(crate) open: Option<String>,
    /// The least time that it runs.
    #[serde(default)]
    pub(crate) lasts: Span,
    /// The time after which what is not over hangs.
    #[serde(default = "two_minutes")]
    pub(crate) limit: Span,
    pub(crate) mesh: MeshPart,
    #[serde(default)]
    pub(crate) ask: Vec<Spanned<AskPart>>,
    #[serde(default)]
    pub(crate) fault: Vec<Spanned<FaultPart>>,
    #[serde(default)]
    pub(crate) expect: Vec<Spanned<ExpectPart>>,
}

fn two_minutes() -> Span {
    Span(messages::Micros::from_secs(120))
}

/// What the mesh is made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeshPart {
    pub(crate) nodes: usize,
    /// The nodes that serve the scripted model.
    #[serde(default)]
    pub(crate) engines: Vec<usize>,
    /// The nodes that are not started at the beginning.
    #[serde(default)]
    pub(crate) absent: Vec<usize>,
    /// The time of a decode step.
    pub(crate) step: Option<Span>,
    /// Each path's least delay.
    pub(crate) latency: Option<Span>,
    /// What may come on top of it.
    pub(crate) jitter: Option<Span>,
    /// What comes on top of that, rarely.
    pub(crate) tail: Option<TailPart>,
    /// Whether simultaneous turns happen in any order.
    #[serde(default)]
    pub(crate) shuffled: bool,
    /// Whether all join by one ticket.
    #[serde(default)]
    pub(crate) one_ticket: bool,
    /// Sessions per node, on average; absent: what a node has by itself.
    pub(crate) degree: Option<u16>,
    /// Of a thousand packets of each path, how many are lost, come twice, are overtaken.
    #[serde(default)]
    pub(crate) loss: u16,
    #[serde(default)]
    pub(crate) duplicates: u16,
    #[serde(default)]
    pub(crate) reordered: u16,
    /// What each path carries; absent: any amount.
    pub(crate) bytes_per_sec: Option<u64>,
    /// The boxes before nodes, the innermost first.
    #[serde(default)]
    pub(crate) nat: Vec<NatPart>,
    /// Whether nodes learn their outside addresses from whom they dial.
    #[serde(default)]
    pub(crate) reflection: bool,
    /// Clocks that are off.
    #[serde(default)]
    pub(crate) clock: Vec<ClockPart>,
    /// Whether turns, births and loads take time, as much as the seed draws.
    #[serde(default)]
    pub(crate) costs: bool,
    /// How far the relay is from every node, where there is one.
    pub(crate) relay: Option<Span>,
}

/// The rare long delays of all paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailPart {
    /// How many packets of a thousand.
    pub(crate) permille: u16,
    /// At most how much longer they take.
    pub(crate) extra: Span,
}

/// How requests come, with `every` as the mean time between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrive {
    /// At equal distances.
    #[default]
    Steady,
    /// Each for itself: the distances are drawn.
    Random,
    /// So many at once, and then a pause.
    Bursts(u32),
}

/// How the clocks of a node are off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockPart {
    pub(crate) node: usize,
    /// What the wall clock is ahead.
    #[serde(default)]
    pub(crate) ahead: Span,
    /// What it is behind.
    #[serde(default)]
    pub(crate) behind: Span,
    /// What both clocks gain, in parts per million.
    #[serde(default)]
    pub(crate) drift_ppm: i32,
}

/// A NAT box or firewall before some nodes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatPart {
    /// The nodes behind it, together.
    pub(crate) before: Vec<usize>,
    pub(crate) is: Option<NatKind>,
    /// Instead of a name: what the outside address of a packet depends on.
    pub(crate) mapping: Option<DependsOn>,
    /// And whom it lets in.
    pub(crate) filtering: Option<DependsOn>,
    /// After how long without a packet from inside it forgets.
    pub(crate) expiry: Option<Span>,
    #[serde(default)]
    pub(crate) hairpin: bool,
}

/// A sort of box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NatKind {
    /// None at all, for files that vary it.
    Open,
    FullCone,
    Restricted,
    PortRestricted,
    Symmetric,
    UdpBlocked,
}

/// What a behaviour of a box depends on, beside the address inside, by the words of RFC 4787.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DependsOn {
    /// Nothing: endpoint-independent.
    Endpoint,
    /// The address outside.
    Address,
    /// The address and the port outside.
    AddressAndPort,
}

/// When something happens: exactly one of the three.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trigger {
    /// At this time of the world.
    At(Span),
    /// At the first event after which this holds.
    When(When),
    /// So long after the one before it; for an ask or an expectation, after the last fault.
    After(Span),
}

/// A condition that the world comes to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// The holders together have drawn so many tokens, and the request is served.
    Tokens(Count),
    /// So many pieces of text have reached the client.
    Pieces(Count),
    /// A holder has accepted it.
    Served(String),
    /// It is over.
    Over(String),
    /// So many packets were sent from one node to another.
    Packets(Packets),
}

/// A request and a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) of: String,
    pub(crate) number: u64,
}

/// A direction and a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packets {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) number: u64,
}

/// Requests of clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskPart {
    /// What faults and expectations call it. Several may share a name.
    pub(crate) name: String,
    pub(crate) at: Option<Span>,
    pub(crate) when: Option<When>,
    pub(crate) after: Option<Span>,
    /// The node that the client asks.
    pub(crate) node: usize,
    /// How many requests.
    #[serde(default = "one")]
    pub(crate) count: u64,
    /// The time from one to the next.
    #[serde(default)]
    pub(crate) every: Span,
    /// Whether that is the exact time, or the mean one.
    #[serde(default)]
    pub(crate) arrive: Arrive,
    /// Tokens of the answer; absent: until it ends by itself.
    pub(crate) tokens: Option<u32>,
    /// A text that ends the answer.
    pub(crate) stop: Option<String>,
    /// Bytes of its prompt; absent: a word.
    pub(crate) prompt: Option<usize>,
    /// Another model than the scripted one.
    pub(crate) model: Option<String>,
}

const fn one() -> u64 {
    1
}

/// Something that goes wrong, or is mended.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultPart {
    pub(crate) at: Option<Span>,
    pub(crate) when: Option<When>,
    pub(crate) after: Option<Span>,
    /// How often.
    #[serde(default = "one")]
    pub(crate) times: u64,
    /// The time from one to the next.
    #[serde(default)]
    pub(crate) every: Span,
    #[serde(rename = "do")]
    pub(crate) what: Fault,
}

/// What must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectPart {
    pub(crate) at: Option<Span>,
    pub(crate) after: Option<Span>,
    /// Whether it must hold after every event.
    #[serde(default)]
    pub(crate) always: bool,
    pub(crate) that: Expectation,
}
