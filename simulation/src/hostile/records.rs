//! Records that a member passes on and may not.

use crate::About;
use crate::event::NodeIndex;
use crate::mesh::Mesh;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::Signer as _;
use messages::limits::NAME_BYTES_MAX;
use messages::wire::latest::{
    AUTHORS_MAX, AskId, BATCH_RECORDS_MAX, ControlFrame, ENTRIES_MAX, Entry, Frame, Gossip,
    PLACES_MAX, Part, Roots,
};
use messages::{
    Credential, Digest, Label, List, NetworkId, NodeId, Prefix, RecordClass, RecordKey, Signature,
    SignedRecord, Stamp,
};
use serde::Deserialize;

/// What is wrong with a record, or with what is said of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// Its value is another than its author signed.
    Altered,
    /// It is newer than its author signed.
    Restamped,
    /// It deletes what its author did not delete.
    Deleted,
    /// The forger signed it in its author's name.
    SignedByAnother,
    /// Its author signed it for another network.
    OtherNetwork,
    /// Its author, whom the forger made up, signed it, and is nobody's member.
    Stranger,
    /// Answers to no question, each as long as one may be, and questions without end.
    Extreme,
}

/// Questions of [`Unfit::Extreme`]: more than anybody is answered at once.
const QUESTIONS: u32 = 2_000;

impl Mesh {
    /// A member sends another what no honest one does, about the session 0 of a third. Tells
    /// whether there was such a record, and a connection to send it on.
    pub fn forge_record(
        &mut self,
        (from, to): (NodeIndex, NodeIndex),
        of: NodeIndex,
        how: Unfit,
    ) -> bool {
        let (author, (kind, _)) = (self.id(of), About::Session.kind());
        let mut records = self.records(of).into_iter();
        let found = records.find(|signed| {
            let record = &signed.record;
            (record.author, record.kind, &*record.id) == (author, kind, "0")
        });
        let Some(found) = found else { return false };
        let said = match how {
            Unfit::Extreme => extremes(),
            Unfit::Altered
            | Unfit::Restamped
            | Unfit::Deleted
            | Unfit::SignedByAnother
            | Unfit::OtherNetwork
            | Unfit::Stranger => {
                let forged = self.forged(from, of, found, how);
                vec![Gossip::News(List::truncated([forged]))]
            }
        };
        let sent = said.into_iter().map(|gossip| {
            let frame = ControlFrame::Gossip(Box::new(gossip)).encode();
            frame.is_ok_and(|bytes| self.send_control(from, to, bytes))
        });
        sent.collect::<Vec<_>>().into_iter().all(|sent| sent)
    }

    fn forged(
        &self,
        from: NodeIndex,
        of: NodeIndex,
        mut signed: SignedRecord,
        how: Unfit,
    ) -> SignedRecord {
        let record = &mut signed.record;
        record.stamp = Stamp(record.stamp.0 + 1_000);
        let signer = match how {
            Unfit::Altered => {
                record.stamp = Stamp(record.stamp.0 - 1_000);
                record.value = Some(b"altered".to_vec().into());
                None
            }
            Unfit::Deleted => {
                record.value = None;
                None
            }
            Unfit::Restamped | Unfit::Extreme => None,
            Unfit::SignedByAnother => Some(from),
            Unfit::OtherNetwork => {
                record.network = NetworkId([9; 32]);
                Some(of)
            }
            Unfit::Stranger => {
                record.author = NodeId(made_up().verifying_key().to_bytes());
                record.id = Label::truncated("1");
                let signature = made_up().sign(&record.signing_bytes());
                signed.signature = Signature::from_bytes(&signature.to_bytes());
                None
            }
        };
        if let Some(signer) = signer {
            let bytes = signed.record.signing_bytes();
            signed.signature = self.world.nodes[signer].signer.sign(&bytes);
        }
        signed
    }
}

fn made_up() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Why somebody belongs whom nobody asked for.
fn no_proof(n: usize) -> (NodeId, Credential) {
    let label = Label::truncated(&"x".repeat(NAME_BYTES_MAX));
    (
        NodeId([n.to_le_bytes()[0]; 32]),
        Credential::Owner { label },
    )
}

fn extremes() -> Vec<Gossip> {
    let ask = AskId(u32::MAX);
    let entry = |n: usize| Entry {
        key: RecordKey([n.to_le_bytes()[0]; 32]),
        stamp: Stamp(u64::MAX),
        digest: Digest([0xff; 32]),
    };
    let part = Part::Entries(List::truncated((0..ENTRIES_MAX).map(entry)));
    let lie = Digest([0xff; 32]);
    let mut said = vec![
        Gossip::Differ {
            ask,
            parts: List::truncated(vec![part; PLACES_MAX]),
        },
        Gossip::Have {
            ask,
            records: List::new(),
        },
        Gossip::Roots(Roots {
            public: lie,
            gated: Some(lie),
        }),
        Gossip::Credentials(List::truncated((0..AUTHORS_MAX).map(no_proof))),
    ];
    let deepest = (0..Prefix::DEPTH_MAX).fold(Prefix::ROOT, |at, _| at.child(15));
    said.extend((0..QUESTIONS).map(|n| match n % 3 {
        2 => Gossip::Who(List::truncated([NodeId([0xff; 32]); AUTHORS_MAX])),
        0 => Gossip::Compare {
            ask: AskId(n),
            class: RecordClass::Gated,
            places: List::truncated(vec![(deepest, lie); PLACES_MAX]),
        },
        _ => Gossip::Want {
            ask: AskId(n),
            class: RecordClass::Public,
            keys: List::truncated(vec![RecordKey([0xff; 32]); BATCH_RECORDS_MAX]),
        },
    }));
    said
}
