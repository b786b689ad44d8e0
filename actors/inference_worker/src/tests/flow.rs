//! Sinks that take nothing, replies that come back, beacons.

use super::*;

fn running(slots: u32, jobs: &[JobId]) -> Bench {
    let mut bench = Bench::ready(slots, 4, 9);
    for (n, id) in (1..).zip(jobs) {
        bench.job(*id, stream(n));
        bench.began(*id);
    }
    bench
}

#[test]
fn a_full_sink_is_left_out_of_the_next_step_until_it_has_room() {
    let (a, b) = (id('a', 1, 1), id('b', 1, 1));
    let mut bench = running(2, &[a, b]);
    bench.drew(&[a]);
    check(bench.tell(full(stream(1))), &[]);
    check(
        bench.drew(&[a, b]),
        &["tokens s1 1", "tokens s2 0", "step b1.1"],
    );
    check(bench.tell(has_room(stream(1))), &[]);
    check(bench.drew(&[b]), &["tokens s2 1", "step a1.1 b1.1"]);
}

#[test]
fn a_single_full_job_stops_the_engine_and_ready_starts_it_again() {
    let a = id('a', 1, 1);
    let mut bench = running(1, &[a]);
    bench.tell(full(stream(1)));
    check(bench.drew(&[a]), &["tokens s1 0"]);
    check(bench.tell(has_room(stream(1))), &["step a1.1"]);
    check(bench.tell(has_room(stream(1))), &[]);
}

#[test]
fn a_sink_that_is_full_for_thirty_seconds_loses_its_job_and_frees_the_slot() {
    let a = id('a', 1, 1);
    let mut bench = running(1, &[a]);
    bench.job(id('b', 1, 1), stream(2));
    bench.tell(full(stream(1)));
    bench.drew(&[a]);
    let lines = bench.wait(29_900);
    assert!(lines.iter().all(|line| !line.starts_with("slow")));
    // Full again is no new beginning.
    bench.tell(full(stream(1)));
    bench.later(100);
    let lines = bench.wake();
    let over: Vec<&String> = lines
        .iter()
        .filter(|line| !line.starts_with("beacon"))
        .collect();
    assert_eq!(over[..3], ["slow s1", "end a1.1", "begin b1.1"]);
}

#[test]
fn a_sink_that_had_room_in_between_keeps_its_job() {
    let a = id('a', 1, 1);
    let mut bench = running(1, &[a]);
    bench.drew(&[a]);
    for _ in 0..4 {
        bench.tell(full(stream(1)));
        bench.drew(&[a]);
        bench.wait(20_000);
        bench.tell(has_room(stream(1)));
    }
    let lines = bench.drew(&[a]);
    assert!(lines[0].starts_with("tokens s1"), "{lines:?}");
}

#[test]
fn a_token_that_comes_back_busy_ends_the_job_so_that_no_hole_follows() {
    let a = id('a', 1, 1);
    let mut bench = running(1, &[a]);
    bench.drew(&[a]);
    let (sink, reply) = bench.effects.iter().find_map(reply_of).unwrap();
    let lost = Sink::Stream(sink).reply(reply.clone());
    let lines = bench.returned(lost.clone(), ReturnReason::Busy);
    check(lines, &["slow s1", "end a1.1"]);
    check(bench.drew(&[a]), &[]);
    check(bench.returned(lost, ReturnReason::Busy), &[]);
}

#[test]
fn a_reply_to_a_sink_that_is_gone_cancels_the_job_in_silence() {
    let a = id('a', 1, 1);
    let mut bench = running(1, &[a]);
    let reply = stream(1).reply(JobReply::Refused(Refused {
        attempt: 1,
        why: Refusal::TooSlow,
    }));
    check(bench.returned(reply, ReturnReason::NoActor), &["end a1.1"]);
}

#[test]
fn a_reply_of_a_past_try_that_comes_back_leaves_the_present_one_alone() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 2), proxy(1));
    let refused = JobReply::Refused(Refused {
        attempt: 1,
        why: Refusal::TooSlow,
    });
    check(
        bench.returned(proxy(1).reply(refused), ReturnReason::Busy),
        &[],
    );
}

#[test]
fn every_job_gets_a_beacon_400_ms_after_whatever_was_sent_last() {
    let (a, b) = (id('a', 1, 1), id('b', 1, 1));
    let mut bench = running(1, &[a]);
    bench.job(b, stream(2));
    bench.later(300);
    bench.drew(&[a]);
    check(bench.wait(100), &["beacon s2 3"]);
    check(bench.wait(299), &[]);
    check(bench.wait(1), &["beacon s1 3"]);
    check(bench.wait(100), &["beacon s2 3"]);
}

#[test]
fn beacons_count_what_the_engine_did_and_stand_still_when_it_does() {
    let a = id('a', 1, 1);
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(a, stream(1));
    check(bench.wait(400), &["beacon s1 1"]);
    bench.engine(Event::Beacon { steps: 10 });
    check(bench.wait(400), &["beacon s1 2"]);
    bench.engine(Event::Beacon { steps: 10 });
    check(bench.wait(400), &["beacon s1 2"]);
    bench.engine(Event::Beacon { steps: 11 });
    check(bench.wait(400), &["beacon s1 3"]);
    check(bench.wait(400), &["beacon s1 3"]);
}

#[test]
fn flow_of_an_unknown_sink_is_inert() {
    let mut bench = Bench::ready(1, 4, 4);
    check(bench.tell(full(stream(1))), &[]);
    check(bench.job(id('a', 1, 1), stream(1)), &["begin a1.1"]);
    check(bench.began(id('a', 1, 1)), &["accepted s1", "step a1.1"]);
}
