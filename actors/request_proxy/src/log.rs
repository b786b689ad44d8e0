//! The token log: what was received, contiguous from position 0. It is what a later holder goes
//! on from; what was sent to the client is counted apart, by the text.

use messages::limits::TOKENS_MAX;
use messages::{List, TokenBatch, TokenId, TokenPiece};

/// The ids of all tokens received.
#[derive(Debug)]
pub(crate) struct Log {
    ids: Vec<TokenId>,
    /// Tokens of the answer at most.
    max: usize,
}

/// What a batch is to the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit<'a> {
    /// These tokens come next; there may be none.
    Next(&'a [TokenPiece]),
    /// Tokens before it are missing.
    Gap,
    /// It repeats positions with other tokens: two different answers cannot be joined.
    Contradiction,
}

impl Log {
    /// An empty log of at most `max_tokens`, and never more than a job can carry.
    pub(crate) fn new(max_tokens: Option<u32>) -> Self {
        let asked = max_tokens.and_then(|max| usize::try_from(max).ok());
        Self {
            ids: Vec::new(),
            max: asked.unwrap_or(TOKENS_MAX).min(TOKENS_MAX),
        }
    }

    /// Cuts off what is known already.
    pub(crate) fn fit<'a>(&self, batch: &'a TokenBatch) -> Fit<'a> {
        let first = usize::try_from(batch.first).unwrap_or(usize::MAX);
        let Some(known) = self.ids.get(first..) else {
            return Fit::Gap;
        };
        let overlap = known.len().min(batch.tokens.len());
        let (again, next) = batch.tokens.split_at(overlap);
        if again.iter().zip(known).any(|(token, id)| token.id != *id) {
            return Fit::Contradiction;
        }
        Fit::Next(next)
    }

    /// Adds one token. False where there is no room: the answer is over.
    pub(crate) fn push(&mut self, id: TokenId) -> bool {
        let room = !self.is_full();
        if room {
            self.ids.push(id);
        }
        room
    }

    /// What a later holder is given.
    pub(crate) fn resume(&self) -> List<TokenId, TOKENS_MAX> {
        List::truncated(self.ids.iter().copied())
    }

    pub(crate) fn invariants(&self) {
        assert!(self.ids.len() <= self.max, "the log is longer than asked");
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.ids.len() >= self.max
    }
}
