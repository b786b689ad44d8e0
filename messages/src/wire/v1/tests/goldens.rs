//! Golden bytes of every variant. A test that fails here says that the protocol changed.

use super::golden_bytes::{CONTROL, GOSSIP, HELLO, REPLIES, REQUESTS};
use super::*;
use crate::wire::latest::{ControlFrame, Hello, JobReply, JobRequest, Preface, Purpose};
use std::fmt::Debug;

/// A name and the hex digits of the whole frame.
pub(super) type Golden = (&'static str, &'static str);

#[track_caller]
fn check<F: Frame + PartialEq + Debug>(samples: &[(&'static str, F)], goldens: &[Golden]) {
    let names: Vec<_> = samples.iter().map(|(name, _)| *name).collect();
    for (name, sample) in samples {
        let bytes = sample.encode().unwrap();
        let golden = goldens
            .iter()
            .find(|(golden, _)| golden == name)
            .map(|(_, hex)| *hex);
        assert_eq!(golden, Some(hex(&bytes).as_str()), "{name}");
        let bytes = unhex(golden.unwrap());
        let (kind, body) = split::<F>(&bytes).unwrap();
        assert_eq!(kind, sample.kind(), "{name}");
        assert_eq!(
            F::decode_body(kind, body).unwrap().as_ref(),
            Some(sample),
            "{name}"
        );
        refuses_other_lengths::<F>(name, kind, body);
    }
    assert_eq!(
        names,
        goldens.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
}

/// A body that ends early, at any byte, or goes on is no frame.
#[track_caller]
fn refuses_other_lengths<F: Frame + Debug>(name: &str, kind: u16, body: &[u8]) {
    let malformed = FrameError::Malformed { kind };
    for len in 0..body.len() {
        let cut = F::decode_body(kind, &body[..len]);
        assert_eq!(cut.err(), Some(malformed.clone()), "{name} cut at {len}");
    }
    for extra in [0, 1, 0xff] {
        let longer = F::decode_body(kind, &[body, &[extra]].concat());
        assert_eq!(
            longer.err(),
            Some(malformed.clone()),
            "{name} and a byte more"
        );
    }
}

#[test]
fn control_frames_have_these_bytes() {
    check(&samples::control(), &[&CONTROL[..], &GOSSIP].concat());
    let kinds: Vec<u16> = samples::control()
        .iter()
        .map(|(_, frame)| frame.kind())
        .collect();
    assert!(
        (1..=11).all(|kind| kinds.contains(&kind)),
        "a kind has no golden: {kinds:?}"
    );
}

#[test]
fn job_requests_have_these_bytes() {
    check(&samples::requests(), &REQUESTS);
}

#[test]
fn job_replies_have_these_bytes() {
    check(&samples::replies(), &REPLIES);
    let kinds: Vec<u16> = samples::replies()
        .iter()
        .map(|(_, reply)| reply.kind())
        .collect();
    assert!(
        (1..=5).all(|kind| kinds.contains(&kind)),
        "a kind has no golden: {kinds:?}"
    );
}

#[test]
fn a_hello_is_twenty_frozen_bytes() {
    let hello = samples::hello();
    let bytes = postcard::to_stdvec(&hello).unwrap();
    assert_eq!(hex(&bytes), HELLO);
    let bytes = unhex(HELLO);
    assert_eq!(bytes.len(), 20);
    assert_eq!(postcard::from_bytes::<Hello>(&bytes).unwrap(), hello);
    for len in 0..bytes.len() {
        assert!(
            postcard::from_bytes::<Hello>(&bytes[..len]).is_err(),
            "cut at {len}"
        );
    }
}

#[test]
fn two_hellos_agree_on_the_highest_version_that_both_know() {
    let hello = |version_min, version_max| Hello {
        version_min,
        version_max,
        features: 0,
        boot: 0,
    };
    for (one, other, common) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 3), (2, 5), Some(3)),
        ((2, 3), (1, 2), Some(2)),
        ((1, 1), (2, 2), None),
        ((3, 2), (1, 9), None),
    ] {
        let (one, other) = (hello(one.0, one.1), hello(other.0, other.1));
        assert_eq!(one.common_version(&other), common);
        assert_eq!(other.common_version(&one), common);
    }
}

#[test]
fn prefaces_have_these_bytes() {
    for ((name, preface), first) in samples::prefaces().into_iter().zip(["01", "02", "03"]) {
        let bytes = preface.encode();
        assert_eq!(hex(&bytes), format!("{first}{}", "09".repeat(32)), "{name}");
        assert_eq!(Preface::decode(&bytes), Ok(preface), "{name}");
    }
    for unknown in (0..=255).filter(|byte| !(1..=3).contains(byte)) {
        let mut bytes = Preface {
            purpose: Purpose::Job,
            tag: [9; 32],
        }
        .encode();
        bytes[0] = unknown;
        let malformed = FrameError::Malformed {
            kind: u16::from(unknown),
        };
        assert_eq!(Preface::decode(&bytes), Err(malformed));
    }
}

#[test]
fn kinds_of_a_later_version_are_skipped_whatever_their_body() {
    for body in [&b""[..], &[0], &[0xff; 100]] {
        for kind in (12..=u16::MAX).chain([0]) {
            assert_eq!(ControlFrame::decode_body(kind, body), Ok(None));
        }
        for kind in [0, 2, 3, 99, u16::MAX] {
            assert_eq!(JobRequest::decode_body(kind, body), Ok(None));
        }
        for kind in [0, 6, 7, 99, u16::MAX] {
            assert_eq!(JobReply::decode_body(kind, body), Ok(None));
        }
    }
}
