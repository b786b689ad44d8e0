//! Neighbours that restart, letters that come back, and inputs that make no sense.

use super::*;

#[test]
fn a_standing_admission_holds_while_the_roster_restarts() {
    let mut bench = Bench::in_phase(Phase::Active);
    let roster = Address::Roster(NETWORK);
    assert_eq!(bench.down(roster, Exit::Killed), "watch, judge, active");
    for _ in 0..4 {
        assert_eq!(bench.tell(Input::Verdict(Verdict::Unknown)), "·");
        assert_eq!(bench.wait(Micros::from_millis(200)), ["judge"]);
    }
    assert_eq!(bench.session.phase(), Phase::Active);
    assert_eq!(
        bench.tell(Input::Verdict(Verdict::Admit { until: None })),
        "·"
    );
    assert_eq!(bench.wait(Micros::from_millis(150)), Vec::<String>::new());
}

#[test]
fn a_roster_that_restarts_and_refuses_the_peer_ends_the_session() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.down(Address::Roster(NETWORK), Exit::Killed);
    assert_eq!(
        bench.tell(Input::Verdict(Verdict::Deny(Deny::Revoked))),
        "deny, end"
    );
}

#[test]
fn a_roster_that_restarts_is_told_the_peers_record_again() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(frame(introductions(PEER, &["m"])));
    bench.wait(Micros::from_millis(100));
    bench.down(Address::Roster(NETWORK), Exit::Killed);
    bench.tell(Input::Verdict(Verdict::Admit { until: None }));
    assert_eq!(bench.wait(Micros::from_millis(200)), ["introduced"]);
}

#[test]
fn a_roster_that_restarts_is_told_who_was_revoked_before_it_judges() {
    let mut bench = Bench::in_phase(Phase::Active);
    let revoke = |n: u8| {
        let record = introduction(NodeId([n; 32]), &[]).record;
        frame(ControlFrame::Revoke(record.into()))
    };
    for n in 0..70 {
        assert_eq!(bench.tell(revoke(n)), "revoked");
        assert_eq!(bench.tell(revoke(n)), "revoked", "the roster knows better");
    }
    let roster = Address::Roster(NETWORK);
    let told = bench.down(roster, Exit::Killed);
    assert_eq!(told.matches("revoked").count(), 64);
    assert!(told.starts_with("watch, revoked") && told.ends_with("judge, active"));
}

#[test]
fn a_new_peer_waits_for_a_roster_that_restarts() {
    let mut bench = Bench::in_phase(Phase::Judging);
    assert_eq!(
        bench.down(Address::Roster(NETWORK), Exit::Killed),
        "watch, judge"
    );
    assert_eq!(bench.tell(Input::Verdict(Verdict::Unknown)), "·");
    assert_eq!(bench.wait(Micros::from_millis(200)), ["judge"]);
    assert_eq!(
        bench.tell(Input::Verdict(Verdict::Admit { until: None })),
        "admit"
    );
}

#[test]
fn what_the_roster_had_no_room_for_is_told_again() {
    let mut bench = Bench::in_phase(Phase::Active);
    let entries = List::truncated([introduction(PEER, &["m"])]);
    let letter = Letter::Roster(
        NETWORK,
        roster::Input::Introduced {
            from: PEER,
            entries,
        },
    );
    assert_eq!(bench.returned(letter, ReturnReason::Busy), "·");
    assert_eq!(bench.wait(Micros::from_millis(200)), ["introduced"]);
}

#[test]
fn a_roster_that_found_no_room_for_it_hears_again_that_the_session_is_active() {
    let returned = |why| {
        let mut bench = Bench::in_phase(Phase::Active);
        let active = roster::Input::Active { peer: PEER };
        assert_eq!(bench.returned(Letter::Roster(NETWORK, active), why), "·");
        bench.wait(Micros::from_millis(200)).concat()
    };
    for why in [ReturnReason::Busy, ReturnReason::ParkFull] {
        assert_eq!(returned(why), "active", "{why:?}");
    }
    // Its next life is told by its Down.
    for why in [ReturnReason::NoActor, ReturnReason::StartFailed] {
        assert_eq!(returned(why), "", "{why:?}");
    }
}

#[test]
fn a_neighbour_that_spent_its_restarts_is_looked_for_in_ten_seconds() {
    let mut bench = Bench::in_phase(Phase::Active);
    let failed = Exit::StartFailed("spent".to_owned());
    assert_eq!(bench.down(Address::Router, failed), "·");
    let mut said = Vec::new();
    for number in 1..11 {
        said.extend(bench.wait(Micros::from_secs(1)));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert_eq!(
        said.iter()
            .filter(|turn| turn.contains("watch, fresh"))
            .count(),
        1,
        "{said:?}"
    );
}

#[test]
fn letters_that_come_back_are_answered_for() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(Input::Open {
        request: request(1),
        job: job(ME, 1),
    });
    let open = transport::Command::Open {
        link: LINK,
        network: NETWORK,
        peer: PEER,
        request: request(1),
        job: job(ME, 1),
    };
    assert_eq!(
        bench.returned(Letter::Transport(open), ReturnReason::Busy),
        "no"
    );
    assert_eq!(bench.session.streams.ours(), 0);
    let opened = request_proxy::Input::Opened {
        attempt: 1,
        stream: StreamId(4),
    };
    let letter = Letter::Proxy(request(1), opened);
    assert_eq!(bench.returned(letter, ReturnReason::NoActor), "cancel");
    let ping = transport::Command::Send {
        link: LINK,
        network: NETWORK,
        frame: Box::new(ControlFrame::Ping(3)),
    };
    assert_eq!(
        bench.returned(Letter::Transport(ping), ReturnReason::Busy),
        "·"
    );
}

/// Any input in any order: no panic, no broken invariant, and no deadline in the past.
#[test]
fn whatever_a_peer_and_its_neighbours_do_the_session_stays_whole() {
    for number in 0..300 {
        let mut entropy = Entropy::from_number(number);
        let mut bench = Bench::new();
        for _ in 0..200 {
            match entropy.below(12) {
                0 => {
                    bench.turn();
                }
                1 => bench.go(bench.now.mono + Micros(entropy.below(3_000_000))),
                2 => {
                    let neighbours = bench.session.watched();
                    let who = neighbours[usize::try_from(entropy.below(5)).unwrap()];
                    let why = if entropy.chance(500_000) {
                        Exit::Killed
                    } else {
                        Exit::NoActor
                    };
                    if who != Address::Transport || entropy.chance(20_000) {
                        bench.down(who, why);
                    }
                }
                _ => {
                    let input = any_input(&mut entropy);
                    bench.tell(input);
                }
            }
        }
    }
}

fn any_input(entropy: &mut Entropy) -> Input {
    let link = LinkId(10 + entropy.below(6));
    let author = NodeId([u8::try_from(entropy.below(3)).unwrap(); 32]);
    let frame = match entropy.below(17) {
        0..4 => hello(entropy.chance(500_000), entropy.below(3)),
        4..7 => ControlFrame::Proof(credential(["peer", "other"][(link.0 % 2) as usize]).into()),
        7..9 => ControlFrame::Admit(()),
        9 if entropy.chance(100_000) => ControlFrame::Deny(Deny::Full),
        10 => ControlFrame::Ping(entropy.number()),
        11 => ControlFrame::Pong(entropy.below(5)),
        12 => introductions(author, &["m", "n"]),
        13 => ControlFrame::Load(load(1)),
        14 => ControlFrame::Revoke(introduction(author, &[]).record.into()),
        15 => ControlFrame::Gossip(gossip()),
        _ => ControlFrame::Leave(entropy.chance(20_000)),
    };
    let stream = StreamId(entropy.below(9));
    match entropy.below(42) {
        0..24 => Input::Frame { link, frame },
        24..27 => Input::Link {
            link,
            dialled: entropy.chance(500_000),
        },
        27 => Input::LinkDown {
            link,
            why: messages::peer_session::LinkLoss::Reset,
        },
        28..32 => Input::Verdict(Verdict::Admit { until: None }),
        32 => Input::Verdict(Verdict::Unknown),
        33..35 => inbound(stream.0, link, author),
        35 => Input::Opened {
            stream,
            request: request(entropy.below(3)),
            attempt: 1,
        },
        36 => Input::Open {
            request: request(entropy.below(3)),
            job: job(ME, 1),
        },
        37 => Input::Load(load(3)),
        38 => Input::Introduce(List::truncated([introduction(author, &["m"])])),
        39..41 => Input::Gossip(gossip()),
        _ => Input::Serves(vec![(MODEL, DeviceId(1))]),
    }
}

#[test]
fn only_so_much_waits_for_a_roster_that_has_no_room() {
    let mut bench = Bench::in_phase(Phase::Active);
    for n in 0..20 {
        let entries = List::truncated([introduction(PEER, &[["a", "b"][n % 2]])]);
        let from = PEER;
        let input = roster::Input::Introduced { from, entries };
        bench.returned(Letter::Roster(NETWORK, input), ReturnReason::Busy);
    }
    let told = bench.wait(Micros::from_secs(1)).join(", ");
    assert_eq!(told.matches("introduced").count(), 16, "{told}");
}
