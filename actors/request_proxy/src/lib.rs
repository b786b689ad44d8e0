//! RequestProxy: the life of one request.
//!
//! # Role
//! Finds a holder for one client request, passes on what it says, and goes on at another holder
//! when one is lost. Owns the token log and the text that was sent. Created by the gateway, ends
//! with its answer.
//!
//! # Inputs
//! `request_proxy::Input`: `Routed` from the router; `Opened` and `NotOpened` from a session;
//! `Reply` from a stream or a worker; `StreamEnded` from a stream; `Silent` from a session;
//! `Client` and `ClientGone` from the gateway. `Down` of the gateway, of the worker that serves,
//! of the stream that is read.
//!
//! # Output
//! To the router `Route` and one `Outcome` for each attempt; to a holder the job, the client's
//! flow and the cancel; to the gateway `Started` once, then `Delta`s, then exactly one `Finished`
//! or `Failed`, unless the client went away. A job carries the request's trace, under a span
//! that is the attempt's alone.
//!
//! *Routing*: no holder, the router is asked. *Opening*: a holder is asked and has said nothing.
//! *Streaming*: it has. *Doubting*: it is overdue; the router is asked for another while it may
//! still go on. *Done*: over.
//!
//! "seek" asks the router, "ask" gives a holder the job, "cancel" takes it back, "flow" passes
//! Full or Ready on; "begin", "text", "end", "fail" are Started, Delta, Finished, Failed; "quit"
//! ends in silence. `>X` is the next phase, "·" nothing, "later" before what a turn does that this
//! plans. "another" is whoever, or whatever, has no part in the attempt. Each attempt that ends
//! tells its Outcome.
//!
//! | input          | Routing | Opening       | Streaming     | Doubting      | Done   |
//! |----------------|---------|---------------|---------------|---------------|--------|
//! | Started        | seek    | ·             | ·             | ·             | ·      |
//! | routed         | ask >O  | ·             | ·             | cancel ask >O | ·      |
//! | no route       | ·       | ·             | ·             | ·             | ·      |
//! | unknown model  | fail >X | ·             | ·             | ·             | ·      |
//! | Opened         | cancel  | ·             | ·             | ·             | cancel |
//! | Opened, late   | cancel  | cancel        | cancel        | cancel        | cancel |
//! | NotOpened      | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | Accepted       | ·       | begin >S      | ·             | ·             | ·      |
//! | Tokens         | ·       | cancel seek >R | text         | text >S       | ·      |
//! | Tokens, gap    | ·       | cancel seek >R | cancel seek >R | cancel seek >R | ·    |
//! | Tokens, stop   | ·       | cancel seek >R | text cancel end >X | text cancel end >X | · |
//! | Beacon         | ·       | >S            | ·             | >S            | ·      |
//! | Beacon, still  | ·       | >S            | ·             | ·             | ·      |
//! | End            | ·       | cancel seek >R | end >X       | end >X        | ·      |
//! | Refused        | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | no context     | ·       | fail >X       | seek >R       | seek >R       | ·      |
//! | reply, late    | ·       | ·             | ·             | ·             | ·      |
//! | StreamEnded    | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | Silent         | ·       | seek >D       | seek >D       | ·             | ·      |
//! | stream down    | ·       | later seek >R | later seek >R | later seek >R | ·      |
//! | worker down    | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | gateway down   | quit >X | cancel quit >X | cancel quit >X | cancel quit >X | ·    |
//! | another down   | ·       | ·             | ·             | ·             | ·      |
//! | ClientGone     | quit >X | cancel quit >X | cancel quit >X | cancel quit >X | ·    |
//! | Full           | ·       | flow          | flow          | flow >S       | ·      |
//! | Ready          | ·       | ·             | ·             | ·             | ·      |
//! | job returned   | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | job busy       | ·       | seek >R       | seek >R       | seek >R       | ·      |
//! | seek returned  | later seek | ·             | ·             | later seek    | ·      |
//! | text returned  | fail >X | cancel fail >X | cancel fail >X | cancel fail >X | ·    |
//! | another returned | ·       | ·             | ·             | ·             | ·      |
//! | overdue        | seek    | seek >D       | seek >D       | seek          | ·      |
//! | out of time    | fail >X | cancel fail >X | cancel fail >X | cancel fail >X | ·    |
//!
//! # Invariants
//! No token twice, none missing: the log is contiguous, and text comes from logged tokens only.
//! Text that was sent never changes. Exactly one Finished or Failed, then nothing. A job that
//! resumes goes only to a holder that splices, of the same model, that came to the same prompt.
//! At most [`ATTEMPTS_MAX`] attempts that were not turned away as Busy.
//!
//! Progress is a token that was not known, or a Beacon whose steps grew since another of the same
//! attempt; nothing else that a holder says. No holder can make a request outlast its total time,
//! and each of these ends it, or takes it to another holder, sooner:
//!
//! - Resets, crashes, ends, refusals, whether accepted before or not: 16 attempts in all, and 3 s
//!   from the first time that nobody is left to ask. Only a token lets the 3 s begin anew.
//! - Silence, half a frame, Accepted again, replies of other attempts, known or empty Tokens, a
//!   Beacon that stands still: a doubt by the holder's pace, then another holder; where there is
//!   none, 10 s for the attempt and 13 s with the search and all later tries.
//! - The same at one holder after the other: 30 s without progress.
//! - Beacons that grow and never a token: another holder after 10 s, doubled with each doubt, or
//!   60 s before Accepted (a line, a long prompt). Where there is none nothing tells a liar from an
//!   honest long prompt: the total time.
//! - A token now and then: what the pace allows, at most 10 s without a Beacon that grows; with
//!   them as above. Tokens without text count against `max_tokens`; the total time.
//! - Busy: 0.9 s, or 3 s once there are tokens. Busy after a sign is an attempt.
//! - `PromptMismatch`, or Accepted with another prompt once there are tokens: that holder is out
//!   for good; 16 attempts. Accepted with another `compute` changes no time; one that gave tokens
//!   and does not splice cannot be replaced: the request is over with it, after 10 s of silence.
//! - Only while the client takes nothing none of these runs: it is the client's own time.
//!
//! # Failure
//! None of its own. Whatever a holder does wrong ends its attempt. A Delta that the gateway has no
//! room for fails the request: a hole must not pass for an answer. Where a later one arrives first,
//! its offset shows the hole to the gateway.
//!
//! # After restart
//! It is Temporary and does not restart. The gateway sees it go down and sends one clear error;
//! streams and workers see it too and drop its job.

mod attempt;
mod hunt;
mod log;
mod notices;
mod pace;
mod replies;
mod seam;
mod text;
mod tries;

use attempt::Attempt;
use hunt::Hunt;
use kernel::{Ctx, Deadline, Entropy, How, Machine, Outbox, Signal, View};
use log::Log;
use messages::ports::{gateway, stream};
use messages::request_proxy::{Failure, Input, Seed};
use messages::wire::latest::Accepted;
use messages::{Address, EndReason, Letter, ModelAdvert, Mono, Now, Text, Usage, router};
use router::Outcome;
use seam::Contributions;
use std::fmt;
use text::Pipeline;
use tries::Loss;

/// Attempts that were not turned away as Busy: a request that more holders failed has something
/// wrong with itself.
pub const ATTEMPTS_MAX: u32 = 16;

/// The life of one request. See the crate's page.
pub struct RequestProxy {
    seed: Seed,
    /// Seeds the sampling of every attempt.
    draw: u64,
    /// Draws the span of each attempt.
    entropy: Entropy,
    /// When the client's time is over. Absent before the first turn.
    total: Option<Mono>,
    done: bool,
    /// Whether the client takes no more for now.
    full: bool,
    attempt: Option<Attempt>,
    hunt: Hunt,
    /// Attempts so far: the number of the last one.
    attempts: u32,
    /// Those that count against [`ATTEMPTS_MAX`].
    counted: u32,
    /// Holders that were left in doubt.
    doubts: u32,
    /// What the first holder that accepted said, and what it serves.
    first: Option<(Accepted, ModelAdvert)>,
    log: Log,
    text: Pipeline,
    /// Since when nothing has come of it: no token, and no step of an engine.
    quiet: Mono,
    /// Bytes of text sent.
    sent: u64,
    contributions: Contributions,
}

impl RequestProxy {
    /// A request that has not begun.
    #[must_use]
    pub fn new(seed: Seed, mut ctx: Ctx) -> Self {
        Self {
            draw: seed.seed.unwrap_or_else(|| ctx.entropy.number()),
            log: Log::new(seed.max_tokens),
            text: Pipeline::new(seed.stops.iter().map(|stop| &**stop)),
            seed,
            entropy: ctx.entropy,
            total: None,
            done: false,
            full: false,
            attempt: None,
            hunt: Hunt::default(),
            attempts: 0,
            counted: 0,
            doubts: 0,
            first: None,
            quiet: Mono::default(),
            sent: 0,
            contributions: Contributions::default(),
        }
    }

    const fn phase(&self) -> &'static str {
        match &self.attempt {
            _ if self.done => "Done",
            None => "Routing",
            Some(_) if self.hunt.is_on() => "Doubting",
            Some(attempt) if attempt.has_signed() => "Streaming",
            Some(_) => "Opening",
        }
    }

    /// The answer is complete. A holder that does not know it yet is told.
    fn finish(&mut self, reason: EndReason, cancel: bool, out: &mut Outbox) {
        self.end_attempt(Outcome::Served, cancel, out);
        let prompt = self
            .first
            .as_ref()
            .map_or(0, |(accepted, _)| accepted.prompt_tokens);
        let usage = Usage {
            prompt,
            completion: self.log.len(),
        };
        let (request, seam) = (self.seed.request, self.contributions.seam());
        let finished = gateway::Command::Finished {
            request,
            reason,
            usage,
            total: self.sent,
            seam,
        };
        out.tell(Letter::Gateway(finished));
        self.stop(out);
    }

    /// The answer is complete, and no stop string ended it: what was held back goes out first.
    fn finish_whole(&mut self, reason: EndReason, cancel: bool, out: &mut Outbox) {
        let mut rest = String::new();
        self.text.finish(&mut rest);
        self.send(rest, out);
        self.finish(reason, cancel, out);
    }

    fn fail(&mut self, why: Failure, out: &mut Outbox) {
        let outcome = match self.phase() {
            "Doubting" => Outcome::Failed,
            _ => Outcome::Served,
        };
        self.end_attempt(outcome, true, out);
        let request = self.seed.request;
        out.tell(Letter::Gateway(gateway::Command::Failed { request, why }));
        self.stop(out);
    }

    /// Nobody is left to answer to.
    fn quit(&mut self, out: &mut Outbox) {
        kernel::sometimes!(true, "request: the client or its gateway is gone");
        self.end_attempt(Outcome::Served, true, out);
        self.stop(out);
    }

    fn stop(&mut self, out: &mut Outbox) {
        self.done = true;
        self.hunt.stop();
        out.stop(Address::Proxy(self.seed.request), How::Drain);
    }

    /// Sends text, if there is any.
    fn send(&mut self, text: String, out: &mut Outbox) {
        if !text.is_empty() {
            let (request, offset) = (self.seed.request, self.sent);
            self.sent += u64::try_from(text.len()).unwrap_or(0);
            let delta = gateway::Command::Delta {
                request,
                offset,
                text: Text::from(text),
            };
            out.tell(Letter::Gateway(delta));
        }
    }
}

impl Machine for RequestProxy {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), kernel::Failure> {
        let now = now.mono;
        match input {
            // A stream that nobody waits for, in every phase.
            Input::Opened { attempt, stream } if !self.is_current(attempt) => {
                out.tell(Letter::Stream(stream, stream::Command::Cancel));
            }
            _ if self.done => {}
            Input::Opened { stream, .. } => self.on_opened(now, stream, out),
            Input::Routed { attempt, choice } => self.on_routed(now, attempt, choice, out),
            Input::NotOpened { attempt, why } => {
                if self.is_current(attempt) {
                    self.on_refusal(now, why, out);
                }
            }
            Input::Reply(reply) => {
                if self.is_current(reply.attempt()) {
                    self.on_reply(now, reply, out);
                }
            }
            Input::StreamEnded { attempt } => {
                if self.is_current(attempt) {
                    self.lose(now, Loss::Failed, out);
                }
            }
            Input::Silent { attempt } => {
                if self.is_current(attempt) && !self.full && !self.hunt.is_on() {
                    self.doubt(now, out);
                }
            }
            Input::ClientGone => self.quit(out),
            Input::Client(flow) => self.on_client(now, flow, out),
        }
        Ok(())
    }

    fn signal(
        &mut self,
        now: Now,
        signal: Signal,
        out: &mut Outbox,
    ) -> Result<(), kernel::Failure> {
        let now = now.mono;
        match signal {
            _ if self.done => {}
            Signal::Started(_) if self.total.is_none() => {
                self.total = Some(now + self.seed.total);
                self.quiet = now;
                out.watch(Address::Gateway);
                self.seek(now, out);
            }
            // There is one for each life.
            Signal::Started(_) => {}
            Signal::Down { who, .. } => self.on_down(now, who, out),
            Signal::Returned { letter, why } => self.on_returned(now, *letter, why, out),
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        if self.done {
            return None;
        }
        let total = self.total.map(|at| Deadline {
            at,
            why: "the request's time is over",
        });
        let next = match &self.attempt {
            None => Deadline::earliest(
                self.hunt.asks_again(),
                self.hunt.gives_up(!self.log.is_empty()),
            ),
            Some(attempt) => {
                let own = match self.phase() {
                    _ if self.full => None,
                    "Doubting" => Deadline::earliest(
                        self.hunt.asks_again(),
                        Some(attempt.given_up(self.quiet)),
                    ),
                    _ => Some(attempt.doubted()),
                };
                let own = Deadline::earliest(own, self.stalls());
                Deadline::earliest(own, attempt.closing())
            }
        };
        Deadline::earliest(total, next)
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), kernel::Failure> {
        let now = now.mono;
        let is_due = |deadline: Option<Deadline>| deadline.is_some_and(|due| due.at <= now);
        if self.done {
            return Ok(());
        }
        if self.total.is_some_and(|at| at <= now) {
            kernel::sometimes!(true, "request: the client's time is over");
            self.fail(Failure::DeadlineExceeded, out);
            return Ok(());
        }
        let asks = is_due(self.hunt.asks_again());
        match &self.attempt {
            None if is_due(self.hunt.gives_up(!self.log.is_empty())) => {
                kernel::sometimes!(true, "request: the search takes too long");
                self.give_up(out);
            }
            None if asks => self.seek_again(now, out),
            None => {}
            Some(attempt) if attempt.is_closed(now) => self.lose(now, Loss::Failed, out),
            Some(_) if self.full => {}
            Some(_) if self.is_stalled(now) => self.lose(now, Loss::Silent, out),
            Some(attempt) if self.hunt.is_on() => {
                if attempt.is_silent(now, self.quiet) {
                    self.lose(now, Loss::Silent, out);
                } else if asks {
                    self.seek(now, out);
                }
            }
            Some(attempt) if attempt.is_overdue(now) => self.doubt(now, out),
            Some(_) => {}
        }
        Ok(())
    }

    fn view(&self) -> View {
        View {
            phase: self.phase(),
            facts: vec![
                ("attempts", self.attempts.to_string()),
                ("holders", self.contributions.holders().to_string()),
                ("tokens", self.log.len().to_string()),
                ("sent_bytes", self.sent.to_string()),
            ],
        }
    }

    fn invariants(&self) {
        if self.done {
            assert!(
                self.attempt.is_none() && !self.hunt.is_on(),
                "it goes on after its end"
            );
        } else if self.total.is_some() {
            assert!(
                self.attempt.is_some() || self.hunt.is_on(),
                "it waits for nothing"
            );
        }
        assert!(
            self.counted <= ATTEMPTS_MAX.min(self.attempts),
            "too many attempts"
        );
        assert!(
            self.log.is_empty() || self.first.is_some(),
            "tokens of nobody"
        );
        assert_eq!(
            self.log.is_empty(),
            self.contributions.holders() == 0,
            "tokens of nobody"
        );
        if let Some(attempt) = &self.attempt {
            assert_eq!(attempt.n, self.attempts, "an old attempt goes on");
            attempt.invariants();
        }
        let holders = self.contributions.holders();
        assert!(
            u32::try_from(holders).is_ok_and(|holders| holders <= ATTEMPTS_MAX),
            "more contributed than were tried"
        );
        self.log.invariants();
        self.hunt.invariants();
        self.text.invariants();
    }
}

impl fmt::Debug for RequestProxy {
    /// Its place, not what was asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestProxy")
            .field("request", &self.seed.request)
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
