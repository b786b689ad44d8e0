//! Who is told of whom.

use super::*;
use messages::limits::{CONTROL_FRAME_BYTES_MAX, INTRODUCTIONS_MAX};
use messages::wire::latest::{ControlFrame, Frame};

fn authors(told: Vec<peer_session::Input>) -> Vec<NodeId> {
    let entries = told.into_iter().filter_map(|input| {
        let peer_session::Input::Introduce(entries) = input else {
            return None;
        };
        Some(entries.into_vec())
    });
    entries
        .flatten()
        .map(|entry| entry.record.record.author)
        .collect()
}

/// What these sessions hear of an introduction.
fn heard(bench: &mut Bench, peers: &[u8], input: Input) -> Vec<usize> {
    bench.sent.clear();
    bench.tell(input);
    let sent = bench.sent.clone();
    let count = |peer: &u8| {
        bench.sent = sent.clone();
        authors(bench.told(*peer)).len()
    };
    peers.iter().map(count).collect()
}

#[test]
fn a_new_record_goes_once_to_everybody_but_its_sender_and_its_author() {
    let peers = [10, 11, 12];
    let mut bench = Bench::with(&peers);
    assert_eq!(
        heard(&mut bench, &peers, introduced(10, [advert(11, 1)])),
        [0, 0, 1]
    );
    assert_eq!(
        heard(&mut bench, &peers, introduced(12, [advert(11, 1)])),
        [0, 0, 0],
        "again"
    );
    assert_eq!(
        heard(&mut bench, &peers, introduced(12, [advert(11, 2)])),
        [1, 0, 0],
        "newer"
    );
    assert_eq!(
        heard(&mut bench, &peers, introduced(12, [advert(11, 1)])),
        [0, 0, 0],
        "older"
    );
}

#[test]
fn of_two_records_with_one_stamp_every_node_keeps_the_same() {
    let one = advert(11, 1);
    let mut record = one.record.record.clone();
    record.value = Some(Capabilities::default().encode().unwrap());
    let two = introduction(11, record);
    let kept = |order: [&Introduction; 2]| {
        let mut bench = Bench::new(seed(ME));
        for entry in order {
            bench.tell(introduced(10, [entry.clone()]));
        }
        bench
            .roster
            .table
            .get(node(11))
            .and_then(|member| member.record.clone())
    };
    assert_eq!(kept([&one, &two]), kept([&two, &one]));
}

#[test]
fn a_bad_entry_is_skipped_and_the_rest_counts() {
    let mut bench = Bench::with(&[10]);
    let mut forged = advert(11, 1);
    forged.record.record.stamp = Stamp(2);
    let entries = [forged, advert(12, 1), advert(ME, 9)];
    bench.tell(introduced(10, entries));
    assert_eq!((bench.roster.skipped, bench.roster.table.len()), (1, 2));
    assert!(
        !bench.roster.table.knows(node(ME)),
        "nobody speaks for this node"
    );
}

#[test]
fn whoever_becomes_active_hears_of_all_others_that_are() {
    let mut bench = Bench::with(&[10, 11]);
    bench.tell(introduced(
        10,
        [advert(10, 1), advert(11, 1), advert(12, 1), advert(13, 1)],
    ));
    bench.sent.clear();
    bench.activate(12);
    assert_eq!(
        authors(bench.told(12)).len(),
        2,
        "not of itself, nor of who is not active"
    );
}

#[test]
fn who_came_while_another_was_away_is_told_of_it_when_it_is_back() {
    let mut bench = Bench::with(&[10, 11, 12]);
    bench.tell(introduced(10, [advert(10, 1)]));
    bench.tell(introduced(11, [advert(11, 1)]));
    for peer in [10, 11] {
        bench.tell(ended(peer, LOST));
        bench.session_down(peer, Exit::Normal);
    }
    bench.sent.clear();
    bench.activate(13);
    assert!(authors(bench.told(13)).is_empty(), "nobody is here");
    for peer in [10, 11] {
        bench.activate(peer);
        bench.tell(introduced(peer, [advert(peer, 1)]));
    }
    bench.sent.clear();
    bench.wait(Micros::from_millis(200));
    let sent = bench.sent.clone();
    assert_eq!(authors(bench.told(13)), [node(10), node(11)]);
    bench.sent = sent;
    assert_eq!(
        authors(bench.told(10)),
        [node(11)],
        "nobody hears of itself"
    );
    bench.sent.clear();
    bench.wait(Micros::from_secs(5));
    assert!(authors(bench.told(13)).is_empty(), "once");
}

#[test]
fn a_large_network_is_told_in_pages_and_frames_that_fit() {
    let peers: Vec<u8> = (10..180).collect();
    let mut bench = Bench::with(&peers);
    for chunk in peers.chunks(INTRODUCTIONS_MAX) {
        bench.tell(introduced(OWNER, chunk.iter().map(|peer| advert(*peer, 1))));
    }
    bench.sent.clear();
    bench.activate(200);
    bench.wait(Micros::from_millis(200));
    let told = bench.told(200);
    for input in &told {
        if let peer_session::Input::Introduce(entries) = input {
            let frame = ControlFrame::Introductions(entries.clone());
            let bytes = frame.encode().unwrap().len();
            assert!(bytes <= CONTROL_FRAME_BYTES_MAX, "{bytes}");
        }
    }
    let mut authors = authors(told);
    authors.sort_unstable();
    authors.dedup();
    assert_eq!(authors.len(), peers.len());
    assert_eq!(bench.roster.catch_up_at, None, "and then that is all");
}

#[test]
fn entries_of_the_largest_size_fit_their_frames() {
    let long = || Label::truncated(&"n".repeat(128));
    let mut wordy = ticket(101, Some(WALL + Micros::from_secs(60)));
    wordy.grant.grant.name = long();
    wordy.grant.signature = sign(OWNER, &wordy.grant.grant.signing_bytes());
    let large = |author: u8| {
        let mut record = advert(author, WALL.0).record.record;
        let advert = |number| ModelAdvert {
            name: long(),
            ..model(number)
        };
        let llms = List::truncated((0..4).map(advert));
        let addrs =
            (0..10).map(|last| SocketAddr::from(([0xfd00, 1, 2, 3, 4, 5, 6, last], 40_000)));
        let addrs = List::truncated(addrs);
        let said = Capabilities {
            llms,
            addrs,
            ..Default::default()
        };
        record.value = Some(said.encode().unwrap());
        let credential = join(&wordy, node(author));
        Introduction {
            credential,
            ..introduction(author, record)
        }
    };
    let mut bench = Bench::with(&[10, 11]);
    bench.sent.clear();
    bench.tell(introduced(10, (20..52).map(large)));
    let frames = bench.told(11).into_iter().filter_map(|input| {
        let peer_session::Input::Introduce(entries) = input else {
            return None;
        };
        Some(ControlFrame::Introductions(entries).encode().unwrap().len())
    });
    let frames: Vec<usize> = frames.collect();
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert!(
        frames.iter().all(|bytes| *bytes <= 48 * 1024 + 64),
        "{frames:?}"
    );
}

#[test]
fn what_others_present_for_a_member_does_not_replace_what_it_presented() {
    let mut bench = Bench::with(&[10]);
    let mut entry = advert(10, 1);
    entry.credential = join(&ticket(66, None), node(10));
    bench.tell(introduced(11, [entry]));
    let known = bench
        .roster
        .table
        .get(node(10))
        .map(|member| member.credential.clone());
    assert_eq!(known, Some(credential(10)));
    // So withdrawing that other ticket does not touch it, and withdrawing its own does.
    bench.sent.clear();
    let mut revoke = |number| {
        bench.tell(Input::Revoked {
            from: node(11),
            record: revocation(number).into(),
        })
    };
    assert_eq!(revoke(66), "write, revoke");
    assert_eq!(revoke(100), "cut");
}

#[test]
fn a_session_without_room_is_told_again() {
    let mut bench = Bench::with(&[10, 11]);
    bench.tell(introduced(10, [advert(10, 1), advert(11, 1)]));
    let input = peer_session::Input::Introduce(List::truncated([advert(10, 1)]));
    let letter = Letter::Session(network(), node(11), input);
    bench.returned(letter, ReturnReason::Busy);
    bench.sent.clear();
    bench.wait(Micros::from_secs(1));
    assert_eq!(authors(bench.told(11)), [node(10)]);
}

#[test]
fn a_member_whose_time_is_over_is_introduced_to_nobody_and_dropped() {
    let end = WALL + Micros::from_secs(30);
    let mut bench = Bench::new(seed(ME));
    let mut entry = advert(10, 1);
    entry.credential = join(&ticket(101, Some(end)), node(10));
    bench.tell(introduced(OWNER, [entry]));
    assert!(bench.roster.table.knows(node(10)));
    bench.wait(Micros::from_secs(61));
    assert!(!bench.roster.table.knows(node(10)));
}
