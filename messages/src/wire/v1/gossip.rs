//! Records between neighbours: what is new, and what differs.
//!
//! Whoever wants what its neighbour has asks for it, one question at a time; whoever is asked keeps
//! no state. Two whose digests agree say one question and one answer.

use crate::Digest;
use crate::NodeId;
use crate::bounded::List;
use crate::record::{Prefix, RecordClass, RecordKey, SignedRecord, Stamp};
use crate::ticket::Credential;
use serde::{Deserialize, Serialize};

/// Records of one frame. Of long ones as many as [`BATCH_BYTES_MAX`] holds.
pub const BATCH_RECORDS_MAX: usize = 32;
/// Bytes of the records of one frame: with whatever else it holds it is a control frame, and a ping
/// behind it waits for less than half a second at 1 Mbit/s.
pub const BATCH_BYTES_MAX: usize = 48 * 1024;
/// Places of one question: the answer has as many parts, each of at most [`ENTRIES_MAX`] entries.
pub const PLACES_MAX: usize = 8;
/// Entries that a place may hold and still be listed one by one.
pub const ENTRIES_MAX: usize = 64;
/// Authors of one question, and of its answer: those of one frame of records.
pub const AUTHORS_MAX: usize = BATCH_RECORDS_MAX;
/// Branches of a place.
pub const BRANCHES: usize = 16;

/// Names a question among those of one asker to one neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AskId(pub u32);

/// What two neighbours say of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gossip {
    /// Records that are new to the sender. Nobody asked; some may be left out.
    News(List<SignedRecord, BATCH_RECORDS_MAX>),
    /// The sender's digests: it has something that it did not say.
    Roots(Roots),
    /// Where do we differ? The sender's own digests of some places.
    Compare {
        /// Which question.
        ask: AskId,
        /// Of which records.
        class: RecordClass,
        /// Places and what the asker has there.
        places: List<(Prefix, Digest), PLACES_MAX>,
    },
    /// The answer: what the sender has at each of the places, in their order.
    Differ {
        /// To which question.
        ask: AskId,
        /// What is there.
        parts: List<Part, PLACES_MAX>,
    },
    /// Send these records.
    Want {
        /// Which question.
        ask: AskId,
        /// Of which class; others are not sent.
        class: RecordClass,
        /// Which.
        keys: List<RecordKey, BATCH_RECORDS_MAX>,
    },
    /// The answer: those of them that the sender has.
    Have {
        /// To which question.
        ask: AskId,
        /// The records.
        records: List<SignedRecord, BATCH_RECORDS_MAX>,
    },
    /// Why do these belong? The sender has had records of theirs, and has never heard of them.
    Who(List<NodeId, AUTHORS_MAX>),
    /// The answer: those of them that the sender knows of, each with its proof.
    Credentials(List<(NodeId, Credential), AUTHORS_MAX>),
}

/// What a node has of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roots {
    /// The digest of all public records.
    pub public: Digest,
    /// Of all gated ones; nothing while it does not share them.
    pub gated: Option<Digest>,
}

/// What somebody has at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// What the asker has, or nothing that it shares.
    Same,
    /// Too much to list: the digests of the places below.
    Branches(List<Digest, BRANCHES>),
    /// All of it.
    Entries(List<Entry, ENTRIES_MAX>),
}

/// A register, and which of its records is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The register.
    pub key: RecordKey,
    /// The newest record's stamp.
    pub stamp: Stamp,
    /// And its digest.
    pub digest: Digest,
}

/// The first of these records that one frame holds: one at least.
#[must_use]
pub fn batch(
    records: impl IntoIterator<Item = SignedRecord>,
) -> List<SignedRecord, BATCH_RECORDS_MAX> {
    let mut bytes = 0;
    let fits = |signed: &SignedRecord| {
        let first = bytes == 0;
        bytes += bytes_of(signed);
        first || bytes <= BATCH_BYTES_MAX
    };
    List::truncated(records.into_iter().take_while(fits))
}

/// At most so many bytes on the wire.
fn bytes_of(signed: &SignedRecord) -> usize {
    /// A record without id and value: keys, stamp, signature, lengths.
    const REST_BYTES: usize = 192;
    let record = &signed.record;
    REST_BYTES + record.id.len() + record.value.as_ref().map_or(0, |value| value.len())
}

impl Gossip {
    /// About how many bytes it takes in a queue.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// The frame itself, and each record without its value.
        const FRAME_BYTES: usize = 512;
        const RECORD_BYTES: usize = 512;
        /// The longest label and name of a grant, keys and signatures.
        const CREDENTIAL_BYTES: usize = 640;
        let records = |records: &[SignedRecord]| -> usize {
            let value = |of: &SignedRecord| of.record.value.as_ref().map_or(0, |v| v.len());
            records.iter().map(|of| RECORD_BYTES + value(of)).sum()
        };
        FRAME_BYTES
            + match self {
                Self::News(news) => records(news),
                Self::Have { records: found, .. } => records(found),
                Self::Differ { parts, .. } => parts.iter().map(Part::weight).sum(),
                Self::Compare { places, .. } => size_of_val(&**places),
                Self::Want { keys, .. } => size_of_val(&**keys),
                Self::Who(authors) => size_of_val(&**authors),
                Self::Credentials(found) => found.len() * CREDENTIAL_BYTES,
                Self::Roots(_) => 0,
            }
    }
}

impl Part {
    fn weight(&self) -> usize {
        /// A part without what it lists, and what numbers take more on the wire than here.
        const PART_BYTES: usize = 128;
        let listed = match self {
            Self::Same => 0,
            Self::Branches(digests) => size_of_val(&**digests),
            Self::Entries(entries) => size_of_val(&**entries),
        };
        PART_BYTES + listed
    }
}
