//! A neighbourhood that is smaller than the mesh: whom it holds, who is let go.

use super::*;
use messages::Neighbourhood;
use std::collections::BTreeMap;

/// Looks for three, keeps twelve.
pub(super) fn small(entropy: u64) -> Bench {
    bounded(entropy, 3, 12)
}

pub(super) fn bounded(entropy: u64, seek: u16, keep: u16) -> Bench {
    let neighbourhood = Neighbourhood::new(seek, keep).unwrap();
    let seed = Seed {
        neighbourhood,
        contacts: Vec::new(),
        ..seed(ME)
    };
    let mut bench = Bench::loading(seed);
    bench.roster.ctx.entropy = Entropy::from_number(entropy);
    bench.tell(Input::Loaded(Vec::new()));
    bench.sent.clear();
    bench
}

/// Members that are only heard of.
pub(super) fn hear(bench: &mut Bench, members: std::ops::Range<u8>) {
    bench.tell(introduced(OWNER, members.map(|member| advert(member, 1))));
}

/// A session becomes active.
pub(super) fn come(bench: &mut Bench, peer: u8, dialled: bool, by: u8) {
    let link = LinkId(u64::from(peer));
    bench.tell(Input::LinkUp {
        peer: node(peer),
        link,
        dialled,
    });
    bench.tell(judge(peer, join(&ticket(by, None), node(peer))));
    bench.tell(Input::Active { peer: node(peer) });
}

pub(super) fn come_all(bench: &mut Bench, peers: std::ops::Range<u8>) {
    for peer in peers {
        come(bench, peer, false, 100);
    }
}

/// A member that serves this.
pub(super) fn serving(author: u8, stamp: u64, models: &[u8]) -> Introduction {
    let said = Capabilities {
        addrs: addrs(author),
        llms: List::truncated(models.iter().map(|number| model(*number))),
        ..Capabilities::default()
    };
    let mut record = advert(author, stamp).record.record;
    record.value = Some(said.encode().unwrap());
    introduction(author, record)
}

fn enough(bench: &mut Bench, peer: u8) {
    bench.tell(ended(peer, Ended::DeniedByPeer(Deny::Enough)));
    bench.session_down(peer, Exit::Normal);
}

/// Numbers of peers of which this is true since the last look.
fn numbers(bench: &mut Bench, of: fn(&Letter) -> Option<NodeId>) -> Vec<u8> {
    let sent = std::mem::take(&mut bench.sent);
    let letters = sent.iter().filter_map(|effect| match effect {
        Effect::Tell(letter) => of(letter),
        Effect::Start(_) | Effect::Stop(..) | Effect::Watch(_) | Effect::Unwatch(_) => None,
    });
    let number = |peer| (0..=u8::MAX).find(|number| node(*number) == peer);
    letters.filter_map(number).collect()
}

pub(super) fn dialled(bench: &mut Bench) -> Vec<u8> {
    numbers(bench, |letter| {
        let Letter::Transport(transport::Command::Dial { peer, .. }) = letter else {
            return None;
        };
        Some(*peer)
    })
}

fn asked_to_end(bench: &mut Bench) -> Vec<u8> {
    numbers(bench, |letter| {
        let Letter::Session(_, peer, peer_session::Input::Release) = letter else {
            return None;
        };
        Some(*peer)
    })
}

const SETTLED: Micros = Micros::from_secs(3);
const MINUTE: Micros = Micros::from_secs(60);

#[test]
fn no_more_are_dialled_than_are_looked_for_and_the_next_when_one_fails() {
    let mut bench = small(1);
    hear(&mut bench, 10..20);
    bench.wait(Micros::from_secs(1));
    let first = dialled(&mut bench);
    assert_eq!(first.len(), 3);
    come(&mut bench, first[0], true, 100);
    come(&mut bench, first[1], true, 100);
    bench.wait(Micros::from_secs(1));
    assert_eq!(dialled(&mut bench), [0; 0]);
    let why = transport::DialError::TimedOut;
    bench.tell(Input::DialFailed {
        peer: node(first[2]),
        why,
    });
    bench.wait(Micros::from_millis(500));
    let next = dialled(&mut bench);
    assert_eq!(next.len(), 1);
    come(&mut bench, next[0], true, 100);
    bench.tell(ended(first[0], LOST));
    bench.wait(Micros::from_millis(500));
    assert_eq!(dialled(&mut bench).len(), 1, "one is lost, one is dialled");
}

#[test]
fn who_is_dialled_is_drawn_and_not_whoever_was_heard_of_first() {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for entropy in 0..300 {
        let mut bench = small(entropy);
        for peer in 30..33 {
            come(&mut bench, peer, true, 100);
        }
        for member in 10..20 {
            hear(&mut bench, member..member + 1);
            bench.wait(Micros::from_secs(1));
        }
        assert_eq!(dialled(&mut bench), [0; 0]);
        bench.tell(ended(30, LOST));
        bench.wait(Micros::from_millis(100));
        for peer in dialled(&mut bench) {
            *counts.entry(peer).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 10, "{counts:?}");
    let even = counts.values().all(|count| (12..=48).contains(count));
    assert!(even, "30 each on average: {counts:?}");
}

#[test]
fn a_crowd_that_comes_leaves_room_for_those_that_this_node_chooses() {
    let mut bench = small(1);
    come_all(&mut bench, 30..41);
    hear(&mut bench, 10..20);
    bench.wait(Micros::from_secs(1));
    assert_eq!(dialled(&mut bench).len(), 2, "half of what is looked for");
}

#[test]
fn above_what_is_kept_one_is_asked_to_end_and_another_where_it_is_in_use() {
    let mut bench = small(1);
    come_all(&mut bench, 30..43);
    assert_eq!(asked_to_end(&mut bench), [0; 0], "they are new");
    bench.wait(SETTLED + Micros::from_secs(1));
    let mut asked = asked_to_end(&mut bench);
    for in_use in 1..13 {
        let last = asked[in_use - 1];
        bench.tell(Input::InUse { peer: node(last) });
        asked.extend(asked_to_end(&mut bench));
        assert_eq!(asked.len(), in_use + 1, "one at a time");
    }
    let last = asked[12];
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 13, "each once");
    bench.tell(ended(last, Ended::DeniedHere(Deny::Enough)));
    bench.wait(MINUTE);
    assert_eq!(asked_to_end(&mut bench), [0; 0], "there are twelve");
}

#[test]
fn a_session_that_does_not_answer_is_not_waited_for() {
    let mut bench = small(1);
    come_all(&mut bench, 30..43);
    bench.wait(SETTLED + Micros::from_secs(1));
    assert_eq!(asked_to_end(&mut bench).len(), 1);
    bench.wait(Micros::from_secs(3));
    assert_eq!(asked_to_end(&mut bench).len(), 0);
    bench.wait(Micros::from_secs(3));
    assert_eq!(asked_to_end(&mut bench).len(), 1);
}

#[test]
fn in_a_crowd_the_new_go_too_once_they_were_told_of_the_others() {
    let mut bench = small(1);
    come_all(&mut bench, 30..46);
    let asked = asked_to_end(&mut bench);
    assert!(!asked.is_empty(), "sixteen are a crowd of twelve");
}

#[test]
fn a_session_that_this_node_dialled_is_not_pushed_out() {
    for entropy in 0..20 {
        let mut bench = small(entropy);
        for peer in 10..16 {
            come(&mut bench, peer, true, 100);
        }
        come_all(&mut bench, 30..40);
        bench.wait(SETTLED + Micros::from_secs(1));
        let asked = asked_to_end(&mut bench);
        assert_eq!(asked.len(), 4);
        assert!(asked.iter().all(|peer| *peer >= 30), "{asked:?}");
    }
}

#[test]
fn a_crowd_by_one_ticket_gives_way_to_itself() {
    for entropy in 0..20 {
        let mut bench = small(entropy);
        for peer in 10..16 {
            come(&mut bench, peer, false, peer);
        }
        come_all(&mut bench, 30..40);
        bench.wait(SETTLED + Micros::from_secs(1));
        let asked = asked_to_end(&mut bench);
        assert_eq!(asked.len(), 4);
        assert!(asked.iter().all(|peer| *peer >= 30), "{asked:?}");
    }
}

#[test]
fn the_first_three_that_serve_a_model_are_kept_and_models_are_no_way_to_fill_the_places() {
    for entropy in 0..20 {
        let mut bench = bounded(entropy, 3, 16);
        for peer in 10..14 {
            come(&mut bench, peer, false, 100);
            bench.tell(introduced(peer, [serving(peer, 1, &[1])]));
            bench.wait(Micros::from_millis(10));
        }
        for peer in 30..46 {
            come(&mut bench, peer, false, 100);
            // Each says that it serves what nobody else does.
            bench.tell(introduced(peer, [serving(peer, 1, &[peer])]));
        }
        bench.wait(SETTLED + Micros::from_secs(1));
        let asked = asked_to_end(&mut bench);
        assert_eq!(asked.len(), 4, "{asked:?}");
        assert!(asked.iter().all(|peer| *peer >= 13), "{asked:?}");
    }
}

#[test]
fn whoever_has_enough_is_asked_again_after_five_minutes_then_ten() {
    let mut bench = small(1);
    come_all(&mut bench, 30..32);
    hear(&mut bench, 10..11);
    bench.wait(Micros::from_secs(1));
    assert_eq!(dialled(&mut bench), [10]);
    for (number, minutes) in [5, 10, 20, 40, 60, 60].into_iter().enumerate() {
        come(&mut bench, 10, true, 100);
        bench.wait(Micros::from_secs(1));
        enough(&mut bench, 10);
        // News of it change nothing.
        bench.tell(introduced(OWNER, [advert(10, 2 + number as u64)]));
        let since = bench.now.mono;
        while dialled(&mut bench).is_empty() {
            bench.wait(Micros::from_secs(30));
        }
        let waited = bench.now.mono.since(since).as_millis() / 30_000;
        let range = minutes * 2..=minutes * 5 / 2 + 1;
        assert!(
            range.contains(&waited),
            "{minutes} min: {waited} half minutes"
        );
    }
}

#[test]
fn whoever_has_enough_is_asked_again_soon_where_there_is_nobody_else() {
    let mut bench = small(1);
    hear(&mut bench, 10..11);
    bench.wait(Micros::from_secs(1));
    come(&mut bench, 10, true, 100);
    dialled(&mut bench);
    enough(&mut bench, 10);
    bench.wait(Micros::from_secs(2));
    assert_eq!(dialled(&mut bench), [10]);
}

#[test]
fn now_and_then_one_more_is_dialled_and_one_let_go_where_there_are_many() {
    let mut bench = small(1);
    come(&mut bench, 30, true, 100);
    come(&mut bench, 31, true, 100);
    come_all(&mut bench, 32..36);
    hear(&mut bench, 10..20);
    dialled(&mut bench);
    bench.wait(MINUTE + Micros::from_secs(1));
    let [looked] = dialled(&mut bench)[..] else {
        panic!("one is dialled after a minute")
    };
    come(&mut bench, looked, true, 100);
    assert_eq!(
        asked_to_end(&mut bench).len(),
        1,
        "seven are more than twice three"
    );
    bench.wait(MINUTE.times(10));
    let later = dialled(&mut bench).len();
    assert!((7..=20).contains(&later), "{later} in ten minutes");
}

#[test]
fn beyond_what_is_looked_for_only_neighbours_are_passed_on() {
    let introduced_to = |bench: &mut Bench, peer| {
        let told = bench.told(peer).into_iter();
        let count = |input: peer_session::Input| {
            let peer_session::Input::Introduce(entries) = input else {
                return 0;
            };
            entries.len()
        };
        told.map(count).sum::<usize>()
    };
    let mut bench = bounded(1, 3, 12);
    come_all(&mut bench, 30..32);
    bench.sent.clear();
    bench.tell(introduced(30, [advert(10, 1)]));
    assert_eq!(introduced_to(&mut bench, 31), 1, "all find a place");
    bench.tell(introduced(30, (11..14).map(|member| advert(member, 1))));
    bench.sent.clear();
    bench.tell(introduced(30, [advert(15, 1), advert(30, 1)]));
    assert_eq!(introduced_to(&mut bench, 31), 1, "the neighbour's alone");
    // One that was heard of before is told of when it is a neighbour.
    bench.sent.clear();
    come(&mut bench, 15, false, 100);
    assert_eq!(introduced_to(&mut bench, 31), 1);
}
