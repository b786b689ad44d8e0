//! Frames about records: what they may hold at most, and what is none.

use super::*;
use crate::limits::{CONTROL_FRAME_BYTES_MAX, NAME_BYTES_MAX, RECORD_BYTES_MAX};
use crate::peer_session::Input;
use crate::wire::latest::{
    AUTHORS_MAX, AskId, BATCH_RECORDS_MAX, BRANCHES, ControlFrame, ENTRIES_MAX, Entry, Gossip,
    PLACES_MAX, Part, Roots, batch,
};
use crate::{
    Class, Credential, Digest, Grant, Kind, Label, List, NodeId, Prefix, RecordClass, RecordKey,
    Signature, SignedGrant, SignedRecord, Stamp, TicketKey, Wall, gossip_store,
};
use samples::gossip::{entry, place};
use serde::Serialize;

const KIND: u16 = 11;

/// A record that takes as many bytes as one may.
fn largest_record() -> SignedRecord {
    let mut signed = samples::record(None);
    signed.record.id = Label::truncated(&"x".repeat(NAME_BYTES_MAX));
    signed.record.kind = Kind(u16::MAX);
    signed.record.stamp = Stamp(u64::MAX);
    signed.record.value = Some(vec![0xff; RECORD_BYTES_MAX].into());
    signed
}

fn largest_entry() -> Entry {
    Entry {
        stamp: Stamp(u64::MAX),
        ..entry(0xff)
    }
}

fn largest_proof() -> (NodeId, Credential) {
    let long = Label::truncated(&"x".repeat(NAME_BYTES_MAX));
    let grant = Grant {
        owner: NodeId([0xff; 32]),
        label: long.clone(),
        ticket: TicketKey([0xff; 32]),
        name: long,
        issued: Wall(u64::MAX),
        expires: Some(Wall(u64::MAX)),
    };
    let signature = Signature::from_bytes(&[0xff; 64]);
    let grant = Box::new(SignedGrant { grant, signature });
    let joined = signature;
    (NodeId([0xff; 32]), Credential::Ticket { grant, joined })
}

/// Each variant as large as it may be.
fn largest() -> [Gossip; 9] {
    let (ask, digest) = (AskId(u32::MAX), Digest([0xff; 32]));
    let records = batch(vec![largest_record(); BATCH_RECORDS_MAX]);
    assert!(records.len() >= 10);
    let entries = Part::Entries(List::truncated([largest_entry(); ENTRIES_MAX]));
    let branches = Part::Branches(List::truncated([digest; BRANCHES]));
    let differ = |part| Gossip::Differ {
        ask,
        parts: List::truncated(vec![part; PLACES_MAX]),
    };
    let class = RecordClass::Gated;
    [
        Gossip::News(records.clone()),
        Gossip::Roots(Roots {
            public: digest,
            gated: Some(digest),
        }),
        Gossip::Compare {
            ask,
            class,
            places: List::truncated([(place(&[0xf; 16]), digest); PLACES_MAX]),
        },
        differ(entries),
        differ(branches),
        Gossip::Want {
            ask,
            class,
            keys: List::truncated([RecordKey([0xff; 32]); BATCH_RECORDS_MAX]),
        },
        Gossip::Have { ask, records },
        Gossip::Who(List::truncated([NodeId([0xff; 32]); AUTHORS_MAX])),
        Gossip::Credentials(List::truncated(vec![largest_proof(); AUTHORS_MAX])),
    ]
}

/// A body of these fields, the first of them the number of the variant.
fn decode(value: &impl Serialize) -> Result<Option<ControlFrame>, FrameError> {
    ControlFrame::decode_body(KIND, &postcard::to_stdvec(value).unwrap())
}

#[track_caller]
fn check(most: usize, of: impl Fn(usize) -> Result<Option<ControlFrame>, FrameError>) {
    assert!(matches!(of(most), Ok(Some(ControlFrame::Gossip(_)))));
    assert_eq!(of(most + 1), Err(FrameError::Malformed { kind: KIND }));
}

#[test]
fn the_largest_of_each_fits_a_control_frame_and_comes_back() {
    for gossip in largest() {
        let frame = ControlFrame::Gossip(Box::new(gossip));
        let bytes = frame.encode().unwrap();
        let (kind, body) = split::<ControlFrame>(&bytes).unwrap();
        assert_eq!(kind, KIND);
        assert_eq!(ControlFrame::decode_body(kind, body), Ok(Some(frame)));
    }
}

#[test]
fn a_record_with_too_long_a_value_does_not_make_a_batch_too_large() {
    // The reader takes the frame and refuses the record: only the frame's length bounds a value.
    let of = |len: usize| {
        let mut signed = samples::record(None);
        signed.record.value = Some(vec![0; len].into());
        let frame = ControlFrame::Gossip(Box::new(Gossip::News(List::truncated([signed]))));
        frame.encode()
    };
    assert!(of(RECORD_BYTES_MAX + 1).is_ok());
    assert!(of(CONTROL_FRAME_BYTES_MAX).is_err());
}

#[test]
fn in_a_mailbox_each_weighs_at_least_its_bytes() {
    let all = samples::gossip::all().into_iter().map(|(_, of)| of);
    for gossip in largest().into_iter().chain(all) {
        let frame = ControlFrame::Gossip(Box::new(gossip.clone()));
        let bytes = frame.encode().unwrap().len();
        assert!(gossip.weight() >= bytes, "{} < {bytes}", gossip.weight());
        assert!(frame.weight() >= gossip.weight());
        let class = Class::Frame(gossip.weight());
        let peer = samples::record(None).record.author;
        let heard = gossip_store::Input::Heard(peer, Box::new(gossip.clone()));
        assert_eq!(heard.class(), class);
        assert_eq!(Input::Gossip(Box::new(gossip)).class(), class);
    }
}

#[test]
fn records_over_their_limit_are_refused() {
    let of = |n| vec![samples::record(None); n];
    check(BATCH_RECORDS_MAX, |n| decode(&(0_u8, of(n))));
    check(BATCH_RECORDS_MAX, |n| decode(&(5_u8, AskId(1), of(n))));
}

#[test]
fn questions_over_their_limit_are_refused() {
    let places = |n| vec![(Prefix::ROOT, Digest::default()); n];
    let keys = |n| vec![RecordKey([1; 32]); n];
    let public = RecordClass::Public;
    check(PLACES_MAX, |n| decode(&(2_u8, AskId(1), public, places(n))));
    check(BATCH_RECORDS_MAX, |n| {
        decode(&(4_u8, AskId(1), public, keys(n)))
    });
}

#[test]
fn answers_over_their_limit_are_refused() {
    // Of a part's variants 0 is Same, 1 is Branches and 2 is Entries.
    check(PLACES_MAX, |n| decode(&(3_u8, AskId(1), vec![0_u8; n])));
    check(BRANCHES, |n| {
        let branches = vec![Digest::default(); n];
        decode(&(3_u8, AskId(1), vec![(1_u8, branches)]))
    });
    check(ENTRIES_MAX, |n| {
        decode(&(3_u8, AskId(1), vec![(2_u8, vec![entry(1); n])]))
    });
}

#[test]
fn a_list_that_claims_more_than_the_frame_holds_is_refused() {
    for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff; 9], &[0x08]] {
        for head in [&[0][..], &[2, 1, 0], &[3, 1], &[4, 1, 0], &[5, 1]] {
            let body = [head, claim].concat();
            assert!(ControlFrame::decode_body(KIND, &body).is_err(), "{body:?}");
        }
        for part in [1, 2] {
            let body = [&[3, 1, 1, part], claim].concat();
            assert!(ControlFrame::decode_body(KIND, &body).is_err(), "{body:?}");
        }
    }
}

#[test]
fn variants_that_are_none_are_refused() {
    let digest = Digest::default();
    // A seventh of the frame, a third class, a fourth part, and a truth value.
    assert!(decode(&(6_u8, AskId(1))).is_err());
    assert!(decode(&(2_u8, AskId(1), 2_u8, [(); 0].as_slice())).is_err());
    assert!(decode(&(4_u8, AskId(1), 2_u8, [(); 0].as_slice())).is_err());
    assert!(decode(&(3_u8, AskId(1), vec![3_u8])).is_err());
    assert!(decode(&(1_u8, digest, 0_u8)).is_ok());
    assert!(decode(&(1_u8, digest, 2_u8)).is_err());
}

#[test]
fn a_question_about_no_place_is_refused() {
    let ask = |depth: u8, path: u64| {
        let places = vec![((depth, path), Digest::default())];
        decode(&(2_u8, AskId(1), RecordClass::Public, places))
    };
    assert!(ask(0, 0).is_ok());
    assert!(ask(1, 0xa << 60).is_ok());
    assert!(ask(16, u64::MAX).is_ok());
    for (depth, path) in [(0, 1), (1, 1), (1, 0xaa << 56), (15, 1), (17, 0), (255, 0)] {
        let malformed = FrameError::Malformed { kind: KIND };
        assert_eq!(ask(depth, path), Err(malformed), "{depth} {path:x}");
    }
}
