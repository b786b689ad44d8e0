//! The database: keys, values, and one promise. What was `Committed` survives a power cut.

use crate::{Address, Letter, NetworkId, Token, roster};
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
}

/// A key and its value.
pub type Item = (Key, Bytes);

/// What the database may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Everything of a network, to its roster.
    Load(NetworkId),
    /// All of these writes or none, in order with other commits. Answered by `Committed` or
    /// `CommitFailed` to the network's roster.
    Commit {
        /// Whose.
        network: NetworkId,
        /// Names the answer.
        token: Token,
        /// A value, or nothing to delete.
        writes: Vec<(Key, Option<Bytes>)>,
    },
}

/// The letter that answers a Load.
#[must_use]
pub const fn loaded(network: NetworkId, items: Vec<Item>) -> Letter {
    Letter::Roster(network, roster::Input::Loaded(items))
}

/// The letter that answers a Commit.
#[must_use]
pub const fn committed(network: NetworkId, token: Token, durable: bool) -> Letter {
    let input = match durable {
        true => roster::Input::Committed(token),
        false => roster::Input::CommitFailed(token),
    };
    Letter::Roster(network, input)
}

/// The actor that is answered.
#[must_use]
pub const fn asker(network: NetworkId) -> Address {
    Address::Roster(network)
}
