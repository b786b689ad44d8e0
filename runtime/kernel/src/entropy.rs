//! Chance, from a seed.

use messages::{Address, Digest};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::Incarnation;

/// One actor's own random stream. A draw in one actor never shifts another's.
#[derive(Clone, Debug)]
pub struct Entropy(ChaCha8Rng);

impl Entropy {
    /// The stream of one incarnation of one actor of the node with this seed.
    #[must_use]
    pub fn of(node_seed: &[u8; 32], who: Address, incarnation: Incarnation) -> Self {
        let name = postcard::to_stdvec(&(who, incarnation)).unwrap_or_default();
        Self::from_seed(Digest::of("mesh-node entropy v1", &[node_seed, &name]).0)
    }

    /// A stream from 32 bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// A stream from a number, for simulated worlds.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a 128-bit product: its bias, `end` in 2^64, is below notice.
        let product = u128::from(self.number()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// True `parts` times in a million.
    pub fn chance(&mut self, parts_per_million: u64) -> bool {
        self.below(1_000_000) < parts_per_million
    }

    /// 32 bytes, for a key.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
