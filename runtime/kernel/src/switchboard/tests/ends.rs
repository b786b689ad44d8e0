//! Stops, in each phase.

use super::*;

const STOP: Effect = Effect::Stop(ROUTER, How::Drain);
const KILL: Effect = Effect::Stop(ROUTER, How::Kill);

/// The end of a child that was stopped is its last.
#[track_caller]
fn is_gone(bench: &mut Bench) {
    assert!(bench.board.addresses().all(|(who, _)| who != ROUTER));
    assert_eq!(bench.board.deadline(), None);
    check(bench.wait(Micros::from_secs(100)), &[]);
}

#[test]
fn a_stop_of_nobody_is_inert() {
    check(Bench::new().act(STOP), &[]);
}

#[test]
fn a_live_child_is_halted_and_does_not_come_back_whatever_it_dies_of() {
    for exit in [Exit::Stopped, Exit::Normal, failed(), Exit::Killed] {
        let mut bench = Bench::new();
        bench.live(ROUTER, Restart::Permanent);
        check(bench.act(STOP), &["halt router Drain"]);
        assert_eq!(bench.board.live(ROUTER), None);
        check(
            bench.act(Effect::Tell(control(1))),
            &["roster has back control 1: NoActor"],
        );
        bench.exited(ROUTER, exit);
        is_gone(&mut bench);
    }
}

#[test]
fn a_child_that_is_being_born_is_halted_and_what_waited_comes_back() {
    let mut bench = Bench::new();
    bench.act(start(ROUTER, Restart::Permanent));
    bench.act(Effect::Tell(data(1)));
    check(
        bench.act(KILL),
        &["halt router Kill", "roster has back data 1: NoActor"],
    );
    // It was still being built when it was to end: it is told again when there is one to tell.
    check(bench.started(ROUTER), &["halt router Kill"]);
    assert_eq!(bench.board.live(ROUTER), None);
    check(
        bench.act(Effect::Tell(data(2))),
        &["roster has back data 2: NoActor"],
    );
    bench.exited(ROUTER, Exit::Killed);
    is_gone(&mut bench);
}

#[test]
fn a_child_that_waits_for_its_restart_is_gone_at_once() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    check(bench.act(STOP), &[]);
    is_gone(&mut bench);
}

#[test]
fn a_child_that_spent_its_restarts_is_gone_at_once() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.spend_budget(ROUTER);
    check(bench.act(STOP), &[]);
    is_gone(&mut bench);
}

#[test]
fn a_drain_can_be_cut_short_and_a_second_drain_is_inert() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.act(STOP);
    check(bench.act(STOP), &[]);
    check(bench.act(KILL), &["halt router Kill"]);
    bench.exited(ROUTER, Exit::Killed);
    is_gone(&mut bench);
}

#[test]
fn an_actor_stops_itself_and_not_the_life_after_its_own() {
    let mut bench = Bench::new();
    let past = Source::Actor(ROUTER, bench.live(ROUTER, Restart::Permanent));
    bench.exited(ROUTER, failed());
    check(bench.wait(Micros::from_secs(1)), &["spawn router"]);
    check(bench.effect(past, STOP), &[]);
    check(bench.started(ROUTER), &["router begins"]);
    check(bench.effect(past, STOP), &[]);
    let present = Source::Actor(ROUTER, bench.life(ROUTER));
    check(bench.effect(present, STOP), &["halt router Drain"]);
}

#[test]
fn a_leaf_can_be_halted() {
    let mut bench = Bench::new();
    let leaf = Address::Stream(StreamId(4));
    bench.board.leaf_up(leaf);
    check(
        bench.act(Effect::Stop(leaf, How::Kill)),
        &["halt stream Kill"],
    );
    check(bench.exited(leaf, Exit::Killed), &[]);
    assert!(bench.board.addresses().all(|(who, _)| who != leaf));
}
