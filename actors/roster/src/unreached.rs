//! Members that were dialled and not reached, for people: each with the reason of its last dial.

use crate::Roster;
use messages::limits::UNREACHED_MAX;
use messages::observer::Unreached;
use messages::ports::transport::DialError;
use messages::{List, NodeId, Now};
use std::collections::BTreeMap;

/// Why the last dial of a member came to nothing. At most [`UNREACHED_MAX`].
pub(crate) type Reasons = BTreeMap<NodeId, DialError>;

impl Roster {
    /// The transport says why no connection came of a dial.
    pub(crate) fn on_not_reached(&mut self, now: Now, peer: NodeId, why: DialError) {
        let mut reasons = std::mem::take(&mut self.unreached);
        reasons.retain(|peer, _| self.is_away(*peer));
        let room = reasons.len() < UNREACHED_MAX || reasons.contains_key(&peer);
        kernel::sometimes!(!room, "roster: more members than are shown are not reached");
        if room && self.is_away(peer) {
            reasons.insert(peer, why);
        }
        self.unreached = reasons;
        self.on_dial_failed(now, peer);
    }

    /// Those that are still away.
    pub(crate) fn unreached(&self) -> List<Unreached, UNREACHED_MAX> {
        let away = self
            .unreached
            .iter()
            .filter(|(peer, _)| self.is_away(**peer));
        List::truncated(away.map(|(peer, why)| Unreached {
            peer: *peer,
            why: why.clone(),
        }))
    }

    /// A member, and no session with it.
    fn is_away(&self, peer: NodeId) -> bool {
        self.table.knows(peer) && !self.sessions.is_live(peer)
    }
}
