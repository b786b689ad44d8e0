//! Restart budgets are respected, no actor is silently gone, and none crashes unless a test wants
//! it so.

use super::dues::Dues;
use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::world::World;
use kernel::{Effect, Exit, Incarnation, TraceEvent};
use messages::{Address, Micros, Mono};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Failures in a row until a child is left alone for a minute.
const FAILURES_MAX: u32 = 14;
/// A life of this length wipes them out.
const HEALTHY: Micros = Micros::from_secs(5);
/// The waits: 10 ms, then twice as long each time, at most 2 s; a minute once all are spent.
const WAIT_FIRST: Micros = Micros::from_millis(10);
const WAIT_MAX: Micros = Micros::from_secs(2);
const WAIT_SPENT: Micros = Micros::from_secs(60);
/// From the end of its wait to a child's new life: what a birth may cost, on a clock that drifts.
const BIRTH_US: Time = 10_000_000;
/// How often the actors of a node are counted.
const COUNT_US: Time = 1_000_000;

/// See the module.
pub(super) struct Supervision {
    children: BTreeMap<(NodeIndex, Address), Child>,
    /// Who is to be there again, and when at the latest.
    due: Dues<Address>,
    planned: BTreeSet<(NodeIndex, Address)>,
    counted: BTreeMap<NodeIndex, Time>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            children: BTreeMap::new(),
            due: Dues::new(BIRTH_US),
            planned: BTreeSet::new(),
            counted: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default)]
struct Child {
    life: Incarnation,
    alive: bool,
    failures: u32,
    /// When its life began, or was to begin after its last failure.
    begun: Option<Mono>,
    /// Not to be started before.
    not_before: Mono,
    /// Not to be started again at all.
    stopped: bool,
}

impl Checker for Supervision {
    fn name(&self) -> &'static str {
        "supervision"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, found: &mut Findings<'_>) {
        match seen {
            Seen::Turn(who, life, event) => match event {
                TraceEvent::Start => self.started(at, *who, *life, found),
                TraceEvent::Exit(exit) => self.ended(at, *who, exit, found),
                TraceEvent::Effects(effects) => {
                    for effect in effects {
                        self.done(at, effect);
                    }
                }
                TraceEvent::Letter(_)
                | TraceEvent::Signal(_)
                | TraceEvent::Deadline
                | TraceEvent::Park(_)
                | TraceEvent::Shed(_) => {}
            },
            Seen::Does(_, effect) => self.done(at, effect),
            Seen::Planned(who) => {
                self.planned.insert((at.node, *who));
            }
            Seen::Dies => {
                self.children.retain(|(node, _), _| *node != at.node);
                self.due.dies(at.node);
                self.planned.retain(|(node, _)| *node != at.node);
            }
            Seen::Thaws(slept) => self.due.thaws(at.time, at.node, *slept),
            Seen::Takes(..)
            | Seen::Leaf(..)
            | Seen::Asked(_)
            | Seen::HungUp(_)
            | Seen::Reads(_)
            | Seen::Boots
            | Seen::Spoiled
            | Seen::Moved
            | Seen::Disturbed => {}
        }
    }

    fn after(&mut self, world: &World, node: NodeIndex, found: &mut Findings<'_>) {
        while let Some((node, who)) = self.due.over(world) {
            found.say(node, format!("{who} ended and was not started again"));
        }
        let counted = self.counted.entry(node).or_default();
        if world.time >= *counted + COUNT_US {
            *counted = world.time;
            self.count(world, node, found);
        }
    }
}

impl Supervision {
    fn started(&mut self, at: &Sight, who: Address, life: Incarnation, found: &mut Findings<'_>) {
        let child = self.children.entry((at.node, who)).or_default();
        if child.alive {
            found.say(at.node, format!("{who} was started while it lived"));
        } else if at.now.mono < child.not_before && !child.stopped {
            let (early, failures) = (child.not_before.since(at.now.mono).0, child.failures);
            let what = format!("{who} was started {early} µs early after failure {failures}");
            found.say(at.node, what);
        }
        if child.stopped {
            // Another child at the same address.
            *child = Child::default();
        }
        child.life = life;
        child.alive = true;
        self.due.remove(at.node, who);
    }

    fn ended(&mut self, at: &Sight, who: Address, exit: &Exit, found: &mut Findings<'_>) {
        let planned = self.planned.remove(&(at.node, who));
        if exit.is_abnormal() && !planned {
            found.say(at.node, format!("{who} {exit}, which nobody had planned"));
        }
        let Some(child) = self.children.get_mut(&(at.node, who)) else {
            return;
        };
        child.alive = false;
        if child.stopped || !comes_again(who, exit) {
            child.stopped = true;
            return;
        }
        let lived = child.begun.map(|begun| at.now.mono.since(begun));
        let could_start = !matches!(exit, Exit::StartFailed(_));
        if could_start && lived.is_none_or(|lived| lived >= HEALTHY) {
            child.failures = 0;
        }
        child.failures += 1;
        let wait = match child.failures {
            FAILURES_MAX => WAIT_SPENT,
            failures => WAIT_FIRST.times(1 << (failures - 1)).min(WAIT_MAX),
        };
        child.failures %= FAILURES_MAX;
        child.not_before = at.now.mono + wait;
        child.begun = Some(child.not_before);
        let due = at.time + wait.0 + wait.0 / 100 + BIRTH_US;
        self.due.set(due, at.node, who);
    }

    fn done(&mut self, at: &Sight, effect: &Effect) {
        if let Effect::Stop(who, _) = effect
            && let Some(child) = self.children.get_mut(&(at.node, *who))
        {
            child.stopped = true;
            self.due.remove(at.node, *who);
        }
    }

    /// Whoever lives has a mailbox, and the switchboard's tables agree with each other.
    fn count(&self, world: &World, node: NodeIndex, found: &mut Findings<'_>) {
        let Some(boot) = world.nodes.get(node).and_then(|node| node.boot.as_ref()) else {
            return;
        };
        let first = (node, Address::Store);
        let of_node = self
            .children
            .range(first..)
            .take_while(|((of, _), _)| *of == node);
        for ((_, who), child) in of_node {
            let mailbox = boot.mailboxes.get(who);
            if child.alive && mailbox.is_none_or(|mailbox| mailbox.life != child.life) {
                found.say(node, format!("{who} is gone, and nobody was told"));
            }
        }
        let checked = catch_unwind(AssertUnwindSafe(|| boot.switchboard.invariants()));
        if checked.is_err() {
            found.say(node, "the switchboard's tables contradict each other");
        }
    }
}

/// Whether its supervisor starts it again.
const fn comes_again(who: Address, exit: &Exit) -> bool {
    match who {
        Address::Proxy(_) | Address::Stream(_) => false,
        Address::Session(..) => exit.is_abnormal(),
        Address::Store
        | Address::Transport
        | Address::Engine(_)
        | Address::Worker(_)
        | Address::Roster(_)
        | Address::GossipStore(_)
        | Address::Router
        | Address::Gateway
        | Address::Control
        | Address::Observer => true,
    }
}
