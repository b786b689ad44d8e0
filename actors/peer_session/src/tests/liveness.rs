//! Pings, silence, expiry, and what the router hears of them.

use super::*;
use messages::router::PeerState;

fn router_states(bench: &mut Bench, input: Input) -> Vec<PeerState> {
    let mut out = Outbox::new();
    bench.session.handle(bench.now, input, &mut out).unwrap();
    states(out.effects())
}

fn states(effects: &[Effect]) -> Vec<PeerState> {
    let state = |effect: &Effect| {
        let Effect::Tell(Letter::Router(router::Input::Peer(state))) = effect else {
            return None;
        };
        Some((**state).clone())
    };
    effects.iter().filter_map(state).collect()
}

#[test]
fn an_active_session_pings_each_second_and_answers_pings() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.wait(Micros::from_millis(2_100)), ["ping", "ping"]);
    assert_eq!(bench.tell(frame(ControlFrame::Ping(77))), "pong");
}

#[test]
fn silence_makes_the_peer_stale_in_2500_ms_and_ends_the_session_15_s_later() {
    let mut bench = Bench::in_phase(Phase::Active);
    let said = bench.wait(Micros::from_millis(2_499));
    assert!(!said.contains(&"stale".to_owned()), "{said:?}");
    assert_eq!(bench.wait(Micros::from_millis(1)), ["stale"]);
    let said = bench.wait(Micros::from_millis(14_999));
    assert!(said.iter().all(|turn| turn == "ping"), "{said:?}");
    assert_eq!(bench.wait(Micros::from_millis(1)), ["end"]);
    assert_eq!(
        bench.session.ended,
        Some(messages::peer_session::Ended::LinkLost(
            messages::peer_session::LinkLoss::TimedOut
        ))
    );
}

#[test]
fn a_peer_that_speaks_but_does_not_hear_is_stale_too() {
    let mut bench = Bench::in_phase(Phase::Active);
    let mut said = Vec::new();
    for number in 0..40 {
        said.extend(bench.wait(Micros::from_millis(100)));
        said.push(bench.tell(frame(ControlFrame::Ping(number))));
    }
    assert_eq!(
        said.iter().filter(|turn| *turn == "stale").count(),
        1,
        "{said:?}"
    );
    // A number that was never pinged answers nothing.
    assert_eq!(bench.tell(frame(ControlFrame::Pong(1_000))), "·");
    assert_eq!(bench.tell(frame(ControlFrame::Pong(4))), "fresh");
}

#[test]
fn a_membership_that_ends_while_the_session_lives_ends_the_session() {
    let mut bench = Bench::in_phase(Phase::Judging);
    let until = Some(WALL + Micros::from_millis(2_500));
    assert_eq!(
        bench.tell(Input::Verdict(Verdict::Admit { until })),
        "admit"
    );
    assert_eq!(bench.tell(frame(ControlFrame::Admit(()))), "up");
    let mut said = Vec::new();
    for number in 1..5 {
        said.extend(bench.wait(Micros::from_secs(1)));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert_eq!(said, ["ping", "ping", "deny, end"]);
    let expired = messages::peer_session::Ended::DeniedHere(Deny::Expired);
    assert_eq!(bench.session.ended, Some(expired));
}

#[test]
fn an_admission_that_is_over_already_is_none() {
    check(
        Phase::Judging,
        Input::Verdict(Verdict::Admit { until: Some(WALL) }),
        "deny, end",
    );
}

#[test]
fn the_handshake_has_five_seconds_in_all_however_often_it_begins_anew() {
    let mut bench = Bench::new();
    let mut said = Vec::new();
    for _ in 0..9 {
        said.push(bench.tell(frame(hello(false, 1))));
        said.extend(bench.wait(Micros::from_millis(600)));
    }
    assert!(said.contains(&"deny, end".to_owned()), "{said:?}");
}

#[test]
fn a_peer_that_says_hello_without_end_is_refused() {
    let mut bench = Bench::in_phase(Phase::Active);
    let said: Vec<String> = (0..16)
        .map(|_| bench.tell(frame(hello(false, 1))))
        .collect();
    // One more began the session.
    assert_eq!(said[14..], ["anew", "deny, end"], "{said:?}");
    assert_eq!(bench.tell(frame(hello(false, 1))), "·");
}

#[test]
fn the_router_hears_of_adverts_within_100_ms_and_of_many_changes_once() {
    let mut bench = Bench::in_phase(Phase::Active);
    for active in 1..5 {
        assert_eq!(bench.tell(frame(ControlFrame::Load(load(active)))), "·");
    }
    assert_eq!(bench.tell(frame(introductions(PEER, &["m"]))), "introduced");
    bench.go(bench.session.deadline().unwrap().at);
    let mut out = Outbox::new();
    bench.session.on_deadline(bench.now, &mut out).unwrap();
    let states = states(out.effects());
    assert_eq!(states.len(), 1);
    assert_eq!((states[0].load, states[0].models.len()), (load(4), 1));
    assert!(
        bench.now.wall.since(WALL) <= Micros::from_millis(100),
        "too late"
    );
}

#[test]
fn adverts_of_others_are_no_adverts_of_the_peer() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(
        bench.tell(frame(introductions(NodeId([5; 32]), &["m"]))),
        "introduced"
    );
    bench.go(bench.now.mono + Micros::from_millis(200));
    assert!(router_states(&mut bench, Input::Serves(Vec::new())).is_empty());
}

#[test]
fn a_peer_that_takes_no_jobs_advertises_nothing() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(frame(introductions(PEER, &["m"])));
    bench.wait(Micros::from_millis(100));
    let mut busy = introduction(PEER, &["m"]);
    let said = Capabilities {
        accepting: messages::Accepting::Busy,
        ..Default::default()
    };
    busy.record.record.value = Some(said.encode().unwrap());
    bench.wait(Micros::from_millis(100));
    let input = frame(ControlFrame::Introductions(List::truncated([busy])));
    let states = router_states(&mut bench, input);
    assert_eq!(
        states
            .iter()
            .map(|state| state.models.len())
            .collect::<Vec<_>>(),
        [0]
    );
}

#[test]
fn requests_at_a_silent_peer_are_told_within_650_ms_and_once() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.wait(Micros::from_millis(300));
    bench.tell(frame(ControlFrame::Pong(1)));
    let (stream, request) = (StreamId(9), request(1));
    bench.tell(Input::Opened {
        stream,
        request,
        attempt: 1,
    });
    let said = bench.wait(Micros::from_millis(449));
    assert_eq!(said, ["ping", "ping", "ping"], "at once, then each 200 ms");
    assert_eq!(bench.wait(Micros::from_millis(1)), ["silent, quiet"]);
    let said = bench.wait(Micros::from_millis(1_000));
    assert!(!said.contains(&"silent".to_owned()), "{said:?}");
}

#[test]
fn requests_at_a_peer_that_answers_are_told_nothing() {
    let mut bench = Bench::in_phase(Phase::Active);
    let (stream, request) = (StreamId(9), request(1));
    bench.tell(Input::Opened {
        stream,
        request,
        attempt: 1,
    });
    for number in 0..40 {
        let said = bench.wait(Micros::from_millis(100));
        assert!(!said.contains(&"silent".to_owned()), "{said:?}");
        bench.tell(frame(ControlFrame::Pong(number)));
    }
}
