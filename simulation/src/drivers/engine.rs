//! An engine whose tokens are scripted and whose time is configured.
//!
//! It fails as engines do: it takes commands and answers nothing, stands still for a while, reads
//! prompts slowly, or loses its process and has to load again.

use super::DriverOut;
use crate::event::{Occurrence, Time};
use kernel::{Exit, scripted};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{
    Address, DeviceId, EndReason, Job, JobId, Label, Letter, List, Micros, Refusal,
    inference_worker,
};
use std::collections::BTreeMap;

/// Time between two signs of an engine that reads a long prompt: a chunk of it.
const CHUNK_US: u64 = 250_000;
/// How the loss of an engine's process is reported.
const PROCESS_LOST: &str = "the engine's process was killed";

/// What is wrong with an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFault {
    /// Nothing: it is as it was built.
    None,
    /// It takes commands and answers nothing, until it is restarted or well again.
    Wedge,
    /// Its process ends: its jobs are lost, and it is started and loaded again.
    Crash,
    /// It stands still for this long, and then goes on.
    Stall(Micros),
    /// From now on it takes this long to read a prompt, and says so as it goes.
    SlowPrefill(Micros),
}

/// What a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Time of a decode step.
    pub(crate) step_us: u64,
    /// Time to read a prompt.
    pub(crate) prefill_us: u64,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            step_us: 20_000,
            prefill_us: 0,
        }
    }
}

/// The engine of one device, in one of its lives.
#[derive(Debug)]
pub(crate) struct Engine {
    id: DeviceId,
    device: Device,
    /// From when on it can serve.
    loaded: Time,
    /// Names what is under way. No two lives use the same numbers.
    ticks: u64,
    under_way: BTreeMap<u64, Work>,
    /// Chunks and steps that are done.
    chunks: u64,
    jobs: BTreeMap<JobId, Progress>,
    /// Until when it stands still, and what it was told meanwhile.
    still: Option<(Time, Vec<Command>)>,
    /// Accepts commands and answers nothing.
    pub(crate) wedged: bool,
    /// Tokens drawn since it started.
    pub(crate) drawn: u64,
}

#[derive(Clone, Debug)]
enum Work {
    Load,
    Step(Vec<JobId>),
    /// A prompt, and the time that it takes still.
    Read(Box<Job>, u64),
    /// The end of a stall.
    Resume,
}

#[derive(Debug)]
struct Progress {
    seed: u64,
    position: u32,
    open_ended: bool,
}

impl Engine {
    pub(crate) const fn new(id: DeviceId, device: Device, loaded: Time, life: u64) -> Self {
        Self {
            id,
            device,
            loaded,
            ticks: life << 32,
            under_way: BTreeMap::new(),
            chunks: 0,
            jobs: BTreeMap::new(),
            still: None,
            wedged: false,
            drawn: 0,
        }
    }

    pub(crate) fn command(&mut self, now: Time, command: Command, out: &mut DriverOut) {
        if let Some((_, told)) = &mut self.still {
            return told.push(command);
        }
        match command {
            Command::Attach => {
                self.jobs.clear();
                self.under_way.clear();
                self.start(self.loaded.saturating_sub(now), Work::Load, out);
            }
            Command::Begin(job) => self.begin(job, out),
            Command::Step(jobs) => self.later(self.device.step_us, Work::Step(jobs), out),
            Command::End(job) => {
                self.jobs.remove(&job);
            }
        }
    }

    pub(crate) fn fault(&mut self, now: Time, fault: EngineFault, out: &mut DriverOut) {
        match fault {
            EngineFault::None => self.wedged = false,
            EngineFault::Wedge => self.wedged = true,
            EngineFault::SlowPrefill(_) => {}
            EngineFault::Stall(span) => {
                let until = now + span.0;
                let (still, _) = self.still.get_or_insert_default();
                *still = until.max(*still);
                self.later(span.0, Work::Resume, out);
            }
            EngineFault::Crash => {
                self.jobs.clear();
                let why = Label::truncated(PROCESS_LOST);
                self.event(Event::Failed { why }, out);
                let exit = Exit::Failed(PROCESS_LOST.to_owned());
                out.leaves_down.push((Address::Engine(self.id), exit));
            }
        }
    }

    /// The device is another one, in a way.
    pub(crate) const fn set_device(&mut self, device: Device) {
        self.device = device;
    }

    /// The time of something is over.
    pub(crate) fn tick(&mut self, now: Time, tick: u64, out: &mut DriverOut) {
        let Some(work) = self.under_way.remove(&tick) else {
            return;
        };
        if let Some((until, _)) = &self.still
            && now < *until
        {
            return self.later(until - now, work, out);
        }
        for command in self.still.take().map(|(_, told)| told).unwrap_or_default() {
            self.command(now, command, out);
        }
        self.done(work, out);
    }

    /// Jobs that it holds.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Commands that wait while it stands still.
    pub(crate) fn untold(&self) -> usize {
        self.still.as_ref().map_or(0, |(_, told)| told.len())
    }

    /// Whether nothing is under way.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Work that may take no time at all.
    fn start(&mut self, span: u64, work: Work, out: &mut DriverOut) {
        match span {
            0 => self.done(work, out),
            span => self.later(span, work, out),
        }
    }

    fn later(&mut self, span: u64, work: Work, out: &mut DriverOut) {
        self.ticks += 1;
        self.under_way.insert(self.ticks, work);
        out.later
            .push((span, Occurrence::Engine(self.id, self.ticks)));
    }

    fn done(&mut self, work: Work, out: &mut DriverOut) {
        match work {
            Work::Load => {
                let models = List::truncated([scripted::advert()]);
                self.event(Event::Ready { models }, out);
            }
            Work::Step(jobs) => {
                self.chunks += 1;
                let stepped = jobs.into_iter().map(|job| self.draw(job)).collect();
                self.event(Event::Stepped(stepped), out);
            }
            Work::Read(job, left) => self.read(job, left, out),
            Work::Resume => {}
        }
    }

    fn draw(&mut self, job: JobId) -> Stepped {
        let Some(progress) = self.jobs.get_mut(&job) else {
            // Ended while the step ran: the worker ignores what is said of it.
            return Stepped {
                job,
                drawn: Drawn::End(EndReason::Stop),
            };
        };
        let end = if progress.open_ended {
            scripted::ANSWER_TOKENS
        } else {
            scripted::CONTEXT_TOKENS
        };
        if progress.position >= end {
            return Stepped {
                job,
                drawn: Drawn::End(EndReason::Stop),
            };
        }
        let token = scripted::token(progress.seed, progress.position);
        progress.position += 1;
        self.drawn += 1;
        Stepped {
            job,
            drawn: Drawn::Token(token),
        }
    }

    fn begin(&mut self, job: Box<Job>, out: &mut DriverOut) {
        let prompt = u32::try_from(job.prompt.len() / scripted::BYTES_PER_TOKEN);
        let prompt = prompt.unwrap_or(u32::MAX);
        let context = scripted::CONTEXT_TOKENS;
        if prompt >= context {
            let why = Refusal::ContextExceeded { context, prompt };
            return self.event(Event::Rejected { job: job.id, why }, out);
        }
        let position = u32::try_from(job.resume.len()).unwrap_or(u32::MAX);
        let open_ended = job.max_tokens.is_none();
        let progress = Progress {
            seed: job.sampling.seed,
            position,
            open_ended,
        };
        self.jobs.insert(job.id, progress);
        let left = self.device.prefill_us;
        let chunk = left.min(CHUNK_US);
        self.start(chunk, Work::Read(job, left - chunk), out);
    }

    /// A chunk of a prompt is read. One that nobody wants any more is dropped.
    fn read(&mut self, job: Box<Job>, left: u64, out: &mut DriverOut) {
        if !self.jobs.contains_key(&job.id) {
            return;
        }
        if left > 0 {
            self.chunks += 1;
            let steps = self.chunks;
            self.event(Event::Beacon { steps }, out);
            let chunk = left.min(CHUNK_US);
            return self.later(chunk, Work::Read(job, left - chunk), out);
        }
        let (prompt, prompt_tokens) = scripted::prompt(&job.prompt);
        let began = Event::Began {
            job: job.id,
            prompt,
            prompt_tokens,
        };
        self.event(began, out);
    }

    fn event(&self, event: Event, out: &mut DriverOut) {
        if !self.wedged {
            let input = inference_worker::Input::Engine(event);
            let from = Address::Engine(self.id);
            out.tell(from, Letter::Worker(self.id, input));
        }
    }
}
