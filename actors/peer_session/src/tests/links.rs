//! Two links to one peer: which one stays.

use super::*;

const OTHER: LinkId = LinkId(11);

fn on(link: LinkId, frame: ControlFrame) -> Input {
    Input::Frame { link, frame }
}

fn second(dialled: bool) -> Input {
    Input::Link {
        link: OTHER,
        dialled,
    }
}

/// An active session over a link that `first` says who dialled, with a second one announced.
fn two_links(phase: Phase, first: bool, then: bool) -> Bench {
    let mut bench = Bench::in_phase(phase);
    bench.tell(Input::Link {
        link: LINK,
        dialled: first,
    });
    assert_eq!(bench.tell(second(then)), "hello");
    bench
}

fn kept(bench: &Bench) -> (LinkId, usize) {
    (
        bench.session.links.primary.id,
        bench.session.links.others.len(),
    )
}

#[test]
fn at_the_same_boot_the_link_dialled_by_the_smaller_node_stays() {
    // This node is the smaller one.
    let mut bench = two_links(Phase::Judging, true, false);
    assert_eq!(bench.tell(on(OTHER, hello(false, 1))), "close");
    assert_eq!(kept(&bench), (LINK, 0));
    let mut bench = two_links(Phase::Judging, false, true);
    assert_eq!(bench.tell(on(OTHER, hello(false, 1))), "close, proof");
    assert_eq!(kept(&bench), (OTHER, 0));
}

#[test]
fn of_two_links_dialled_by_the_same_side_the_newer_stays() {
    for dialled in [true, false] {
        let mut bench = two_links(Phase::Active, dialled, dialled);
        assert_eq!(
            bench.tell(on(OTHER, hello(false, 1))),
            "ping, close, proof, parted, stale"
        );
        assert_eq!(kept(&bench), (OTHER, 0));
    }
}

#[test]
fn a_newer_boot_of_the_peer_wins_and_an_older_one_loses() {
    let mut bench = two_links(Phase::Active, true, false);
    assert_eq!(
        bench.tell(on(OTHER, hello(false, 2))),
        "ping, close, proof, parted, stale"
    );
    assert_eq!(kept(&bench), (OTHER, 0));
    let mut bench = two_links(Phase::Active, false, true);
    assert_eq!(bench.tell(on(OTHER, hello(false, 0))), "ping, close");
    assert_eq!(kept(&bench), (LINK, 0));
}

#[test]
fn a_link_in_use_stays_if_it_carries_something() {
    let mut bench = two_links(Phase::Active, true, false);
    assert_eq!(bench.tell(on(OTHER, hello(false, 1))), "ping");
    assert_eq!(kept(&bench), (LINK, 1));
    bench.go(bench.now.mono + Micros::from_millis(40));
    assert_eq!(bench.tell(frame(ControlFrame::Pong(2))), "close");
    assert_eq!(kept(&bench), (LINK, 0));
}

#[test]
fn a_link_in_use_that_carries_nothing_gives_way_in_1500_ms() {
    let mut bench = two_links(Phase::Active, true, false);
    assert_eq!(bench.tell(on(OTHER, hello(false, 1))), "ping");
    let said = bench.wait(Micros::from_millis(1_500));
    assert_eq!(
        said.last().map(String::as_str),
        Some("close, proof, parted, stale"),
        "{said:?}"
    );
    assert_eq!(kept(&bench), (OTHER, 0));
}

#[test]
fn a_hello_that_is_faster_than_the_rosters_word_is_kept_for_it() {
    let mut bench = Bench::in_phase(Phase::Judging);
    assert_eq!(bench.tell(on(OTHER, hello(false, 2))), "·");
    assert_eq!(
        bench.tell(on(OTHER, ControlFrame::Proof(credential("peer").into()))),
        "·"
    );
    assert_eq!(bench.tell(second(false)), "answer, close, proof, judge");
    assert_eq!(kept(&bench), (OTHER, 0));
}

#[test]
fn a_second_link_that_stays_silent_is_closed_with_the_handshakes_time() {
    let mut bench = two_links(Phase::Active, true, false);
    let mut said = Vec::new();
    for number in 1..7 {
        said.extend(bench.wait(Micros::from_secs(1)));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert!(said.iter().any(|turn| turn.contains("close")), "{said:?}");
    assert_eq!(kept(&bench), (LINK, 0));
}

#[test]
fn when_the_link_in_use_is_lost_the_other_one_takes_over() {
    let mut bench = two_links(Phase::Active, true, false);
    let down = Input::LinkDown {
        link: LINK,
        why: messages::peer_session::LinkLoss::Reset,
    };
    assert_eq!(bench.tell(down), "parted, stale");
    assert_eq!(kept(&bench), (OTHER, 0));
    assert_eq!(bench.tell(on(OTHER, hello(false, 1))), "proof");
    // What the lost link still delivers means nothing.
    assert_eq!(bench.tell(on(LINK, ControlFrame::Deny(Deny::Revoked))), "·");
    assert_eq!(bench.session.phase(), Phase::Judging);
}

#[test]
fn a_fifth_link_is_closed_at_once() {
    let mut bench = Bench::in_phase(Phase::Active);
    let said: Vec<String> = (20..24)
        .map(|link| {
            bench.tell(Input::Link {
                link: LinkId(link),
                dialled: false,
            })
        })
        .collect();
    assert_eq!(said, ["hello", "hello", "hello", "close"]);
    for link in 30..40 {
        assert_eq!(
            bench.tell(on(LinkId(link), hello(false, 1))),
            "·",
            "no room for a Hello"
        );
    }
}

#[test]
fn faults_on_a_second_link_cost_only_that_link() {
    let faults: [fn() -> Input; 3] = [
        || on(OTHER, ControlFrame::Deny(Deny::TooSlow)),
        || Input::BadFrame {
            link: OTHER,
            why: Label::truncated("oversize"),
        },
        || {
            let hello = Hello {
                version_min: 7,
                version_max: 9,
                features: 0,
                boot: 1,
            };
            on(OTHER, ControlFrame::Hello(hello))
        },
    ];
    for fault in faults {
        let mut bench = two_links(Phase::Active, true, false);
        assert_eq!(bench.tell(fault()), "close");
        assert_eq!(bench.session.phase(), Phase::Active);
    }
}

#[test]
fn a_link_for_a_session_that_refused_the_peer_is_closed() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(Input::Cut(Deny::Revoked));
    assert_eq!(bench.tell(second(false)), "close");
}

#[test]
fn a_node_has_no_session_with_itself() {
    let mut session = PeerSession::new(seed(ME, ME, LINK, true), ctx());
    let (mut out, life) = (Outbox::new(), Incarnation { boot: 1, n: 1 });
    let now = Now {
        mono: Mono(1),
        wall: WALL,
    };
    session
        .signal(now, Signal::Started(life), &mut out)
        .unwrap();
    assert_eq!(words(out.effects()), "born, deny, end");
}

#[test]
fn a_peer_that_was_leaving_and_boots_anew_leaves_no_more() {
    let mut bench = two_links(Phase::Active, true, false);
    bench.tell(frame(ControlFrame::Leave(false)));
    assert!(bench.session.leave.is_leaving());
    // The same boot that begins anew is leaving still.
    bench.tell(on(OTHER, hello(false, 1)));
    assert!(bench.session.leave.is_leaving());
    let mut bench = two_links(Phase::Active, true, false);
    bench.tell(frame(ControlFrame::Leave(false)));
    bench.tell(on(OTHER, hello(false, 2)));
    assert_eq!(kept(&bench), (OTHER, 0));
    assert!(!bench.session.leave.is_leaving());
    // Where this node leaves, it goes on to.
    let mut bench = two_links(Phase::Active, true, false);
    bench.tell(Input::Leave);
    bench.tell(on(OTHER, hello(false, 2)));
    assert!(bench.session.ended.is_some() || bench.session.leave.is_leaving());
}
