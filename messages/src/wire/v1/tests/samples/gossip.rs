//! One frame of every variant of what is said of records.

use super::{record, revocation};
use crate::wire::latest::{AskId, ControlFrame, Entry, Gossip, Part, Roots};
use crate::{Credential, Digest, Kind, Label, List, NodeId, Prefix, RecordClass, RecordKey, Stamp};

/// The place of all keys that begin with these half bytes.
pub(in crate::wire::v1::tests) fn place(nibbles: &[u8]) -> Prefix {
    let below = |at: Prefix, nibble: &u8| at.child(*nibble);
    nibbles.iter().fold(Prefix::ROOT, below)
}

/// The register of the sample record.
pub(in crate::wire::v1::tests) fn register() -> RecordKey {
    RecordKey::of(Kind::CAPABILITIES, NodeId([6; 32]), "x")
}

pub(in crate::wire::v1::tests) fn entry(n: u8) -> Entry {
    Entry {
        key: RecordKey([n; 32]),
        stamp: Stamp(300),
        digest: Digest([n; 32]),
    }
}

pub(in crate::wire::v1::tests) fn all() -> Vec<(&'static str, Gossip)> {
    let (ask, digest) = (AskId(300), Digest([9; 32]));
    let places = [(Prefix::ROOT, digest), (place(&[0xa, 0xb, 0xc]), digest)];
    let branches = (0..16).map(|n| Digest([n; 32]));
    let parts = [
        Part::Same,
        Part::Branches(List::truncated(branches)),
        Part::Entries(List::truncated([entry(1), entry(2)])),
    ];
    let roots = |gated| {
        Gossip::Roots(Roots {
            public: digest,
            gated,
        })
    };
    let compare = |class, places| Gossip::Compare { ask, class, places };
    let want = |class, keys| Gossip::Want { ask, class, keys };
    let of_both = [record(Some(b"value")), revocation()];
    let owner = Credential::Owner {
        label: Label::truncated("x"),
    };
    let proofs = [
        (NodeId([6; 32]), owner),
        (NodeId([7; 32]), super::credential()),
    ];
    vec![
        ("news", Gossip::News(List::truncated(of_both.clone()))),
        ("roots", roots(None)),
        ("roots of both", roots(Some(Digest([8; 32])))),
        (
            "compare",
            compare(RecordClass::Public, List::truncated(places)),
        ),
        (
            "compare the lowest",
            compare(
                RecordClass::Gated,
                List::truncated([(place(&[0xf; 16]), digest)]),
            ),
        ),
        (
            "differ",
            Gossip::Differ {
                ask,
                parts: List::truncated(parts),
            },
        ),
        (
            "want",
            want(RecordClass::Public, List::truncated([register()])),
        ),
        ("want nothing", want(RecordClass::Gated, List::new())),
        (
            "have",
            Gossip::Have {
                ask,
                records: List::truncated(of_both),
            },
        ),
        ("who", Gossip::Who(List::truncated([NodeId([6; 32])]))),
        ("credentials", Gossip::Credentials(List::truncated(proofs))),
        (
            "have nothing",
            Gossip::Have {
                ask,
                records: List::new(),
            },
        ),
    ]
}

/// The same as control frames.
pub(super) fn frames() -> impl Iterator<Item = (&'static str, ControlFrame)> {
    let framed = |(name, gossip)| (name, ControlFrame::Gossip(Box::new(gossip)));
    all().into_iter().map(framed)
}
