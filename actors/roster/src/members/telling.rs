//! What the gossip store is told: whose records it may keep.

use super::Table;
use crate::Roster;
use kernel::Outbox;
use messages::NodeId;
use messages::gossip_store::Input;

impl Table {
    /// Whose membership began or ended since this was asked last.
    fn take_untold(&mut self) -> Vec<Input> {
        let untold = std::mem::take(&mut self.untold).into_iter();
        let told = untold.map(|peer| match self.members.get_mut(&peer) {
            Some(member) => {
                member.told = true;
                Input::Member(peer)
            }
            None => Input::Stranger(peer),
        });
        told.collect()
    }

    /// Everybody, as if nobody had been told of.
    fn all_told(&mut self) -> Vec<NodeId> {
        self.untold.clear();
        for member in self.members.values_mut() {
            member.told = true;
        }
        self.members()
    }
}

impl Roster {
    /// Tells the gossip store what changed. Before what is durable is known nobody is a stranger.
    pub(crate) fn tell_members(&mut self, out: &mut Outbox) {
        if self.is_loading() {
            return;
        }
        for input in self.table.take_untold() {
            self.tell_records(input, out);
        }
    }

    /// Tells the gossip store who is a member, and that nobody else is.
    pub(crate) fn tell_all_members(&mut self, out: &mut Outbox) {
        if self.is_loading() {
            return;
        }
        let members = Input::Members(self.table.all_told());
        self.tell_records(members, out);
        let revoked = self.tickets.revoked_after(None);
        self.tell_revoked(revoked.map(|(ticket, _)| ticket).collect(), out);
    }
}
