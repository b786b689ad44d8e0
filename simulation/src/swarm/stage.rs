//! A mesh to which acts happen.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each takes the acts of its kind, and passes the others on"
)]

use super::act::Act;
use super::faults::Fault;
use super::judge::Asked;
use super::plan::{Plan, section};
use crate::event::NodeIndex;
use crate::{About, Ask, EngineFault, Mesh, secs};
use kernel::Entropy;
use messages::{Address, Micros};
use std::collections::BTreeSet;

/// Letters that wait on a busy node: more than a quiet one ever has.
const BUSY: usize = 12;
/// How long a busy moment is waited for.
const BUSY_WAIT: Micros = secs(1);

/// A mesh, its clients, and what has happened so far.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) mesh: Mesh,
    /// Draws the tails of rough paths.
    pub(super) tails: Entropy,
    asked: Vec<(u64, Asked)>,
    /// What has happened, in order. It outlives a panic of the world.
    acts: &'a mut Vec<Act>,
    /// Whose tickets were withdrawn.
    revoked: BTreeSet<NodeIndex>,
    /// Faults that found somebody to strike.
    pub(super) struck: BTreeSet<Fault>,
    /// The acts with their times, for people; time that passes and requests are left out.
    pub(super) journal: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(plan: &'a Plan, acts: &'a mut Vec<Act>) -> Self {
        Self {
            plan,
            mesh: plan.mesh(),
            tails: section(plan.seed, "tails"),
            asked: Vec::new(),
            acts,
            revoked: BTreeSet::new(),
            struck: BTreeSet::new(),
            journal: Vec::new(),
        }
    }

    /// The requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.iter().map(|(_, asked)| *asked).collect()
    }

    /// A request that runs.
    pub(super) fn running(&self, id: u64) -> Option<Asked> {
        let (_, asked) = self.asked.iter().find(|(of, _)| *of == id)?;
        asked.is_running(&self.mesh).then_some(*asked)
    }

    /// Whether many letters wait on a node.
    pub(super) fn is_busy(&self, node: NodeIndex) -> bool {
        self.mesh.waiting(node) >= BUSY
    }

    /// Who of the mesh is no member any more.
    pub(super) const fn revoked(&self) -> &BTreeSet<NodeIndex> {
        &self.revoked
    }

    /// Does it, and writes it down. Tells whether it found whom it was meant for.
    pub(super) fn act(&mut self, act: Act) -> bool {
        if !matches!(act, Act::Wait { .. } | Act::Ask { .. }) {
            self.journal
                .push(format!("{} µs: {act:?}", self.mesh.time()));
        }
        self.acts.push(act.clone());
        match act {
            Act::Ask {
                id,
                node,
                seed,
                tokens,
                bytes_per_sec,
                within_us,
            } => {
                let patience = within_us.map(Micros);
                self.ask(id, node, (seed, tokens), (bytes_per_sec, patience))
            }
            Act::Forge { id, how } => self.running(id).is_some_and(|asked| {
                let text = (asked.seed, asked.tokens);
                self.mesh.forge(asked.client, text, how)
            }),
            Act::HangUp { id } => {
                let asked = self.running(id);
                asked.map(|asked| self.mesh.hang_up(asked.client)).is_some()
            }
            Act::Revoke { node } => self.revoke(node),
            Act::Publish {
                node,
                gated,
                id,
                value,
            } => {
                let about = match gated {
                    true => About::Prompt,
                    false => About::Session,
                };
                let (is_up, value) = (self.mesh.is_up(node), value.to_string());
                self.mesh.publish(node, about, [id], Some(&value));
                is_up
            }
            act => self.strike_node(act),
        }
    }

    /// A human of the owner's does it, who sees whether the owner's node runs.
    fn revoke(&mut self, node: NodeIndex) -> bool {
        let able = node != 0 && self.mesh.is_up(0);
        if able {
            self.mesh.revoke(node);
            match self.plan.one_ticket {
                true => self.revoked.extend(1..self.plan.nodes),
                false => drop(self.revoked.insert(node)),
            }
        }
        able
    }

    fn ask(
        &mut self,
        id: u64,
        node: NodeIndex,
        text: (u64, u32),
        (pace, patience): (Option<u64>, Option<Micros>),
    ) -> bool {
        let is_up = self.mesh.is_up(node);
        if is_up {
            let ask = Ask::new(text.0).max_tokens(text.1);
            let ask = match patience {
                Some(patience) => ask.within(patience),
                None => ask,
            };
            let client = self.mesh.ask(node, ask);
            if pace.is_some() {
                self.mesh.slow_reader(client, pace);
            }
            let asked = Asked::new(&self.mesh, client, text);
            self.asked.push((id, asked));
        }
        is_up
    }

    /// What befalls one node.
    fn strike_node(&mut self, act: Act) -> bool {
        let mesh = &mut self.mesh;
        let on = |mesh: &mut Mesh, node: NodeIndex, act: &dyn Fn(&mut Mesh, NodeIndex)| {
            let is_up = mesh.is_up(node);
            act(mesh, node);
            is_up
        };
        match act {
            Act::Kill { node } => on(mesh, node, &Mesh::kill),
            Act::Close { node } => on(mesh, node, &Mesh::close),
            Act::Freeze { node } => on(mesh, node, &Mesh::freeze),
            Act::Suspend { node } => on(mesh, node, &Mesh::suspend),
            Act::Thaw { node } => on(mesh, node, &Mesh::thaw),
            Act::Start { node } => !on(mesh, node, &Mesh::start),
            Act::Drain { node } => on(mesh, node, &Mesh::drain),
            Act::Rebind { node } => on(mesh, node, &Mesh::rebind),
            Act::Busy { node, round_us } => {
                on(mesh, node, &|mesh, node| mesh.busy(node, Micros(round_us)))
            }
            Act::Jump { node, by_us } => on(mesh, node, &|mesh, node| mesh.jump_clock(node, by_us)),
            Act::Drift { node, ppm } => on(mesh, node, &|mesh, node| mesh.drift(node, ppm)),
            Act::Disk { node, fault } => on(mesh, node, &|mesh, node| mesh.disk(node, fault)),
            Act::StaleLetters { node } => mesh.stale_letters(node) > 0,
            Act::KillInTurn { node, effects } => on(mesh, node, &|mesh, node| {
                mesh.kill_after_effects(node, effects);
            }),
            act => strike_actor(mesh, act),
        }
    }
}

/// What befalls a part of a node.
fn strike_actor(mesh: &mut Mesh, act: Act) -> bool {
    match act {
        Act::Fill { node, who, reserve } => {
            let letter = who.late_news(mesh);
            letter.is_some_and(|letter| mesh.fill(node, &letter, reserve))
        }
        Act::KillActor { node, who } => {
            let who = who.address(mesh);
            mesh.kill_actor(node, who)
        }
        Act::KillActorInTurn { node, effects, who } => {
            let who = who.map(|who| who.address(mesh));
            mesh.kill_actor_after_effects(node, effects, who);
            mesh.is_up(node)
        }
        Act::Wedge { node, on } => {
            mesh.wedge(node, on);
            has_engine(mesh, node)
        }
        Act::EngineCrash { node } => engine(mesh, node, EngineFault::Crash),
        Act::Stall { node, us } => engine(mesh, node, EngineFault::Stall(Micros(us))),
        Act::SlowPrefill { node, us } => engine(mesh, node, EngineFault::SlowPrefill(Micros(us))),
        act => strike_paths(mesh, act),
    }
}

/// What befalls what is between nodes, and time that passes.
fn strike_paths(mesh: &mut Mesh, act: Act) -> bool {
    match act {
        Act::Wait { us } => mesh.run_for(Micros(us)),
        Act::AwaitBusy { node } => {
            return mesh.run_until(BUSY_WAIT, |mesh| mesh.waiting(node) >= BUSY);
        }
        Act::Cut { one, other } => {
            mesh.cut(&one, &other);
            return one.iter().any(|a| other.iter().any(|b| a != b));
        }
        Act::CutOneWay { from, to } => {
            mesh.cut_one_way(&[from], &[to]);
            return from != to;
        }
        Act::Clog { from, to, us } => {
            mesh.clog(&[from], &[to], Micros(us));
            return from != to;
        }
        Act::Path { from, to, is } => {
            mesh.set_path(&[from], &[to], is);
            return from != to;
        }
        Act::StopReading { node, from } => {
            mesh.read(node, from, false);
            return mesh.is_active(node, from);
        }
        Act::ReadAgain { node, from } => mesh.read(node, from, true),
        Act::Reset { one, other } => return mesh.reset_links(one, other) > 0,
        Act::Garbage {
            from,
            to,
            how,
            seed,
        } => {
            let noise = Entropy::from_number(seed).bytes();
            return mesh.send_garbage((from, to), how, noise);
        }
        Act::Streams {
            from,
            to,
            count,
            tokens,
        } => return mesh.send_jobs((from, to), count, tokens),
        Act::Heal => mesh.heal(),
        _ => return false,
    }
    true
}

fn engine(mesh: &mut Mesh, node: NodeIndex, fault: EngineFault) -> bool {
    let has = has_engine(mesh, node);
    mesh.engine(node, fault);
    has
}

fn has_engine(mesh: &Mesh, node: NodeIndex) -> bool {
    let all = mesh.addresses(node);
    all.iter().any(|who| matches!(who, Address::Engine(_)))
}
