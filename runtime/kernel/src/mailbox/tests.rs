use super::*;
use messages::limits::JOB_FRAME_BYTES_MAX;
use messages::{Coalesce, DeviceId, NetworkId, NodeId, RequestId, StreamId};

const LIMITS: Limits = Limits {
    letters: 10,
    reserve: 5,
    data_bytes: 100,
    frame_bytes: 50,
};

#[track_caller]
fn check(class: &Class, (letters, data_bytes): (usize, usize), expected: Result<(), Shed>) {
    let depth = Depth {
        letters,
        data_bytes,
        frame_bytes: 0,
    };
    assert_eq!(admit(class, depth, LIMITS), expected);
}

#[test]
fn data_is_shed_when_the_letters_are_full() {
    check(&Class::Data(1), (9, 0), Ok(()));
    check(&Class::Data(1), (10, 0), Err(Shed::Data));
    check(&Class::Data(0), (14, 0), Err(Shed::Data));
}

#[test]
fn data_is_shed_when_its_bytes_are_full() {
    check(&Class::Data(40), (1, 60), Ok(()));
    check(&Class::Data(41), (1, 60), Err(Shed::Data));
}

#[test]
fn a_letter_that_is_too_heavy_by_itself_enters_a_mailbox_without_data() {
    check(&Class::Data(1_000), (3, 0), Ok(()));
    check(&Class::Data(1_000), (3, 1), Err(Shed::Data));
}

#[test]
fn control_and_news_have_the_reserve_and_weigh_nothing() {
    for class in [Class::Control, Class::Coalesce(Coalesce::Load)] {
        check(&class, (10, 1_000), Ok(()));
        check(&class, (14, 0), Ok(()));
        check(&class, (15, 0), Err(Shed::Reserve));
    }
}

#[test]
fn frames_are_bounded_by_bytes_of_their_own_and_leave_the_reserve_alone() {
    let check = |bytes, letters, frame_bytes, expected| {
        let depth = Depth {
            letters,
            data_bytes: 1_000,
            frame_bytes,
        };
        assert_eq!(admit(&Class::Frame(bytes), depth, LIMITS), expected);
    };
    check(20, 9, 30, Ok(()));
    check(21, 9, 30, Err(Shed::Data));
    check(51, 9, 0, Ok(()));
    check(1, 10, 0, Err(Shed::Data));
    let depth = Depth {
        letters: 9,
        data_bytes: 0,
        frame_bytes: 1_000,
    };
    for class in [Class::Control, Class::Data(1)] {
        assert_eq!(admit(&class, depth, LIMITS), Ok(()));
    }
}

#[test]
fn a_letter_adds_to_the_bytes_of_its_class_and_takes_them_away() {
    let mut depth = Depth::default();
    for class in [Class::Control, Class::Frame(3), Class::Data(5)] {
        depth += Depth::of(&class);
    }
    let (letters, data_bytes, frame_bytes) = (3, 5, 3);
    let all = Depth {
        letters,
        data_bytes,
        frame_bytes,
    };
    assert_eq!(depth, all);
    depth -= all;
    assert_eq!(depth, Depth::default());
}

#[test]
fn every_mailbox_has_limits_with_room_for_control_above_data() {
    let (network, peer) = (NetworkId([0; 32]), NodeId([0; 32]));
    for address in [
        Address::Store,
        Address::Transport,
        Address::Stream(StreamId(1)),
        Address::Engine(DeviceId(1)),
        Address::Worker(DeviceId(1)),
        Address::Roster(network),
        Address::GossipStore(network),
        Address::Session(network, peer),
        Address::Router,
        Address::Proxy(RequestId { boot: 1, n: 1 }),
        Address::Gateway,
        Address::Control,
        Address::Observer,
    ] {
        let limits = limits_of(address);
        assert!(limits.letters > 0 && limits.reserve > 0, "{address}");
        // A largest job fits an empty mailbox twice.
        assert!(limits.data_bytes >= 2 * JOB_FRAME_BYTES_MAX, "{address}");
        let full = Depth {
            letters: limits.letters,
            data_bytes: limits.data_bytes,
            frame_bytes: limits.frame_bytes,
        };
        assert_eq!(
            admit(&Class::Data(1), full, limits),
            Err(Shed::Data),
            "{address}"
        );
        assert_eq!(admit(&Class::Control, full, limits), Ok(()), "{address}");
    }
}

#[test]
fn the_gossip_store_has_room_for_frames_of_many_sessions_and_all_others_for_one() {
    let (network, peer) = (NetworkId([0; 32]), NodeId([0; 32]));
    let frames = |address| limits_of(address).frame_bytes;
    assert_eq!(
        frames(Address::Session(network, peer)),
        FRAMES_WAITING_BYTES_MAX
    );
    assert_eq!(frames(Address::Roster(network)), FRAMES_WAITING_BYTES_MAX);
    assert_eq!(
        frames(Address::GossipStore(network)),
        16 * FRAMES_WAITING_BYTES_MAX
    );
    // What the sessions hold more than that is turned away; the store's own letters are not.
    let limits = limits_of(Address::GossipStore(network));
    let full = Depth {
        letters: 100,
        data_bytes: 0,
        frame_bytes: limits.frame_bytes,
    };
    assert_eq!(admit(&Class::Frame(1), full, limits), Err(Shed::Data));
    assert_eq!(admit(&Class::Control, full, limits), Ok(()));
}
