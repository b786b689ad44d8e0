//! Whose records are kept: members that the roster keeps, and others that were proved to it.

use crate::GossipStore;
use crate::registers::Ground;
use crate::vouched::Vouched;
use kernel::Outbox;
use messages::gossip_store::Seed;
use messages::wire::latest::{AUTHORS_MAX, Gossip};
use messages::{
    Credential, Letter, List, NodeId, Now, RecordClass, SignedRecord, TicketKey, roster,
};
use std::collections::BTreeSet;

impl GossipStore {
    pub(crate) fn on_members(&mut self, now: Now, members: &[NodeId]) {
        self.knows_members = true;
        let known: BTreeSet<&NodeId> = members.iter().collect();
        for author in self.registers.authors() {
            if author != self.seed.me && !known.contains(&author) {
                kernel::sometimes!(true, "gossip store: an author is no member any more");
                self.withdraw(author, Ground::Member);
            }
        }
        for member in members {
            self.is_author(now, *member, Ground::Member);
        }
    }

    /// A ground is gone. Room that comes of it may be what others were refused for.
    pub(crate) fn withdraw(&mut self, author: NodeId, ground: Ground) {
        self.registers.withdraw(author, ground);
        self.refusals.clear();
    }

    /// Somebody's records are taken from now on, and those that were held.
    pub(crate) fn is_author(&mut self, now: Now, author: NodeId, ground: Ground) {
        self.registers.admit(author, ground);
        let Some((from, records)) = self.strangers.take(author) else {
            return;
        };
        let taken = self.counts.taken;
        self.take_all(now, from, records);
        let of_it = self.pull.as_mut().filter(|pull| pull.peer == from);
        if let Some(pull) = of_it {
            pull.has_news |= self.counts.taken > taken;
        }
    }

    /// Holds a record of an author that nobody here has heard of, if its author signed it.
    pub(crate) fn hold(&mut self, now: Now, from: NodeId, signed: SignedRecord) {
        let key = signed.record.key();
        if self.strangers.is_useless(now.mono, from, key) {
            self.counts.dropped += 1;
        } else if !self.strangers.has_room(from, &signed) {
            kernel::sometimes!(true, "gossip store: too many strangers");
            self.counts.dropped += 1;
        } else if crate::taking::is_signed(&*self.signer, &signed) {
            kernel::sometimes!(true, "gossip store: an author is not heard of");
            self.strangers.hold(now.mono, from, signed);
        } else {
            self.counts.refused += 1;
            self.strangers.set_useless(now.mono, from, key);
        }
    }

    /// Asks neighbours why strangers belong.
    pub(crate) fn ask_who(&mut self, now: Now, out: &mut Outbox) {
        let (due, is_alone) = self.strangers.questions(now.mono);
        if is_alone {
            kernel::sometimes!(true, "gossip store: others may prove an author");
            self.read_all_but(None);
        }
        for of_one in due.chunk_by(|(one, _), (other, _)| one == other) {
            for some in of_one.chunks(AUTHORS_MAX) {
                let authors = some.iter().map(|(_, author)| *author);
                let question = Gossip::Who(List::truncated(authors));
                out.tell(crate::to_peer(&self.seed, some[0].0, question));
            }
        }
    }

    /// A neighbour shows why authors belong. Whether they do, the roster says; what gets lost on
    /// the way is asked for again.
    pub(crate) fn on_credentials(
        &mut self,
        from: NodeId,
        shown: List<(NodeId, Credential), AUTHORS_MAX>,
        out: &mut Outbox,
    ) {
        let count = shown.len();
        let shown = shown.into_vec().into_iter();
        let shown: Vec<_> = shown
            .filter(|(author, _)| self.strangers.is_sender(from, *author))
            .collect();
        let unasked = count - shown.len();
        kernel::sometimes!(unasked > 0, "gossip store: a proof that nobody asked for");
        self.counts.dropped += unasked as u64;
        if !shown.is_empty() {
            let vouch = roster::Input::Vouch { from, shown };
            out.tell(Letter::Roster(self.seed.network, vouch));
        }
    }

    /// The roster vouches for authors that it does not keep.
    pub(crate) fn on_vouched(&mut self, now: Now, vouched: Vec<(NodeId, Credential)>) {
        for (author, credential) in vouched {
            if self.vouch(author, credential) {
                self.is_author(now, author, Ground::Vouched);
            } else {
                kernel::sometimes!(true, "gossip store: there is no place for an author");
                self.strangers.take(author);
            }
        }
    }

    /// Finds a place for somebody that was vouched for, if there is one.
    pub(crate) fn vouch(&mut self, author: NodeId, credential: Credential) -> bool {
        let Ok(evicted) = self.vouched.add(author, credential) else {
            return false;
        };
        if let Some(evicted) = evicted {
            kernel::sometimes!(true, "gossip store: an author gives way to another");
            self.withdraw(evicted, Ground::Vouched);
        }
        true
    }

    /// What a neighbour shows for these is no proof: others may have one.
    pub(crate) fn on_not_vouched(&mut self, now: Now, from: NodeId, authors: &[NodeId]) {
        let mut is_left = false;
        for author in authors {
            is_left |= self.strangers.drop_sender(now.mono, from, *author);
        }
        if is_left {
            kernel::sometimes!(true, "gossip store: nobody who sent a record can prove it");
            self.read_all_but(Some(from));
        }
    }

    /// Tickets are withdrawn: who came by them is no author any more.
    pub(crate) fn on_revoked(&mut self, tickets: Vec<TicketKey>) {
        for author in self.vouched.revoke(tickets) {
            kernel::sometimes!(true, "gossip store: who was vouched for is revoked");
            self.withdraw(author, Ground::Vouched);
        }
    }

    /// What time does to strangers, and to who was vouched for.
    pub(crate) fn advance_authors(&mut self, now: Now) {
        let late = self.strangers.take_late(now.mono);
        kernel::sometimes!(late > 0, "gossip store: nobody says why an author belongs");
        let over = self.vouched.take_over(now.wall);
        for author in &over {
            kernel::sometimes!(true, "gossip store: a membership that was vouched for ends");
            self.withdraw(*author, Ground::Vouched);
        }
        if late > 0 || !over.is_empty() {
            // It may belong by a newer ticket, or others may be able to say why it does.
            self.read_all_but(None);
        }
        let again = self.strangers.take_spared(now.mono).into_iter();
        for peer in again.chain(self.strangers.take_missed()) {
            self.read_again(peer);
        }
    }

    pub(crate) fn read_all_but(&mut self, but: Option<NodeId>) {
        let all: Vec<NodeId> = self.neighbours.keys().copied().collect();
        for peer in all.into_iter().filter(|peer| Some(*peer) != but) {
            self.read_again(peer);
        }
    }

    fn read_again(&mut self, peer: NodeId) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.is_to_read(RecordClass::Public);
            neighbour.is_to_read(RecordClass::Gated);
        }
    }
}

/// Says why authors belong: the roster, of members; of others what was shown to this node.
pub(crate) fn prove(
    (seed, peer): (&Seed, NodeId),
    (vouched, is_member): (&Vouched, impl Fn(NodeId) -> bool),
    authors: &List<NodeId, AUTHORS_MAX>,
    out: &mut Outbox,
) {
    let (members, others): (Vec<NodeId>, Vec<NodeId>) =
        authors.iter().partition(|author| is_member(**author));
    let of = |author: NodeId| Some((author, vouched.get(author)?.clone()));
    let known: List<_, AUTHORS_MAX> = List::truncated(others.into_iter().filter_map(of));
    if !known.is_empty() {
        kernel::sometimes!(true, "gossip store: it proves what it was shown itself");
        out.tell(crate::to_peer(seed, peer, Gossip::Credentials(known)));
    }
    if !members.is_empty() {
        let authors = List::truncated(members);
        let who = roster::Input::Who { peer, authors };
        out.tell(Letter::Roster(seed.network, who));
    }
}
