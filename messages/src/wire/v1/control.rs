//! Control frames of a session.

use super::frame::frames;
use super::gossip::Gossip;
use crate::bounded::{Label, List};
use crate::limits::{CONTROL_FRAME_BYTES_MAX, INTRODUCTIONS_MAX, REASON_BYTES_MAX};
use crate::{Credential, SignedRecord};
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Bytes of a Hello, in every version.
const HELLO_BYTES: usize = 20;

/// The first control frame on each side. Its 20 bytes are frozen outside versioning: versions
/// from and to (`u16`), features (`u64`) and boot (`u64`), little endian, fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest version spoken.
    pub version_min: u16,
    /// The highest version spoken.
    pub version_max: u16,
    /// One bit per optional ability; [`Hello::ANSWER`] is none, but says what this Hello is.
    pub features: u64,
    /// The sender's boot: a newer one replaces an older one's links.
    pub boot: u64,
}

impl Hello {
    /// The feature bit of a Hello that answers another. Either side may begin anew at any moment,
    /// and a Hello is answered by a Hello: without the bit, two beginnings that cross would go on
    /// answering each other.
    pub const ANSWER: u64 = 1;

    fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..2].copy_from_slice(&self.version_min.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.version_max.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.features.to_le_bytes());
        bytes[12..].copy_from_slice(&self.boot.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HELLO_BYTES]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Self {
            version_min: u16::from_le_bytes([bytes[0], bytes[1]]),
            version_max: u16::from_le_bytes([bytes[2], bytes[3]]),
            features: word(4),
            boot: word(12),
        }
    }

    /// The highest version that both know, or nothing.
    #[must_use]
    pub fn common_version(&self, other: &Self) -> Option<u16> {
        let version = self.version_max.min(other.version_max);
        (version >= self.version_min.max(other.version_min)).then_some(version)
    }
}

impl Serialize for Hello {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(HELLO_BYTES)?;
        for byte in self.to_bytes() {
            tuple.serialize_element(&byte)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Hello {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(HELLO_BYTES, HelloVisitor)
    }
}

struct HelloVisitor;

impl<'de> Visitor<'de> for HelloVisitor {
    type Value = Hello;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HELLO_BYTES} bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hello, A::Error> {
        let mut bytes = [0; HELLO_BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = seq
                .next_element()?
                .ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        Ok(Hello::from_bytes(&bytes))
    }
}

/// Why a peer is not admitted, or its admission ends. The peer shows it to its human.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deny {
    /// No version in common.
    Version,
    /// The credential does not verify.
    BadCredential,
    /// The ticket's time is over.
    Expired,
    /// The ticket was revoked.
    Revoked,
    /// No room for another member or handshake.
    Full,
    /// The handshake took too long.
    TooSlow,
    /// The peer broke the protocol.
    Protocol(Label<REASON_BYTES_MAX>),
    /// The sender has enough neighbours: nothing is wrong, and both are members as before.
    Enough,
}

impl Deny {
    /// Whether dialling again with the same credential is pointless.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Version | Self::BadCredential | Self::Expired | Self::Revoked
        )
    }
}

impl fmt::Display for Deny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("no protocol version in common: update the older node"),
            Self::BadCredential => f.write_str("the credential does not verify: ask for a ticket"),
            Self::Expired => f.write_str("the ticket has expired: ask for a new one"),
            Self::Revoked => f.write_str("the ticket was revoked: ask for a new one"),
            Self::Full => f.write_str("the network has no room for another member"),
            Self::TooSlow => f.write_str("the handshake took too long"),
            Self::Protocol(why) => write!(f, "protocol error: {why}"),
            Self::Enough => f.write_str("it has enough neighbours"),
        }
    }
}

/// One member's advert with the proof that the member belongs: any member verifies both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// A Capabilities record.
    pub record: SignedRecord,
    /// The author's membership.
    pub credential: Credential,
}

/// How busy a node is. For direct neighbours; never a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Jobs that are decoding.
    pub active: u32,
    /// Jobs that wait.
    pub queued: u32,
    /// Jobs that may decode at once.
    pub slots: u32,
    /// Jobs that may wait.
    pub queue_max: u32,
}

/// What a session says on its control stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlFrame {
    /// First on each side.
    Hello(Hello),
    /// Second: why the sender belongs.
    Proof(Box<Credential>),
    /// The sender admits the receiver.
    Admit(()),
    /// The sender does not admit the receiver, or ends its admission. Last.
    Deny(Deny),
    /// Answer with the same number.
    Ping(u64),
    /// The answer.
    Pong(u64),
    /// Members and their adverts, the sender's own first.
    Introductions(List<Introduction, INTRODUCTIONS_MAX>),
    /// How busy the sender is.
    Load(Load),
    /// A ticket that the network's owner withdrew: a Revocation record.
    Revoke(Box<SignedRecord>),
    /// The sender leaves: no new jobs, running ones end or move. True: at once.
    Leave(bool),
    /// About records.
    Gossip(Box<Gossip>),
}

impl ControlFrame {
    /// About how many bytes it takes in a queue.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// A frame in a mailbox, and each entry of a list, without the record's value.
        const FRAME_BYTES: usize = 512;
        const ENTRY_BYTES: usize = 1024;
        let value = |record: &SignedRecord| record.record.value.as_ref().map_or(0, |v| v.len());
        match self {
            Self::Introductions(entries) => {
                let entry = |entry: &Introduction| ENTRY_BYTES + value(&entry.record);
                FRAME_BYTES + entries.iter().map(entry).sum::<usize>()
            }
            Self::Revoke(record) => FRAME_BYTES + value(record),
            Self::Gossip(gossip) => FRAME_BYTES + gossip.weight(),
            Self::Hello(_)
            | Self::Proof(_)
            | Self::Admit(())
            | Self::Deny(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Load(_)
            | Self::Leave(_) => FRAME_BYTES,
        }
    }
}

frames!(ControlFrame, CONTROL_FRAME_BYTES_MAX, {
    1 => Hello(Hello),
    2 => Proof(Box<Credential>),
    3 => Admit(()),
    4 => Deny(Deny),
    5 => Ping(u64),
    6 => Pong(u64),
    7 => Introductions(List<Introduction, INTRODUCTIONS_MAX>),
    8 => Load(Load),
    9 => Revoke(Box<SignedRecord>),
    10 => Leave(bool),
    11 => Gossip(Box<Gossip>),
});
