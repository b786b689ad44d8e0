//! Who belongs, as far as this node knows, and where they may be reached.

mod holders;
mod restoring;
mod returns;
mod telling;

use crate::hearsay::{Lane, Presence, Room, Tally, Via};
use crate::standing::Standing;
use holders::models_of;
use messages::limits::{ADDRS_MAX, MEMBERS_MAX};
use messages::roster::Contact;
use messages::wire::latest::Introduction;
use messages::{
    Capabilities, Credential, List, ModelId, Mono, NodeId, SignedRecord, Stamp, TicketKey, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Why it belongs.
    pub(crate) credential: Credential,
    pub(crate) known: Known,
    /// What it says of itself.
    pub(crate) record: Option<SignedRecord>,
    addrs: List<SocketAddr, ADDRS_MAX>,
    /// What it says that it serves.
    serves: Box<[ModelId]>,
    via: Via,
    /// Whether a session of it was judged and is not over.
    here: bool,
    /// When it was last here; when it was heard of, if it never was.
    seen: Mono,
    /// Whether it was here before, and is again: nobody was told yet.
    back: bool,
    /// Whether the gossip store knows of it.
    told: bool,
}

/// How a member came to be known: whoever holds a ticket can sign any number of credentials, and
/// complete a handshake for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// Others presented its credential.
    Heard,
    /// It presented its credential itself. What others present for it never replaces that.
    Presented,
    /// It presented it, and a session of it lasted.
    Lasted,
}

impl Known {
    /// The byte in a member's row.
    pub(crate) const fn to_row(self) -> u8 {
        match self {
            Self::Heard => 0,
            Self::Presented => 1,
            Self::Lasted => 2,
        }
    }

    pub(crate) const fn from_row(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Heard),
            1 => Some(Self::Presented),
            2 => Some(Self::Lasted),
            _ => None,
        }
    }
}

impl Member {
    fn lane(&self) -> Lane {
        let (ticket, via) = (self.credential.ticket(), self.via);
        Lane { ticket, via }
    }

    fn presence(&self) -> Presence {
        match self.known {
            _ if self.here => Presence::Here,
            Known::Lasted => Presence::Lasted,
            Known::Heard | Known::Presented => Presence::Heard,
        }
    }

    /// Whether it presented its credential itself.
    pub(crate) fn is_judged(&self) -> bool {
        self.known >= Known::Presented
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
    /// Those of them that are not here, by what they are known by.
    tally: Tally,
    /// Members whose durable row is out of date.
    dirty: BTreeSet<NodeId>,
    /// Whose membership began or ended since the gossip store was told.
    untold: BTreeSet<NodeId>,
}

impl Table {
    pub(crate) fn new(me: NodeId, contacts: &[Contact]) -> Self {
        let others = contacts
            .iter()
            .filter(|contact| contact.node != me)
            .take(CONTACTS_MAX);
        kernel::sometimes!(
            contacts.len() > CONTACTS_MAX,
            "roster: too many contacts are named"
        );
        let contacts = others
            .map(|contact| (contact.node, contact.addrs.clone()))
            .collect();
        Self {
            contacts,
            members: BTreeMap::new(),
            tally: Tally::default(),
            dirty: BTreeSet::new(),
            untold: BTreeSet::new(),
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
        kernel::sometimes!(addrs.len() > ADDRS_MAX, "roster: too many addresses");
        List::truncated(addrs)
    }

    /// A member presented its credential. Who made room for it, where somebody had to.
    pub(crate) fn judged(
        &mut self,
        now: Mono,
        peer: NodeId,
        credential: &Credential,
    ) -> Result<Option<NodeId>, NoRoom> {
        if let Some(mut member) = self.take(peer) {
            member.back |= member.is_judged();
            if !member.is_judged() || member.credential != *credential {
                member.credential = credential.clone();
                member.known = member.known.max(Known::Presented);
                self.dirty.insert(peer);
            }
            (member.here, member.seen) = (true, now);
            self.put(peer, member);
            return Ok(None);
        }
        kernel::sometimes!(self.is_full(), "roster: the members are too many");
        let evicted = match self.is_full() {
            true => {
                let gives_way = self.tally.gives_way(credential.ticket(), now);
                Some(gives_way.ok_or(NoRoom)?)
            }
            false => None,
        };
        self.drop_members(evicted);
        let member = Member {
            credential: credential.clone(),
            known: Known::Presented,
            record: None,
            addrs: List::new(),
            serves: Box::default(),
            via: Via::Itself,
            here: true,
            seen: now,
            back: false,
            told: false,
        };
        self.put(peer, member);
        self.dirty.insert(peer);
        Ok(evicted)
    }

    /// A session of a member that is here has lasted.
    pub(crate) fn lasted(&mut self, peer: NodeId) {
        let new = |member: &&Member| member.here && member.known != Known::Lasted;
        if self.members.get(&peer).filter(new).is_some()
            && let Some(mut member) = self.take(peer)
        {
            member.known = Known::Lasted;
            self.put(peer, member);
            self.dirty.insert(peer);
        }
    }

    /// A member was here until now. Unless a session of it lasted it has the place of one that is
    /// heard of. Who lost a place by that: it may be itself.
    pub(crate) fn left(&mut self, now: Mono, peer: NodeId) -> Option<NodeId> {
        let mut member = match self.members.get(&peer) {
            Some(member) if member.here => self.take(peer)?,
            Some(_) | None => return None,
        };
        (member.here, member.seen) = (false, now);
        let room = match member.presence() {
            Presence::Heard => self.tally.room(member.lane(), false),
            Presence::Here | Presence::Lasted => Room::Free,
        };
        self.put(peer, member);
        let evicted = match room {
            Room::Free => None,
            Room::Instead(other) => Some(other),
            Room::None => Some(peer),
        };
        self.drop_members(evicted);
        evicted
    }

    fn take(&mut self, peer: NodeId) -> Option<Member> {
        let member = self.members.remove(&peer)?;
        let (lane, presence) = (member.lane(), member.presence());
        self.tally.remove(lane, presence, member.seen, peer);
        Some(member)
    }

    fn put(&mut self, peer: NodeId, member: Member) {
        let (lane, presence) = (member.lane(), member.presence());
        self.tally.insert(lane, presence, member.seen, peer);
        if !member.told {
            self.untold.insert(peer);
        }
        self.members.insert(peer, member);
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
            Some(known) if known.is_judged() => true,
            Some(known) if known.credential.ticket() == entry.credential.ticket() => true,
            known => {
                let full = self.is_full() && known.is_none();
                self.tally.room(lane_of(entry, from), full) != Room::None
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
        let is_same =
            |known: &Member| known.is_judged() || known.credential.ticket() == lane.ticket;
        let same = known.is_some_and(is_same);
        let evicted = match self.tally.room(lane, self.is_full() && known.is_none()) {
            Room::Free => None,
            _ if same => None,
            Room::Instead(other) => Some(other),
            Room::None => return Err(NoRoom),
        };
        self.drop_members(evicted.filter(|other| *other != author));
        let (record, addrs) = (Some(entry.record.clone()), said.addrs.clone());
        let serves = models_of(said);
        let member = match self.take(author) {
            Some(mut member) => {
                if !member.is_judged() {
                    member.credential = entry.credential.clone();
                    member.via = if same { member.via } else { lane.via };
                }
                (member.record, member.addrs, member.serves) = (record, addrs, serves);
                member
            }
            None => Member {
                credential: entry.credential.clone(),
                known: Known::Heard,
                record,
                addrs,
                serves,
                via: lane.via,
                here: false,
                seen: now,
                back: false,
                told: false,
            },
        };
        self.put(author, member);
        self.dirty.insert(author);
        Ok(evicted)
    }

    /// What a peer is known by.
    pub(crate) fn standing(&self, peer: NodeId) -> Standing {
        let contact = self.contacts.contains_key(&peer);
        match self.members.get(&peer) {
            Some(member) if contact || member.known == Known::Lasted => {
                Standing::Trusted(member.lane().ticket)
            }
            Some(member) => Standing::Hearsay(member.lane()),
            None if contact => Standing::Trusted(None),
            None => Standing::default(),
        }
    }

    /// Drops a member. As a contact it stays: a human named it.
    pub(crate) fn drop_member(&mut self, peer: NodeId) {
        if self.take(peer).is_some() {
            self.dirty.insert(peer);
            self.untold.insert(peer);
        }
    }

    fn drop_members(&mut self, peers: Option<NodeId>) {
        if let Some(peer) = peers {
            self.drop_member(peer);
        }
    }

    pub(crate) fn by_ticket(&self, ticket: TicketKey) -> Vec<NodeId> {
        let came_by = |member: &Member| member.credential.ticket() == Some(ticket);
        let found = self.members.iter().filter(|(_, member)| came_by(member));
        found.map(|(peer, _)| *peer).collect()
    }

    pub(crate) fn expired(&self, now: Wall) -> Vec<NodeId> {
        let over = self
            .members
            .iter()
            .filter(|(_, member)| member.credential.is_over(now));
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
        assert!(self.contacts.len() <= CONTACTS_MAX, "too many contacts");
        assert!(!self.knows(me), "this node is its own peer");
        self.tally.invariants();
    }
}

/// Where an introduction is counted.
fn lane_of(entry: &Introduction, from: NodeId) -> Lane {
    Lane {
        ticket: entry.credential.ticket(),
        via: Via::Peer(from),
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
