//! Holders that take a job and get nowhere: what a request waits for, and how long at most.

use super::{Ended, LOCAL, Rig, choice, peer, seed};
use kernel::scripted;
use messages::request_proxy::{Failure, Flow};
use messages::router::{NoRoute, Outcome, Via};
use messages::{EndReason, Refusal};

/// What a holder does in a tick of 100 ms.
type Misdeed = fn(&mut Rig, u64);

/// These holders do nothing else in every try, for as long as the router finds one that is not
/// left out; gives when it ended, in milliseconds, and how.
fn run(rig: &mut Rig, holders: &[Via], misdeed: Misdeed) -> (u64, Ended) {
    for tick in 0..7_000 {
        if let Some(query) = rig.query.take() {
            let free = holders.iter().find(|via| !query.exclude.contains(via));
            rig.query = Some(query);
            match free {
                Some(via) => {
                    rig.routed(Ok(choice(*via)));
                }
                None => drop(rig.routed(Err(NoRoute::NoneLeft))),
            }
            rig.query = None;
        }
        if rig.proxy.attempt.is_some() {
            misdeed(rig, tick);
        }
        if let Some(ended) = rig.ended.clone() {
            return (rig.now.0 / 1_000, ended);
        }
        rig.wait(100);
    }
    panic!("it hangs")
}

fn check(holders: &[Via], misdeed: Misdeed, within: std::ops::RangeInclusive<u64>) -> Rig {
    let mut rig = Rig::new(seed());
    let (millis, ended) = run(&mut rig, holders, misdeed);
    assert!(within.contains(&millis), "{millis} ms: {ended:?}");
    assert!(matches!(ended, Ended::Failed(_)), "{ended:?}");
    rig
}

/// Accepts where it has not.
fn accept(rig: &mut Rig) {
    if rig.phase() == "Opening" {
        rig.accept();
    }
}

const MANY: [Via; 6] = [LOCAL, peer(1), peer(2), peer(3), peer(4), peer(5)];

#[test]
fn an_only_holder_that_accepts_and_resets_is_given_up_with_the_search() {
    let rig = check(
        &[peer(1)],
        |rig, _| {
            accept(rig);
            rig.stream_ended();
        },
        3_000..=3_200,
    );
    assert!(rig.attempt() >= 3, "it is asked again: {}", rig.attempt());
}

#[test]
fn an_only_holder_that_accepts_and_goes_silent_is_given_up_after_ten_seconds_and_the_search() {
    for holder in [peer(1), LOCAL] {
        let rig = check(&[holder], |rig, _| accept(rig), 12_900..=13_200);
        assert_eq!(rig.attempt(), 2);
        assert_eq!(rig.outcomes, [(holder, Outcome::Failed); 2]);
    }
}

#[test]
fn promises_put_the_end_of_a_try_off_by_nothing() {
    // Accepted, and the first beacon: neither shows that anything moves.
    let promises: [fn(&mut Rig); 2] = [|rig| drop(rig.accept()), |rig| drop(rig.beacon(7))];
    for promise in promises {
        let mut rig = Rig::new(seed());
        rig.asked(peer(1));
        rig.wait(900);
        promise(&mut rig);
        while rig.attempt() == 1 && rig.outcomes.is_empty() {
            if rig.phase() == "Doubting" {
                rig.routed(Err(NoRoute::NoneLeft));
            }
            rig.wait(50);
        }
        assert_eq!(rig.now.0 / 1_000, 10_000);
    }
}

#[test]
fn beacons_of_an_engine_that_stands_still_put_nothing_off() {
    let still: Misdeed = |rig, _| {
        accept(rig);
        rig.beacon(7);
    };
    check(&[peer(1)], still, 12_900..=13_200);
    let queued: Misdeed = |rig, _| drop(rig.beacon(7));
    check(&[peer(1)], queued, 12_900..=13_200);
}

#[test]
fn one_step_in_each_try_buys_no_more_time() {
    // The first beacons of a try: the engine moves once, then stands still.
    let misdeed: Misdeed = |rig, tick| {
        accept(rig);
        rig.beacon(if tick % 110 == 0 { 1 } else { 2 });
    };
    check(&[peer(1)], misdeed, 12_900..=13_400);
}

#[test]
fn empty_and_known_tokens_are_no_progress() {
    let empty: Misdeed = |rig, _| {
        accept(rig);
        rig.tokens(0, Vec::new());
    };
    check(&[peer(1)], empty, 12_900..=13_200);
    let again: Misdeed = |rig, _| {
        accept(rig);
        rig.scripted(0..1);
    };
    // One token is worth what it came with.
    check(&[peer(1)], again, 12_900..=13_400);
}

#[test]
fn many_holders_that_stand_still_cost_half_a_minute_at_most() {
    let rig = check(&MANY, |rig, _| accept(rig), 13_000..=31_000);
    assert!(rig.attempt() >= MANY.len() as u32, "all are asked");
    let busy: Misdeed = |rig, _| {
        accept(rig);
        rig.beacon(7);
    };
    check(&MANY, busy, 13_000..=31_000);
}

#[test]
fn full_for_ever_is_told_soon_whatever_comes_before() {
    let busy = Refusal::Busy { retry_after_ms: 1 };
    let mut rig = Rig::new(seed());
    for _ in 0..5 {
        rig.asked(peer(1));
        rig.refused(busy.clone());
        rig.routed(Err(NoRoute::NoneLeft));
        rig.wait(200);
    }
    let told = Failure::Busy { retry_after_ms: 1 };
    assert_eq!(rig.ended, Some(Ended::Failed(told)));
    // Who lets the job wait and says it then has used up a try.
    let rig = check(
        &MANY,
        |rig, tick| {
            rig.beacon(tick);
            if tick % 20 == 19 {
                rig.refused(Refusal::Busy { retry_after_ms: 1 });
            }
        },
        30_000..=40_000,
    );
    assert_eq!(rig.attempt(), 16);
}

#[test]
fn mismatches_without_end_are_sixteen_at_most() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(99));
    rig.stream_tokens(0..3);
    rig.stream_ended();
    for n in 1..=15 {
        rig.asked(peer(n));
        rig.refused(Refusal::PromptMismatch);
    }
    let lost = Failure::HoldersLost { attempts: 16 };
    assert_eq!(rig.ended, Some(Ended::Failed(lost)));
}

#[test]
fn an_engine_that_moves_without_a_token_is_left_where_there_is_another() {
    // Accepted: ten seconds. In a line, or at a long prompt: a minute. The next has twice that.
    for (accepts, millis) in [(true, 10_000), (false, 60_000)] {
        let mut rig = Rig::new(seed());
        let mut steps = 0;
        for holder in 1..=2 {
            rig.asked(peer(holder));
            if accepts {
                rig.accept();
            }
            let begin = rig.now;
            while rig.phase() != "Doubting" {
                assert_eq!(rig.ended, None, "it is believed");
                rig.wait(200);
                steps += 1;
                rig.beacon(steps);
            }
            let doubted = rig.now.since(begin).as_millis();
            assert_eq!(doubted, millis * u64::from(holder));
        }
        assert_eq!(rig.outcomes, [(peer(1), Outcome::Failed)]);
    }
}

#[test]
fn a_slow_holder_whose_tokens_come_in_time_is_not_doubted_while_its_engine_moves() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    for tick in 0..200 {
        rig.wait(400);
        rig.beacon(u64::from(tick));
        if tick % 20 == 19 {
            rig.scripted(tick / 20..tick / 20 + 1);
        }
        assert_eq!(rig.phase(), "Streaming");
    }
}

#[test]
fn without_another_an_engine_that_moves_is_waited_for_as_long_as_the_request_may_last() {
    let mut rig = Rig::new(seed());
    let (millis, ended) = run(&mut rig, &[peer(1)], |rig, tick| {
        accept(rig);
        rig.beacon(tick);
    });
    assert_eq!(ended, Ended::Failed(Failure::DeadlineExceeded));
    assert_eq!((millis, rig.attempt()), (300_000, 1));
    // And its token is taken when it comes.
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    for steps in 0..400 {
        rig.wait(200);
        rig.beacon(steps);
        if rig.phase() == "Doubting" {
            rig.routed(Err(NoRoute::NoneLeft));
        }
    }
    rig.scripted(0..1);
    assert_eq!(rig.phase(), "Streaming");
    rig.end(EndReason::Stop, 1);
    assert_eq!(rig.text, scripted::text(5, 1));
}

#[test]
fn a_token_now_and_then_lasts_as_long_as_the_request_may() {
    // One each eight seconds, from a holder that says nothing else.
    let mut rig = Rig::new(seed());
    let (millis, ended) = run(&mut rig, &[peer(1)], |rig, tick| {
        accept(rig);
        if tick.is_multiple_of(80) {
            let at = u32::try_from(tick / 80).unwrap();
            rig.scripted(at..at + 1);
        }
    });
    assert_eq!(ended, Ended::Failed(Failure::DeadlineExceeded));
    assert_eq!(millis, 300_000);
    // One each minute is none.
    check(
        &[peer(1)],
        |rig, tick| {
            accept(rig);
            if tick % 600 == 5 {
                rig.scripted(0..1);
            }
        },
        13_000..=14_000,
    );
}

#[test]
fn an_honest_prompt_that_outlasts_every_limit_is_read_to_its_end_after_a_bad_start() {
    // The first try is lost; the second reads for two minutes, is lost too, and there is a third.
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_ended();
    rig.routed(Err(NoRoute::NoneLeft));
    rig.wait(200);
    rig.asked(peer(2));
    for steps in 0..300 {
        rig.wait(400);
        rig.beacon(steps);
        if rig.phase() == "Doubting" {
            rig.routed(Err(NoRoute::NoneLeft));
        }
    }
    rig.stream_ended();
    assert_eq!((rig.phase(), rig.attempt()), ("Routing", 2));
    rig.accepted(peer(3));
    rig.stream_tokens(0..3);
    rig.end(EndReason::Stop, 3);
    assert_eq!(rig.text, scripted::text(5, 3));
}

#[test]
fn the_clients_pause_is_not_the_holders_silence() {
    let mut rig = Rig::new(seed());
    rig.accepted(peer(1));
    rig.stream_tokens(0..3);
    rig.flow(Flow::Full);
    rig.wait(100_000);
    rig.flow(Flow::Ready);
    assert_eq!(rig.phase(), "Streaming");
    rig.wait(900);
    assert_eq!(rig.phase(), "Streaming", "it has its time anew");
    rig.stream_tokens(3..6);
    rig.end(EndReason::Stop, 6);
    assert_eq!(rig.text, scripted::text(5, 6));
}
