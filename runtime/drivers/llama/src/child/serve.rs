//! The loop: commands first, then one part of one prompt.

use super::job::{Part, Running, Slot};
use super::llama::{self, Llama, Place, Shape};
use super::prompt::{Marks, Specials};
use super::pulse::Pulse;
use super::template::Template;
use crate::protocol::{FromChild, ModelSetup, Setup, ToChild};
use crate::sampling::{Draw, sample};
use messages::limits::REASON_BYTES_MAX;
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{
    Digest, EndReason, Job, JobId, Label, ModelId, Prompt, Refusal, Role, TokenId, TokenPiece,
};
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

/// One loaded model.
#[derive(Debug)]
struct Model {
    id: ModelId,
    llama: Llama,
    template: Template,
    template_text: String,
    specials: Specials,
    context: u32,
    /// Bytes of the longest token.
    longest: usize,
    slots: Vec<Slot>,
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

impl Model {
    fn load(setup: &ModelSetup, all: &Setup, pulse: &Arc<Pulse>) -> Result<Self, String> {
        let shape = Shape {
            context: setup.context,
            slots: all.slots,
            chunk: all.chunk,
            threads: all.threads,
            gpu_layers: all.gpu_layers,
        };
        let mut llama = Llama::load(&setup.path, shape, pulse)?;
        let (begin, end) = llama.edges();
        let template = Template::new(setup.template.as_deref(), &begin, &end)?;
        let longest = (0..llama.vocabulary())
            .map(|token| llama.piece(token, true).len())
            .max()
            .unwrap_or(0);
        probe(&mut llama)?;
        Ok(Self {
            id: setup.id,
            specials: Specials::new(llama.special_names()),
            template,
            template_text: setup.template.as_deref().unwrap_or_default().to_owned(),
            llama,
            context: setup.context,
            longest: longest.max(1),
            slots: (0..all.slots).map(|_| Slot::default()).collect(),
        })
    }

    /// The tokens of a job's prompt.
    fn prompt(&self, job: &Job) -> Result<Vec<i32>, Refusal> {
        self.fits(job.prompt.len())?;
        let pieces = match &job.prompt {
            Prompt::Raw(text) => vec![(String::from_utf8_lossy(&text.0).into_owned(), false)],
            Prompt::Chat(messages) => {
                let texts: Vec<_> = messages
                    .iter()
                    .map(|m| String::from_utf8_lossy(&m.content.0))
                    .collect();
                let mut all: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
                all.push(&self.template_text);
                let marks = Marks::absent_from(&all)
                    .ok_or_else(|| Refusal::Unsupported(Label::truncated(NO_MARKS)))?;
                let guarded: Vec<(&str, String)> = messages
                    .iter()
                    .zip(&texts)
                    .map(|(message, text)| (role(message.role), self.specials.guard(text, marks)))
                    .collect();
                let rendered = self
                    .template
                    .render(&guarded, job.template_time)
                    .map_err(|why| Refusal::Unsupported(Label::truncated(&why)))?;
                self.fits(rendered.len())?;
                let pieces = marks.cut(&rendered).into_iter();
                pieces.map(|piece| (piece.text, piece.special)).collect()
            }
        };
        let mut tokens = Vec::new();
        for (text, special) in pieces {
            let more = self.llama.tokenize(&text, special);
            tokens.extend(more.map_err(|why| failed(&why))?);
        }
        // A template may write the first token itself.
        if let Some(first) = self
            .llama
            .first()
            .filter(|first| tokens.first() != Some(first))
        {
            tokens.insert(0, first);
        }
        if tokens.is_empty() {
            return Err(Refusal::Unsupported(Label::truncated(EMPTY)));
        }
        Ok(tokens)
    }

    /// Refuses what cannot fit before it is read: no token is longer than the longest.
    fn fits(&self, bytes: usize) -> Result<(), Refusal> {
        let prompt = u32::try_from(bytes / self.longest).unwrap_or(u32::MAX);
        if prompt > self.context {
            return Err(Refusal::ContextExceeded {
                context: self.context,
                prompt,
            });
        }
        Ok(())
    }

    fn resumed(&self, job: &Job) -> Result<Vec<i32>, Refusal> {
        let of = |id: &TokenId| {
            i32::try_from(id.0)
                .ok()
                .filter(|id| (0..self.llama.vocabulary()).contains(id))
        };
        let tokens: Option<Vec<i32>> = job.resume.iter().map(of).collect();
        // The first holder had another vocabulary, whatever it called the model.
        tokens.ok_or(Refusal::PromptMismatch)
    }

    /// A free slot, that which has read most of the prompt, and how much of it is kept.
    fn take_slot(
        &mut self,
        tenant: Digest,
        prompt: &[i32],
        chunk: usize,
    ) -> Result<(u32, usize), Refusal> {
        let free = (0_u32..)
            .zip(&mut self.slots)
            .filter(|(_, slot)| !slot.busy);
        let best = free.max_by_key(|(_, slot)| slot.shared(tenant, prompt, chunk));
        let (index, slot) = best.ok_or(Refusal::Busy {
            retry_after_ms: BUSY_MS,
        })?;
        let shared = slot.shared(tenant, prompt, chunk);
        *slot = Slot {
            busy: true,
            tenant,
            prefix: Vec::new(),
        };
        let kept = self.llama.keep(index, u32::try_from(shared).unwrap_or(0));
        Ok((index, usize::try_from(kept).unwrap_or(0)))
    }

    fn read(&mut self, job: &mut Running, part: Part, chunk: usize) -> Result<(), String> {
        if part.to - part.from > chunk {
            return Err("a part is longer than a chunk".to_owned());
        }
        let places: Vec<Place> = (part.from..part.to)
            .filter_map(|at| place(job, at))
            .collect();
        self.llama.decode(&places, false)?;
        job.read = part.to;
        Ok(())
    }

    fn draw(&self, job: &mut Running, row: usize) -> Drawn {
        let draw = Draw {
            sampling: job.sampling,
            choice: 0,
            position: job.position(),
        };
        let token = match self.llama.logits(row).map(|logits| sample(logits, draw)) {
            Ok(Some(token)) => token,
            Ok(None) => return Drawn::Failed(failed("the model computed no number")),
            Err(why) => return Drawn::Failed(failed(&why)),
        };
        let Ok(id) = i32::try_from(token) else {
            return Drawn::Failed(failed("a token is not of the vocabulary"));
        };
        if self.llama.ends(id) {
            job.ended = true;
            return Drawn::End(EndReason::Stop);
        }
        job.tokens.push(id);
        let bytes = self.llama.piece(id, false).into();
        Drawn::Token(TokenPiece {
            id: TokenId(token),
            bytes,
        })
    }
}

/// One token through the whole model, so that Ready means something.
fn probe(llama: &mut Llama) -> Result<(), String> {
    let place = Place {
        token: llama.first().unwrap_or(0),
        slot: 0,
        position: 0,
    };
    llama.decode(&[place], true)?;
    let sampling = messages::Sampling {
        temperature_e6: 0,
        top_p_e6: 0,
        seed: 0,
    };
    let drawn = sample(
        llama.logits(0)?,
        Draw {
            sampling,
            choice: 0,
            position: 0,
        },
    );
    llama.keep(0, 0);
    drawn
        .map(|_| ())
        .ok_or_else(|| "the model computed no number".to_owned())
}

fn place(job: &Running, at: usize) -> Option<Place> {
    let position = u32::try_from(at).ok()?;
    Some(Place {
        token: *job.tokens.get(at)?,
        slot: job.slot,
        position,
    })
}

fn digest(tokens: &[i32]) -> Digest {
    let bytes: Vec<u8> = tokens
        .iter()
        .flat_map(|token| token.to_le_bytes())
        .collect();
    Digest::of("mesh-node llama prompt v1", &[&bytes])
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::EngineFailed(Label::<REASON_BYTES_MAX>::truncated(why))
}

/// Single tokens that are read before commands are looked at: some milliseconds of a small model.
const PARTS_AT_ONCE: usize = 16;
/// When a slot is likely: a worker that keeps to the slots never hears of it.
const BUSY_MS: u32 = 100;
const NO_MARKS: &str = "the messages hold too many characters of a private plane";
const EMPTY: &str = "there is nothing to continue";
