//! A queue of dials in which tickets take turns, and within a ticket those who spoke of its
//! members: a crowd that one of them minted delays the others by a turn.

use crate::hearsay::{Lane, Via};
use messages::{Mono, NodeId, TicketKey};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Where a dial waits. Those that never failed have a row of their own: a newcomer does not wait
/// behind a crowd that does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) lane: Lane,
    pub(crate) failed: bool,
}

/// Dials to come, by ticket and row.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    rows: BTreeMap<Place, BTreeSet<(Mono, NodeId)>>,
    len: usize,
    /// Whose turn the last one was.
    last_ticket: Option<TicketKey>,
    /// Of each ticket that has dials here.
    last_row: BTreeMap<Option<TicketKey>, Place>,
}

impl FairQueue {
    pub(crate) fn insert(&mut self, place: Place, at: Mono, peer: NodeId) {
        let new = self.rows.entry(place).or_default().insert((at, peer));
        self.len += usize::from(new);
    }

    pub(crate) fn remove(&mut self, place: Place, at: Mono, peer: NodeId) {
        let Some(row) = self.rows.get_mut(&place) else {
            return;
        };
        self.len -= usize::from(row.remove(&(at, peer)));
        if row.is_empty() {
            self.rows.remove(&place);
            if self.rows_of(place.lane.ticket).next().is_none() {
                self.last_row.remove(&place.lane.ticket);
            }
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// When the first dial of a ticket is due that is open to dials.
    pub(crate) fn first(&self, open: impl Fn(Option<TicketKey>) -> bool) -> Option<Mono> {
        let rows = self
            .rows
            .iter()
            .filter(|(place, _)| open(place.lane.ticket));
        rows.filter_map(|(_, row)| Some(row.first()?.0)).min()
    }

    /// Whose turn it is among those that are due: of the ticket with the fewest dials in flight,
    /// one after the other where there are as many. Of a row whoever is due first, or as it is
    /// drawn. It stays in the queue.
    pub(crate) fn next(
        &mut self,
        now: Mono,
        draw: Option<u64>,
        in_flight: impl Fn(Option<TicketKey>) -> Option<usize>,
    ) -> Option<NodeId> {
        let last = self.last_ticket;
        let due = self.rows.iter().filter(|(_, row)| is_due(row, now));
        let tickets: BTreeSet<Option<TicketKey>> =
            due.map(|(place, _)| place.lane.ticket).collect();
        let open = tickets
            .into_iter()
            .filter_map(|ticket| Some((in_flight(ticket)?, ticket <= last, ticket)));
        let (_, _, ticket) = open.min()?;
        let last = self.last_row.get(&ticket).copied();
        let due = self.rows_of(ticket).filter(|(_, row)| is_due(row, now));
        let (_, place, peer) = due
            .filter_map(|(place, row)| Some((Some(*place) <= last, *place, pick(row, now, draw)?)))
            .min()?;
        self.last_ticket = ticket;
        self.last_row.insert(ticket, place);
        Some(peer)
    }

    fn rows_of(
        &self,
        ticket: Option<TicketKey>,
    ) -> impl Iterator<Item = (&Place, &BTreeSet<(Mono, NodeId)>)> {
        let via = Via::default();
        let lane = Lane { ticket, via };
        let from = Place {
            lane,
            failed: false,
        };
        let rows = self.rows.range((Bound::Included(from), Bound::Unbounded));
        rows.take_while(move |(place, _)| place.lane.ticket == ticket)
    }
}

fn is_due(row: &BTreeSet<(Mono, NodeId)>, now: Mono) -> bool {
    row.first().is_some_and(|(at, _)| *at <= now)
}

fn pick(row: &BTreeSet<(Mono, NodeId)>, now: Mono, draw: Option<u64>) -> Option<NodeId> {
    let Some(draw) = draw else {
        return row.first().map(|(_, peer)| *peer);
    };
    let due = row.iter().take_while(|(at, _)| *at <= now);
    let count = u64::try_from(due.clone().count()).unwrap_or(u64::MAX);
    let chosen = draw.checked_rem(count)?;
    let chosen = usize::try_from(chosen).unwrap_or_default();
    due.map(|(_, peer)| *peer).nth(chosen)
}
