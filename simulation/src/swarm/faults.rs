//! What may go wrong, and one round's share of it.

use super::plan::{index, of, one_of};
use crate::event::NodeIndex;
use crate::{DiskFault, EngineFault, Latency, Mesh, PathModel, secs};
use kernel::Entropy;
use messages::{Address, Micros};

/// A kind of fault, or of repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The power of a node fails.
    Kill,
    /// A node's process ends in good order.
    Close,
    /// A node stands still.
    Freeze,
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
    /// The power of a node fails while its mailboxes are full.
    KillFull,
    /// An actor crashes while the node's mailboxes are full.
    KillActorFull,
    /// A node that is down starts.
    Start,
    /// A frozen node goes on.
    Thaw,
    /// Every cut is mended.
    Heal,
    /// An engine answers again.
    Unwedge,
    /// Nothing happens.
    None,
}

/// Faults that a seed may switch off.
const FAULTS: [Fault; 21] = [
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
];

/// What is always possible.
const REPAIRS: [Fault; 5] = [
    Fault::Start,
    Fault::Start,
    Fault::Thaw,
    Fault::Heal,
    Fault::Unwedge,
];

/// The faults of one seed. A fault that is listed twice is twice as frequent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// What a round may draw.
    pub faults: Vec<Fault>,
    /// Faults of one round at most.
    pub per_round: u64,
}

/// The longest stall: longer than a request waits, shorter than an engine's silence may be.
const STALL_MAX: Micros = secs(20);
/// The longest prompt.
const PREFILL_MAX: Micros = secs(3);
/// What a disk takes at most: one that spins down.
const SLOW_DISK_MAX: Micros = secs(5);
/// The longest clog: longer than any silence that a connection survives.
const CLOG_MAX: Micros = secs(15);
/// Letters that wait on a node whose mailboxes count as full: more than a quiet node ever has.
const FULL: usize = 12;

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
    pub(super) fn strike(
        &self,
        mesh: &mut Mesh,
        draw: &mut Entropy,
        nodes: usize,
        journal: &mut Vec<String>,
    ) {
        for _ in 0..=draw.below(self.per_round) {
            if let Some(fault) = self.faults.get(index(draw, self.faults.len())) {
                let begun = mesh.time();
                let what = fault.strike(mesh, draw, nodes);
                journal.push(format!("{begun} µs: {fault:?} {what}"));
            }
        }
    }
}

impl Fault {
    /// Strikes, and says where.
    fn strike(self, mesh: &mut Mesh, draw: &mut Entropy, nodes: usize) -> String {
        let node = index(draw, nodes);
        let mut detail = String::new();
        match self {
            Self::Kill => mesh.kill(node),
            Self::Close => mesh.close(node),
            Self::Freeze => mesh.freeze(node),
            Self::CutPair => {
                let other = index(draw, nodes);
                mesh.cut(&[node], &[other]);
                detail = format!(" from {other}");
            }
            Self::CutOneWay => detail = cut_one_way(mesh, draw, (node, nodes)),
            Self::Clog => detail = clog(mesh, draw, (node, nodes)),
            Self::Rough => detail = roughen(mesh, draw, (node, nodes)),
            Self::Rebind => {
                // Of two nodes that both move while they are apart, neither finds the other.
                mesh.rebind(nodes - 1);
                detail = format!(" means {}", nodes - 1);
            }
            Self::Split => detail = split(mesh, draw, nodes),
            Self::Wedge => mesh.wedge(node, true),
            Self::EngineCrash => mesh.engine(node, EngineFault::Crash),
            Self::Stall => {
                let span = Micros(draw.below(STALL_MAX.0));
                mesh.engine(node, EngineFault::Stall(span));
                detail = format!(" for {span}");
            }
            Self::SlowPrefill => {
                let span = Micros(draw.below(PREFILL_MAX.0));
                mesh.engine(node, EngineFault::SlowPrefill(span));
                detail = format!(" takes {span}");
            }
            Self::Disk => detail = spoil_disk(mesh, draw, node),
            Self::Jump => {
                let by = skew(draw);
                mesh.jump_clock(node, by);
                detail = format!(" by {by} µs");
            }
            Self::Drift => {
                let ppm = drift(draw);
                mesh.drift(node, ppm);
                detail = format!(" by {ppm} ppm");
            }
            Self::KillActor => detail = kill_anybody(mesh, draw, node),
            Self::KillInTurn => {
                let effects = some_effects(draw);
                mesh.kill_after_effects(node, effects);
                detail = format!(" after {effects} effects");
            }
            Self::KillActorInTurn => detail = kill_in_turn(mesh, draw, node),
            Self::KillFull => {
                if until_full(mesh, node) {
                    mesh.kill(node);
                    detail = format!(" at {} µs", mesh.time());
                }
            }
            Self::KillActorFull => {
                if until_full(mesh, node) {
                    detail = kill_anybody(mesh, draw, node);
                }
            }
            Self::Start => mesh.start(node),
            Self::Thaw => mesh.thaw(node),
            Self::Heal => mesh.heal(),
            Self::Unwedge => mesh.wedge(node, false),
            Self::None => {}
        }
        format!("{node}{detail}")
    }
}

/// What a wall clock is off. What a record says counts as of the future where two clocks are more
/// than five minutes apart, and nodes whose clocks are need not find each other.
pub(super) fn skew(draw: &mut Entropy) -> i64 {
    let most = one_of(draw, &[10_000, 1_000_000, 60_000_000]);
    i64::try_from(draw.below(2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0)
}

/// What a crystal gains: within what cheap ones do.
pub(super) fn drift(draw: &mut Entropy) -> i32 {
    i32::try_from(draw.below(401)).unwrap_or(0) - 200
}

/// A path of a poor mobile network at worst.
fn rough(draw: &mut Entropy) -> PathModel {
    let base = Micros(draw.below(100_000));
    let mut path = PathModel::new(Latency::new(base, Micros(draw.below(50_000))));
    path.loss_permille = one_of(draw, &[0, 5, 50]);
    path.duplicate_permille = one_of(draw, &[0, 5, 50]);
    path.reorder_permille = one_of(draw, &[0, 5, 50]);
    path.bytes_per_sec = one_of(draw, &[None, None, Some(1_000_000), Some(100_000)]);
    path
}

/// A leaf is a stream of the transport: it ends with its ends, and is killed by nobody.
fn anybody(mesh: &Mesh, draw: &mut Entropy, node: NodeIndex) -> Option<Address> {
    let mut able = mesh.addresses(node);
    able.retain(|who| !matches!(who, Address::Stream(_)));
    able.get(index(draw, able.len())).copied()
}

fn kill_anybody(mesh: &mut Mesh, draw: &mut Entropy, node: NodeIndex) -> String {
    anybody(mesh, draw, node).map_or_else(String::new, |who| {
        mesh.kill_actor(node, who);
        format!(" {who} at {} µs", mesh.time())
    })
}

fn kill_in_turn(mesh: &mut Mesh, draw: &mut Entropy, node: NodeIndex) -> String {
    let who = anybody(mesh, draw, node).filter(|_| of(draw, 300));
    let effects = some_effects(draw);
    mesh.kill_actor_after_effects(node, effects, who);
    format!(" {who:?} after {effects} effects")
}

fn spoil_disk(mesh: &mut Mesh, draw: &mut Entropy, node: NodeIndex) -> String {
    let fault = match draw.below(4) {
        0 => DiskFault::Full,
        1 => DiskFault::TornNext,
        2 => DiskFault::LoseSyncs,
        _ => DiskFault::Slow(Micros(draw.below(SLOW_DISK_MAX.0))),
    };
    mesh.disk(node, fault);
    format!(" {fault:?}")
}

fn cut_one_way(mesh: &mut Mesh, draw: &mut Entropy, (node, nodes): (NodeIndex, usize)) -> String {
    let other = index(draw, nodes);
    mesh.cut_one_way(&[node], &[other]);
    format!(" to {other}")
}

fn clog(mesh: &mut Mesh, draw: &mut Entropy, (node, nodes): (NodeIndex, usize)) -> String {
    let (other, span) = (index(draw, nodes), Micros(draw.below(CLOG_MAX.0)));
    mesh.clog(&[node], &[other], span);
    format!(" to {other} for {span}")
}

fn roughen(mesh: &mut Mesh, draw: &mut Entropy, (node, nodes): (NodeIndex, usize)) -> String {
    let (other, path) = (index(draw, nodes), rough(draw));
    mesh.set_path(&[node], &[other], path);
    format!(" to {other}: {path:?}")
}

fn split(mesh: &mut Mesh, draw: &mut Entropy, nodes: usize) -> String {
    let (one, two): (Vec<_>, Vec<_>) = (0..nodes).partition(|_| of(draw, 500));
    mesh.cut(&one, &two);
    format!(" {one:?} from {two:?}")
}

/// At once, in this burst of work, or some time later.
fn some_effects(draw: &mut Entropy) -> u64 {
    let scale = one_of(draw, &[4, 40, 400]);
    draw.below(scale)
}

fn until_full(mesh: &mut Mesh, node: NodeIndex) -> bool {
    mesh.run_until(secs(1), |mesh| mesh.waiting(node) >= FULL)
}
