//! How many members one ticket, and one introducer, may have here, and who gives way.
//!
//! Whoever holds a ticket can sign any number of ids into its network, and every one of them is a
//! member as far as anybody can verify. So a place is earned by a session that lasted; who has no
//! session and never had one that lasted is *heard of*, whether others spoke of it or it knocked
//! itself, and has a share by ticket and by who spoke of it first. Members that are here are not
//! counted: their sessions are bounded elsewhere.

use messages::limits::MEMBERS_MAX;
use messages::{Micros, Mono, NodeId, TicketKey};
use std::collections::{BTreeMap, BTreeSet};

/// Who spoke of a member first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Via {
    /// An earlier life of this roster heard of it.
    #[default]
    Before,
    /// It presented itself before anybody spoke of it.
    Itself,
    Peer(NodeId),
}

/// What a member is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// What its credential was made from.
    pub(crate) ticket: Option<TicketKey>,
    pub(crate) via: Via,
}

/// How a member is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    /// It is not here; a session of it lasted.
    Lasted,
    Heard,
}

/// Whether there is a place for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// If this one, of a larger share, goes.
    Instead(NodeId),
    None,
}

/// Members by the time since which they are as they are: whoever came last is the last.
type Row = BTreeSet<(Mono, NodeId)>;

/// The members that are not here, by what they are known by.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    heard: BTreeMap<Lane, Row>,
    tickets: BTreeMap<Option<TicketKey>, OfTicket>,
    introducers: BTreeMap<NodeId, OfIntroducer>,
}

#[derive(Debug, Default)]
struct OfTicket {
    heard: usize,
    lasted: Row,
}

#[derive(Debug, Default)]
struct OfIntroducer {
    heard: usize,
    /// Members it spoke of that are here, or of which a session lasted.
    real: usize,
}

impl Tally {
    pub(crate) fn insert(&mut self, lane: Lane, presence: Presence, since: Mono, peer: NodeId) {
        let of_ticket = self.tickets.entry(lane.ticket).or_default();
        match presence {
            Presence::Here => {}
            Presence::Lasted => drop(of_ticket.lasted.insert((since, peer))),
            Presence::Heard => {
                of_ticket.heard += 1;
                self.heard.entry(lane).or_default().insert((since, peer));
            }
        }
        if let Via::Peer(via) = lane.via {
            let of_introducer = self.introducers.entry(via).or_default();
            match presence {
                Presence::Heard => of_introducer.heard += 1,
                Presence::Here | Presence::Lasted => of_introducer.real += 1,
            }
        }
        self.prune(lane);
    }

    /// Takes out what was put in just so.
    pub(crate) fn remove(&mut self, lane: Lane, presence: Presence, since: Mono, peer: NodeId) {
        let of_ticket = self.tickets.entry(lane.ticket).or_default();
        match presence {
            Presence::Here => {}
            Presence::Lasted => drop(of_ticket.lasted.remove(&(since, peer))),
            Presence::Heard => {
                of_ticket.heard -= 1;
                self.heard.entry(lane).or_default().remove(&(since, peer));
            }
        }
        if let Via::Peer(via) = lane.via {
            let of_introducer = self.introducers.entry(via).or_default();
            match presence {
                Presence::Heard => of_introducer.heard -= 1,
                Presence::Here | Presence::Lasted => of_introducer.real -= 1,
            }
        }
        self.prune(lane);
    }

    /// Nothing is kept of nobody.
    fn prune(&mut self, lane: Lane) {
        if self.heard.get(&lane).is_some_and(BTreeSet::is_empty) {
            self.heard.remove(&lane);
        }
        let of_ticket = self.tickets.get(&lane.ticket);
        if of_ticket.is_some_and(|of| of.heard == 0 && of.lasted.is_empty()) {
            self.tickets.remove(&lane.ticket);
        }
        if let Via::Peer(via) = lane.via {
            let of_introducer = self.introducers.get(&via);
            if of_introducer.is_some_and(|of| of.heard == 0 && of.real == 0) {
                self.introducers.remove(&via);
            }
        }
    }

    /// Whether there is a place for one more that is heard of; `full`: the table has none.
    pub(crate) fn room(&self, lane: Lane, full: bool) -> Room {
        if self.of_introducer(lane).heard >= BY_INTRODUCER_MAX {
            kernel::sometimes!(true, "roster: an introducer's share is spent");
            return Room::None;
        }
        let of_ticket = self.heard_by(lane.ticket);
        if of_ticket < BY_TICKET_MAX && !full {
            return Room::Free;
        }
        kernel::sometimes!(
            of_ticket >= BY_TICKET_MAX,
            "roster: a ticket's share is spent"
        );
        let victim = match self.largest_share() {
            Some((ticket, count)) if of_ticket < BY_TICKET_MAX && of_ticket + 1 < count => {
                self.last_heard(ticket)
            }
            Some(_) | None => self.last_of_heavier(lane),
        };
        victim.map_or(Room::None, Room::Instead)
    }

    /// Who was only heard of, and gives way to a member that was here.
    pub(crate) fn least(&self) -> Option<NodeId> {
        self.last_heard(self.largest_share()?.0)
    }

    /// Who gives way to a member by this ticket that is here: of the ticket with the most members
    /// who was heard of, then who was away the longest. Of its own ticket's members, one of which
    /// a session lasted gives way after a day away only: whoever holds the ticket mints newcomers.
    pub(crate) fn gives_way(&self, ticket: Option<TicketKey>, now: Mono) -> Option<NodeId> {
        let count = |of: &OfTicket| of.heard + of.lasted.len();
        let own = self.tickets.get(&ticket).map_or(0, count);
        let others = self.tickets.iter().map(|(ticket, of)| (*ticket, count(of)));
        let largest = others.max_by_key(|(_, count)| *count);
        let other = largest.filter(|(_, count)| own < *count);
        let from = other.map_or(ticket, |(ticket, _)| ticket);
        let away = || {
            let longest = self.tickets.get(&from)?.lasted.first();
            longest.filter(|(since, _)| other.is_some() || now.since(*since) >= AWAY_MAX)
        };
        self.last_heard(from).or_else(|| {
            let (_, peer) = away()?;
            kernel::sometimes!(other.is_none(), "roster: who is long away gives way");
            Some(*peer)
        })
    }

    fn heard_by(&self, ticket: Option<TicketKey>) -> usize {
        self.tickets.get(&ticket).map_or(0, |of| of.heard)
    }

    fn largest_share(&self) -> Option<(Option<TicketKey>, usize)> {
        let counts = self.tickets.iter().map(|(ticket, of)| (*ticket, of.heard));
        counts.max_by_key(|(_, count)| *count)
    }

    fn of_introducer(&self, lane: Lane) -> OfIntroducer {
        let none = OfIntroducer::default();
        let Via::Peer(via) = lane.via else {
            return none;
        };
        self.introducers.get(&via).map_or(none, |of| OfIntroducer {
            heard: of.heard,
            real: of.real,
        })
    }

    /// What a lane with so many takes of its share. That grows with the members its introducer
    /// named that turned out to be real: a crowd of introducers that one holder minted weighs
    /// more than one whose members answer.
    fn weight(&self, lane: Lane, len: usize) -> Weight {
        let real = self.of_introducer(lane).real;
        Weight { len, of: 1 + real }
    }

    fn heaviest(&self, ticket: Option<TicketKey>) -> Option<(Weight, &Row)> {
        let via = Via::default();
        let lanes = self.heard.range(Lane { ticket, via }..);
        lanes
            .take_while(|(lane, _)| lane.ticket == ticket)
            .map(|(lane, row)| (self.weight(*lane, row.len()), row))
            .max_by(|(one, _), (other, _)| one.compare(other))
    }

    /// The last of its ticket's heaviest lane, if this one stays lighter with one more.
    fn last_of_heavier(&self, lane: Lane) -> Option<NodeId> {
        let mine = self.heard.get(&lane).map_or(0, BTreeSet::len);
        let mine = self.weight(lane, mine + 1);
        let heaviest = self.heaviest(lane.ticket);
        let heavier = heaviest.filter(|(weight, _)| mine.compare(weight).is_lt())?;
        last(heavier.1)
    }

    fn last_heard(&self, ticket: Option<TicketKey>) -> Option<NodeId> {
        last(self.heaviest(ticket)?.1)
    }

    pub(crate) fn invariants(&self) {
        let mut by_ticket = self.tickets.values();
        let within = by_ticket.all(|of| of.heard <= BY_TICKET_MAX);
        assert!(within, "a ticket has more than its share");
        let mut by_introducer = self.introducers.values();
        let within = by_introducer.all(|of| of.heard <= BY_INTRODUCER_MAX);
        assert!(within, "an introducer has more than its share");
        let heard: usize = self.heard.values().map(BTreeSet::len).sum();
        let by_ticket: usize = self.tickets.values().map(|of| of.heard).sum();
        assert_eq!(heard, by_ticket, "the lanes are not the tickets' shares");
    }
}

/// Members of a lane in proportion to its share.
#[derive(Clone, Copy, Debug)]
struct Weight {
    len: usize,
    of: usize,
}

impl Weight {
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        (self.len * other.of).cmp(&(other.len * self.of))
    }
}

/// Whoever came last: those that were known before keep their places.
fn last(row: &Row) -> Option<NodeId> {
    row.last().map(|(_, peer)| *peer)
}

/// Members heard of by one ticket: a network of a thousand nodes that one reusable ticket admitted
/// may be heard of at once. With less, a newcomer to it would drop what nobody tells it again;
/// with more, a minted crowd would cost every node more than it does: some 1 MB.
pub(crate) const BY_TICKET_MAX: usize = 1_024;
/// Members heard of by one introducer, whatever their tickets: a large network that a newcomer's
/// first contact names fits in it, and eight liars do not fill the table.
pub(crate) const BY_INTRODUCER_MAX: usize = MEMBERS_MAX / 8;
/// After this a member gives way to one by its own ticket, if there is no room: a machine that is
/// off for the night keeps its place. It may always come back by itself.
const AWAY_MAX: Micros = Micros::from_secs(24 * 60 * 60);
