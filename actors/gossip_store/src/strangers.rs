//! Records of authors that nobody here has heard of. They are held until the neighbour that sent
//! them has said why their authors belong, and the roster agrees.

use crate::GossipStore;
use crate::registers::{Ground, version_of};
use crate::tree::Version;
use kernel::Outbox;
use messages::gossip_store::Seed;
use messages::wire::latest::{AUTHORS_MAX, Entry, Gossip};
use messages::{
    Credential, Letter, List, Micros, Mono, NodeId, Now, RecordKey, SignedRecord, roster,
};
use std::collections::{BTreeMap, BTreeSet};

/// Authors of whom records are held, of all neighbours.
pub(crate) const STRANGERS_MAX: usize = 1_024;
/// And of one: what a hostile one makes up leaves room for those of others.
const OF_ONE_MAX: usize = STRANGERS_MAX / 4;
/// Records that are held: some 3 MiB of the largest.
const HELD_MAX: usize = 2 * STRANGERS_MAX;
/// The wait before a neighbour is asked once more.
const ASK_AGAIN: Micros = Micros::from_secs(2);
/// How long records are held; later they are read again.
const HELD_FOR: Micros = Micros::from_secs(10);

/// An author that nobody here has heard of.
#[derive(Debug)]
struct Stranger {
    from: NodeId,
    keys: BTreeSet<RecordKey>,
    /// When its neighbour is asked; nothing once the roster was.
    ask_at: Option<Mono>,
    until: Mono,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    authors: BTreeMap<NodeId, Stranger>,
    records: BTreeMap<RecordKey, (Version, SignedRecord)>,
    /// How many of each neighbour.
    counts: BTreeMap<NodeId, usize>,
    /// Neighbours of which some found no room: they are read again.
    missed: BTreeSet<NodeId>,
}

impl Strangers {
    pub(crate) fn len(&self) -> usize {
        self.authors.len()
    }

    /// Whether this record, or a newer one of its register, is held.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        let held = self.records.get(&entry.key);
        held.is_some_and(|(version, _)| *version >= (entry.stamp, entry.digest))
    }

    /// Holds a record, if there is room.
    fn hold(&mut self, now: Mono, from: NodeId, signed: SignedRecord) -> bool {
        let (key, author) = (signed.record.key(), signed.record.author);
        let of_one = self.counts.get(&from).copied().unwrap_or_default();
        let is_full = self.authors.len() >= STRANGERS_MAX || of_one >= OF_ONE_MAX;
        let is_new = !self.authors.contains_key(&author);
        if self.records.len() >= HELD_MAX || (is_new && is_full) {
            self.missed.insert(from);
            return false;
        }
        if is_new {
            *self.counts.entry(from).or_default() += 1;
        }
        let stranger = self.authors.entry(author).or_insert_with(|| Stranger {
            from,
            keys: BTreeSet::new(),
            ask_at: Some(now),
            until: now + HELD_FOR,
        });
        stranger.keys.insert(key);
        let version = version_of(&signed);
        let held = self.records.get(&key);
        if held.is_none_or(|held| held.0 < version) {
            self.records.insert(key, (version, signed));
        }
        true
    }

    /// The records of an author, and who sent them.
    fn take(&mut self, author: NodeId) -> Option<(NodeId, Vec<SignedRecord>)> {
        let stranger = self.authors.remove(&author)?;
        let from = stranger.from;
        if let Some(count) = self.counts.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&from);
            }
        }
        let held = stranger.keys.iter();
        let held = held.filter_map(|key| self.records.remove(key));
        Some((from, held.map(|(_, signed)| signed).collect()))
    }

    /// Whom each neighbour is to be asked about now.
    fn questions(&mut self, now: Mono) -> Vec<(NodeId, NodeId)> {
        let mut due = Vec::new();
        for (author, stranger) in &mut self.authors {
            if stranger.ask_at.is_some_and(|at| at <= now) {
                stranger.ask_at = Some(now + ASK_AGAIN);
                due.push((stranger.from, *author));
            }
        }
        due.sort_unstable();
        due
    }

    /// Whether it is to be shown to the roster what a neighbour shows for an author.
    fn is_asked_of(&mut self, peer: NodeId, author: NodeId) -> bool {
        let asked = self.authors.get_mut(&author);
        let asked = asked.filter(|stranger| stranger.from == peer);
        asked.is_some_and(|stranger| stranger.ask_at.take().is_some())
    }

    fn all_of(&self, is_gone: impl Fn(NodeId, Mono) -> bool) -> Vec<NodeId> {
        let all = self.authors.iter();
        let gone = all.filter(|(_, stranger)| is_gone(stranger.from, stranger.until));
        gone.map(|(author, _)| *author).collect()
    }

    /// Neighbours of which there is room for more again.
    fn take_missed(&mut self) -> Vec<NodeId> {
        if self.authors.len() > STRANGERS_MAX / 2 || self.records.len() > HELD_MAX / 2 {
            return Vec::new();
        }
        let has_room = |peer: &NodeId| {
            let count = self.counts.get(peer).copied();
            count.unwrap_or_default() <= OF_ONE_MAX / 2
        };
        let found: Vec<NodeId> = self.missed.iter().copied().filter(has_room).collect();
        for peer in &found {
            self.missed.remove(peer);
        }
        found
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let at = |of: &Stranger| of.ask_at.map_or(of.until, |at| at.min(of.until));
        self.authors.values().map(at).min()
    }

    pub(crate) fn invariants(&self) {
        assert!(self.authors.len() <= STRANGERS_MAX, "too many strangers");
        assert!(self.records.len() <= HELD_MAX, "too many records are held");
        let keys = self.authors.values().map(|of| of.keys.len());
        assert_eq!(
            self.records.len(),
            keys.sum::<usize>(),
            "a record of nobody is held"
        );
    }
}

impl GossipStore {
    /// Holds a record of an author that nobody here has heard of.
    pub(crate) fn hold(&mut self, now: Mono, from: NodeId, signed: SignedRecord) {
        let has_room = self.strangers.hold(now, from, signed);
        kernel::sometimes!(!has_room, "gossip store: too many strangers");
        kernel::sometimes!(has_room, "gossip store: an author is not heard of");
        self.counts.dropped += u64::from(!has_room);
    }

    /// Asks neighbours why strangers belong.
    pub(crate) fn ask_who(&mut self, now: Mono, out: &mut Outbox) {
        let due = self.strangers.questions(now);
        for of_one in due.chunk_by(|(one, _), (other, _)| one == other) {
            for some in of_one.chunks(AUTHORS_MAX) {
                let authors = some.iter().map(|(_, author)| *author);
                let question = Gossip::Who(List::truncated(authors));
                out.tell(crate::to_peer(&self.seed, some[0].0, question));
            }
        }
    }

    /// A neighbour shows why authors belong. Whether they do, the roster says.
    pub(crate) fn on_credentials(
        &mut self,
        peer: NodeId,
        shown: List<(NodeId, Credential), AUTHORS_MAX>,
        out: &mut Outbox,
    ) {
        let count = shown.len();
        let asked = shown.into_vec().into_iter();
        let asked: Vec<_> = asked
            .filter(|(author, _)| self.strangers.is_asked_of(peer, *author))
            .collect();
        let unasked = count - asked.len();
        kernel::sometimes!(unasked > 0, "gossip store: a proof that nobody asked for");
        self.counts.dropped += unasked as u64;
        if !asked.is_empty() {
            let vouch = roster::Input::Vouch(asked);
            out.tell(Letter::Roster(self.seed.network, vouch));
        }
    }

    /// The roster vouches for authors that it does not keep.
    pub(crate) fn on_vouched(&mut self, now: Now, vouched: Vec<(NodeId, Credential)>) {
        for (author, credential) in vouched {
            match self.vouched.add(author, credential) {
                Ok(evicted) => {
                    if let Some(evicted) = evicted {
                        kernel::sometimes!(true, "gossip store: an author gives way to another");
                        self.registers.withdraw(evicted, Ground::Vouched);
                    }
                    self.is_author(now, author, Ground::Vouched);
                }
                Err(_) => {
                    kernel::sometimes!(true, "gossip store: there is no place for an author");
                    self.on_no_author(author);
                }
            }
        }
    }

    /// Somebody's records are taken from now on, and those that were held.
    pub(crate) fn is_author(&mut self, now: Now, author: NodeId, ground: Ground) {
        if self.registers.admit(author, ground) {
            self.refusals.clear();
        }
        if let Some((from, records)) = self.strangers.take(author) {
            self.take_all(now, from, records);
        }
    }

    /// Somebody does not belong: its records are not asked for again.
    pub(crate) fn on_no_author(&mut self, author: NodeId) {
        let held = self.strangers.take(author);
        for signed in held.into_iter().flat_map(|(_, records)| records) {
            self.refusals.add(signed.record.key(), version_of(&signed));
            self.counts.refused += 1;
        }
    }

    /// Tickets are withdrawn: who came by them is no author any more.
    pub(crate) fn on_revoked(&mut self, tickets: Vec<messages::TicketKey>) {
        for author in self.vouched.revoke(tickets) {
            kernel::sometimes!(true, "gossip store: who was vouched for is revoked");
            self.registers.withdraw(author, Ground::Vouched);
        }
    }

    /// What a neighbour sent of strangers goes with it.
    pub(crate) fn forget_strangers_of(&mut self, peer: NodeId) {
        for author in self.strangers.all_of(|from, _| from == peer) {
            self.strangers.take(author);
        }
        self.strangers.missed.remove(&peer);
    }

    /// What time does to strangers, and to who was vouched for.
    pub(crate) fn advance_authors(&mut self, now: Now) {
        for author in self.strangers.all_of(|_, until| until <= now.mono) {
            kernel::sometimes!(true, "gossip store: nobody says why an author belongs");
            self.strangers.take(author);
        }
        for author in self.vouched.take_over(now.wall) {
            kernel::sometimes!(true, "gossip store: a membership that was vouched for ends");
            self.registers.withdraw(author, Ground::Vouched);
        }
        for peer in self.strangers.take_missed() {
            if let Some(neighbour) = self.neighbours.get_mut(&peer) {
                neighbour.is_to_read(messages::RecordClass::Public);
                neighbour.is_to_read(messages::RecordClass::Gated);
            }
        }
    }
}

/// Says why authors belong: those that were vouched for at once; the roster says it of members.
pub(crate) fn prove(
    (seed, peer): (&Seed, NodeId),
    vouched: &crate::vouched::Vouched,
    authors: &List<NodeId, AUTHORS_MAX>,
    out: &mut Outbox,
) {
    let of = |author: &NodeId| Some((*author, vouched.get(*author)?.clone()));
    let known: List<_, AUTHORS_MAX> = List::truncated(authors.iter().filter_map(of));
    let others = authors
        .iter()
        .filter(|author| vouched.get(**author).is_none());
    let others: List<NodeId, AUTHORS_MAX> = List::truncated(others.copied());
    if !known.is_empty() {
        kernel::sometimes!(true, "gossip store: it proves what it was shown itself");
        out.tell(crate::to_peer(seed, peer, Gossip::Credentials(known)));
    }
    if !others.is_empty() {
        let who = roster::Input::Who {
            peer,
            authors: others,
        };
        out.tell(Letter::Roster(seed.network, who));
    }
}
