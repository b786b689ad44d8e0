//! Sessions: begun, watched, told again, and let go.

use super::*;
use messages::limits::HANDSHAKES_MAX;

fn links(told: &[peer_session::Input]) -> Vec<u64> {
    let link = |input: &peer_session::Input| {
        let peer_session::Input::Link { link, .. } = input else {
            return None;
        };
        Some(link.0)
    };
    told.iter().filter_map(link).collect()
}

fn returned_link(bench: &mut Bench, peer: u8, link: u64) -> String {
    let input = peer_session::Input::Link {
        link: LinkId(link),
        dialled: false,
    };
    let letter = Letter::Session(network(), node(peer), input);
    bench.returned(letter, ReturnReason::NoActor)
}

#[test]
fn the_sessions_seed_names_the_link_and_this_nodes_credential() {
    let mut bench = Bench::new(seed(ME));
    bench.sent.clear();
    bench.tell(link_up(PEER, 7));
    let Some(Effect::Start(child)) = bench.sent.first() else {
        panic!("{:?}", bench.sent)
    };
    let messages::Seed::Session(seed) = &child.seed else {
        panic!("{child:?}")
    };
    assert_eq!(
        (seed.link, seed.dialled, seed.peer),
        (LinkId(7), false, node(PEER))
    );
    assert_eq!(seed.credential, credential(ME));
    assert_eq!(child.under, messages::Branch::Sessions(network()));
    assert_eq!(child.restart, kernel::Restart::Transient);
}

#[test]
fn a_link_that_comes_up_while_the_session_ends_is_for_the_next_one() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(ended(PEER, LOST));
    assert_eq!(bench.tell(link_up(PEER, 8)), "·");
    assert_eq!(
        bench.tell(link_up(PEER, 9)),
        "close",
        "the older of two is closed"
    );
    bench.sent.clear();
    let said = bench.session_down(PEER, Exit::Normal);
    assert_eq!(said, "start, link, serves, busy, watch");
    assert_eq!(links(&bench.told(PEER)), [9]);
}

#[test]
fn a_link_that_met_nobody_waits_for_the_sessions_down() {
    let mut bench = Bench::with(&[PEER]);
    assert_eq!(bench.tell(link_up(PEER, 8)), "link");
    assert_eq!(returned_link(&mut bench, PEER, 8), "·");
    bench.sent.clear();
    bench.session_down(PEER, Exit::Normal);
    assert_eq!(links(&bench.told(PEER)), [8]);
}

#[test]
fn a_session_that_fails_is_told_of_its_links_again() {
    let mut bench = Bench::with(&[PEER]);
    for link in 10..14 {
        bench.tell(link_up(PEER, link));
    }
    bench.sent.clear();
    assert!(bench.session_down(PEER, Exit::Killed).ends_with("watch"));
    assert_eq!(links(&bench.told(PEER)), [11, 12, 13], "the last three");
    assert_eq!(bench.roster.sessions.active(), 0);
    bench.tell(Input::Active { peer: node(PEER) });
    assert_eq!(bench.roster.sessions.active(), 1);
}

#[test]
fn strangers_leave_room_for_members_in_the_handshake() {
    let mut bench = Bench::new(seed(ME));
    bench.tell(Input::Loaded(Vec::new()));
    bench.tell(introduced(OWNER, (200..216).map(|peer| advert(peer, 1))));
    let begun = |said: &String| said.starts_with("start");
    let strangers: Vec<String> = (10..70).map(|peer| bench.tell(link_up(peer, 1))).collect();
    assert_eq!(
        strangers.iter().filter(|said| begun(said)).count(),
        HANDSHAKES_MAX * 3 / 4
    );
    assert_eq!(strangers.last().map(String::as_str), Some("close"));
    let members: Vec<String> = (200..216)
        .map(|peer| bench.tell(link_up(peer, 1)))
        .collect();
    assert!(members.iter().all(begun), "{members:?}");
    assert_eq!(
        bench.tell(link_up(OWNER, 1)),
        "close",
        "there is no room for anybody"
    );
    // One that becomes active makes room, and so does one that ends.
    bench.tell(Input::Active { peer: node(10) });
    assert!(begun(&bench.tell(link_up(70, 1))));
    bench.tell(ended(11, LOST));
    assert!(begun(&bench.tell(link_up(71, 1))));
}

#[test]
fn an_earlier_lifes_sessions_are_taken_over() {
    let mut bench = Bench::loading(seed(ME));
    assert_eq!(
        bench.tell(judge(PEER, credential(PEER))),
        "serves, busy, watch, unknown"
    );
    assert_eq!(bench.tell(Input::Active { peer: node(PEER) }), "·");
    bench.tell(Input::Loaded(Vec::new()));
    assert_eq!(bench.tell(judge(PEER, credential(PEER))), "admit");
    assert_eq!(bench.roster.sessions.active(), 1);
    assert_eq!(
        bench.tell(ended(4, LOST)),
        "watch",
        "one that ends without being known"
    );
    assert_eq!(bench.session_down(4, Exit::NoActor), "·");
    assert!(!bench.roster.sessions.contains(node(4)));
}

#[test]
fn nobody_is_judged_before_the_revocations_are_known() {
    check(
        false,
        judge(PEER, credential(PEER)),
        "serves, busy, watch, unknown",
    );
    check(
        true,
        judge(PEER, credential(PEER)),
        "serves, busy, watch, admit",
    );
}

#[test]
fn the_verdict_names_what_is_wrong() {
    let mut bench = Bench::new(seed(ME));
    let end = WALL + Micros::from_secs(60);
    let short = join(&ticket(101, Some(end)), node(PEER));
    let until = Some(end);
    assert_eq!(bench.verdict(PEER, short.clone()), Verdict::Admit { until });
    bench.go(bench.now.mono + Micros::from_secs(60));
    assert_eq!(bench.verdict(PEER, short), Verdict::Deny(Deny::Expired));
    let bad = Verdict::Deny(Deny::BadCredential);
    assert_eq!(bench.verdict(PEER, credential(4)), bad);
    assert_eq!(
        bench.verdict(ME, credential(ME)),
        bad,
        "this node is not its own peer"
    );
    bench.tell(Input::Revoked {
        from: node(4),
        record: revocation(100).into(),
    });
    bench.commit(true);
    assert_eq!(
        bench.verdict(PEER, credential(PEER)),
        Verdict::Deny(Deny::Revoked)
    );
    assert_eq!(
        bench.verdict(OWNER, credential(OWNER)),
        Verdict::Admit { until: None }
    );
}

/// Who dies between two effects takes what it was told with it; who is watched by then is told of.
#[test]
fn neighbours_are_watched_before_they_are_told_anything() {
    let bench = Bench::loading(seed(ME));
    let at = |what: &dyn Fn(&Effect) -> bool| bench.sent.iter().position(what);
    for who in [
        Address::Store,
        Address::Transport,
        Address::Worker(DeviceId(0)),
    ] {
        let watched = at(&|effect| *effect == Effect::Watch(who));
        let told = at(&|effect| matches!(effect, Effect::Tell(letter) if letter.to() == who));
        assert!(
            watched.is_some() && watched < told,
            "{who}: {watched:?} {told:?}"
        );
    }
}
