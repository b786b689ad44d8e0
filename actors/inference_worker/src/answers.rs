//! The engine's side of a job: begin, step, draw, and what happens when the engine does not answer.

use crate::InferenceWorker;
use crate::engine::{Models, Phase};
use crate::jobs::{self, Entry};
use crate::neighbours::RETURNED_WAIT;
use kernel::{Outbox, ReturnReason};
use messages::limits::REASON_BYTES_MAX;
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::wire::latest::{Accepted, JobReply};
use messages::{
    Address, Digest, EndReason, JobId, Label, List, Mono, Now, Refusal, TokenBatch, TokenPiece,
};

impl InferenceWorker {
    pub(crate) fn on_event(&mut self, now: Now, event: Event, out: &mut Outbox) {
        match event {
            Event::Ready { models } => self.on_ready(now, models, out),
            Event::Failed { why } => {
                kernel::sometimes!(true, "worker: the engine fails");
                self.refuse_all(&why, out);
                self.engine.enter(Phase::Failed(why));
                self.report.urgent();
                let engine = Address::Engine(self.seed.device);
                self.again.insert(engine, now.mono + RETURNED_WAIT);
            }
            Event::Began {
                job,
                prompt,
                prompt_tokens,
            } => {
                self.engine.began(now.mono);
                self.on_began(now, job, prompt, prompt_tokens, out);
            }
            Event::Rejected { job, why } => {
                kernel::sometimes!(true, "worker: the engine rejects a job");
                self.engine.began(now.mono);
                if self.owes_nothing(job) {
                    self.refuse_job(job, why, out);
                }
            }
            Event::Stepped(parts) => {
                self.engine.answered(now.mono);
                for Stepped { job, drawn } in self.engine.stepped(parts) {
                    self.on_drawn(now, job, drawn, out);
                }
            }
            Event::Beacon { steps } => self.engine.turned(now.mono, steps),
        }
    }

    fn on_ready(&mut self, now: Now, models: Models, out: &mut Outbox) {
        self.engine.answered(now.mono);
        self.engine.enter(Phase::Ready(models));
        let engine = Address::Engine(self.seed.device);
        self.again.remove(&engine);
        out.watch(engine);
        self.report.urgent();
        let waiting: Vec<JobId> = self.queue.ids().collect();
        for id in waiting {
            let model = self.jobs.get(id).map(|entry| entry.model);
            if model.is_some_and(|model| self.engine.advert(model).is_none()) {
                kernel::sometimes!(true, "worker: a waiting job's model is gone");
                self.refuse_job(id, Refusal::NoModel, out);
            }
        }
    }

    fn on_began(
        &mut self,
        now: Now,
        id: JobId,
        prompt: Digest,
        prompt_tokens: u32,
        out: &mut Outbox,
    ) {
        let Some(entry) = self.jobs.get_mut(id) else {
            return;
        };
        if !entry.is_beginning() {
            return;
        }
        entry.phase = jobs::Phase::Running;
        if entry.expect.is_some_and(|expect| expect != prompt) {
            kernel::sometimes!(
                true,
                "worker: a prompt comes to other tokens than at the first holder"
            );
            return self.refuse_job(id, Refusal::PromptMismatch, out);
        }
        let (model, is_whole) = (entry.model, entry.position >= entry.end_at);
        let Some(compute) = self.engine.advert(model).map(|advert| advert.compute) else {
            return self.refuse_job(id, Refusal::NoModel, out);
        };
        let attempt = id.attempt;
        let accepted = Accepted {
            attempt,
            prompt,
            prompt_tokens,
            compute,
        };
        self.reply(now, id, JobReply::Accepted(accepted), out);
        if is_whole {
            // No token was asked for: the prompt's length is the answer.
            self.end_job(id, EndReason::Length, out);
        }
    }

    fn on_drawn(&mut self, now: Now, id: JobId, drawn: Drawn, out: &mut Outbox) {
        match drawn {
            Drawn::Token(piece) => self.on_token(now, id, piece, out),
            Drawn::End(reason) => self.end_job(id, reason, out),
            Drawn::Failed(why) => self.refuse_job(id, why, out),
        }
    }

    fn on_token(&mut self, now: Now, id: JobId, piece: TokenPiece, out: &mut Outbox) {
        let Some(entry) = self.jobs.get_mut(id) else {
            return;
        };
        let first = entry.position;
        entry.position += 1;
        let whole = entry.position >= entry.end_at;
        let tokens = List::truncated([piece]);
        let batch = TokenBatch {
            attempt: id.attempt,
            first,
            tokens,
        };
        self.reply(now, id, JobReply::Tokens(batch), out);
        if whole {
            self.end_job(id, EndReason::Length, out);
        }
    }

    /// Gives free slots to those whose turn it is.
    pub(crate) fn fill_slots(&mut self, now: Now, out: &mut Outbox) {
        while self.load().active < self.seed.slots {
            let Some(id) = self.queue.pop() else { break };
            self.expect_answer(now);
            let Some(entry) = self.jobs.get_mut(id) else {
                continue;
            };
            match std::mem::replace(&mut entry.phase, jobs::Phase::Beginning) {
                jobs::Phase::Queued(job) => self.command(Command::Begin(job), out),
                other @ (jobs::Phase::Beginning | jobs::Phase::Running) => entry.phase = other,
            }
        }
    }

    /// Asks for the next token of every job that can take one. Where a prompt was given up and no
    /// other command is to be answered, a step of no job asks whether the engine still works.
    pub(crate) fn step(&mut self, now: Now, out: &mut Outbox) {
        if self.engine.is_stepping() {
            return;
        }
        let ids = self.jobs.ids(Entry::is_steppable);
        let asks = self.engine.is_forsaken() && !self.is_beginning();
        if ids.is_empty() && !asks {
            return;
        }
        self.expect_answer(now);
        let ahead = self.jobs.iter().filter(|(_, entry)| entry.is_beginning());
        let ahead = ahead.count();
        self.engine.step(now.mono, &ids, ahead);
        self.command(Command::Step(ids), out);
    }

    /// The engine's silence counts from the first command that it owes an answer to.
    fn expect_answer(&mut self, now: Now) {
        if self.silent_at().is_none() {
            self.engine.asked(now.mono);
        }
    }

    /// When the engine is taken for dead, where it owes an answer.
    pub(crate) fn silent_at(&self) -> Option<Mono> {
        self.engine.silent_at(self.is_beginning())
    }

    /// Whether the engine reads a prompt that is wanted.
    fn is_beginning(&self) -> bool {
        self.jobs.iter().any(|(_, entry)| entry.is_beginning())
    }

    /// Marks a job's prompt as answered, or never asked for. Whether the engine was to have it.
    fn owes_nothing(&mut self, id: JobId) -> bool {
        let entry = self.jobs.get_mut(id).filter(|entry| entry.is_begun());
        entry.is_some_and(|entry| {
            entry.phase = jobs::Phase::Running;
            true
        })
    }

    pub(crate) fn on_silence(&mut self, now: Now, out: &mut Outbox) {
        kernel::sometimes!(true, "worker: the engine is silent");
        self.give_up_engine(Label::truncated("the engine does not answer"), out);
        self.attach_engine(now, out);
    }

    /// A command found no room, or nobody: the engine is stuck or gone.
    pub(crate) fn on_command_returned(
        &mut self,
        now: Now,
        command: Command,
        reason: ReturnReason,
        out: &mut Outbox,
    ) {
        let engine = Address::Engine(self.seed.device);
        let why = Label::truncated("the engine takes no commands");
        match command {
            Command::Begin(job) => {
                let begins = self.jobs.get(job.id).is_some_and(Entry::is_beginning);
                if begins && self.owes_nothing(job.id) {
                    self.refuse_job(job.id, Refusal::EngineFailed(why), out);
                }
            }
            Command::Step(_) if self.engine.is_stepping() => {
                self.give_up_engine(why, out);
                self.again.insert(engine, now.mono + RETURNED_WAIT);
            }
            Command::Attach if is_full(reason) && self.engine.models().is_none() => {
                self.again.insert(engine, now.mono + RETURNED_WAIT);
            }
            // Where there is no engine, its Down says when to ask again. An engine that missed an
            // End forgets the job at the next Attach.
            Command::Step(_) | Command::Attach | Command::End(_) => {}
        }
    }

    /// All jobs are over, and the engine is told so in case it lives.
    fn give_up_engine(&mut self, why: Label<REASON_BYTES_MAX>, out: &mut Outbox) {
        for id in self.jobs.ids(|_| true) {
            self.refuse_job(id, Refusal::EngineFailed(why.clone()), out);
        }
        self.engine.enter(Phase::Failed(why));
        self.report.urgent();
    }
}

/// Whether the letter found no room, rather than nobody.
const fn is_full(reason: ReturnReason) -> bool {
    match reason {
        ReturnReason::Busy | ReturnReason::ParkFull => true,
        ReturnReason::NoActor | ReturnReason::StartFailed => false,
    }
}
