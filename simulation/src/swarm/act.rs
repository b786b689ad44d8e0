//! What happens to a mesh, one thing after another and without a draw.
//!
//! A seed's run writes down its acts as it draws them. The list repeats the run by itself, also
//! where a later version draws other acts from the same seed, and what is taken out of it changes
//! no other act. Paths and costs go on drawing from the world's own streams.

use super::actor::Actor;
use crate::event::NodeIndex;
use crate::hostile::{Forged, Garbage};
use crate::{DiskFault, PathModel};
use serde::{Deserialize, Serialize};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Time passes.
    Wait {
        /// Microseconds.
        us: u64,
    },
    /// Time passes until a dozen letters wait on a node, a second at most.
    #[serde(alias = "await_full")]
    AwaitBusy {
        /// Which.
        node: NodeIndex,
    },
    /// An actor's mailbox is filled up to its limit.
    Fill {
        /// Whose.
        node: NodeIndex,
        /// Which.
        who: Actor,
        /// Also the room that only a node's own words may take.
        reserve: bool,
    },
    /// A client asks, if the node is up.
    Ask {
        /// By what it is known to [`Act::HangUp`].
        id: u64,
        /// Whom it asks.
        node: NodeIndex,
        /// The seed of the text.
        seed: u64,
        /// Tokens of it.
        tokens: u32,
        /// How fast it reads; as fast as it comes, unless told.
        bytes_per_sec: Option<u64>,
        /// How many microseconds it gives; ten minutes, unless told.
        within_us: Option<u64>,
    },
    /// Frames of a request's answer come that no holder sent.
    Forge {
        /// Whose request.
        id: u64,
        /// What they say.
        how: Forged,
    },
    /// A client goes away, if its request runs.
    HangUp {
        /// Whose request.
        id: u64,
    },
    /// A node says something of itself.
    Publish {
        /// Which.
        node: NodeIndex,
        /// Whether only those that share may hold it.
        gated: bool,
        /// Under which id.
        id: u64,
        /// What it says.
        value: u64,
    },
    /// The power of a node fails.
    Kill {
        /// Whose.
        node: NodeIndex,
    },
    /// A node's process ends in good order.
    Close {
        /// Whose.
        node: NodeIndex,
    },
    /// A node stands still.
    Freeze {
        /// Which.
        node: NodeIndex,
    },
    /// A node's machine falls asleep.
    Suspend {
        /// Which.
        node: NodeIndex,
    },
    /// Two groups lose their paths.
    Cut {
        /// One group.
        one: Vec<NodeIndex>,
        /// The other.
        other: Vec<NodeIndex>,
    },
    /// A node's packets reach another no more.
    CutOneWay {
        /// The node.
        from: NodeIndex,
        /// The other.
        to: NodeIndex,
    },
    /// Packets from one node to another wait.
    Clog {
        /// One.
        from: NodeIndex,
        /// The other.
        to: NodeIndex,
        /// For so many microseconds.
        us: u64,
    },
    /// A path becomes another.
    Path {
        /// Where it begins.
        from: NodeIndex,
        /// Where it ends.
        to: NodeIndex,
        /// What it is like now.
        is: PathModel,
    },
    /// A node's address changes.
    Rebind {
        /// Whose.
        node: NodeIndex,
    },
    /// An engine answers nothing, or answers again.
    Wedge {
        /// Whose.
        node: NodeIndex,
        /// Whether it is wedged.
        on: bool,
    },
    /// An engine's process ends.
    EngineCrash {
        /// Whose.
        node: NodeIndex,
    },
    /// An engine stands still for a while.
    Stall {
        /// Whose.
        node: NodeIndex,
        /// Microseconds.
        us: u64,
    },
    /// An engine takes long to read a prompt.
    SlowPrefill {
        /// Whose.
        node: NodeIndex,
        /// Microseconds.
        us: u64,
    },
    /// A disk goes bad.
    Disk {
        /// Whose.
        node: NodeIndex,
        /// How.
        fault: DiskFault,
    },
    /// Somebody sets a node's wall clock.
    Jump {
        /// Whose.
        node: NodeIndex,
        /// Microseconds.
        by_us: i64,
    },
    /// A node's clocks gain or lose.
    Drift {
        /// Whose.
        node: NodeIndex,
        /// Parts of a million.
        ppm: i32,
    },
    /// An actor crashes between two turns.
    KillActor {
        /// Whose.
        node: NodeIndex,
        /// Which.
        who: Actor,
    },
    /// The power of a node fails between two effects.
    KillInTurn {
        /// Whose.
        node: NodeIndex,
        /// After so many effects more.
        effects: u64,
    },
    /// An actor crashes between two effects.
    KillActorInTurn {
        /// Whose.
        node: NodeIndex,
        /// After so many effects more.
        effects: u64,
        /// Which; the one whose turn it is, unless told.
        who: Option<Actor>,
    },
    /// The owner withdraws a node's ticket, and with it all who were let in by it.
    Revoke {
        /// Whose.
        node: NodeIndex,
    },
    /// A node leaves, as one that is told to stop.
    Drain {
        /// Which.
        node: NodeIndex,
    },
    /// A node reads nothing of what another sends.
    StopReading {
        /// The node.
        node: NodeIndex,
        /// The other.
        from: NodeIndex,
    },
    /// It reads all that came, and goes on.
    ReadAgain {
        /// The node.
        node: NodeIndex,
        /// The other.
        from: NodeIndex,
    },
    /// Every connection of two nodes is reset.
    Reset {
        /// One.
        one: NodeIndex,
        /// The other.
        other: NodeIndex,
    },
    /// A node's actors run for a tenth of each round, or whenever they like.
    Busy {
        /// Whose.
        node: NodeIndex,
        /// Microseconds of a round; none where they run as they like.
        round_us: u64,
    },
    /// A member sends bytes that are no frame.
    Garbage {
        /// Who.
        from: NodeIndex,
        /// To whom.
        to: NodeIndex,
        /// What they are.
        how: Garbage,
        /// The seed of noise.
        seed: u64,
    },
    /// A member opens job streams past its own requests.
    Streams {
        /// Who.
        from: NodeIndex,
        /// To whom.
        to: NodeIndex,
        /// How many.
        count: u64,
        /// Tokens that each asks for; nothing is said on them, unless told.
        tokens: Option<u32>,
    },
    /// Every connection that a node has lost speaks once more.
    StaleLetters {
        /// Whose.
        node: NodeIndex,
    },
    /// A node that is down starts.
    Start {
        /// Which.
        node: NodeIndex,
    },
    /// A node that stands still goes on.
    Thaw {
        /// Which.
        node: NodeIndex,
    },
    /// Every cut is mended.
    Heal,
}

impl Act {
    /// The nodes that it names.
    pub(super) fn nodes(&self) -> Vec<NodeIndex> {
        match self {
            Self::Wait { .. } | Self::HangUp { .. } | Self::Forge { .. } | Self::Heal => Vec::new(),
            Self::Cut { one, other } => one.iter().chain(other).copied().collect(),
            Self::CutOneWay { from, to } | Self::Clog { from, to, .. } => vec![*from, *to],
            Self::Path { from, to, .. }
            | Self::Garbage { from, to, .. }
            | Self::Streams { from, to, .. } => vec![*from, *to],
            Self::StopReading { node, from } | Self::ReadAgain { node, from } => {
                vec![*node, *from]
            }
            Self::Reset { one, other } => vec![*one, *other],
            Self::KillActor { node, who } | Self::Fill { node, who, .. } => {
                peer_of(Some(*who)).chain([*node]).collect()
            }
            Self::KillActorInTurn { node, who, .. } => peer_of(*who).chain([*node]).collect(),
            Self::AwaitBusy { node }
            | Self::Ask { node, .. }
            | Self::Publish { node, .. }
            | Self::Kill { node }
            | Self::Close { node }
            | Self::Freeze { node }
            | Self::Suspend { node }
            | Self::Rebind { node }
            | Self::Wedge { node, .. }
            | Self::EngineCrash { node }
            | Self::Stall { node, .. }
            | Self::SlowPrefill { node, .. }
            | Self::Disk { node, .. }
            | Self::Jump { node, .. }
            | Self::Drift { node, .. }
            | Self::KillInTurn { node, .. }
            | Self::Revoke { node }
            | Self::Drain { node }
            | Self::Busy { node, .. }
            | Self::StaleLetters { node }
            | Self::Start { node }
            | Self::Thaw { node } => vec![*node],
        }
    }
}

fn peer_of(who: Option<Actor>) -> impl Iterator<Item = NodeIndex> {
    let peer = match who {
        Some(Actor::Session(peer)) => Some(peer),
        Some(_) | None => None,
    };
    peer.into_iter()
}
