//! The loop: commands first, then one part of one prompt.

use super::job::Running;
use super::llama::{self, Place};
use super::model::{Model, digest, place};
use super::pulse::Pulse;
use crate::protocol::{FromChild, Setup, ToChild};
use messages::limits::REASON_BYTES_MAX;
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{EndReason, Job, JobId, Label, Refusal};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

/// All that the process serves.
#[derive(Debug)]
pub(super) struct Engine {
    models: Vec<Model>,
    jobs: BTreeMap<JobId, Running>,
    /// Jobs whose prompt is being read, the first one first.
    reading: VecDeque<JobId>,
    chunk: usize,
    exact: bool,
    pulse: Arc<Pulse>,
}

impl Engine {
    /// Loads all models and draws one token of each.
    pub(super) fn load(setup: &Setup, pulse: &Arc<Pulse>) -> Result<Self, String> {
        llama::start();
        let models = setup
            .models
            .iter()
            .map(|model| {
                Model::load(model, setup, pulse).map_err(|why| format!("{}: {why}", &*model.path))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            models,
            jobs: BTreeMap::new(),
            reading: VecDeque::new(),
            chunk: usize::try_from(setup.chunk).unwrap_or(1).max(1),
            exact: setup.exact,
            pulse: Arc::clone(pulse),
        })
    }

    /// Serves until nobody can command any more.
    pub(super) fn run(&mut self, commands: &Receiver<ToChild>) {
        loop {
            let next = if self.reading.is_empty() {
                commands.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                commands.try_recv()
            };
            match next {
                Ok(ToChild::Command(command)) => self.on_command(command),
                Ok(ToChild::Load(_)) => super::sandbox::log("a second Load is ignored"),
                Err(TryRecvError::Empty) => self.read_on(),
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Begin(job) => {
                if let Err(why) = self.begin(&job) {
                    self.send(Event::Rejected { job: job.id, why });
                }
            }
            Command::Step(jobs) => {
                let stepped = self.step(&jobs);
                self.pulse.beat();
                self.send(Event::Stepped(stepped));
                // A prompt is read on though steps follow each other without a gap.
                self.read_on();
            }
            Command::End(job) => self.end(job),
            // The parent answers it.
            Command::Attach => {}
        }
    }

    fn begin(&mut self, job: &Job) -> Result<(), Refusal> {
        self.end(job.id);
        let chunk = self.chunk;
        let found = self
            .models
            .iter_mut()
            .enumerate()
            .find(|(_, model)| model.id == job.model);
        let (index, model) = found.ok_or(Refusal::NoModel)?;
        let mut tokens = model.prompt(job)?;
        let prompt = tokens.len();
        let prompt_tokens = u32::try_from(prompt).unwrap_or(u32::MAX);
        if prompt_tokens >= model.context {
            let context = model.context;
            return Err(Refusal::ContextExceeded {
                context,
                prompt: prompt_tokens,
            });
        }
        let digest = digest(&tokens);
        if job.expect.is_some_and(|expected| expected != digest) {
            return Err(Refusal::PromptMismatch);
        }
        tokens.extend(model.resumed(job)?);
        if u32::try_from(tokens.len()).is_ok_and(|length| length > model.context) {
            let context = model.context;
            return Err(Refusal::ContextExceeded {
                context,
                prompt: prompt_tokens,
            });
        }
        let slot = model.take_slot(job.tenant, &tokens[..prompt], chunk)?;
        let read = slot.1;
        let sampling = job.sampling;
        let running = Running {
            model: index,
            slot: slot.0,
            tokens,
            prompt,
            read,
            digest,
            sampling,
            ended: false,
        };
        self.jobs.insert(job.id, running);
        self.reading.push_back(job.id);
        self.read_on();
        Ok(())
    }

    /// Reads one part of the first prompt that is not read yet.
    fn read_on(&mut self) {
        let Some(id) = self.reading.pop_front() else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(model) = self.models.get_mut(job.model) else {
            return;
        };
        for _ in 0..PARTS_AT_ONCE {
            let Some(part) = job.next_part(self.chunk, self.exact) else {
                break;
            };
            if let Err(why) = model.read(job, part, self.chunk) {
                self.end(id);
                return self.send(Event::Rejected {
                    job: id,
                    why: failed(&why),
                });
            }
            self.pulse.beat();
            // A whole chunk takes long: others have their turn.
            if part.to - part.from > 1 {
                break;
            }
        }
        if job.next_part(self.chunk, self.exact).is_some() {
            return self.reading.push_back(id);
        }
        let prompt_tokens = u32::try_from(job.prompt).unwrap_or(u32::MAX);
        let event = Event::Began {
            job: id,
            prompt: job.digest,
            prompt_tokens,
        };
        self.send(event);
    }

    /// Draws the next token of each job.
    fn step(&mut self, ids: &[JobId]) -> Vec<Stepped> {
        let ready = |id: &JobId| {
            let job = self.jobs.get(id)?;
            let read = job.next_part(self.chunk, self.exact).is_none();
            (read && !job.ended && !self.is_full(job)).then_some(job.model)
        };
        let mut groups: Vec<(usize, Vec<JobId>)> = Vec::new();
        for id in ids {
            let Some(model) = ready(id) else { continue };
            match groups
                .iter_mut()
                .find(|(of, _)| !self.exact && *of == model)
            {
                Some((_, group)) if !group.contains(id) => group.push(*id),
                Some(_) => {}
                None => groups.push((model, vec![*id])),
            }
        }
        let mut drawn: BTreeMap<JobId, Drawn> = BTreeMap::new();
        for (model, group) in groups {
            if group.iter().any(|id| drawn.contains_key(id)) {
                continue;
            }
            drawn.extend(self.step_group(model, &group));
        }
        let of = |id: &JobId| drawn.get(id).cloned().unwrap_or_else(|| self.idle(id));
        ids.iter()
            .map(|id| Stepped {
                job: *id,
                drawn: of(id),
            })
            .collect()
    }

    /// What a step says of a job that it does not compute.
    fn idle(&self, id: &JobId) -> Drawn {
        match self.jobs.get(id) {
            Some(job) if job.ended => Drawn::End(EndReason::Stop),
            Some(job) if self.is_full(job) => Drawn::End(EndReason::Length),
            Some(_) | None => Drawn::Failed(failed("the job was not begun at this engine")),
        }
    }

    /// Whether prompt and answer fill the context.
    fn is_full(&self, job: &Running) -> bool {
        let context = self.models.get(job.model).map_or(0, |model| model.context);
        u32::try_from(job.tokens.len()).is_ok_and(|length| length >= context)
    }

    /// One computation for jobs of one model.
    fn step_group(&mut self, model: usize, ids: &[JobId]) -> Vec<(JobId, Drawn)> {
        let Some(model) = self.models.get_mut(model) else {
            return Vec::new();
        };
        let places: Vec<Place> = ids
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .filter_map(|job| place(job, job.tokens.len() - 1))
            .collect();
        if let Err(why) = model.llama.decode(&places, true) {
            return ids
                .iter()
                .map(|id| (*id, Drawn::Failed(failed(&why))))
                .collect();
        }
        ids.iter()
            .enumerate()
            .filter_map(|(row, id)| {
                let job = self.jobs.get_mut(id)?;
                job.read += 1;
                Some((*id, model.draw(job, row)))
            })
            .collect()
    }

    /// Forgets a job. What its slot has read of the prompt stays for the same tenant.
    fn end(&mut self, id: JobId) {
        self.reading.retain(|waiting| *waiting != id);
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        let slot = self.models.get_mut(job.model).map(|model| &mut model.slots);
        let slot = slot.and_then(|slots| slots.get_mut(usize::try_from(job.slot).ok()?));
        if let Some(slot) = slot {
            slot.busy = false;
            let whole = job.read.min(job.prompt.saturating_sub(1)) / self.chunk * self.chunk;
            slot.prefix = job.tokens;
            slot.prefix.truncate(whole);
        }
    }

    fn send(&self, event: Event) {
        self.pulse.send(&FromChild::Event(event));
    }
}

pub(super) fn failed(why: &str) -> Refusal {
    Refusal::EngineFailed(Label::<REASON_BYTES_MAX>::truncated(why))
}

/// Single tokens that are read before commands are looked at: some milliseconds of a small model.
const PARTS_AT_ONCE: usize = 16;
