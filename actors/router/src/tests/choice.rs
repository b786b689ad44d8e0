//! Whom it chooses, and why.

use super::{NETWORK, Rig, advert, load, local, local_via, node, peer, peer_via, query};
use kernel::Effect;
use messages::request_proxy::Input as Told;
use messages::router::{Input, NoRoute, Outcome, PeerState, Query, Via};
use messages::{Address, Letter, List, Micros, ModelId, NetworkId, roster};

/// Tells a router past its first moments of these holders.
fn knowing(peers: &[PeerState], others: Vec<Input>) -> Rig {
    let mut rig = Rig::routing();
    for state in peers {
        rig.tell(Input::Peer(Box::new(state.clone())));
    }
    for input in others {
        rig.tell(input);
    }
    rig
}

/// The one choice, and that its reason holds these words.
fn check(rig: &mut Rig, query: Query, via: Via, why: &str) {
    let choice = rig.route(query).unwrap();
    assert_eq!(choice.via, via, "{}", choice.why);
    assert!(
        choice.why.contains(why),
        "{:?} does not say {why:?}",
        choice.why
    );
}

#[test]
fn a_model_that_nobody_names_is_unknown() {
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "a")])], vec![]);
    assert_eq!(
        rig.route(query(1, "other")).unwrap_err(),
        NoRoute::UnknownModel
    );
}

#[test]
fn a_model_is_found_by_its_printed_digest() {
    let mut rig = knowing(
        &[peer(1, &[advert("m", 1, "a"), advert("m", 2, "a")])],
        vec![],
    );
    let choice = rig.route(query(1, &ModelId([2; 32]).to_string())).unwrap();
    assert_eq!(choice.advert.model, ModelId([2; 32]));
}

#[test]
fn a_pinned_model_is_the_only_one() {
    let holders = [
        peer(1, &[advert("m", 1, "a")]),
        peer(2, &[advert("m", 2, "a")]),
    ];
    let mut rig = knowing(&holders, vec![]);
    for n in 0..8 {
        let pinned = Query {
            pinned: Some(ModelId([2; 32])),
            ..query(n, "m")
        };
        assert_eq!(rig.route(pinned).unwrap().via, peer_via(2));
    }
    let pinned = Query {
        pinned: Some(ModelId([3; 32])),
        ..query(99, "m")
    };
    assert_eq!(rig.route(pinned).unwrap_err(), NoRoute::UnknownModel);
}

#[test]
fn this_node_comes_first_when_all_else_is_equal() {
    let m = advert("m", 1, "a");
    let here = local(0, std::slice::from_ref(&m), load(3, 0));
    let mut rig = knowing(&[peer(1, std::slice::from_ref(&m))], vec![here]);
    check(&mut rig, query(1, "m"), local_via(0), "local first");
}

#[test]
fn the_same_compute_comes_before_this_node_and_others_still_do() {
    let here = local(0, &[advert("m", 1, "b")], load(0, 0));
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "a")])], vec![here]);
    let prefer = Some(advert("m", 1, "a").compute);
    let spliced = Query {
        prefer,
        splice: true,
        ..query(1, "m")
    };
    check(
        &mut rig,
        spliced.clone(),
        peer_via(1),
        "computes what the first holder did",
    );
    // Without tokens to go on from, there is nothing to be equal to.
    check(
        &mut rig,
        Query {
            prefer,
            ..query(2, "m")
        },
        local_via(0),
        "local first",
    );
    let without = Query {
        exclude: List::truncated([peer_via(1)]),
        ..spliced
    };
    check(&mut rig, without, local_via(0), "the only holder");
}

#[test]
fn an_engine_without_token_ids_cannot_go_on() {
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "plain")])], vec![]);
    let spliced = Query {
        splice: true,
        ..query(1, "m")
    };
    assert_eq!(rig.route(spliced).unwrap_err(), NoRoute::NoneLeft);
    assert!(rig.route(query(2, "m")).is_ok());
}

#[test]
fn the_least_loaded_peer_per_slot_is_chosen() {
    let m = advert("m", 1, "a");
    let small = PeerState {
        load: load(1, 0),
        ..peer(1, std::slice::from_ref(&m))
    };
    let mut large = PeerState {
        load: load(3, 0),
        ..peer(2, &[m])
    };
    large.load.slots = 16;
    let mut rig = knowing(&[small, large], vec![]);
    check(
        &mut rig,
        query(1, "m"),
        peer_via(2),
        "least load, 3 jobs for 16 slots",
    );
}

#[test]
fn the_nearer_of_two_equal_peers_is_chosen() {
    let m = advert("m", 1, "a");
    let near = PeerState {
        rtt: Micros::from_millis(3),
        ..peer(2, std::slice::from_ref(&m))
    };
    let mut rig = knowing(&[peer(1, &[m]), near], vec![]);
    check(&mut rig, query(1, "m"), peer_via(2), "nearest, 3 ms away");
}

#[test]
fn a_holder_that_failed_is_avoided_for_ten_seconds() {
    let m = advert("m", 1, "a");
    let here = local(0, std::slice::from_ref(&m), load(0, 0));
    let mut rig = knowing(&[peer(1, &[m])], vec![here]);
    rig.tell(Input::Outcome {
        via: local_via(0),
        result: Outcome::Failed,
    });
    check(&mut rig, query(1, "m"), peer_via(1), "no failure lately");
    rig.at(10_999);
    check(&mut rig, query(2, "m"), peer_via(1), "no failure lately");
    rig.at(11_000);
    check(&mut rig, query(3, "m"), local_via(0), "local first");
}

#[test]
fn a_holder_that_failed_is_better_than_none() {
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "a")])], vec![]);
    rig.tell(Input::Outcome {
        via: peer_via(1),
        result: Outcome::Failed,
    });
    check(&mut rig, query(1, "m"), peer_via(1), "the only holder");
}

#[test]
fn ties_are_drawn_and_every_holder_gets_some() {
    let m = [advert("m", 1, "a")];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..32 {
        let mut rig = Rig::seeded(seed);
        for n in 1..=3 {
            rig.tell(Input::Peer(Box::new(peer(n, &m))));
        }
        let choice = rig.route(query(1, "m")).unwrap();
        assert!(
            choice.why.contains("drawn from 3 equal holders"),
            "{}",
            choice.why
        );
        seen.insert(choice.via);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn equal_seeds_choose_equally() {
    let run = || {
        let mut rig = Rig::seeded(9);
        for n in 1..=5 {
            rig.tell(Input::Peer(Box::new(peer(n, &[advert("m", 1, "a")]))));
        }
        (0..20)
            .map(|n| rig.route(query(n, "m")).unwrap().via)
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_burst_is_spread_before_anybody_reports_its_load() {
    let m = [advert("m", 1, "a")];
    let holders: Vec<PeerState> = (1..=4).map(|n| peer(n, &m)).collect();
    let mut rig = knowing(&holders, vec![]);
    let mut counts = [0; 5];
    for n in 0..16 {
        counts[usize::from(rig.route(query(n, "m")).unwrap().via.node().0[0])] += 1;
    }
    assert_eq!(counts, [0, 4, 4, 4, 4]);
}

#[test]
fn choices_that_come_to_nothing_do_not_fill_a_holder() {
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "a")])], vec![]);
    for n in 0..100 {
        rig.route(query(n, "m")).unwrap();
        rig.tell(Input::Outcome {
            via: peer_via(1),
            result: Outcome::Busy,
        });
    }
    // A holder that nobody speaks of any more is asked again soon, whatever was sent there.
    for n in 100..108 {
        rig.route(query(n, "m")).unwrap();
    }
    assert!(matches!(
        rig.route(query(200, "m")),
        Err(NoRoute::Busy { .. })
    ));
    rig.at(1_500);
    assert!(rig.route(query(201, "m")).is_ok());
}

#[test]
fn full_holders_are_busy_and_our_own_jobs_count_once() {
    let m = [advert("m", 1, "a")];
    let full = PeerState {
        load: load(4, 4),
        ..peer(1, &m)
    };
    let mut rig = knowing(&[full], vec![]);
    assert!(matches!(
        rig.route(query(1, "m")),
        Err(NoRoute::Busy {
            retry_after_ms: 1_000
        })
    ));
    // Five of the five jobs that it speaks of are ours.
    let ours = PeerState {
        load: load(4, 1),
        in_flight: 5,
        ..peer(1, &m)
    };
    rig.tell(Input::Peer(Box::new(ours)));
    assert!(rig.route(query(2, "m")).is_ok());
    let more = PeerState {
        load: load(0, 0),
        in_flight: 8,
        ..peer(1, &m)
    };
    rig.tell(Input::Peer(Box::new(more)));
    assert!(matches!(
        rig.route(query(3, "m")),
        Err(NoRoute::Busy { .. })
    ));
}

#[test]
fn a_holder_that_never_spoke_of_its_load_is_tried() {
    let mut silent = peer(1, &[advert("m", 1, "a")]);
    silent.load = messages::wire::latest::Load::default();
    let mut rig = knowing(&[silent], vec![]);
    check(&mut rig, query(1, "m"), peer_via(1), "the only holder");
}

#[test]
fn a_silent_or_excluded_holder_is_none_left_and_a_full_one_is_busy() {
    let m = [advert("m", 1, "a")];
    let silent = PeerState {
        fresh: false,
        ..peer(1, &m)
    };
    let mut rig = knowing(&[silent, peer(2, &m)], vec![]);
    let without = Query {
        exclude: List::truncated([peer_via(2)]),
        ..query(1, "m")
    };
    assert_eq!(rig.route(without.clone()).unwrap_err(), NoRoute::NoneLeft);
    rig.tell(Input::Peer(Box::new(PeerState {
        load: load(4, 4),
        ..peer(3, &m)
    })));
    assert!(matches!(rig.route(without), Err(NoRoute::Busy { .. })));
}

#[test]
fn the_answer_goes_to_the_asker_under_its_try() {
    let mut rig = knowing(&[peer(1, &[advert("m", 1, "a")])], vec![]);
    let asked = Query {
        attempt: 5,
        ..query(3, "m")
    };
    let request = asked.request;
    let effects = rig.tell(Input::Route(Box::new(asked)));
    let [Effect::Tell(letter)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(letter.to(), Address::Proxy(request));
    assert!(matches!(
        letter,
        Letter::Proxy(_, Told::Routed { attempt: 5, .. })
    ));
    assert_eq!(peer_via(1).node(), node(1));
}

#[test]
fn what_nobody_at_hand_can_serve_is_wanted_of_every_network() {
    let mut rig = Rig::routing();
    let other = NetworkId([8; 32]);
    rig.tell(Input::Peer(Box::new(peer(1, &[advert("m", 1, "a")]))));
    rig.tell(Input::Peer(Box::new(PeerState {
        network: other,
        ..peer(2, &[advert("m", 1, "a")])
    })));
    let wanted = |effects: Vec<Effect>| -> Vec<(NetworkId, ModelId)> {
        let wanted = |effect: &Effect| match effect {
            Effect::Tell(Letter::Roster(network, roster::Input::Wanted { model })) => {
                Some((*network, *model))
            }
            Effect::Tell(_)
            | Effect::Start(_)
            | Effect::Stop(..)
            | Effect::Watch(_)
            | Effect::Unwatch(_) => None,
        };
        effects.iter().filter_map(wanted).collect()
    };
    let ask = |rig: &mut Rig, query| wanted(rig.tell(Input::Route(Box::new(query))));
    assert_eq!(ask(&mut rig, query(1, "m")), [], "somebody serves it");
    assert_eq!(ask(&mut rig, query(2, "n")), [], "nobody knows it");
    for at in [NETWORK, other] {
        let number = if at == NETWORK { 1 } else { 2 };
        rig.tell(Input::Peer(Box::new(PeerState {
            network: at,
            fresh: false,
            ..peer(number, &[advert("m", 1, "a")])
        })));
    }
    let m = ModelId([1; 32]);
    assert_eq!(ask(&mut rig, query(3, "m")), [(NETWORK, m), (other, m)]);
    let pinned = ModelId([9; 32]);
    let later = Query {
        pinned: Some(pinned),
        ..query(4, "m")
    };
    assert_eq!(ask(&mut rig, later), [(NETWORK, pinned), (other, pinned)]);
}
