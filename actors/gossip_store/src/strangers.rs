//! Records of authors that nobody here has heard of. They are held while those who sent them are
//! asked, one after the other, why their authors belong; what they show, the roster judges.

use crate::registers::version_of;
use crate::tree::Version;
use messages::wire::latest::Entry;
use messages::{Micros, Mono, NodeId, RecordKey, SignedRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Authors of whom records are held, of all neighbours.
pub(crate) const STRANGERS_MAX: usize = 1_024;
/// Records that are held: some 8 MiB of the largest.
pub(crate) const HELD_MAX: usize = 2 * STRANGERS_MAX;
/// One neighbour's part of both: what a hostile one makes up leaves room for those of others.
pub(crate) const PARTS: usize = 4;
/// Records of one author: the others come when it is known.
pub(crate) const OF_AUTHOR_MAX: usize = 32;
/// Neighbours that are asked about one author.
const SENDERS_MAX: usize = 4;
/// The wait for a proof, before the next neighbour is asked.
pub(crate) const ASK_AGAIN: Micros = Micros::from_secs(2);
/// How long records are held; later they are read again.
const HELD_FOR: Micros = Micros::from_secs(10);
/// How long a neighbour is not asked again for what was of no use.
const USELESS_FOR: Micros = Micros::from_secs(15);
/// Of more such records, all are asked for once more.
const USELESS_MAX: usize = 4 * 1_024;

/// An author that nobody here has heard of.
#[derive(Debug)]
struct Stranger {
    /// Who sent records of it; the first one is asked.
    senders: Vec<NodeId>,
    keys: BTreeSet<RecordKey>,
    ask_at: Mono,
    is_asked: bool,
    since: Mono,
}

/// A record that is held, and in whose part.
#[derive(Debug)]
struct Held {
    version: Version,
    signed: SignedRecord,
    part: NodeId,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    authors: BTreeMap<NodeId, Stranger>,
    records: BTreeMap<RecordKey, Held>,
    /// How many records are held in each neighbour's part.
    parts: BTreeMap<NodeId, usize>,
    /// Neighbours of which some found no room: they are read again.
    missed: BTreeSet<NodeId>,
    /// Records that a neighbour sent without being able to prove them, and until when they are not
    /// taken from it.
    useless: BTreeMap<(NodeId, RecordKey), Mono>,
    /// When the first of these may be over.
    spare_at: Option<Mono>,
}

impl Strangers {
    pub(crate) fn len(&self) -> usize {
        self.authors.len()
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.records.len()
    }

    /// Whether this entry of a neighbour need not be read: it is held and about to be proved, or
    /// was of no use a moment ago.
    pub(crate) fn needs_no(&self, now: Mono, peer: NodeId, entry: &Entry) -> bool {
        if self.is_useless(now, peer, entry.key) {
            return true;
        }
        let held = self.records.get(&entry.key);
        let held = held.filter(|held| held.version >= (entry.stamp, entry.digest));
        let author = held.and_then(|held| self.authors.get(&held.signed.record.author));
        // Where its first sender does not prove it soon, others may.
        author.is_some_and(|of| of.senders.contains(&peer) || now < of.since + ASK_AGAIN)
    }

    pub(crate) fn is_useless(&self, now: Mono, peer: NodeId, key: RecordKey) -> bool {
        let until = self.useless.get(&(peer, key));
        until.is_some_and(|until| now < *until)
    }

    /// What a neighbour sent of a register was of no use.
    pub(crate) fn set_useless(&mut self, now: Mono, peer: NodeId, key: RecordKey) {
        if self.useless.len() >= USELESS_MAX {
            kernel::sometimes!(true, "gossip store: too much is of no use");
            self.useless.clear();
        }
        self.useless.insert((peer, key), now + USELESS_FOR);
        self.spare_at.get_or_insert(now + USELESS_FOR);
    }

    /// Whether a record may be held; if it is already, its sender is remembered.
    pub(crate) fn has_room(&mut self, peer: NodeId, signed: &SignedRecord) -> bool {
        let (key, author) = (signed.record.key(), signed.record.author);
        let stranger = self.authors.get_mut(&author);
        let held = self.records.get(&key);
        if let Some(held) = held
            && let Some(stranger) = stranger
        {
            if stranger.senders.len() < SENDERS_MAX && !stranger.senders.contains(&peer) {
                stranger.senders.push(peer);
            }
            return held.version < version_of(signed);
        }
        let part = self.parts.get(&peer).copied().unwrap_or_default();
        let is_crowded = stranger.is_some_and(|of| of.keys.len() >= OF_AUTHOR_MAX);
        let is_full = self.records.len() >= HELD_MAX
            || part >= HELD_MAX / PARTS
            || (!self.authors.contains_key(&author) && self.authors.len() >= STRANGERS_MAX)
            || (!self.authors.contains_key(&author) && part >= STRANGERS_MAX / PARTS);
        if is_full || is_crowded {
            self.missed.insert(peer);
        }
        !is_full && !is_crowded
    }

    /// Holds a record that there is room for.
    pub(crate) fn hold(&mut self, now: Mono, peer: NodeId, signed: SignedRecord) {
        let (key, author) = (signed.record.key(), signed.record.author);
        let stranger = self.authors.entry(author).or_insert_with(|| Stranger {
            senders: Vec::new(),
            keys: BTreeSet::new(),
            ask_at: now,
            is_asked: false,
            since: now,
        });
        if stranger.senders.len() < SENDERS_MAX && !stranger.senders.contains(&peer) {
            stranger.senders.push(peer);
        }
        stranger.keys.insert(key);
        let version = version_of(&signed);
        let part = self.records.get(&key).map(|held| held.part);
        if part.is_none() {
            *self.parts.entry(peer).or_default() += 1;
        }
        let part = part.unwrap_or(peer);
        let held = Held {
            version,
            signed,
            part,
        };
        self.records.insert(key, held);
    }

    /// The records of an author, and who sent them first.
    pub(crate) fn take(&mut self, author: NodeId) -> Option<(NodeId, Vec<SignedRecord>)> {
        let stranger = self.authors.remove(&author)?;
        let held: Vec<Held> = stranger
            .keys
            .iter()
            .filter_map(|key| self.records.remove(key))
            .collect();
        for one in &held {
            if let Some(part) = self.parts.get_mut(&one.part) {
                *part -= 1;
                if *part == 0 {
                    self.parts.remove(&one.part);
                }
            }
        }
        let first = stranger.senders.first().copied()?;
        Some((first, held.into_iter().map(|held| held.signed).collect()))
    }

    /// Who is to be asked now, and about whom; and whether others are to be read, for the only one
    /// that sent something does not prove it.
    pub(crate) fn questions(&mut self, now: Mono) -> (Vec<(NodeId, NodeId)>, bool) {
        let (mut due, mut is_alone) = (Vec::new(), false);
        for (author, stranger) in &mut self.authors {
            if stranger.ask_at > now {
                continue;
            }
            if std::mem::replace(&mut stranger.is_asked, true) {
                stranger.senders.rotate_left(1);
                is_alone |= stranger.senders.len() == 1;
            }
            stranger.ask_at = now + ASK_AGAIN;
            if let Some(peer) = stranger.senders.first() {
                due.push((*peer, *author));
            }
        }
        due.sort_unstable();
        (due, is_alone)
    }

    /// Whether a neighbour sent records of an author, and so may show why it belongs.
    pub(crate) fn is_sender(&self, peer: NodeId, author: NodeId) -> bool {
        let stranger = self.authors.get(&author);
        stranger.is_some_and(|of| of.is_asked && of.senders.contains(&peer))
    }

    /// A neighbour cannot prove an author. Whether nobody else is left to be asked.
    pub(crate) fn drop_sender(&mut self, now: Mono, peer: NodeId, author: NodeId) -> bool {
        let Some(stranger) = self.authors.get_mut(&author) else {
            return false;
        };
        stranger.senders.retain(|sender| *sender != peer);
        (stranger.ask_at, stranger.is_asked) = (now, false);
        let keys: Vec<RecordKey> = stranger.keys.iter().copied().collect();
        let is_last = stranger.senders.is_empty();
        for key in keys {
            self.set_useless(now, peer, key);
        }
        if is_last {
            self.take(author);
        }
        is_last
    }

    /// A neighbour goes, and with it what nobody else sent.
    pub(crate) fn gone(&mut self, peer: NodeId) {
        self.missed.remove(&peer);
        self.useless.retain(|(of, _), _| *of != peer);
        let mut of_nobody = Vec::new();
        for (author, stranger) in &mut self.authors {
            if stranger.senders.first() == Some(&peer) {
                stranger.is_asked = false;
            }
            stranger.senders.retain(|sender| *sender != peer);
            if stranger.senders.is_empty() {
                of_nobody.push(*author);
            }
        }
        for author in of_nobody {
            self.take(author);
        }
    }

    /// Neighbours that may be asked again for what was of no use.
    pub(crate) fn take_spared(&mut self, now: Mono) -> BTreeSet<NodeId> {
        if self.spare_at.is_none_or(|at| at > now) {
            return BTreeSet::new();
        }
        let over = self.useless.extract_if(.., |_, until| *until <= now);
        let spared = over.map(|((peer, _), _)| peer).collect();
        self.spare_at = self.useless.values().min().copied();
        spared
    }

    /// Takes out who was held for long enough, and says how many.
    pub(crate) fn take_late(&mut self, now: Mono) -> usize {
        let late = |of: &Stranger| of.since + HELD_FOR <= now;
        let late = self.authors.iter().filter(|(_, of)| late(of));
        let late: Vec<(NodeId, Vec<NodeId>)> = late
            .map(|(author, of)| (*author, of.senders.clone()))
            .collect();
        for (author, senders) in &late {
            for sender in senders {
                self.drop_sender(now, *sender, *author);
            }
        }
        late.len()
    }

    /// Neighbours of which there is room for more again.
    pub(crate) fn take_missed(&mut self) -> Vec<NodeId> {
        if self.authors.len() > STRANGERS_MAX / 2 || self.records.len() > HELD_MAX / 2 {
            return Vec::new();
        }
        let has_room = |peer: &NodeId| {
            let part = self.parts.get(peer).copied();
            part.unwrap_or_default() <= STRANGERS_MAX / PARTS / 2
        };
        let found: Vec<NodeId> = self.missed.iter().copied().filter(has_room).collect();
        for peer in &found {
            self.missed.remove(peer);
        }
        found
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let at = |of: &Stranger| of.ask_at.min(of.since + HELD_FOR);
        let authors = self.authors.values().map(at);
        authors.chain(self.spare_at).min()
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
        assert_eq!(
            self.records.len(),
            self.parts.values().sum::<usize>(),
            "a record of no part is held"
        );
        let has_sender = |of: &Stranger| !of.senders.is_empty();
        assert!(
            self.authors.values().all(has_sender),
            "nobody is asked about a stranger"
        );
    }
}
