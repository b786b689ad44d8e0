//! The database: keys, values, and one promise. What was `Committed` survives a power cut.

use crate::{Address, Letter, NetworkId, Token, gossip_store, roster};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a durable item is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whose.
    pub network: NetworkId,
    /// Which of its tables.
    pub table: Table,
    /// Which row; at most 64 bytes.
    pub row: Bytes,
}

/// The tables of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    /// Tickets that this node issued, by ticket key.
    Issued,
    /// Tickets that the owner withdrew, by ticket key.
    Revoked,
    /// Members last seen, by node id.
    Members,
    /// The last stamp of a register, by kind and id.
    Stamps,
    /// Records, by register.
    Records,
    /// Authors of records that the roster does not keep, by node id: each with its credential.
    Authors,
    /// What a human chose for a network, by name.
    Settings,
}

/// A key and its value.
pub type Item = (Key, Bytes);

/// Who keeps rows in the database. Each has tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Asker {
    /// The membership of a network.
    Roster(NetworkId),
    /// The records of a network.
    GossipStore(NetworkId),
}

impl Asker {
    /// Everybody who keeps rows of a network.
    #[must_use]
    pub const fn all(network: NetworkId) -> [Self; 2] {
        [Self::Roster(network), Self::GossipStore(network)]
    }

    /// Of which network.
    #[must_use]
    pub const fn network(self) -> NetworkId {
        match self {
            Self::Roster(network) | Self::GossipStore(network) => network,
        }
    }

    /// Whose rows a table holds.
    #[must_use]
    pub const fn owns(self, table: Table) -> bool {
        match table {
            Table::Issued | Table::Revoked | Table::Members | Table::Stamps => {
                matches!(self, Self::Roster(_))
            }
            Table::Records | Table::Authors | Table::Settings => {
                matches!(self, Self::GossipStore(_))
            }
        }
    }

    /// The actor that is answered.
    #[must_use]
    pub const fn address(self) -> Address {
        match self {
            Self::Roster(network) => Address::Roster(network),
            Self::GossipStore(network) => Address::GossipStore(network),
        }
    }
}

/// What the database may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Everything that the asker keeps.
    Load(Asker),
    /// All of these writes or none, in order with other commits. Answered by `Committed` or
    /// `CommitFailed`.
    Commit {
        /// Who asks.
        asker: Asker,
        /// Names the answer.
        token: Token,
        /// A value, or nothing to delete.
        writes: Vec<(Key, Option<Bytes>)>,
    },
}

/// The letter that answers a Load.
#[must_use]
pub const fn loaded(asker: Asker, items: Vec<Item>) -> Letter {
    match asker {
        Asker::Roster(network) => Letter::Roster(network, roster::Input::Loaded(items)),
        Asker::GossipStore(network) => {
            Letter::GossipStore(network, gossip_store::Input::Loaded(items))
        }
    }
}

/// The letter that answers a Commit.
#[must_use]
pub const fn committed(asker: Asker, token: Token, durable: bool) -> Letter {
    match (asker, durable) {
        (Asker::Roster(network), true) => Letter::Roster(network, roster::Input::Committed(token)),
        (Asker::Roster(network), false) => {
            Letter::Roster(network, roster::Input::CommitFailed(token))
        }
        (Asker::GossipStore(network), true) => {
            Letter::GossipStore(network, gossip_store::Input::Committed(token))
        }
        (Asker::GossipStore(network), false) => {
            Letter::GossipStore(network, gossip_store::Input::CommitFailed(token))
        }
    }
}
