//! An engine that fails, wedges, dies, comes back.

use super::*;

fn with_jobs() -> Bench {
    let mut bench = Bench::ready(1, 4, 9);
    bench.job(id('a', 1, 1), stream(1));
    bench.began(id('a', 1, 1));
    bench.job(id('b', 1, 1), stream(2));
    bench
}

#[test]
fn a_worker_attaches_its_engine_first() {
    let mut bench = Bench::new(1, 4, 4);
    let lines = bench.signal(Signal::Started(kernel::Incarnation::default()));
    check(lines, &["attach"]);
    assert!(
        bench
            .effects
            .contains(&Effect::Watch(Address::Engine(DEVICE)))
    );
    check(bench.wait(29_999), &[]);
    check(bench.wait(1), &["attach"]);
}

#[test]
fn an_engine_that_fails_costs_every_job_and_is_asked_again() {
    let mut bench = with_jobs();
    check(bench.engine(failed()), &["failed s1", "failed s2"]);
    assert!(
        bench
            .effects
            .contains(&Effect::Unwatch(stream(2).address()))
    );
    check(bench.job(id('c', 1, 1), stream(3)), &["failed s3"]);
    check(bench.wait(1_000), &["attach"]);
    bench.engine(ready());
    check(bench.job(id('c', 1, 1), stream(3)), &["begin c1.1"]);
}

#[test]
fn a_step_of_before_a_failure_is_not_waited_for_after_it() {
    let mut bench = with_jobs();
    bench.engine(failed());
    bench.engine(ready());
    bench.job(id('c', 1, 1), stream(3));
    check(bench.began(id('c', 1, 1)), &["accepted s3", "step c1.1"]);
    check(bench.drew(&[id('a', 1, 1)]), &[]);
    check(bench.drew(&[id('c', 1, 1)]), &["tokens s3 0", "step c1.1"]);
}

#[test]
fn an_engine_that_goes_down_is_watched_and_attached_again_at_once() {
    let mut bench = with_jobs();
    let lines = bench.down(Address::Engine(DEVICE), Exit::Panicked("a page".to_owned()));
    check(lines, &["failed s1", "failed s2", "attach"]);
    assert!(
        bench
            .effects
            .contains(&Effect::Watch(Address::Engine(DEVICE)))
    );
    check(bench.job(id('c', 1, 1), stream(3)), &["busy s3 1000"]);
    bench.engine(ready());
    check(bench.job(id('c', 1, 1), stream(3)), &["begin c1.1"]);
}

#[test]
fn an_engine_that_spent_its_restarts_is_tried_after_ten_seconds() {
    let mut bench = with_jobs();
    let lines = bench.down(
        Address::Engine(DEVICE),
        Exit::StartFailed("no device".to_owned()),
    );
    check(lines, &["failed s1", "failed s2"]);
    check(bench.job(id('c', 1, 1), stream(3)), &["failed s3"]);
    let attach = Letter::Engine(DEVICE, Command::Attach);
    bench.returned(attach, ReturnReason::StartFailed);
    check(bench.wait(9_999), &[]);
    check(bench.wait(1), &["attach"]);
}

#[test]
fn an_engine_that_is_not_there_yet_is_tried_again_soon() {
    let mut bench = Bench::new(1, 4, 4);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
    check(bench.down(Address::Engine(DEVICE), Exit::NoActor), &[]);
    check(bench.wait(250), &["attach"]);
}

#[test]
fn a_wedged_engine_is_given_up_after_thirty_seconds_of_silence() {
    let mut bench = with_jobs();
    bench.drew(&[id('a', 1, 1)]);
    bench.wait(29_000);
    check(bench.engine(Event::Beacon { steps: 1 }), &[]);
    let lines = bench.wait(29_999);
    assert!(
        lines.iter().all(|line| !line.starts_with("failed")),
        "{lines:?}"
    );
    let lines = bench.wait(1);
    let lines = lines
        .into_iter()
        .filter(|line| !line.starts_with("beacon"))
        .collect();
    check(lines, &["failed s1", "end a1.1", "failed s2", "attach"]);
    check(bench.drew(&[id('a', 1, 1)]), &[]);
    bench.engine(ready());
    check(bench.job(id('c', 1, 1), stream(3)), &["begin c1.1"]);
}

#[test]
fn a_prompt_that_is_never_answered_counts_as_silence() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    let lines = bench.wait(30_000);
    assert!(lines.contains(&"failed s1".to_owned()), "{lines:?}");
}

#[test]
fn new_jobs_do_not_hide_that_the_engine_is_silent() {
    let mut bench = Bench::ready(2, 4, 9);
    bench.job(id('a', 1, 1), stream(1));
    for n in 2..=30 {
        let lines = bench.job(id('b', n, 1), stream(n));
        assert!(lines.contains(&format!("begin b{n}.1")), "{lines:?}");
        bench.wait(1_000);
        bench.tell(Input::Cancel {
            sink: stream(n),
            attempt: 1,
        });
    }
    let lines = bench.wait(1_000);
    assert!(lines.contains(&"failed s1".to_owned()), "{lines:?}");
}

#[test]
fn answered_prompts_do_not_hide_that_a_step_is_lost() {
    let mut bench = Bench::ready(2, 4, 9);
    bench.job(id('a', 1, 1), stream(1));
    bench.began(id('a', 1, 1));
    for n in 2..=30 {
        bench.job(id('b', n, 1), stream(n));
        bench.began(id('b', n, 1));
        bench.tell(Input::Cancel {
            sink: stream(n),
            attempt: 1,
        });
        check(silent(bench.wait(1_000)), &[]);
    }
    let lines = bench.wait(1_000);
    assert!(lines.contains(&"failed s1".to_owned()), "{lines:?}");
}

/// Takes the beacons out.
fn silent(lines: Vec<String>) -> Vec<String> {
    let kept = lines.into_iter().filter(|line| !line.starts_with("beacon"));
    kept.collect()
}

#[test]
fn a_wedged_engine_shows_though_every_job_is_cancelled_in_time() {
    let mut bench = Bench::ready(2, 4, 9);
    for n in 1..=3 {
        bench.job(id('a', n, 1), stream(n));
        check(silent(bench.wait(9_999)), &[]);
        bench.tell(Input::Cancel {
            sink: stream(n),
            attempt: 1,
        });
    }
    // Nobody waits any more: the clock is the first prompt's, which was never answered.
    check(silent(bench.wait(2)), &[]);
    check(bench.wait(1), &["attach"]);
    check(bench.job(id('b', 1, 1), stream(9)), &["failed s9"]);
}

#[test]
fn a_prompt_that_was_given_up_is_asked_after_once_and_forgotten_with_the_answer() {
    let mut bench = Bench::ready(1, 4, 9);
    bench.job(id('a', 1, 1), stream(1));
    let cancel = |sink| Input::Cancel { sink, attempt: 1 };
    check(bench.tell(cancel(stream(1))), &["end a1.1", "step"]);
    check(bench.engine(Event::Stepped(Vec::new())), &[]);
    check(bench.wait(600_000), &[]);
    // A job that is begun behind it is the sign that is waited for.
    bench.job(id('a', 2, 1), stream(2));
    bench.job(id('b', 1, 1), stream(3));
    check(bench.tell(cancel(stream(2))), &["end a2.1", "begin b1.1"]);
    check(bench.began(id('b', 1, 1)), &["accepted s3", "step b1.1"]);
    check(bench.tell(cancel(stream(3))), &["end b1.1"]);
    check(bench.drew(&[id('b', 1, 1)]), &[]);
    check(bench.wait(600_000), &[]);
}

#[test]
fn a_prompt_that_was_refused_or_never_arrived_is_not_asked_after() {
    let mut bench = Bench::ready(1, 4, 9);
    let a = id('a', 1, 1);
    bench.job(a, stream(1));
    let rejected = Event::Rejected {
        job: a,
        why: unsupported(),
    };
    check(bench.engine(rejected), &["unsupported s1", "end a1.1"]);
    bench.job(a, stream(1));
    let begin = Letter::Engine(DEVICE, Command::Begin(Box::new(job(a))));
    let lines = bench.returned(begin, ReturnReason::Busy);
    check(lines, &["failed s1", "end a1.1"]);
    check(bench.wait(600_000), &[]);
}

#[test]
fn an_idle_engine_may_be_silent_for_ever() {
    let mut bench = Bench::ready(1, 4, 4);
    check(bench.wait(600_000), &[]);
    check(bench.job(id('a', 1, 1), stream(1)), &["begin a1.1"]);
    let lines = bench.wait(29_999);
    assert!(
        lines.iter().all(|line| !line.starts_with("failed")),
        "{lines:?}"
    );
}

#[test]
fn a_prompt_that_finds_no_room_at_the_engine_is_refused() {
    let mut bench = with_jobs();
    let begin = Command::Begin(Box::new(job(id('b', 1, 1))));
    bench.tell(Input::Cancel {
        sink: stream(1),
        attempt: 1,
    });
    let lines = bench.returned(Letter::Engine(DEVICE, begin), ReturnReason::Busy);
    check(lines, &["failed s2", "end b1.1"]);
}

#[test]
fn a_step_that_finds_no_room_gives_the_engine_up() {
    let mut bench = with_jobs();
    let step = Letter::Engine(DEVICE, Command::Step(vec![id('a', 1, 1)]));
    let lines = bench.returned(step, ReturnReason::Busy);
    check(lines, &["failed s1", "end a1.1", "failed s2"]);
    check(bench.wait(1_000), &["attach"]);
}

#[test]
fn an_attach_that_finds_no_room_is_sent_again() {
    let mut bench = Bench::new(1, 4, 4);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
    bench.returned(Letter::Engine(DEVICE, Command::Attach), ReturnReason::Busy);
    check(bench.wait(1_000), &["attach"]);
}

#[test]
fn a_step_that_answers_twice_for_a_job_counts_once() {
    let mut bench = with_jobs();
    let a = id('a', 1, 1);
    check(bench.drew(&[a, a]), &["tokens s1 0", "step a1.1"]);
}

#[test]
fn a_step_that_nobody_asked_for_is_no_answer() {
    let mut bench = with_jobs();
    check(bench.drew(&[id('z', 1, 1)]), &[]);
    check(bench.drew(&[id('a', 1, 1)]), &["tokens s1 0", "step a1.1"]);
}
