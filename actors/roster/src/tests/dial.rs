//! Whom a roster dials, and how often.

use super::*;
use messages::limits::UNREACHED_MAX;
use messages::observer::{self, Fact};

fn failed(peer: u8) -> Input {
    Input::DialFailed {
        peer: node(peer),
        why: transport::DialError::TimedOut,
    }
}

/// Peers dialled in this time, with the moments, each dial failing at once.
fn dials(bench: &mut Bench, span: Micros) -> Vec<(u64, NodeId)> {
    let (begin, end) = (bench.now.mono, bench.now.mono + span);
    let mut dials = Vec::new();
    while let Some(due) = bench.roster.deadline().filter(|due| due.at <= end) {
        bench.sent.clear();
        bench.go(due.at);
        bench.turn();
        for peer in dialled(bench) {
            dials.push((bench.now.mono.since(begin).as_millis(), peer));
            let why = transport::DialError::TimedOut;
            bench.tell(Input::DialFailed { peer, why });
        }
    }
    bench.go(end);
    dials
}

fn dialled(bench: &Bench) -> Vec<NodeId> {
    let dial = |effect: &Effect| {
        let Effect::Tell(Letter::Transport(transport::Command::Dial { peer, .. })) = effect else {
            return None;
        };
        Some(*peer)
    };
    bench.sent.iter().filter_map(dial).collect()
}

#[test]
fn contacts_are_dialled_at_once_and_members_after_a_moment() {
    let mut bench = Bench::loading(seed(ME));
    assert_eq!(bench.tell(Input::Loaded(Vec::new())), "members, dial");
    assert_eq!(dialled(&bench), [node(OWNER)]);
    bench.tell(introduced(OWNER, [advert(PEER, 1)]));
    assert!(dialled(&bench).len() == 1, "not in the same turn");
    bench.sent.clear();
    bench.wait(Micros::from_millis(250));
    assert_eq!(dialled(&bench), [node(PEER)]);
}

#[test]
fn a_node_that_leaves_dials_nobody_and_begins_no_session() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(failed(OWNER));
    bench.tell(link_up(PEER, 1));
    bench.tell(Input::Leave);
    assert_eq!(
        bench.tell(link_up(PEER, 2)),
        "link",
        "of a session that there is"
    );
    assert_eq!(bench.tell(link_up(5, 3)), "close");
    bench.tell(ended(PEER, LOST));
    assert_eq!(bench.tell(link_up(PEER, 4)), "close");
    assert_eq!(dials(&mut bench, Micros::from_secs(300)), []);
}

#[test]
fn the_back_off_doubles_to_thirty_seconds_and_is_spread() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(failed(OWNER));
    let moments: Vec<u64> = dials(&mut bench, Micros::from_secs(300))
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    let mut last = 0;
    for (number, at) in moments.iter().enumerate() {
        let base = (1_000_u64 << number.min(5)).min(30_000);
        let wait = at - last;
        assert!(
            wait >= base * 3 / 4 && wait <= base * 5 / 4,
            "wait {number} is {wait} ms"
        );
        last = *at;
    }
    assert!(moments.len() >= 10, "{moments:?}");
}

#[test]
fn a_session_that_lasted_begins_the_back_off_anew_and_a_short_one_does_not() {
    for (lasts, soon) in [(Micros::from_secs(10), true), (Micros::from_secs(9), false)] {
        let mut bench = Bench::new(seed(ME));
        bench.tell(failed(OWNER));
        dials(&mut bench, Micros::from_secs(60));
        bench.activate(OWNER);
        bench.wait(lasts);
        bench.tell(ended(OWNER, LOST));
        bench.session_down(OWNER, Exit::Normal);
        let first = dials(&mut bench, Micros::from_secs(40))
            .first()
            .map(|(at, _)| *at);
        assert_eq!(first.is_some_and(|at| at <= 1_250), soon, "{first:?}");
    }
}

#[test]
fn who_never_stayed_is_dialled_less_and_less_and_who_did_each_half_minute() {
    let mut bench = Bench::new(seed(ME));
    bench.activate(OWNER);
    for (peer, stays) in [(10, 0), (11, 10)] {
        bench.activate(peer);
        bench.tell(introduced(peer, [advert(peer, 1)]));
        bench.wait(Micros::from_secs(stays));
        bench.tell(ended(peer, LOST));
        bench.session_down(peer, Exit::Normal);
    }
    bench.tell(introduced(OWNER, [advert(12, 1)]));
    dials(&mut bench, Micros::from_secs(3_600));
    let later = dials(&mut bench, Micros::from_secs(3_600));
    let count = |peer| later.iter().filter(|(_, to)| *to == node(peer)).count();
    for (peer, most, least) in [(10, 16, 9), (11, 160, 96), (12, 16, 9)] {
        let count = count(peer);
        assert!(
            (least..=most).contains(&count),
            "{peer}: {count} in an hour"
        );
    }
}

#[test]
fn at_most_eight_dials_at_once_and_two_places_are_kept_from_hearsay() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(introduced(OWNER, (10..30).map(|peer| advert(peer, 1))));
    bench.wait(Micros::from_secs(1));
    // The owner's dial takes one place; one ticket's hearsay takes four.
    assert_eq!(bench.roster.dials.in_flight().len(), 5);
    // Another ticket's fills up to six.
    let by_another = |peer: u8| Introduction {
        credential: join(&ticket(101, None), node(peer)),
        ..advert(peer, 1)
    };
    bench.tell(introduced(OWNER, (30..40).map(by_another)));
    bench.wait(Micros::from_secs(1));
    assert_eq!(bench.roster.dials.in_flight().len(), 7);
    for peer in 40..50 {
        bench.activate(peer);
        bench.tell(introduced(OWNER, [advert(peer, 1)]));
    }
    bench.wait(Micros::from_secs(10));
    for peer in 40..50 {
        bench.tell(ended(peer, LOST));
        bench.session_down(peer, Exit::Normal);
    }
    bench.wait(Micros::from_secs(2));
    assert_eq!(bench.roster.dials.in_flight().len(), 8);
    bench.tell(failed(OWNER));
    bench.wait(Micros::from_millis(500));
    assert_eq!(bench.roster.dials.in_flight().len(), 8);
}

#[test]
fn two_places_are_kept_from_trusted_peers_that_do_not_answer() {
    let mut bench = Bench::new(seed(ME));
    for peer in 40..60 {
        bench.activate(peer);
        bench.tell(introduced(OWNER, [advert(peer, 1)]));
    }
    bench.wait(Micros::from_secs(10));
    for peer in 40..60 {
        bench.tell(ended(peer, LOST));
        bench.session_down(peer, Exit::Normal);
    }
    bench.wait(Micros::from_secs(2));
    assert_eq!(bench.roster.dials.in_flight().len(), 6);
    bench.tell(introduced(OWNER, (10..20).map(|peer| advert(peer, 1))));
    bench.wait(Micros::from_secs(1));
    assert_eq!(bench.roster.dials.in_flight().len(), 8);
}

#[test]
fn a_peer_that_refuses_for_good_is_left_alone_until_its_record_changes() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(introduced(OWNER, [advert(PEER, 1)]));
    bench.tell(ended(PEER, Ended::DeniedByPeer(Deny::BadCredential)));
    bench.session_down(PEER, Exit::Normal);
    bench.tell(failed(OWNER));
    let others =
        |dials: Vec<(u64, NodeId)>| dials.iter().filter(|(_, to)| *to == node(PEER)).count();
    assert_eq!(others(dials(&mut bench, Micros::from_secs(600))), 0);
    bench.tell(introduced(OWNER, [advert(PEER, 2)]));
    assert!(others(dials(&mut bench, Micros::from_secs(10))) > 0);
}

#[test]
fn a_peer_that_this_node_refused_is_not_dialled_either() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(introduced(OWNER, [advert(PEER, 1)]));
    bench.tell(ended(PEER, Ended::DeniedHere(Deny::Expired)));
    bench.session_down(PEER, Exit::Normal);
    let dials = dials(&mut bench, Micros::from_secs(60));
    assert!(dials.iter().all(|(_, to)| *to != node(PEER)), "{dials:?}");
}

#[test]
fn a_record_that_changes_all_the_time_brings_no_storm() {
    let mut bench = Bench::new(seed(ME));
    let mut count = 0;
    for stamp in 1..100 {
        bench.tell(introduced(OWNER, [advert(PEER, stamp)]));
        let dials = dials(&mut bench, Micros::from_millis(600));
        count += dials.iter().filter(|(_, to)| *to == node(PEER)).count();
    }
    assert!(count <= 18, "{count} dials in a minute");
}

#[test]
fn the_owners_word_that_this_node_is_revoked_stops_all_dials_and_shows() {
    let mut bench = Bench::with(&[OWNER]);
    bench.tell(introduced(OWNER, [advert(PEER, 1)]));
    bench.tell(ended(OWNER, Ended::DeniedByPeer(Deny::Revoked)));
    bench.session_down(OWNER, Exit::Normal);
    assert!(bench.roster.refused.is_some());
    assert_eq!(dials(&mut bench, Micros::from_secs(120)), []);
    let shown = bench
        .roster
        .fact
        .as_ref()
        .and_then(|fact| fact.refused.clone());
    assert!(shown.is_some_and(|why| why.contains("revoked")));
}

#[test]
fn the_word_of_one_member_that_cannot_be_verified_stops_its_own_dials_alone() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(introduced(OWNER, [advert(PEER, 1)]));
    bench.tell(failed(OWNER));
    bench.tell(ended(PEER, Ended::DeniedByPeer(Deny::Revoked)));
    bench.session_down(PEER, Exit::Normal);
    assert!(bench.roster.refused.is_some(), "it shows");
    let dials = dials(&mut bench, Micros::from_secs(60));
    assert!(
        !dials.is_empty() && dials.iter().all(|(_, to)| *to == node(OWNER)),
        "{dials:?}"
    );
    bench.activate(OWNER);
    assert!(
        bench.roster.refused.is_none(),
        "somebody else admits this node"
    );
}

#[test]
fn a_node_whose_own_ticket_is_over_or_revoked_dials_nobody() {
    let mut own = seed(ME);
    own.credential = join(&ticket(100, Some(WALL + Micros::from_secs(1))), node(ME));
    let mut bench = Bench::new(own);
    bench.tell(failed(OWNER));
    bench.go(bench.now.mono + Micros::from_secs(1));
    assert_eq!(dials(&mut bench, Micros::from_secs(120)), []);
    let mut bench = Bench::new(seed(ME));
    bench.tell(failed(OWNER));
    bench.sent.clear();
    bench.tell(Input::Revoked {
        from: node(PEER),
        record: revocation(100).into(),
    });
    bench.commit(true);
    assert_eq!(dials(&mut bench, Micros::from_secs(120)), []);
}

#[test]
fn a_dial_that_the_transport_forgot_is_given_up() {
    let mut bench = Bench::new(seed(ME));
    bench.sent.clear();
    bench.wait(Micros::from_secs(29));
    assert_eq!(dialled(&bench), []);
    bench.wait(Micros::from_secs(3));
    assert_eq!(dialled(&bench), [node(OWNER)]);
    bench.sent.clear();
    bench.down(Address::Transport, Exit::Killed);
    bench.wait(Micros::from_secs(3));
    assert_eq!(dialled(&bench), [node(OWNER)], "or lost with the transport");
}

#[test]
fn no_address_of_a_group_or_of_nobody_is_dialled() {
    let mut record = advert(PEER, 1).record.record;
    let bad = [
        "0.0.0.0:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "10.0.0.1:0",
        "[ff02::1]:1",
        "[::]:1",
    ];
    let addrs = List::truncated(bad.map(|addr| addr.parse().unwrap()));
    let said = Capabilities {
        addrs,
        ..Capabilities::default()
    };
    record.value = Some(said.encode().unwrap());
    let mut bench = Bench::new(seed(ME));
    bench.tell(introduced(OWNER, [introduction(PEER, record)]));
    assert_eq!(dialled(&bench), [node(OWNER)]);
    bench.wait(Micros::from_secs(60));
    assert!(dialled(&bench).iter().all(|to| *to == node(OWNER)));
}

#[test]
fn only_so_many_contacts_are_kept() {
    let mut many = seed(ME);
    let contacts = (100..200).map(|number| Contact {
        node: NodeId([number; 32]),
        addrs: addrs(number),
    });
    many.contacts = contacts.collect();
    let bench = Bench::new(many);
    assert_eq!(bench.roster.table.contacts().len(), 64);
}

#[test]
fn a_neighbour_without_room_for_a_greeting_is_greeted_again() {
    let worker = inference_worker::Input::Attach(network());
    let greetings = [
        Letter::Transport(transport::Command::Attach(network())),
        Letter::Worker(DEVICE, worker),
    ];
    let again = |greeting, why, word| {
        let mut bench = Bench::new(seed(ME));
        bench.returned(greeting, why);
        let said = bench.wait(Micros::from_secs(2));
        said.iter().any(|turn| turn.contains(word))
    };
    for (greeting, word) in greetings.into_iter().zip(["attach", "ask"]) {
        for why in [ReturnReason::Busy, ReturnReason::ParkFull] {
            assert!(again(greeting.clone(), why, word), "{word} after {why:?}");
        }
        // Who is not there is greeted when its Down says that it is back.
        for why in [ReturnReason::NoActor, ReturnReason::StartFailed] {
            assert!(!again(greeting.clone(), why, word), "{word} after {why:?}");
        }
    }
}

fn shown(bench: &Bench) -> Vec<(NodeId, transport::DialError)> {
    let away = bench.roster.unreached();
    away.iter().map(|one| (one.peer, one.why.clone())).collect()
}

#[test]
fn a_member_that_is_not_reached_is_shown_with_the_reason_until_it_is() {
    let mut bench = Bench::loading(seed(ME));
    bench.tell(Input::Loaded(Vec::new()));
    bench.sent.clear();
    bench.tell(Input::DialFailed {
        peer: node(OWNER),
        why: transport::DialError::WrongPeer,
    });
    let wrong = [(node(OWNER), transport::DialError::WrongPeer)];
    assert_eq!(shown(&bench), wrong);
    let fact = |effect: &Effect| {
        let Effect::Tell(Letter::Observer(observer::Input::Fact(_, fact))) = effect else {
            return None;
        };
        let Fact::Network(fact) = &**fact else {
            return None;
        };
        Some(fact.unreached.len())
    };
    assert_eq!(
        bench.sent.iter().filter_map(fact).last(),
        Some(1),
        "people are told"
    );
    // The newest reason counts, and strangers are nobody's business.
    bench.tell(failed(OWNER));
    bench.tell(failed(PEER));
    let silent = [(node(OWNER), transport::DialError::TimedOut)];
    assert_eq!(shown(&bench), silent);
    bench.tell(Input::LinkUp {
        peer: node(OWNER),
        link: messages::LinkId(1),
        dialled: true,
    });
    assert_eq!(shown(&bench), []);
}

#[test]
fn as_many_members_that_are_not_reached_are_shown_as_people_look_at() {
    let mut bench = Bench::loading(seed(ME));
    bench.tell(Input::Loaded(Vec::new()));
    let members = 100..100 + UNREACHED_MAX as u8 + 4;
    for member in members.clone() {
        bench.tell(introduced(OWNER, [advert(member, 1)]));
    }
    for member in members {
        bench.tell(failed(member));
    }
    assert_eq!(bench.roster.unreached.len(), UNREACHED_MAX);
    // One that came leaves its place to another.
    bench.tell(Input::LinkUp {
        peer: node(100),
        link: messages::LinkId(1),
        dialled: true,
    });
    bench.tell(failed(100 + UNREACHED_MAX as u8));
    let shown = shown(&bench);
    assert_eq!(shown.len(), UNREACHED_MAX);
    assert!(
        shown
            .iter()
            .any(|(peer, _)| *peer == node(100 + UNREACHED_MAX as u8))
    );
}
