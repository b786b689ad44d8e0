//! What the driver's turns and its session share: how far the child is, and what it owes.

use host::Port;
use messages::ports::engine::{Command, Event, Stepped};
use messages::{
    DeviceId, JobId, Label, Letter, List, ModelAdvert, Mono, Refusal, inference_worker,
};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far the child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It starts, or loads.
    Starting,
    /// It serves.
    Ready,
    /// There is none and will be none.
    Refused,
}

/// Shared by the driver and its session; a lock is held for one look or change only.
#[derive(Debug)]
pub(super) struct Shared {
    device: DeviceId,
    port: Port,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The worker asked and was not answered.
    attached: bool,
    /// What Attach is answered with, once it is known.
    answer: Option<Event>,
    /// Jobs that were begun and not ended.
    jobs: BTreeSet<JobId>,
    /// Jobs whose beginning is not answered.
    beginning: BTreeSet<JobId>,
    /// Steps that are not answered, in the order in which they were asked for.
    steps: VecDeque<Step>,
    /// The last sign of the child, or when it began to owe an answer.
    sign: Mono,
}

/// A step that the child owes.
#[derive(Debug)]
struct Step {
    jobs: Vec<JobId>,
    /// Whether the worker that asked is still there.
    wanted: bool,
}

/// The child said what it has no right to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine's process answered what was not asked")]
pub(super) struct OutOfTurn;

impl Shared {
    pub(super) fn new(device: DeviceId, port: Port) -> Self {
        let state = State {
            phase: Phase::Starting,
            attached: false,
            answer: None,
            jobs: BTreeSet::new(),
            beginning: BTreeSet::new(),
            steps: VecDeque::new(),
            sign: port.now().mono,
        };
        Self {
            device,
            port,
            state: Mutex::new(state),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Tells the worker.
    pub(super) fn tell(&self, event: Event) {
        let input = inference_worker::Input::Engine(event);
        self.port.tell(Letter::Worker(self.device, input));
    }

    /// The worker asks: it is answered now, or when the answer is known. It begins anew, so what
    /// an earlier life of it began is to be ended, and the answers to that are nobody's.
    pub(super) fn attach(&self) -> BTreeSet<JobId> {
        let mut state = self.state();
        let answer = state.answer.clone();
        state.attached = answer.is_none();
        state.beginning.clear();
        state.steps.iter_mut().for_each(|step| step.wanted = false);
        let jobs = state.jobs.clone();
        drop(state);
        if let Some(answer) = answer {
            self.tell(answer);
        }
        jobs
    }

    /// The child serves.
    pub(super) fn ready(&self, models: Vec<ModelAdvert>) {
        self.answer(
            Phase::Ready,
            Event::Ready {
                models: List::truncated(models),
            },
        );
    }

    /// There will be no child.
    pub(super) fn refuse(&self, why: &str) {
        tracing::warn!(engine = %self.port.address(), why, "the engine cannot serve");
        self.answer(
            Phase::Refused,
            Event::Failed {
                why: Label::truncated(why),
            },
        );
    }

    fn answer(&self, phase: Phase, event: Event) {
        let mut state = self.state();
        state.phase = phase;
        state.answer = Some(event.clone());
        let attached = std::mem::take(&mut state.attached);
        drop(state);
        if attached {
            self.tell(event);
        }
    }

    /// A command goes to the child: what it owes for it. Whether it may go.
    pub(super) fn expect(&self, command: &Command) -> bool {
        let mut state = self.state();
        if !state.owes() {
            state.sign = self.port.now().mono;
        }
        match command {
            Command::Begin(job) if state.jobs.len() >= JOBS_MAX => {
                let why = Refusal::Busy {
                    retry_after_ms: BUSY_MS,
                };
                drop(state);
                self.tell(Event::Rejected { job: job.id, why });
                return false;
            }
            Command::Begin(job) => {
                state.jobs.insert(job.id);
                state.beginning.insert(job.id);
            }
            Command::Step(jobs) => {
                state.steps.push_back(Step {
                    jobs: jobs.clone(),
                    wanted: true,
                });
            }
            Command::End(job) => {
                state.beginning.remove(job);
                return state.jobs.remove(job);
            }
            Command::Attach => return false,
        }
        true
    }

    /// An event of the child: it is passed on where it answers what was asked.
    pub(super) fn on_event(&self, event: Event) -> Result<(), OutOfTurn> {
        let mut state = self.state();
        let wanted = match &event {
            Event::Began { job, .. } => state.beginning.remove(job),
            Event::Rejected { job, .. } => {
                state.jobs.remove(job);
                state.beginning.remove(job)
            }
            Event::Stepped(stepped) => {
                let asked = state.steps.pop_front().ok_or(OutOfTurn)?;
                let ids = stepped.iter().map(|Stepped { job, .. }| job);
                if !ids.eq(asked.jobs.iter()) {
                    return Err(OutOfTurn);
                }
                asked.wanted
            }
            Event::Beacon { .. } => true,
            Event::Ready { .. } | Event::Failed { .. } => return Err(OutOfTurn),
        };
        drop(state);
        // An answer about a job that was ended meanwhile is late, not wrong.
        if wanted {
            self.tell(event);
        }
        Ok(())
    }

    /// The child gave a sign.
    pub(super) fn sign(&self) {
        let now = self.port.now().mono;
        self.state().sign = now;
    }

    /// Since when the child owes an answer without a sign.
    pub(super) fn silent_since(&self) -> Option<Mono> {
        let state = self.state();
        state.owes().then_some(state.sign)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn owes(&self) -> bool {
        let loading = self.phase == Phase::Starting;
        loading || !self.beginning.is_empty() || !self.steps.is_empty()
    }
}

/// Jobs of one device: the worker's slots are far fewer.
const JOBS_MAX: usize = 4_096;
/// A worker that keeps to its slots never hears of it.
const BUSY_MS: u32 = 1_000;
