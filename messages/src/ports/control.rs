//! The control socket: what the command line asks a running node.

use crate::bounded::Label;
use crate::gossip_store::Shared;
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use crate::observer::Snapshot;
use crate::{QueryId, TicketKey, Wall};
use serde::{Deserialize, Serialize};

/// What the control socket may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The answer to a query that it passed on.
    Answer {
        /// Which.
        query: QueryId,
        /// The answer.
        answer: Box<Answer>,
    },
}

/// An answer for a human.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The node as it is.
    Snapshot(Snapshot),
    /// A ticket's text.
    Ticket(String),
    /// The tickets that this node issued.
    Tickets(Vec<TicketRow>),
    /// What members share.
    Shared(Box<Shared>),
    /// Done, durably.
    Done,
    /// Not done.
    Refused(Label<REASON_BYTES_MAX>),
}

/// One issued ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRow {
    /// Its key: what `ticket revoke` takes.
    pub ticket: TicketKey,
    /// What it was called.
    pub name: Label<NAME_BYTES_MAX>,
    /// When it was made.
    pub issued: Wall,
    /// When the membership ends.
    pub expires: Option<Wall>,
    /// Whether it was withdrawn.
    pub revoked: bool,
}
