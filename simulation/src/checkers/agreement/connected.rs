//! Who must have a session with whom: all that are up, belong here and can find each other, or,
//! where a node has fewer neighbours than there are others, who must be in one part with whom.

use super::{Agreement, CALM_US};
use crate::checkers::Findings;
use crate::event::{NodeIndex, Time};
use crate::network::Reach;
use crate::node::Node;
use crate::world::World;

/// As much more for each node that cannot be reached: a newcomer dials four of those that it heard
/// of at once, each for five seconds, and some of them twice.
const PER_DEAD_US: Time = 2_500_000;
/// From the last fault to one mesh, where neighbourhoods are bounded: who has enough neighbours
/// dials one more each minute, and it is drawn whom.
const BOUNDED_CALM_US: Time = 240_000_000;

impl Agreement {
    /// Nodes without a session, or without a way over others, that must have one.
    pub(super) fn apart(
        &self,
        world: &World,
        up: &[&Node],
        found: &Findings<'_>,
    ) -> Vec<(NodeIndex, String)> {
        let bounded = up.len() > world.full_max;
        let calm = if bounded { BOUNDED_CALM_US } else { CALM_US };
        let mut wrong = Vec::new();
        if world.time < self.disturbed + calm {
            return wrong;
        }
        let parts = if bounded { self.parts(up) } else { Vec::new() };
        for (at, one) in up.iter().enumerate() {
            for (two_at, two) in up.iter().enumerate().skip(at + 1) {
                let joined = match bounded {
                    true => parts[at] == parts[two_at],
                    false => self.is_active(one.index, two.me) || self.is_active(two.index, one.me),
                };
                if joined
                    || !world.network.is_open(world.time, one.index, two.index)
                    || bounded && !has_places(world, up, [one, two])
                    || world.time < self.disturbed + calm + dead(world, [one, two]) * PER_DEAD_US
                    || !self.must_meet(world, up, [one, two])
                {
                    continue;
                }
                let name = found.name(two.me);
                let what = match bounded {
                    true => format!("{name} can be reached, and no sessions lead to it"),
                    false => format!("{name} can be reached, and there is no session with it"),
                };
                wrong.push((one.index, what));
            }
        }
        wrong
    }

    /// Of each node that is up, a place that all have whom sessions connect.
    fn parts(&self, up: &[&Node]) -> Vec<usize> {
        let mut parts: Vec<usize> = (0..up.len()).collect();
        for (at, one) in up.iter().enumerate() {
            for (two_at, two) in up.iter().enumerate().skip(at + 1) {
                let (mine, other) = (parts[at], parts[two_at]);
                if mine != other
                    && self.is_active(one.index, two.me)
                    && self.is_active(two.index, one.me)
                {
                    let joined = parts.iter_mut().filter(|part| **part == other);
                    joined.for_each(|part| *part = mine);
                }
            }
        }
        parts
    }

    /// Both belong here, and one of them can find the other.
    fn must_meet(&self, world: &World, up: &[&Node], pair: [&Node; 2]) -> bool {
        let [one, two] = pair;
        pair.iter().all(|node| self.belongs(node.me))
            && (self.finds(world, up, one, two) || self.finds(world, up, two, one))
    }

    /// Whether a node knows an address of another at which that is found.
    fn finds(&self, world: &World, up: &[&Node], from: &Node, to: &Node) -> bool {
        let moved = |node: &Node| self.moved.contains(&node.index);
        let open = |node: &Node| !world.network.is_boxed(node.index);
        let mut by = up.iter().filter(|by| self.names(by, from, to));
        match world.network.reach(from.index, to.index) {
            // Tickets say where the owner was at first; the two have met since the other last
            // moved, or somebody names them to each other.
            Reach::Known => {
                to.index == 0 && !moved(to)
                    || self.met.contains(&(from.index, to.me))
                    || by.next().is_some()
            }
            // Whoever is in the open tells both where they are seen.
            Reach::Learnt => !moved(from) && !moved(to) && by.any(|by| open(by)),
            Reach::Never => false,
        }
    }

    /// Whether a node has sessions with both, and so names them to each other.
    fn names(&self, by: &Node, one: &Node, two: &Node) -> bool {
        let mut both = [one, two].into_iter();
        both.all(|of| self.is_active(by.index, of.me) && self.is_active(of.index, by.me))
    }
}

/// Whether nobody behind a box has to take turns: any node in the open has room for all of those,
/// for it keeps four times as many as it looks for.
fn has_places(world: &World, up: &[&Node], pair: [&Node; 2]) -> bool {
    let [one, two] = pair.map(|node| node.index);
    let known = |from, to| world.network.reach(from, to) == Reach::Known;
    let boxed = up.iter().filter(|node| world.network.is_boxed(node.index));
    known(one, two) && known(two, one) || boxed.count() < world.full_max
}

/// How many others one of the two cannot reach.
fn dead(world: &World, pair: [&Node; 2]) -> Time {
    let gone = |node: &Node, other: &Node| {
        let up = other.boot.is_some() && other.frozen.is_none();
        !up || !world.network.is_open(world.time, node.index, other.index)
            || world.network.reach(node.index, other.index) == Reach::Never
    };
    let count = |node: &Node| world.nodes.iter().filter(|other| gone(node, other)).count();
    pair.into_iter().map(count).max().unwrap_or(0) as Time
}
