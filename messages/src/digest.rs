//! BLAKE3 digests.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A BLAKE3 digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `parts` under `context`. Every part is preceded by its length, so that no two
    /// lists of parts run together; the context keeps one use from answering for another.
    #[must_use]
    pub fn of(context: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new(context);
        for part in parts {
            hasher.part(part);
        }
        hasher.finish()
    }

    /// The first eight bytes as a number, for short marks in output.
    #[must_use]
    pub const fn short(self) -> u64 {
        let b = self.0;
        u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:016x}…)", self.short())
    }
}

/// A digest in the making.
#[derive(Clone, Debug)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// An empty digest under `context`.
    #[must_use]
    pub fn new(context: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(context.as_bytes());
        hasher.update(&[0]);
        Self(hasher)
    }

    /// Adds one part, preceded by its length.
    pub fn part(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The digest of what was added so far.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}
