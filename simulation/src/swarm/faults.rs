//! What may go wrong, and one round's share of it.

use super::plan::{index, of, one_of};
use super::stage::Stage;
use kernel::Entropy;
use serde::{Deserialize, Serialize};

/// A kind of fault, or of repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fault {
    /// The power of a node fails.
    Kill,
    /// A node's process ends in good order.
    Close,
    /// A node stands still.
    Freeze,
    /// A node's machine sleeps: it stands still, and so does its monotonic clock.
    Suspend,
    /// Two nodes lose their path.
    CutPair,
    /// The mesh falls into two parts.
    Split,
    /// A node's packets reach another no more, while that one's still arrive.
    CutOneWay,
    /// Packets from one node to another wait.
    Clog,
    /// A path becomes slow, narrow, and loses, doubles and overtakes.
    Rough,
    /// A node's address changes.
    Rebind,
    /// An engine answers nothing.
    Wedge,
    /// An engine's process ends.
    EngineCrash,
    /// An engine stands still for a while.
    Stall,
    /// An engine takes long to read a prompt.
    SlowPrefill,
    /// A disk has no room, tears the next write, loses what it called durable, or is slow.
    Disk,
    /// Somebody sets a node's wall clock.
    Jump,
    /// A node's clocks gain or lose.
    Drift,
    /// An actor crashes between two turns.
    KillActor,
    /// The power of a node fails between two effects of a turn.
    KillInTurn,
    /// An actor crashes between two effects of a turn.
    KillActorInTurn,
    /// The power of a node fails while it is busy, or while a mailbox is full to its limit.
    KillFull,
    /// An actor crashes while the node is busy, or while its mailbox is full to its limit.
    KillActorFull,
    /// An actor's mailbox is full to its limit; its senders are turned away for a while.
    Flood,
    /// Frames of an answer come that no holder sent.
    Forge,
    /// The owner withdraws a node's ticket.
    Revoke,
    /// A node leaves, as one that is told to stop.
    Drain,
    /// A node acknowledges what another sends, and reads none of it.
    StopReading,
    /// Every connection of two nodes is reset.
    Reset,
    /// A node's actors run for a tenth of the time.
    Busy,
    /// A member sends bytes that are no frame.
    Garbage,
    /// A member opens job streams and says nothing, or asks past all that fits.
    Streams,
    /// Every connection that a node has lost speaks once more.
    StaleLetters,
    /// A node that is down starts.
    Start,
    /// A node that stands still goes on.
    Thaw,
    /// Every cut is mended.
    Heal,
    /// An engine answers again.
    Unwedge,
    /// A node reads what another sends.
    ReadAgain,
    /// A node's actors run whenever they like.
    Rest,
    /// Nothing happens.
    None,
}

/// Faults that a seed may switch off.
pub const FAULTS: [Fault; 32] = [
    Fault::Kill,
    Fault::Close,
    Fault::Freeze,
    Fault::CutPair,
    Fault::Split,
    Fault::CutOneWay,
    Fault::Clog,
    Fault::Rough,
    Fault::Rebind,
    Fault::Wedge,
    Fault::EngineCrash,
    Fault::Stall,
    Fault::SlowPrefill,
    Fault::Disk,
    Fault::Jump,
    Fault::Drift,
    Fault::KillActor,
    Fault::KillInTurn,
    Fault::KillActorInTurn,
    Fault::KillFull,
    Fault::KillActorFull,
    Fault::Flood,
    Fault::Forge,
    Fault::Drain,
    Fault::StopReading,
    Fault::Reset,
    Fault::Busy,
    Fault::Garbage,
    Fault::StaleLetters,
    Fault::Streams,
    Fault::Revoke,
    Fault::Suspend,
];

/// What is always possible. What ends only some faults comes with those.
const REPAIRS: [Fault; 5] = [
    Fault::Start,
    Fault::Start,
    Fault::Thaw,
    Fault::Heal,
    Fault::Unwedge,
];

/// The faults of one seed. A fault that is listed twice is twice as frequent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// What a round may draw.
    pub faults: Vec<Fault>,
    /// Faults of one round at most.
    pub per_round: u64,
}

impl Mix {
    /// Each fault is off, rare or frequent; one seed in ten has none at all.
    ///
    /// Disks fail only where the owner is there to ask again whom they have forgotten.
    pub(super) fn draw(draw: &mut Entropy, with_owner: bool) -> Self {
        let mut faults = Vec::from(REPAIRS);
        if !of(draw, 100) {
            for fault in FAULTS {
                let weight = one_of(draw, &[0, 0, 1, 3]);
                if fault != Fault::Disk || with_owner {
                    faults.extend(std::iter::repeat_n(fault, weight));
                    faults.extend(fault.end().filter(|_| weight > 0));
                }
            }
        }
        let idle = index(draw, 10);
        faults.extend(std::iter::repeat_n(Fault::None, idle));
        Self {
            faults,
            per_round: 1 + draw.below(3),
        }
    }

    /// One round's faults.
    pub(super) fn strike(&self, stage: &mut Stage<'_>, draw: &mut Entropy) {
        for _ in 0..=draw.below(self.per_round) {
            if let Some(fault) = self.faults.get(index(draw, self.faults.len()))
                && fault.strike(stage, draw)
            {
                stage.struck.insert(*fault);
            }
        }
    }
}

impl Fault {
    /// What ends it and is not always possible.
    const fn end(self) -> Option<Self> {
        if matches!(self, Self::StopReading) {
            Some(Self::ReadAgain)
        } else if matches!(self, Self::Busy) {
            Some(Self::Rest)
        } else {
            None
        }
    }
}
