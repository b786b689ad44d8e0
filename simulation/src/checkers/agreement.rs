//! After the last fault and a stated time all sides agree: a session that is active here is active
//! there, whoever can reach each other is connected, and all know as many members.

use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::world::World;
use kernel::{Effect, TraceEvent};
use messages::observer::{Fact, Input as Observed};
use messages::ports::transport::Command;
use messages::roster::Input as Roster;
use messages::wire::latest::ControlFrame;
use messages::{Address, Letter, NetworkId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// From the last fault, or the last restart of an actor, to agreement: a peer that was long away is
/// dialled each half a minute, and the first dial may meet one that has not yet noticed.
pub(super) const CALM_US: Time = 60_000_000;
/// What disagrees twice, this far apart, disagrees.
const AGAIN_US: Time = 5_000_000;
/// From one look to the next, as long as all is calm.
const LOOK_US: Time = 60_000_000;
/// In larger meshes not everybody has a session with everybody.
const FULL_MESH_MAX: usize = 64;

/// See the module.
#[derive(Default)]
pub(super) struct Agreement {
    /// The last fault.
    disturbed: Time,
    /// The next look.
    look: Option<Time>,
    active: BTreeSet<(NodeIndex, NodeId)>,
    members: BTreeMap<(NodeIndex, NetworkId), u32>,
    /// Who was told for good that it is no member.
    outcast: BTreeSet<NodeId>,
    /// What disagreed at the last look.
    suspected: BTreeSet<(NodeIndex, String)>,
}

impl Checker for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, _found: &mut Findings<'_>) {
        match seen {
            Seen::Turn(Address::Session(_, peer), _, TraceEvent::Exit(_)) => {
                self.active.remove(&(at.node, *peer));
            }
            // Sessions come and go by themselves; whoever else begins anew has much to hear.
            Seen::Turn(who, _, TraceEvent::Start) if !comes_and_goes(*who) => self.disturb(at.time),
            Seen::Turn(who, _, TraceEvent::Effects(effects)) => {
                for effect in effects {
                    if let Effect::Tell(letter) = effect {
                        self.told(at, *who, letter);
                    }
                }
            }
            Seen::Dies => {
                self.active.retain(|(node, _)| *node != at.node);
                self.members.retain(|(node, _), _| *node != at.node);
                self.disturb(at.time);
            }
            Seen::Planned(_) | Seen::Boots | Seen::Disturbed => self.disturb(at.time),
            Seen::Turn(..)
            | Seen::Takes(..)
            | Seen::Does(..)
            | Seen::Leaf(..)
            | Seen::Asked(_)
            | Seen::HungUp(_)
            | Seen::Reads(_) => {}
        }
    }

    fn after(&mut self, world: &World, _node: NodeIndex, found: &mut Findings<'_>) {
        let look = *self.look.get_or_insert(self.disturbed + CALM_US);
        if world.time < look {
            return;
        }
        let now: BTreeSet<_> = self.differences(world, found).into_iter().collect();
        for (node, what) in now.intersection(&self.suspected) {
            let calm = (world.time - self.disturbed) / 1_000_000;
            found.say(*node, format!("{what}, {calm} s after the last fault"));
        }
        let pause = if now.is_empty() { LOOK_US } else { AGAIN_US };
        self.look = Some(world.time + pause);
        self.suspected = now;
    }
}

impl Agreement {
    fn disturb(&mut self, time: Time) {
        self.disturbed = time;
        self.look = None;
        self.suspected.clear();
    }

    fn told(&mut self, at: &Sight, who: Address, letter: &Letter) {
        match letter {
            Letter::Roster(_, Roster::Active { peer }) => {
                self.active.insert((at.node, *peer));
                self.outcast.remove(peer);
            }
            Letter::Roster(_, Roster::Ended { peer, .. }) => {
                self.active.remove(&(at.node, *peer));
            }
            Letter::Observer(Observed::Fact(_, fact)) => {
                if let (Address::Roster(network), Fact::Network(fact)) = (who, fact.as_ref()) {
                    self.members.insert((at.node, network), fact.members);
                }
            }
            Letter::Transport(Command::Send { frame, .. }) => {
                if let (Address::Session(_, peer), ControlFrame::Deny(why)) = (who, frame.as_ref())
                    && why.is_final()
                {
                    self.outcast.insert(peer);
                }
            }
            Letter::Roster(..)
            | Letter::Session(..)
            | Letter::Router(_)
            | Letter::Proxy(..)
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::Transport(_)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }

    fn differences(&self, world: &World, found: &Findings<'_>) -> Vec<(NodeIndex, String)> {
        let up = |node: &&crate::node::Node| node.boot.is_some() && node.frozen.is_none();
        let up: Vec<_> = world.nodes.iter().filter(up).collect();
        let belongs = |id: &NodeId| !self.outcast.contains(id);
        let full = up.len() <= FULL_MESH_MAX;
        let mut wrong = Vec::new();
        for (at, one) in up.iter().enumerate() {
            for two in &up[at + 1..] {
                let here = self.active.contains(&(one.index, two.me));
                let there = self.active.contains(&(two.index, one.me));
                let name = found.name(two.me);
                if !world.network.is_open(world.time, one.index, two.index) {
                    continue;
                }
                if here != there {
                    let side = if here { "here" } else { "there" };
                    let what = format!("its session with {name} is active only {side}");
                    wrong.push((one.index, what));
                } else if !here
                    && full
                    && belongs(&one.me)
                    && belongs(&two.me)
                    && !world.network.is_boxed(one.index)
                    && !world.network.is_boxed(two.index)
                {
                    let what = format!("{name} can be reached, and there is no session with it");
                    wrong.push((one.index, what));
                }
            }
        }
        wrong.extend(self.counts(world, &belongs));
        wrong
    }

    /// Nodes that know fewer members than those they could have heard of them from.
    fn counts(&self, world: &World, belongs: &dyn Fn(&NodeId) -> bool) -> Vec<(NodeIndex, String)> {
        let known = |node: NodeIndex, network| self.members.get(&(node, network)).copied();
        let mut wrong = Vec::new();
        for ((node, network), members) in &self.members {
            let sessions = self.active.range((*node, NodeId([0; 32]))..);
            let peers = sessions.take_while(|(of, _)| of == node);
            let peers = peers.filter_map(|(_, peer)| {
                let place = world.nodes.iter().find(|other| other.me == *peer)?;
                Some((place.index, known(place.index, *network)?))
            });
            let most = peers.max_by_key(|(_, members)| *members);
            if let Some((peer, most)) = most
                && most > *members
                && belongs(&world.nodes[*node].me)
                && world.nodes[*node].frozen.is_none()
            {
                let what = format!("it knows {members} members, and node {peer} knows {most}");
                wrong.push((*node, what));
            }
        }
        wrong
    }
}

const fn comes_and_goes(who: Address) -> bool {
    matches!(
        who,
        Address::Session(..) | Address::Proxy(_) | Address::Stream(_)
    )
}
