//! The registers of a network: one for each (kind, author, id), each with its newest record.
//!
//! Of two records of a register the one with the greater (stamp, digest) is kept, whoever brought
//! it and in whatever order they came; of an author's registers the newest [`AUTHOR_RECORDS_MAX`].
//! Both are maxima of sets, so nodes that saw the same records keep the same ones.

use crate::tree::{Tree, Version};
use crate::vouched::VOUCHED_MAX;
use messages::limits::{MEMBERS_MAX, RECORD_BYTES_MAX};
use messages::{
    Digest, Kind, NetworkId, NodeId, RecordClass, RecordKey, SignedRecord, Stamp, Wall,
};
use std::collections::{BTreeMap, BTreeSet};

/// Registers of one author: of fifty nodes that share 100,000 records each has 2,000.
pub const AUTHOR_RECORDS_MAX: usize = 4_096;
/// Registers of one author whose newest record is from the future: one bad clock taints few keys.
pub const PARKED_MAX: usize = 8;
/// Registers in all, but for the first one of each author: 100,000 and as much room again, some
/// 100 MiB.
pub(crate) const RECORDS_MAX: usize = 262_144;
/// How far a stamp may lie ahead of the own wall clock and still be in force, in microseconds:
/// clocks that nobody sets differ by less.
pub const AHEAD_MAX: u64 = 5 * 60 * 1_000_000;
/// How long a deletion is remembered, in microseconds: nodes that are away for longer take what
/// the others have.
pub const TOMBSTONE_AGE_MAX: u64 = 30 * 24 * 60 * 60 * 1_000_000;

/// Why a record is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is of another network.
    #[error("it is of another network")]
    OtherNetwork,
    /// Its kind is never of this class.
    #[error("its kind is of the other class")]
    OtherClass,
    /// Its value is longer than a record may be.
    #[error("its value is too long")]
    TooLarge,
    /// Its author is no member, as far as this node knows.
    #[error("its author is no member")]
    NotAMember,
    /// Its author did not sign it.
    #[error("its signature is not its author's")]
    Forged,
    /// It deletes something, so long ago that nobody remembers.
    #[error("it is a deletion of long ago")]
    Expired,
    /// Too many of its author's registers are in the future.
    #[error("its author's clock is wrong")]
    TooManyAhead,
    /// The author's registers are full of newer records, or the network's are full.
    #[error("there is no room for it")]
    NoRoom,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is the newest of its register.
    New(RecordKey),
    /// As new or newer ones are known.
    Known,
}

/// A register.
#[derive(Debug)]
struct Register {
    newest: SignedRecord,
    digest: Digest,
    /// What is in force while the newest is from the future.
    before: Option<SignedRecord>,
    is_due: bool,
}

/// Why an author's records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The roster keeps it as a member.
    Member,
    /// The roster vouched for it.
    Vouched,
}

/// An author's registers.
#[derive(Debug, Default)]
struct Author {
    is_member: bool,
    is_vouched: bool,
    /// By age, the oldest first.
    by_age: BTreeSet<(Version, RecordKey)>,
    parked: usize,
}

/// All of a network.
#[derive(Debug)]
pub(crate) struct Registers {
    network: NetworkId,
    /// This node: what it says itself is in force here, whatever its clock has become.
    me: NodeId,
    registers: BTreeMap<RecordKey, Register>,
    authors: BTreeMap<NodeId, Author>,
    trees: [Tree; 2],
    /// Registers whose newest record is from the future, by stamp.
    parked: BTreeSet<(Stamp, RecordKey)>,
    /// Registers that were deleted, by stamp.
    deleted: BTreeSet<(Stamp, RecordKey)>,
    /// What changed since the database was told.
    changed: BTreeSet<RecordKey>,
}

impl Registers {
    pub(crate) const fn new(network: NetworkId, me: NodeId) -> Self {
        Self {
            network,
            me,
            registers: BTreeMap::new(),
            authors: BTreeMap::new(),
            trees: [Tree::new(), Tree::new()],
            parked: BTreeSet::new(),
            deleted: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    /// How many registers there are.
    pub(crate) fn len(&self) -> usize {
        self.registers.len()
    }

    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    pub(crate) const fn tree(&mut self, class: RecordClass) -> &mut Tree {
        &mut self.trees[index_of(class)]
    }

    /// The newest record of a register.
    pub(crate) fn get(&self, key: &RecordKey) -> Option<&SignedRecord> {
        self.registers.get(key).map(|register| &register.newest)
    }

    /// The record that is in force: the newest one that is not from the future. A deletion is in
    /// force too.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &SignedRecord> {
        self.registers.values().filter_map(Register::in_force)
    }

    /// Whether a version of a register is newer than what is known of it.
    pub(crate) fn is_news(&self, key: &RecordKey, version: Version) -> bool {
        let known = self.registers.get(key).map(Register::version);
        known.is_none_or(|known| known < version)
    }

    /// Takes a record. `is_signed` says whether its author signed it, and is asked last, for it
    /// costs most.
    ///
    /// # Errors
    /// Why it is not kept.
    pub(crate) fn merge(
        &mut self,
        now: Wall,
        signed: SignedRecord,
        is_signed: impl FnOnce(&SignedRecord) -> bool,
    ) -> Result<Merged, Refused> {
        let record = &signed.record;
        if record.network != self.network {
            return Err(Refused::OtherNetwork);
        }
        if class_of(record.kind).is_some_and(|class| class != record.class) {
            return Err(Refused::OtherClass);
        }
        let bytes = record.value.as_ref().map_or(0, |value| value.len());
        if bytes > RECORD_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        let (key, author) = (record.key(), record.author);
        let version = version_of(&signed);
        if !self.is_news(&key, version) {
            return Ok(Merged::Known);
        }
        if is_expired(now, &signed) {
            return Err(Refused::Expired);
        }
        self.has_room(now, &signed, key, version)?;
        if !is_signed(&signed) {
            return Err(Refused::Forged);
        }
        self.put(now, key, version, signed);
        self.crowd_out(author);
        match self.registers.contains_key(&key) {
            true => Ok(Merged::New(key)),
            false => Err(Refused::NoRoom),
        }
    }

    fn is_due(&self, now: Wall, signed: &SignedRecord) -> bool {
        let record = &signed.record;
        record.author == self.me || record.stamp.0 <= now.0.saturating_add(AHEAD_MAX)
    }

    fn has_room(
        &self,
        now: Wall,
        signed: &SignedRecord,
        key: RecordKey,
        version: Version,
    ) -> Result<(), Refused> {
        let author = self.authors.get(&signed.record.author);
        let author = author.ok_or(Refused::NotAMember)?;
        let known = self.registers.get(&key);
        let was_parked = known.is_some_and(|register| !register.is_due);
        let is_ahead = !self.is_due(now, signed);
        kernel::sometimes!(is_ahead, "gossip store: a record from the future");
        if is_ahead && !was_parked && author.parked >= PARKED_MAX {
            kernel::sometimes!(true, "gossip store: an author's clock is wrong");
            return Err(Refused::TooManyAhead);
        }
        if known.is_some() {
            return Ok(());
        }
        let oldest = author.by_age.first();
        let is_oldest = oldest.is_none_or(|oldest| (version, key) < *oldest);
        if author.by_age.len() >= AUTHOR_RECORDS_MAX && is_oldest {
            kernel::sometimes!(true, "gossip store: an author's older record finds no room");
            return Err(Refused::NoRoom);
        }
        // Everybody has room for one.
        if self.registers.len() >= RECORDS_MAX && !author.by_age.is_empty() {
            kernel::sometimes!(true, "gossip store: the network has too many records");
            return Err(Refused::NoRoom);
        }
        Ok(())
    }

    fn put(&mut self, now: Wall, key: RecordKey, version: Version, signed: SignedRecord) {
        let before = self.take(&key).and_then(Register::into_in_force);
        let is_due = self.is_due(now, &signed);
        let record = &signed.record;
        if let Some(author) = self.authors.get_mut(&record.author) {
            author.by_age.insert((version, key));
            author.parked += usize::from(!is_due);
        }
        if !is_due {
            self.parked.insert((record.stamp, key));
        }
        if record.value.is_none() {
            self.deleted.insert((record.stamp, key));
        }
        self.tree(record.class).set(key, version);
        let register = Register {
            newest: signed,
            digest: version.1,
            before: before.filter(|_| !is_due),
            is_due,
        };
        self.registers.insert(key, register);
        self.changed.insert(key);
    }

    /// Takes a register out of every index.
    fn take(&mut self, key: &RecordKey) -> Option<Register> {
        let register = self.registers.remove(key)?;
        let record = &register.newest.record;
        if let Some(author) = self.authors.get_mut(&record.author) {
            author
                .by_age
                .remove(&((record.stamp, register.digest), *key));
            author.parked -= usize::from(!register.is_due);
        }
        self.parked.remove(&(record.stamp, *key));
        self.deleted.remove(&(record.stamp, *key));
        let class = record.class;
        self.tree(class).remove(key);
        self.changed.insert(*key);
        Some(register)
    }

    /// An author has no more registers than it may: its oldest go.
    fn crowd_out(&mut self, author: NodeId) {
        while let Some(of) = self.authors.get(&author)
            && of.by_age.len() > AUTHOR_RECORDS_MAX
            && let Some((_, oldest)) = of.by_age.first().copied()
        {
            kernel::sometimes!(true, "gossip store: an author's oldest record is dropped");
            self.take(&oldest);
        }
    }

    /// Somebody belongs: its records are taken.
    pub(crate) fn admit(&mut self, author: NodeId, ground: Ground) {
        *self.authors.entry(author).or_default().ground(ground) = true;
    }

    /// Whether there is no room for another register, but for the first one of an author.
    pub(crate) fn is_full(&self) -> bool {
        self.registers.len() >= RECORDS_MAX
    }

    /// The greatest stamp that is in force under this id of a kind, of other authors.
    pub(crate) fn newest_of_others(&self, kind: Kind, id: &str) -> Stamp {
        let of_it = |signed: &&SignedRecord| {
            let record = &signed.record;
            record.kind == kind && &*record.id == id && record.author != self.me
        };
        let stamps = self
            .in_force()
            .filter(of_it)
            .map(|signed| signed.record.stamp);
        stamps.max().unwrap_or_default()
    }

    /// How many registers an author has.
    pub(crate) fn count_of(&self, author: NodeId) -> usize {
        self.authors.get(&author).map_or(0, |of| of.by_age.len())
    }

    /// Whether the roster keeps it.
    pub(crate) fn is_member(&self, author: NodeId) -> bool {
        self.authors.get(&author).is_some_and(|of| of.is_member)
    }

    /// A ground is gone. With the last one goes the author.
    pub(crate) fn withdraw(&mut self, author: NodeId, ground: Ground) {
        let Some(of) = self.authors.get_mut(&author) else {
            return;
        };
        *of.ground(ground) = false;
        if !of.is_member && !of.is_vouched {
            self.expel(author);
        }
    }

    /// None of an author's records is kept.
    fn expel(&mut self, author: NodeId) {
        let keys = self.authors.get(&author).into_iter();
        let keys: Vec<_> = keys
            .flat_map(|of| &of.by_age)
            .map(|(_, key)| *key)
            .collect();
        for key in keys {
            self.take(&key);
        }
        self.authors.remove(&author);
    }

    pub(crate) fn authors(&self) -> Vec<NodeId> {
        self.authors.keys().copied().collect()
    }

    /// What time changes: records that were from the future are in force, and deletions of long
    /// ago are forgotten. Whether there were any.
    pub(crate) fn advance(&mut self, now: Wall) -> bool {
        let before = (self.parked.len(), self.registers.len());
        while let Some((stamp, key)) = self.parked.first().copied()
            && stamp.0 <= now.0.saturating_add(AHEAD_MAX)
        {
            self.parked.pop_first();
            let Some(register) = self.registers.get_mut(&key) else {
                continue;
            };
            (register.is_due, register.before) = (true, None);
            if let Some(author) = self.authors.get_mut(&register.newest.record.author) {
                author.parked -= 1;
            }
            kernel::sometimes!(true, "gossip store: a record's time comes");
        }
        while let Some((stamp, key)) = self.deleted.first().copied()
            && stamp.0.saturating_add(TOMBSTONE_AGE_MAX) <= now.0
        {
            kernel::sometimes!(true, "gossip store: a deletion is forgotten");
            self.take(&key);
        }
        before != (self.parked.len(), self.registers.len())
    }

    /// The wall time at which [`Registers::advance`] has something to do.
    pub(crate) fn next_change(&self) -> Option<Wall> {
        let due = self.parked.first();
        let due = due.map(|(stamp, _)| Wall(stamp.0.saturating_sub(AHEAD_MAX)));
        let old = self.deleted.first();
        let old = old.map(|(stamp, _)| Wall(stamp.0.saturating_add(TOMBSTONE_AGE_MAX)));
        due.into_iter().chain(old).min()
    }

    /// At most so many registers that changed since the database was told, and what they hold now;
    /// but for those that another commit writes.
    pub(crate) fn take_changes(
        &mut self,
        most: usize,
        but: &BTreeSet<RecordKey>,
    ) -> Vec<(RecordKey, Option<SignedRecord>)> {
        let changed = self.changed.iter().filter(|key| !but.contains(key));
        let keys: Vec<_> = changed.take(most).copied().collect();
        let with_value = |key: RecordKey| (key, self.get(&key).cloned());
        let changes = keys.iter().map(|key| with_value(*key)).collect();
        for key in &keys {
            self.changed.remove(key);
        }
        changes
    }

    /// What a register holds is durable.
    pub(crate) fn is_written(&mut self, key: &RecordKey) {
        self.changed.remove(key);
    }

    /// A write of these failed: they are to be written again.
    pub(crate) fn changed_again(&mut self, keys: impl IntoIterator<Item = RecordKey>) {
        self.changed.extend(keys);
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(crate) fn invariants(&self) {
        assert!(
            self.registers.len() <= RECORDS_MAX + MEMBERS_MAX + VOUCHED_MAX,
            "too many registers"
        );
        assert_eq!(
            self.registers.len(),
            self.trees.iter().map(Tree::len).sum::<usize>(),
            "registers that digests do not see"
        );
        assert!(
            self.parked.len() <= self.registers.len(),
            "parked records of no register"
        );
    }
}

impl Author {
    const fn ground(&mut self, ground: Ground) -> &mut bool {
        match ground {
            Ground::Member => &mut self.is_member,
            Ground::Vouched => &mut self.is_vouched,
        }
    }
}

impl Register {
    const fn version(&self) -> Version {
        (self.newest.record.stamp, self.digest)
    }

    const fn in_force(&self) -> Option<&SignedRecord> {
        match self.is_due {
            true => Some(&self.newest),
            false => self.before.as_ref(),
        }
    }

    fn into_in_force(self) -> Option<SignedRecord> {
        match self.is_due {
            true => Some(self.newest),
            false => self.before,
        }
    }
}

/// Where a record stands among those of its register.
pub(crate) fn version_of(signed: &SignedRecord) -> Version {
    (signed.record.stamp, digest_of(signed))
}

/// What its author signed, as one digest.
fn digest_of(signed: &SignedRecord) -> Digest {
    let mut digest = Digest::default();
    let signing = signed.record.signing_bytes();
    if let Some(bytes) = signing.first_chunk() {
        digest.0 = *bytes;
    }
    digest
}

/// The class that a known kind always has.
pub(crate) const fn class_of(kind: Kind) -> Option<RecordClass> {
    match kind {
        Kind::CAPABILITIES | Kind::REVOCATION | Kind::SESSION_CATALOG => Some(RecordClass::Public),
        Kind::PROMPT | Kind::TOOL_PERMISSION => Some(RecordClass::Gated),
        Kind(_) => None,
    }
}

/// Where a class stands among the two.
pub(crate) const fn index_of(class: RecordClass) -> usize {
    match class {
        RecordClass::Public => 0,
        RecordClass::Gated => 1,
    }
}

fn is_expired(now: Wall, signed: &SignedRecord) -> bool {
    let record = &signed.record;
    record.value.is_none() && record.stamp.0.saturating_add(TOMBSTONE_AGE_MAX) <= now.0
}
