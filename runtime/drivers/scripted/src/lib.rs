//! The scripted engine: tokens that depend only on (seed, position), at a chosen pace.
//!
//! It speaks as a real engine does and needs no model: tests and benchmarks know what an unbroken
//! run says (see [`kernel::scripted`]). At rate 0 it answers within the turn, so that it measures
//! the node and not a timer.

mod pace;

#[cfg(test)]
mod tests;

use host::{Driver, Port};
use kernel::scripted::{ANSWER_TOKENS, CONTEXT_TOKENS, advert, model, prompt, token};
use kernel::{Failure, Turn};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{
    DeviceId, EndReason, Job, JobId, Label, Letter, List, Mono, Refusal, inference_worker,
};
use pace::Pace;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// What a scripted engine is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptedConfig {
    /// Steps per second, and so tokens of each job; 0 is as fast as possible.
    pub rate: u32,
    /// Whose engine it is.
    pub device: DeviceId,
    /// Jobs that may be begun at once.
    pub slots: u32,
}

/// An engine without a model.
#[derive(Debug)]
pub struct ScriptedEngine {
    config: ScriptedConfig,
    port: Port,
    jobs: BTreeMap<JobId, Script>,
    /// Of its steps: one draws a token of every job in it, as a batch does.
    pace: Pace,
    /// Replies that wait for their instant.
    waiting: JoinSet<()>,
}

/// One job's place in its answer.
#[derive(Clone, Copy, Debug)]
struct Script {
    seed: u64,
    position: u32,
    prompt_tokens: u32,
    max_tokens: Option<u32>,
}

impl ScriptedEngine {
    /// An engine that answers through `port`.
    ///
    /// # Errors
    /// No slots: it could never serve.
    pub fn new(config: ScriptedConfig, port: Port) -> Result<Self, String> {
        if config.slots == 0 {
            return Err("the scripted engine needs at least one slot".to_owned());
        }
        let pace = Pace::new(config.rate, port.now().mono);
        Ok(Self {
            config,
            port,
            jobs: BTreeMap::new(),
            pace,
            waiting: JoinSet::new(),
        })
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Attach => {
                // A worker that attaches begins anew: what it began in an earlier life is over.
                self.jobs.clear();
                self.waiting.abort_all();
                let models = List::truncated([advert()]);
                self.tell(Event::Ready { models });
            }
            Command::Begin(job) => {
                let event = self.begin(&job);
                self.tell(event);
            }
            Command::Step(jobs) => self.step(&jobs),
            Command::End(job) => {
                self.jobs.remove(&job);
            }
        }
    }

    fn begin(&mut self, job: &Job) -> Event {
        let (digest, prompt_tokens) = prompt(&job.prompt);
        let full = self.jobs.len() >= usize::try_from(self.config.slots).unwrap_or(usize::MAX);
        let why = if job.model != model() {
            Some(Refusal::NoModel)
        } else if prompt_tokens >= CONTEXT_TOKENS {
            Some(Refusal::ContextExceeded {
                context: CONTEXT_TOKENS,
                prompt: prompt_tokens,
            })
        } else if full && !self.jobs.contains_key(&job.id) {
            Some(Refusal::Busy {
                retry_after_ms: BUSY_MS,
            })
        } else {
            None
        };
        if let Some(why) = why {
            return Event::Rejected { job: job.id, why };
        }
        let script = Script {
            seed: job.sampling.seed,
            position: u32::try_from(job.resume.len()).unwrap_or(u32::MAX),
            prompt_tokens,
            max_tokens: job.max_tokens,
        };
        self.jobs.insert(job.id, script);
        Event::Began {
            job: job.id,
            prompt: digest,
            prompt_tokens,
        }
    }

    fn step(&mut self, jobs: &[JobId]) {
        let now = self.port.now().mono;
        let due = self.pace.next(now);
        let stepped = jobs
            .iter()
            .map(|id| Stepped {
                job: *id,
                drawn: match self.jobs.get_mut(id) {
                    Some(script) => script.draw(),
                    None => Drawn::Failed(Refusal::EngineFailed(Label::truncated(NOT_BEGUN))),
                },
            })
            .collect();
        let event = Event::Stepped(stepped);
        while self.waiting.try_join_next().is_some() {}
        // A worker has one step outstanding; whoever sends more is answered without a pace.
        if due <= now || self.waiting.len() >= WAITING_MAX {
            return self.tell(event);
        }
        let (port, device) = (self.port.clone(), self.config.device);
        self.waiting.spawn(async move {
            sleep_until(&port, due).await;
            port.tell(letter(device, event));
        });
    }

    fn tell(&self, event: Event) {
        self.port.tell(letter(self.config.device, event));
    }
}

impl Driver for ScriptedEngine {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Letter(Letter::Engine(device, command)) if device == self.config.device => {
                self.on_command(command);
                Ok(())
            }
            Turn::Letter(other) => Err(Failure(format!("a letter to {} came here", other.to()))),
            // A worker that is gone took its jobs with it, and a new one begins with Attach.
            Turn::Signal(_) | Turn::Deadline => Ok(()),
        }
    }
}

impl Script {
    fn draw(&mut self) -> Drawn {
        let context_end = CONTEXT_TOKENS.saturating_sub(self.prompt_tokens);
        if self.position >= self.max_tokens.unwrap_or(u32::MAX).min(context_end) {
            return Drawn::End(EndReason::Length);
        }
        if self.max_tokens.is_none() && self.position >= ANSWER_TOKENS {
            return Drawn::End(EndReason::Stop);
        }
        let drawn = Drawn::Token(token(self.seed, self.position));
        self.position += 1;
        drawn
    }
}

const fn letter(device: DeviceId, event: Event) -> Letter {
    Letter::Worker(device, inference_worker::Input::Engine(event))
}

/// Waits in the node's own time: a timer may be early by its granularity, so it looks again.
async fn sleep_until(port: &Port, due: Mono) {
    loop {
        match due.since(port.now().mono).0 {
            0 => return,
            left => tokio::time::sleep(Duration::from_micros(left)).await,
        }
    }
}

/// Replies that may wait at once: one is the rule, the rest is slack for a restarting worker.
const WAITING_MAX: usize = 16;
/// When a slot is likely: a worker that keeps to `slots` never hears of it.
const BUSY_MS: u32 = 100;
const NOT_BEGUN: &str = "the job was not begun at this engine";
