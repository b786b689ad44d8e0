//! What the log says of jobs that cross.

use messages::{Job, JobId, ModelId, NodeId, TraceContext};

/// A job as the log names it, and never what it asks.
///
/// Both nodes say one line of each job that its holder took, so a client's trace is found on
/// either: at the asking one with the try's span, at the holder with the span that it serves under.
/// A job that nobody took makes no line: a peer that is refused as often as it likes fills no disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobLine {
    id: JobId,
    model: ModelId,
    trace: TraceContext,
}

impl JobLine {
    pub(crate) const fn of(job: &Job) -> Self {
        Self {
            id: job.id,
            model: job.model,
            trace: job.trace,
        }
    }

    /// A peer took it.
    pub(crate) fn is_served_by(&self, holder: NodeId) {
        tracing::info!(
            target: JOB,
            request = %self.id.request,
            attempt = self.id.attempt,
            trace = %self.trace.trace_id(),
            span = %self.trace.parent_id(),
            holder = %holder.short(),
            model = %self.model.short(),
            "a peer serves"
        );
    }

    /// This node took it for a peer.
    pub(crate) fn is_served_here(&self) {
        tracing::info!(
            target: JOB,
            request = %self.id.request,
            attempt = self.id.attempt,
            trace = %self.trace.trace_id(),
            parent = %self.trace.parent_id(),
            origin = %self.id.origin.short(),
            model = %self.model.short(),
            "serving a peer"
        );
    }
}

/// Under this name a filter of the log finds the lines.
const JOB: &str = "job";
