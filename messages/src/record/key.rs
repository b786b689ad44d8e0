//! Names of registers, and places in the tree over them.

use super::{Kind, Record};
use crate::{Digest, NodeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A register within its network: the digest of kind, author and id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey(pub [u8; 32]);

impl RecordKey {
    /// The register of an author.
    #[must_use]
    pub fn of(kind: Kind, author: NodeId, id: &str) -> Self {
        let kind = kind.0.to_le_bytes();
        let parts: [&[u8]; 3] = [&kind, &author.0, id.as_bytes()];
        Self(Digest::of("mesh-node record key v1", &parts).0)
    }

    /// The half byte at `depth`, from 0; nothing below the last.
    #[must_use]
    pub fn nibble(&self, depth: u8) -> usize {
        let byte = self.0.get(usize::from(depth / 2)).copied().unwrap_or(0);
        usize::from(if depth.is_multiple_of(2) {
            byte >> 4
        } else {
            byte & 15
        })
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl Record {
    /// The register that it is of.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey::of(self.kind, self.author, &self.id)
    }
}

/// All keys that begin alike: a place in the 16-way tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u8, u64)", into = "(u8, u64)")]
pub struct Prefix {
    depth: u8,
    /// The half bytes, the first one highest; zero below them.
    path: u64,
}

/// The half bytes do not fit their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place in a tree of at most {} levels", Prefix::DEPTH_MAX)]
pub struct BadPrefix;

impl Prefix {
    /// Levels of the tree: with as many keys as a network may have, none comes near it by chance,
    /// and to make two keys meet there costs 2^32 tries each.
    pub const DEPTH_MAX: u8 = 16;
    /// All keys.
    pub const ROOT: Self = Self { depth: 0, path: 0 };

    /// How many half bytes it fixes.
    #[must_use]
    pub const fn depth(self) -> u8 {
        self.depth
    }

    /// The place below it with this half byte; itself at the lowest level.
    #[must_use]
    pub fn child(self, nibble: u8) -> Self {
        if self.depth == Self::DEPTH_MAX {
            return self;
        }
        let shift = 60 - 4 * u32::from(self.depth);
        Self {
            depth: self.depth + 1,
            path: self.path | (u64::from(nibble & 15) << shift),
        }
    }

    /// The half byte at `depth`, from 0.
    #[must_use]
    pub fn nibble(self, depth: u8) -> usize {
        let shift = 60 - 4 * u32::from(depth.min(Self::DEPTH_MAX - 1));
        usize::try_from((self.path >> shift) & 15).unwrap_or(0)
    }

    /// The least key and the greatest one.
    #[must_use]
    pub fn range(self) -> (RecordKey, RecordKey) {
        let below = u64::MAX.checked_shr(4 * u32::from(self.depth)).unwrap_or(0);
        let (mut least, mut greatest) = ([0; 32], [0xff; 32]);
        least[..8].copy_from_slice(&self.path.to_be_bytes());
        greatest[..8].copy_from_slice(&(self.path | below).to_be_bytes());
        (RecordKey(least), RecordKey(greatest))
    }
}

impl TryFrom<(u8, u64)> for Prefix {
    type Error = BadPrefix;

    fn try_from((depth, path): (u8, u64)) -> Result<Self, BadPrefix> {
        if depth > Self::DEPTH_MAX {
            return Err(BadPrefix);
        }
        let used = 4 * u32::from(depth);
        let rest = path.checked_shl(used).unwrap_or(0);
        match rest {
            0 => Ok(Self { depth, path }),
            _ => Err(BadPrefix),
        }
    }
}

impl From<Prefix> for (u8, u64) {
    fn from(prefix: Prefix) -> Self {
        (prefix.depth, prefix.path)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prefix(")?;
        (0..self.depth).try_for_each(|depth| write!(f, "{:x}", self.nibble(depth)))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests;
