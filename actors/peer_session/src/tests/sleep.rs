//! The machine sleeps: one of its clocks stands still.

use super::*;
use messages::peer_session::{Ended, LinkLoss};

/// A session that has pinged twice and was answered once, on a machine that sleeps and wakes.
fn woken(slept: Micros) -> Bench {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.wait(Micros::from_secs(1)), ["ping"]);
    bench.tell(frame(ControlFrame::Pong(1)));
    bench.now.wall = bench.now.wall + slept;
    bench
}

#[test]
fn who_wakes_asks_at_once_and_gives_up_a_peer_that_does_not_answer_in_two_seconds() {
    let mut bench = woken(Micros::from_secs(5));
    // Whatever turn comes first.
    assert_eq!(
        bench.tell(frame(ControlFrame::Ping(9))),
        "pong, ping, stale"
    );
    let said = bench.wait(Micros::from_millis(1_999));
    assert!(said.iter().all(|turn| turn == "ping"), "{said:?}");
    assert_eq!(bench.wait(Micros::from_millis(1)), ["end"]);
    let lost = Ended::LinkLost(LinkLoss::TimedOut);
    assert_eq!(bench.session.ended, Some(lost));
}

#[test]
fn who_wakes_by_its_clock_alone_asks_within_a_second() {
    let mut bench = woken(Micros::from_secs(300));
    let said = bench.wait(Micros::from_secs(3));
    assert_eq!(said.last().map(String::as_str), Some("end"), "{said:?}");
}

#[test]
fn an_answer_to_the_ping_after_the_sleep_keeps_the_session() {
    let mut bench = woken(Micros::from_secs(60));
    bench.tell(frame(ControlFrame::Ping(9)));
    assert_eq!(bench.tell(frame(ControlFrame::Pong(2))), "·");
    assert_eq!(bench.tell(frame(ControlFrame::Pong(3))), "fresh");
    for number in 4..9 {
        bench.wait(Micros::from_secs(1));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert_eq!(bench.session.ended, None);
}

#[test]
fn an_answer_from_before_the_sleep_shows_nothing() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.wait(Micros::from_secs(1)), ["ping"]);
    bench.now.wall = bench.now.wall + Micros::from_secs(60);
    assert_eq!(bench.tell(frame(ControlFrame::Pong(1))), "ping, stale");
    let said = bench.wait(Micros::from_secs(2));
    assert_eq!(said.last().map(String::as_str), Some("end"), "{said:?}");
}

#[test]
fn a_clock_that_is_set_a_little_ahead_or_back_is_no_sleep() {
    for set in [Micros::from_millis(4_999), Micros(0)] {
        let mut bench = woken(set);
        assert_eq!(bench.tell(frame(ControlFrame::Ping(9))), "pong");
    }
    let mut bench = woken(Micros(0));
    bench.now.wall = Wall(bench.now.wall.0 - 3_600_000_000);
    assert_eq!(bench.tell(frame(ControlFrame::Ping(9))), "pong");
    // What is taken back is no sleep either, once the clock goes on from there.
    bench.wait(Micros::from_millis(900));
    assert_eq!(bench.tell(frame(ControlFrame::Ping(10))), "pong");
}
