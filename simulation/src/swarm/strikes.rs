//! Where a fault strikes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each draws the faults of its kind"
)]

use super::act::Act;
use super::actor::Actor;
use super::faults::Fault;
use super::plan::{index, of, one_of};
use super::stage::Stage;
use crate::event::NodeIndex;
use crate::hostile::{Forged, Garbage};
use crate::{DiskFault, Latency, Mesh, PathModel, Tail, secs};
use kernel::Entropy;
use messages::{Address, Micros};

/// The longest stall: longer than a request waits, shorter than an engine's silence may be.
const STALL_MAX: Micros = secs(20);
/// The longest prompt.
const PREFILL_MAX: Micros = secs(3);
/// What a disk takes at most: one that spins down.
const SLOW_DISK_MAX: Micros = secs(5);
/// The longest clog: longer than any silence that a connection survives.
const CLOG_MAX: Micros = secs(15);
/// How much longer a rare packet takes: it waits for a radio to wake, or for a full queue.
const TAIL_MAX: Micros = secs(1);

impl Fault {
    /// Draws where it strikes, and strikes. Tells whether it found anybody.
    pub(super) fn strike(self, stage: &mut Stage<'_>, draw: &mut Entropy) -> bool {
        let nodes = stage.plan.nodes;
        let node = index(draw, nodes);
        let act = match self {
            Self::Kill => Act::Kill { node },
            Self::Close => Act::Close { node },
            Self::Freeze => Act::Freeze { node },
            Self::Suspend => Act::Suspend { node },
            Self::CutPair => cut_pair(draw, (node, nodes)),
            Self::CutOneWay => cut_one_way(draw, (node, nodes)),
            Self::Clog => clog(draw, (node, nodes)),
            Self::Rough => roughen((draw, &mut stage.tails), (node, nodes)),
            Self::Rebind => {
                let node = one_of(draw, &stage.plan.movers);
                Act::Rebind { node }
            }
            Self::Split => split(draw, nodes),
            Self::Wedge => Act::Wedge { node, on: true },
            Self::EngineCrash => Act::EngineCrash { node },
            Self::Stall => {
                let us = draw.below(STALL_MAX.0);
                Act::Stall { node, us }
            }
            Self::SlowPrefill => {
                let us = draw.below(PREFILL_MAX.0);
                Act::SlowPrefill { node, us }
            }
            Self::Disk => {
                let fault = disk_fault(draw);
                Act::Disk { node, fault }
            }
            Self::Jump => {
                let by_us = skew(draw);
                Act::Jump { node, by_us }
            }
            Self::Drift => {
                let ppm = drift(draw);
                Act::Drift { node, ppm }
            }
            Self::KillInTurn => {
                let effects = some_effects(draw);
                Act::KillInTurn { node, effects }
            }
            Self::KillActorInTurn => Act::KillActorInTurn {
                node,
                who: anybody(&stage.mesh, draw, node).filter(|_| of(draw, 300)),
                effects: some_effects(draw),
            },
            Self::Reset | Self::Garbage | Self::Streams | Self::StopReading | Self::ReadAgain => {
                between(self, draw, (node, nodes))
            }
            Self::Drain => Act::Drain { node },
            Self::Busy => Act::Busy {
                node,
                round_us: one_of(draw, &[300_000, 1_000_000, 2_000_000]),
            },
            Self::StaleLetters => Act::StaleLetters { node },
            Self::Start => Act::Start { node },
            Self::Thaw => Act::Thaw { node },
            Self::Heal => Act::Heal,
            Self::Unwedge => Act::Wedge { node, on: false },
            Self::Rest => Act::Busy { node, round_us: 0 },
            Self::Revoke
            | Self::KillActor
            | Self::KillFull
            | Self::KillActorFull
            | Self::Flood
            | Self::Forge
            | Self::None => return self.strike_found(stage, draw, node),
        };
        stage.act(act)
    }

    /// Strikes who is there, if anybody is.
    fn strike_found(self, stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> bool {
        match self {
            Self::Revoke => revoke(stage, draw, node),
            Self::KillActor => kill_anybody(stage, draw, node),
            Self::KillFull => {
                let is_full = until_busy(stage, draw, node) || flood(stage, draw, node).is_some();
                is_full && stage.act(Act::Kill { node })
            }
            Self::KillActorFull => kill_full(stage, draw, node),
            Self::Flood => flood_small(stage, draw, node).is_some(),
            Self::Forge => forge(stage, draw),
            _ => true,
        }
    }
}

fn split(draw: &mut Entropy, nodes: usize) -> Act {
    let (one, other) = (0..nodes).partition(|_| of(draw, 500));
    Act::Cut { one, other }
}

/// What passes between two members, or does not.
fn between(fault: Fault, draw: &mut Entropy, (from, nodes): (NodeIndex, usize)) -> Act {
    let to = other(draw, (from, nodes));
    match fault {
        Fault::Garbage => Act::Garbage {
            from,
            to,
            how: garbage(draw),
            // Half of the numbers there are: a file has no larger ones.
            seed: draw.number() >> 1,
        },
        Fault::Streams => Act::Streams {
            from,
            to,
            count: one_of(draw, &[5, 50, 500]),
            tokens: one_of(draw, &[None, Some(5), Some(50)]),
        },
        Fault::StopReading => Act::StopReading { node: to, from },
        Fault::ReadAgain => Act::ReadAgain { node: to, from },
        _ => Act::Reset {
            one: from,
            other: to,
        },
    }
}

/// Any node but this one.
fn other(draw: &mut Entropy, (node, nodes): (NodeIndex, usize)) -> NodeIndex {
    (node + 1 + index(draw, nodes - 1)) % nodes
}

fn garbage(draw: &mut Entropy) -> Garbage {
    match draw.below(7) {
        0 => Garbage::Noise,
        1 => Garbage::Oversize,
        2 => Garbage::Short,
        3 => Garbage::Body,
        4 => Garbage::UnknownKind,
        5 => Garbage::Reply,
        _ => Garbage::Job,
    }
}

/// Members that are left make the run: few are revoked, and seldom all at once by one ticket.
fn revoke(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> bool {
    let few = stage.plan.nodes.div_ceil(4);
    let chance = if stage.plan.one_ticket { 50 } else { 300 };
    of(draw, chance) && stage.revoked().len() < few && stage.act(Act::Revoke { node })
}

fn cut_pair(draw: &mut Entropy, (node, nodes): (NodeIndex, usize)) -> Act {
    Act::Cut {
        one: vec![node],
        other: vec![index(draw, nodes)],
    }
}

fn cut_one_way(draw: &mut Entropy, (from, nodes): (NodeIndex, usize)) -> Act {
    let to = index(draw, nodes);
    Act::CutOneWay { from, to }
}

fn clog(draw: &mut Entropy, (from, nodes): (NodeIndex, usize)) -> Act {
    let (to, us) = (index(draw, nodes), draw.below(CLOG_MAX.0));
    Act::Clog { from, to, us }
}

fn roughen((draw, tails): (&mut Entropy, &mut Entropy), (from, nodes): (NodeIndex, usize)) -> Act {
    let (to, mut is) = (index(draw, nodes), rough(draw));
    is.latency.tail = tail(tails);
    Act::Path { from, to, is }
}

/// In half of the cases: a moment in which much waits by itself.
fn until_busy(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> bool {
    if of(draw, 500) {
        return false;
    }
    stage.act(Act::AwaitBusy { node });
    stage.is_busy(node)
}

/// Fills the mailbox of somebody on the node who has it taken in no time, or has a small one: a
/// large one of a slow actor would take a minute, and all that time its node does nothing.
fn flood_small(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> Option<Actor> {
    let who = anybody(&stage.mesh, draw, node)?;
    let is_small = matches!(who, Actor::Session(_) | Actor::Proxy { .. });
    (is_small || !stage.plan.costs).then(|| fill(stage, draw, node, who))
}

/// Fills the mailbox of somebody on the node.
fn flood(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> Option<Actor> {
    let who = anybody(&stage.mesh, draw, node)?;
    Some(fill(stage, draw, node, who))
}

fn fill(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex, who: Actor) -> Actor {
    let reserve = of(draw, 300);
    stage.act(Act::Fill { node, who, reserve });
    who
}

/// Before it has taken a letter, or after some effects of it and of those whom it turns away.
fn kill_full(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> bool {
    if until_busy(stage, draw, node) {
        return kill_anybody(stage, draw, node);
    }
    let at_once = of(draw, 500);
    let who = match at_once {
        true => flood(stage, draw, node),
        false => flood_small(stage, draw, node),
    };
    who.is_some_and(|who| match at_once {
        true => stage.act(Act::KillActor { node, who }),
        false => {
            let effects = some_effects(draw);
            let who = Some(who);
            stage.act(Act::KillActorInTurn { node, effects, who })
        }
    })
}

fn forge(stage: &mut Stage<'_>, draw: &mut Entropy) -> bool {
    let asked = stage.asked().len() as u64;
    let id = draw.below(asked.max(1));
    let how = match draw.below(7) {
        0 => Forged::Repeated,
        1 => Forged::Overlapping,
        2 => Forged::Lost,
        3 => Forged::OneLost,
        4 => Forged::Ended,
        5 => Forged::Changed,
        _ => Forged::Old,
    };
    stage.running(id).is_some() && stage.act(Act::Forge { id, how })
}

/// What a wall clock is off: a little, or by a time zone that nobody set.
pub(super) fn skew(draw: &mut Entropy) -> i64 {
    let most = one_of(draw, &[10_000, 1_000_000, 60_000_000, 12 * 3_600_000_000]);
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

/// What Wi-Fi and mobile networks do now and then; half of the rough paths never do.
fn tail(draw: &mut Entropy) -> Tail {
    let (permille, extra) = (
        one_of(draw, &[0, 0, 10, 50]),
        Micros(draw.below(TAIL_MAX.0)),
    );
    Tail { permille, extra }
}

/// A leaf is a stream of the transport: it ends with its ends, and is killed by nobody.
fn anybody(mesh: &Mesh, draw: &mut Entropy, node: NodeIndex) -> Option<Actor> {
    let mut able = mesh.addresses(node);
    able.retain(|who| !matches!(who, Address::Stream(_)));
    let who = able.get(index(draw, able.len()))?;
    Actor::of(mesh, *who)
}

fn kill_anybody(stage: &mut Stage<'_>, draw: &mut Entropy, node: NodeIndex) -> bool {
    let who = anybody(&stage.mesh, draw, node);
    who.is_some_and(|who| stage.act(Act::KillActor { node, who }))
}

fn disk_fault(draw: &mut Entropy) -> DiskFault {
    match draw.below(4) {
        0 => DiskFault::Full,
        1 => DiskFault::TornNext,
        2 => DiskFault::LoseSyncs,
        _ => DiskFault::Slow(Micros(draw.below(SLOW_DISK_MAX.0))),
    }
}

/// At once, in this burst of work, or some time later.
fn some_effects(draw: &mut Entropy) -> u64 {
    let scale = one_of(draw, &[4, 40, 400]);
    draw.below(scale)
}
