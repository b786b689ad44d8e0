//! A job that nobody wants any more, in each phase.

use super::*;

fn cancel(bench: &mut Bench, n: u64, attempt: u32) -> Vec<String> {
    bench.tell(Input::Cancel {
        sink: stream(n),
        attempt,
    })
}

#[test]
fn a_waiting_job_that_is_cancelled_never_begins() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    bench.job(id('a', 2, 1), stream(2));
    bench.job(id('a', 3, 1), stream(3));
    check(cancel(&mut bench, 2, 1), &[]);
    check(cancel(&mut bench, 1, 1), &["end a1.1", "begin a3.1"]);
}

#[test]
fn a_cancelled_prompt_frees_its_slot_at_once_and_its_late_answer_is_ignored() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    bench.job(id('b', 2, 1), stream(2));
    check(cancel(&mut bench, 1, 1), &["end a1.1", "begin b2.1"]);
    check(bench.began(id('a', 1, 1)), &[]);
    check(bench.began(id('b', 2, 1)), &["accepted s2", "step b2.1"]);
}

#[test]
fn the_part_of_a_step_that_a_cancelled_job_drew_is_ignored() {
    let mut bench = Bench::ready(2, 4, 4);
    let (a, b) = (id('a', 1, 1), id('b', 1, 1));
    bench.job(a, stream(1));
    bench.began(a);
    bench.job(b, stream(2));
    bench.began(b);
    bench.drew(&[a]);
    check(cancel(&mut bench, 1, 1), &["end a1.1"]);
    check(bench.drew(&[a, b]), &["tokens s2 0", "step b1.1"]);
}

#[test]
fn a_cancelled_job_that_comes_again_does_not_take_the_token_of_its_former_self() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 1);
    bench.job(a, stream(1));
    bench.began(a);
    check(cancel(&mut bench, 1, 1), &["end a1.1"]);
    check(bench.job(a, stream(1)), &["begin a1.1"]);
    check(bench.began(a), &["accepted s1"]);
    check(bench.drew(&[a]), &["step a1.1"]);
    check(bench.drew(&[a]), &["tokens s1 0", "step a1.1"]);
}

#[test]
fn one_step_is_outstanding_even_when_all_its_jobs_are_cancelled() {
    let mut bench = Bench::ready(1, 4, 4);
    let (a, b) = (id('a', 1, 1), id('b', 1, 1));
    bench.job(a, stream(1));
    bench.began(a);
    cancel(&mut bench, 1, 1);
    bench.job(b, stream(2));
    check(bench.began(b), &["accepted s2"]);
    check(bench.drew(&[a]), &["step b1.1"]);
}

#[test]
fn a_sink_that_goes_down_cancels_its_job() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), proxy(1));
    bench.job(id('b', 1, 1), stream(2));
    assert!(
        bench
            .effects
            .contains(&Effect::Watch(Address::Stream(StreamId(2))))
    );
    let down = bench.down(proxy(1).address(), Exit::Killed);
    check(down, &["end a1.1", "begin b1.1"]);
    check(
        bench.down(stream(2).address(), Exit::Normal),
        &["end b1.1", "step"],
    );
}

#[test]
fn a_cancel_of_an_earlier_try_or_an_unknown_sink_is_inert() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 2), stream(1));
    check(cancel(&mut bench, 1, 1), &[]);
    check(cancel(&mut bench, 7, 1), &[]);
    check(bench.began(id('a', 1, 2)), &["accepted s1", "step a1.2"]);
}

#[test]
fn a_cancel_of_a_later_try_than_the_one_that_arrived_cancels_it() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    check(cancel(&mut bench, 1, 2), &["end a1.1", "step"]);
}

#[test]
fn a_job_that_is_over_is_not_watched_any_more() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    cancel(&mut bench, 1, 1);
    assert!(
        bench
            .effects
            .contains(&Effect::Unwatch(Address::Stream(StreamId(1))))
    );
    check(cancel(&mut bench, 1, 1), &[]);
}
