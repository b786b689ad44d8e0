//! Slots, queue, shares, fairness: refused at once or served in turn.

use super::*;
use crate::queue::Queue;
use std::collections::BTreeMap;

#[test]
fn a_job_beyond_slots_and_queue_is_busy_at_once() {
    let mut bench = Bench::ready(1, 2, 9);
    bench.job(id('a', 1, 1), stream(1));
    bench.job(id('a', 2, 1), stream(2));
    check(bench.job(id('b', 3, 1), stream(3)), &[]);
    check(bench.job(id('c', 4, 1), stream(4)), &["busy s4 3000"]);
}

#[test]
fn the_wait_that_is_advised_is_half_a_minute_at_most() {
    for (queued, advised) in [
        (29, "busy s99 30000"),
        (28, "busy s99 29000"),
        (60, "busy s99 30000"),
    ] {
        let mut bench = Bench::ready(1, 100, queued + 1);
        for n in 0..=queued {
            bench.job(id('a', u64::from(n), 1), stream(u64::from(n)));
        }
        check(bench.job(id('a', 99, 1), stream(99)), &[advised]);
    }
}

#[test]
fn a_worker_without_a_queue_still_fills_its_slots() {
    let mut bench = Bench::ready(2, 0, 9);
    check(bench.job(id('a', 1, 1), stream(1)), &["begin a1.1"]);
    check(bench.job(id('a', 2, 1), stream(2)), &["begin a2.1"]);
    check(bench.job(id('a', 3, 1), stream(3)), &["busy s3 1000"]);
}

#[test]
fn one_origin_has_its_share_and_no_more() {
    let mut bench = Bench::ready(1, 8, 2);
    bench.job(id('a', 1, 1), stream(1));
    bench.job(id('a', 2, 1), stream(2));
    check(bench.job(id('a', 3, 1), stream(3)), &["busy s3 2000"]);
    check(bench.job(id('b', 1, 1), stream(4)), &[]);
    bench.tell(Input::Cancel {
        sink: stream(2),
        attempt: 1,
    });
    check(bench.job(id('a', 3, 1), stream(3)), &[]);
}

/// Asks for as many jobs of an origin as there may be; how many were taken.
fn fill(bench: &mut Bench, origin: char, sinks: &mut u64) -> usize {
    let mut taken = 0;
    loop {
        *sinks += 1;
        let lines = bench.job(id(origin, *sinks, 1), stream(*sinks));
        if lines.iter().any(|line| line.starts_with("busy")) {
            return taken;
        }
        taken += 1;
    }
}

#[test]
fn an_origin_alone_has_nearly_all_of_the_queue_and_others_still_find_room() {
    let mut bench = Bench::ready(1, 64, 1_000);
    let mut sinks = 0;
    assert_eq!(fill(&mut bench, 'a', &mut sinks), 1 + 56);
    // Eight places are kept for origins of which nothing waits: one for each of them.
    for origin in 'b'..='i' {
        assert_eq!(fill(&mut bench, origin, &mut sinks), 1, "{origin}");
    }
    assert_eq!(fill(&mut bench, 'j', &mut sinks), 0, "the queue is full");
}

#[test]
fn origins_that_come_and_go_end_up_with_equal_shares() {
    let mut bench = Bench::ready(1, 64, 1_000);
    let mut sinks = 0;
    let mut waiting: BTreeMap<char, usize> = BTreeMap::new();
    assert_eq!(fill(&mut bench, 'a', &mut sinks), 57);
    waiting.insert('a', 56);
    for _ in 0..200 {
        // Who has a slot leaves it, and each of the three asks for more than it gets.
        let running = running(&bench);
        let sink = Sink::Stream(StreamId(running.request.n));
        let lines = bench.tell(Input::Cancel { sink, attempt: 1 });
        let next = lines.iter().find_map(|line| line.strip_prefix("begin "));
        let origin = next.unwrap().chars().next().unwrap();
        *waiting.get_mut(&origin).unwrap() -= 1;
        for origin in ['a', 'b', 'c'] {
            *waiting.entry(origin).or_default() += fill(&mut bench, origin, &mut sinks);
        }
    }
    assert_eq!(
        waiting,
        BTreeMap::from([('a', 18), ('b', 18), ('c', 18)]),
        "a third of what is not kept for others"
    );
}

/// The job in the only slot.
fn running(bench: &Bench) -> JobId {
    let mut begun = bench.worker.jobs.iter().filter(|(_, job)| job.is_begun());
    begun.next().unwrap().0
}

#[test]
fn two_nodes_have_a_thousand_streams_each_at_a_wide_engine() {
    let mut bench = Bench::ready(2_048, 64, 2_112);
    for (origin, first) in [('a', 1), ('b', 1_001)] {
        for n in first..first + 1_000 {
            let lines = bench.job(id(origin, n, 1), stream(n));
            assert!(lines.contains(&format!("begin {origin}{n}.1")), "{n}");
        }
    }
    let mut sinks = 2_000;
    // The slots that are left, and the queue but for what is kept for others.
    assert_eq!(fill(&mut bench, 'a', &mut sinks), 48 + 56);
}

#[test]
fn a_newer_try_at_its_own_sink_is_not_kept_out_by_the_try_that_it_replaces() {
    let mut bench = Bench::ready(1, 0, 1);
    bench.job(id('a', 1, 1), proxy(1));
    check(
        bench.job(id('a', 1, 2), proxy(1)),
        &["end a1.1", "begin a1.2"],
    );
}

#[test]
fn origins_take_turns_whatever_each_of_them_queued() {
    let mut bench = Bench::ready(1, 9, 9);
    bench.job(id('x', 1, 1), stream(100));
    let order = [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)];
    for (origin, n) in order {
        bench.job(id(origin, n, 1), stream(n));
    }
    let mut begun = Vec::new();
    let mut sink = 100;
    for _ in order {
        let lines = bench.tell(Input::Cancel {
            sink: stream(sink),
            attempt: 1,
        });
        let begin = lines
            .iter()
            .find_map(|line| line.strip_prefix("begin "))
            .unwrap()
            .to_owned();
        sink = begin[1..2].parse().unwrap();
        begun.push(begin);
    }
    assert_eq!(begun, ["a1.1", "b4.1", "c5.1", "a2.1", "b6.1", "a3.1"]);
}

#[test]
fn the_queue_forgets_an_origin_whose_line_is_empty() {
    let mut queue = Queue::default();
    assert_eq!(queue.pop(), None);
    queue.push(id('a', 1, 1));
    queue.push(id('b', 1, 1));
    queue.remove(id('a', 1, 1));
    queue.remove(id('a', 1, 1));
    assert_eq!((queue.len(), queue.ids().count()), (1, 1));
    assert_eq!(queue.pop(), Some(id('b', 1, 1)));
    assert_eq!((queue.len(), queue.pop()), (0, None));
}

#[test]
fn a_worker_is_busy_while_its_engine_loads_and_failed_after_it_failed() {
    let mut bench = Bench::new(1, 4, 4);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
    check(bench.job(id('a', 1, 1), stream(1)), &["busy s1 1000"]);
    bench.engine(failed());
    check(bench.job(id('a', 1, 1), stream(1)), &["failed s1"]);
    bench.engine(ready());
    check(bench.job(id('a', 1, 1), stream(1)), &["begin a1.1"]);
}

#[test]
fn a_worker_without_slots_in_its_seed_has_one() {
    let mut bench = Bench::ready(0, 0, 1);
    check(bench.job(id('a', 1, 1), stream(1)), &["begin a1.1"]);
}

#[test]
fn a_draining_worker_refuses_waiting_and_new_jobs_and_ends_the_others() {
    let mut bench = Bench::ready(1, 4, 4);
    let a = id('a', 1, 1);
    bench.job(a, stream(1));
    bench.job(id('b', 1, 1), stream(2));
    check(bench.tell(Input::Drain), &["draining s2"]);
    check(bench.tell(Input::Drain), &[]);
    check(bench.job(id('c', 1, 1), stream(3)), &["draining s3"]);
    check(bench.began(a), &["accepted s1", "step a1.1"]);
    check(bench.drew(&[a]), &["tokens s1 0", "step a1.1"]);
    let end = bench.engine(drawn(a, Drawn::End(EndReason::Stop)));
    check(end, &["done s1 stop 1", "end a1.1"]);
    assert_eq!(bench.worker.view().phase, "draining");
}
