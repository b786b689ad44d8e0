//! Members introduced to peers, and by peers. Whoever becomes active is told of everybody else, a
//! page at a time, and then of what changes.

use crate::Roster;
use crate::members::NoRoom;
use crate::verify::{ed25519, verify_introduction};
use kernel::{Outbox, Signed};
use messages::limits::INTRODUCTIONS_MAX;
use messages::peer_session;
use messages::wire::latest::Introduction;
use messages::{List, Micros, NodeId, Now, TicketKey};
use std::collections::{BTreeMap, BTreeSet};

/// How far each peer has been told.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    peers: BTreeMap<NodeId, Cursor>,
    /// Who was away, and is to be named to those who came meanwhile.
    back: BTreeSet<NodeId>,
}

/// Revocations first: whoever is introduced after them is not to be dialled in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    Revocations(Option<TicketKey>),
    Members(Option<NodeId>),
}

impl CatchUp {
    pub(crate) fn begin(&mut self, peer: NodeId) {
        self.peers.insert(peer, Cursor::Revocations(None));
    }

    /// Whether a peer has not been told of everybody yet.
    pub(crate) fn is_owed(&self, peer: NodeId) -> bool {
        self.peers.contains_key(&peer)
    }
}

impl Roster {
    /// A session is active. Who came while its peer was away has not heard of it, and its record
    /// is no news any more that would be passed on.
    pub(crate) fn welcome(&mut self, now: Now, peer: NodeId, out: &mut Outbox) {
        self.catch_up.begin(peer);
        self.catch_up_now(now, peer, out);
        if self.table.is_back(peer) {
            self.catch_up.back.insert(peer);
            self.catch_up_at.get_or_insert(now.mono + PAGE_PAUSE);
        }
    }

    fn tell_who_is_back(&mut self, now: Now, out: &mut Outbox) {
        let back = std::mem::take(&mut self.catch_up.back);
        let here = back
            .into_iter()
            .filter(|peer| self.sessions.is_active(*peer));
        let entries = here.filter_map(|peer| self.table.introduction(peer));
        let entries: Vec<Introduction> = entries
            .filter(|entry| !entry.credential.is_over(now.wall))
            .collect();
        kernel::sometimes!(
            entries.len() > 1,
            "roster: several members are back at once"
        );
        // Nobody is of this node's own name.
        self.pass_on(&entries, self.seed.me, out);
    }

    /// The next page for some of the peers that are still to be told.
    pub(crate) fn catch_up(&mut self, now: Now, out: &mut Outbox) {
        self.catch_up_at = None;
        if self.is_loading() {
            return;
        }
        kernel::sometimes!(
            self.catch_up.peers.len() > PEERS_MAX,
            "roster: peers are told of others in turns"
        );
        let some: Vec<NodeId> = self
            .catch_up
            .peers
            .keys()
            .take(PEERS_MAX)
            .copied()
            .collect();
        for peer in some {
            self.catch_up_now(now, peer, out);
        }
        self.tell_who_is_back(now, out);
        if !self.catch_up.peers.is_empty() {
            self.catch_up_at = Some(now.mono + PAGE_PAUSE);
        }
    }

    /// The next page for one peer.
    pub(crate) fn catch_up_now(&mut self, now: Now, peer: NodeId, out: &mut Outbox) {
        let active = self.sessions.is_active(peer);
        let Some(cursor) = self.catch_up.peers.remove(&peer).filter(|_| active) else {
            return;
        };
        kernel::sometimes!(
            self.is_loading(),
            "roster: a session is active before the disk has spoken"
        );
        if self.is_loading() {
            // What is to be told is not known yet; readiness begins with everybody.
            self.catch_up.begin(peer);
            return;
        }
        let next = match cursor {
            Cursor::Revocations(from) => match self.page_of_revocations(peer, from, out) {
                Some(last) => Some(Cursor::Revocations(Some(last))),
                None => self.page_of_members(now, peer, None, out),
            },
            Cursor::Members(from) => self.page_of_members(now, peer, from, out),
        };
        if let Some(next) = next {
            self.catch_up.peers.insert(peer, next);
            self.catch_up_at.get_or_insert(now.mono + PAGE_PAUSE);
        }
    }

    /// Where to go on, unless that was all.
    fn page_of_revocations(
        &self,
        peer: NodeId,
        from: Option<TicketKey>,
        out: &mut Outbox,
    ) -> Option<TicketKey> {
        let mut last = None;
        for (ticket, record) in self.tickets.revoked_after(from).take(REVOCATIONS_A_PAGE) {
            self.to_session(peer, peer_session::Input::Revoke(record.into()), out);
            last = Some(ticket);
        }
        kernel::sometimes!(
            last.is_some(),
            "roster: revocations are passed to a new peer"
        );
        last.filter(|last| self.tickets.revoked_after(Some(*last)).next().is_some())
    }

    fn page_of_members(
        &self,
        now: Now,
        peer: NodeId,
        from: Option<NodeId>,
        out: &mut Outbox,
    ) -> Option<Cursor> {
        let mut page: Vec<Introduction> = Vec::new();
        if from.is_none() {
            page.extend(self.own_introduction());
        }
        let mut last = None;
        for member in self.sessions.active_after(from) {
            if page.len() >= MEMBERS_A_PAGE {
                kernel::sometimes!(true, "roster: the members take several pages");
                self.introduce(peer, page, out);
                return last.map(|last| Cursor::Members(Some(last)));
            }
            last = Some(member);
            let entry = self.table.introduction(member).filter(|_| member != peer);
            page.extend(entry.filter(|entry| !entry.credential.is_over(now.wall)));
        }
        self.introduce(peer, page, out);
        None
    }

    /// Tells a peer of members, in frames that fit.
    fn introduce(&self, peer: NodeId, entries: Vec<Introduction>, out: &mut Outbox) {
        let (mut frame, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let size = postcard::to_stdvec(&entry).map_or(0, |bytes| bytes.len());
            if frame.len() == INTRODUCTIONS_MAX || bytes + size > FRAME_BYTES_MAX {
                kernel::sometimes!(true, "roster: a page takes several frames");
                self.send_frame(peer, std::mem::take(&mut frame), out);
                bytes = 0;
            }
            bytes += size;
            frame.push(entry);
        }
        self.send_frame(peer, frame, out);
    }

    fn send_frame(&self, peer: NodeId, frame: Vec<Introduction>, out: &mut Outbox) {
        if !frame.is_empty() {
            let frame = List::truncated(frame);
            self.to_session(peer, peer_session::Input::Introduce(frame), out);
        }
    }

    /// Tells every active peer but the author and `from`, once.
    pub(crate) fn pass_on(&self, entries: &[Introduction], from: NodeId, out: &mut Outbox) {
        for peer in self.sessions.active_peers() {
            let news = |entry: &&Introduction| entry.record.record.author != peer;
            if peer != from {
                self.introduce(peer, entries.iter().filter(news).cloned().collect(), out);
            }
        }
    }

    /// A peer names members.
    pub(crate) fn on_introduced(
        &mut self,
        now: Now,
        from: NodeId,
        entries: List<Introduction, INTRODUCTIONS_MAX>,
        out: &mut Outbox,
    ) {
        let mut accepted = Vec::new();
        for entry in entries {
            let author = entry.record.record.author;
            // What is known already costs no verification.
            if author == self.seed.me || !self.table.is_news(&entry.record) {
                continue;
            }
            // Nor does what finds no place.
            let futile = !self.table.has_room_for(&entry, from)
                || self.tickets.is_revoked(&entry.credential);
            kernel::sometimes!(
                futile,
                "roster: an introduction is not worth a verification"
            );
            let said = match futile {
                true => None,
                false => {
                    let check = |signed: &Signed<'_>| self.ctx.signer.verify(signed, ed25519);
                    verify_introduction(&check, self.seed.network, &entry, now.wall).ok()
                }
            };
            let serves = said.as_ref().is_some_and(|said| !said.llms.is_empty());
            match said.map(|said| self.table.introduced(now.mono, &entry, &said, from)) {
                Some(Ok(evicted)) => {
                    if let Some(evicted) = evicted {
                        kernel::sometimes!(
                            true,
                            "roster: a member by hearsay gives way to another"
                        );
                        self.forget_dials(evicted);
                    }
                    self.on_news_of(now, author);
                    if serves {
                        self.on_holder_heard();
                    }
                    accepted.push(entry);
                }
                Some(Err(NoRoom)) | None => self.skipped += 1,
            }
        }
        self.plan_members(now);
        let accepted = self.worth_passing_on(accepted);
        self.pass_on(&accepted, from, out);
    }
}

/// Peers told in one turn, so that a turn stays short.
const PEERS_MAX: usize = 16;
/// Revocations told to one peer in one turn: a mailbox holds sixteen such pages.
const REVOCATIONS_A_PAGE: usize = 64;
/// Members told to one peer in one turn: two frames or three.
const MEMBERS_A_PAGE: usize = 64;
/// Between pages: a peer's link takes 100 KB in that time.
const PAGE_PAUSE: Micros = Micros::from_millis(20);
/// Bytes of one frame: under the control frame's 64 KiB by more than one entry.
const FRAME_BYTES_MAX: usize = 48 * 1024;
