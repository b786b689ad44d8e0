//! What the holder of the attempt says.

use crate::RequestProxy;
use crate::log::Fit;
use crate::text::Fed;
use crate::tries::Loss;
use kernel::Outbox;
use messages::ports::gateway;
use messages::wire::latest::{Accepted, End, JobReply};
use messages::{EndReason, Letter, Mono, TokenBatch, TokenPiece};

impl RequestProxy {
    /// A reply of the attempt that counts.
    pub(crate) fn on_reply(&mut self, now: Mono, reply: JobReply, out: &mut Outbox) {
        match reply {
            JobReply::Accepted(accepted) => self.on_accepted(now, accepted, out),
            JobReply::Tokens(batch) => self.on_tokens(now, &batch, out),
            JobReply::Beacon(beacon) => self.on_beacon(now, beacon.steps),
            JobReply::End(end) => self.on_end(now, end, out),
            JobReply::Refused(refused) => self.on_refusal(now, refused.why, out),
        }
    }

    fn on_beacon(&mut self, now: Mono, steps: u64) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let before = attempt.progress();
        let trusted = attempt.beacon(now, steps);
        let span = attempt.progress().since(before);
        self.quiet = self.quiet + span;
        self.hunt.excuse(span);
        if trusted {
            self.hunt.stop();
        }
    }

    fn on_accepted(&mut self, now: Mono, accepted: Accepted, out: &mut Outbox) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if attempt.accepted.is_some() {
            attempt.sign();
            return;
        }
        let begins = self.first.is_none();
        let agrees = match &self.first {
            Some((first, _)) if !self.log.is_empty() => {
                first.prompt == accepted.prompt && accepted.compute.splice
            }
            Some(_) | None => true,
        };
        if !agrees {
            return self.lose(now, Loss::Rejected, out);
        }
        attempt.accept(now, accepted.compute);
        let advert = attempt.advert.clone();
        if begins {
            out.tell(Letter::Gateway(gateway::Command::Started {
                request: self.seed.request,
                served_by: attempt.via.node(),
                model: advert.clone().into(),
            }));
        }
        if self.log.is_empty() {
            self.first = Some((accepted, advert));
        }
        self.hunt.settle();
    }

    fn on_tokens(&mut self, now: Mono, batch: &TokenBatch, out: &mut Outbox) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let next = match self.log.fit(batch) {
            Fit::Next(next) if attempt.accepted.is_some() => next.to_vec(),
            Fit::Next(_) | Fit::Gap | Fit::Contradiction => {
                return self.lose(now, Loss::Broken, out);
            }
        };
        if next.is_empty() {
            kernel::sometimes!(true, "request: tokens come twice");
            attempt.sign();
            return;
        }
        attempt.tokens(now);
        self.progress(now);
        self.hunt.stop();
        let mut text = String::new();
        let over = self.take(&next, &mut text);
        self.send(text, out);
        match over {
            Some(Over::Stopped) => self.finish(EndReason::Stop, true, out),
            // It was told how many tokens the client wants, and goes on.
            Some(Over::Full) => self.finish_whole(EndReason::Length, true, out),
            None => {}
        }
    }

    /// Logs tokens and adds their text; says why the answer is over, where it is. One token after
    /// the other: what came with a stop string must not count.
    fn take(&mut self, tokens: &[TokenPiece], text: &mut String) -> Option<Over> {
        let holder = self.attempt.as_ref()?;
        let compute = holder.accepted?;
        for token in tokens {
            if !self.log.push(token.id) {
                return Some(Over::Full);
            }
            self.contributions.add(holder.via, compute);
            if self.text.feed(&token.bytes, text) == Fed::Stopped {
                return Some(Over::Stopped);
            }
        }
        None
    }

    fn on_end(&mut self, now: Mono, end: End, out: &mut Outbox) {
        let accepted = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.accepted.is_some());
        if accepted && end.tokens == self.log.len() {
            self.finish_whole(end.reason, false, out);
        } else {
            // Tokens were lost on the way, or never sent.
            self.lose(now, Loss::Broken, out);
        }
    }
}

/// Why the answer is over before its End.
enum Over {
    /// A stop string is complete.
    Stopped,
    /// The holder gives more than was asked for.
    Full,
}
