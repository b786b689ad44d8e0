//! Tickets: signed, scoped, expiring, revocable invitations, and the credentials made from them.
//!
//! A ticket holds a grant that the network's owner signed and the secret half of the ticket's own
//! key. The joiner signs its node id with that secret: any member verifies the result offline,
//! and nobody else can present it, because TLS proves the node id. This module is the data; keys
//! are used by whoever holds them.

use crate::base32;
use crate::bounded::{Label, List};
use crate::limits::{ADDRS_MAX, NAME_BYTES_MAX};
use crate::{Digest, NetworkId, NodeId, Signature, TicketKey, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// The first byte of every ticket of this form.
const VERSION: u8 = 1;
/// Bytes of a ticket before base32: two keys, two signatures, names and sixteen addresses.
const TICKET_BYTES_MAX: usize = 1024;

/// Why a text is not a ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not base32, cut short or mistyped.
    #[error("this is not a whole ticket: copy the line again (it is one lowercase base32 word)")]
    Damaged,
    /// A form that this program does not know.
    #[error("this ticket is of form {0}, which this version of mesh-node does not know: update it")]
    Version(u8),
}

/// What the owner grants to whoever holds the ticket's secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose network.
    pub owner: NodeId,
    /// Which of the owner's networks.
    pub label: Label<NAME_BYTES_MAX>,
    /// The ticket's public key: what a revocation names.
    pub ticket: TicketKey,
    /// What the owner calls it.
    pub name: Label<NAME_BYTES_MAX>,
    /// When it was made.
    pub issued: Wall,
    /// When the membership that it grants ends; absent: when it is revoked.
    pub expires: Option<Wall>,
}

impl Grant {
    /// The network that it opens.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        network_of(self.owner, &self.label)
    }

    /// What the owner signs.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let fields = postcard::to_stdvec(self).unwrap_or_default();
        Digest::of("mesh-node grant v1", &[&fields]).0.to_vec()
    }

    /// What the ticket's secret signs for a joiner.
    #[must_use]
    pub fn joining_bytes(&self, joiner: NodeId) -> Vec<u8> {
        let grant = self.signing_bytes();
        Digest::of("mesh-node join v1", &[&grant, &joiner.0])
            .0
            .to_vec()
    }
}

/// The network of an owner's label: nobody else can own it.
#[must_use]
pub fn network_of(owner: NodeId, label: &str) -> NetworkId {
    NetworkId(Digest::of("mesh-node network v1", &[&owner.0, label.as_bytes()]).0)
}

/// A grant and the owner's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedGrant {
    /// What is granted.
    pub grant: Grant,
    /// Verifies under `grant.owner`.
    pub signature: Signature,
}

/// Proof of membership that names a node id. Verified offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// The peer owns the network: its id and this label come to the network's id.
    Owner {
        /// The label that the network was made with.
        label: Label<NAME_BYTES_MAX>,
    },
    /// The peer held a ticket.
    Ticket {
        /// What the owner granted.
        grant: Box<SignedGrant>,
        /// The ticket's signature over the peer's node id.
        joined: Signature,
    },
}

impl Credential {
    /// The ticket that it was made from.
    #[must_use]
    pub const fn ticket(&self) -> Option<TicketKey> {
        match self {
            Self::Owner { .. } => None,
            Self::Ticket { grant, .. } => Some(grant.grant.ticket),
        }
    }

    /// When the membership ends by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Wall> {
        match self {
            Self::Owner { .. } => None,
            Self::Ticket { grant, .. } => grant.grant.expires,
        }
    }

    /// Whether the membership has ended by itself.
    #[must_use]
    pub fn is_over(&self, now: Wall) -> bool {
        self.expires().is_some_and(|end| end <= now)
    }
}

/// An invitation as it is handed over: one lowercase base32 word.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// What is granted.
    pub grant: SignedGrant,
    /// The secret half of the ticket's key: whoever holds it can join.
    pub secret: [u8; 32],
    /// Who to meet first.
    pub issuer: NodeId,
    /// Where.
    pub addrs: List<SocketAddr, ADDRS_MAX>,
}

impl Ticket {
    /// Reads a ticket's text, in either case, spaces around it ignored.
    ///
    /// # Errors
    /// [`TicketError`], with what to do.
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > TICKET_BYTES_MAX * 2 {
            return Err(TicketError::Damaged);
        }
        let bytes = base32::decode_checked(text).ok_or(TicketError::Damaged)?;
        let (version, body) = bytes.split_first().ok_or(TicketError::Damaged)?;
        if *version != VERSION {
            return Err(TicketError::Version(*version));
        }
        match postcard::take_from_bytes(body) {
            Ok((ticket, [])) => Ok(ticket),
            Ok(_) | Err(_) => Err(TicketError::Damaged),
        }
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(self).map_err(|_| fmt::Error)?);
        f.write_str(&base32::encode_checked(&bytes))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("grant", &self.grant)
            .field("issuer", &self.issuer)
            .finish()
    }
}

#[cfg(test)]
mod tests;
