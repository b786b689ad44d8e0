//! The loop: take the earliest event, let one actor take one turn, carry out what it does.

mod births;
mod checking;
mod driving;
mod events;
mod outside;
mod paths;
mod power;
pub(crate) mod reasons;
mod spare;
pub(crate) mod trip;
mod turns;

use crate::checkers::Seen;
use crate::costs::Costs;
use crate::event::{Event, NodeIndex, Occurrence, Time};
use crate::executor::{Executor, Outlet};
use crate::network::Network;
use crate::node::{Mailbox, Node};
use crate::record::Recorder;
use kernel::{
    Action, Effect, Entropy, Exit, How, Incarnation, Mail, Mono, Now, Source, TraceEvent, Turn,
};
use messages::ports::gateway::Command;
use messages::{Address, Digest, Letter, Neighbourhood, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::{swap, take};

/// Everything.
pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) seed: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) trace: Recorder,
    /// Whether simultaneous turns are drawn in any order.
    pub(crate) shuffled: bool,
    /// Exits that were not asked for, in order.
    pub(crate) crashes: Vec<(NodeIndex, Address, Exit)>,
    /// Requests of which text found no room at the gateway.
    pub(crate) text_shed: BTreeSet<(NodeIndex, RequestId)>,
    pub(crate) turns: u64,
    /// Letters that mailboxes let in.
    pub(crate) letters: u64,
    /// Events that were taken.
    pub(crate) happened: u64,
    /// So many nodes have sessions with each other; in a larger mesh not everybody has.
    pub(crate) full_max: usize,
    /// How long turns, births and loads take.
    pub(crate) costs: Costs,
    /// Draws how long turns and births take.
    toil: Entropy,
    /// Draws what a power cut leaves of a write.
    pub(crate) wreck: Entropy,
    pub(crate) trips: trip::Trips,
    /// Why jobs are refused and sessions end, where somebody wants to know.
    pub(crate) reasons: Option<reasons::Reasons>,
    /// What changed in this step, where checkers look on.
    pub(crate) changed: checking::Changed,
    /// The rounds of busy nodes: in a tenth of each they run.
    pub(crate) busy: BTreeMap<NodeIndex, Time>,
    events: events::Events,
    spare: spare::Spare,
    schedule: Entropy,
    make_executor: Box<dyn Fn() -> Box<dyn Executor>>,
    /// Where the actors of the next boot are, if not in this world.
    pub(crate) outlet: Option<Box<dyn Outlet>>,
    /// Bugs that the checkers are to catch.
    #[cfg(test)]
    pub(crate) plants: crate::checkers::tests::plant::Plants,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        network: Network,
        nodes: Vec<Node>,
        shuffled: bool,
        make_executor: Box<dyn Fn() -> Box<dyn Executor>>,
    ) -> Self {
        Self {
            time: 0,
            seed,
            nodes,
            network,
            trace: Recorder::new(),
            shuffled,
            crashes: Vec::new(),
            text_shed: BTreeSet::new(),
            turns: 0,
            letters: 0,
            happened: 0,
            full_max: Neighbourhood::DEFAULT.seek() + 1,
            costs: Costs::NONE,
            toil: stream(seed, "costs"),
            trips: trip::Trips::default(),
            reasons: None,
            changed: checking::Changed::default(),
            busy: BTreeMap::new(),
            wreck: stream(seed, "wrecks"),
            events: events::Events::default(),
            spare: spare::Spare::default(),
            schedule: Entropy::from_number(!seed),
            make_executor,
            outlet: None,
            #[cfg(test)]
            plants: Default::default(),
        }
    }

    pub(crate) fn executor(&self) -> Box<dyn Executor> {
        (self.make_executor)()
    }

    /// Takes the next event, unless it lies after `until`.
    pub(crate) fn step(&mut self, until: Time) -> bool {
        if self.events.next_at().is_none_or(|at| at > until) {
            self.time = self.time.max(until);
            return false;
        }
        let Some(event) = self.events.pop() else {
            return false;
        };
        self.time = self.time.max(event.at);
        self.happened += 1;
        self.trace.time = self.time;
        let Some(node) = self.nodes.get_mut(event.node) else {
            return true;
        };
        if node
            .boot
            .as_ref()
            .is_none_or(|boot| boot.number != event.boot)
        {
            return true;
        }
        if let Some(missed) = &mut node.frozen {
            missed.push(event);
            return true;
        }
        let node = event.node;
        self.happen(event);
        self.check(node);
        true
    }

    /// Puts an occurrence on a node's agenda.
    pub(crate) fn schedule(&mut self, at: Time, node: NodeIndex, what: Occurrence) {
        let Some(place) = self.nodes.get(node) else {
            return;
        };
        let Some(boot) = place.boot.as_ref().map(|boot| boot.number) else {
            return;
        };
        // What the outside begins on a machine that sleeps has all of its time left.
        let asleep = place.clock.asleep_since();
        let at = asleep.map_or(at, |since| since + at.saturating_sub(self.time));
        let drawn = self.shuffled && matches!(what, Occurrence::Turn(..));
        let tie = if drawn { self.schedule.number() } else { 0 };
        let event = Event {
            at,
            tie,
            node,
            boot,
            what,
        };
        self.events.push(self.time, event);
    }

    /// Puts back what a frozen node has missed. Tells how long its clock stood still.
    pub(crate) fn thaw(&mut self, node: NodeIndex) -> Time {
        let place = &mut self.nodes[node];
        let missed = place.frozen.take().unwrap_or_default();
        let (slept, since) = (place.clock.resume(self.time), place.clock.slept_at());
        self.network.silence(self.time, node, false);
        for event in missed {
            let left = match slept {
                0 => 0,
                _ => event.left(since),
            };
            self.schedule(self.time + left, node, event.what);
        }
        slept
    }

    /// Carries out effects in the name of `from`.
    pub(crate) fn apply(&mut self, node: NodeIndex, from: Source, mut effects: Vec<Effect>) {
        let mut actions = take(&mut self.spare.actions);
        if let Some(boot) = &mut self.nodes[node].boot {
            if let Some(outlet) = &mut boot.outlet {
                return outlet.apply(from, effects);
            }
            boot.switchboard.apply(from, &mut effects, &mut actions);
        }
        effects.clear();
        self.spare.effects = effects;
        self.act(node, actions);
    }

    /// Carries out one effect in the name of `from`.
    pub(crate) fn apply_one(&mut self, node: NodeIndex, from: Source, effect: Effect) {
        let mut effects = take(&mut self.spare.effects);
        effects.push(effect);
        self.apply(node, from, effects);
    }

    /// Sends a letter from outside.
    pub(crate) fn tell(&mut self, node: NodeIndex, letter: Letter) {
        self.apply_one(node, Source::World, Effect::Tell(letter));
    }

    /// A life ended without being asked to.
    pub(crate) fn exited(&mut self, node: NodeIndex, who: Address, life: Incarnation, exit: Exit) {
        let now = self.now(node);
        self.trace.add(
            now,
            index_of(node),
            who,
            life,
            &TraceEvent::Exit(exit.clone()),
        );
        if exit.is_abnormal() {
            self.crashes.push((node, who, exit.clone()));
        }
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        if let Some(outlet) = &mut boot.outlet {
            return outlet.leaf_down(who);
        }
        boot.mailboxes.remove(&who);
        let mut actions = Vec::new();
        let leaves = if who == Address::Transport {
            boot.drivers.transport.stream_addresses()
        } else {
            Vec::new()
        };
        boot.switchboard.exited(now, who, life, exit, &mut actions);
        for leaf in leaves {
            if let Some(life) = boot.switchboard.live(leaf) {
                let gone = Seen::Leaf(leaf, false);
                self.trace.show(node, now, &gone);
                boot.mailboxes.remove(&leaf);
                boot.switchboard
                    .exited(now, leaf, life, Exit::Normal, &mut actions);
            }
        }
        self.act(node, actions);
    }

    /// Both clocks of a node.
    pub(crate) fn now(&self, node: NodeIndex) -> Now {
        let place = &self.nodes[node];
        let started = place.boot.as_ref().map_or(0, |boot| boot.started);
        Now {
            mono: Mono(place.clock.ticks(self.time).saturating_sub(started)),
            wall: place.clock.wall(self.time),
        }
    }

    /// A stream of chance of its own.
    pub(crate) fn stream(&self, name: &str) -> Entropy {
        stream(self.seed, name)
    }

    fn happen(&mut self, event: Event) {
        let node = event.node;
        match event.what {
            Occurrence::Turn(who, life) => self.turn(node, who, life),
            Occurrence::Wake(who, life, at) => self.wake(node, who, life, at),
            Occurrence::Restarts => {
                let now = self.now(node);
                let mut actions = Vec::new();
                if let Some(boot) = &mut self.nodes[node].boot {
                    boot.switchboard.on_deadline(now, &mut actions);
                }
                self.act(node, actions);
            }
            Occurrence::Birth(child, life) => self.born(node, &child, life),
            driven @ (Occurrence::Arrive(_)
            | Occurrence::DialTimeout(_)
            | Occurrence::Read(_)
            | Occurrence::IdleCheck(_)
            | Occurrence::Decided(_)
            | Occurrence::StallCheck(_)
            | Occurrence::Window(_)
            | Occurrence::Resend(_)
            | Occurrence::Punch(_)
            | Occurrence::Engine(..)
            | Occurrence::Disk(_)
            | Occurrence::Reads(_)) => self.drive(node, driven),
        }
    }

    /// A life that was to end after what it had is over when it has nothing more.
    fn drained(&mut self, node: NodeIndex, who: Address, life: Incarnation) {
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        let mailbox = boot.mailboxes.get(&who);
        if mailbox.is_some_and(|mailbox| mailbox.life == life && mailbox.draining) {
            boot.executor.halt(who, life);
            self.exited(node, who, life, Exit::Stopped);
        }
    }

    fn machine_turn(&mut self, node: NodeIndex, who: Address, life: Incarnation, turn: Turn) {
        let now = self.now(node);
        self.turns += 1;
        self.hear_turn(node, &turn);
        self.trace.add_turn(now, index_of(node), who, life, &turn);
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        let outcome = boot.executor.turn(who, life, now, turn);
        if let Some(exit) = outcome.exit {
            return self.exited(node, who, life, exit);
        }
        let deadline = outcome.deadline.map(|deadline| deadline.at);
        self.arm_for(node, (who, life), deadline, now.mono);
        let effects = outcome.effects;
        #[cfg(test)]
        let effects = self.tampered_effects(node, who, effects);
        if !effects.is_empty() {
            let effects = TraceEvent::Effects(effects);
            self.trace.add(now, index_of(node), who, life, &effects);
            if let TraceEvent::Effects(effects) = effects {
                self.apply_turn(node, (who, life), effects);
            }
        }
    }

    fn act(&mut self, node: NodeIndex, mut actions: Vec<Action>) {
        let mut more = take(&mut self.spare.more);
        while !actions.is_empty() {
            for action in actions.drain(..) {
                self.act_once(node, action, &mut more);
            }
            swap(&mut actions, &mut more);
        }
        (self.spare.actions, self.spare.more) = (actions, more);
        let Some(boot) = &self.nodes[node].boot else {
            return;
        };
        if let Some(deadline) = boot.switchboard.deadline() {
            let at = self.nodes[node].time_of(deadline.at).max(self.time);
            self.schedule(at, node, Occurrence::Restarts);
        }
    }

    fn act_once(&mut self, node: NodeIndex, action: Action, more: &mut Vec<Action>) {
        let now = self.now(node);
        if let Action::Deliver { to, .. } = &action {
            self.mailbox_changes(node, *to);
        }
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        match action {
            Action::Deliver {
                to,
                life,
                from,
                mail,
            } => {
                let mailbox = boot
                    .mailboxes
                    .get_or_insert_with(to, || Mailbox::new(to, life));
                if mailbox.life != life {
                    *mailbox = Mailbox::new(to, life);
                }
                let letters = u64::from(matches!(mail, Mail::Letter(_)));
                match mailbox.enter(from, mail) {
                    Ok(()) => {
                        self.letters += letters;
                        self.schedule_turn(node, to, life);
                    }
                    Err(letter) => {
                        if let Letter::Gateway(Command::Delta { request, .. }) = &*letter {
                            self.text_shed.insert((node, *request));
                        }
                        let event = TraceEvent::Shed(letter.clone());
                        self.trace.add(now, index_of(node), to, life, &event);
                        boot.switchboard.refused(from, *letter, more);
                    }
                }
            }
            Action::Spawn { child, life } => self.conceive(node, child, life, more),
            // It is not there yet: the switchboard hears of its birth, and halts it then.
            Action::Halt { who, life, .. } if boot.unborn.contains(&(who, life)) => {}
            Action::Halt { who, life, how } => {
                let mailbox = boot
                    .mailboxes
                    .get_mut(&who)
                    .filter(|mailbox| mailbox.life == life);
                if let Some(mailbox) = mailbox
                    && how == How::Drain
                    && !mailbox.mail.is_empty()
                {
                    mailbox.draining = true;
                    return;
                }
                let exit = Exit::Stopped;
                self.trace.add(
                    now,
                    index_of(node),
                    who,
                    life,
                    &TraceEvent::Exit(exit.clone()),
                );
                boot.executor.halt(who, life);
                boot.mailboxes.remove(&who);
                boot.switchboard.exited(now, who, life, exit, more);
            }
            Action::Parked { to, letter } => {
                let event = TraceEvent::Park(Box::new(letter));
                self.trace
                    .add(now, index_of(node), to, Incarnation::default(), &event);
            }
        }
    }
}

/// A stream of chance of the world itself, apart from all others.
fn stream(seed: u64, name: &str) -> Entropy {
    let seed = Digest::of("simulated world", &[name.as_bytes(), &seed.to_le_bytes()]);
    Entropy::from_seed(seed.0)
}

/// A node's place, as the trace writes it.
pub(crate) fn index_of(node: NodeIndex) -> u32 {
    u32::try_from(node).unwrap_or(u32::MAX)
}
