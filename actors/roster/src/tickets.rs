//! Tickets: made, listed and withdrawn by the owner; joined with by anybody.

use crate::Roster;
use crate::durable::{Issued, PENDING_MAX, What};
use crate::verify::{ed25519, revoked_ticket, verify_record, verify_revocation};
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{Outbox, Signed};
use messages::limits::NAME_BYTES_MAX;
use messages::peer_session;
use messages::ports::control::{Answer, Command, TicketRow};
use messages::ports::store::Table as Rows;
use messages::roster::AdminRequest;
use messages::wire::latest::Deny;
use messages::{
    Credential, Grant, Kind, Label, Letter, Mono, NodeId, Now, QueryId, Record, RecordClass,
    Signature, SignedGrant, SignedRecord, Stamp, Ticket, TicketKey, Wall,
};
use std::collections::BTreeMap;

/// A ticket that its owner withdrew, the owner's word, and who passed it on.
pub(crate) type Revocation = (TicketKey, SignedRecord, Option<NodeId>);

/// The tickets of a network.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    issued: BTreeMap<TicketKey, Issued>,
    revoked: BTreeMap<TicketKey, SignedRecord>,
    /// In force, and still to be written.
    waiting: BTreeMap<TicketKey, (SignedRecord, Option<NodeId>)>,
    pub(crate) write_at: Option<Mono>,
}

/// Makes a joiner's credential from a ticket: the ticket's secret signs the joiner's id.
#[must_use]
pub fn join(ticket: &Ticket, joiner: NodeId) -> Credential {
    let grant = &ticket.grant;
    let secret = SigningKey::from_bytes(&ticket.secret);
    let signature = secret.sign(&grant.grant.joining_bytes(joiner));
    let joined = Signature::from_bytes(&signature.to_bytes());
    Credential::Ticket {
        grant: Box::new(grant.clone()),
        joined,
    }
}

impl Tickets {
    pub(crate) fn add_issued(&mut self, ticket: TicketKey, issued: Issued) {
        self.issued.insert(ticket, issued);
    }

    pub(crate) fn add_revoked(&mut self, ticket: TicketKey, record: &SignedRecord) {
        if self.revoked.len() < REVOKED_MAX {
            self.revoked.entry(ticket).or_insert_with(|| record.clone());
        }
    }

    pub(crate) fn wait(&mut self, records: Vec<Revocation>) {
        let waiting = records
            .into_iter()
            .map(|(ticket, record, from)| (ticket, (record, from)));
        self.waiting.extend(waiting);
    }

    pub(crate) fn is_revoked(&self, credential: &Credential) -> bool {
        credential
            .ticket()
            .is_some_and(|ticket| self.revoked.contains_key(&ticket))
    }

    /// Revocations after `from`, in order.
    pub(crate) fn revoked_after(
        &self,
        from: Option<TicketKey>,
    ) -> impl Iterator<Item = (TicketKey, SignedRecord)> + '_ {
        let start = from.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = self.revoked.range((start, std::ops::Bound::Unbounded));
        range.map(|(ticket, record)| (*ticket, record.clone()))
    }

    pub(crate) fn invariants(&self) {
        // Those that were being written when the last one found room come on top.
        let issued = self.issued.len();
        assert!(issued <= ISSUED_MAX + PENDING_MAX, "too many tickets");
        assert!(self.revoked.len() <= REVOKED_MAX, "too many revocations");
        assert!(
            self.waiting.len() <= REVOKED_MAX,
            "too many revocations wait"
        );
    }
}

impl Roster {
    pub(crate) fn on_admin(
        &mut self,
        now: Now,
        query: QueryId,
        request: AdminRequest,
        out: &mut Outbox,
    ) {
        if self.seed.me != self.seed.owner {
            let why = format!(
                "only the network's owner has tickets: ask {}",
                self.seed.owner
            );
            return self.refuse(query, &why, out);
        }
        if self.is_loading() {
            return self.refuse(query, "the node is starting: try again in a moment", out);
        }
        if !self.has_room_to_write() {
            return self.refuse(query, "too many requests at once: try again", out);
        }
        match request {
            AdminRequest::TicketNew { name, expires } => {
                self.on_ticket_new(now, query, name, expires, out);
            }
            AdminRequest::TicketList => {
                let rows = self
                    .tickets
                    .issued
                    .iter()
                    .map(|(ticket, (name, issued, expires))| {
                        let revoked = self.tickets.revoked.contains_key(ticket);
                        let (issued, expires) = (*issued, *expires);
                        TicketRow {
                            ticket: *ticket,
                            name: name.clone(),
                            issued,
                            expires,
                            revoked,
                        }
                    });
                self.answer(query, Answer::Tickets(rows.collect()), out);
            }
            AdminRequest::TicketRevoke { ticket } => self.on_revoke(now, query, ticket, out),
        }
    }

    fn on_ticket_new(
        &mut self,
        now: Now,
        query: QueryId,
        name: Label<NAME_BYTES_MAX>,
        expires: Option<Wall>,
        out: &mut Outbox,
    ) {
        let addrs = self.advert.addrs().clone();
        let fault = match expires {
            Some(expires) if expires <= now.wall => Some("that time is over already"),
            _ if addrs.is_empty() => Some("the node has no address yet: try again in a moment"),
            _ if self.tickets.issued.len() >= ISSUED_MAX => {
                kernel::sometimes!(true, "roster: too many tickets are issued");
                Some("too many tickets were issued")
            }
            _ => None,
        };
        if let Some(why) = fault {
            return self.refuse(query, why, out);
        }
        let secret = self.ctx.entropy.bytes();
        let ticket = TicketKey(SigningKey::from_bytes(&secret).verifying_key().to_bytes());
        let grant = Grant {
            owner: self.seed.owner,
            label: self.seed.label.clone(),
            ticket,
            name: name.clone(),
            issued: now.wall,
            expires,
        };
        let signature = self.ctx.signer.sign(&grant.signing_bytes());
        let grant = SignedGrant { grant, signature };
        let text = Ticket {
            grant,
            secret,
            issuer: self.seed.me,
            addrs,
        }
        .to_string();
        let issued: Issued = (name, now.wall, expires);
        let row = postcard::to_stdvec(&issued).ok().map(Bytes::from);
        let writes = vec![(self.key(Rows::Issued, &ticket.0), row)];
        self.commit(What::Issued(query, ticket, issued, text), writes, out);
    }

    /// The owner withdraws a ticket.
    fn on_revoke(&mut self, now: Now, query: QueryId, ticket: TicketKey, out: &mut Outbox) {
        if !self.tickets.issued.contains_key(&ticket) {
            let why = "no such ticket was issued here: see the list of tickets";
            return self.refuse(query, why, out);
        }
        if self.tickets.revoked.contains_key(&ticket) {
            return self.answer(query, Answer::Done, out);
        }
        let record = Record {
            network: self.seed.network,
            class: RecordClass::Public,
            kind: Kind::REVOCATION,
            author: self.seed.me,
            id: Label::truncated(&ticket.to_string()),
            stamp: Stamp(now.wall.0),
            value: Some(Bytes::new()),
        };
        let signature = self.ctx.signer.sign(&record.signing_bytes());
        let record = SignedRecord { record, signature };
        let writes = self.revoked_writes([(&ticket, &record)]);
        self.commit(
            What::Revoked(vec![(ticket, record, None)], Some(query)),
            writes,
            out,
        );
    }

    /// A peer passes on a revocation. It takes force at once: nobody is served for as long as a
    /// slow disk takes.
    pub(crate) fn on_revoked(
        &mut self,
        now: Now,
        from: NodeId,
        record: SignedRecord,
        out: &mut Outbox,
    ) {
        let (network, owner) = (self.seed.network, self.seed.owner);
        // What is known already costs no verification.
        let named = revoked_ticket(network, owner, &record);
        if named.is_some_and(|ticket| self.tickets.revoked.contains_key(&ticket)) {
            kernel::sometimes!(true, "roster: a revocation comes again");
            return;
        }
        let full = self.tickets.revoked.len() >= REVOKED_MAX;
        let check = |signed: &Signed<'_>| self.ctx.signer.verify(signed, ed25519);
        let verified = verify_revocation(&check, network, owner, &record).filter(|_| !full);
        kernel::sometimes!(full, "roster: too many revocations");
        kernel::sometimes!(
            verified.is_none() && !full,
            "roster: a revocation is forged"
        );
        let Some(ticket) = verified else {
            self.skipped += 1;
            return;
        };
        let revocation = (ticket, record, Some(from));
        // The write goes first: whatever happens to this life behind it, the next one knows.
        self.tickets.wait(vec![revocation.clone()]);
        if self.tickets.write_at.is_none() {
            self.write_revocations(out);
        }
        self.apply_revocations(now, &[revocation], out);
    }

    /// Writes the revocations that wait, a batch at a time.
    pub(crate) fn write_revocations(&mut self, out: &mut Outbox) {
        self.tickets.write_at = None;
        if self
            .durable
            .waits_for(|what| matches!(what, What::Revoked(_, None)))
        {
            return;
        }
        kernel::sometimes!(
            self.tickets.waiting.len() > BATCH_MAX,
            "roster: revocations are written in parts"
        );
        let batch = self.tickets.waiting.iter().take(BATCH_MAX);
        let batch: Vec<Revocation> = batch
            .map(|(ticket, (record, from))| (*ticket, record.clone(), *from))
            .collect();
        if !batch.is_empty() {
            let writes = batch.iter().map(|(ticket, record, _)| (ticket, record));
            let writes = self.revoked_writes(writes);
            self.commit(What::Revoked(batch, None), writes, out);
        }
    }

    fn revoked_writes<'a>(
        &self,
        records: impl IntoIterator<Item = (&'a TicketKey, &'a SignedRecord)>,
    ) -> crate::durable::Writes {
        let write = |(ticket, record): (&TicketKey, &SignedRecord)| {
            let row = postcard::to_stdvec(record).ok().map(Bytes::from);
            (self.key(Rows::Revoked, &ticket.0), row)
        };
        records.into_iter().map(write).collect()
    }

    /// Revocations take force: whoever came by these tickets is cut off, and everybody is told.
    pub(crate) fn apply_revocations(&mut self, now: Now, records: &[Revocation], out: &mut Outbox) {
        for (ticket, record, from) in records {
            if self.tickets.revoked.contains_key(ticket) {
                continue;
            }
            debug_assert!(
                verify_record(&ed25519, record),
                "only what was verified takes force"
            );
            self.tickets.add_revoked(*ticket, record);
            self.tell_revoked(vec![*ticket], out);
            let cut = self.sessions.by_ticket(*ticket);
            for peer in &cut {
                kernel::sometimes!(true, "roster: a revoked peer is cut");
                self.to_session(*peer, peer_session::Input::Cut(Deny::Revoked), out);
            }
            for peer in self.table.by_ticket(*ticket) {
                self.forget_member(peer);
            }
            if self.seed.credential.ticket() == Some(*ticket) {
                self.on_proven_refusal(Deny::Revoked);
            }
            for peer in self.sessions.active_peers() {
                if Some(peer) != *from && !cut.contains(&peer) {
                    self.to_session(
                        peer,
                        peer_session::Input::Revoke(record.clone().into()),
                        out,
                    );
                }
            }
        }
        self.plan_members(now);
    }

    /// Revocations are on the disk, and those that came meanwhile follow.
    pub(crate) fn wrote_revocations(&mut self, now: Now, records: &[Revocation], out: &mut Outbox) {
        for (ticket, ..) in records {
            self.tickets.waiting.remove(ticket);
        }
        // A human's takes force when it is durable, and was refused otherwise.
        self.apply_revocations(now, records, out);
        if self.tickets.write_at.is_none() {
            self.write_revocations(out);
        }
    }

    pub(crate) fn answer(&self, query: QueryId, answer: Answer, out: &mut Outbox) {
        let answer = Box::new(answer);
        out.tell(Letter::Control(Command::Answer { query, answer }));
    }

    pub(crate) fn refuse(&self, query: QueryId, why: &str, out: &mut Outbox) {
        self.answer(query, Answer::Refused(Label::truncated(why)), out);
    }
}

/// Tickets that an owner may have issued: one for each member of a large network, and then some.
const ISSUED_MAX: usize = 4_096;
/// Revocations that a node keeps: every ticket that an owner may have issued.
const REVOKED_MAX: usize = ISSUED_MAX;
/// Revocations written at once.
const BATCH_MAX: usize = 64;
