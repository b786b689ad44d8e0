//! What each fault does to the world: one arm per variant of the schema.

use super::file::{
    Actor, ActorOf, Between, Disk, DiskOf, Engine, EngineOf, Fall, Fault, ForgedOf, GarbageOf,
    Reader, Streams, Unread,
};
use super::run::Run;
use super::values::{Span, Who};
use crate::{DiskFault, EngineFault, Mesh};
use messages::Address;

impl Run<'_> {
    /// Lets it happen; tells whether it found whom it was meant for.
    pub(super) fn strike(&mut self, fault: &Fault) -> bool {
        match fault {
            Fault::Kill(who) => self.take_down(who, Mesh::kill),
            Fault::Close(who) => self.take_down(who, Mesh::close),
            Fault::Start(who) => self.on(who, Mesh::start),
            Fault::Freeze(who) => self.on(who, Mesh::freeze),
            Fault::Thaw(who) => self.on(who, Mesh::thaw),
            Fault::Wedge(who) => self.on(who, |mesh, node| mesh.wedge(node, true)),
            Fault::Unwedge(who) => self.on(who, |mesh, node| mesh.wedge(node, false)),
            Fault::Unload(who) => self.on(who, Mesh::unload),
            Fault::Revoke(who) => self.on(who, Mesh::revoke),
            Fault::Busy(busy) => self.on(&busy.node, |mesh, node| mesh.busy(node, busy.late.0)),
            Fault::Drain(who) => self.on(who, Mesh::drain),
            Fault::Cut(groups) => {
                let (one, two) = self.groups(groups);
                self.mesh.cut(&one, &two);
                !one.is_empty() && !two.is_empty()
            }
            Fault::CutOneWay(way) => {
                let (from, to) = (self.find_all(&way.from), self.find_all(&way.to));
                self.mesh.cut_one_way(&from, &to);
                !from.is_empty() && !to.is_empty()
            }
            Fault::Clog(way) => {
                let (from, to) = (self.find_all(&way.from), self.find_all(&way.to));
                self.mesh.clog(&from, &to, way.lasts.0);
                !from.is_empty() && !to.is_empty()
            }
            Fault::Rebind(who) => self.on(who, Mesh::rebind),
            Fault::Heal => {
                self.mesh.heal();
                true
            }
            Fault::Reset(groups) => {
                let (one, two) = self.groups(groups);
                let mut links = 0;
                for a in &one {
                    links += two
                        .iter()
                        .map(|b| self.mesh.reset_links(*a, *b))
                        .sum::<usize>();
                }
                links > 0
            }
            Fault::StopReading(unread) => self.read(unread, false),
            Fault::ReadAgain(unread) => self.read(unread, true),
            Fault::KillActor(actor) => self.kill_actor(actor),
            Fault::Fall(fall) => self.fall(fall),
            Fault::HangUp(name) => self.hang_up(name),
            Fault::SlowReader(reader) => self.slow_reader(reader),
            Fault::ClockAhead(jump) => self.jump(&jump.node, signed(jump.by)),
            Fault::ClockBack(jump) => self.jump(&jump.node, -signed(jump.by)),
            Fault::Drift(drift) => self.on(&drift.node, |mesh, node| mesh.drift(node, drift.ppm)),
            Fault::Disk(disk) => self.disk(disk),
            Fault::Engine(engine) => self.engine(engine),
            Fault::Garbage(garbage) => self.garbage(garbage),
            Fault::Streams(streams) => self.streams(streams),
            Fault::StaleLetters(who) => {
                let node = self.find(who);
                node.is_some_and(|node| self.mesh.stale_letters(node) > 0)
            }
            Fault::Tokens(forged) => self.tokens(forged),
        }
    }

    fn on(&mut self, who: &Who, act: impl FnOnce(&mut Mesh, usize)) -> bool {
        let node = self.find(who);
        if let Some(node) = node {
            act(&mut self.mesh, node);
        }
        node.is_some()
    }

    /// The clients of a node go down with it.
    fn take_down(&mut self, who: &Who, act: impl FnOnce(&mut Mesh, usize)) -> bool {
        let Some(node) = self.find(who) else {
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
        self.mesh.read(node, from, reads);
        node != from
    }

    fn jump(&mut self, who: &Who, by_us: i64) -> bool {
        self.on(who, |mesh, node| mesh.jump_clock(node, by_us))
    }

    fn disk(&mut self, disk: &DiskOf) -> bool {
        let fault = match disk.is {
            Disk::Well => DiskFault::None,
            Disk::Full => DiskFault::Full,
            Disk::TornNext => DiskFault::TornNext,
            Disk::LosesSyncs => DiskFault::LoseSyncs,
            Disk::Slow(span) => DiskFault::Slow(span.0),
        };
        self.on(&disk.node, |mesh, node| mesh.disk(node, fault))
    }

    fn engine(&mut self, engine: &EngineOf) -> bool {
        let fault = match engine.is {
            Engine::Well => EngineFault::None,
            Engine::Wedged => EngineFault::Wedge,
            Engine::Crashed => EngineFault::Crash,
            Engine::Stalled(span) => EngineFault::Stall(span.0),
            Engine::SlowPrefill(span) => EngineFault::SlowPrefill(span.0),
        };
        self.on(&engine.node, |mesh, node| mesh.engine(node, fault))
    }

    fn slow_reader(&mut self, reader: &Reader) -> bool {
        let asked = self.asked.get(&reader.of).into_iter().flatten();
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
        Actor::Session => matches!(who, Address::Session(..)),
        Actor::Router => matches!(who, Address::Router),
        Actor::Request => matches!(who, Address::Proxy(_)),
        Actor::Gateway => matches!(who, Address::Gateway),
        Actor::Observer => matches!(who, Address::Observer),
        Actor::Any => !matches!(who, Address::Proxy(_) | Address::Stream(_)),
    }
}
