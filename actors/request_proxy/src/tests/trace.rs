//! One trace for all tries of a request, a span for each.

use super::{LOCAL, Rig, peer, seed};
use messages::request_proxy::Seed;
use messages::{Job, Label, Refusal, TraceContext};
use std::collections::BTreeSet;

/// The jobs of one request are of this trace, and no two of them under one span.
#[track_caller]
pub(super) fn check<'a>(of: TraceContext, jobs: impl IntoIterator<Item = &'a Job>) -> Vec<String> {
    let jobs: Vec<_> = jobs.into_iter().collect();
    let mut spans = BTreeSet::from([of.parent_id().to_string()]);
    for job in &jobs {
        assert_eq!(job.trace.under(1), of.under(1), "another trace, or flags");
        let span = job.trace.parent_id().to_string();
        assert!(spans.insert(span), "a span of another try");
    }
    jobs.iter()
        .map(|job| job.trace.parent_id().to_string())
        .collect()
}

/// A request of this trace that goes from holder to holder.
fn tried(trace: TraceContext) -> Rig {
    let mut rig = Rig::new(Seed { trace, ..seed() });
    rig.accepted(LOCAL);
    rig.stream_tokens(0..3);
    rig.refused(Refusal::EngineFailed(Label::default()));
    for n in 1..=4 {
        rig.asked(peer(n));
        // Turned away, which is no attempt that counts, or lost.
        if n % 2 == 0 {
            rig.refused(Refusal::Busy { retry_after_ms: 1 });
        } else {
            rig.accept();
            rig.stream_ended();
        }
    }
    rig.accepted(peer(5));
    rig
}

#[test]
fn every_try_is_of_the_requests_trace_and_under_a_span_of_its_own() {
    for flags in [0, 1] {
        let trace = TraceContext::new([0x4b; 16], [0xf0; 8], flags).unwrap();
        let rig = tried(trace);
        let spans = check(trace, rig.jobs.iter().map(|(_, job)| job));
        assert_eq!(spans.len(), 6);
    }
}

#[test]
fn spans_are_drawn_from_the_requests_own_stream() {
    let spans = |trace| check(trace, tried(trace).jobs.iter().map(|(_, job)| job));
    let trace = seed().trace;
    assert_eq!(spans(trace), spans(trace), "the same life says the same");
    let other = TraceContext::begin([8, 9], 10);
    assert_eq!(spans(trace), spans(other), "a client has no part in it");
}
