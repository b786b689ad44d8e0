//! One job in a slot of a model.

use messages::{Digest, Sampling};

/// A begun job.
#[derive(Debug)]
pub(super) struct Running {
    /// Which of the loaded models.
    pub(super) model: usize,
    /// Which of its sequences.
    pub(super) slot: u32,
    /// Prompt, resumed and drawn tokens, in order.
    pub(super) tokens: Vec<i32>,
    /// How many of them are the prompt.
    pub(super) prompt: usize,
    /// How many are in the sequence's cache. The last token never is: a step reads it first.
    pub(super) read: usize,
    pub(super) digest: Digest,
    pub(super) sampling: Sampling,
    /// The model ended the answer.
    pub(super) ended: bool,
}

/// What of a prompt is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Running {
    /// The next part that one computation reads; none where only the last token is left.
    ///
    /// A prompt is cut at multiples of `chunk`, wherever its beginning came from, and what was
    /// resumed is read as it was drawn, one by one: then a cache never depends on how an answer
    /// was spread over holders. Where that is not wanted, resumed tokens come in chunks too.
    pub(super) fn next_part(&self, chunk: usize, exact: bool) -> Option<Part> {
        let end = self.tokens.len().saturating_sub(1);
        let prompt_end = self.prompt.saturating_sub(1).min(end);
        let from = self.read;
        let to = if from < prompt_end {
            ((from / chunk + 1) * chunk).min(prompt_end)
        } else if exact {
            from + 1
        } else {
            from + chunk
        };
        (from < end).then_some(Part {
            from,
            to: to.min(end),
        })
    }

    /// The position in the answer that a step draws.
    pub(super) fn position(&self) -> u32 {
        u32::try_from(self.tokens.len() - self.prompt).unwrap_or(u32::MAX)
    }
}

/// What a slot's cache holds of the prompt it was used for last.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) busy: bool,
    pub(super) tenant: Digest,
    /// Tokens of whole chunks of a prompt: what another prompt may begin with.
    pub(super) prefix: Vec<i32>,
}

impl Slot {
    /// How many tokens of a tenant's prompt need not be read again: whole chunks, and never the
    /// last token.
    pub(super) fn shared(&self, tenant: Digest, prompt: &[i32], chunk: usize) -> usize {
        if self.tenant != tenant {
            return 0;
        }
        let usable = prompt.len().saturating_sub(1);
        let same = self
            .prefix
            .iter()
            .zip(&prompt[..usable])
            .take_while(|(a, b)| a == b)
            .count();
        same / chunk * chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(prompt: usize, resumed: usize, read: usize) -> Running {
        let sampling = Sampling {
            temperature_e6: 0,
            top_p_e6: 0,
            seed: 0,
        };
        Running {
            model: 0,
            slot: 0,
            tokens: vec![0; prompt + resumed],
            prompt,
            read,
            digest: Digest::default(),
            sampling,
            ended: false,
        }
    }

    fn parts(prompt: usize, resumed: usize, read: usize, exact: bool) -> Vec<(usize, usize)> {
        let mut job = running(prompt, resumed, read);
        let mut found = Vec::new();
        while let Some(part) = job.next_part(4, exact) {
            found.push((part.from, part.to));
            job.read = part.to;
        }
        found
    }

    #[test]
    fn a_prompt_is_cut_at_multiples_and_its_last_token_is_left_for_the_step() {
        assert_eq!(parts(10, 0, 0, true), [(0, 4), (4, 8), (8, 9)]);
        assert_eq!(
            parts(10, 0, 4, true),
            [(4, 8), (8, 9)],
            "as if the beginning had been read"
        );
        assert_eq!(parts(9, 0, 0, true), [(0, 4), (4, 8)]);
        assert_eq!(parts(1, 0, 0, true), []);
    }

    #[test]
    fn resumed_tokens_are_read_as_they_were_drawn() {
        assert_eq!(
            parts(6, 3, 0, true),
            [(0, 4), (4, 5), (5, 6), (6, 7), (7, 8)]
        );
        assert_eq!(parts(6, 8, 0, false), [(0, 4), (4, 5), (5, 9), (9, 13)]);
        assert_eq!(running(6, 3, 0).position(), 3);
    }

    #[test]
    fn only_whole_chunks_of_the_same_tenant_are_shared() {
        let tenant = Digest([1; 32]);
        let slot = Slot {
            busy: false,
            tenant,
            prefix: (0..8).collect(),
        };
        let prompt: Vec<i32> = (0..20).collect();
        assert_eq!(slot.shared(tenant, &prompt, 4), 8);
        assert_eq!(
            slot.shared(tenant, &prompt[..8], 4),
            4,
            "the last token is read by the step"
        );
        assert_eq!(slot.shared(tenant, &[0, 1, 2, 3, 4, 9, 9, 9, 9], 4), 4);
        assert_eq!(slot.shared(Digest([2; 32]), &prompt, 4), 0);
    }
}
