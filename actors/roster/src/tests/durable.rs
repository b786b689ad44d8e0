//! What survives a restart, and inputs that make no sense.

use super::*;
use crate::members::Member;
use crate::standing::Standing;
use messages::ports::store::{Item, Table as Rows};
use std::collections::BTreeMap;

/// The rows that a roster wrote.
pub(super) fn rows(bench: &Bench) -> Vec<Item> {
    let mut rows = BTreeMap::new();
    for effect in &bench.sent {
        if let Effect::Tell(Letter::Store(store::Command::Commit { writes, .. })) = effect {
            for (key, value) in writes {
                match value {
                    Some(value) => rows.insert(key.clone(), value.clone()),
                    None => rows.remove(key),
                };
            }
        }
    }
    rows.into_iter().collect()
}

#[test]
fn members_are_found_again_after_a_restart() {
    let mut bench = Bench::with(&[10]);
    bench.tell(introduced(OWNER, [advert(10, 1), advert(11, 1)]));
    bench.wait(Micros::from_secs(3));
    let mut next = Bench::loading(seed(ME));
    next.tell(Input::Loaded(rows(&bench)));
    assert_eq!(next.roster.table.len(), 2);
    assert!(
        next.roster
            .table
            .get(node(10))
            .is_some_and(Member::is_judged)
    );
    next.sent.clear();
    let dials = next.wait(Micros::from_millis(300));
    let dials = dials
        .iter()
        .flat_map(|turn| turn.split(", "))
        .filter(|word| *word == "dial");
    assert_eq!(dials.count(), 2);
}

/// The store confirms whatever it was asked to write.
fn settle(bench: &mut Bench) {
    let token = |effect: &Effect| {
        let Effect::Tell(Letter::Store(store::Command::Commit { token, .. })) = effect else {
            return None;
        };
        Some(*token)
    };
    let tokens: Vec<Token> = bench.sent.iter().filter_map(token).collect();
    for token in tokens {
        bench.tell(Input::Committed(token));
    }
}

#[test]
fn who_stayed_is_told_from_who_knocked_after_a_restart() {
    let mut bench = Bench::with(&[10, 11, 12]);
    for peer in [10, 11, 12] {
        bench.tell(introduced(peer, [advert(peer, 1)]));
    }
    bench.tell(ended(10, LOST));
    bench.wait(Micros::from_secs(10));
    bench.tell(ended(11, LOST));
    // This node dies while the third is here.
    for _ in 0..20 {
        bench.wait(Micros::from_secs(4));
        settle(&mut bench);
    }
    let mut next = Bench::loading(seed(ME));
    next.tell(Input::Loaded(rows(&bench)));
    let trusted = |peer| matches!(next.roster.table.standing(node(peer)), Standing::Trusted(_));
    assert_eq!([10, 11, 12].map(trusted), [false, true, true]);
    assert!(next.roster.table.knows(node(10)));
}

#[test]
fn revocations_and_tickets_are_known_again_after_a_restart() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(introduced(OWNER, [advert(10, 1)]));
    bench.wait(Micros::from_secs(3));
    bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(100).into(),
    });
    let mut next = Bench::loading(seed(ME));
    next.tell(introduced(OWNER, [advert(11, 1)]));
    next.tell(Input::Loaded(rows(&bench)));
    assert_eq!(
        next.verdict(PEER, credential(PEER)),
        Verdict::Deny(Deny::Revoked)
    );
    assert_eq!(
        next.roster.table.len(),
        0,
        "nobody who came by it is remembered"
    );
    assert!(next.roster.refused.is_some(), "this node itself came by it");
}

#[test]
fn who_is_revoked_is_refused_before_the_disk_has_spoken() {
    let mut bench = Bench::loading(seed(ME));
    let judged = |bench: &mut Bench| bench.verdict(PEER, credential(PEER));
    assert_eq!(judged(&mut bench), Verdict::Unknown);
    bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(100).into(),
    });
    assert_eq!(judged(&mut bench), Verdict::Deny(Deny::Revoked));
}

#[test]
fn members_whose_time_was_over_meanwhile_are_dropped_with_their_rows() {
    let end = WALL + Micros::from_secs(30);
    let mut bench = Bench::new(seed(ME));
    let mut entry = advert(10, 1);
    entry.credential = join(&ticket(101, Some(end)), node(10));
    bench.tell(introduced(OWNER, [entry]));
    bench.wait(Micros::from_secs(3));
    let mut next = Bench::loading(seed(ME));
    next.now.wall = end;
    next.tell(Input::Loaded(rows(&bench)));
    assert_eq!(next.roster.table.len(), 0);
    next.sent.clear();
    next.wait(Micros::from_secs(3));
    let deleted = next.sent.iter().any(|effect| {
        let Effect::Tell(Letter::Store(store::Command::Commit { writes, .. })) = effect else {
            return false;
        };
        writes
            .iter()
            .any(|(key, value)| key.row.as_ref() == node(10).0 && value.is_none())
    });
    assert!(deleted, "{:?}", next.sent);
}

#[test]
fn rows_that_cannot_be_read_are_skipped_and_counted() {
    let bench = Bench::new(seed(ME));
    let garbage = bytes::Bytes::from_static(&[255, 3, 1]);
    let tables = [
        Rows::Issued,
        Rows::Revoked,
        Rows::Members,
        Rows::Stamps,
        Rows::Records,
    ];
    let mut items: Vec<Item> = tables
        .into_iter()
        .flat_map(|table| {
            [
                bench.roster.key(table, &[1; 32]),
                bench.roster.key(table, &[1; 2]),
            ]
        })
        .map(|key| (key, garbage.clone()))
        .collect();
    let mut foreign = bench
        .roster
        .key(Rows::Stamps, &Kind::CAPABILITIES.0.to_le_bytes());
    foreign.network = NetworkId([0; 32]);
    items.push((foreign, bytes::Bytes::from_static(&[1])));
    let mut next = Bench::loading(seed(ME));
    next.tell(Input::Loaded(items));
    assert_eq!((next.roster.skipped, next.roster.table.len()), (11, 0));
}

#[test]
fn what_the_store_had_not_answered_is_written_again_when_it_restarts() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(66).into(),
    });
    assert_eq!(bench.down(Address::Store, Exit::Killed), "watch, write");
    let spent = Exit::StartFailed("spent".to_owned());
    assert_eq!(bench.down(Address::Store, spent), "·");
    let said = bench.wait(Micros::from_secs(10));
    assert!(
        said.iter().any(|turn| turn.starts_with("watch")),
        "{said:?}"
    );
}

#[test]
fn an_answer_to_an_earlier_life_confirms_nothing_of_this_one() {
    let mut bench = Bench::with(&[10, 11]);
    bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(66).into(),
    });
    for token in 0..100 {
        assert_eq!(bench.tell(Input::Committed(Token(token))), "·");
    }
}

#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let mut bench = Bench::loading(seed(ME));
    assert_eq!(bench.wait(Micros::from_secs(10)), ["load", "load"]);
}

/// Any input in any order: no panic, no broken invariant, no deadline in the past.
#[test]
fn whatever_happens_around_it_the_roster_stays_whole() {
    for number in 0..40 {
        let mut entropy = Entropy::from_number(number);
        let mut bench = Bench::loading(seed(ME));
        for _ in 0..300 {
            match entropy.below(10) {
                0 => {
                    bench.turn();
                }
                1 => bench.go(bench.now.mono + Micros(entropy.below(4_000_000))),
                2 => {
                    let peer = 10 + u8::try_from(entropy.below(5)).unwrap();
                    let exits = [
                        Exit::Normal,
                        Exit::Killed,
                        Exit::StartFailed("spent".to_owned()),
                    ];
                    let why = exits[usize::try_from(entropy.below(3)).unwrap()].clone();
                    let others = [
                        Address::Store,
                        Address::Transport,
                        Address::Worker(DEVICE),
                        Address::GossipStore(network()),
                    ];
                    match usize::try_from(entropy.below(9)).unwrap() {
                        other @ 0..4 => bench.down(others[other], why),
                        _ => bench.session_down(peer, why),
                    };
                }
                3 if entropy.chance(300_000) => {
                    let last = bench.sent.iter().rev().take(20).filter_map(|effect| {
                        let Effect::Tell(letter) = effect else {
                            return None;
                        };
                        Some(letter.clone())
                    });
                    if let Some(letter) = last.last() {
                        bench.returned(letter, ReturnReason::Busy);
                    }
                }
                4 => {
                    let pending = bench.sent.iter().rev().take(9).find_map(|effect| {
                        let Effect::Tell(Letter::Store(store::Command::Commit { token, .. })) =
                            effect
                        else {
                            return None;
                        };
                        Some(*token)
                    });
                    if let Some(token) = pending {
                        let durable = entropy.chance(700_000);
                        bench.tell(match durable {
                            true => Input::Committed(token),
                            false => Input::CommitFailed(token),
                        });
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
    let peer = 10 + u8::try_from(entropy.below(5)).unwrap();
    let deny = [Deny::Revoked, Deny::Full, Deny::BadCredential];
    let deny = deny[usize::try_from(entropy.below(3)).unwrap()].clone();
    match entropy.below(14) {
        0 => Input::Loaded(Vec::new()),
        1 | 2 => link_up(peer, entropy.below(50)),
        3 | 4 => judge(
            peer,
            credential(if entropy.chance(800_000) { peer } else { 9 }),
        ),
        5 => Input::Active { peer: node(peer) },
        6 => ended(peer, LOST),
        7 if entropy.chance(500_000) => ended(peer, Ended::DeniedByPeer(deny)),
        7 => ended(peer, Ended::DeniedHere(deny)),
        8 => introduced(
            peer,
            [advert(peer, entropy.below(9)), advert(20, entropy.below(9))],
        ),
        9 => {
            let ticket = 60 + u8::try_from(entropy.below(9)).unwrap();
            Input::Revoked {
                from: node(peer),
                record: revocation(ticket).into(),
            }
        }
        10 => Input::DialFailed {
            peer: node(peer),
            why: transport::DialError::Refused,
        },
        11 => Input::Bound(addrs(u8::try_from(entropy.below(3)).unwrap())),
        12 => {
            let models = (0..entropy.below(4)).map(|_| model(1));
            Input::Models {
                device: DEVICE,
                models: List::truncated(models),
            }
        }
        _ => Input::Load {
            device: DEVICE,
            load: Load {
                active: peer.into(),
                queued: 0,
                slots: 1,
                queue_max: 1,
            },
        },
    }
}
