//! How it learns, forgets and lists.

use super::{NETWORK, Rig, advert, load, local, node, peer, peer_via, query, words};
use crate::HOLDERS_MAX;
use kernel::{Effect, Exit, Machine};
use messages::ports::gateway::Command;
use messages::router::{Input, NoRoute, PeerState};
use messages::{Address, DeviceId, Letter, ModelId, RequestId};

/// The names and the first digest byte of the list that the gateway was told.
fn listed(effects: &[Effect]) -> Option<Vec<(String, u8)>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Tell(Letter::Gateway(Command::Models(models))) => Some(
            models
                .iter()
                .map(|m| (m.name.to_string(), m.model.0[0]))
                .collect(),
        ),
        Effect::Tell(_)
        | Effect::Start(_)
        | Effect::Stop(..)
        | Effect::Watch(_)
        | Effect::Unwatch(_) => None,
    })
}

fn row(name: &str, digest: u8) -> (String, u8) {
    (name.to_owned(), digest)
}

#[test]
fn questions_of_the_first_moments_are_answered_as_holders_appear_or_at_their_end() {
    let mut rig = Rig::new();
    assert_eq!(words(&rig.tell(Input::Route(Box::new(query(1, "m"))))), "·");
    assert_eq!(
        words(&rig.tell(Input::Route(Box::new(query(2, "never"))))),
        "·"
    );
    rig.at(100);
    let effects = rig.tell(Input::Peer(Box::new(peer(1, &[advert("m", 1, "a")]))));
    assert_eq!(words(&effects), "watch, models, route");
    assert_eq!(words(&rig.at(499)), "·");
    assert_eq!(words(&rig.at(500)), "no route");
    assert_eq!(rig.router.deadline(), None);
}

#[test]
fn a_waiting_question_is_answered_when_a_full_holder_has_room() {
    let mut rig = Rig::new();
    let m = [advert("m", 1, "a")];
    rig.tell(Input::Peer(Box::new(PeerState {
        load: load(4, 4),
        ..peer(1, &m)
    })));
    assert_eq!(words(&rig.tell(Input::Route(Box::new(query(1, "m"))))), "·");
    assert_eq!(
        words(&rig.tell(Input::Peer(Box::new(peer(1, &m))))),
        "route"
    );
}

#[test]
fn a_request_that_asks_again_is_answered_once() {
    let mut rig = Rig::new();
    rig.tell(Input::Route(Box::new(query(1, "m"))));
    rig.tell(Input::Route(Box::new(query(1, "m"))));
    let answers = rig
        .at(600)
        .iter()
        .filter(|effect| {
            matches!(
                effect,
                Effect::Tell(Letter::Proxy(RequestId { n: 1, .. }, _))
            )
        })
        .count();
    assert_eq!(answers, 1);
}

#[test]
fn more_questions_than_may_wait_are_answered_at_once() {
    let mut rig = Rig::new();
    for n in 0..1_024 {
        assert_eq!(words(&rig.tell(Input::Route(Box::new(query(n, "m"))))), "·");
    }
    assert_eq!(
        words(&rig.tell(Input::Route(Box::new(query(5_000, "m"))))),
        "no route"
    );
}

#[test]
fn each_name_is_listed_once_and_this_nodes_own_model_stands_for_it() {
    let mut rig = Rig::routing();
    let both = [advert("b", 4, "a"), advert("a", 1, "a")];
    let effects = rig.tell(Input::Peer(Box::new(peer(1, &both))));
    assert_eq!(listed(&effects), Some(vec![row("a", 1), row("b", 4)]));
    let effects = rig.tell(local(0, &[advert("a", 2, "a")], load(0, 0)));
    assert_eq!(listed(&effects), Some(vec![row("a", 2), row("b", 4)]));
    // The one that is not listed can still be named by its digest.
    let by_digest = query(1, &ModelId([1; 32]).to_string());
    assert_eq!(rig.route(by_digest).unwrap().advert.model, ModelId([1; 32]));
}

#[test]
fn a_list_that_did_not_change_is_not_sent() {
    let mut rig = Rig::routing();
    let m = [advert("m", 1, "a")];
    assert_eq!(
        words(&rig.tell(Input::Peer(Box::new(peer(1, &m))))),
        "watch, models"
    );
    assert_eq!(
        words(&rig.tell(Input::Peer(Box::new(peer(2, &m))))),
        "watch"
    );
    let busy = PeerState {
        load: load(4, 4),
        ..peer(2, &m)
    };
    assert_eq!(words(&rig.tell(Input::Peer(Box::new(busy)))), "·");
    assert_eq!(
        words(&rig.tell(Input::PeerGone {
            network: NETWORK,
            peer: node(2)
        })),
        "unwatch"
    );
}

#[test]
fn a_holder_that_leaves_pings_unanswered_stays_listed_and_is_not_chosen_before_it_is_heard() {
    let m = [advert("m", 1, "a")];
    let quiet = PeerState {
        quiet: true,
        ..peer(1, &m)
    };
    let mut rig = Rig::routing();
    let effects = rig.tell(Input::Peer(Box::new(quiet)));
    assert_eq!(listed(&effects), Some(vec![row("m", 1)]));
    assert_eq!(rig.route(query(1, "m")).unwrap_err(), NoRoute::NoneLeft);
    rig.tell(Input::Peer(Box::new(peer(1, &m))));
    assert_eq!(rig.route(query(2, "m")).unwrap().via, peer_via(1));
}

#[test]
fn a_model_whose_last_holder_left_is_missed_for_three_seconds_and_then_unknown() {
    let mut rig = Rig::routing();
    rig.tell(Input::Peer(Box::new(peer(1, &[advert("m", 1, "a")]))));
    let gone = rig.tell(Input::PeerGone {
        network: NETWORK,
        peer: node(1),
    });
    assert_eq!(listed(&gone), Some(vec![]), "it is listed no more");
    rig.at(3_999);
    assert_eq!(rig.route(query(1, "m")).unwrap_err(), NoRoute::NoneLeft);
    assert_eq!(rig.route(query(2, "n")).unwrap_err(), NoRoute::UnknownModel);
    rig.at(4_000);
    assert_eq!(rig.route(query(3, "m")).unwrap_err(), NoRoute::UnknownModel);
}

#[test]
fn what_left_is_remembered_within_bounds() {
    let mut rig = Rig::routing();
    for n in 0..20 {
        let models: Vec<_> = (0..30)
            .map(|m| advert(&format!("{n}-{m}"), m, "a"))
            .collect();
        rig.tell(Input::Peer(Box::new(peer(n, &models))));
        rig.tell(Input::PeerGone {
            network: NETWORK,
            peer: node(n),
        });
    }
    let left = rig.route(query(1, "19-29")).unwrap_err();
    assert_eq!(left, NoRoute::NoneLeft);
    let first = rig.route(query(2, "0-0")).unwrap_err();
    assert_eq!(
        first,
        NoRoute::UnknownModel,
        "of so many the first are forgotten"
    );
}

#[test]
fn a_peer_that_goes_silent_is_neither_listed_nor_chosen() {
    let mut rig = Rig::routing();
    let m = [advert("m", 1, "a")];
    rig.tell(Input::Peer(Box::new(peer(1, &m))));
    let silent = PeerState {
        fresh: false,
        ..peer(1, &m)
    };
    assert_eq!(
        listed(&rig.tell(Input::Peer(Box::new(silent)))),
        Some(vec![])
    );
    assert!(rig.route(query(1, "m")).is_err());
    rig.tell(Input::Peer(Box::new(peer(1, &m))));
    assert!(rig.route(query(2, "m")).is_ok());
}

#[test]
fn a_holder_whose_speaker_dies_is_no_ghost() {
    let mut rig = Rig::routing();
    let m = [advert("m", 1, "a")];
    rig.tell(Input::Peer(Box::new(peer(1, &m))));
    rig.tell(local(0, &m, load(0, 0)));
    rig.down(Address::Worker(DeviceId(0)), Exit::Killed);
    let session = Address::Session(NETWORK, node(1));
    let effects = rig.down(session, Exit::Panicked("by a test".to_owned()));
    assert_eq!(listed(&effects), Some(vec![]));
    // They may be back in a moment, and are watched for it.
    assert_eq!(rig.route(query(1, "m")).unwrap_err(), NoRoute::NoneLeft);
    rig.down(session, Exit::NoActor);
    rig.down(
        Address::Worker(DeviceId(0)),
        Exit::StartFailed("spent".to_owned()),
    );
    assert_eq!(rig.route(query(2, "m")).unwrap_err(), NoRoute::UnknownModel);
    // A late word of the dead is watched like any first word: its Down follows at once.
    assert_eq!(
        words(&rig.tell(Input::Peer(Box::new(peer(1, &m))))),
        "watch, models"
    );
}

#[test]
fn a_device_whose_engine_is_away_serves_nothing_and_is_remembered() {
    let mut rig = Rig::routing();
    let m = [advert("m", 1, "a")];
    rig.tell(local(0, &m, load(0, 0)));
    assert_eq!(listed(&rig.tell(local(0, &[], load(0, 0)))), Some(vec![]));
    assert_eq!(rig.route(query(1, "m")).unwrap_err(), NoRoute::NoneLeft);
    rig.tell(local(0, &m, load(0, 0)));
    assert!(rig.route(query(2, "m")).is_ok());
}

#[test]
fn a_full_table_gives_up_a_silent_holder_and_takes_no_other() {
    let mut rig = Rig::routing();
    let m = [advert("m", 1, "a")];
    let numbered = |n: usize| {
        let mut state = peer(1, &m);
        state.peer.0[..8].copy_from_slice(&n.to_be_bytes());
        state
    };
    for n in 0..HOLDERS_MAX {
        rig.tell(Input::Peer(Box::new(PeerState {
            fresh: n != 5,
            ..numbered(n)
        })));
    }
    let new = |n| Input::Peer(Box::new(numbered(HOLDERS_MAX + n)));
    assert_eq!(words(&rig.tell(new(1))), "unwatch, watch");
    assert_eq!(words(&rig.tell(new(2))), "·");
}

#[test]
fn the_list_reaches_a_gateway_that_restarts_or_comes_late() {
    let mut rig = Rig::routing();
    rig.tell(Input::Peer(Box::new(peer(1, &[advert("m", 1, "a")]))));
    let effects = rig.down(Address::Gateway, Exit::Killed);
    assert_eq!(listed(&effects), Some(vec![row("m", 1)]));
    rig.down(Address::Gateway, Exit::StartFailed("spent".to_owned()));
    assert_eq!(words(&rig.at(10_999)), "·");
    assert_eq!(listed(&rig.at(11_000)), Some(vec![row("m", 1)]));
}

#[test]
fn an_empty_list_is_told_only_after_the_first_moments() {
    let mut rig = Rig::new();
    assert_eq!(words(&rig.at(499)), "·");
    assert_eq!(listed(&rig.at(500)), Some(vec![]));
}
