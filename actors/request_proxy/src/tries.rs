//! From one holder to the next.

use crate::attempt::Attempt;
use crate::hunt::{Ban, Why};
use crate::{ATTEMPTS_MAX, RequestProxy};
use kernel::{Deadline, Outbox};
use messages::request_proxy::{Failure, Flow};
use messages::router::{Choice, NoRoute, Outcome, Query};
use messages::{
    EndReason, Job, JobId, Label, Letter, Micros, Mono, Refusal, Sampling, StreamId, router,
};

/// How an attempt was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The holder failed, and knows it.
    Failed,
    /// The holder broke the protocol, and goes on unless it is told.
    Broken,
    /// The holder is silent, and may go on.
    Silent,
    /// The holder has no room, for about so many milliseconds.
    Busy(u32),
    /// The holder will not do for this request.
    Unfit,
    /// The same, and it goes on unless it is told.
    Rejected,
    /// The holder leaves.
    Leaving,
    /// The client took nothing for too long.
    TooSlow,
}

impl RequestProxy {
    /// Whether this is the attempt that counts.
    pub(crate) fn is_current(&self, attempt: u32) -> bool {
        self.attempt
            .as_ref()
            .is_some_and(|current| current.n == attempt)
    }

    /// Asks the router for a holder.
    pub(crate) fn seek(&mut self, now: Mono, out: &mut Outbox) {
        let doubted = self.attempt.as_ref().map(|attempt| attempt.via);
        let splice = !self.log.is_empty();
        let first = self.first.as_ref();
        let query = Query {
            request: self.seed.request,
            attempt: self.attempts + 1,
            model: self.seed.model.clone(),
            pinned: first.map(|(_, advert)| advert.model),
            prefer: first
                .map(|(accepted, _)| accepted.compute)
                .filter(|_| splice),
            splice,
            exclude: self.hunt.excluded(now, doubted),
        };
        out.tell(Letter::Router(router::Input::Route(Box::new(query))));
        self.hunt.asked(now);
    }

    /// Asks again; a question without an answer was lost with the router.
    pub(crate) fn seek_again(&mut self, now: Mono, out: &mut Outbox) {
        if self.hunt.is_asked() {
            kernel::sometimes!(true, "request: the router does not answer");
            self.hunt.no(now, Why::Lost);
        }
        self.seek(now, out);
    }

    /// The router's answer. One that nobody waits for is late: its question was dropped.
    pub(crate) fn on_routed(
        &mut self,
        now: Mono,
        attempt: u32,
        choice: Result<Box<Choice>, NoRoute>,
        out: &mut Outbox,
    ) {
        if attempt != self.attempts + 1 || !self.hunt.is_asked() {
            kernel::sometimes!(true, "request: an answer to an earlier question");
            return;
        }
        match choice {
            Ok(choice) if self.will_do(now, &choice) => {
                if let Some(doubted) = self.attempt.as_ref().map(|attempt| attempt.via) {
                    kernel::sometimes!(true, "request: a doubted holder is left for another");
                    self.doubts += 1;
                    self.hunt.rule_out(now, doubted, Ban::Failed);
                    self.hunt.note(Why::Lost);
                    self.end_attempt(Outcome::Failed, true, out);
                }
                self.begin(now, *choice, out);
            }
            Ok(_) => self.found_nobody(now, Why::Lost, out),
            Err(NoRoute::UnknownModel) if self.attempts == 0 => {
                kernel::sometimes!(true, "request: nobody knows the model");
                self.fail(Failure::UnknownModel, out);
            }
            Err(no_route) => {
                let why = self.hunt.why_of(&no_route);
                self.found_nobody(now, why, out);
            }
        }
    }

    /// The router has nobody, for now.
    pub(crate) fn found_nobody(&mut self, now: Mono, why: Why, out: &mut Outbox) {
        if self.attempt.is_some() {
            kernel::sometimes!(true, "request: no other holder for a doubted one");
            self.hunt.pause(now);
            return;
        }
        self.hunt.no(now, why);
        self.hunt.pause(now);
        self.give_up_if_due(now, out);
    }

    /// The stream to a remote holder is open.
    pub(crate) fn on_opened(&mut self, now: Mono, stream: StreamId, out: &mut Outbox) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if !attempt.open(now, stream, out) {
            return;
        }
        if self.full {
            attempt.flow(Flow::Full, out);
        }
        if !attempt.has_signed() {
            self.hunt.stop();
        }
    }

    /// The holder is overdue: asks for another, and lets it go on until there is one.
    pub(crate) fn doubt(&mut self, now: Mono, out: &mut Outbox) {
        let silent = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.is_silent(now, self.quiet));
        if self.is_whole() {
            self.finish_whole(EndReason::Length, true, out);
        } else if silent {
            kernel::sometimes!(true, "request: a silent holder is given up");
            self.lose(now, Loss::Silent, out);
        } else if self.may_move() && self.counted < ATTEMPTS_MAX {
            self.seek(now, out);
        } else {
            self.hunt.hold();
        }
    }

    /// A holder does not take the job, or gives it up.
    pub(crate) fn on_refusal(&mut self, now: Mono, why: Refusal, out: &mut Outbox) {
        let fresh = self.first.is_none();
        let loss = match why {
            Refusal::ContextExceeded { context, prompt } if fresh => {
                return self.refuse(Failure::ContextExceeded { context, prompt }, out);
            }
            Refusal::Unsupported(why) if fresh => {
                return self.refuse(Failure::Unsupported(Label::truncated(&why)), out);
            }
            Refusal::Busy { retry_after_ms } => Loss::Busy(retry_after_ms),
            // What one holder accepted, another may not be able to do: that says nothing of the
            // request.
            Refusal::ContextExceeded { .. } | Refusal::Unsupported(_) | Refusal::PromptMismatch => {
                Loss::Unfit
            }
            // A holder whose engine starts again serves nothing for a moment.
            Refusal::NoModel | Refusal::NotAdmitted | Refusal::EngineFailed(_) => Loss::Failed,
            Refusal::Draining => Loss::Leaving,
            Refusal::TooSlow if self.full => Loss::TooSlow,
            Refusal::TooSlow => Loss::Failed,
        };
        self.lose(now, loss, out);
    }

    /// The attempt is over: looks for another holder, unless that is pointless.
    pub(crate) fn lose(&mut self, now: Mono, loss: Loss, out: &mut Outbox) {
        loss.mark();
        let Some(attempt) = &self.attempt else { return };
        let (via, signed) = (attempt.via, attempt.has_signed());
        self.hunt.rule_out(now, via, loss.ban());
        self.end_attempt(loss.outcome(), loss.is_unknown_to_holder(), out);
        match loss {
            Loss::Busy(retry_after_ms) if !signed => {
                self.counted -= 1;
                self.hunt.no(now, Why::Busy(retry_after_ms));
            }
            Loss::Busy(_)
            | Loss::Failed
            | Loss::Broken
            | Loss::Silent
            | Loss::Unfit
            | Loss::Rejected
            | Loss::Leaving
            | Loss::TooSlow => self.hunt.note(Why::Lost),
        }
        if self.is_whole() {
            // Only the End was missing.
            kernel::sometimes!(true, "request: only the end of an answer is lost");
            self.finish_whole(EndReason::Length, false, out);
        } else if !self.may_move() || self.counted >= ATTEMPTS_MAX || self.is_stalled(now) {
            kernel::sometimes!(
                self.counted >= ATTEMPTS_MAX,
                "request: all attempts are spent"
            );
            kernel::sometimes!(
                !self.may_move(),
                "request: its tokens cannot go on elsewhere"
            );
            kernel::sometimes!(self.is_stalled(now), "request: it made no progress");
            self.give_up(out);
        } else if loss == Loss::TooSlow {
            // Another holder would only wait for the client too.
            self.hunt.hold();
        } else {
            self.seek(now, out);
            self.give_up_if_due(now, out);
        }
    }

    /// No holder is left, and none came back.
    pub(crate) fn give_up(&mut self, out: &mut Outbox) {
        kernel::sometimes!(true, "request: it gives up");
        let failure = self.hunt.failure(!self.log.is_empty(), self.attempts);
        let busy = matches!(failure, Failure::Busy { .. });
        kernel::sometimes!(busy, "request: all holders are full for too long");
        self.fail(failure, out);
    }

    /// Ends the attempt, if there is one, and tells the router how it went.
    pub(crate) fn end_attempt(&mut self, result: Outcome, cancel: bool, out: &mut Outbox) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        if cancel {
            attempt.cancel(out);
        }
        attempt.unwatch(out);
        out.tell(Letter::Router(router::Input::Outcome {
            via: attempt.via,
            result,
        }));
    }

    /// It moved on: a token came, or the client's pause is over.
    pub(crate) fn progress(&mut self, now: Mono) {
        self.quiet = now;
        self.hunt.forget();
    }

    /// When it has stood still for so long that no further holder is worth asking; never while the
    /// client is the reason.
    pub(crate) fn stalls(&self) -> Option<Deadline> {
        (!self.full).then(|| Deadline {
            at: self.quiet + STALL_MAX,
            why: "the request stands still",
        })
    }

    pub(crate) fn is_stalled(&self, now: Mono) -> bool {
        self.stalls().is_some_and(|deadline| deadline.at <= now)
    }

    fn begin(&mut self, now: Mono, choice: Choice, out: &mut Outbox) {
        self.attempts += 1;
        self.counted += 1;
        self.hunt.stop();
        let span = self.entropy.number();
        let job = Box::new(self.job(&choice, span));
        let attempt = Attempt::begin(now, choice.via, choice.advert, job, self.doubts, out);
        if self.full {
            attempt.flow(Flow::Full, out);
        }
        self.attempt = Some(attempt);
    }

    fn job(&self, choice: &Choice, span: u64) -> Job {
        let seed = &self.seed;
        let expect = self.first.as_ref().map(|(accepted, _)| accepted.prompt);
        Job {
            id: JobId {
                origin: seed.me,
                request: seed.request,
                attempt: self.attempts,
            },
            trace: seed.trace.under(span),
            model: choice.advert.model,
            prompt: seed.prompt.clone(),
            template_time: seed.arrived,
            sampling: Sampling {
                temperature_e6: seed.temperature_e6,
                top_p_e6: seed.top_p_e6,
                seed: self.draw,
            },
            max_tokens: seed.max_tokens,
            resume: self.log.resume(),
            // Without tokens to go on from there is nothing that a prompt could disagree with.
            expect: expect.filter(|_| !self.log.is_empty()),
            tenant: seed.tenant,
        }
    }

    /// Whether only the End is missing. An answer of no tokens is whole once its prompt was read.
    const fn is_whole(&self) -> bool {
        self.first.is_some() && self.log.is_full()
    }

    /// Whether another holder can go on: from token ids, or from the beginning.
    fn may_move(&self) -> bool {
        let splice = self
            .first
            .as_ref()
            .is_none_or(|(accepted, _)| accepted.compute.splice);
        splice || self.log.is_empty()
    }

    /// Whether the router answered what was asked: it may have been asked something else since.
    fn will_do(&self, now: Mono, choice: &Choice) -> bool {
        let doubted = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.via == choice.via);
        let first = self.first.as_ref();
        let same_model = first.is_none_or(|(_, advert)| advert.model == choice.advert.model);
        let splices = choice.advert.compute.splice || self.log.is_empty();
        !doubted && same_model && splices && !self.hunt.is_ruled_out(now, choice.via)
    }

    fn give_up_if_due(&mut self, now: Mono, out: &mut Outbox) {
        let due = self.hunt.gives_up(!self.log.is_empty());
        if due.is_some_and(|due| due.at <= now) {
            self.give_up(out);
        }
    }

    /// No holder would do it: the holder said so itself.
    fn refuse(&mut self, why: Failure, out: &mut Outbox) {
        self.end_attempt(Outcome::Served, false, out);
        self.fail(why, out);
    }
}

impl Loss {
    /// Marks every sort of loss.
    fn mark(self) {
        kernel::sometimes!(matches!(self, Self::Busy(_)), "request: a holder is busy");
        kernel::sometimes!(matches!(self, Self::Failed), "request: a holder fails");
        kernel::sometimes!(
            matches!(self, Self::Broken),
            "request: a holder leaves a hole"
        );
        kernel::sometimes!(
            matches!(self, Self::Unfit),
            "request: a holder cannot do it"
        );
        kernel::sometimes!(
            matches!(self, Self::Rejected),
            "request: a holder read another prompt"
        );
        kernel::sometimes!(
            matches!(self, Self::Leaving),
            "request: a holder is leaving"
        );
        kernel::sometimes!(
            matches!(self, Self::TooSlow),
            "request: a holder waits no longer for the client"
        );
    }

    const fn ban(self) -> Ban {
        match self {
            Self::Unfit | Self::Rejected => Ban::ForGood,
            Self::Failed | Self::Broken | Self::Silent | Self::Leaving => Ban::Failed,
            Self::Busy(_) | Self::TooSlow => Ban::Busy,
        }
    }

    const fn outcome(self) -> Outcome {
        match self {
            Self::Busy(_) | Self::Leaving => Outcome::Busy,
            Self::TooSlow => Outcome::Served,
            Self::Failed | Self::Broken | Self::Silent | Self::Unfit | Self::Rejected => {
                Outcome::Failed
            }
        }
    }

    /// Whether the holder would go on.
    const fn is_unknown_to_holder(self) -> bool {
        match self {
            Self::Broken | Self::Silent | Self::Rejected => true,
            Self::Failed | Self::Busy(_) | Self::Unfit | Self::Leaving | Self::TooSlow => false,
        }
    }
}

/// How long a request may stand still, however many holders are left: three that stand still, with
/// the patience that each doubt doubles, are left in less.
const STALL_MAX: Micros = Micros::from_secs(30);
