//! Authors whom the roster does not keep, each with the proof that it belongs.
//!
//! A network may have more members than a node ever meets. Where there are more than are kept, the
//! ticket with the most of them gives way: whoever holds one can sign any number of ids into the
//! network, and takes no place from those that came by one that has less. From those that came by
//! the same ticket it does: it can make ids that are smaller than theirs. Its owner withdraws it.

use messages::limits::MEMBERS_MAX;
use messages::{Credential, NodeId, TicketKey, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// Authors besides those that the roster keeps: as many again.
pub(crate) const VOUCHED_MAX: usize = MEMBERS_MAX;

/// Why somebody finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Its ticket is withdrawn.
    Revoked,
    /// There are too many, and its ticket has more of them than others.
    Full,
}

/// Authors by proof.
#[derive(Debug)]
pub(crate) struct Vouched {
    most: usize,
    authors: BTreeMap<NodeId, Credential>,
    by_ticket: BTreeMap<Option<TicketKey>, BTreeSet<NodeId>>,
    /// Tickets by how many authors they have.
    weights: BTreeSet<(usize, Option<TicketKey>)>,
    by_end: BTreeSet<(Wall, NodeId)>,
    /// As many as the roster keeps.
    revoked: BTreeSet<TicketKey>,
    /// Whose row is out of date.
    changed: BTreeSet<NodeId>,
}

impl Vouched {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            authors: BTreeMap::new(),
            by_ticket: BTreeMap::new(),
            weights: BTreeSet::new(),
            by_end: BTreeSet::new(),
            revoked: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.authors.len()
    }

    pub(crate) fn get(&self, author: NodeId) -> Option<&Credential> {
        self.authors.get(&author)
    }

    /// Adds one; gives back who gives way to it.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn add(
        &mut self,
        author: NodeId,
        credential: Credential,
    ) -> Result<Option<NodeId>, NoPlace> {
        let ticket = credential.ticket();
        if ticket.is_some_and(|ticket| self.revoked.contains(&ticket)) {
            return Err(NoPlace::Revoked);
        }
        if let Some(known) = self.authors.get(&author) {
            if lasts_longer(known, &credential) {
                return Ok(None);
            }
            self.remove(author);
        }
        let evicted = match self.authors.len() < self.most {
            true => None,
            false => Some(self.who_gives_way(author, ticket)?),
        };
        if let Some(evicted) = evicted {
            self.remove(evicted);
        }
        if let Some(end) = credential.expires() {
            self.by_end.insert((end, author));
        }
        self.weigh(ticket, |authors| authors.insert(author));
        self.authors.insert(author, credential);
        self.changed.insert(author);
        Ok(evicted)
    }

    /// The greatest id of the heaviest ticket, or of its own ticket where that has as many: whoever
    /// is told of the same ones in another order keeps the same ones of a ticket.
    fn who_gives_way(&self, author: NodeId, ticket: Option<TicketKey>) -> Result<NodeId, NoPlace> {
        let greatest_of = |ticket| self.by_ticket.get(ticket).and_then(BTreeSet::last).copied();
        let own = self.by_ticket.get(&ticket).map_or(0, BTreeSet::len);
        let heaviest = self.weights.last().filter(|(most, _)| own + 1 < *most);
        if let Some(greatest) = heaviest.and_then(|(_, heaviest)| greatest_of(heaviest)) {
            return Ok(greatest);
        }
        let greatest = greatest_of(&ticket).filter(|greatest| author < *greatest);
        greatest.ok_or(NoPlace::Full)
    }

    pub(crate) fn remove(&mut self, author: NodeId) -> bool {
        let Some(credential) = self.authors.remove(&author) else {
            return false;
        };
        if let Some(end) = credential.expires() {
            self.by_end.remove(&(end, author));
        }
        self.weigh(credential.ticket(), |authors| authors.remove(&author));
        self.changed.insert(author);
        true
    }

    fn weigh(
        &mut self,
        ticket: Option<TicketKey>,
        change: impl FnOnce(&mut BTreeSet<NodeId>) -> bool,
    ) {
        let authors = self.by_ticket.entry(ticket).or_default();
        self.weights.remove(&(authors.len(), ticket));
        change(authors);
        match authors.len() {
            0 => drop(self.by_ticket.remove(&ticket)),
            count => drop(self.weights.insert((count, ticket))),
        }
    }

    /// These tickets are withdrawn; gives back who came by them.
    pub(crate) fn revoke(&mut self, tickets: Vec<TicketKey>) -> Vec<NodeId> {
        let mut gone = Vec::new();
        for ticket in tickets {
            self.revoked.insert(ticket);
            gone.extend(self.by_ticket.get(&Some(ticket)).into_iter().flatten());
        }
        for author in &gone {
            self.remove(*author);
        }
        gone
    }

    /// Takes those whose membership has ended by itself.
    pub(crate) fn take_over(&mut self, now: Wall) -> Vec<NodeId> {
        let ended = self.by_end.iter().take_while(|(end, _)| *end <= now);
        let ended: Vec<NodeId> = ended.map(|(_, author)| *author).collect();
        for author in &ended {
            self.remove(*author);
        }
        ended
    }

    /// When the next membership ends by itself.
    pub(crate) fn next_end(&self) -> Option<Wall> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// At most so many whose row is out of date, and what it holds now.
    pub(crate) fn take_changes(&mut self, most: usize) -> Vec<(NodeId, Option<Credential>)> {
        let some: Vec<NodeId> = self.changed.iter().take(most).copied().collect();
        let with_value = |author: NodeId| (author, self.get(author).cloned());
        let changes = some.iter().map(|author| with_value(*author)).collect();
        for author in &some {
            self.changed.remove(author);
        }
        changes
    }

    /// A write of these failed.
    pub(crate) fn changed_again(&mut self, authors: impl IntoIterator<Item = NodeId>) {
        self.changed.extend(authors);
    }

    /// These have rows: only those are out of date that have no place.
    pub(crate) fn are_rows(&mut self, rows: &BTreeSet<NodeId>) {
        let known = &self.authors;
        self.changed
            .retain(|author| !(rows.contains(author) && known.contains_key(author)));
        let gone = rows.iter().filter(|author| !known.contains_key(author));
        self.changed.extend(gone);
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(crate) fn invariants(&self) {
        assert!(self.authors.len() <= self.most, "too many are vouched for");
        assert_eq!(
            self.authors.len(),
            self.weights.iter().map(|(count, _)| count).sum::<usize>(),
            "authors that no ticket counts"
        );
    }
}

/// Whether a membership ends no sooner than by the other proof.
fn lasts_longer(known: &Credential, other: &Credential) -> bool {
    let end = |of: &Credential| of.expires().unwrap_or(Wall(u64::MAX));
    end(known) >= end(other)
}
