//! What crosses the control socket.

use messages::gossip_store::{AdminRequest, Shared};
use messages::observer::Snapshot;
use messages::ports::control::TicketRow;
use messages::{NetworkId, NodeId, TicketKey, Wall};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of this protocol: both ends come from the same program, so they must be equal.
pub const VERSION: u16 = 4;
/// A request: some values of what is shared at most.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// A response: the snapshot of a node with thousands of peers.
pub(crate) const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are not a message of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Another version of the program is at the other end.
    #[error(
        "the running node speaks version {0} of the control protocol, this command {VERSION}: \
         use the same mesh-node for both"
    )]
    Version(u16),
    /// Longer than allowed.
    #[error("a control message of {0} bytes is too long")]
    TooLong(usize),
    /// Not a message.
    #[error("the control message is malformed")]
    Malformed,
}

/// What the command line asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The node as it is.
    Status,
    /// Make a ticket.
    TicketNew {
        /// For which network; absent: the node's own.
        network: Option<NetworkId>,
        /// What to call it.
        name: String,
        /// When the membership that it grants ends.
        expires: Option<Wall>,
    },
    /// List the tickets of a network.
    TicketList {
        /// Of which network; absent: the node's own.
        network: Option<NetworkId>,
    },
    /// End what a ticket grants.
    TicketRevoke {
        /// Of which network; absent: the node's own.
        network: Option<NetworkId>,
        /// Which.
        ticket: TicketKey,
    },
    /// Ask what members share, or change it.
    Records {
        /// Of which network; absent: the node's own.
        network: Option<NetworkId>,
        /// What is asked.
        request: AdminRequest,
    },
    /// Join the network of a ticket.
    Join {
        /// The ticket's text.
        ticket: String,
    },
    /// Stop the node.
    Stop,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The node.
    pub node: NodeId,
    /// Its boot.
    pub boot: u64,
    /// The program's version.
    pub version: String,
    /// Where the API listens.
    pub api: String,
    /// Where the management port listens.
    pub console: String,
    /// Why it cannot serve, as `/readyz` says it; nothing where it can.
    pub why_not: Option<String>,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// The node as it is.
    Status(About, Box<Snapshot>),
    /// A ticket's text.
    Ticket(String),
    /// The tickets of a network.
    Tickets(Vec<TicketRow>),
    /// What members share.
    Shared(Box<Shared>),
    /// The network that was joined.
    Joined(NetworkId),
    /// Done, durably.
    Done,
    /// Not done, and why.
    Refused(String),
}

/// A message with its version and length.
pub(crate) fn encode<T: Serialize>(message: &T, max: usize) -> Result<Vec<u8>, ProtocolError> {
    let body = postcard::to_stdvec(&(VERSION, message)).map_err(|_| ProtocolError::Malformed)?;
    let len = u32::try_from(body.len()).map_err(|_| ProtocolError::TooLong(body.len()))?;
    if body.len() > max {
        return Err(ProtocolError::TooLong(body.len()));
    }
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// The length that a message announces.
pub(crate) fn length(bytes: [u8; 4], max: usize) -> Result<usize, ProtocolError> {
    match u32::from_le_bytes(bytes) as usize {
        len if len > max => Err(ProtocolError::TooLong(len)),
        len => Ok(len),
    }
}

/// The message in a body.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProtocolError> {
    let (version, rest) =
        postcard::take_from_bytes::<u16>(body).map_err(|_| ProtocolError::Malformed)?;
    if version != VERSION {
        return Err(ProtocolError::Version(version));
    }
    match postcard::take_from_bytes(rest) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(ProtocolError::Malformed),
    }
}
