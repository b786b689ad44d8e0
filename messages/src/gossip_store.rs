//! What the records of a network may be told.

use crate::bounded::Label;
use crate::limits::NAME_BYTES_MAX;
use crate::ports::store::Item;
use crate::wire::latest::Gossip;
use crate::{Class, Credential, Kind, NetworkId, NodeId, RecordClass, TicketKey, Token};
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
    /// From a human: whether gated records cross.
    Share(bool),
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Heard(_, gossip) => Class::Frame(gossip.weight()),
            Self::Loaded(_)
            | Self::Committed(_)
            | Self::CommitFailed(_)
            | Self::Members(_)
            | Self::Member(_)
            | Self::Stranger(_)
            | Self::Vouched(_)
            | Self::Revoked(_)
            | Self::Active(_)
            | Self::Gone(_)
            | Self::Publish(_)
            | Self::Share(_) => Class::Control,
        }
    }
}
