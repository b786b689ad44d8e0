//! Holders of models in a mesh that is larger than a neighbourhood: who is looked for, and when.

use super::neighbourhood::{bounded, come, come_all, dialled, hear, serving, small};
use super::*;
use crate::neighbourhood::HOLDERS;
use messages::Neighbourhood;

const MINUTE: Micros = Micros::from_secs(60);

#[test]
fn nobody_is_looked_for_before_what_is_durable_is_known() {
    let neighbourhood = Neighbourhood::new(3, 12).unwrap();
    let mut bench = Bench::loading(Seed {
        neighbourhood,
        ..seed(ME)
    });
    let holders = (10..20).map(|author| serving(author, 1, &[1]));
    bench.tell(introduced(OWNER, holders));
    for _ in 0..20 {
        // A bench fails a turn that asks for the next one at once.
        bench.turn();
    }
    assert_eq!(dialled(&mut bench), []);
}

#[test]
fn a_holder_is_dialled_beyond_what_is_looked_for_until_three_are_here() {
    let mut bench = small(1);
    come(&mut bench, 30, true, 100);
    come(&mut bench, 31, true, 100);
    come_all(&mut bench, 32..36);
    bench.tell(introduced(
        30,
        (10..15).map(|member| serving(member, 1, &[1])),
    ));
    for number in 0..3 {
        bench.wait(Micros::from_secs(10));
        let dialled = dialled(&mut bench);
        let [holder] = dialled[..] else {
            panic!("holder {number} is dialled: {dialled:?}")
        };
        assert!((10..15).contains(&holder));
        come(&mut bench, holder, true, 100);
    }
    bench.wait(Micros::from_secs(10));
    assert_eq!(dialled(&mut bench), [0; 0], "three are enough");
}

/// Sated, and has heard of these members and of those that serve.
fn knows(members: std::ops::Range<u8>, serve: std::ops::Range<u8>) -> Bench {
    let mut bench = small(1);
    come(&mut bench, 30, true, 100);
    come(&mut bench, 31, true, 100);
    come_all(&mut bench, 32..36);
    hear(&mut bench, members);
    bench.tell(introduced(30, serve.map(|member| serving(member, 1, &[1]))));
    bench.sent.clear();
    bench
}

#[test]
fn where_holders_have_few_places_each_takes_one() {
    // Two holders with twelve places each, and twenty-seven members.
    let mut bench = knows(40..60, 10..12);
    bench.wait(Micros::from_secs(20));
    let [holder] = dialled(&mut bench)[..] else {
        panic!("a holder is dialled")
    };
    come(&mut bench, holder, true, 100);
    bench.wait(Micros::from_secs(20));
    assert_eq!(dialled(&mut bench), [0; 0], "one is enough");
}

#[test]
fn holders_that_are_not_there_are_tried_again_within_half_a_minute() {
    let mut bench = knows(40..41, 10..12);
    let end = bench.now.mono + MINUTE.times(10);
    let (mut last, mut longest) = (bench.now.mono, Micros(0));
    while bench.now.mono < end {
        bench.turn();
        for peer in dialled(&mut bench) {
            if (10..12).contains(&peer) {
                longest = longest.max(bench.now.mono.since(last));
                last = bench.now.mono;
            }
            bench.wait(Micros::from_secs(5));
            let (peer, why) = (node(peer), transport::DialError::TimedOut);
            bench.tell(Input::DialFailed { peer, why });
        }
    }
    assert!(longest <= Micros::from_secs(40), "{longest:?}");
}

fn let_go_by(bench: &mut Bench, peer: u8) {
    bench.tell(ended(peer, Ended::DeniedByPeer(Deny::Enough)));
}

#[test]
fn when_a_holder_is_not_there_the_next_one_is_tried_whoever_else_lets_go() {
    let mut bench = knows(40..41, 10..12);
    let mut tried = Vec::new();
    while tried.len() < 2 {
        bench.turn();
        for peer in dialled(&mut bench) {
            tried.push(bench.now.mono);
            let (peer, why) = (node(peer), transport::DialError::TimedOut);
            bench.tell(Input::DialFailed { peer, why });
            let_go_by(&mut bench, 32);
        }
    }
    let apart = tried[1].since(tried[0]);
    assert!(apart <= Micros::from_secs(1), "{apart:?}");
}

#[test]
fn a_holder_that_lets_go_is_asked_less_and_less_often() {
    let mut bench = knows(40..41, 10..11);
    let mut waits = Vec::new();
    for _ in 0..7 {
        let since = bench.now.mono;
        while dialled(&mut bench) != [10] {
            bench.turn();
        }
        waits.push(bench.now.mono.since(since).0 / 1_000_000);
        come(&mut bench, 10, true, 100);
        let_go_by(&mut bench, 10);
        bench.session_down(10, Exit::Normal);
    }
    assert_eq!(waits[1..], [10, 20, 40, 80, 160, 300]);
}

#[test]
fn a_model_that_a_request_wants_has_holders_dialled_whatever_is_served() {
    let mut bench = knows(40..41, 10..20);
    for peer in 10..13 {
        come(&mut bench, peer, true, 100);
    }
    bench.wait(Micros::from_secs(10));
    assert_eq!(dialled(&mut bench), [0; 0], "three serve it");
    let wanted = |number| Input::Wanted {
        model: model(number).model,
    };
    bench.tell(wanted(2));
    assert_eq!(dialled(&mut bench), [0; 0], "nobody is known to serve it");
    let mut tried = Vec::new();
    for _ in 0..5 {
        bench.tell(wanted(1));
        tried.extend(dialled(&mut bench));
    }
    assert!(tried.iter().all(|peer| (13..20).contains(peer)));
    assert_eq!(tried.len(), HOLDERS, "no more at once: {tried:?}");
    // One answers no more: of the rest whoever was there goes first.
    for peer in tried {
        let (peer, why) = (node(peer), transport::DialError::TimedOut);
        bench.tell(Input::DialFailed { peer, why });
    }
    bench.tell(wanted(1));
    let [next] = dialled(&mut bench)[..] else {
        panic!("another is tried")
    };
    assert!((13..20).contains(&next));
}

#[test]
fn of_those_that_serve_one_that_was_just_lost_is_tried_last() {
    for entropy in 0..8 {
        let mut bench = bounded(entropy, 3, 12);
        come(&mut bench, 30, true, 100);
        come(&mut bench, 31, true, 100);
        come_all(&mut bench, 32..36);
        bench.tell(introduced(30, (10..15).map(|it| serving(it, 1, &[1]))));
        for peer in 10..13 {
            come(&mut bench, peer, true, 100);
        }
        bench.wait(Micros::from_secs(10));
        bench.sent.clear();
        for peer in 10..13 {
            bench.tell(ended(peer, LOST));
        }
        bench.wait(Micros::from_secs(2));
        let mut tried = dialled(&mut bench);
        let wanted = Input::Wanted {
            model: model(1).model,
        };
        for _ in tried.len()..2 {
            bench.tell(wanted.clone());
            tried.extend(dialled(&mut bench));
        }
        tried.sort_unstable();
        assert_eq!(tried, [13, 14], "the others were just lost");
    }
}
