//! Who belongs, as far as this node knows, and where they may be reached.

use crate::dial::Standing;
use crate::hearsay::{Hearsay, Lane, Room};
use messages::limits::{ADDRS_MAX, MEMBERS_MAX};
use messages::roster::Contact;
use messages::wire::latest::Introduction;
use messages::{
    Capabilities, Credential, List, Micros, Mono, NodeId, SignedRecord, Stamp, TicketKey, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Why it belongs.
    pub(crate) credential: Credential,
    /// Whether the member itself presented it. What others present for it never replaces that:
    /// whoever holds a ticket can make a credential for any node.
    pub(crate) judged: bool,
    /// What it says of itself.
    pub(crate) record: Option<SignedRecord>,
    addrs: List<SocketAddr, ADDRS_MAX>,
    /// Who spoke of it first, where it was heard of in this life.
    via: Option<NodeId>,
    /// Whether it ever had an active session here.
    met: bool,
    /// When it was last here; when it was heard of, if it never was.
    seen: Mono,
}

impl Member {
    fn lane(&self) -> Lane {
        let ticket = ticket_of(&self.credential);
        Lane {
            ticket,
            via: self.via,
        }
    }
}

/// There is no place for another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// The members and the contacts of a network.
#[derive(Debug, Default)]
pub(crate) struct Table {
    contacts: BTreeMap<NodeId, List<SocketAddr, ADDRS_MAX>>,
    members: BTreeMap<NodeId, Member>,
    /// Those of them that were never here.
    hearsay: Hearsay,
    /// Members whose durable row is out of date.
    dirty: BTreeSet<NodeId>,
}

impl Table {
    pub(crate) fn new(me: NodeId, contacts: &[Contact]) -> Self {
        let others = contacts
            .iter()
            .filter(|contact| contact.node != me)
            .take(CONTACTS_MAX);
        let contacts = others
            .map(|contact| (contact.node, contact.addrs.clone()))
            .collect();
        Self {
            contacts,
            members: BTreeMap::new(),
            hearsay: Hearsay::default(),
            dirty: BTreeSet::new(),
        }
    }

    pub(crate) fn contacts(&self) -> Vec<NodeId> {
        self.contacts.keys().copied().collect()
    }

    pub(crate) fn members(&self) -> Vec<NodeId> {
        self.members.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn get(&self, peer: NodeId) -> Option<&Member> {
        self.members.get(&peer)
    }

    /// Whether it is a member, or was named by a human.
    pub(crate) fn knows(&self, peer: NodeId) -> bool {
        self.members.contains_key(&peer) || self.contacts.contains_key(&peer)
    }

    /// Where it may be reached: what it says itself, then what the ticket said.
    pub(crate) fn addrs_of(&self, peer: NodeId) -> List<SocketAddr, ADDRS_MAX> {
        let said = self.members.get(&peer).map(|member| &member.addrs);
        let told = self.contacts.get(&peer);
        let mut addrs: Vec<SocketAddr> = Vec::new();
        for addr in said.into_iter().chain(told).flat_map(|addrs| addrs.iter()) {
            if may_be_dialled(addr) && !addrs.contains(addr) {
                addrs.push(*addr);
            }
        }
        List::truncated(addrs)
    }

    /// A member presented its credential. Who made room for it, where somebody had to.
    pub(crate) fn judged(
        &mut self,
        now: Mono,
        peer: NodeId,
        credential: &Credential,
        here: impl Fn(NodeId) -> bool,
    ) -> Result<Option<NodeId>, NoRoom> {
        if let Some(member) = self.members.get_mut(&peer) {
            member.seen = now;
            if (&member.credential, member.judged) != (credential, true) {
                self.hearsay.remove(member.lane(), peer);
                member.credential = credential.clone();
                member.judged = true;
                self.dirty.insert(peer);
            }
            return Ok(None);
        }
        let evicted = match self.is_full() {
            true => Some(self.gives_way(now, here).ok_or(NoRoom)?),
            false => None,
        };
        self.drop_members(evicted);
        let credential = credential.clone();
        let member = Member {
            credential,
            judged: true,
            record: None,
            addrs: List::new(),
            via: None,
            met: false,
            seen: now,
        };
        self.members.insert(peer, member);
        self.dirty.insert(peer);
        Ok(evicted)
    }

    /// Who gives way to a member that is here: who was never here, then who only knocked, then who
    /// was not here for long.
    fn gives_way(&self, now: Mono, here: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let away = |(peer, member): &(&NodeId, &Member)| {
            let long = !member.met || now.since(member.seen) >= AWAY_MAX;
            member.judged && long && !here(**peer)
        };
        let least = || {
            let members = self.members.iter().filter(away);
            let (peer, _) = members.min_by_key(|(_, member)| (member.met, member.seen))?;
            Some(*peer)
        };
        self.hearsay.least().or_else(least)
    }

    /// A member's session is active.
    pub(crate) fn met(&mut self, peer: NodeId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.met = true;
        }
    }

    /// A member was here until now.
    pub(crate) fn saw(&mut self, now: Mono, peer: NodeId) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.seen = now;
        }
    }

    fn is_full(&self) -> bool {
        self.members.len() >= MEMBERS_MAX
    }

    /// Whether a record is newer than the one that is known of its author.
    pub(crate) fn is_news(&self, signed: &SignedRecord) -> bool {
        let known = self
            .members
            .get(&signed.record.author)
            .and_then(|known| known.record.as_ref());
        known.is_none_or(|known| order(signed) > order(known))
    }

    /// Whether an introduction finds a place, if it verifies.
    pub(crate) fn has_room_for(&self, entry: &Introduction, from: NodeId) -> bool {
        match self.members.get(&entry.record.record.author) {
            Some(known) if known.judged => true,
            Some(known) if ticket_of(&known.credential) == ticket_of(&entry.credential) => true,
            known => {
                let full = self.is_full() && known.is_none();
                self.hearsay.room(lane_of(entry, from), full) != Room::None
            }
        }
    }

    /// A verified introduction. Who made room for it, where somebody had to.
    pub(crate) fn introduced(
        &mut self,
        now: Mono,
        entry: &Introduction,
        said: &Capabilities,
        from: NodeId,
    ) -> Result<Option<NodeId>, NoRoom> {
        let author = entry.record.record.author;
        let lane = lane_of(entry, from);
        let known = self.members.get(&author);
        let same =
            known.is_some_and(|known| known.judged || ticket_of(&known.credential) == lane.ticket);
        let evicted = match self.hearsay.room(lane, self.is_full() && known.is_none()) {
            Room::Free => None,
            _ if same => None,
            Room::Instead(other) => Some(other),
            Room::None => return Err(NoRoom),
        };
        self.drop_members(evicted.filter(|other| *other != author));
        let (record, addrs) = (Some(entry.record.clone()), said.addrs.clone());
        if let Some(member) = self.members.get_mut(&author) {
            member.record = record;
            member.addrs = addrs;
            if !member.judged {
                self.hearsay.remove(member.lane(), author);
                member.credential = entry.credential.clone();
                member.via = if same { member.via } else { lane.via };
                self.hearsay.insert(member.lane(), author);
            }
        } else {
            let member = Member {
                credential: entry.credential.clone(),
                judged: false,
                record,
                addrs,
                via: lane.via,
                met: false,
                seen: now,
            };
            self.hearsay.insert(lane, author);
            self.members.insert(author, member);
        }
        self.dirty.insert(author);
        Ok(evicted)
    }

    /// A member from the database. What was heard since is kept where it is newer.
    pub(crate) fn restored(
        &mut self,
        now: Mono,
        peer: NodeId,
        credential: Credential,
        judged: bool,
        record: Option<SignedRecord>,
    ) {
        let value = record
            .as_ref()
            .and_then(|record| record.record.value.as_deref());
        let said = value
            .and_then(|value| Capabilities::decode(value).ok())
            .unwrap_or_default();
        let news = record.as_ref().is_some_and(|record| self.is_news(record));
        if let Some(known) = self.members.get_mut(&peer) {
            if judged && !known.judged {
                self.hearsay.remove(known.lane(), peer);
                known.judged = true;
                known.met = true;
                known.credential = credential;
            }
            if news {
                known.record = record;
                known.addrs = said.addrs;
                self.dirty.insert(peer);
            }
            return;
        }
        let member = Member {
            credential,
            judged,
            record,
            addrs: said.addrs,
            via: None,
            met: judged,
            seen: now,
        };
        let lane = member.lane();
        let room = match judged {
            true => {
                // Who was here goes before who was only heard of.
                let least = self.hearsay.least().filter(|_| self.is_full());
                self.drop_members(least);
                !self.is_full()
            }
            false => self.hearsay.room(lane, self.is_full()) == Room::Free,
        };
        if !room {
            // Its row goes with the next batch.
            self.dirty.insert(peer);
            return;
        }
        if !judged {
            self.hearsay.insert(lane, peer);
        }
        self.members.insert(peer, member);
    }

    /// What a peer is known by.
    pub(crate) fn standing(&self, peer: NodeId) -> Standing {
        match self.members.get(&peer) {
            _ if self.contacts.contains_key(&peer) => Standing::Trusted,
            Some(member) if member.judged => Standing::Trusted,
            Some(member) => Standing::Hearsay(member.lane()),
            None => Standing::default(),
        }
    }

    /// Drops a member. As a contact it stays: a human named it.
    pub(crate) fn drop_member(&mut self, peer: NodeId) {
        if let Some(member) = self.members.remove(&peer) {
            self.hearsay.remove(member.lane(), peer);
            self.dirty.insert(peer);
        }
    }

    fn drop_members(&mut self, peers: Option<NodeId>) {
        if let Some(peer) = peers {
            self.drop_member(peer);
        }
    }

    pub(crate) fn by_ticket(&self, ticket: TicketKey) -> Vec<NodeId> {
        let came_by = |member: &Member| ticket_of(&member.credential) == Some(ticket);
        let found = self.members.iter().filter(|(_, member)| came_by(member));
        found.map(|(peer, _)| *peer).collect()
    }

    pub(crate) fn expired(&self, now: Wall) -> Vec<NodeId> {
        let over = self
            .members
            .iter()
            .filter(|(_, member)| is_over(&member.credential, now));
        over.map(|(peer, _)| *peer).collect()
    }

    /// A member as it is introduced to others.
    pub(crate) fn introduction(&self, peer: NodeId) -> Option<Introduction> {
        let member = self.members.get(&peer)?;
        let record = member.record.clone()?;
        Some(Introduction {
            record,
            credential: member.credential.clone(),
        })
    }

    /// Up to `max` members whose durable row is out of date; they count as written.
    pub(crate) fn take_dirty(&mut self, max: usize) -> Vec<NodeId> {
        let taken: Vec<NodeId> = self.dirty.iter().take(max).copied().collect();
        for peer in &taken {
            self.dirty.remove(peer);
        }
        taken
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(crate) fn invariants(&self, me: NodeId) {
        assert!(self.members.len() <= MEMBERS_MAX, "too many members");
        assert!(!self.knows(me), "this node is its own peer");
        self.hearsay.invariants();
    }
}

/// Where an introduction is counted.
fn lane_of(entry: &Introduction, from: NodeId) -> Lane {
    Lane {
        ticket: ticket_of(&entry.credential),
        via: Some(from),
    }
}

/// The ticket that a credential was made from.
pub(crate) fn ticket_of(credential: &Credential) -> Option<TicketKey> {
    match credential {
        Credential::Owner { .. } => None,
        Credential::Ticket { grant, .. } => Some(grant.grant.ticket),
    }
}

/// Whether the membership has ended by itself.
pub(crate) fn is_over(credential: &Credential, now: Wall) -> bool {
    match credential {
        Credential::Owner { .. } => false,
        Credential::Ticket { grant, .. } => {
            grant.grant.expires.is_some_and(|expires| expires <= now)
        }
    }
}

/// The order within a register: stamp, then digest.
fn order(signed: &SignedRecord) -> (Stamp, Vec<u8>) {
    (signed.record.stamp, signed.record.signing_bytes())
}

/// A packet goes to one node: never to a group, to nobody, or to no port.
fn may_be_dialled(addr: &SocketAddr) -> bool {
    let to_one = match addr.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    to_one && addr.port() != 0
}

/// Contacts that a human may name: a ticket names one.
const CONTACTS_MAX: usize = 64;
/// After this a member that was here gives way to one that is, if there is no room: a machine that
/// is off for the night keeps its place. It may always come back by itself.
const AWAY_MAX: Micros = Micros::from_secs(24 * 60 * 60);
