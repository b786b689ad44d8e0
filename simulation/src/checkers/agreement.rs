//! After the last fault and a stated time all sides agree: a session that is active here is active
//! there, whoever can reach and knows each other is connected, and whoever is here is known to all
//! that could be told. Of peers that went away nobody is told, and needs to be.

mod connected;

use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::node::Node;
use crate::world::World;
use kernel::{Effect, TraceEvent};
use messages::observer::{Fact, Input as Observed};
use messages::ports::transport::Command;
use messages::roster::Input as Roster;
use messages::wire::latest::ControlFrame;
use messages::{Address, Letter, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// From the last fault, or the last restart of an actor, to agreement: a peer that was long away is
/// dialled each half a minute, and the first dial may meet one that has not yet noticed.
pub(super) const CALM_US: Time = 60_000_000;
/// What disagrees twice, this far apart, disagrees.
const AGAIN_US: Time = 5_000_000;
/// From one look to the next, as long as all is calm.
const LOOK_US: Time = 60_000_000;
/// A session of this length is remembered: the roster asks for 10 s, and its disk takes a while.
const REMEMBERED_US: Time = 15_000_000;
/// How long a session may live on over a link that carries nothing: the link's idle time, and a
/// second.
const DEAD_US: Time = 11_000_000;

/// See the module.
#[derive(Default)]
pub(super) struct Agreement {
    /// The last fault.
    disturbed: Time,
    /// The next look.
    look: Option<Time>,
    /// Sessions, and since when.
    active: BTreeMap<(NodeIndex, NodeId), Time>,
    /// Whom a node remembers, be it across a restart.
    met: BTreeSet<(NodeIndex, NodeId)>,
    /// How many members a node knows.
    members: BTreeMap<NodeIndex, u32>,
    /// Who is not where the tickets say.
    moved: BTreeSet<NodeIndex>,
    /// Who was told for good that it is no member.
    outcast: BTreeSet<(NodeIndex, NodeId)>,
    /// What disagreed at the last look.
    suspected: BTreeSet<(NodeIndex, String)>,
}

impl Checker for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, found: &mut Findings<'_>) {
        match seen {
            Seen::Turn(Address::Session(_, peer), _, TraceEvent::Exit(_)) => {
                self.parted(at, *peer);
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
                let peers: Vec<_> = self.peers(at.node).collect();
                for peer in peers {
                    self.parted(at, peer);
                }
                self.members.remove(&at.node);
                self.disturb(at.time);
            }
            Seen::Spoiled => {
                self.met.retain(|(node, _)| *node != at.node);
                self.disturb(at.time);
            }
            Seen::Moved => self.moved(at, found.id(at.node)),
            Seen::Planned(_) | Seen::Boots | Seen::Thaws(_) | Seen::Disturbed => {
                self.disturb(at.time);
            }
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

    /// The peers of a node's sessions.
    fn peers(&self, node: NodeIndex) -> impl Iterator<Item = NodeId> {
        let from = (node, NodeId([0; 32]));
        let sessions = self.active.range(from..).map(|(session, _)| *session);
        sessions
            .take_while(move |(of, _)| *of == node)
            .map(|(_, peer)| peer)
    }

    fn is_active(&self, node: NodeIndex, peer: NodeId) -> bool {
        self.active.contains_key(&(node, peer))
    }

    fn parted(&mut self, at: &Sight, peer: NodeId) {
        let since = self.active.remove(&(at.node, peer));
        if since.is_some_and(|since| at.time >= since + REMEMBERED_US) {
            self.met.insert((at.node, peer));
        }
    }

    /// Where others remember it, it is not any more; a session may be active and dead until its
    /// link has been idle for long enough.
    fn moved(&mut self, at: &Sight, me: Option<NodeId>) {
        self.disturb(at.time);
        self.moved.insert(at.node);
        self.met.retain(|(_, peer)| Some(*peer) != me);
        for ((_, peer), since) in &mut self.active {
            if Some(*peer) == me {
                *since = at.time + DEAD_US;
            }
        }
    }

    fn told(&mut self, at: &Sight, who: Address, letter: &Letter) {
        match letter {
            Letter::Roster(_, Roster::Active { peer }) => {
                self.active.insert((at.node, *peer), at.time);
                self.outcast.remove(&(at.node, *peer));
            }
            Letter::Roster(_, Roster::Ended { peer, .. }) => {
                self.parted(at, *peer);
            }
            Letter::Observer(Observed::Fact(_, fact)) => {
                if let (Address::Roster(_), Fact::Network(fact)) = (who, fact.as_ref()) {
                    self.members.insert(at.node, fact.members);
                }
            }
            Letter::Transport(Command::Send { frame, .. }) => {
                if let (Address::Session(_, peer), ControlFrame::Deny(why)) = (who, frame.as_ref())
                    && why.is_final()
                {
                    self.outcast.insert((at.node, peer));
                }
            }
            Letter::Roster(..)
            | Letter::GossipStore(..)
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
        let up = |node: &&Node| node.boot.is_some() && node.frozen.is_none();
        let up: Vec<_> = world.nodes.iter().filter(up).collect();
        let mut wrong = Vec::new();
        for (at, one) in up.iter().enumerate() {
            for two in &up[at + 1..] {
                let here = self.is_active(one.index, two.me);
                let there = self.is_active(two.index, one.me);
                let name = found.name(two.me);
                if !world.network.is_open(world.time, one.index, two.index) {
                    continue;
                }
                if here != there {
                    let side = if here { "here" } else { "there" };
                    let what = format!("its session with {name} is active only {side}");
                    wrong.push((one.index, what));
                }
            }
            wrong.extend(self.unknown(one, &up));
        }
        wrong.extend(self.apart(world, &up, found));
        wrong
    }

    /// Whether nobody has turned it away for good, and not admitted it since.
    fn belongs(&self, id: NodeId) -> bool {
        !self.outcast.iter().any(|(_, outcast)| *outcast == id)
    }

    /// A node that knows fewer members than a peer of it has sessions with.
    fn unknown(&self, node: &Node, up: &[&Node]) -> Option<(NodeIndex, String)> {
        let belongs = |id: &NodeId| self.belongs(*id);
        let peers = self.peers(node.index).filter(&belongs);
        let peers = peers.filter_map(|id| up.iter().find(|other| other.me == id));
        let peers = peers.filter(|peer| self.is_active(peer.index, node.me));
        let known = self
            .members
            .get(&node.index)
            .filter(|_| belongs(&node.me))?;
        let known = usize::try_from(*known).unwrap_or(usize::MAX);
        let here = |peer: &&Node| 1 + self.peers(peer.index).filter(belongs).count();
        let most = peers.map(|peer| (here(peer), peer.index)).max()?;
        let (here, peer) = most;
        (known < here).then(|| {
            let what = format!(
                "it knows {known} members, and node {peer} has {} peers",
                here - 1
            );
            (node.index, what)
        })
    }
}

const fn comes_and_goes(who: Address) -> bool {
    matches!(
        who,
        Address::Session(..) | Address::Proxy(_) | Address::Stream(_)
    )
}
