//! Bytes of nobody's making.

use super::*;
use crate::wire::latest::{ControlFrame, JobReply, JobRequest, Preface};
use crate::{Capabilities, NodeId, Ticket};
use std::fmt::Debug;

const CASES: usize = 20_000;

/// Whatever decodes is a value: it encodes, and comes back the same.
fn feed<F: Frame + PartialEq + Debug>(kind: u16, body: &[u8]) -> bool {
    let Ok(Some(frame)) = F::decode_body(kind, body) else {
        return false;
    };
    let bytes = frame.encode().unwrap();
    let (kind, body) = split::<F>(&bytes).unwrap();
    assert_eq!(F::decode_body(kind, body), Ok(Some(frame)));
    true
}

#[test]
fn random_bytes_are_refused_or_read_and_never_break_anything() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..CASES {
        let kind = u16::try_from(dice.below(14)).unwrap();
        let most = [4, 200][dice.below(2)];
        let body = dice.bytes(most);
        let results = [
            feed::<ControlFrame>(kind, &body),
            feed::<JobRequest>(kind, &body),
            feed::<JobReply>(kind, &body),
        ];
        read += results.iter().filter(|result| **result).count();
        refused += results.iter().filter(|result| !**result).count();
    }
    assert!(
        read > 100 && refused > CASES,
        "{read} read, {refused} refused"
    );
}

#[test]
fn damaged_frames_are_refused_or_read_and_never_break_anything() {
    let mut dice = Dice(0xfeed_beef_0bad_cafe);
    let control = samples::control();
    let requests = samples::requests();
    let replies = samples::replies();
    for _ in 0..CASES {
        let at = dice.below(control.len());
        damage(&mut dice, &control[at].1);
        let at = dice.below(requests.len());
        damage(&mut dice, &requests[at].1);
        let at = dice.below(replies.len());
        damage(&mut dice, &replies[at].1);
    }
}

fn damage<F: Frame + PartialEq + Debug>(dice: &mut Dice, sample: &F) {
    let bytes = sample.encode().unwrap();
    let (kind, body) = split::<F>(&bytes).unwrap();
    let mut body = body.to_vec();
    for _ in 0..=dice.below(3) {
        if body.is_empty() {
            break;
        }
        let at = dice.below(body.len());
        match dice.below(3) {
            0 => body[at] = dice.number().to_le_bytes()[0],
            1 => drop(body.remove(at)),
            _ => body.insert(at, dice.number().to_le_bytes()[0]),
        }
    }
    feed::<F>(kind, &body);
}

#[test]
fn random_heads_values_and_texts_never_break_anything() {
    let mut dice = Dice(0x0dd_ba11);
    for _ in 0..CASES {
        let bytes = dice.bytes(1_100);
        let mut head = [0; HEADER_BYTES];
        head.iter_mut()
            .zip(&bytes)
            .for_each(|(to, from)| *to = *from);
        if let Ok(header) = Header::parse(head, 1_000) {
            assert!(header.body <= 998);
        }
        let mut preface = [0; Preface::BYTES];
        preface
            .iter_mut()
            .zip(&bytes)
            .for_each(|(to, from)| *to = *from);
        if let Ok(read) = Preface::decode(&preface) {
            assert_eq!(read.encode(), preface);
        }
        drop(Capabilities::decode(&bytes));
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.parse::<NodeId>().is_err());
        assert!(Ticket::parse(&text).is_err());
    }
}
