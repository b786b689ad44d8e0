//! What the paths of a plan allow: who of the core must meet whom, and who must be served.

#[cfg(test)]
mod tests;

use super::Plan;
use crate::event::NodeIndex;
use crate::{Dependence, Mesh, Nat};
use std::collections::BTreeSet;

/// The healed part of a mesh.
pub(super) struct Core<'a> {
    pub(super) plan: &'a Plan,
    /// Of whom progress is demanded.
    pub(super) members: Vec<NodeIndex>,
    /// Who is healed too, and is no member any more.
    pub(super) outcasts: Vec<NodeIndex>,
}

impl Plan {
    /// Who lives behind the boxes of this node, itself first.
    pub(super) fn household(&self, host: NodeIndex) -> Vec<NodeIndex> {
        let mates = self.housed.iter().filter(|(_, of)| *of == host);
        let mates = mates.map(|(node, _)| *node);
        std::iter::once(host).chain(mates).collect()
    }

    /// Before whom its boxes stand.
    fn host(&self, node: NodeIndex) -> NodeIndex {
        let house = self.housed.iter().find(|(mate, _)| *mate == node);
        house.map_or(node, |(_, host)| *host)
    }

    /// Whether a node is behind a box.
    fn is_boxed(&self, node: NodeIndex) -> bool {
        self.nats(node).next().is_some()
    }

    /// The boxes before a node.
    fn nats(&self, node: NodeIndex) -> impl Iterator<Item = &Nat> {
        let host = self.host(node);
        let all = self.boxes.iter().chain(&self.outer);
        let here = all.filter(move |(behind, _)| *behind == host);
        here.map(|(_, nat)| nat)
    }

    /// Whether a box before it lets anybody in.
    fn is_open_to_all(&self, node: NodeIndex) -> bool {
        let mut nats = self.nats(node);
        nats.any(|nat| nat.filtering == Dependence::Endpoint)
    }

    /// Whether its outside address may change: that of all who live with it does, too.
    fn moves(&self, node: NodeIndex) -> bool {
        let mut mates = self.household(self.host(node)).into_iter();
        mates.any(|mate| self.movers.contains(&mate))
    }
}

impl<'a> Core<'a> {
    /// The core of a plan, of whom some were revoked.
    pub(super) fn new(plan: &'a Plan, revoked: &BTreeSet<NodeIndex>) -> Self {
        let is_out = |node: &NodeIndex| revoked.contains(node);
        let (outcasts, members) = plan.core.iter().copied().partition(is_out);
        Self {
            plan,
            members,
            outcasts,
        }
    }

    /// All that are healed.
    pub(super) fn all(&self) -> Vec<NodeIndex> {
        let all = self.members.iter().chain(&self.outcasts);
        all.copied().collect()
    }

    /// Whether two nodes of the healed core must find a path to each other.
    ///
    /// A relay brings all together. Without it, who is behind a box dials who is in the open, and
    /// has to know where that one is: the owner tells, or it has not moved. Behind two boxes both
    /// have one outside address that they have learnt and that did not change, and one of them lets
    /// anybody in; with stricter boxes it depends on who dials when. A box that lets anybody in and
    /// answers from another address spoils reflection: dials come half through, and stand in the
    /// way of those that would. Behind one box nothing stands between two that both can be told of
    /// each other: each has the other's private address. Elsewhere that address may be a
    /// neighbour's, who answers first, and then the dial has failed.
    pub(super) fn must_meet(&self, one: NodeIndex, two: NodeIndex) -> bool {
        let plan = self.plan;
        let walled = |node| plan.nats(node).any(|nat| nat.udp_blocked);
        let at_home = plan.is_boxed(one) && plan.host(one) == plan.host(two);
        let reaches = |from, to| !self.is_misled(from, to);
        if plan.relay.is_some() {
            return reaches(one, two) || reaches(two, one);
        }
        if walled(one) || walled(two) {
            return false;
        }
        let owner = self.members.contains(&0);
        let found = |node| owner || !plan.movers.contains(&node);
        let one_address = |node| {
            plan.nats(node)
                .all(|nat| nat.mapping == Dependence::Endpoint)
        };
        let lets_in = |node| {
            plan.nats(node)
                .all(|nat| nat.filtering == Dependence::Endpoint)
        };
        let is_half = |node| plan.reflection && !one_address(node) && plan.is_open_to_all(node);
        match (plan.is_boxed(one), plan.is_boxed(two)) {
            (false, false) => true,
            (true, false) => found(two) && !is_half(one),
            (false, true) => found(one) && !is_half(two),
            (true, true) if at_home => !is_half(one),
            (true, true) => {
                let stays = |node| one_address(node) && !plan.moves(node);
                let learnt = plan.reflection && owner && stays(one) && stays(two);
                let comes = |from, to| lets_in(to) && reaches(from, to);
                learnt && (comes(one, two) || comes(two, one))
            }
        }
    }

    /// Whether somebody who lives with a node has the private address of the other, which lives
    /// elsewhere, and can answer.
    fn is_misled(&self, node: NodeIndex, to: NodeIndex) -> bool {
        let (home, there) = (self.plan.host(node), self.plan.host(to));
        if home == there || !self.plan.is_boxed(node) || !self.plan.is_boxed(to) {
            return false;
        }
        let theirs = self.plan.household(there);
        let place = theirs.iter().position(|mate| *mate == to);
        let mine = self.plan.household(home);
        let same = place.and_then(|place| mine.get(place));
        // Nobody takes itself for another.
        same.is_some_and(|other| *other != node && self.plan.core.contains(other))
    }

    /// Whether the sessions of the core are those that there must be, and no others.
    pub(super) fn agrees(&self, mesh: &Mesh) -> bool {
        self.apart(mesh).is_empty() && self.wrongly_met(mesh).is_empty()
    }

    /// Members that have a session with who is none, though they know it, or have a session with
    /// one who does. Whether a member has been told depends on the owner's being there.
    pub(super) fn wrongly_met(&self, mesh: &Mesh) -> Vec<(NodeIndex, NodeIndex)> {
        let active = |one, two| mesh.is_active(one, two);
        let mut wrong = Vec::new();
        for outcast in &self.outcasts {
            let knows = |node: &NodeIndex| mesh.knows_revoked(*node, *outcast);
            let told: Vec<_> = self.members.iter().copied().filter(knows).collect();
            for member in &self.members {
                let is_told =
                    |by: &NodeIndex| by == member || active(*member, *by) && active(*by, *member);
                if (active(*member, *outcast) || active(*outcast, *member))
                    && told.iter().any(is_told)
                {
                    wrong.push((*member, *outcast));
                }
            }
        }
        wrong
    }

    /// Who of the core has no session with whom, and must have; where sessions are bounded, who is
    /// not connected with the first of it.
    pub(super) fn apart(&self, mesh: &Mesh) -> Vec<(NodeIndex, NodeIndex)> {
        let core = &self.members;
        let active = |one, two| mesh.is_active(one, two);
        if self.plan.degree.is_some() {
            let first = core.first().copied().unwrap_or(0);
            let mut found = vec![first];
            let mut at = 0;
            while let Some(one) = found.get(at).copied() {
                let near = core
                    .iter()
                    .filter(|two| active(one, **two) && active(**two, one));
                let news: Vec<_> = near.filter(|two| !found.contains(two)).copied().collect();
                found.extend(news);
                at += 1;
            }
            let must = |node: &&NodeIndex| self.must_meet(first, **node);
            let lost = core.iter().filter(|node| !found.contains(node));
            return lost.filter(must).map(|node| (first, *node)).collect();
        }
        let pairs = core
            .iter()
            .flat_map(|one| core.iter().map(move |two| (*one, *two)));
        pairs
            .filter(|(one, two)| one != two && self.must_meet(*one, *two))
            .filter(|(one, two)| !active(*one, *two))
            .collect()
    }

    /// Whether a node of the core is served: it must be, it must not be, or nobody can say.
    pub(super) fn is_served(&self, mesh: &Mesh, node: NodeIndex) -> Option<bool> {
        let serves = |one: &&NodeIndex| self.plan.engines.contains(one);
        if self.outcasts.contains(&node) {
            // Those who are revoked with it, and members without their owner, need not know.
            let own = self.plan.engines.contains(&node);
            let fellows = self.outcasts.iter();
            let untold = self
                .members
                .iter()
                .filter(|one| mesh.is_active(node, **one));
            let any = fellows.chain(untold).any(|one| serves(&one));
            return if own || !any { Some(own) } else { None };
        }
        let mut lost = self.outcasts.iter().filter(serves);
        if lost.any(|holder| mesh.is_active(node, *holder)) {
            // Nobody has told it.
            return None;
        }
        let mut holders = self.members.iter().filter(serves).peekable();
        if holders.peek().is_none() {
            return Some(false);
        }
        // A bounded neighbourhood may lie around a node that serves nothing.
        let near = |one: &NodeIndex| {
            *one == node || (self.plan.degree.is_none() && self.must_meet(*one, node))
        };
        holders.any(near).then_some(true)
    }
}
