//! Births, restarts, budgets, leaves.

use super::*;

#[test]
fn a_start_of_an_address_that_is_taken_is_inert_in_every_phase() {
    let again = |bench: &mut Bench| check(bench.act(start(ROUTER, Restart::Temporary)), &[]);
    let mut bench = Bench::new();
    check(
        bench.act(start(ROUTER, Restart::Permanent)),
        &["spawn router"],
    );
    again(&mut bench);
    bench.started(ROUTER);
    again(&mut bench);
    bench.exited(ROUTER, failed());
    again(&mut bench);
    bench.wait(Micros::from_secs(1));
    bench.started(ROUTER);
    bench.spend_budget(ROUTER);
    again(&mut bench);
    bench.wait(Micros::from_secs(60));
    bench.started(ROUTER);
    bench.world(Effect::Stop(ROUTER, How::Drain));
    again(&mut bench);
    bench.exited(ROUTER, Exit::Stopped);
    check(
        bench.act(start(ROUTER, Restart::Permanent)),
        &["spawn router"],
    );
}

#[test]
fn a_child_restarts_or_not_as_it_was_started() {
    let abnormal = [failed(), Exit::Panicked(String::new()), Exit::Killed];
    for exit in abnormal {
        assert!(restarts(Restart::Permanent, exit.clone()), "{exit:?}");
        assert!(restarts(Restart::Transient, exit.clone()), "{exit:?}");
        assert!(!restarts(Restart::Temporary, exit.clone()), "{exit:?}");
    }
    assert!(restarts(Restart::Permanent, Exit::Normal));
    assert!(!restarts(Restart::Transient, Exit::Normal));
    assert!(
        restarts(Restart::Permanent, Exit::Stopped),
        "nobody asked it to stop"
    );
}

fn restarts(restart: Restart, exit: Exit) -> bool {
    let mut bench = Bench::new();
    bench.live(ROUTER, restart);
    bench.exited(ROUTER, exit);
    let spawned = bench.wait(Micros::from_secs(2));
    assert_eq!(bench.board.addresses().count(), 1 + spawned.len());
    spawned == ["spawn router"]
}

#[test]
fn the_first_restart_comes_after_ten_milliseconds_and_says_so() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    let due = bench.board.deadline().unwrap();
    assert_eq!((due.at, due.why), (Mono(10_000), "restart a child"));
    check(bench.wait(Micros(9_999)), &[]);
    check(bench.wait(Micros(1)), &["spawn router"]);
    assert_eq!(bench.board.deadline(), None);
}

#[test]
fn fourteen_failures_in_a_row_park_a_child_for_a_minute() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    for _ in 0..13 {
        bench.exited(ROUTER, failed());
        check(bench.wait(Micros::from_secs(2)), &["spawn router"]);
        bench.started(ROUTER);
    }
    bench.exited(ROUTER, failed());
    let due = bench.board.deadline().unwrap();
    assert_eq!(due.at.since(bench.now.mono), Micros::from_secs(60));
    check(bench.wait(Micros(59_999_999)), &[]);
    assert_eq!(bench.board.live(ROUTER), None);
    check(bench.wait(Micros(1)), &["spawn router"]);
    check(bench.started(ROUTER), &["router begins"]);
    bench.exited(ROUTER, failed());
    check(bench.wait(Micros::from_millis(10)), &["spawn router"]);
}

#[test]
fn failures_that_are_far_apart_spend_no_budget() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    for _ in 0..50 {
        bench.exited(ROUTER, failed());
        check(bench.wait(Micros::from_secs(8)), &["spawn router"]);
        bench.started(ROUTER);
    }
}

#[test]
fn every_life_is_greater_than_all_before_it() {
    let mut bench = Bench::new();
    let mut last = bench.life(SENDER);
    for n in 0..50 {
        let life = match n % 3 {
            0 => bench.live(Address::Worker(DeviceId(n)), Restart::Temporary),
            1 => bench.board.leaf_up(Address::Stream(StreamId(u64::from(n)))),
            _ => {
                bench.exited(SENDER, failed());
                bench.wait(Micros::from_secs(40));
                bench.started(SENDER);
                bench.life(SENDER)
            }
        };
        assert!(life > last && life.boot == 7, "{life:?} after {last:?}");
        last = life;
    }
    let next = Switchboard::new(8).leaf_up(Address::Stream(StreamId(1)));
    assert!(next > last, "a later boot is greater");
}

#[test]
fn what_is_said_of_a_past_life_is_inert() {
    let mut bench = Bench::new();
    let past = bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    check(bench.exited_as(ROUTER, past, failed()), &[]);
    let mut out = Vec::new();
    bench.board.started(ROUTER, past, &mut out);
    check(bench.after(&out), &[]);
    assert_eq!(bench.board.live(ROUTER), None);
    check(bench.wait(Micros::from_secs(1)), &["spawn router"]);
    check(bench.exited_as(ROUTER, past, failed()), &[]);
    check(bench.started(ROUTER), &["router begins"]);
    check(bench.started(ROUTER), &[]);
    check(bench.exited_as(ROUTER, past, failed()), &[]);
    assert!(bench.board.live(ROUTER) > Some(past));
}

#[test]
fn a_leaf_is_reached_at_once_and_is_gone_at_once() {
    let mut bench = Bench::new();
    let leaf = Address::Stream(StreamId(4));
    let life = bench.board.leaf_up(leaf);
    assert_eq!(bench.board.live(leaf), Some(life));
    let letter = || Letter::Stream(StreamId(4), ports::stream::Command::Cancel);
    let mut out = Vec::new();
    bench.board.offer(bench.sender_now(), letter(), &mut out);
    assert!(matches!(&out[..], [Action::Deliver { to, .. }] if *to == leaf));
    bench.act(Effect::Watch(leaf));
    check(
        bench.exited(leaf, failed()),
        &["roster learns: stream failed: a bug"],
    );
    let back = bench.act(Effect::Tell(letter()));
    assert!(back[0].starts_with("roster has back"), "{back:?}");
    assert_eq!(bench.board.deadline(), None, "a leaf never restarts");
}

#[test]
fn the_observer_hears_of_children_and_a_new_one_hears_everything_again() {
    let mut bench = Bench::new();
    let observer = Address::Observer;
    bench.live(ROUTER, Restart::Permanent);
    bench.world(start(observer, Restart::Permanent));
    let all = [
        "observer begins",
        "observer gets roster runs (1)",
        "observer gets router runs (1)",
    ];
    check(bench.started(observer), &all);
    check(
        bench.exited(ROUTER, failed()),
        &["observer gets router restarts"],
    );
    bench.wait(Micros::from_secs(1));
    let running = ["router begins", "observer gets router runs (2)"];
    check(bench.started(ROUTER), &running);
    bench.exited(observer, failed());
    let stopped = ["halt router Drain"];
    check(bench.world(Effect::Stop(ROUTER, How::Drain)), &stopped);
    check(
        bench.exited(ROUTER, Exit::Stopped),
        &["router gone waits for observer"],
    );
    bench.wait(Micros::from_secs(1));
    let all = [
        "observer begins",
        "observer gets router gone",
        "observer gets roster runs (1)",
    ];
    check(bench.started(observer), &all);
}

#[test]
fn requests_and_streams_are_not_reported() {
    let mut bench = Bench::new();
    bench.live(Address::Observer, Restart::Permanent);
    let request = Address::Proxy(messages::RequestId { boot: 1, n: 1 });
    check(
        bench.world(start(request, Restart::Temporary)),
        &["spawn request"],
    );
    check(bench.started(request), &["request begins"]);
    check(bench.exited(request, failed()), &[]);
}
