//! InferenceWorker: the jobs of one device.
//!
//! # Role
//! Decides which jobs the device's engine works on: takes a job or refuses it at once, lets jobs
//! wait in a queue that is fair to their origins, steps those that run together, and keeps every
//! token's position. One per device; it never asks a session or the engine about a job's past.
//!
//! # Inputs
//! `inference_worker::Input`: jobs from sessions and requests, flow and cancel from sinks, events
//! of the engine, `Attach` from rosters, `Drain` from the node. Signals: Down of the engine, of a
//! sink, of the router, of the observer; letters that came back.
//!
//! # Output
//! To the sink, in this order: `Accepted`, `Tokens` without gaps from position `resume.len()`,
//! `Beacon` at most 400 ms after whatever was sent last, then once `End` or `Refused`. A job of no
//! tokens ends behind `Accepted`. To the engine: `Attach`, `Begin`, `Step` (one at a time), `End`.
//! To router, rosters and observer: what
//! the device serves and how busy it is.
//!
//! A job waits for its slot (queued), for the engine to read its prompt (beginning), or for its
//! next token (running). In the tables, a word is a letter: `begin`, `step`, `end`, `attach` to the
//! engine; `accepted`, `tokens`, `done`, `beacon` to the sink, and its refusals `busy`, `failed`,
//! `draining`, `slow`, `mismatch`, `unsupported`; `local` to the router; `models`, `load` to a
//! roster, `fact` to the observer, which is left out but in its own rows. `later` is before what a
//! turn does that this plans. A neighbour is absent where it is not there or cannot be started; a
//! roster is lost where it is gone, and busy where it had no room. Each cell holds for a sink of a
//! peer and for one of this node. A life begins with started, and with it alone. Without a job:
//!
//! | input | loading | failed | idle |
//! |---|---|---|---|
//! | started | attach local | attach local | attach local |
//! | job | busy | failed | begin local |
//! | same job again | busy | failed | begin local |
//! | newer try | busy | failed | begin local |
//! | sink full | - | - | - |
//! | sink ready | - | - | - |
//! | cancel | - | - | - |
//! | attach | models load | models load | models load |
//! | drain | local | local | local |
//! | ready | local | local | local |
//! | engine failed | local | local | local |
//! | began | - | - | - |
//! | began otherwise | - | - | - |
//! | rejected | - | - | - |
//! | drew a token | - | - | - |
//! | drew the end | - | - | - |
//! | could not draw | - | - | - |
//! | engine beacon | - | - | - |
//! | sink down | - | - | - |
//! | engine down | attach local | attach local | attach local |
//! | engine absent | local later attach | local later attach | local later attach |
//! | router down | local | local | local |
//! | router absent | later local | later local | later local |
//! | observer down | fact | fact | fact |
//! | observer absent | later fact | later fact | later fact |
//! | another down | - | - | - |
//! | reply busy | - | - | - |
//! | reply lost | - | - | - |
//! | begin returned | - | - | - |
//! | step returned | - | - | - |
//! | attach returned | later attach | later attach | - |
//! | roster busy | later models load | later models load | later models load |
//! | roster lost | - | - | - |
//! | router returned | later local | later local | later local |
//! | observer returned | later fact | later fact | later fact |
//! | another returned | - | - | - |
//! | 400 ms | - | - | - |
//! | 31 s | attach | attach | - |
//!
//! With a job, of a device with one slot. A queued one waits behind another job that runs; the
//! running ones have a step outstanding; leaving is running after `Drain`:
//!
//! | input | queued | beginning |
//! |---|---|---|
//! | started | attach local | attach local |
//! | job | local | local |
//! | same job again | - | - |
//! | newer try | - | end begin |
//! | sink full | - | - |
//! | sink ready | - | - |
//! | cancel | local | end step local |
//! | attach | models load | models load |
//! | drain | draining local | local |
//! | ready | local | local |
//! | engine failed | failed failed local | failed local |
//! | began | - | accepted step |
//! | began otherwise | - | mismatch end local |
//! | rejected | - | unsupported end local |
//! | drew a token | - | - |
//! | drew the end | - | - |
//! | could not draw | - | - |
//! | engine beacon | - | - |
//! | sink down | local | end step local |
//! | engine down | failed failed attach local | failed attach local |
//! | engine absent | failed failed local later attach | failed local later attach |
//! | router down | local | local |
//! | router absent | later local | later local |
//! | observer down | fact | fact |
//! | observer absent | later fact | later fact |
//! | another down | - | - |
//! | reply busy | slow local | slow end step local |
//! | reply lost | local | end step local |
//! | begin returned | - | failed end local |
//! | step returned | failed failed end local | - |
//! | attach returned | - | - |
//! | roster busy | later models load | later models load |
//! | roster lost | - | - |
//! | router returned | later local | later local |
//! | observer returned | later fact | later fact |
//! | another returned | - | - |
//! | 400 ms | beacon beacon | beacon |
//! | 31 s | failed failed end attach local | failed end attach local |
//!
//! And while it decodes:
//!
//! | input | running | leaving |
//! |---|---|---|
//! | started | attach local | attach local |
//! | job | local | draining |
//! | same job again | - | - |
//! | newer try | end begin | end draining local |
//! | sink full | - | - |
//! | sink ready | - | - |
//! | cancel | end local | end local |
//! | attach | models load | models load |
//! | drain | local | - |
//! | ready | local | local |
//! | engine failed | failed local | failed local |
//! | began | - | - |
//! | began otherwise | - | - |
//! | rejected | unsupported end local | unsupported end local |
//! | drew a token | tokens step | tokens step |
//! | drew the end | done end local | done end local |
//! | could not draw | unsupported end local | unsupported end local |
//! | engine beacon | - | - |
//! | sink down | end local | end local |
//! | engine down | failed attach local | failed attach local |
//! | engine absent | failed local later attach | failed local later attach |
//! | router down | local | local |
//! | router absent | later local | later local |
//! | observer down | fact | fact |
//! | observer absent | later fact | later fact |
//! | another down | - | - |
//! | reply busy | slow end local | slow end local |
//! | reply lost | end local | end local |
//! | begin returned | - | - |
//! | step returned | failed end local | failed end local |
//! | attach returned | - | - |
//! | roster busy | later models load | later models load |
//! | roster lost | - | - |
//! | router returned | later local | later local |
//! | observer returned | later fact | later fact |
//! | another returned | - | - |
//! | 400 ms | beacon | beacon |
//! | 31 s | failed end attach local | failed end attach local |
//!
//! # Invariants
//! Jobs that the engine knows <= slots; jobs that wait <= `queue_max`; jobs of one origin <=
//! `per_origin_max`. The last places of the queue are for origins of which nothing waits. One step
//! outstanding. A sink carries one job, and a hole never reaches it: a reply that came back ends
//! the job. There is no job while the engine is not ready. A prompt that was given up is still
//! owed: a step of no job asks for a sign where nothing else does.
//!
//! # Failure
//! None of its own: a broken sink costs its job, a broken engine costs all jobs, each refused with
//! the reason, and the engine is attached again.
//!
//! # After restart
//! Jobs are lost: streams and requests watch the worker, end them, and try elsewhere. Models come
//! from the engine's answer to `Attach`, which also makes it forget old jobs; networks from
//! rosters, which attach again; router and observer are told anew.

mod admission;
mod answers;
mod engine;
mod jobs;
mod neighbours;
mod queue;
mod report;

#[cfg(test)]
mod tests;

use engine::{Engine, Models, Phase};
use jobs::Jobs;
use kernel::{Ctx, Deadline, Failure, Machine, Outbox, Signal, View};
use messages::inference_worker::{Input, Seed};
use messages::observer::DeviceFact;
use messages::ports::engine::Command;
use messages::wire::latest::Load;
use messages::{Address, Label, Letter, Mono, Now};
use queue::Queue;
use report::Report;
use std::collections::BTreeMap;

/// The jobs of one device.
#[derive(Debug)]
pub struct InferenceWorker {
    seed: Seed,
    engine: Engine,
    jobs: Jobs,
    queue: Queue,
    report: Report,
    /// When a neighbour is watched and told again: the engine, router, observer and rosters.
    again: BTreeMap<Address, Mono>,
    draining: bool,
    finished: u64,
}

impl InferenceWorker {
    /// A worker that has not begun. It draws nothing and signs nothing.
    #[must_use]
    pub fn new(seed: Seed, _ctx: Ctx) -> Self {
        let seed = Seed {
            slots: seed.slots.clamp(1, SLOTS_MAX),
            queue_max: seed.queue_max.min(QUEUE_MAX),
            ..seed
        };
        Self {
            seed,
            engine: Engine::new(),
            jobs: Jobs::default(),
            queue: Queue::default(),
            report: Report::default(),
            again: BTreeMap::new(),
            draining: false,
            finished: 0,
        }
    }

    /// Brings engine and neighbours up to date after every turn.
    fn settle(&mut self, now: Now, out: &mut Outbox) {
        self.fill_slots(now, out);
        self.step(now, out);
        let (load, finished) = (self.load(), self.finished);
        let whose = (self.seed.me, self.seed.device);
        let mut report = std::mem::take(&mut self.report);
        report.tell(now.mono, whose, (load, finished), || self.fact(), out);
        self.report = report;
    }

    fn load(&self) -> Load {
        let count = |jobs: usize| u32::try_from(jobs).unwrap_or(u32::MAX);
        Load {
            active: count(self.jobs.len() - self.queue.len()),
            queued: count(self.queue.len()),
            slots: self.seed.slots,
            queue_max: self.seed.queue_max,
        }
    }

    /// What new jobs may ask for: nothing while the device leaves.
    fn served(&self) -> Models {
        match self.engine.models() {
            Some(models) if !self.draining => models.clone(),
            Some(_) | None => Models::new(),
        }
    }

    fn fact(&self) -> DeviceFact {
        let why_not = match &self.engine.phase {
            _ if self.draining => Some(Label::truncated("the node is leaving")),
            Phase::Loading => Some(Label::truncated("loading")),
            Phase::Failed(why) => Some(why.clone()),
            Phase::Ready(_) => None,
        };
        DeviceFact {
            ready: why_not.is_none(),
            why_not,
            models: self.served(),
            load: self.load(),
            finished: self.finished,
        }
    }

    fn command(&self, command: Command, out: &mut Outbox) {
        out.tell(Letter::Engine(self.seed.device, command));
    }

    const fn phase_name(&self) -> &'static str {
        match &self.engine.phase {
            _ if self.draining => "draining",
            Phase::Loading => "loading",
            Phase::Failed(_) => "failed",
            Phase::Ready(_) => "ready",
        }
    }
}

impl Machine for InferenceWorker {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        match input {
            Input::Job { sink, job } => self.on_job(now, sink, job, out),
            Input::Sink { sink, flow } => self.on_flow(now, sink, flow),
            Input::Cancel { sink, attempt } => self.on_cancel(sink, attempt, out),
            Input::Attach(network) => {
                if self.report.attach(network) {
                    self.resume_with(now, Address::Roster(network), out);
                }
            }
            Input::Engine(event) => self.on_event(now, event, out),
            Input::Drain => self.on_drain(out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => self.on_started(now, out),
            Signal::Down { who, why, .. } => self.on_down(now, who, &why, out),
            Signal::Returned { letter, why } => self.on_returned(now, *letter, why, out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let silent = self.silent_at().map(|at| (at, "the engine is silent"));
        let again = self
            .again
            .values()
            .min()
            .map(|at| (*at, "a neighbour is told again"));
        let report = self
            .report
            .due(self.load(), self.finished)
            .map(|at| (at, "load is told"));
        let due = [silent, again, report, self.jobs.due()]
            .into_iter()
            .flatten()
            .min();
        due.map(|(at, why)| Deadline { at, why })
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        if self.silent_at().is_some_and(|at| at <= now.mono) {
            self.on_silence(now, out);
        }
        self.shed_slow(now, out);
        self.beacon(now, out);
        let due = self.again.iter().filter(|(_, at)| **at <= now.mono);
        let due: Vec<Address> = due.map(|(who, _)| *who).collect();
        for who in due {
            self.resume_with(now, who, out);
        }
        self.settle(now, out);
        Ok(())
    }

    fn view(&self) -> View {
        let load = self.load();
        let facts = vec![
            ("active", load.active.to_string()),
            ("queued", load.queued.to_string()),
            ("slots", load.slots.to_string()),
            ("finished", self.finished.to_string()),
            ("progress", self.engine.progress().to_string()),
        ];
        View {
            phase: self.phase_name(),
            facts,
        }
    }

    fn invariants(&self) {
        self.jobs.invariants();
        self.report.invariants();
        let load = self.load();
        assert!(load.active <= self.seed.slots, "more jobs than slots");
        assert!(
            load.queued <= self.seed.queue_max,
            "more jobs wait than may"
        );
        let waiting = self
            .jobs
            .iter()
            .filter(|(_, entry)| !entry.is_begun())
            .count();
        assert_eq!(waiting, self.queue.len(), "the queue and the jobs disagree");
        for id in self.queue.ids() {
            assert!(
                self.jobs.get(id).is_some_and(|entry| !entry.is_begun()),
                "a ghost waits"
            );
        }
        for (id, entry) in self.jobs.iter() {
            let most = usize::try_from(self.seed.per_origin_max).unwrap_or(usize::MAX);
            assert!(
                self.jobs.of_origin(id.origin) <= most,
                "too many jobs of one origin"
            );
            // One of no tokens is whole as soon as its prompt was read.
            let unread = entry.position == 0 && !entry.is_running();
            assert!(
                unread || entry.position < entry.end_at,
                "an answer is too long"
            );
        }
        for id in self.engine.wanted() {
            assert!(
                self.jobs.get(id).is_some_and(jobs::Entry::is_begun),
                "a ghost is stepped"
            );
        }
        let serves = self.engine.models().is_some();
        assert!(serves || self.jobs.len() == 0, "a job without an engine");
        assert!(self.again.len() <= AGAIN_MAX, "too many neighbours");
    }
}

/// Jobs that one device may decode at once: twice what the widest engine, the scripted one, has, so
/// that a thousand streams of each of two nodes run side by side.
const SLOTS_MAX: u32 = 4_096;
/// Jobs that may wait at one device: each holds a prompt in memory.
const QUEUE_MAX: u32 = 4_096;
/// Neighbours that are told again later: engine, router, observer and each network's roster.
const AGAIN_MAX: usize = 3 + 64;
