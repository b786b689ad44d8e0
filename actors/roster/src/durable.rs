//! What survives a restart: rows in the database, and what waits for their being written.

use crate::Roster;
use crate::members::{Known, Member};
use crate::tickets::Revocation;
use bytes::Bytes;
use kernel::{Deadline, Outbox};
use messages::limits::NAME_BYTES_MAX;
use messages::ports::control::Answer;
use messages::ports::store::{Asker, Command, Item, Key, Table as Rows};
use messages::{
    Credential, Kind, Label, Letter, Micros, Mono, NodeId, Now, QueryId, SignedRecord, Stamp,
    TicketKey, Token, Wall,
};
use std::collections::BTreeMap;

/// Writes, each a value or nothing to delete.
pub(crate) type Writes = Vec<(Key, Option<Bytes>)>;
/// A ticket that this node issued: its name, when it was made, when it ends.
pub(crate) type Issued = (Label<NAME_BYTES_MAX>, Wall, Option<Wall>);
/// A member: what it said, why it belongs, and how it came to be known.
type StoredMember = (Option<SignedRecord>, Credential, Known);

/// Writes in flight.
#[derive(Debug)]
pub(crate) struct Durable {
    next: u64,
    pending: BTreeMap<Token, Pending>,
}

#[derive(Debug)]
struct Pending {
    what: What,
    writes: Writes,
    /// When a write that failed is tried again.
    again: Option<Mono>,
}

/// What waits for a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// This node's own record.
    Advert(SignedRecord),
    /// A ticket, and its text for the human who asked.
    Issued(QueryId, TicketKey, Issued, String),
    /// Revocations, and the human who asked for the one that there is then.
    Revoked(Vec<Revocation>, Option<QueryId>),
    /// Members: nothing depends on them.
    Members,
}

impl Durable {
    /// Tokens begin anywhere: an answer to an earlier life must not answer this one.
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            next: first,
            pending: BTreeMap::new(),
        }
    }

    pub(crate) fn waits_for(&self, what: impl Fn(&What) -> bool) -> bool {
        self.pending.values().any(|pending| what(&pending.what))
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let again = self
            .pending
            .values()
            .filter_map(|pending| pending.again)
            .min();
        again.map(|at| Deadline {
            at,
            why: "write again",
        })
    }

    pub(crate) fn invariants(&self) {
        assert!(
            self.pending.len() <= PENDING_MAX,
            "too many writes in flight"
        );
    }
}

impl Roster {
    pub(crate) fn commit(&mut self, what: What, writes: Writes, out: &mut Outbox) {
        let token = Token(self.durable.next);
        self.durable.next = self.durable.next.wrapping_add(1);
        self.send_writes(token, writes.clone(), out);
        self.durable.pending.insert(
            token,
            Pending {
                what,
                writes,
                again: None,
            },
        );
    }

    fn send_writes(&self, token: Token, writes: Writes, out: &mut Outbox) {
        out.tell(Letter::Store(Command::Commit {
            asker: Asker::Roster(self.seed.network),
            token,
            writes,
        }));
    }

    /// Whether a human's request finds room: a few at once are all that humans make.
    pub(crate) fn has_room_to_write(&self) -> bool {
        kernel::sometimes!(
            self.durable.len() >= PENDING_MAX / 2,
            "roster: too many writes wait"
        );
        self.durable.len() < PENDING_MAX / 2
    }

    /// The store lost what it had not answered yet.
    pub(crate) fn write_again(&mut self, out: &mut Outbox) {
        let lost: Vec<(Token, Writes)> = self
            .durable
            .pending
            .iter_mut()
            .map(|(token, pending)| {
                pending.again = None;
                (*token, pending.writes.clone())
            })
            .collect();
        for (token, writes) in lost {
            kernel::sometimes!(true, "roster: a write is sent to a new store");
            self.send_writes(token, writes, out);
        }
    }

    pub(crate) fn write_due(&mut self, now: Now, out: &mut Outbox) {
        let mut due = Vec::new();
        for (token, pending) in &mut self.durable.pending {
            if pending.again.is_some_and(|at| at <= now.mono) {
                pending.again = None;
                due.push((*token, pending.writes.clone()));
            }
        }
        for (token, writes) in due {
            kernel::sometimes!(true, "roster: a failed write is tried again");
            self.send_writes(token, writes, out);
        }
    }

    pub(crate) fn on_committed(&mut self, now: Now, token: Token, out: &mut Outbox) {
        let Some(Pending { what, .. }) = self.durable.pending.remove(&token) else {
            return;
        };
        match what {
            What::Members => {}
            What::Advert(record) => self.on_own_record(now, record, out),
            What::Issued(query, ticket, issued, text) => {
                self.tickets.add_issued(ticket, issued);
                self.answer(query, Answer::Ticket(text), out);
            }
            What::Revoked(records, query) => {
                self.wrote_revocations(now, &records, out);
                if let Some(query) = query {
                    self.answer(query, Answer::Done, out);
                }
            }
        }
    }

    /// A write failed. A human is told; the rest is tried again. A revocation that a peer passed on
    /// holds already: it would be wrong to let somebody in because a disk is full.
    pub(crate) fn on_commit_failed(&mut self, now: Now, token: Token, out: &mut Outbox) {
        let Some(pending) = self.durable.pending.get_mut(&token) else {
            return;
        };
        kernel::sometimes!(true, "roster: a write fails");
        match &pending.what {
            What::Advert(_) | What::Members => pending.again = Some(now.mono + WRITE_AGAIN),
            What::Issued(query, ..) | What::Revoked(_, Some(query)) => {
                let query = *query;
                self.durable.pending.remove(&token);
                self.refuse(
                    query,
                    "it could not be written: look at the disk, and try again",
                    out,
                );
            }
            What::Revoked(_, None) => {
                kernel::sometimes!(true, "roster: a revocation takes force without a disk");
                self.durable.pending.remove(&token);
                self.tickets.write_at = Some(now.mono + WRITE_AGAIN);
            }
        }
    }

    /// Writes what changed of the members, a batch at a time.
    pub(crate) fn write_members(&mut self, now: Now, out: &mut Outbox) {
        self.members_at = None;
        if !self.durable.waits_for(|what| *what == What::Members) {
            let batch = self.table.take_dirty(BATCH_MAX);
            kernel::sometimes!(
                self.table.is_dirty(),
                "roster: members are written in parts"
            );
            let writes: Writes = batch
                .into_iter()
                .map(|peer| {
                    let stored = self.table.get(peer).and_then(|member| {
                        let Member {
                            record,
                            credential,
                            known,
                            ..
                        } = member;
                        postcard::to_stdvec(&(record, credential, known.to_row())).ok()
                    });
                    (self.key(Rows::Members, &peer.0), stored.map(Bytes::from))
                })
                .collect();
            if !writes.is_empty() {
                self.commit(What::Members, writes, out);
            }
        }
        self.plan_members(now);
    }

    pub(crate) fn plan_members(&mut self, now: Now) {
        if !self.is_loading() && self.table.is_dirty() && self.members_at.is_none() {
            self.members_at = Some(now.mono + MEMBERS_PAUSE);
        }
    }

    /// The row of this node's own record, and its stamp: one write.
    pub(crate) fn advert_writes(&self, signed: &SignedRecord) -> Writes {
        let stamp = postcard::to_stdvec(&signed.record.stamp).ok();
        let known = Known::Lasted.to_row();
        let own = postcard::to_stdvec(&(Some(signed), &self.seed.credential, known)).ok();
        vec![
            (
                self.key(Rows::Stamps, &stamp_row(Kind::CAPABILITIES)),
                stamp.map(Bytes::from),
            ),
            (
                self.key(Rows::Members, &self.seed.me.0),
                own.map(Bytes::from),
            ),
        ]
    }

    pub(crate) fn key(&self, table: Rows, row: &[u8]) -> Key {
        Key {
            network: self.seed.network,
            table,
            row: Bytes::copy_from_slice(row),
        }
    }

    /// What is durable. A second copy adds to the first.
    pub(crate) fn on_loaded(&mut self, now: Now, items: Vec<Item>, out: &mut Outbox) {
        let mut members = Vec::new();
        for (key, value) in items {
            if !self.restore(&key, &value, &mut members) {
                kernel::sometimes!(true, "roster: a row cannot be read");
                self.skipped += 1;
            }
        }
        for (peer, (record, credential, known)) in members {
            if peer == self.seed.me {
                self.advert.restored(record);
            } else if credential.is_over(now.wall) || self.tickets.is_revoked(&credential) {
                kernel::sometimes!(true, "roster: a stored member is a member no more");
                // Its row goes with the next sweep's writes.
                self.table
                    .restored(now.mono, peer, credential, known, record);
                self.table.drop_member(peer);
            } else {
                self.table
                    .restored(now.mono, peer, credential, known, record);
            }
        }
        if self.is_loading() {
            self.on_ready(now, out);
        }
    }

    /// One row. False: it cannot be read.
    fn restore(
        &mut self,
        key: &Key,
        value: &[u8],
        members: &mut Vec<(NodeId, StoredMember)>,
    ) -> bool {
        if key.network != self.seed.network {
            return false;
        }
        let row: Option<[u8; 32]> = key.row.as_ref().try_into().ok();
        match (key.table, row) {
            (Rows::Issued, Some(row)) => match postcard::from_bytes(value) {
                Ok(issued) => self.tickets.add_issued(TicketKey(row), issued),
                Err(_) => return false,
            },
            (Rows::Revoked, Some(row)) => match postcard::from_bytes(value) {
                Ok(record) => self.tickets.add_revoked(TicketKey(row), &record),
                Err(_) => return false,
            },
            (Rows::Members, Some(row)) => match stored_member(value) {
                Some(member) => members.push((NodeId(row), member)),
                None => return false,
            },
            (Rows::Stamps, _) if key.row.as_ref() == stamp_row(Kind::CAPABILITIES) => {
                match postcard::from_bytes::<Stamp>(value) {
                    Ok(stamp) => self.advert.raise_stamp(stamp),
                    Err(_) => return false,
                }
            }
            (
                Rows::Issued
                | Rows::Revoked
                | Rows::Members
                | Rows::Stamps
                | Rows::Records
                | Rows::Authors
                | Rows::Settings,
                _,
            ) => return false,
        }
        true
    }
}

fn stored_member(value: &[u8]) -> Option<StoredMember> {
    let (record, credential, known) = postcard::from_bytes(value).ok()?;
    Some((record, credential, Known::from_row(known)?))
}

/// The row of a register's stamp: kind, then id. The register of capabilities has no id.
const fn stamp_row(kind: Kind) -> [u8; 2] {
    kind.0.to_le_bytes()
}

/// Writes in flight at once: an advert, a batch of members, one of revocations, a few humans.
pub(crate) const PENDING_MAX: usize = 32;
/// Members written at once: a batch stays well under what a store writes in a slow moment.
const BATCH_MAX: usize = 64;
/// Changes of members within this time are one write.
const MEMBERS_PAUSE: Micros = Micros::from_secs(1);
/// After this a write that failed is tried again.
const WRITE_AGAIN: Micros = Micros::from_secs(5);
