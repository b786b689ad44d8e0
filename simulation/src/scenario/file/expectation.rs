//! What can be expected.

use super::fault::{ActorOf, Between};
use crate::About;
use crate::scenario::values::{Span, Who};
use serde::Deserialize;

/// What can be expected. Expected of every request in any case: it ends once, and what its client
/// was sent is the beginning of an unbroken run's text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expectation {
    /// The text is that of an unbroken run.
    Answered(String),
    /// It ends with this error.
    Failed(FailedWith),
    /// No wait is longer: from asking to the first piece of text, between two pieces, from the last
    /// one to the end.
    Pause(AtMost),
    /// No wait between two pieces of text is longer.
    Gap(AtMost),
    /// From asking to the first piece of text.
    First(AtMost),
    /// From asking to the end.
    Took(AtMost),
    /// Who began to serve it.
    ServedBy(ServedBy),
    /// All of these nodes (or "all" that are up) have active sessions with each other.
    Active(Nodes),
    /// Sessions connect all nodes that are up, over however many others.
    Connected,
    /// Active sessions of a node.
    Sessions(NumberAt),
    /// No session of these two groups is active.
    Apart(Between),
    /// Whoever becomes active with a peer was admitted by it within the second before. With
    /// `always = true` alone.
    Admitted,
    /// Between each two of these nodes is exactly one connection, and both know which.
    OneLink(Nodes),
    /// How two nodes speak, or what stands between them.
    Path(PathOf),
    /// What a node itself was told of why its last dial to another came to nothing.
    DialFailed(DialFailed),
    /// Whom a node shows people as dialled and not reached, and why.
    Unreached(Unreached),
    /// Jobs that the engines of a node hold.
    Jobs(NumberAt),
    /// Bytes of an answer that wait for its client, at the client's node.
    Unread(NumberOf),
    /// Bytes that wait in the transport of a node because peers do not read.
    Unsent(NumberAt),
    /// Letters that wait on a node, in all mailboxes together.
    Waiting(NumberAt),
    /// Tokens that all engines have drawn.
    Drawn(Number),
    /// Packets of the whole run.
    Packets(Number),
    /// Dials that a node has begun.
    Dials(NumberAt),
    /// Jobs that wait for a slot of a node.
    Queued(NumberAt),
    /// How often a node has refused a job that came by a stream, for this reason.
    Refusals(Refusals),
    /// How often a node's session with another has ended, with these words.
    Ended(EndedWith),
    /// The models that a client of a node is shown.
    Models(ModelsAt),
    /// An actor is alive.
    Alive(ActorOf),
    /// All of these nodes (or "all" that are up) hold the same records.
    Agree(Nodes),
    /// Records that a node holds, withdrawn ones included.
    Records(NumberAt),
    /// What a node's disk has of what another said.
    Record(RecordIs),
    /// A figure of a node's gossip store.
    RecordFigure(FigureAt),
}

/// A node, whose session or prompt, and what it says; nothing where nothing stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordIs {
    pub(crate) node: Who,
    pub(crate) of: usize,
    pub(crate) about: About,
    #[serde(default)]
    pub(crate) id: u64,
    pub(crate) is: Option<String>,
}

/// A node and a figure by its name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FigureAt {
    pub(crate) node: Who,
    pub(crate) figure: String,
    #[serde(default)]
    pub(crate) at_least: u64,
    #[serde(default = "any")]
    pub(crate) at_most: u64,
}

/// A request and the error that it ends with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailedWith {
    pub(crate) of: String,
    pub(crate) with: FailureKind,
    /// Of a busy one: it says after how long to ask again, at most this.
    pub(crate) retry_at_most: Option<Span>,
}

/// A node, why it refuses, and how often.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusals {
    pub(crate) node: Who,
    pub(crate) with: RefusalKind,
    #[serde(default)]
    pub(crate) at_least: u64,
    #[serde(default = "any")]
    pub(crate) at_most: u64,
}

/// Why a worker refuses a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalKind {
    Busy,
    NoModel,
    ContextExceeded,
    PromptMismatch,
    Unsupported,
    NotAdmitted,
    EngineFailed,
    TooSlow,
    Draining,
}

/// A session's two ends, some of the words of its end, and how often.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndedWith {
    pub(crate) node: usize,
    pub(crate) with: usize,
    pub(crate) saying: String,
    #[serde(default)]
    pub(crate) at_least: u64,
    #[serde(default = "any")]
    pub(crate) at_most: u64,
}

const fn any() -> u64 {
    u64::MAX
}

/// Why a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    UnknownModel,
    ContextExceeded,
    Busy,
    Unsupported,
    HoldersLost,
    DeadlineExceeded,
    Internal,
    /// Its actor died.
    Broken,
}

/// A request and a time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtMost {
    pub(crate) of: String,
    pub(crate) at_most: Span,
}

/// A request and a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServedBy {
    pub(crate) of: String,
    pub(crate) node: Who,
}

/// Two nodes and how they speak.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathOf {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) is: PathIs,
}

/// How two nodes speak, or what stood in the way of the last dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PathIs {
    Direct,
    Relayed,
    SomebodyElse,
    Unroutable,
    NoHairpin,
    Filtered,
    UdpBlocked,
}

/// Two nodes, and what the one that dials is told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialFailed {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) with: DialErrorKind,
}

/// A node, another one, and the reason that it shows for not having reached it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unreached {
    pub(crate) node: usize,
    pub(crate) of: usize,
    pub(crate) with: DialErrorKind,
}

/// Why no connection came of a dial, as far as a node can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DialErrorKind {
    TimedOut,
    WrongPeer,
}

/// A node and a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberAt {
    pub(crate) node: Who,
    #[serde(default)]
    pub(crate) at_least: u64,
    pub(crate) at_most: u64,
}

/// A number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    #[serde(default)]
    pub(crate) at_least: u64,
    pub(crate) at_most: u64,
}

/// A node and the names of models.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelsAt {
    pub(crate) node: Who,
    pub(crate) are: Vec<String>,
}

/// Some nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// All that are up.
    All,
    /// These.
    Of(Vec<usize>),
}

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodesVisitor)
    }
}

struct NodesVisitor;

impl<'de> serde::de::Visitor<'de> for NodesVisitor {
    type Value = Nodes;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"all\" or a list of nodes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Nodes, E> {
        match text {
            "all" => Ok(Nodes::All),
            other => Err(E::custom(format!(
                "`{other}` are no nodes: write \"all\" or a list of numbers"
            ))),
        }
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Nodes, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Nodes::Of(nodes))
    }
}

/// A request and a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberOf {
    pub(crate) of: String,
    pub(crate) at_most: u64,
}
