//! What each fault does to the world: one arm per variant of the schema.

use super::file::{
    Actor, ActorOf, Between, Busy, Disk, DiskOf, Engine, EngineOf, Fall, Fault, ForgedOf,
    GarbageOf, Reader, Streams, Unread,
};
use super::run::Run;
use super::values::{Span, Who};
use crate::{DiskFault, EngineFault, Mesh};
use messages::Address;

/// Who owns the network of a file.
const OWNER: usize = 0;

impl Run<'_> {
    /// Lets it happen; tells whether anything is otherwise for it.
    pub(super) fn strike(&mut self, fault: &Fault) -> bool {
        match fault {
            Fault::Kill(who) => self.take_down(who, Mesh::kill),
            Fault::Close(who) => self.take_down(who, Mesh::close),
            Fault::Start(who) => self.on(who, |mesh, node| !mesh.is_up(node), Mesh::start),
            Fault::Freeze(who) => self.on(who, runs, Mesh::freeze),
            Fault::Suspend(who) => self.on(who, runs, Mesh::suspend),
            Fault::Thaw(who) => self.on(who, Mesh::is_frozen, Mesh::thaw),
            Fault::Wedge(who) => self.wedge(who, true),
            Fault::Unwedge(who) => self.wedge(who, false),
            Fault::Unload(who) => self.on(who, has_engine, Mesh::unload),
            Fault::Revoke(who) => self.on(who, is_member, Mesh::revoke),
            Fault::Busy(busy) => self.busy(busy),
            Fault::Drain(who) => {
                let stays = |mesh: &Mesh, node| mesh.is_up(node) && !mesh.is_leaving(node);
                self.on(who, stays, Mesh::drain)
            }
            Fault::Cut(groups) => self.cut(groups),
            Fault::CutOneWay(way) => {
                let (from, to) = (self.find_all(&way.from), self.find_all(&way.to));
                let whole = pairs(&from, &to).any(|(a, b)| !self.mesh.world.network.is_cut(a, b));
                self.mesh.cut_one_way(&from, &to);
                whole
            }
            Fault::Clog(way) => {
                let (from, to) = (self.find_all(&way.from), self.find_all(&way.to));
                self.mesh.clog(&from, &to, way.lasts.0);
                pairs(&from, &to).next().is_some()
            }
            // Who is down has another address when it boots.
            Fault::Rebind(who) => self.on(who, |_, _| true, Mesh::rebind),
            Fault::Heal => {
                let any = self.mesh.world.network.has_cuts();
                self.mesh.heal();
                any
            }
            Fault::Reset(groups) => self.reset(groups),
            Fault::StopReading(unread) => self.read(unread, false),
            Fault::ReadAgain(unread) => self.read(unread, true),
            Fault::KillActor(actor) => self.kill_actor(actor),
            Fault::Fall(fall) => self.fall(fall),
            Fault::HangUp(name) => self.hang_up(name),
            Fault::SlowReader(reader) => self.slow_reader(reader),
            Fault::ClockAhead(jump) => self.jump(&jump.node, signed(jump.by)),
            Fault::ClockBack(jump) => self.jump(&jump.node, -signed(jump.by)),
            Fault::Drift(drift) => {
                let act = |mesh: &mut Mesh, node| mesh.drift(node, drift.ppm);
                self.on(&drift.node, |_, _| true, act)
            }
            Fault::Disk(disk) => self.disk(disk),
            Fault::Engine(engine) => self.engine(engine),
            Fault::Garbage(garbage) => self.garbage(garbage),
            Fault::Streams(streams) => self.streams(streams),
            Fault::StaleLetters(who) => {
                let node = self.find(who);
                node.is_some_and(|node| self.mesh.stale_letters(node) > 0)
            }
            Fault::Tokens(forged) => self.tokens(forged),
            Fault::Publish(of) => self.publish(&of.node, of.about, of.ids, Some(&of.value)),
            Fault::Withdraw(of) => self.publish(&of.node, of.about, of.ids, None),
            Fault::Share(of) => self.on(&of.node, runs, |mesh, node| mesh.share(node, of.on)),
            Fault::Record(forged) => self.forge_record(forged),
        }
    }

    /// Lets it happen to a node of which this holds, and to no other.
    fn on(
        &mut self,
        who: &Who,
        able: impl FnOnce(&Mesh, usize) -> bool,
        act: impl FnOnce(&mut Mesh, usize),
    ) -> bool {
        let node = self.find(who);
        let node = node.filter(|node| able(&self.mesh, *node));
        if let Some(node) = node {
            act(&mut self.mesh, node);
        }
        node.is_some()
    }

    fn wedge(&mut self, who: &Who, wedged: bool) -> bool {
        let able = |mesh: &Mesh, node| mesh.is_wedged(node) == Some(!wedged);
        self.on(who, able, |mesh, node| mesh.wedge(node, wedged))
    }

    fn busy(&mut self, busy: &Busy) -> bool {
        let round = busy.late.0;
        let able = |mesh: &Mesh, node| {
            let was = mesh.world.busy.get(&node).copied().unwrap_or(0);
            mesh.is_up(node) && was != round.0
        };
        self.on(&busy.node, able, |mesh, node| mesh.busy(node, round))
    }

    fn cut(&mut self, groups: &Between) -> bool {
        let (one, two) = self.groups(groups);
        let network = &self.mesh.world.network;
        let whole = |(a, b): (usize, usize)| !network.is_cut(a, b) || !network.is_cut(b, a);
        let any = pairs(&one, &two).any(whole);
        self.mesh.cut(&one, &two);
        any
    }

    fn reset(&mut self, groups: &Between) -> bool {
        let (one, two) = self.groups(groups);
        let links = pairs(&one, &two).map(|(a, b)| self.mesh.reset_links(a, b));
        links.sum::<usize>() > 0
    }

    /// The clients of a node go down with it.
    fn take_down(&mut self, who: &Who, act: impl FnOnce(&mut Mesh, usize)) -> bool {
        let node = self.find(who).filter(|node| self.mesh.is_up(*node));
        let Some(node) = node else {
            return false;
        };
        let mut asked = std::mem::take(&mut self.asked);
        for asked in asked
            .values_mut()
            .flatten()
            .filter(|asked| asked.node == node)
        {
            match self.is_over(asked) {
                true => asked.kept = Some(self.answer(asked)),
                false => asked.gone = true,
            }
        }
        self.asked = asked;
        act(&mut self.mesh, node);
        true
    }

    fn groups(&self, groups: &Between) -> (Vec<usize>, Vec<usize>) {
        (self.find_all(&groups.between), self.find_all(&groups.and))
    }

    /// The addresses of this sort that are taken on a node.
    pub(super) fn actors(&self, actor: &ActorOf) -> Vec<(usize, Address)> {
        let Some(node) = self.find(&actor.node) else {
            return Vec::new();
        };
        let all = self.mesh.addresses(node).into_iter();
        all.filter(|who| is_a(*who, actor.actor))
            .map(|who| (node, who))
            .collect()
    }

    fn kill_actor(&mut self, actor: &ActorOf) -> bool {
        let found = self.actors(actor);
        let drawn = self.draw.below(found.len().max(1) as u64);
        let victim = usize::try_from(drawn).ok().and_then(|at| found.get(at));
        victim.is_some_and(|(node, who)| self.mesh.kill_actor(*node, *who))
    }

    fn fall(&mut self, fall: &Fall) -> bool {
        let (node, actor) = (fall.node.clone(), fall.actor);
        let found = self.actors(&ActorOf { node, actor });
        let victim = found.first().copied();
        if let Some((node, who)) = victim {
            let who = (actor != Actor::Any).then_some(who);
            self.mesh.kill_actor_after_effects(node, fall.effects, who);
        }
        victim.is_some()
    }

    fn read(&mut self, unread: &Unread, reads: bool) -> bool {
        let (node, from) = (self.find(&unread.node), self.find(&unread.from));
        let (Some(node), Some(from)) = (node, from) else {
            return false;
        };
        let was = self.mesh.world.network.reads(from, node);
        self.mesh.read(node, from, reads);
        node != from && was != reads
    }

    fn jump(&mut self, who: &Who, by_us: i64) -> bool {
        self.on(
            who,
            |_, _| by_us != 0,
            |mesh, node| mesh.jump_clock(node, by_us),
        )
    }

    fn disk(&mut self, disk: &DiskOf) -> bool {
        let fault = match disk.is {
            Disk::Well => DiskFault::None,
            Disk::Full => DiskFault::Full,
            Disk::TornNext => DiskFault::TornNext,
            Disk::LosesSyncs => DiskFault::LoseSyncs,
            Disk::Slow(span) => DiskFault::Slow(span.0),
        };
        let able = |mesh: &Mesh, node: usize| mesh.world.nodes[node].disk.fault() != fault;
        self.on(&disk.node, able, |mesh, node| mesh.disk(node, fault))
    }

    fn engine(&mut self, engine: &EngineOf) -> bool {
        let fault = match engine.is {
            Engine::Well => EngineFault::None,
            Engine::Wedged => EngineFault::Wedge,
            Engine::Crashed => EngineFault::Crash,
            Engine::Stalled(span) => EngineFault::Stall(span.0),
            Engine::SlowPrefill(span) => EngineFault::SlowPrefill(span.0),
        };
        self.on(&engine.node, has_engine, |mesh, node| {
            mesh.engine(node, fault)
        })
    }

    fn slow_reader(&mut self, reader: &Reader) -> bool {
        let asked = self.asked.get(&reader.of).into_iter().flatten();
        let asked = asked.filter(|asked| !self.is_over(asked));
        let clients: Vec<_> = asked.map(|asked| asked.client).collect();
        for client in &clients {
            self.mesh.slow_reader(*client, reader.bytes_per_sec);
        }
        !clients.is_empty()
    }

    fn hang_up(&mut self, name: &str) -> bool {
        let mut any = false;
        for asked in self.asked.get_mut(name).into_iter().flatten() {
            if asked.over.is_none() && !asked.gone {
                self.mesh.hang_up(asked.client);
                asked.gone = true;
                any = true;
            }
        }
        any
    }

    /// Both nodes, where there are.
    fn pair(&self, from: &Who, to: &Who) -> Option<(usize, usize)> {
        Some((self.find(from)?, self.find(to)?))
    }

    fn garbage(&mut self, garbage: &GarbageOf) -> bool {
        let Some(pair) = self.pair(&garbage.from, &garbage.to) else {
            return false;
        };
        let noise = self.draw.bytes();
        self.mesh.send_garbage(pair, garbage.bytes, noise)
    }

    fn streams(&mut self, streams: &Streams) -> bool {
        let pair = self.pair(&streams.from, &streams.to);
        pair.is_some_and(|pair| self.mesh.send_jobs(pair, streams.count, streams.tokens))
    }

    fn tokens(&mut self, forged: &ForgedOf) -> bool {
        let Some(asked) = self.first(&forged.of).cloned() else {
            return false;
        };
        let text = (asked.seed, asked.tokens);
        self.mesh.forge(asked.client, text, forged.how)
    }
}

fn pairs<'a>(one: &'a [usize], two: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let all = one.iter().flat_map(|a| two.iter().map(|b| (*a, *b)));
    all.filter(|(a, b)| a != b)
}

fn runs(mesh: &Mesh, node: usize) -> bool {
    mesh.is_up(node) && !mesh.is_frozen(node)
}

fn has_engine(mesh: &Mesh, node: usize) -> bool {
    mesh.is_wedged(node).is_some()
}

/// Whether the owner may withdraw its ticket, and has not yet.
fn is_member(mesh: &Mesh, node: usize) -> bool {
    node != OWNER && mesh.is_up(OWNER) && !mesh.knows_revoked(OWNER, node)
}

fn signed(span: Span) -> i64 {
    i64::try_from(span.0.0).unwrap_or(i64::MAX)
}

const fn is_a(who: Address, actor: Actor) -> bool {
    match actor {
        Actor::Store => matches!(who, Address::Store),
        Actor::Transport => matches!(who, Address::Transport),
        Actor::Engine => matches!(who, Address::Engine(_)),
        Actor::Worker => matches!(who, Address::Worker(_)),
        Actor::Roster => matches!(who, Address::Roster(_)),
        Actor::Records => matches!(who, Address::GossipStore(_)),
        Actor::Session => matches!(who, Address::Session(..)),
        Actor::Router => matches!(who, Address::Router),
        Actor::Request => matches!(who, Address::Proxy(_)),
        Actor::Gateway => matches!(who, Address::Gateway),
        Actor::Observer => matches!(who, Address::Observer),
        Actor::Any => !matches!(who, Address::Proxy(_) | Address::Stream(_)),
    }
}
