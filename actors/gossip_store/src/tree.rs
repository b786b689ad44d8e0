//! The digest tree over the registers of one class: 16 branches a level, by the half bytes of the
//! keys. What a place's digest is depends on the registers there and on nothing else, so two nodes
//! that hold the same agree whatever the order in which it came.

use messages::wire::latest::{BRANCHES, ENTRIES_MAX, Entry, Part};
use messages::{Digest, List, Prefix, RecordKey, Stamp};
use std::collections::BTreeMap;

/// What a register's newest record is.
pub(crate) type Version = (Stamp, Digest);

/// The registers of a class, as digests see them.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    versions: BTreeMap<RecordKey, Version>,
    root: Place,
}

/// One place. Its branches are there while it holds more than a list may.
#[derive(Debug, Default)]
struct Place {
    count: usize,
    /// Nothing where something below it changed since it was asked for.
    digest: Option<Digest>,
    branches: Vec<Self>,
}

impl Tree {
    pub(crate) const fn new() -> Self {
        let root = Place {
            count: 0,
            digest: None,
            branches: Vec::new(),
        };
        Self {
            versions: BTreeMap::new(),
            root,
        }
    }

    /// How many registers there are.
    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }

    /// A register has this newest record.
    pub(crate) fn set(&mut self, key: RecordKey, version: Version) {
        let is_new = self.versions.insert(key, version).is_none();
        self.root
            .change(Prefix::ROOT, &key, i8::from(is_new), &self.versions);
    }

    /// A register is no more.
    pub(crate) fn remove(&mut self, key: &RecordKey) {
        if self.versions.remove(key).is_some() {
            self.root.change(Prefix::ROOT, key, -1, &self.versions);
        }
    }

    /// What is at a place.
    pub(crate) fn digest(&mut self, at: Prefix) -> Digest {
        let mut place = &mut self.root;
        for depth in 0..at.depth() {
            if place.branches.is_empty() {
                // Some of what the place above lists.
                return digest_of(entries(&self.versions, at));
            }
            place = &mut place.branches[at.nibble(depth)];
        }
        place.digest(at, &self.versions)
    }

    /// What to say of a place to whoever has `theirs` there.
    pub(crate) fn part(&mut self, at: Prefix, theirs: Digest) -> Part {
        if self.digest(at) == theirs {
            return Part::Same;
        }
        let listed = entries(&self.versions, at).take(ENTRIES_MAX + 1).count() <= ENTRIES_MAX;
        if listed || at.depth() == Prefix::DEPTH_MAX {
            return Part::Entries(List::truncated(entries(&self.versions, at)));
        }
        let branches = (0..BRANCHES as u8).map(|nibble| self.digest(at.child(nibble)));
        Part::Branches(List::truncated(branches))
    }
}

impl Place {
    fn change(
        &mut self,
        at: Prefix,
        key: &RecordKey,
        by: i8,
        versions: &BTreeMap<RecordKey, Version>,
    ) {
        self.digest = None;
        self.count = self.count.saturating_add_signed(isize::from(by));
        if self.count <= ENTRIES_MAX || at.depth() == Prefix::DEPTH_MAX {
            self.branches = Vec::new();
        } else if self.branches.is_empty() {
            self.branches.resize_with(BRANCHES, Self::default);
            for (key, _) in versions.range(bounds(at)) {
                let nibble = key.nibble(at.depth());
                let below = at.child(nibble as u8);
                self.branches[nibble].change(below, key, 1, versions);
            }
        } else {
            let nibble = key.nibble(at.depth());
            self.branches[nibble].change(at.child(nibble as u8), key, by, versions);
        }
    }

    fn digest(&mut self, at: Prefix, versions: &BTreeMap<RecordKey, Version>) -> Digest {
        if let Some(known) = self.digest {
            return known;
        }
        let digest = match self.branches.is_empty() {
            true => digest_of(entries(versions, at)),
            false => {
                let below = self.branches.iter_mut().zip(0..BRANCHES as u8);
                let digests: Vec<Digest> = below
                    .map(|(place, nibble)| place.digest(at.child(nibble), versions))
                    .collect();
                let parts: Vec<&[u8]> = digests.iter().map(|digest| &digest.0[..]).collect();
                Digest::of("mesh-node records branches v1", &parts)
            }
        };
        self.digest = Some(digest);
        digest
    }
}

fn bounds(at: Prefix) -> std::ops::RangeInclusive<RecordKey> {
    let (least, greatest) = at.range();
    least..=greatest
}

fn entries(
    versions: &BTreeMap<RecordKey, Version>,
    at: Prefix,
) -> impl Iterator<Item = Entry> + '_ {
    let found = versions.range(bounds(at));
    found.map(|(key, (stamp, digest))| Entry {
        key: *key,
        stamp: *stamp,
        digest: *digest,
    })
}

/// The digest of a list, in the order of its keys.
fn digest_of(entries: impl Iterator<Item = Entry>) -> Digest {
    let mut hasher = messages::Hasher::new("mesh-node records list v1");
    for entry in entries {
        hasher.part(&entry.key.0);
        hasher.part(&entry.stamp.0.to_le_bytes());
        hasher.part(&entry.digest.0);
    }
    hasher.finish()
}

/// The digest of a place where there is nothing.
pub(crate) fn nothing() -> Digest {
    digest_of(std::iter::empty())
}
