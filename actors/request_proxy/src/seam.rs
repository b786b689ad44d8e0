//! Who the answer came from.

use messages::ports::gateway::Seam;
use messages::router::Via;
use messages::{Compute, Digest};

/// The holders that contributed tokens: at most one for each attempt that was accepted.
#[derive(Debug, Default)]
pub(crate) struct Contributions {
    holders: Vec<Via>,
    /// The first contributor's compute digest.
    compute: Option<Digest>,
    /// A later one's differs.
    mixed: bool,
}

impl Contributions {
    /// A holder gave a token.
    pub(crate) fn add(&mut self, via: Via, compute: Compute) {
        if !self.holders.contains(&via) {
            self.holders.push(via);
        }
        // The digest is the attempt's, not the holder's: an engine may be replaced in between.
        self.mixed |= *self.compute.get_or_insert(compute.digest) != compute.digest;
    }

    /// Holders so far.
    pub(crate) fn holders(&self) -> usize {
        self.holders.len()
    }

    /// What the client is told. Every contributor came to the same prompt, or it was rejected.
    pub(crate) fn seam(&self) -> Seam {
        let holders = u32::try_from(self.holders.len()).unwrap_or(u32::MAX);
        Seam {
            holders,
            exact: !self.mixed,
        }
    }
}
