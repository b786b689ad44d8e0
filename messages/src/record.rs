//! Replicated records: one signed register per (network, kind, author, id).

mod key;
mod shared;

pub use key::{BadPrefix, Prefix, RecordKey};
pub use shared::{SharedPrompt, ToolMode, ToolPermission};

use crate::bounded::{Label, List};
use crate::limits::{ADDRS_MAX, CAPABILITIES_BYTES_MAX, MODELS_MAX, NAME_BYTES_MAX};
use crate::{Compute, Digest, ModelId, NetworkId, NodeId};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// Fields that one record may carry, unknown ones included.
const FIELDS_MAX: usize = 32;

/// Why a record cannot be built or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The value would have so many bytes, where the second number is the most.
    #[error("a record of {0} bytes, where at most {1} are allowed")]
    TooLarge(usize, usize),
    /// The bytes are no list of fields.
    #[error("the record's value is not a list of fields")]
    Malformed,
}

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature([u8; 32], [u8; 32]);

impl Signature {
    /// From the 64 bytes of RFC 8032.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Self(r, s)
    }

    /// The 64 bytes of RFC 8032.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.0);
        bytes[32..].copy_from_slice(&self.1);
        bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A hybrid logical clock: max(own wall, this key's last + 1), in microseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamp(pub u64);

/// Who may hold a record. Signed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordClass {
    /// Every member, always.
    Public,
    /// Members that share, while they share.
    Gated,
}

/// What a record is about. Unknown kinds are kept and passed on by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind(pub u16);

impl Kind {
    /// What a node can serve and where it is reached: [`Capabilities`].
    pub const CAPABILITIES: Self = Self(1);
    /// A ticket that its owner withdrew; the id is the ticket's key.
    pub const REVOCATION: Self = Self(2);
    /// The sessions that a node keeps, by title.
    pub const SESSION_CATALOG: Self = Self(3);
    /// A system prompt with its name.
    pub const PROMPT: Self = Self(4);
    /// What a tool may do without being asked.
    pub const TOOL_PERMISSION: Self = Self(5);
}

/// One register's content, as its author signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The only network that it is valid in.
    pub network: NetworkId,
    /// Who may hold it.
    pub class: RecordClass,
    /// What it is about.
    pub kind: Kind,
    /// The only writer of this register.
    pub author: NodeId,
    /// Which of the author's registers of this kind.
    pub id: Label<NAME_BYTES_MAX>,
    /// Order within the register.
    pub stamp: Stamp,
    /// The value; nothing where it was deleted.
    pub value: Option<Bytes>,
}

impl Record {
    /// What the author signs: the context, then every field.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        let header = (
            (self.network, self.class, self.kind, self.author),
            (&self.id, self.stamp, self.value.is_some()),
        );
        let header = postcard::to_stdvec(&header).unwrap_or_default();
        Digest::of("mesh-node record v1", &[&header, value])
            .0
            .to_vec()
    }
}

/// A record and its author's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRecord {
    /// What is said.
    pub record: Record,
    /// By whom it is said: verifies under `record.author`.
    pub signature: Signature,
}

/// One model that a node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAdvert {
    /// What it is.
    pub model: ModelId,
    /// What people call it.
    pub name: Label<NAME_BYTES_MAX>,
    /// Which other holders draw the same bytes.
    pub compute: Compute,
    /// Tokens of context.
    pub context: u32,
}

/// Whether a node takes jobs of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accepting {
    /// As many as it has room for.
    #[default]
    Available,
    /// Few.
    Limited,
    /// None.
    Busy,
}

/// What a member says about itself. Each field is encoded apart: one that cannot be read becomes
/// its empty default and the rest survives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Language models.
    pub llms: List<ModelAdvert, MODELS_MAX>,
    /// Speech recognisers, by name.
    pub asr: List<Label<NAME_BYTES_MAX>, MODELS_MAX>,
    /// Whether it separates speakers.
    pub diarize: bool,
    /// Processor, memory, GPUs, one line each.
    pub hardware: List<Label<NAME_BYTES_MAX>, 16>,
    /// Media that it accepts (`text`, …).
    pub inputs: List<Label<NAME_BYTES_MAX>, 16>,
    /// Media that it produces.
    pub outputs: List<Label<NAME_BYTES_MAX>, 16>,
    /// The owner's choice.
    pub accepting: Accepting,
    /// The version of the program.
    pub app_version: Label<NAME_BYTES_MAX>,
    /// What the program can do beyond the protocol's version.
    pub features: List<Label<NAME_BYTES_MAX>, 32>,
    /// Where it listens.
    pub addrs: List<SocketAddr, ADDRS_MAX>,
}

#[derive(Serialize, Deserialize)]
struct Field {
    tag: u8,
    body: Bytes,
}

impl Capabilities {
    /// The record value.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] where the fields together exceed [`CAPABILITIES_BYTES_MAX`].
    pub fn encode(&self) -> Result<Bytes, RecordError> {
        let fields = [
            field(1, &self.llms),
            field(2, &self.asr),
            field(3, &self.diarize),
            field(4, &self.hardware),
            field(5, &self.inputs),
            field(6, &self.outputs),
            field(7, &self.accepting),
            field(8, &self.app_version),
            field(9, &self.features),
            field(10, &self.addrs),
        ];
        encode_fields(&fields, CAPABILITIES_BYTES_MAX)
    }

    /// Reads a record value field by field: a field that is missing, malformed or unknown leaves
    /// its default and the rest survives.
    ///
    /// # Errors
    /// Where the bytes are no list of fields at all, or too many bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut read = Self::default();
        for Field { tag, body } in &decode_fields(bytes, CAPABILITIES_BYTES_MAX)? {
            match tag {
                1 => read.llms = value(body),
                2 => read.asr = value(body),
                3 => read.diarize = value(body),
                4 => read.hardware = value(body),
                5 => read.inputs = value(body),
                6 => read.outputs = value(body),
                7 => read.accepting = value(body),
                8 => read.app_version = value(body),
                9 => read.features = value(body),
                10 => read.addrs = value(body),
                _ => {}
            }
        }
        Ok(read)
    }
}

fn encode_fields(fields: &[Field], max: usize) -> Result<Bytes, RecordError> {
    let bytes = postcard::to_stdvec(fields).map_err(|_| RecordError::Malformed)?;
    match bytes.len() {
        len if len > max => Err(RecordError::TooLarge(len, max)),
        _ => Ok(Bytes::from(bytes)),
    }
}

fn decode_fields(bytes: &[u8], max: usize) -> Result<List<Field, FIELDS_MAX>, RecordError> {
    if bytes.len() > max {
        return Err(RecordError::TooLarge(bytes.len(), max));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((fields, [])) => Ok(fields),
        Ok(_) | Err(_) => Err(RecordError::Malformed),
    }
}

fn field(tag: u8, body: &impl Serialize) -> Field {
    Field {
        tag,
        body: Bytes::from(postcard::to_stdvec(body).unwrap_or_default()),
    }
}

fn value<T: DeserializeOwned + Default>(body: &[u8]) -> T {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => value,
        Ok(_) | Err(_) => T::default(),
    }
}

#[cfg(test)]
mod tests;
