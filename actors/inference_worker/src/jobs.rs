//! The jobs that a worker has taken: where each stands, and what it was sent last.

use messages::inference_worker::Sink;
use messages::limits::TOKENS_MAX;
use messages::{Digest, Job, JobId, Micros, ModelId, Mono, NodeId};
use std::collections::BTreeMap;

/// A job says that it lives this long after whatever was sent to it last; its consumer expects a
/// sign each 500 ms.
pub(crate) const BEACON_AFTER: Micros = Micros::from_millis(400);
/// A consumer that takes nothing for this long gives up its slot to others.
pub(crate) const FULL_MAX: Micros = Micros::from_secs(30);

/// One job.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where its replies go.
    pub(crate) sink: Sink,
    /// What it asks for.
    pub(crate) model: ModelId,
    /// The prompt digest of an earlier holder.
    pub(crate) expect: Option<Digest>,
    /// The position of the next token, resumed ones included.
    pub(crate) position: u32,
    /// The position at which the answer is long enough.
    pub(crate) end_at: u32,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// When anything was sent to its sink.
    pub(crate) sent: Mono,
    /// Since when its sink takes nothing.
    pub(crate) full: Option<Mono>,
}

/// Where a job stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It waits for a slot, with all that the engine will need.
    Queued(Box<Job>),
    /// The engine reads its prompt.
    Beginning,
    /// It decodes.
    Running,
}

impl Entry {
    /// A job that was just taken.
    pub(crate) fn new(now: Mono, sink: Sink, job: Box<Job>) -> Self {
        Self {
            sink,
            model: job.model,
            expect: job.expect,
            position: resumed(&job),
            end_at: end_at(&job),
            phase: Phase::Queued(job),
            sent: now,
            full: None,
        }
    }

    /// Whether the engine knows it.
    pub(crate) const fn is_begun(&self) -> bool {
        match self.phase {
            Phase::Queued(_) => false,
            Phase::Beginning | Phase::Running => true,
        }
    }

    /// Whether the engine owes the answer to its prompt.
    pub(crate) const fn is_beginning(&self) -> bool {
        matches!(self.phase, Phase::Beginning)
    }

    /// Whether it decodes.
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Whether it takes part in the next step.
    pub(crate) const fn is_steppable(&self) -> bool {
        self.is_running() && self.full.is_none()
    }
}

/// Tokens that its consumer already has.
pub(crate) fn resumed(job: &Job) -> u32 {
    u32::try_from(job.resume.len()).unwrap_or(u32::MAX)
}

/// The length of its answer at most. No resume log holds more than `TOKENS_MAX`.
pub(crate) fn end_at(job: &Job) -> u32 {
    let longest = u32::try_from(TOKENS_MAX).unwrap_or(u32::MAX);
    job.max_tokens.unwrap_or(longest).min(longest)
}

/// All jobs of a worker, by id and by sink: a sink carries one job at a time. The number of jobs
/// is bounded by the worker's slots and queue.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    by_id: BTreeMap<JobId, Entry>,
    by_sink: BTreeMap<Sink, JobId>,
    by_origin: BTreeMap<NodeId, usize>,
}

impl Jobs {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// How many of one origin there are.
    pub(crate) fn of_origin(&self, origin: NodeId) -> usize {
        self.by_origin.get(&origin).copied().unwrap_or(0)
    }

    /// The job whose replies go there.
    pub(crate) fn at(&self, sink: Sink) -> Option<JobId> {
        self.by_sink.get(&sink).copied()
    }

    /// A job.
    pub(crate) fn get(&self, id: JobId) -> Option<&Entry> {
        self.by_id.get(&id)
    }

    /// A job, to change it.
    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut Entry> {
        self.by_id.get_mut(&id)
    }

    /// Takes a job whose id and sink are both free.
    pub(crate) fn insert(&mut self, id: JobId, entry: Entry) {
        self.by_sink.insert(entry.sink, id);
        *self.by_origin.entry(id.origin).or_default() += 1;
        self.by_id.insert(id, entry);
    }

    /// Lets a job go.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<Entry> {
        let entry = self.by_id.remove(&id)?;
        self.by_sink.remove(&entry.sink);
        if let Some(count) = self.by_origin.get_mut(&id.origin) {
            *count -= 1;
            if *count == 0 {
                self.by_origin.remove(&id.origin);
            }
        }
        Some(entry)
    }

    /// All of them, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Entry)> + '_ {
        self.by_id.iter().map(|(id, entry)| (*id, entry))
    }

    /// The ids of those that satisfy a condition.
    pub(crate) fn ids(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<JobId> {
        self.iter()
            .filter(|(_, entry)| wanted(entry))
            .map(|(id, _)| id)
            .collect()
    }

    /// The next instant at which one of them is owed a beacon or has waited too long.
    pub(crate) fn due(&self) -> Option<(Mono, &'static str)> {
        let beacon = self
            .by_id
            .values()
            .map(|entry| entry.sent + BEACON_AFTER)
            .min();
        let full = self.by_id.values().filter_map(|entry| entry.full).min();
        let beacon = beacon.map(|at| (at, "a beacon is owed"));
        let full = full.map(|since| (since + FULL_MAX, "a sink is full for too long"));
        [beacon, full].into_iter().flatten().min()
    }

    /// Asserts that the three tables agree.
    pub(crate) fn invariants(&self) {
        assert_eq!(
            self.by_id.len(),
            self.by_sink.len(),
            "a sink carries one job"
        );
        for (sink, id) in &self.by_sink {
            assert!(
                self.get(*id).is_some_and(|entry| entry.sink == *sink),
                "a sink without a job"
            );
        }
        let counted: usize = self.by_origin.values().sum();
        assert_eq!(counted, self.by_id.len(), "every job counts for its origin");
    }
}
