//! How long packets take, and which of them are lost on the way.

use super::PTO_MAX;
use crate::event::NodeIndex;
use kernel::Entropy;
use messages::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One-way delay of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The shortest.
    pub base: Micros,
    /// What may come on top, drawn per packet.
    pub jitter: Micros,
    /// What comes on top of that, rarely.
    pub tail: Tail,
}

/// The rare long delays of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// How many packets of a thousand.
    pub permille: u16,
    /// At most how much longer they take.
    pub extra: Micros,
}

/// A path between two nodes, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathModel {
    /// How long a packet takes.
    pub latency: Latency,
    /// Of a thousand packets, how many are lost. What is on a stream comes a retransmission later.
    pub loss_permille: u16,
    /// Of a thousand packets, how many arrive twice.
    pub duplicate_permille: u16,
    /// Of a thousand packets, how many are overtaken by later ones of other streams.
    pub reorder_permille: u16,
    /// What the path carries; nothing: any amount.
    pub bytes_per_sec: Option<u64>,
}

impl Latency {
    /// Without a tail.
    #[must_use]
    pub const fn new(base: Micros, jitter: Micros) -> Self {
        let (permille, extra) = (0, Micros(0));
        Self {
            base,
            jitter,
            tail: Tail { permille, extra },
        }
    }

    fn draw(&self, entropy: &mut Entropy) -> u64 {
        let delay = self.base.0 + entropy.below(self.jitter.0 + 1);
        match in_thousand(self.tail.permille, entropy) {
            true => delay + entropy.below(self.tail.extra.0 + 1),
            false => delay,
        }
    }
}

impl PathModel {
    /// A path that loses nothing and carries any amount.
    #[must_use]
    pub const fn new(latency: Latency) -> Self {
        Self {
            latency,
            loss_permille: 0,
            duplicate_permille: 0,
            reorder_permille: 0,
            bytes_per_sec: None,
        }
    }

    /// The one-way delay of one packet.
    pub(super) fn delay(&self, entropy: &mut Entropy) -> u64 {
        self.latency.draw(entropy)
    }

    /// Whether a packet is lost.
    pub(super) fn loses(&self, entropy: &mut Entropy) -> bool {
        in_thousand(self.loss_permille, entropy)
    }

    /// Whether a packet arrives twice.
    pub(super) fn doubles(&self, entropy: &mut Entropy) -> bool {
        in_thousand(self.duplicate_permille, entropy)
    }

    /// How much longer an overtaken packet takes.
    pub(super) fn straggle(&self, entropy: &mut Entropy) -> u64 {
        match in_thousand(self.reorder_permille, entropy) {
            true => entropy.below(4 * (self.latency.base.0 + self.latency.jitter.0) + 1),
            false => 0,
        }
    }

    /// After how long a sender that hears no acknowledgement sends again: QUIC's probe time-out,
    /// with the smoothed round trip and its variance read from the model.
    pub(super) const fn probe_timeout(&self) -> u64 {
        let rtt = 2 * self.latency.base.0 + self.latency.jitter.0;
        let pto = rtt + 2 * self.latency.jitter.0 + ACK_DELAY_MAX;
        if pto < PTO_MAX { pto } else { PTO_MAX }
    }

    /// How long it takes until a packet that may be lost again and again has left for good.
    pub(super) fn resends(&self, entropy: &mut Entropy) -> u64 {
        let (mut late, mut pto) = (0, self.probe_timeout());
        for _ in 0..RESENDS_MAX {
            if !self.loses(entropy) {
                break;
            }
            late += pto;
            pto = (2 * pto).min(PTO_MAX);
        }
        late
    }

    /// How long the path is busy with so many bytes.
    pub(super) fn occupied(&self, bytes: u64) -> u64 {
        self.bytes_per_sec.map_or(0, |rate| {
            (bytes + OVERHEAD_BYTES).saturating_mul(1_000_000) / rate.max(1)
        })
    }
}

fn in_thousand(permille: u16, entropy: &mut Entropy) -> bool {
    // Nothing is drawn for a fault that is off: the hot path of most worlds.
    permille > 0 && entropy.below(1_000) < u64::from(permille)
}

/// Every path's model.
#[derive(Debug)]
pub(super) struct Paths {
    usual: PathModel,
    special: BTreeMap<(NodeIndex, NodeIndex), PathModel>,
}

impl Paths {
    pub(super) const fn new(usual: PathModel) -> Self {
        let special = BTreeMap::new();
        Self { usual, special }
    }

    pub(super) fn set(&mut self, from: NodeIndex, to: NodeIndex, path: PathModel) {
        self.special.insert((from, to), path);
    }

    pub(super) fn of(&self, from: NodeIndex, to: NodeIndex) -> &PathModel {
        if self.special.is_empty() {
            return &self.usual;
        }
        self.special.get(&(from, to)).unwrap_or(&self.usual)
    }
}

/// How long QUIC may wait before it acknowledges (RFC 9000, 18.2).
const ACK_DELAY_MAX: u64 = 25_000;
/// A packet that was lost so often in a row has had more than the idle time.
const RESENDS_MAX: u32 = 16;
/// Headers of IP, UDP and QUIC, and the seal.
const OVERHEAD_BYTES: u64 = 60;
