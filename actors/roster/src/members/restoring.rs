//! Members that the database knows of.

use super::holders::models_of;
use super::{Known, Member, Table};
use crate::hearsay::{Presence, Room, Via};
use messages::{Capabilities, Credential, Mono, NodeId, SignedRecord};

impl Table {
    /// A member from the database. What was heard since is kept where it is newer.
    pub(crate) fn restored(
        &mut self,
        now: Mono,
        peer: NodeId,
        credential: Credential,
        known: Known,
        record: Option<SignedRecord>,
    ) {
        let value = record
            .as_ref()
            .and_then(|record| record.record.value.as_deref());
        let said = value
            .and_then(|value| Capabilities::decode(value).ok())
            .unwrap_or_default();
        let news = record.as_ref().is_some_and(|record| self.is_news(record));
        if let Some(mut member) = self.take(peer) {
            if known > member.known {
                if !member.is_judged() {
                    member.credential = credential;
                }
                member.known = known;
            }
            if news {
                member.serves = models_of(&said);
                (member.record, member.addrs) = (record, said.addrs);
                self.dirty.insert(peer);
            }
            return self.restore(peer, member);
        }
        let member = Member {
            credential,
            known,
            record,
            serves: models_of(&said),
            addrs: said.addrs,
            via: Via::Before,
            here: false,
            seen: now,
            back: false,
            told: false,
        };
        self.restore(peer, member);
    }

    /// Puts a member in, if there is room; its row goes with the next batch if there is none.
    fn restore(&mut self, peer: NodeId, member: Member) {
        let room = match member.presence() {
            Presence::Here => true,
            Presence::Lasted => {
                // Who was here goes before who was only heard of.
                let least = self.tally.least().filter(|_| self.is_full());
                self.drop_members(least);
                !self.is_full()
            }
            Presence::Heard => self.tally.room(member.lane(), self.is_full()) == Room::Free,
        };
        kernel::sometimes!(!room, "roster: a stored member finds no room");
        match room {
            true => self.put(peer, member),
            false => drop(self.dirty.insert(peer)),
        }
    }
}
