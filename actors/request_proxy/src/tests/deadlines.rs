//! When a holder is doubted, left, and given up.

use super::{Ended, LOCAL, Rig, choice, peer, seed, words};
use kernel::{Machine, scripted};
use messages::request_proxy::{Failure, Input, Seed};
use messages::router::{NoRoute, Outcome};
use messages::{EndReason, Micros, StreamId};

/// What happens in so many milliseconds, and not one earlier.
fn check(rig: &mut Rig, millis: u64, expected: &[&str]) {
    assert_eq!(
        words(&rig.wait(millis - 1)),
        Vec::<&str>::new(),
        "too early"
    );
    assert_eq!(words(&rig.wait(1)), expected);
}

/// A rig that streams at 10 ms a token, its pace known.
fn streaming() -> Rig {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..20);
    rig
}

#[test]
fn a_stream_may_take_a_second_to_open_and_its_holder_another_to_speak() {
    let mut rig = Rig::new(seed());
    rig.routed(Ok(choice(peer(1))));
    rig.wait(999);
    rig.tell(Input::Opened {
        attempt: 1,
        stream: StreamId(1),
    });
    check(&mut rig, 1_000, &["seek"]);
    assert_eq!(rig.phase(), "Doubting");
    let mut rig = Rig::new(seed());
    rig.routed(Ok(choice(peer(1))));
    check(&mut rig, 1_000, &["seek"]);
    // It opens at last: not to be doubted yet.
    rig.tell(Input::Opened {
        attempt: 1,
        stream: StreamId(1),
    });
    assert_eq!(rig.phase(), "Opening");
}

#[test]
fn a_worker_here_may_take_a_second_to_speak() {
    let mut rig = Rig::new(seed());
    rig.asked(LOCAL);
    check(&mut rig, 1_000, &["seek"]);
    assert_eq!(words(&rig.routed(Ok(choice(peer(1))))), ["cancel", "ask"]);
    assert_eq!(rig.outcomes, [(LOCAL, Outcome::Failed)]);
}

#[test]
fn a_fast_holder_is_doubted_after_250_ms() {
    let mut rig = streaming();
    check(&mut rig, 250, &["seek"]);
    assert_eq!(words(&rig.routed(Ok(choice(peer(2))))), ["cancel", "ask"]);
    assert_eq!(rig.phase(), "Opening");
}

#[test]
fn a_slow_holder_is_doubted_after_eight_times_its_own_pace() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    for at in 0..20 {
        rig.wait(280);
        rig.scripted(at..at + 1);
    }
    check(&mut rig, 8 * 280, &["seek"]);
}

#[test]
fn beacons_put_the_doubt_off_while_their_engine_moves() {
    let mut rig = Rig::new(seed());
    rig.asked(peer(1));
    // A long queue and a long prompt.
    for steps in 1..40 {
        assert_eq!(words(&rig.wait(400)), Vec::<&str>::new());
        rig.beacon(steps);
    }
    rig.accept();
    for steps in 40..60 {
        assert_eq!(words(&rig.wait(400)), Vec::<&str>::new());
        rig.beacon(steps);
    }
    // The engine stands still; its worker still speaks.
    rig.wait(400);
    rig.beacon(59);
    rig.wait(400);
    rig.beacon(59);
    check(&mut rig, 200, &["seek"]);
    assert_eq!(rig.phase(), "Doubting");
    rig.beacon(59);
    assert_eq!(rig.phase(), "Doubting");
    rig.beacon(60);
    assert_eq!(rig.phase(), "Streaming");
}

#[test]
fn a_doubted_holder_that_goes_on_is_kept() {
    let mut rig = streaming();
    rig.wait(250);
    rig.scripted(20..21);
    assert_eq!(rig.phase(), "Streaming");
    // The router's answer comes too late.
    assert_eq!(words(&rig.routed(Ok(choice(peer(2))))), Vec::<&str>::new());
    rig.stream_tokens(21..30);
    rig.end(EndReason::Stop, 30);
    assert_eq!(rig.text, scripted::text(5, 30));
    assert_eq!(rig.outcomes, [(peer(1), Outcome::Served)]);
}

#[test]
fn without_another_holder_a_silent_one_is_waited_for_ten_seconds() {
    let mut rig = streaming();
    check(&mut rig, 250, &["seek"]);
    // Asked again each 200 ms.
    for _ in 0..48 {
        rig.routed(Err(NoRoute::NoneLeft));
        check(&mut rig, 200, &["seek"]);
    }
    rig.routed(Err(NoRoute::NoneLeft));
    check(&mut rig, 150, &["cancel", "seek"]);
    assert_eq!(rig.phase(), "Routing");
    assert_eq!(rig.outcomes, [(peer(1), Outcome::Failed)]);
}

#[test]
fn only_an_engine_that_moves_keeps_a_doubted_holder_from_being_given_up() {
    let mut rig = streaming();
    rig.beacon(7);
    for steps in 8..48 {
        rig.wait(900);
        assert_eq!(words(&rig.beacon(steps)), Vec::<&str>::new());
    }
    assert_eq!(rig.attempt(), 1);
    assert_eq!(rig.phase(), "Doubting", "a token is overdue");
    for _ in 0..11 {
        assert_eq!(rig.phase(), "Doubting");
        rig.wait(900);
        rig.beacon(47);
    }
    rig.wait(100);
    assert_eq!(rig.phase(), "Routing");
    assert_eq!(rig.outcomes, [(peer(1), Outcome::Failed)]);
}

#[test]
fn two_slow_holders_are_not_exchanged_for_each_other_until_the_attempts_are_spent() {
    // 1.5 s a token on each, and not a word in between.
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    let mut at = 0;
    while at < 60 {
        let before = rig.attempt();
        for _ in 0..15 {
            rig.wait(100);
            let other = if rig.attempt().is_multiple_of(2) {
                peer(1)
            } else {
                peer(2)
            };
            if rig.phase() == "Doubting" && !rig.query.as_ref().unwrap().exclude.contains(&other) {
                rig.routed(Ok(choice(other)));
            } else if rig.phase() == "Doubting" {
                rig.routed(Err(NoRoute::NoneLeft));
            }
            if rig.attempt() != before {
                break;
            }
        }
        if rig.attempt() == before {
            rig.scripted(at..at + 1);
            at += 1;
        } else {
            rig.tell(Input::Opened {
                attempt: rig.attempt(),
                stream: StreamId(5),
            });
            rig.accept();
        }
    }
    assert_eq!(rig.text, scripted::text(5, 60));
    assert!(rig.attempt() < 6, "{} attempts", rig.attempt());
}

#[test]
fn the_last_words_of_a_closed_stream_are_heard() {
    let mut rig = streaming();
    rig.down(messages::Address::Stream(rig.stream()));
    rig.wait(49);
    rig.scripted(20..22);
    rig.end(EndReason::Stop, 22);
    assert_eq!(rig.text, scripted::text(5, 22));
    assert_eq!(rig.attempt(), 1);
}

#[test]
fn replies_may_be_faster_than_the_word_that_their_stream_is_open() {
    let mut rig = Rig::new(seed());
    rig.routed(Ok(choice(peer(1))));
    rig.accept();
    rig.scripted(0..3);
    rig.tell(Input::Opened {
        attempt: 1,
        stream: StreamId(1),
    });
    rig.stream_tokens(3..9);
    assert_eq!(rig.text, scripted::text(5, 9));
    assert_eq!(words(&rig.tell(Input::ClientGone)), ["cancel", "quit"]);
}

#[test]
fn the_whole_request_has_a_time_in_every_phase() {
    let total = Micros::from_millis(700);
    for phase in ["Routing", "Opening", "Streaming", "Doubting"] {
        let mut rig = Rig::new(Seed { total, ..seed() });
        if phase != "Routing" {
            rig.asked(peer(1));
        }
        if matches!(phase, "Streaming" | "Doubting") {
            rig.accept();
            rig.stream_tokens(0..20);
        }
        if phase != "Doubting" {
            for _ in 0..6 {
                rig.wait(80);
                if phase == "Streaming" {
                    rig.scripted(0..0);
                    rig.beacon(rig.now.0);
                }
            }
        }
        rig.wait(700);
        assert_eq!(
            rig.ended,
            Some(Ended::Failed(Failure::DeadlineExceeded)),
            "{phase}"
        );
        assert!(rig.stopped && rig.proxy.deadline().is_none());
    }
}
