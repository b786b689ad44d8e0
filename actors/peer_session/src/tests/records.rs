//! What lies between the gossip store and the peer: who is a neighbour, and what each says.

use super::*;
use gossip_store::Input as Records;
use messages::peer_session::LinkLoss;
use messages::wire::latest::Roots;

const STORE: Address = Address::GossipStore(NETWORK);
const NOT_ACTIVE: [Phase; 4] = [
    Phase::Greeting,
    Phase::Judging,
    Phase::Admitting,
    Phase::Closing,
];

fn roots(n: u8) -> Box<Gossip> {
    let (public, gated) = (Digest([n; 32]), None);
    Box::new(Gossip::Roots(Roots { public, gated }))
}

/// The frames about records that the last turn sent, and on which link.
fn said(bench: &Bench) -> Vec<(LinkId, Box<Gossip>)> {
    let sent = |effect: &Effect| {
        let Effect::Tell(Letter::Transport(transport::Command::Send { link, frame, .. })) = effect
        else {
            return None;
        };
        let ControlFrame::Gossip(gossip) = &**frame else {
            return None;
        };
        Some((*link, gossip.clone()))
    };
    bench.did.iter().filter_map(sent).collect()
}

/// What the last turn did, word by word.
fn unfolded(bench: &Bench) -> Vec<&'static str> {
    bench.did.iter().filter_map(word).collect()
}

#[test]
fn the_store_hears_of_a_neighbour_once_and_after_the_roster() {
    let mut bench = Bench::in_phase(Phase::Admitting);
    bench.tell(Input::Load(load(1)));
    bench.tell(frame(ControlFrame::Admit(())));
    assert_eq!(bench.to_store(), [Records::Active(PEER)]);
    let said = ["active", "records", "load", "ping", "fresh"];
    assert_eq!(unfolded(&bench), said);
    bench.tell(frame(ControlFrame::Admit(())));
    assert_eq!(bench.to_store(), []);
}

#[test]
fn what_an_active_peer_says_of_records_reaches_the_store_as_it_is() {
    let mut bench = Bench::in_phase(Phase::Active);
    for n in 0..3 {
        bench.tell(frame(ControlFrame::Gossip(roots(n))));
        assert_eq!(bench.to_store(), [Records::Heard(PEER, roots(n))]);
    }
    assert_eq!(bench.session.dropped, 0);
}

#[test]
fn what_is_said_of_records_before_admission_or_on_another_link_is_dropped() {
    for phase in NOT_ACTIVE {
        let mut bench = Bench::in_phase(phase);
        assert_eq!(bench.tell(frame(ControlFrame::Gossip(roots(1)))), "·");
        let over = phase == Phase::Closing;
        assert_eq!(bench.session.dropped, u64::from(!over), "{}", phase.name());
    }
    let mut bench = Bench::in_phase(Phase::Active);
    let (link, dialled) = (LinkId(11), false);
    bench.tell(Input::Link { link, dialled });
    let frame = ControlFrame::Gossip(roots(1));
    bench.tell(Input::Frame { link, frame });
    assert_eq!(bench.to_store(), []);
    assert_eq!(bench.session.dropped, 1);
}

#[test]
fn what_the_store_says_goes_out_in_order_while_the_session_is_active() {
    let mut bench = Bench::in_phase(Phase::Active);
    for n in 0..3 {
        assert_eq!(bench.tell(Input::Gossip(roots(n))), "gossip");
        assert_eq!(said(&bench), [(LINK, roots(n))]);
    }
    for phase in NOT_ACTIVE {
        check(phase, Input::Gossip(roots(1)), "·");
    }
}

type Happen = fn(&mut Bench);

/// All that ends a session that is active.
const ENDINGS: [(&str, Happen); 12] = [
    ("the link", |bench| {
        let (link, why) = (LINK, LinkLoss::Reset);
        drop(bench.tell(Input::LinkDown { link, why }));
    }),
    ("the peer's Deny", |bench| {
        drop(bench.tell(frame(ControlFrame::Deny(Deny::Full))));
    }),
    ("a bad frame", |bench| {
        let (link, why) = (LINK, Label::default());
        drop(bench.tell(Input::BadFrame { link, why }));
    }),
    ("the peer leaves", |bench| {
        drop(bench.tell(frame(ControlFrame::Leave(true))));
    }),
    ("the node leaves", |bench| drop(bench.tell(Input::Leave))),
    ("a cut", |bench| drop(bench.tell(Input::Cut(Deny::Revoked)))),
    ("a release", |bench| drop(bench.tell(Input::Release))),
    ("a verdict", |bench| {
        drop(bench.tell(Input::Verdict(Verdict::Deny(Deny::Expired))));
    }),
    ("the transport", |bench| {
        drop(bench.down(Address::Transport, Exit::Killed));
    }),
    ("a frame that is not sent", |bench| {
        let send = transport::Command::Send {
            link: LINK,
            network: NETWORK,
            frame: Box::new(ControlFrame::Leave(false)),
        };
        drop(bench.returned(Letter::Transport(send), ReturnReason::Busy));
    }),
    ("silence", |bench| {
        while bench.session.ended.is_none() {
            bench.turn();
        }
    }),
    ("its time", |bench| {
        let until = Some(bench.now.wall);
        bench.tell(Input::Verdict(Verdict::Admit { until }));
        while bench.session.ended.is_none() {
            bench.turn();
        }
    }),
];

#[test]
fn whatever_ends_an_active_session_the_store_hears_it_first_and_once() {
    for (what, happen) in ENDINGS {
        let mut bench = Bench::in_phase(Phase::Active);
        happen(&mut bench);
        assert!(bench.session.ended.is_some(), "{what}");
        assert_eq!(bench.to_store(), [Records::Gone(PEER)], "{what}");
        let ending: Vec<&str> = unfolded(&bench)
            .into_iter()
            .skip_while(|word| *word != "parted")
            .collect();
        let ends = match ending[1] {
            "deny" => &ending[2..],
            _ => &ending[1..],
        };
        assert_eq!(ends, ["close", "gone", "ended", "forget", "stop"], "{what}");
        assert_eq!(bench.tell(Input::Cut(Deny::Revoked)), "·");
    }
}

#[test]
fn the_end_of_a_session_that_never_was_active_is_none_of_the_stores() {
    for phase in NOT_ACTIVE {
        let mut bench = Bench::in_phase(phase);
        bench.tell(Input::Cut(Deny::Revoked));
        assert_eq!(bench.to_store(), [], "{}", phase.name());
        assert!(bench.session.ended.is_some());
    }
}

#[test]
fn a_handshake_that_begins_anew_parts_the_peer_until_it_is_over() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(frame(hello(false, 1)));
    assert_eq!(bench.to_store(), [Records::Gone(PEER)]);
    assert_eq!(bench.tell(Input::Gossip(roots(1))), "·");
    assert_eq!(bench.tell(frame(ControlFrame::Gossip(roots(1)))), "·");
    let proof = ControlFrame::Proof(credential("peer").into());
    assert_eq!(bench.tell(frame(proof)), "judge");
    bench.tell(Input::Verdict(Verdict::Admit { until: None }));
    bench.tell(frame(ControlFrame::Admit(())));
    assert_eq!(bench.to_store(), [Records::Active(PEER)]);
    assert_eq!(bench.tell(Input::Gossip(roots(2))), "gossip");
}

#[test]
fn a_new_life_of_the_store_is_told_of_the_neighbour_again() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.down(STORE, Exit::Killed), "watch, records");
    assert_eq!(bench.to_store(), [Records::Active(PEER)]);
    let failed = Exit::Failed("a row is no record".to_owned());
    assert_eq!(bench.down(STORE, failed), "watch, records");
    for phase in NOT_ACTIVE {
        let mut bench = Bench::in_phase(phase);
        bench.down(STORE, Exit::Killed);
        assert_eq!(bench.to_store(), [], "{}", phase.name());
        let watches = bench.did.contains(&Effect::Watch(STORE));
        assert_eq!(watches, phase != Phase::Closing, "{}", phase.name());
    }
}

#[test]
fn a_store_that_is_not_there_is_looked_for_in_ten_seconds() {
    for why in [Exit::NoActor, Exit::StartFailed("spent".to_owned())] {
        let mut bench = Bench::in_phase(Phase::Active);
        assert_eq!(bench.down(STORE, why), "·");
        let mut said: Vec<String> = Vec::new();
        for number in 1..=10 {
            assert!(!said.concat().contains("records"), "{said:?}");
            said.push(bench.wait(Micros::from_secs(1)).concat());
            bench.tell(frame(ControlFrame::Pong(number)));
        }
        assert!(said[9].contains("watch, records"), "{said:?}");
    }
}

#[test]
fn nothing_of_records_that_comes_back_is_missed() {
    let mut bench = Bench::in_phase(Phase::Active);
    let send = transport::Command::Send {
        link: LINK,
        network: NETWORK,
        frame: Box::new(ControlFrame::Gossip(roots(1))),
    };
    let tells = [Records::Active(PEER), Records::Heard(PEER, roots(1))];
    let mut letters = tells
        .map(|input| Letter::GossipStore(NETWORK, input))
        .to_vec();
    letters.push(Letter::Transport(send));
    for letter in letters {
        for why in [
            ReturnReason::Busy,
            ReturnReason::NoActor,
            ReturnReason::StartFailed,
            ReturnReason::ParkFull,
        ] {
            assert_eq!(bench.returned(letter.clone(), why), "·");
        }
    }
    assert_eq!(bench.session.phase(), Phase::Active);
}
