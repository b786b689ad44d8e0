//! One Down for each watch, in every phase of whom is watched.

use super::*;

const WATCH: Effect = Effect::Watch(ROUTER);
const DOWN: &str = "roster learns: router failed: a bug";

/// Ends the router's life for good; every Down that is still owed comes.
fn bury(bench: &mut Bench) -> Vec<String> {
    let mut lines = bench.world(Effect::Stop(ROUTER, How::Kill));
    if bench.board.addresses().any(|(who, _)| who == ROUTER) {
        lines.extend(bench.exited(ROUTER, failed()));
    }
    lines.retain(|line| line.contains("learns"));
    lines
}

#[test]
fn nobody_is_down_at_once() {
    let mut bench = Bench::new();
    check(bench.act(WATCH), &["roster learns: router no such actor"]);
}

#[test]
fn a_child_that_is_being_born_or_lives_is_down_when_it_ends_and_once() {
    for starts in [false, true] {
        let mut bench = Bench::new();
        bench.act(start(ROUTER, Restart::Permanent));
        check(bench.act(WATCH), &[]);
        check(bench.act(WATCH), &[]);
        if starts {
            bench.started(ROUTER);
        }
        check(bench.exited(ROUTER, failed()), &[DOWN]);
        assert!(bury(&mut bench).is_empty());
    }
}

#[test]
fn a_down_names_the_life_that_ended() {
    let mut bench = Bench::new();
    let life = bench.live(ROUTER, Restart::Permanent);
    bench.act(WATCH);
    let mut out = Vec::new();
    bench
        .board
        .exited(bench.now, ROUTER, life, failed(), &mut out);
    let signal = Signal::Down {
        who: ROUTER,
        incarnation: Some(life),
        why: failed(),
    };
    let mail = Mail::Signal(signal);
    let (to, life) = (SENDER, bench.sender);
    assert_eq!(
        out,
        [Action::Deliver {
            to,
            life,
            from: Source::World,
            mail
        }]
    );
}

#[test]
fn a_watch_while_a_child_restarts_is_for_its_next_life() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    check(bench.act(WATCH), &[]);
    bench.wait(Micros::from_secs(1));
    bench.started(ROUTER);
    check(bench.exited(ROUTER, failed()), &[DOWN]);
    assert!(bury(&mut bench).is_empty());
}

#[test]
fn a_watch_while_a_child_restarts_ends_with_it_when_it_is_stopped() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    bench.act(WATCH);
    check(
        bench.world(Effect::Stop(ROUTER, How::Drain)),
        &["roster learns: router stopped"],
    );
}

#[test]
fn a_child_that_spent_its_restarts_is_down_at_once() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.spend_budget(ROUTER);
    let down = ["roster learns: router could not start: it spent its restarts"];
    check(bench.act(WATCH), &down);
    assert!(bury(&mut bench).is_empty());
}

#[test]
fn a_child_that_is_stopping_is_down_when_it_ends() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.world(Effect::Stop(ROUTER, How::Drain));
    check(bench.act(WATCH), &[]);
    check(
        bench.exited(ROUTER, Exit::Stopped),
        &["roster learns: router stopped"],
    );
}

#[test]
fn a_watch_that_was_taken_back_yields_nothing() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.act(WATCH);
    bench.act(Effect::Unwatch(ROUTER));
    bench.act(Effect::Unwatch(ROUTER));
    assert!(bury(&mut bench).is_empty());
}

#[test]
fn a_watch_ends_with_the_life_of_its_watcher() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.act(WATCH);
    let past = bench.sender_now();
    bench.exited(SENDER, failed());
    bench.wait(Micros::from_secs(1));
    bench.started(SENDER);
    // What its past life still wants changes nothing either.
    check(bench.effect(past, WATCH), &[]);
    assert!(bury(&mut bench).is_empty());
}

#[test]
fn a_past_life_takes_back_no_watch_of_the_present_one() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    let past = bench.sender_now();
    bench.exited(SENDER, failed());
    bench.wait(Micros::from_secs(1));
    bench.started(SENDER);
    let present = Source::Actor(SENDER, bench.life(SENDER));
    bench.effect(present, WATCH);
    bench.effect(past, Effect::Unwatch(ROUTER));
    assert_eq!(bury(&mut bench), [DOWN]);
}

#[test]
fn the_world_watches_nobody() {
    let mut bench = Bench::new();
    check(bench.world(WATCH), &[]);
    bench.live(ROUTER, Restart::Permanent);
    check(bench.world(WATCH), &[]);
    assert!(bury(&mut bench).is_empty());
}

#[test]
fn everyone_who_watches_learns_of_it() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    let device = Address::Worker(DeviceId(1));
    let worker = Source::Actor(device, bench.live(device, Restart::Permanent));
    bench.act(WATCH);
    bench.effect(worker, WATCH);
    let mut lines = bench.exited(ROUTER, failed());
    lines.sort();
    check(lines, &[DOWN, "worker learns: router failed: a bug"]);
}
