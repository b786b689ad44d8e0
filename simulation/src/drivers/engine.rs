//! An engine whose tokens are scripted and whose time is configured.

use super::DriverOut;
use crate::event::Occurrence;
use kernel::scripted;
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{Address, DeviceId, EndReason, Job, JobId, Letter, List, inference_worker};
use std::collections::BTreeMap;

/// The engine of one device.
#[derive(Debug)]
pub(crate) struct Engine {
    device: DeviceId,
    step_us: u64,
    steps: u64,
    jobs: BTreeMap<JobId, Progress>,
    stepping: BTreeMap<u64, Vec<JobId>>,
    /// Accepts commands and answers nothing.
    pub(crate) wedged: bool,
    /// Tokens drawn since it started.
    pub(crate) drawn: u64,
}

#[derive(Debug)]
struct Progress {
    seed: u64,
    position: u32,
    open_ended: bool,
}

impl Engine {
    pub(crate) const fn new(device: DeviceId, step_us: u64) -> Self {
        Self {
            device,
            step_us,
            steps: 0,
            jobs: BTreeMap::new(),
            stepping: BTreeMap::new(),
            wedged: false,
            drawn: 0,
        }
    }

    pub(crate) fn command(&mut self, command: Command, out: &mut DriverOut) {
        match command {
            Command::Attach => {
                self.jobs.clear();
                let models = List::truncated([scripted::advert()]);
                self.event(Event::Ready { models }, out);
            }
            Command::Begin(job) => self.begin(&job, out),
            Command::Step(jobs) => {
                self.steps += 1;
                self.stepping.insert(self.steps, jobs);
                out.later.push((
                    self.step_us,
                    Occurrence::EngineStep(self.device, self.steps),
                ));
            }
            Command::End(job) => {
                self.jobs.remove(&job);
            }
        }
    }

    pub(crate) fn step_done(&mut self, step: u64, out: &mut DriverOut) {
        let Some(jobs) = self.stepping.remove(&step) else {
            return;
        };
        let stepped = jobs.into_iter().map(|job| self.draw(job)).collect();
        self.event(Event::Stepped(stepped), out);
    }

    /// Jobs that it holds.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
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

    fn begin(&mut self, job: &Job, out: &mut DriverOut) {
        let position = u32::try_from(job.resume.len()).unwrap_or(u32::MAX);
        let open_ended = job.max_tokens.is_none();
        let progress = Progress {
            seed: job.sampling.seed,
            position,
            open_ended,
        };
        self.jobs.insert(job.id, progress);
        let (prompt, prompt_tokens) = scripted::prompt(&job.prompt);
        self.event(
            Event::Began {
                job: job.id,
                prompt,
                prompt_tokens,
            },
            out,
        );
    }

    fn event(&self, event: Event, out: &mut DriverOut) {
        if !self.wedged {
            let input = inference_worker::Input::Engine(event);
            let from = Address::Engine(self.device);
            out.tell(from, Letter::Worker(self.device, input));
        }
    }
}
