//! The schema of a scenario file. A new fault or expectation is one variant here and one arm in
//! `faults.rs` or `expectations.rs`.

use super::values::{Seeds, Span, Who};
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
    /// Whether simultaneous turns happen in any order.
    #[serde(default)]
    pub(crate) shuffled: bool,
    /// Whether all join by one ticket.
    #[serde(default)]
    pub(crate) one_ticket: bool,
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
    /// How far the relay is from every node, where there is one.
    pub(crate) relay: Option<Span>,
}

/// A NAT box or firewall before some nodes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatPart {
    /// The nodes behind it, together.
    pub(crate) before: Vec<usize>,
    pub(crate) is: NatKind,
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
}

/// A request and a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) of: String,
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
    /// Tokens of the answer; absent: until it ends by itself.
    pub(crate) tokens: Option<u32>,
    /// A text that ends the answer.
    pub(crate) stop: Option<String>,
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

/// What can be expected. Expected of every request in any case: it ends once, and what its client
/// was sent is the beginning of an unbroken run's text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expectation {
    /// The text is that of an unbroken run.
    Answered(String),
    /// It ends with this error.
    Failed(FailedWith),
    /// No wait between two pieces of text is longer.
    Pause(AtMost),
    /// From asking to the end.
    Took(AtMost),
    /// Who began to serve it.
    ServedBy(ServedBy),
    /// All of these nodes (or "all" that are up) have active sessions with each other.
    Active(Nodes),
    /// No session of these two groups is active.
    Apart(Between),
    /// Whoever becomes active with a peer was admitted by it within the second before. With
    /// `always = true` alone.
    Admitted,
    /// Between each two of these nodes is exactly one connection, and both know which.
    OneLink(Nodes),
    /// How two nodes speak, or what stands between them.
    Path(PathOf),
    /// Jobs that the engines of a node hold.
    Jobs(NumberAt),
    /// Letters that wait on a node, in all mailboxes together.
    Waiting(NumberAt),
    /// Tokens that all engines have drawn.
    Drawn(Number),
    /// Packets of the whole run.
    Packets(Number),
    /// Dials that a node has begun.
    Dials(NumberAt),
    /// The models that a client of a node is shown.
    Models(ModelsAt),
    /// An actor is alive.
    Alive(ActorOf),
}

/// A request and the error that it ends with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailedWith {
    pub(crate) of: String,
    pub(crate) with: FailureKind,
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
