//! One value of every variant, and of every variant inside it.

pub(super) mod gossip;

use crate::wire::latest::{
    Accepted, Beacon, ControlFrame, Deny, End, Hello, Introduction, JobReply, JobRequest, Load,
    Preface, Purpose, Refused,
};
use crate::{
    Compute, Credential, Digest, EndReason, Grant, Job, JobId, Kind, Label, List, Message, ModelId,
    NetworkId, NodeId, Prompt, Record, RecordClass, Refusal, RequestId, Role, Sampling, Signature,
    SignedGrant, SignedRecord, Stamp, Text, TicketKey, TokenBatch, TokenId, TokenPiece,
    TraceContext, Wall,
};
use bytes::Bytes;

pub(super) fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 0x0203,
        features: 0x0405_0607_0809_0a0b,
        boot: 300,
    }
}

pub(super) fn credential() -> Credential {
    let grant = Grant {
        owner: NodeId([1; 32]),
        label: Label::truncated("home"),
        ticket: TicketKey([2; 32]),
        name: Label::truncated("laptop"),
        issued: Wall(1_000),
        expires: Some(Wall(2_000)),
    };
    let grant = Box::new(SignedGrant {
        grant,
        signature: Signature::from_bytes(&[3; 64]),
    });
    Credential::Ticket {
        grant,
        joined: Signature::from_bytes(&[4; 64]),
    }
}

pub(super) fn owner() -> Credential {
    Credential::Owner {
        label: Label::truncated("home"),
    }
}

pub(super) fn record(value: Option<&'static [u8]>) -> SignedRecord {
    let record = Record {
        network: NetworkId([5; 32]),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: NodeId([6; 32]),
        id: Label::truncated("x"),
        stamp: Stamp(7),
        value: value.map(Bytes::from_static),
    };
    SignedRecord {
        record,
        signature: Signature::from_bytes(&[8; 64]),
    }
}

/// A record of the other class, deleted.
pub(super) fn revocation() -> SignedRecord {
    let mut revocation = record(None);
    revocation.record.class = RecordClass::Gated;
    revocation.record.kind = Kind::REVOCATION;
    revocation
}

pub(super) fn introduction() -> Introduction {
    Introduction {
        record: record(Some(b"value")),
        credential: owner(),
    }
}

pub(super) fn control() -> Vec<(&'static str, ControlFrame)> {
    let load = Load {
        active: 1,
        queued: 2,
        slots: 300,
        queue_max: 4,
    };
    let why = Label::truncated("twice");
    let frames = vec![
        ("hello", ControlFrame::Hello(hello())),
        ("proof by owner", ControlFrame::Proof(owner().into())),
        ("proof by ticket", ControlFrame::Proof(credential().into())),
        ("admit", ControlFrame::Admit(())),
        ("deny version", ControlFrame::Deny(Deny::Version)),
        ("deny credential", ControlFrame::Deny(Deny::BadCredential)),
        ("deny expired", ControlFrame::Deny(Deny::Expired)),
        ("deny revoked", ControlFrame::Deny(Deny::Revoked)),
        ("deny full", ControlFrame::Deny(Deny::Full)),
        ("deny too slow", ControlFrame::Deny(Deny::TooSlow)),
        ("deny protocol", ControlFrame::Deny(Deny::Protocol(why))),
        ("deny enough", ControlFrame::Deny(Deny::Enough)),
        ("ping", ControlFrame::Ping(300)),
        ("pong", ControlFrame::Pong(u64::MAX)),
        (
            "introductions",
            ControlFrame::Introductions(List::truncated([introduction()])),
        ),
        ("no introductions", ControlFrame::Introductions(List::new())),
        ("load", ControlFrame::Load(load)),
        ("revoke", ControlFrame::Revoke(revocation().into())),
        ("leave", ControlFrame::Leave(false)),
        ("leave at once", ControlFrame::Leave(true)),
    ];
    frames.into_iter().chain(gossip::frames()).collect()
}

pub(super) fn job() -> Job {
    let said = |role, text: &str| Message {
        role,
        content: Text::from(text),
    };
    let messages = [
        said(Role::System, "be"),
        said(Role::User, "hi"),
        said(Role::Assistant, "yo"),
        said(Role::Tool, ""),
    ];
    Job {
        id: JobId {
            origin: NodeId([1; 32]),
            request: RequestId { boot: 2, n: 300 },
            attempt: 3,
        },
        trace: TraceContext::new([7; 16], [8; 8], 1).unwrap(),
        model: ModelId([4; 32]),
        prompt: Prompt::Chat(List::truncated(messages)),
        template_time: Wall(1_000),
        sampling: Sampling {
            temperature_e6: 700_000,
            top_p_e6: 1_000_000,
            seed: 9,
        },
        max_tokens: Some(64),
        resume: List::truncated([TokenId(1), TokenId(70_000)]),
        expect: Some(Digest([5; 32])),
        tenant: Digest([6; 32]),
    }
}

pub(super) fn requests() -> Vec<(&'static str, JobRequest)> {
    let first = Job {
        prompt: Prompt::Raw(Text::from("once")),
        max_tokens: None,
        resume: List::new(),
        expect: None,
        ..job()
    };
    vec![
        ("open", JobRequest::Open(Box::new(job()))),
        ("open first", JobRequest::Open(Box::new(first))),
    ]
}

pub(super) fn batch() -> TokenBatch {
    let piece = |id, bytes| TokenPiece {
        id: TokenId(id),
        bytes: Bytes::from_static(bytes),
    };
    let tokens = List::truncated([piece(1, b"a"), piece(300, b"\xe2\x82")]);
    TokenBatch {
        attempt: 2,
        first: 500,
        tokens,
    }
}

pub(super) fn replies() -> Vec<(&'static str, JobReply)> {
    let compute = Compute {
        digest: Digest([7; 32]),
        splice: true,
    };
    let prompt = Digest([8; 32]);
    let accepted = Accepted {
        attempt: 1,
        prompt,
        prompt_tokens: 300,
        compute,
    };
    let end = |reason| {
        JobReply::End(End {
            attempt: 1,
            reason,
            tokens: 128,
        })
    };
    let refused = |why| JobReply::Refused(Refused { attempt: 1, why });
    let why = || Label::truncated("images");
    vec![
        ("accepted", JobReply::Accepted(accepted)),
        ("tokens", JobReply::Tokens(batch())),
        (
            "beacon",
            JobReply::Beacon(Beacon {
                attempt: 1,
                steps: 1 << 40,
            }),
        ),
        ("end stop", end(EndReason::Stop)),
        ("end length", end(EndReason::Length)),
        (
            "busy",
            refused(Refusal::Busy {
                retry_after_ms: 1_000,
            }),
        ),
        ("no model", refused(Refusal::NoModel)),
        (
            "context",
            refused(Refusal::ContextExceeded {
                context: 8_192,
                prompt: 9_000,
            }),
        ),
        ("mismatch", refused(Refusal::PromptMismatch)),
        ("unsupported", refused(Refusal::Unsupported(why()))),
        ("not admitted", refused(Refusal::NotAdmitted)),
        ("engine failed", refused(Refusal::EngineFailed(why()))),
        ("too slow", refused(Refusal::TooSlow)),
        ("draining", refused(Refusal::Draining)),
    ]
}

pub(super) fn prefaces() -> Vec<(&'static str, Preface)> {
    let of = |purpose| Preface {
        purpose,
        tag: [9; 32],
    };
    vec![
        ("control", of(Purpose::Control)),
        ("gossip", of(Purpose::Gossip)),
        ("job", of(Purpose::Job)),
    ]
}
