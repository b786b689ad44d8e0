//! What a peer is known by: those that are trusted are dialled before those only heard of.

use crate::hearsay::{Lane, Via};
use messages::TicketKey;

/// What a peer is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A session of it lasted, or a human named it.
    Trusted(Option<TicketKey>),
    /// It was heard of: others spoke of it, or it knocked.
    Hearsay(Lane),
}

impl Default for Standing {
    fn default() -> Self {
        Self::Hearsay(Lane::default())
    }
}

impl Standing {
    pub(crate) const fn is_trusted(self) -> bool {
        matches!(self, Self::Trusted(_))
    }

    /// Whose turn a dial of it is: trusted peers take turns by ticket alone.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Trusted(ticket) => Lane {
                ticket,
                via: Via::default(),
            },
            Self::Hearsay(lane) => lane,
        }
    }
}
