//! What a seed draws.

use super::faults::Mix;
use super::strikes::{drift, skew};
use crate::event::NodeIndex;
use crate::{Clock, Costs, Dependence, Latency, Mesh, MeshBuilder, Nat, PathModel, millis, secs};
use kernel::Entropy;
use messages::{Digest, Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Who can reach whom before the first fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topology {
    /// Everybody reaches everybody.
    Full,
    /// Everybody reaches the owner alone.
    Star,
    /// Groups of this many neighbours, and the owner.
    Islands(usize),
    /// Each pair has no path with this chance, in a thousand; the owner has all its paths.
    Holes(u64),
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Requests that may arrive at once.
    pub burst_max: u64,
    /// Chance that requests arrive in a round, in a thousand.
    pub arrive: u64,
    /// Tokens of an answer at most.
    pub tokens_max: u64,
    /// Chance that a client reads slowly, in a thousand.
    pub slow: u64,
    /// Chance that a running request is cancelled in a round, in a thousand.
    pub cancel: u64,
    /// Chance that a client gives little time, in a thousand.
    #[serde(default)]
    pub hasty: u64,
}

/// One seed's mesh, workload and faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Every draw comes from it.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: usize,
    /// Who serves the scripted model.
    pub engines: Vec<NodeIndex>,
    /// Who is not there at the beginning.
    pub late: Vec<NodeIndex>,
    /// Delay of every path.
    pub latency: (Micros, Micros),
    /// Whether turns, births and loads take time.
    pub costs: bool,
    /// Clocks that are wrong from the beginning.
    pub clocks: Vec<(NodeIndex, Clock)>,
    /// NAT boxes.
    pub boxes: Vec<(NodeIndex, Nat)>,
    /// Nodes behind the boxes of another: each of these, and whose.
    #[serde(default)]
    pub housed: Vec<(NodeIndex, NodeIndex)>,
    /// Second boxes, before the first: double NAT.
    #[serde(default)]
    pub outer: Vec<(NodeIndex, Nat)>,
    /// Whether nodes learn their outside addresses.
    #[serde(default)]
    pub reflection: bool,
    /// How far the relay is, where there is one.
    #[serde(default)]
    pub relay: Option<Micros>,
    /// Sessions per node, where they are bounded.
    #[serde(default)]
    pub degree: Option<u16>,
    /// Whether all join by one ticket.
    #[serde(default)]
    pub one_ticket: bool,
    /// Whose address may change.
    #[serde(default)]
    pub movers: Vec<NodeIndex>,
    /// Time of a decode step.
    pub step: Micros,
    /// Whether simultaneous turns come in any order.
    pub shuffled: bool,
    /// Who can reach whom.
    pub topology: Topology,
    /// What clients do.
    pub workload: Workload,
    /// Which faults there are, and how often.
    pub mix: Mix,
    /// Rounds of the first half; each draws arrivals, a fault, and a span of time.
    pub rounds: u64,
    /// The longest round.
    pub round_max: Micros,
    /// Who is healed, and has to make progress.
    pub core: Vec<NodeIndex>,
    /// Whether the checkers look on after every step; the run is the same without them.
    pub checked: bool,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut draw = section(seed, "mesh");
        let nodes = size(&mut draw);
        let serving = 100 + draw.below(900);
        let engines: Vec<_> = (0..nodes).filter(|_| of(&mut draw, serving)).collect();
        let joins_late = if of(&mut draw, 500) {
            draw.below(500)
        } else {
            0
        };
        let late: Vec<_> = (1..nodes).filter(|_| of(&mut draw, joins_late)).collect();
        let base = one_of(&mut draw, &[100, 1_000, 2_000, 20_000, 80_000]);
        let jitter = draw.below(base * 2);
        let step = millis(one_of(&mut draw, &[2, 10, 20, 50]));
        let shuffled = of(&mut draw, 500);
        let topology = topology(&mut draw);
        // Whom a node knows by hearsay alone it need not find.
        let met = topology == Topology::Full;
        let core = core(&mut section(seed, "core"), nodes, met.then_some(&late));
        let mix = Mix::draw(&mut section(seed, "mix"), core.contains(&0));
        let degree = degree(&mut section(seed, "degree"), core.contains(&0));
        let mut boxes = boxes(&mut section(seed, "boxes"), nodes, &core);
        // Places at nodes in the open are bounded then, and two boxes need one of them.
        boxes.retain(|(node, _)| degree.is_none() || !core.contains(node));
        let housed = housed(&mut section(seed, "shared boxes"), &mut boxes);
        let alone = housed.is_empty();
        let outer = outer(&mut section(seed, "outer boxes"), &boxes);
        let mut around = section(seed, "surroundings");
        let mut plan = Self {
            seed,
            nodes,
            engines,
            late: late.clone(),
            latency: (Micros(base), Micros(jitter)),
            costs: of(&mut section(seed, "costs"), 500),
            clocks: clocks(&mut section(seed, "clocks"), nodes),
            boxes,
            housed,
            outer,
            reflection: of(&mut around, 250),
            // A relay and shared boxes are not drawn together: when those behind two shared boxes
            // must have found the relay's way to each other, neither the judge nor the checker of
            // agreement can say exactly.
            relay: of(&mut around, 150)
                .then(|| Micros(around.below(80_000)))
                .filter(|_| alone),
            degree,
            one_ticket: of(&mut around, 200),
            movers: Vec::new(),
            step,
            shuffled,
            topology,
            workload: workload(&mut section(seed, "workload")),
            mix,
            rounds: 10 + draw.below(25),
            round_max: millis(one_of(&mut draw, &[100, 800, 800, 3_000])),
            core,
            checked: true,
        };
        plan.movers = plan.movers(&mut section(seed, "movers"));
        plan
    }

    /// Of two nodes that both move while they are apart, neither finds the other, but by the owner
    /// of whom everybody has one address for good.
    fn movers(&self, draw: &mut Entropy) -> Vec<NodeIndex> {
        let owner = self.core.contains(&0);
        if owner && of(draw, 500) {
            return (1..self.nodes).collect();
        }
        let first = usize::from(owner);
        vec![first + index(draw, self.nodes - first)]
    }

    /// What every path is like before the first fault.
    pub(super) const fn path(&self) -> PathModel {
        let (base, jitter) = self.latency;
        PathModel::new(Latency::new(base, jitter))
    }

    /// The mesh of this plan, started.
    pub(super) fn mesh(&self) -> Mesh {
        let builder: MeshBuilder = Mesh::seed(self.seed)
            .nodes(self.nodes)
            .engines(&self.engines)
            .path(self.path())
            .step(self.step)
            .absent(&self.late);
        let builder = match self.shuffled {
            true => builder.shuffled(),
            false => builder,
        };
        // The first box of a node stands next to it.
        let boxed = self.boxes.iter().chain(&self.outer);
        let builder = boxed.fold(builder, |builder, (node, nat)| {
            builder.nat_of(&self.household(*node), *nat)
        });
        let builder = match self.relay {
            Some(leg) => builder.relay(PathModel::new(Latency::new(leg, Micros(leg.0 / 4)))),
            None => builder,
        };
        let builder = match self.reflection {
            true => builder.reflection(),
            false => builder,
        };
        let builder = match self.one_ticket {
            true => builder.one_ticket(),
            false => builder,
        };
        let builder = match self.degree {
            Some(degree) => builder.degree(degree),
            None => builder,
        };
        let clocks = self.clocks.iter();
        let builder = clocks.fold(builder, |builder, (node, clock)| {
            builder.clock(*node, *clock)
        });
        let builder = match self.costs {
            true => builder.costs(Costs::drawn(&mut section(self.seed, "each cost"))),
            false => builder,
        };
        let builder = match self.checked {
            true => builder.checked(),
            false => builder,
        };
        let mut mesh = builder.build();
        self.dig(&mut mesh);
        mesh
    }

    /// Takes away the paths that the topology does not have.
    pub(super) fn dig(&self, mesh: &mut Mesh) {
        let mut draw = section(self.seed, "topology");
        for one in 1..self.nodes {
            for two in one + 1..self.nodes {
                let apart = match self.topology {
                    Topology::Full => false,
                    Topology::Star => true,
                    Topology::Islands(size) => one / size != two / size,
                    Topology::Holes(chance) => of(&mut draw, chance),
                };
                if apart {
                    mesh.cut(&[one], &[two]);
                }
            }
        }
    }

    /// Cuts the core off from everybody else.
    pub(super) fn dig_around(&self, mesh: &mut Mesh) {
        let core: BTreeSet<_> = self.core.iter().collect();
        let others = (0..self.nodes).filter(|node| !core.contains(node));
        mesh.cut(&self.core, &others.collect::<Vec<_>>());
    }
}

/// A stream of its own for each part of a plan: a draw in one part never shifts another.
pub(super) fn section(seed: u64, name: &str) -> Entropy {
    let digest = Digest::of("mesh-sim swarm", &[&seed.to_le_bytes(), name.as_bytes()]);
    Entropy::from_seed(digest.0)
}

/// True this many times in a thousand.
pub(super) fn of(draw: &mut Entropy, thousandths: u64) -> bool {
    draw.chance(thousandths * 1_000)
}

/// A place in a list of this length.
pub(super) fn index(draw: &mut Entropy, end: usize) -> usize {
    usize::try_from(draw.below(end as u64)).unwrap_or(0)
}

/// One of these, each as likely as the others; the default of none.
pub(super) fn one_of<T: Copy + Default>(draw: &mut Entropy, choice: &[T]) -> T {
    let at = index(draw, choice.len());
    choice.get(at).copied().unwrap_or_default()
}

/// Small meshes are cheap and find the most; a large one costs as much as a hundred of them.
fn size(draw: &mut Entropy) -> usize {
    match draw.below(100) {
        0..70 => 2 + index(draw, 6),
        70..96 => 8 + index(draw, 9),
        96..99 => 17 + index(draw, 16),
        _ => 33 + index(draw, 18),
    }
}

fn topology(draw: &mut Entropy) -> Topology {
    match draw.below(10) {
        0..6 => Topology::Full,
        6 => Topology::Star,
        7 => Topology::Islands(2 + index(draw, 4)),
        _ => Topology::Holes(50 + draw.below(400)),
    }
}

fn boxes(draw: &mut Entropy, nodes: usize, core: &[NodeIndex]) -> Vec<(NodeIndex, Nat)> {
    let boxed = one_of(draw, &[0, 0, 300, 1_000]);
    let around = of(draw, 500);
    // Who knows the owner's address alone finds nobody if the owner cannot be reached.
    let mut behind: Vec<_> = (1..nodes)
        .filter(|node| !around || !core.contains(node))
        .collect();
    behind.retain(|_| of(draw, boxed));
    behind.into_iter().map(|node| (node, nat(draw))).collect()
}

/// In some seeds, some give up their own box and live behind that of another: two or three behind
/// one.
fn housed(draw: &mut Entropy, boxes: &mut Vec<(NodeIndex, Nat)>) -> Vec<(NodeIndex, NodeIndex)> {
    let shared = one_of(draw, &[0, 0, 500]);
    let (mut own, mut housed) = (Vec::new(), Vec::new());
    for (node, nat) in std::mem::take(boxes) {
        let host = own.last().map(|(host, _)| *host);
        let mates = housed.iter().filter(|(_, of)| Some(*of) == host).count();
        match host.filter(|_| mates < 2 && of(draw, shared)) {
            Some(host) => housed.push((node, host)),
            None => own.push((node, nat)),
        }
    }
    *boxes = own;
    housed
}

/// Of some seeds' boxes, some stand behind another one.
fn outer(draw: &mut Entropy, boxes: &[(NodeIndex, Nat)]) -> Vec<(NodeIndex, Nat)> {
    let doubled = one_of(draw, &[0, 0, 500]);
    let mut nodes: Vec<_> = boxes.iter().map(|(node, _)| *node).collect();
    nodes.retain(|_| of(draw, doubled));
    nodes.into_iter().map(|node| (node, nat(draw))).collect()
}

fn nat(draw: &mut Entropy) -> Nat {
    let dependence = |draw: &mut Entropy| match draw.below(3) {
        0 => Dependence::Endpoint,
        1 => Dependence::Address,
        _ => Dependence::AddressAndPort,
    };
    Nat {
        mapping: dependence(draw),
        filtering: dependence(draw),
        expiry: secs(one_of(draw, &[10, 30, 120])),
        hairpin: of(draw, 500),
        udp_blocked: of(draw, 100),
    }
}

/// Whom a node has not met it finds through the owner.
fn degree(draw: &mut Entropy, with_owner: bool) -> Option<u16> {
    let bounded = of(draw, 80) && with_owner;
    bounded.then(|| one_of(draw, &[2, 4, 6, 8]))
}

fn clocks(draw: &mut Entropy, nodes: usize) -> Vec<(NodeIndex, Clock)> {
    let wrong = one_of(draw, &[0, 0, 300, 1_000]);
    let mut nodes: Vec<_> = (0..nodes).collect();
    nodes.retain(|_| of(draw, wrong));
    let clock = |draw: &mut Entropy| Clock {
        offset_us: skew(draw),
        drift_ppm: drift(draw),
    };
    nodes.into_iter().map(|node| (node, clock(draw))).collect()
}

fn workload(draw: &mut Entropy) -> Workload {
    Workload {
        burst_max: one_of(draw, &[1, 2, 4, 24]),
        arrive: 200 + draw.below(800),
        tokens_max: one_of(draw, &[4, 30, 60, 300]),
        cancel: one_of(draw, &[0, 0, 100, 600]),
        slow: one_of(draw, &[0, 0, 200]),
        hasty: one_of(draw, &[0, 0, 200]),
    }
}

/// Two nodes or more. Without the owner only those can find each other who have met before.
fn core(draw: &mut Entropy, nodes: usize, strangers: Option<&Vec<NodeIndex>>) -> Vec<NodeIndex> {
    if of(draw, 200) {
        return (0..nodes).collect();
    }
    let late = strangers.map_or(&[][..], |late| late);
    let without_owner = of(draw, 400) && strangers.is_some();
    let mut able: Vec<_> = (0..nodes)
        .filter(|node| !without_owner || *node != 0 && !late.contains(node))
        .collect();
    if able.len() < 2 {
        return (0..nodes).collect();
    }
    let wanted = 2 + index(draw, able.len() - 1);
    let mut core = Vec::new();
    if !without_owner {
        core.push(able.remove(0));
    }
    while core.len() < wanted {
        let at = index(draw, able.len());
        core.push(able.remove(at));
    }
    core.sort_unstable();
    core
}
