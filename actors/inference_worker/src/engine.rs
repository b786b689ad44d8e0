//! What is known of the engine, and what it owes.

use messages::limits::{MODELS_MAX, REASON_BYTES_MAX};
use messages::ports::engine::Stepped;
use messages::{JobId, Label, List, Micros, ModelAdvert, ModelId, Mono};
use std::collections::BTreeMap;

/// An engine that owes an answer and says nothing for this long is taken for dead. One chunk of a
/// prompt on a slow processor takes seconds, and the engine beacons between chunks.
pub(crate) const SILENCE_MAX: Micros = Micros::from_secs(30);

/// The models that a device serves.
pub(crate) type Models = List<ModelAdvert, MODELS_MAX>;

/// Whether the engine serves.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It was asked what it serves, and will say so.
    Loading,
    /// It said that it cannot serve, or was lost.
    Failed(Label<REASON_BYTES_MAX>),
    /// It serves these.
    Ready(Models),
}

/// The engine as its worker sees it.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Whether it serves.
    pub(crate) phase: Phase,
    /// The jobs of the step that it owes, and whether each one's result is still wanted.
    step: Option<BTreeMap<JobId, bool>>,
    /// Whether a job was given up while its prompt was read. The engine may pass over it without a
    /// word, so only the answer to a later command shows that it is not stuck there.
    forsaken: bool,
    /// The last sign of it, or the first command of those that it owes an answer to.
    heard: Mono,
    /// The last sign that the step comes closer: an answer to a command behind it is none.
    stepping: Mono,
    /// Prompts that were asked for before the step, and answered before it.
    ahead: usize,
    /// Signs of progress: what beacons carry.
    progress: u64,
    /// The last number in its own beacons.
    turns: u64,
}

impl Engine {
    /// Before anything is known.
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Loading,
            step: None,
            forsaken: false,
            heard: Mono(0),
            stepping: Mono(0),
            ahead: 0,
            progress: 0,
            turns: 0,
        }
    }

    /// What it serves.
    pub(crate) const fn models(&self) -> Option<&Models> {
        match &self.phase {
            Phase::Ready(models) => Some(models),
            Phase::Loading | Phase::Failed(_) => None,
        }
    }

    /// What it says of one model.
    pub(crate) fn advert(&self, model: ModelId) -> Option<&ModelAdvert> {
        self.models()?.iter().find(|advert| advert.model == model)
    }

    /// Signs of progress so far.
    pub(crate) const fn progress(&self) -> u64 {
        self.progress
    }

    /// It answered something.
    pub(crate) const fn answered(&mut self, now: Mono) {
        self.heard = now;
        self.progress += 1;
    }

    /// It answered a prompt. Answers come in order: past those that were asked for before the
    /// step, a prompt's answer says nothing of the step.
    pub(crate) const fn began(&mut self, now: Mono) {
        self.answered(now);
        if self.ahead > 0 {
            self.ahead -= 1;
            self.stepping = now;
        }
    }

    /// Its loop turns. Standing still counts as a sign of life, and as no progress.
    pub(crate) const fn turned(&mut self, now: Mono, turns: u64) {
        self.heard = now;
        self.stepping = now;
        if self.turns != turns {
            self.turns = turns;
            self.progress += 1;
        }
    }

    /// It is asked for the first of the answers that it owes.
    pub(crate) const fn asked(&mut self, now: Mono) {
        self.heard = now;
    }

    /// It changed: nothing that was asked before will be answered.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if !matches!(phase, Phase::Ready(_)) {
            self.step = None;
            self.forsaken = false;
        }
        self.phase = phase;
    }

    /// Whether it owes a step.
    pub(crate) const fn is_stepping(&self) -> bool {
        self.step.is_some()
    }

    /// A prompt that it reads is not wanted any more.
    pub(crate) const fn forsake(&mut self) {
        self.forsaken = true;
    }

    /// Whether it may be stuck at a prompt that nobody waits for.
    pub(crate) const fn is_forsaken(&self) -> bool {
        self.forsaken
    }

    /// It is asked for a step of these jobs: its answer comes behind whatever was given up, and
    /// behind the prompts that it still reads.
    pub(crate) fn step(&mut self, now: Mono, jobs: &[JobId], ahead: usize) {
        self.forsaken = false;
        self.stepping = now;
        self.ahead = ahead;
        self.step = Some(jobs.iter().map(|job| (*job, true)).collect());
    }

    /// Nobody wants this job's part of the step any more.
    pub(crate) fn unwant(&mut self, job: JobId) {
        if let Some(wanted) = self.step.as_mut().and_then(|step| step.get_mut(&job)) {
            *wanted = false;
        }
    }

    /// Takes the answer to the step that is owed: the parts that are still wanted, each once.
    /// Nothing where it answers another step.
    pub(crate) fn stepped(&mut self, parts: Vec<Stepped>) -> Vec<Stepped> {
        let Some(step) = self.step.take() else {
            return Vec::new();
        };
        let is_answer = parts.is_empty() || parts.iter().any(|part| step.contains_key(&part.job));
        if !is_answer {
            self.step = Some(step);
            return Vec::new();
        }
        let mut left = step;
        parts
            .into_iter()
            .filter(|part| left.remove(&part.job).unwrap_or(false))
            .collect()
    }

    /// When it is taken for dead, where it owes something (`owes`: apart from a step).
    pub(crate) fn silent_at(&self, owes: bool) -> Option<Mono> {
        let step = self.step.is_some().then_some(self.stepping);
        let other = (self.forsaken || owes).then_some(self.heard);
        let since = step.into_iter().chain(other).min()?;
        Some(since + SILENCE_MAX)
    }

    /// The jobs of the step that is owed whose results are wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = JobId> + '_ {
        let step = self.step.iter().flatten();
        step.filter(|(_, wanted)| **wanted).map(|(job, _)| *job)
    }
}
