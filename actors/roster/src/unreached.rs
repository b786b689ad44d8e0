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
        let (table, sessions) = (&self.table, &self.sessions);
        let is_away = |peer: NodeId| table.knows(peer) && !sessions.is_live(peer);
        self.unreached.retain(|peer, _| is_away(*peer));
        let room = self.unreached.len() < UNREACHED_MAX || self.unreached.contains_key(&peer);
        kernel::sometimes!(!room, "roster: more members than are shown are not reached");
        if room && is_away(peer) {
            self.unreached.insert(peer, why);
        }
        self.on_dial_failed(now, peer);
    }

    /// Those that are still away.
    pub(crate) fn unreached(&self) -> List<Unreached, UNREACHED_MAX> {
        let all = self.unreached.iter();
        let away =
            all.filter(|(peer, _)| self.table.knows(**peer) && !self.sessions.is_live(**peer));
        List::truncated(away.map(|(peer, why)| Unreached {
            peer: *peer,
            why: why.clone(),
        }))
    }
}
