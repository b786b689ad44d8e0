//! How jobs come and go: admission, limits, cancel, flow, drain.

use crate::InferenceWorker;
use crate::engine::Phase;
use crate::jobs::{self, BEACON_AFTER, Entry, FULL_MAX};
use kernel::{Outbox, ReturnReason};
use messages::inference_worker::Sink;
use messages::limits::REASON_BYTES_MAX;
use messages::ports::engine::Command;
use messages::request_proxy::Flow;
use messages::wire::latest::{Beacon, End, JobReply, Load, Refused};
use messages::{EndReason, Job, JobId, Label, NodeId, Now, Refusal};

impl InferenceWorker {
    pub(crate) fn on_job(&mut self, now: Now, sink: Sink, job: Box<Job>, out: &mut Outbox) {
        if let Some(held) = self.jobs.at(sink) {
            if !supersedes(job.id, held) {
                kernel::sometimes!(true, "worker: a sink asks for an overtaken job");
                // The same job again, an older try that was overtaken, or a sink's confusion: the
                // sink's replies belong to the job that it carries.
                return;
            }
            kernel::sometimes!(true, "worker: a newer try takes the older one's place");
            self.let_go(held, out);
        }
        if let Err(why) = self.may_take(&job) {
            kernel::sometimes!(
                matches!(why, Refusal::Draining),
                "worker: a job comes while it drains"
            );
            kernel::sometimes!(
                matches!(why, Refusal::Busy { .. }),
                "worker: a job comes while the engine loads"
            );
            kernel::sometimes!(
                matches!(why, Refusal::EngineFailed(_)),
                "worker: a job comes while the engine is failed"
            );
            kernel::sometimes!(
                matches!(why, Refusal::NoModel),
                "worker: a job names a model that is not served"
            );
            return refuse(sink, job.id.attempt, why, out);
        }
        let tokens = jobs::resumed(&job);
        if tokens > 0 && tokens >= jobs::end_at(&job) {
            // Nothing is left to draw: no slot is needed to say so.
            kernel::sometimes!(true, "worker: a resumed job has nothing left to draw");
            self.finished += 1;
            let (attempt, reason) = (job.id.attempt, EndReason::Length);
            return out.tell(sink.reply(JobReply::End(End {
                attempt,
                reason,
                tokens,
            })));
        }
        if let Err(why) = self.has_room(&job) {
            return refuse(sink, job.id.attempt, why, out);
        }
        out.watch(sink.address());
        self.queue.push(job.id);
        self.jobs.insert(job.id, Entry::new(now.mono, sink, job));
    }

    /// Whether such a job is served here at all, now.
    fn may_take(&self, job: &Job) -> Result<(), Refusal> {
        match &self.engine.phase {
            _ if self.draining => Err(Refusal::Draining),
            Phase::Loading => Err(Refusal::Busy {
                retry_after_ms: RETRY_AFTER_MS,
            }),
            Phase::Failed(why) => Err(Refusal::EngineFailed(why.clone())),
            Phase::Ready(_) if self.engine.advert(job.model).is_none() => Err(Refusal::NoModel),
            Phase::Ready(_) => Ok(()),
        }
    }

    /// Whether there is room for it.
    fn has_room(&self, job: &Job) -> Result<(), Refusal> {
        let load = self.load();
        let most = usize::try_from(self.seed.per_origin_max).unwrap_or(usize::MAX);
        let greedy = self.jobs.of_origin(job.id.origin) >= most;
        let full = load.active >= load.slots && !self.may_wait(job.id.origin, load);
        // The same job at another sink: the engine knows jobs by their id alone.
        let twin = self.jobs.get(job.id).is_some();
        kernel::sometimes!(greedy, "worker: an origin has all the jobs it may");
        kernel::sometimes!(full, "worker: the queue is full");
        kernel::sometimes!(twin, "worker: the same job comes by another sink");
        if greedy || full || twin {
            let turns = 1 + load.queued / load.slots;
            let retry_after_ms = RETRY_AFTER_MS.saturating_mul(turns).min(RETRY_AFTER_MAX_MS);
            kernel::sometimes!(
                retry_after_ms == RETRY_AFTER_MAX_MS,
                "worker: the longest wait is advised"
            );
            return Err(Refusal::Busy { retry_after_ms });
        }
        Ok(())
    }

    /// Whether a job of this origin may wait. An origin of which nothing waits takes any place; one
    /// that has its line has at most an equal share, and leaves the reserve to those without.
    fn may_wait(&self, origin: NodeId, load: Load) -> bool {
        let free = load.queue_max.saturating_sub(load.queued);
        let mine = count(self.queue.of_origin(origin));
        if mine == 0 {
            return free > 0;
        }
        let reserve = load.queue_max.div_ceil(RESERVE_PART);
        let share = (load.queue_max - reserve) / count(self.queue.origins()).max(1);
        kernel::sometimes!(
            free > 0 && free <= reserve,
            "worker: the last places are kept for other origins"
        );
        kernel::sometimes!(
            mine >= share,
            "worker: an origin has its share of the queue"
        );
        free > reserve && mine < share
    }

    pub(crate) fn on_cancel(&mut self, sink: Sink, attempt: u32, out: &mut Outbox) {
        if let Some(held) = self.jobs.at(sink).filter(|held| held.attempt <= attempt) {
            kernel::sometimes!(true, "worker: a job is cancelled");
            self.let_go(held, out);
        }
    }

    pub(crate) fn on_sink_down(&mut self, sink: Sink, out: &mut Outbox) {
        kernel::sometimes!(
            self.jobs.at(sink).is_some(),
            "worker: a sink goes down under its job"
        );
        if let Some(held) = self.jobs.at(sink) {
            self.let_go(held, out);
        }
    }

    pub(crate) fn on_flow(&mut self, now: Now, sink: Sink, flow: Flow) {
        let held = self.jobs.at(sink);
        let Some(entry) = held.and_then(|id| self.jobs.get_mut(id)) else {
            return;
        };
        kernel::sometimes!(flow == Flow::Full, "worker: a sink is full");
        entry.full = match flow {
            Flow::Full => entry.full.or(Some(now.mono)),
            Flow::Ready => None,
        };
    }

    /// A reply came back: what follows would leave a hole, so nothing may follow.
    pub(crate) fn on_reply_lost(
        &mut self,
        sink: Sink,
        attempt: u32,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        let Some(held) = self.jobs.at(sink).filter(|held| held.attempt == attempt) else {
            return;
        };
        match why {
            ReturnReason::Busy | ReturnReason::ParkFull => {
                kernel::sometimes!(true, "worker: a reply finds no room");
                self.refuse_job(held, Refusal::TooSlow, out);
            }
            ReturnReason::NoActor | ReturnReason::StartFailed => self.let_go(held, out),
        }
    }

    pub(crate) fn on_drain(&mut self, out: &mut Outbox) {
        if self.draining {
            return;
        }
        self.draining = true;
        self.report.urgent();
        let waiting: Vec<JobId> = self.queue.ids().collect();
        kernel::sometimes!(
            !waiting.is_empty(),
            "worker: waiting jobs are refused as it drains"
        );
        for id in waiting {
            self.refuse_job(id, Refusal::Draining, out);
        }
    }

    /// Ends the jobs whose sinks have taken nothing for too long.
    pub(crate) fn shed_slow(&mut self, now: Now, out: &mut Outbox) {
        let slow = |entry: &Entry| entry.full.is_some_and(|since| since + FULL_MAX <= now.mono);
        for id in self.jobs.ids(slow) {
            kernel::sometimes!(true, "worker: a slow sink is given up");
            self.refuse_job(id, Refusal::TooSlow, out);
        }
    }

    /// Says that a job lives, to each sink that has heard nothing for a while.
    pub(crate) fn beacon(&mut self, now: Now, out: &mut Outbox) {
        let steps = self.engine.progress();
        for id in self.jobs.ids(|entry| entry.sent + BEACON_AFTER <= now.mono) {
            kernel::sometimes!(true, "worker: a beacon is sent");
            self.reply(
                now,
                id,
                JobReply::Beacon(Beacon {
                    attempt: id.attempt,
                    steps,
                }),
                out,
            );
        }
    }

    /// Sends a job's sink something that is not the last.
    pub(crate) fn reply(&mut self, now: Now, id: JobId, reply: JobReply, out: &mut Outbox) {
        if let Some(entry) = self.jobs.get_mut(id) {
            entry.sent = now.mono;
            out.tell(entry.sink.reply(reply));
        }
    }

    /// The answer is over.
    pub(crate) fn end_job(&mut self, id: JobId, reason: EndReason, out: &mut Outbox) {
        let Some(entry) = self.jobs.get(id) else {
            return;
        };
        let end = End {
            attempt: id.attempt,
            reason,
            tokens: entry.position,
        };
        out.tell(entry.sink.reply(JobReply::End(end)));
        self.finished += 1;
        self.let_go(id, out);
    }

    /// Gives a job up, with the reason.
    pub(crate) fn refuse_job(&mut self, id: JobId, why: Refusal, out: &mut Outbox) {
        let Some(entry) = self.jobs.get(id) else {
            return;
        };
        refuse(entry.sink, id.attempt, why, out);
        self.let_go(id, out);
    }

    /// Gives all jobs up because the engine, which knows none of them any more, is lost.
    pub(crate) fn refuse_all(&mut self, why: &Label<REASON_BYTES_MAX>, out: &mut Outbox) {
        for id in self.jobs.ids(|_| true) {
            kernel::sometimes!(true, "worker: every job is refused with its engine");
            self.queue.remove(id);
            if let Some(entry) = self.jobs.remove(id) {
                refuse(
                    entry.sink,
                    id.attempt,
                    Refusal::EngineFailed(why.clone()),
                    out,
                );
                out.unwatch(entry.sink.address());
            }
        }
    }

    /// Forgets a job: its slot is free at once.
    fn let_go(&mut self, id: JobId, out: &mut Outbox) {
        let Some(entry) = self.jobs.remove(id) else {
            return;
        };
        self.queue.remove(id);
        self.engine.unwant(id);
        kernel::sometimes!(
            entry.is_beginning(),
            "worker: a prompt is given up while the engine reads it"
        );
        if entry.is_beginning() {
            self.engine.forsake();
        }
        out.unwatch(entry.sink.address());
        if entry.is_begun() {
            self.command(Command::End(id), out);
        }
    }
}

/// Whether a job takes the place of the one that a sink carries.
fn supersedes(job: JobId, held: JobId) -> bool {
    (job.origin, job.request) == (held.origin, held.request) && job.attempt > held.attempt
}

fn refuse(sink: Sink, attempt: u32, why: Refusal, out: &mut Outbox) {
    out.tell(sink.reply(JobReply::Refused(Refused { attempt, why })));
}

fn count(jobs: usize) -> u32 {
    u32::try_from(jobs).unwrap_or(u32::MAX)
}

/// One place in so many of the queue is kept for origins of which nothing waits: one alone has
/// nearly all of it, and as many others as there are places kept find room at any moment.
const RESERVE_PART: u32 = 8;
/// About the time of a short answer: a slot is likely after it.
const RETRY_AFTER_MS: u32 = 1_000;
/// A longer wait says nothing: the queue may have moved.
const RETRY_AFTER_MAX_MS: u32 = 30_000;
