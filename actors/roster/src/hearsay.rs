//! Members that this node never met: how many of them one ticket, and one introducer, may have.
//!
//! Whoever holds a ticket can sign any number of ids into its network, and every one of them is a
//! member as far as anybody can verify. So what is only heard of has a share, by ticket and by who
//! spoke of it first; where a share is spent, the largest lane in it gives way.

use messages::limits::MEMBERS_MAX;
use messages::{NodeId, TicketKey};
use std::collections::{BTreeMap, BTreeSet};

/// What a member is known by that was never met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// What its credential was made from.
    pub(crate) ticket: Option<TicketKey>,
    /// Who spoke of it first; nobody, where an earlier life heard of it.
    pub(crate) via: Option<NodeId>,
}

/// Whether there is a place for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// If this one, of a larger share, goes.
    Instead(NodeId),
    None,
}

/// The members that were never met, by lane.
#[derive(Debug, Default)]
pub(crate) struct Hearsay {
    lanes: BTreeMap<Lane, BTreeSet<NodeId>>,
    tickets: BTreeMap<Option<TicketKey>, usize>,
    introducers: BTreeMap<NodeId, usize>,
}

impl Hearsay {
    pub(crate) fn insert(&mut self, lane: Lane, peer: NodeId) {
        if self.lanes.entry(lane).or_default().insert(peer) {
            *self.tickets.entry(lane.ticket).or_default() += 1;
            if let Some(via) = lane.via {
                *self.introducers.entry(via).or_default() += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, lane: Lane, peer: NodeId) {
        let Some(peers) = self.lanes.get_mut(&lane) else {
            return;
        };
        if !peers.remove(&peer) {
            return;
        }
        if peers.is_empty() {
            self.lanes.remove(&lane);
        }
        one_less(&mut self.tickets, lane.ticket);
        if let Some(via) = lane.via {
            one_less(&mut self.introducers, via);
        }
    }

    /// Whether there is a place for one more in this lane; `full`: the table has none.
    pub(crate) fn room(&self, lane: Lane, full: bool) -> Room {
        let by_introducer = lane.via.and_then(|via| self.introducers.get(&via));
        if by_introducer.is_some_and(|count| *count >= BY_INTRODUCER_MAX) {
            return Room::None;
        }
        let of_ticket = self.count(lane.ticket);
        if of_ticket < BY_TICKET_MAX && !full {
            return Room::Free;
        }
        let largest = self.largest_ticket();
        let victim = match largest {
            Some((ticket, count)) if of_ticket < BY_TICKET_MAX && of_ticket + 1 < count => {
                self.one_of(ticket)
            }
            Some(_) | None => {
                let mine = self.lanes.get(&lane).map_or(0, BTreeSet::len);
                let larger = self.largest_lane(lane.ticket);
                larger
                    .filter(|larger| mine + 1 < larger.len())
                    .and_then(first)
            }
        };
        victim.map_or(Room::None, Room::Instead)
    }

    /// Who gives way to a member that is here: one of the largest lane of the largest ticket.
    pub(crate) fn least(&self) -> Option<NodeId> {
        self.one_of(self.largest_ticket()?.0)
    }

    fn count(&self, ticket: Option<TicketKey>) -> usize {
        self.tickets.get(&ticket).copied().unwrap_or(0)
    }

    fn largest_ticket(&self) -> Option<(Option<TicketKey>, usize)> {
        let counts = self.tickets.iter().map(|(ticket, count)| (*ticket, *count));
        counts.max_by_key(|(_, count)| *count)
    }

    fn largest_lane(&self, ticket: Option<TicketKey>) -> Option<&BTreeSet<NodeId>> {
        let from = Lane { ticket, via: None };
        let lanes = self.lanes.range(from..);
        lanes
            .take_while(|(lane, _)| lane.ticket == ticket)
            .map(|(_, peers)| peers)
            .max_by_key(|peers| peers.len())
    }

    fn one_of(&self, ticket: Option<TicketKey>) -> Option<NodeId> {
        self.largest_lane(ticket).and_then(first)
    }

    pub(crate) fn invariants(&self) {
        let by_ticket = self.tickets.values().all(|count| *count <= BY_TICKET_MAX);
        assert!(by_ticket, "a ticket has more than its share");
        let mut by_introducer = self.introducers.values();
        let within = by_introducer.all(|count| *count <= BY_INTRODUCER_MAX);
        assert!(within, "an introducer has more than its share");
    }
}

fn first(peers: &BTreeSet<NodeId>) -> Option<NodeId> {
    peers.first().copied()
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// Members that were never met by one ticket: a network of a thousand nodes that one reusable
/// ticket admitted may be heard of at once. With less, a newcomer to it would drop what nobody
/// tells it again; with more, a minted crowd would cost every node more than it does: some 1 MB.
pub(crate) const BY_TICKET_MAX: usize = 1_024;
/// Members that were never met by one introducer, whatever their tickets: a large network that a
/// newcomer's first contact names fits in it, and eight liars do not fill the table.
pub(crate) const BY_INTRODUCER_MAX: usize = MEMBERS_MAX / 8;
