//! Who belongs, as far as this node knows, and where they may be reached.

use messages::limits::{ADDRS_MAX, MEMBERS_MAX};
use messages::roster::Contact;
use messages::wire::latest::Introduction;
use messages::{Capabilities, Credential, List, NodeId, SignedRecord, Stamp, TicketKey, Wall};
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
}

/// The members and the contacts of a network.
#[derive(Debug, Default)]
pub(crate) struct Table {
    contacts: BTreeMap<NodeId, List<SocketAddr, ADDRS_MAX>>,
    members: BTreeMap<NodeId, Member>,
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

    /// A member presented its credential. False: there is no room for another.
    pub(crate) fn judged(
        &mut self,
        peer: NodeId,
        credential: &Credential,
        in_use: impl Fn(NodeId) -> bool,
    ) -> bool {
        if let Some(member) = self.members.get_mut(&peer) {
            if (&member.credential, member.judged) != (credential, true) {
                member.credential = credential.clone();
                member.judged = true;
                self.dirty.insert(peer);
            }
            return true;
        }
        if self.members.len() >= MEMBERS_MAX {
            // One that is here gives way to nobody; one that is only heard of does.
            let idle = self
                .members
                .keys()
                .find(|member| !in_use(**member))
                .copied();
            let Some(idle) = idle else { return false };
            self.drop_member(idle);
        }
        let credential = credential.clone();
        let member = Member {
            credential,
            judged: true,
            record: None,
            addrs: List::new(),
        };
        self.members.insert(peer, member);
        self.dirty.insert(peer);
        true
    }

    /// Whether a record is newer than the one that is known of its author.
    pub(crate) fn is_news(&self, signed: &SignedRecord) -> bool {
        let known = self
            .members
            .get(&signed.record.author)
            .and_then(|known| known.record.as_ref());
        known.is_none_or(|known| order(signed) > order(known))
    }

    /// A verified introduction. False: there is no room for another member.
    pub(crate) fn introduced(&mut self, entry: &Introduction, said: &Capabilities) -> bool {
        let author = entry.record.record.author;
        let (record, addrs) = (Some(entry.record.clone()), said.addrs.clone());
        if let Some(member) = self.members.get_mut(&author) {
            member.record = record;
            member.addrs = addrs;
            if !member.judged {
                member.credential = entry.credential.clone();
            }
        } else if self.members.len() < MEMBERS_MAX {
            let credential = entry.credential.clone();
            let member = Member {
                credential,
                judged: false,
                record,
                addrs,
            };
            self.members.insert(author, member);
        } else {
            return false;
        }
        self.dirty.insert(author);
        true
    }

    /// A member from the database. What was heard since is kept where it is newer.
    pub(crate) fn restored(
        &mut self,
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
            if news {
                known.record = record;
                known.addrs = said.addrs;
                self.dirty.insert(peer);
            }
        } else if self.members.len() < MEMBERS_MAX {
            let member = Member {
                credential,
                judged,
                record,
                addrs: said.addrs,
            };
            self.members.insert(peer, member);
        }
    }

    /// Whether it presented its own credential, or was named by a human.
    pub(crate) fn trusts(&self, peer: NodeId) -> bool {
        let judged = self.members.get(&peer).is_some_and(|member| member.judged);
        judged || self.contacts.contains_key(&peer)
    }

    /// Drops a member. As a contact it stays: a human named it.
    pub(crate) fn drop_member(&mut self, peer: NodeId) {
        if self.members.remove(&peer).is_some() {
            self.dirty.insert(peer);
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
