//! What the gossip store is told: whose records it may keep.

use super::durable::rows;
use super::*;
use crate::hearsay::BY_TICKET_MAX;
use gossip_store::Input as Records;
use messages::wire::latest::Gossip;

const STORE: fn() -> Address = || Address::GossipStore(network());

/// What the gossip store is told by these effects.
pub(super) fn told(effects: &[Effect]) -> Vec<Records> {
    let told = |effect: &Effect| match effect {
        Effect::Tell(Letter::GossipStore(to, input)) if *to == network() => Some(input.clone()),
        Effect::Tell(_)
        | Effect::Start(_)
        | Effect::Stop(..)
        | Effect::Watch(_)
        | Effect::Unwatch(_) => None,
    };
    effects.iter().filter_map(told).collect()
}

/// What a gossip store makes of it. Who ends before it is told of is a stranger all the same.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the letters that a roster sends"
)]
pub(super) fn learn(known: &mut BTreeSet<NodeId>, input: Records) {
    match input {
        Records::Members(members) => *known = members.into_iter().collect(),
        Records::Member(peer) => assert!(known.insert(peer), "{peer} is told of twice"),
        Records::Stranger(peer) => drop(known.remove(&peer)),
        // What was vouched for is none of its members.
        Records::Vouched(_) | Records::NotVouched { .. } | Records::Revoked(_) => {}
        other => panic!("a letter that no roster sends: {other:?}"),
    }
}

/// What it was told since the last look.
fn news(bench: &mut Bench) -> Vec<Records> {
    told(&std::mem::take(&mut bench.sent))
}

fn members(peers: &[u8]) -> Records {
    let mut peers: Vec<NodeId> = peers.iter().map(|peer| node(*peer)).collect();
    peers.sort_unstable();
    Records::Members(peers)
}

/// One letter for each, in order of the ids.
fn each(what: fn(NodeId) -> Records, peers: &[u8]) -> Vec<Records> {
    let mut peers: Vec<NodeId> = peers.iter().map(|peer| node(*peer)).collect();
    peers.sort_unstable();
    peers.into_iter().map(what).collect()
}

/// That a ticket is withdrawn, and then who came by it, in order of the ids.
fn revoked(ticket: u8, peers: &[u8]) -> Vec<Records> {
    let mut told = vec![Records::Revoked(vec![ticket_key(ticket)])];
    told.extend(each(Records::Stranger, peers));
    told
}

fn revoke(bench: &mut Bench, ticket: u8) {
    bench.tell(Input::Revoked {
        from: node(OWNER),
        record: revocation(ticket).into(),
    });
}

#[test]
fn nothing_is_told_while_loading_and_all_when_ready() {
    let mut bench = Bench::loading(seed(ME));
    bench.tell(link_up(PEER, 1));
    bench.tell(judge(PEER, credential(PEER)));
    bench.tell(introduced(OWNER, [advert(10, 1), advert(11, 1)]));
    let mut passing = advert(12, 1);
    passing.credential = join(&ticket(101, None), node(12));
    bench.tell(introduced(OWNER, [passing]));
    revoke(&mut bench, 101);
    assert_eq!(bench.down(STORE(), Exit::Killed), "watch");
    bench.wait(Micros::from_secs(20));
    assert_eq!(news(&mut bench), []);
    bench.tell(Input::Loaded(Vec::new()));
    let withdrawn = Records::Revoked(vec![ticket_key(101)]);
    assert_eq!(news(&mut bench), [members(&[10, 11]), withdrawn]);
    // Who was judged while nothing was known presents itself again.
    bench.tell(judge(PEER, credential(PEER)));
    assert_eq!(news(&mut bench), each(Records::Member, &[PEER]));
}

#[test]
fn a_roster_without_members_says_so() {
    let mut bench = Bench::loading(seed(ME));
    bench.tell(Input::Loaded(Vec::new()));
    assert_eq!(news(&mut bench), [members(&[])]);
}

#[test]
fn a_proof_makes_an_author_and_no_member() {
    let mut bench = Bench::with(&[PEER]);
    news(&mut bench);
    let shown = vec![(node(30), credential(30)), (node(31), credential(32))];
    let from = node(PEER);
    bench.tell(Input::Vouch { from, shown });
    let authors = vec![node(31)];
    let bad = Records::NotVouched { from, authors };
    let good = Records::Vouched(vec![(node(30), credential(30))]);
    assert_eq!(news(&mut bench), [bad, good]);
    assert!(bench.roster.table.get(node(30)).is_none());
    revoke(&mut bench, 100);
    news(&mut bench);
    let shown = vec![(node(30), credential(30))];
    bench.tell(Input::Vouch { from, shown });
    let authors = vec![node(30)];
    assert_eq!(news(&mut bench), [Records::NotVouched { from, authors }]);
}

#[test]
fn whoever_asks_is_shown_the_proof_of_members_and_of_this_node() {
    let mut bench = Bench::with(&[PEER]);
    let passing = join(
        &ticket(101, Some(Wall(bench.now.wall.0 + 1_000_000))),
        node(12),
    );
    bench.tell(judge(12, passing));
    let asked = [node(ME), node(PEER), node(12), node(40)];
    let shown = |bench: &mut Bench| {
        bench.sent.clear();
        let (peer, authors) = (node(PEER), List::truncated(asked));
        bench.tell(Input::Who { peer, authors });
        let said = bench.sent.iter().find_map(|effect| match effect {
            Effect::Tell(Letter::Session(_, to, peer_session::Input::Gossip(said))) => {
                assert_eq!(*to, node(PEER));
                Some((**said).clone())
            }
            Effect::Tell(_)
            | Effect::Start(_)
            | Effect::Stop(..)
            | Effect::Watch(_)
            | Effect::Unwatch(_) => None,
        });
        let Some(Gossip::Credentials(shown)) = said else {
            panic!("{said:?}");
        };
        shown.iter().map(|(author, _)| *author).collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut bench), asked[..3]);
    bench.now.wall = Wall(bench.now.wall.0 + 1_000_000);
    assert_eq!(shown(&mut bench), asked[..2]);
}

#[test]
fn a_member_that_is_judged_is_told_of_once() {
    let mut bench = Bench::new(seed(ME));
    news(&mut bench);
    bench.tell(link_up(PEER, 1));
    assert_eq!(news(&mut bench), []);
    bench.tell(judge(PEER, credential(PEER)));
    assert_eq!(news(&mut bench), each(Records::Member, &[PEER]));
    bench.tell(Input::Active { peer: node(PEER) });
    bench.tell(judge(PEER, credential(PEER)));
    bench.tell(introduced(PEER, [advert(PEER, 1)]));
    bench.wait(Micros::from_secs(20));
    bench.tell(ended(PEER, LOST));
    bench.session_down(PEER, Exit::Normal);
    bench.tell(link_up(PEER, 2));
    bench.tell(judge(PEER, join(&ticket(101, None), node(PEER))));
    assert_eq!(news(&mut bench), []);
    bench.tell(judge(11, credential(12)));
    assert_eq!(news(&mut bench), [], "its credential is another's");
}

#[test]
fn a_member_that_is_introduced_is_told_of_once() {
    let mut bench = Bench::with(&[PEER]);
    news(&mut bench);
    let mut forged = advert(12, 1);
    forged.record.record.stamp = Stamp(2);
    bench.tell(introduced(PEER, [advert(10, 1), forged, advert(11, 1)]));
    assert_eq!(news(&mut bench), each(Records::Member, &[10, 11]));
    bench.tell(introduced(PEER, [advert(10, 1), advert(11, 2)]));
    bench.tell(introduced(4, [advert(10, 3)]));
    bench.tell(judge(10, credential(10)));
    assert_eq!(news(&mut bench), []);
}

#[test]
fn members_that_are_restored_are_told_of_with_all_others_or_by_themselves() {
    let mut bench = Bench::with(&[10]);
    bench.tell(introduced(OWNER, [advert(10, 1), advert(11, 1)]));
    bench.wait(Micros::from_secs(3));
    let rows = rows(&bench);
    let mut next = Bench::loading(seed(ME));
    next.tell(introduced(OWNER, [advert(12, 1)]));
    next.tell(Input::Loaded(rows.clone()));
    assert_eq!(news(&mut next), [members(&[10, 11, 12])]);
    next.tell(Input::Loaded(rows.clone()));
    assert_eq!(news(&mut next), []);
    let mut late = Bench::new(seed(ME));
    news(&mut late);
    late.tell(Input::Loaded(rows));
    assert_eq!(news(&mut late), each(Records::Member, &[10, 11]));
}

#[test]
fn whoever_is_revoked_is_a_stranger_in_the_same_turn() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(introduced(PEER, [advert(10, 1)]));
    let mut other = advert(11, 1);
    other.credential = join(&ticket(101, None), node(11));
    bench.tell(introduced(PEER, [other]));
    news(&mut bench);
    revoke(&mut bench, 100);
    assert_eq!(news(&mut bench), revoked(100, &[PEER, 10]));
    revoke(&mut bench, 100);
    bench.tell(judge(PEER, credential(PEER)));
    assert_eq!(news(&mut bench), []);
    revoke(&mut bench, 101);
    assert_eq!(news(&mut bench), revoked(101, &[11]));
    let again = join(&ticket(102, None), node(PEER));
    bench.tell(judge(PEER, again));
    assert_eq!(news(&mut bench), each(Records::Member, &[PEER]));
}

#[test]
fn a_member_whose_time_is_over_is_a_stranger_within_a_minute() {
    let mut bench = Bench::new(seed(ME));
    let end = bench.now.wall + Micros::from_secs(30);
    let mut entry = advert(10, 1);
    entry.credential = join(&ticket(101, Some(end)), node(10));
    bench.tell(introduced(OWNER, [entry, advert(11, 1)]));
    bench.wait(Micros::from_secs(29));
    news(&mut bench);
    bench.wait(Micros::from_secs(61));
    assert_eq!(news(&mut bench), each(Records::Stranger, &[10]));
}

/// Node ids without keys, all by the ticket that most are of: as many as find a place.
fn fill(bench: &mut Bench, introducer: NodeId) {
    let mut entry = advert(10, 1);
    for number in 0..BY_TICKET_MAX {
        let mut id = [0xee; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        entry.record.record.author = NodeId(id);
        let (now, said) = (bench.now.mono, Capabilities::default());
        let place = bench
            .roster
            .table
            .introduced(now, &entry, &said, introducer);
        assert_eq!(place, Ok(None), "{number}");
    }
    bench.tell(Input::Committed(Token(7)));
    news(bench);
}

#[test]
fn who_gives_way_to_another_is_a_stranger() {
    let mut bench = Bench::new(seed(ME));
    fill(&mut bench, node(PEER));
    bench.tell(introduced(OWNER, [advert(20, 1)]));
    let mut changes = news(&mut bench);
    changes.retain(|change| *change != Records::Member(node(20)));
    assert!(matches!(changes[..], [Records::Stranger(_)]), "{changes:?}");
    // Who is here takes no place of theirs, and has none, or another's, when it goes.
    // Its session ends with a word, or without one.
    let goes: [fn(&mut Bench, u8); 2] = [
        |bench, peer| drop(bench.tell(ended(peer, LOST))),
        |bench, peer| drop(bench.session_down(peer, Exit::Normal)),
    ];
    for (go, peer) in goes.into_iter().zip([21, 22]) {
        bench.tell(link_up(peer, 1));
        bench.tell(judge(peer, credential(peer)));
        assert_eq!(news(&mut bench), each(Records::Member, &[peer]));
        go(&mut bench, peer);
        let changes = news(&mut bench);
        assert!(matches!(changes[..], [Records::Stranger(_)]), "{changes:?}");
    }
}

#[test]
fn a_new_life_of_the_store_is_told_of_all_and_then_of_changes() {
    let mut bench = Bench::with(&[10, 11]);
    news(&mut bench);
    assert_eq!(bench.down(STORE(), Exit::Killed), "watch, members");
    assert_eq!(news(&mut bench), [members(&[10, 11])]);
    bench.activate(12);
    assert_eq!(news(&mut bench), each(Records::Member, &[12]));
    revoke(&mut bench, 100);
    assert_eq!(news(&mut bench), revoked(100, &[10, 11, 12]));
    let failed = Exit::Failed("a row is no record".to_owned());
    assert_eq!(bench.down(STORE(), failed), "watch, members");
    let withdrawn = Records::Revoked(vec![ticket_key(100)]);
    assert_eq!(news(&mut bench), [members(&[]), withdrawn]);
}

#[test]
fn a_store_that_is_not_there_is_told_of_all_in_ten_seconds() {
    for why in [Exit::NoActor, Exit::StartFailed("spent".to_owned())] {
        let mut bench = Bench::with(&[10]);
        news(&mut bench);
        assert_eq!(bench.down(STORE(), why), "·");
        bench.wait(Micros(9_999_999));
        assert_eq!(news(&mut bench), []);
        bench.wait(Micros(1));
        assert!(bench.sent.contains(&Effect::Watch(STORE())));
        assert_eq!(news(&mut bench), [members(&[10])]);
    }
}

#[test]
fn a_life_begins_with_a_watch_on_the_store() {
    let mut bench = Bench::unborn(seed(ME));
    bench.start();
    assert!(bench.sent.contains(&Effect::Watch(STORE())));
    assert_eq!(news(&mut bench), []);
}
