//! One job from its letter to its last reply.

use super::*;
use messages::limits::TOKENS_MAX;

#[test]
fn a_job_is_begun_accepted_and_stepped_until_the_model_ends_it() {
    let mut bench = Bench::ready(2, 4, 4);
    let a = id('a', 1, 1);
    check(bench.job(a, stream(1)), &["begin a1.1"]);
    check(bench.began(a), &["accepted s1", "step a1.1"]);
    check(bench.drew(&[a]), &["tokens s1 0", "step a1.1"]);
    check(bench.drew(&[a]), &["tokens s1 1", "step a1.1"]);
    let end = bench.engine(drawn(a, Drawn::End(EndReason::Stop)));
    check(end, &["done s1 stop 2", "end a1.1"]);
}

#[test]
fn what_the_engine_says_of_a_prompt_reaches_the_consumer_with_the_models_compute() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 4), stream(1));
    bench.began(id('a', 1, 4));
    let (_, reply) = bench.effects.iter().find_map(reply_of).unwrap();
    let JobReply::Accepted(accepted) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((accepted.attempt, accepted.prompt_tokens), (4, 2));
    assert_eq!(accepted.prompt, Digest([7; 32]));
    assert_eq!(accepted.compute, scripted::advert().compute);
}

#[test]
fn jobs_that_run_together_share_a_step_and_get_a_reply_each() {
    let mut bench = Bench::ready(2, 4, 4);
    let (a, b) = (id('a', 1, 1), id('b', 1, 1));
    bench.job(a, stream(1));
    bench.job(b, stream(2));
    check(bench.began(a), &["accepted s1", "step a1.1"]);
    check(bench.began(b), &["accepted s2"]);
    check(bench.drew(&[a]), &["tokens s1 0", "step a1.1 b1.1"]);
    check(
        bench.drew(&[a, b]),
        &["tokens s1 1", "tokens s2 0", "step a1.1 b1.1"],
    );
}

#[test]
fn a_resumed_job_goes_on_at_the_next_position() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 2);
    bench.tell(Input::Job {
        sink: stream(1),
        job: Box::new(resumed(a, 40)),
    });
    bench.began(a);
    check(bench.drew(&[a]), &["tokens s1 40", "step a1.2"]);
    check(bench.drew(&[a]), &["tokens s1 41", "step a1.2"]);
    let end = bench.engine(drawn(a, Drawn::End(EndReason::Length)));
    check(end, &["done s1 length 42", "end a1.2"]);
}

#[test]
fn the_last_token_that_was_asked_for_brings_the_end() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 1);
    let job = Job {
        max_tokens: Some(5),
        ..resumed(a, 3)
    };
    bench.tell(Input::Job {
        sink: stream(1),
        job: Box::new(job),
    });
    bench.began(a);
    check(bench.drew(&[a]), &["tokens s1 3", "step a1.1"]);
    check(
        bench.drew(&[a]),
        &["tokens s1 4", "done s1 length 5", "end a1.1"],
    );
}

#[test]
fn a_resumed_job_that_is_long_enough_ends_at_once_without_a_slot() {
    let mut bench = Bench::ready(1, 0, 1);
    bench.job(id('b', 1, 1), stream(9));
    for (max, tokens, line) in [(3, 3, "done s1 length 3"), (2, 3, "done s1 length 3")] {
        let job = Job {
            max_tokens: Some(max),
            ..resumed(id('a', 1, 2), tokens)
        };
        check(
            bench.tell(Input::Job {
                sink: stream(1),
                job: Box::new(job),
            }),
            &[line],
        );
    }
}

#[test]
fn a_job_of_no_tokens_ends_once_its_prompt_was_read() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 2, 1);
    let nothing = Job {
        max_tokens: Some(0),
        ..job(a)
    };
    let sink = stream(1);
    let job = Box::new(nothing);
    check(bench.tell(Input::Job { sink, job }), &["begin a2.1"]);
    let ended = ["accepted s1", "done s1 length 0", "end a2.1"];
    check(bench.began(a), &ended);
}

#[test]
fn an_answer_never_outgrows_the_longest_resume_log() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 2);
    bench.tell(Input::Job {
        sink: stream(1),
        job: Box::new(resumed(a, TOKENS_MAX - 1)),
    });
    bench.began(a);
    let last = bench.drew(&[a]);
    check(
        last,
        &["tokens s1 131071", "done s1 length 131072", "end a1.2"],
    );
}

#[test]
fn another_prompt_digest_than_the_first_holders_refuses_the_job() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 2);
    let job = Job {
        expect: Some(Digest([1; 32])),
        ..resumed(a, 2)
    };
    bench.tell(Input::Job {
        sink: stream(1),
        job: Box::new(job.clone()),
    });
    check(bench.began(a), &["mismatch s1", "end a1.2"]);
    bench.tell(Input::Job {
        sink: stream(1),
        job: Box::new(job),
    });
    let same = bench.engine(began(a, Digest([1; 32])));
    check(same, &["accepted s1", "step a1.2"]);
}

#[test]
fn a_model_that_is_not_served_is_refused() {
    let mut bench = Bench::ready(1, 4, 4);
    let job = Job {
        model: ModelId([9; 32]),
        ..job(id('a', 1, 1))
    };
    check(
        bench.tell(Input::Job {
            sink: stream(1),
            job: Box::new(job),
        }),
        &["nomodel s1"],
    );
}

#[test]
fn jobs_that_wait_for_a_model_that_went_away_are_refused() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    bench.job(id('a', 2, 1), stream(2));
    check(bench.engine(ready_with_another()), &["nomodel s2"]);
    check(bench.began(id('a', 1, 1)), &["nomodel s1", "end a1.1"]);
}

#[test]
fn a_job_that_is_sent_twice_runs_once() {
    let mut bench = Bench::ready(2, 4, 4);
    let a = id('a', 1, 1);
    check(bench.job(a, stream(1)), &["begin a1.1"]);
    check(bench.job(a, stream(1)), &[]);
    bench.began(a);
    check(bench.job(a, stream(1)), &[]);
    check(bench.drew(&[a]), &["tokens s1 0", "step a1.1"]);
}

#[test]
fn the_same_job_at_another_sink_is_refused_because_the_engine_knows_one_of_it() {
    let mut bench = Bench::ready(2, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    check(bench.job(id('a', 1, 1), stream(2)), &["busy s2 1000"]);
    check(bench.began(id('a', 1, 1)), &["accepted s1", "step a1.1"]);
}

#[test]
fn a_newer_try_at_the_same_sink_replaces_the_older_one() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), proxy(1));
    bench.began(id('a', 1, 1));
    check(
        bench.job(id('a', 1, 2), proxy(1)),
        &["end a1.1", "begin a1.2"],
    );
    check(bench.began(id('a', 1, 1)), &[]);
    check(bench.began(id('a', 1, 2)), &["accepted p1"]);
    check(bench.drew(&[id('a', 1, 1)]), &["step a1.2"]);
}

#[test]
fn an_older_try_or_another_request_at_a_sink_that_is_in_use_is_ignored() {
    let mut bench = Bench::ready(2, 4, 4);
    bench.job(id('a', 1, 2), stream(1));
    check(bench.job(id('a', 1, 1), stream(1)), &[]);
    check(bench.job(id('a', 7, 9), stream(1)), &[]);
    check(bench.began(id('a', 1, 2)), &["accepted s1", "step a1.2"]);
}

#[test]
fn a_rejected_prompt_is_refused_with_the_engines_reason() {
    let mut bench = Bench::ready(1, 4, 4);
    bench.job(id('a', 1, 1), stream(1));
    let why = Refusal::ContextExceeded {
        context: 10,
        prompt: 11,
    };
    let rejected = bench.engine(Event::Rejected {
        job: id('a', 1, 1),
        why,
    });
    check(rejected, &["context s1", "end a1.1"]);
}
