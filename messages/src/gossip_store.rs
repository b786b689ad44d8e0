//! What the records of a network may be told.

use crate::bounded::{Label, List};
use crate::limits::{NAME_BYTES_MAX, TRUSTED_MAX};
use crate::observer::Asker;
use crate::ports::store::Item;
use crate::wire::latest::Gossip;
use crate::{
    Class, Credential, Kind, NetworkId, NodeId, QueryId, RecordClass, SignedRecord, Stamp,
    TicketKey, Token,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a gossip store is built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// The network.
    pub network: NetworkId,
    /// This node.
    pub me: NodeId,
    /// Whether gated records cross, until it is told otherwise.
    pub shares: bool,
}

/// Something that this node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Who may hold it.
    pub class: RecordClass,
    /// What it is about.
    pub kind: Kind,
    /// Which of this node's of this kind.
    pub id: Label<NAME_BYTES_MAX>,
    /// What it says; nothing where it is withdrawn.
    pub value: Option<Bytes>,
    /// Its stamp is greater than this: it counts for newer than what it answers to.
    pub after: Stamp,
    /// The stamp of what this node says under this id now, nothing being 0: where it is another, a
    /// human's request is refused with [`CHANGED`].
    pub expects: Option<Stamp>,
}

/// Somebody else changed the same meanwhile: read it again.
pub const CHANGED: &str = "it was changed meanwhile: try again";

/// What a human asks of the records of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// What is in force of this kind and counts here, and the settings. Answered by `Shared`.
    Read(Kind),
    /// This node says so, durably: all of it or nothing. Answered by `Done` or `Refused`.
    Say(Vec<Fact>),
    /// Changes settings, durably: all of them or none. Answered by `Done` or `Refused`.
    Set(Vec<Setting>),
}

/// A setting of a network on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// Whether gated records leave this node, and those of others are taken.
    AutoGossip(bool),
    /// Whose prompts and permissions count.
    Trusted(Trusted),
    /// Which prompts of one id count.
    Prompts(PromptPolicy),
}

/// Whose prompts and permissions count, besides this node's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trusted {
    /// Those of all members.
    #[default]
    All,
    /// Those of these.
    Only(List<NodeId, TRUSTED_MAX>),
}

/// Which prompts of one id count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptPolicy {
    /// The newest of those who are trusted.
    #[default]
    Newest,
    /// This node's own; the newest where it has none.
    Own,
}

/// The settings of a network on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether gated records cross.
    pub auto_gossip: bool,
    /// Whose prompts and permissions count.
    pub trusted: Trusted,
    /// Which prompts of one id count.
    pub prompts: PromptPolicy,
}

impl Settings {
    /// Whether what an author says counts on the node `me`.
    #[must_use]
    pub fn trusts(&self, me: NodeId, author: NodeId) -> bool {
        author == me
            || match &self.trusted {
                Trusted::All => true,
                Trusted::Only(nodes) => nodes.contains(&author),
            }
    }
}

/// What members share, as one node has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// This node.
    pub me: NodeId,
    /// The network.
    pub network: NetworkId,
    /// Its settings.
    pub settings: Settings,
    /// What is in force of the kind that was asked for, of this node and of who is trusted.
    pub records: Vec<SignedRecord>,
    /// Records that are left out, for there are too many: the oldest of others.
    pub left_out: u64,
}

/// What a gossip store may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From the store: what is durable.
    Loaded(Vec<Item>),
    /// From the store: a write is durable.
    Committed(Token),
    /// From the store: a write failed.
    CommitFailed(Token),
    /// From the roster: these are the members, and nobody else.
    Members(Vec<NodeId>),
    /// From the roster: one more member.
    Member(NodeId),
    /// From the roster: a member no more.
    Stranger(NodeId),
    /// From the roster: these belong, by these proofs, although it does not keep them.
    Vouched(Vec<(NodeId, Credential)>),
    /// From the roster: what this neighbour shows for these is no proof.
    NotVouched {
        /// Who showed it.
        from: NodeId,
        /// For whom.
        authors: Vec<NodeId>,
    },
    /// From the roster: these tickets are withdrawn, and whoever came by one of them with it.
    Revoked(Vec<TicketKey>),
    /// From a session: both sides have admitted each other.
    Active(NodeId),
    /// From a session: it is over.
    Gone(NodeId),
    /// From a session that is active: what the peer says.
    Heard(NodeId, Box<Gossip>),
    /// From the catalog publisher: what this node says of itself.
    Publish(Vec<Fact>),
    /// From a human, by the control socket or the management API.
    Admin {
        /// Names the answer.
        query: QueryId,
        /// Where it goes.
        asker: Asker,
        /// What is asked.
        request: Box<AdminRequest>,
    },
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Heard(_, gossip) => Class::Frame(gossip.weight()),
            // What a peer shows costs nothing that this node's own letters need.
            Self::Vouched(vouched) => Class::Data(vouched.len() * 1024),
            Self::NotVouched { authors, .. } => Class::Data(authors.len() * 64),
            Self::Loaded(_)
            | Self::Committed(_)
            | Self::CommitFailed(_)
            | Self::Members(_)
            | Self::Member(_)
            | Self::Stranger(_)
            | Self::Revoked(_)
            | Self::Active(_)
            | Self::Gone(_)
            | Self::Publish(_)
            | Self::Admin { .. } => Class::Control,
        }
    }
}
