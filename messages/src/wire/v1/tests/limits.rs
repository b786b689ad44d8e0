//! Headers and lists over their limits, in both directions.

use super::*;
use crate::limits::{
    BATCH_TOKENS_MAX, CONTROL_FRAME_BYTES_MAX, INTRODUCTIONS_MAX, JOB_FRAME_BYTES_MAX,
    MESSAGES_MAX, PROMPT_BYTES_MAX, REASON_BYTES_MAX, REPLY_FRAME_BYTES_MAX, TOKEN_BYTES_MAX,
    TOKENS_MAX,
};
use crate::peer_session::Input;
use crate::wire::latest::{ControlFrame, JobReply, JobRequest};
use crate::{
    Class, Digest, Job, LinkId, List, Message, Prompt, Role, Text, TokenBatch, TokenId, TokenPiece,
    Wall,
};
use serde::Serialize;

fn header(len: usize, kind: u16) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
    bytes[4..].copy_from_slice(&kind.to_le_bytes());
    bytes
}

#[test]
fn a_header_over_the_streams_limit_is_refused_before_anything_is_read() {
    for max in [
        CONTROL_FRAME_BYTES_MAX,
        JOB_FRAME_BYTES_MAX,
        REPLY_FRAME_BYTES_MAX,
    ] {
        assert_eq!(
            Header::parse(header(max, 5), max),
            Ok(Header {
                kind: 5,
                body: max - 2
            })
        );
        for len in [max + 1, 0xffff_ffff] {
            let oversize = FrameError::Oversize { len, max };
            assert_eq!(Header::parse(header(len, 5), max), Err(oversize));
        }
    }
}

#[test]
fn a_header_without_room_for_its_kind_is_refused() {
    for len in [0, 1] {
        assert_eq!(
            Header::parse(header(len, 5), 100),
            Err(FrameError::Undersize(len))
        );
    }
    assert_eq!(
        Header::parse(header(2, 3), 100),
        Ok(Header { kind: 3, body: 0 })
    );
}

#[test]
fn a_value_that_would_exceed_the_limit_is_not_encoded() {
    let of = |bytes: usize| {
        let prompt = Prompt::Raw(Text::from("x".repeat(bytes)));
        JobRequest::Open(Box::new(Job {
            prompt,
            ..samples::job()
        }))
    };
    let rest = of(2 << 20).encode().unwrap_err();
    let FrameError::TooLarge {
        kind: 1,
        len,
        max: JOB_FRAME_BYTES_MAX,
    } = rest
    else {
        panic!("{rest:?}")
    };
    // A prompt's length has a byte less under 2 MiB.
    let fits = (2 << 20) - (len - 1 - JOB_FRAME_BYTES_MAX);
    assert_eq!(of(fits).encode().unwrap().len(), JOB_FRAME_BYTES_MAX + 4);
    assert!(of(fits + 1).encode().is_err());
}

#[test]
fn the_largest_job_can_be_resumed_at_its_last_token() {
    let first = PROMPT_BYTES_MAX - (MESSAGES_MAX - 1);
    let messages = (0..MESSAGES_MAX).map(|n| Message {
        role: Role::Tool,
        content: Text::from("x".repeat(if n == 0 { first } else { 1 })),
    });
    let job = Job {
        prompt: Prompt::Chat(List::truncated(messages)),
        template_time: Wall(u64::MAX),
        max_tokens: Some(u32::MAX),
        resume: List::truncated(vec![TokenId(u32::MAX); TOKENS_MAX]),
        expect: Some(Digest([0xff; 32])),
        ..samples::job()
    };
    assert_eq!(job.prompt.len(), PROMPT_BYTES_MAX);
    let request = JobRequest::Open(Box::new(job));
    let frame = request.encode().unwrap();
    let again = JobRequest::decode_body(1, &frame[HEADER_BYTES..]).unwrap();
    assert_eq!(again, Some(request));
}

#[test]
fn the_largest_batch_of_tokens_fits_a_reply() {
    let token = TokenPiece {
        id: TokenId(u32::MAX),
        bytes: serde_bytes(TOKEN_BYTES_MAX),
    };
    let batch = TokenBatch {
        attempt: u32::MAX,
        first: u32::MAX,
        tokens: List::truncated(vec![token; BATCH_TOKENS_MAX]),
    };
    assert!(JobReply::Tokens(batch).encode().is_ok());
}

#[test]
fn prompts_over_their_limit_are_refused() {
    let resume = &samples::job().resume;
    let half = Message {
        role: Role::User,
        content: Text::from("x".repeat(PROMPT_BYTES_MAX / 2)),
    };
    // Variant 0 is a chat, variant 1 is raw text.
    let chat = |more: &str| {
        let last = Message {
            role: Role::User,
            content: Text::from(more),
        };
        job_with(&(0_u8, vec![half.clone(), half.clone(), last]), resume)
    };
    let raw = |len: usize| job_with(&(1_u8, "x".repeat(len)), resume);
    assert!(JobRequest::decode_body(1, &chat("")).is_ok());
    assert!(JobRequest::decode_body(1, &chat("x")).is_err());
    assert!(JobRequest::decode_body(1, &raw(PROMPT_BYTES_MAX)).is_ok());
    assert!(JobRequest::decode_body(1, &raw(PROMPT_BYTES_MAX + 1)).is_err());
}

/// `value` in place of the frame's body.
fn refused<F: Frame>(kind: u16, value: &impl Serialize) -> bool {
    F::decode_body(kind, &postcard::to_stdvec(value).unwrap()).is_err()
}

#[test]
fn introductions_over_their_limit_are_refused() {
    let of = |n| vec![samples::introduction(); n];
    assert!(!refused::<ControlFrame>(7, &of(INTRODUCTIONS_MAX)));
    assert!(refused::<ControlFrame>(7, &of(INTRODUCTIONS_MAX + 1)));
}

#[test]
fn token_batches_over_their_limit_are_refused() {
    let of = |n| (1_u32, 2_u32, vec![(TokenId(1), serde_bytes(1)); n]);
    assert!(!refused::<JobReply>(2, &of(BATCH_TOKENS_MAX)));
    assert!(refused::<JobReply>(2, &of(BATCH_TOKENS_MAX + 1)));
}

#[test]
fn tokens_over_their_limit_are_refused() {
    let of = |len| (1_u32, 2_u32, vec![(TokenId(1), serde_bytes(len))]);
    assert!(!refused::<JobReply>(2, &of(TOKEN_BYTES_MAX)));
    assert!(refused::<JobReply>(2, &of(TOKEN_BYTES_MAX + 1)));
}

fn serde_bytes(len: usize) -> bytes::Bytes {
    bytes::Bytes::from(vec![b'x'; len])
}

/// A job's fields, its prompt and resumed tokens given apart.
fn job_with(prompt: &impl Serialize, resume: &impl Serialize) -> Vec<u8> {
    let job = samples::job();
    let head = postcard::to_stdvec(&(job.id, job.trace, job.model)).unwrap();
    let middle = (job.template_time, job.sampling, job.max_tokens);
    let parts = [
        head,
        postcard::to_stdvec(prompt).unwrap(),
        postcard::to_stdvec(&middle).unwrap(),
        postcard::to_stdvec(resume).unwrap(),
        postcard::to_stdvec(&(job.expect, job.tenant)).unwrap(),
    ];
    parts.concat()
}

#[test]
fn chats_over_their_limit_are_refused() {
    // Variant 0, then the messages.
    let of = |n| {
        let message = Message {
            role: Role::User,
            content: Text::default(),
        };
        job_with(&(0_u8, vec![message; n]), &samples::job().resume)
    };
    assert!(JobRequest::decode_body(1, &of(MESSAGES_MAX)).is_ok());
    assert!(JobRequest::decode_body(1, &of(MESSAGES_MAX + 1)).is_err());
}

#[test]
fn resume_logs_over_their_limit_are_refused() {
    let of = |n| job_with(&samples::job().prompt, &vec![TokenId(1); n]);
    assert!(JobRequest::decode_body(1, &of(TOKENS_MAX)).is_ok());
    assert!(JobRequest::decode_body(1, &of(TOKENS_MAX + 1)).is_err());
}

#[test]
fn a_frame_in_a_mailbox_weighs_at_least_its_bytes() {
    for (_, frame) in samples::control() {
        let bytes = frame.encode().unwrap().len();
        assert!(frame.weight() >= bytes, "{frame:?}");
        let link = LinkId(1);
        let class = Input::Frame {
            link,
            frame: frame.clone(),
        }
        .class();
        assert_eq!(class, Class::Frame(frame.weight()));
    }
    let all = vec![samples::introduction(); INTRODUCTIONS_MAX];
    let frame = ControlFrame::Introductions(List::truncated(all));
    assert!(frame.weight() >= INTRODUCTIONS_MAX * 1024);
}

#[test]
fn reasons_over_their_limit_are_refused() {
    // Deny::Protocol is variant 6.
    let of = |len| (6_u8, "x".repeat(len));
    assert!(!refused::<ControlFrame>(4, &of(REASON_BYTES_MAX)));
    assert!(refused::<ControlFrame>(4, &of(REASON_BYTES_MAX + 1)));
}

#[test]
fn a_list_that_claims_more_than_the_frame_holds_is_refused() {
    for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff; 9], &[0x20]] {
        assert!(ControlFrame::decode_body(7, claim).is_err());
        assert!(JobReply::decode_body(2, &[&[1, 2], claim].concat()).is_err());
        assert!(ControlFrame::decode_body(2, &[&[0], claim].concat()).is_err());
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    // A variant, a truth value and a label that is no text.
    assert!(ControlFrame::decode_body(4, &[8]).is_err());
    assert!(ControlFrame::decode_body(10, &[2]).is_err());
    assert!(ControlFrame::decode_body(4, &[6, 1, 0xff]).is_err());
    assert!(JobReply::decode_body(5, &[1, 9]).is_err());
    // A job of a trace without an id, and one under a span without.
    let (job, resume) = (samples::job(), List::<TokenId, TOKENS_MAX>::new());
    let body = job_with(&job.prompt, &resume);
    let trace_at = postcard::to_stdvec(&job.id).unwrap().len();
    assert!(JobRequest::decode_body(1, &body).is_ok());
    for zeros in [0..16, 16..24] {
        let mut body = body.clone();
        body[trace_at..][zeros].fill(0);
        assert!(JobRequest::decode_body(1, &body).is_err());
    }
    // A number over 64 bits.
    assert!(ControlFrame::decode_body(5, &[0xff; 10]).is_err());
}
