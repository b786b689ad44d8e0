//! Actors that die again and again.

use super::{Judge, Part, met};
use crate::{Ask, Mesh, millis, secs};
use kernel::{Effect, How, Source};
use messages::inference_worker::Input as Worker;
use messages::{Address, DeviceId, Letter, Micros};

/// Whose end is planned again and again.
const VICTIMS: [Address; 7] = [
    Address::Store,
    Address::Observer,
    Address::Transport,
    Address::Router,
    Address::Gateway,
    Address::Engine(DeviceId(0)),
    Address::Worker(DeviceId(0)),
];

pub(super) const PARTS: &[Part] = &[
    Part::new("storms", storms),
    Part::new("storm of sessions", storm_of_sessions),
    Part::new("young routers", young_routers),
    Part::new("roster and sessions", roster_and_sessions),
    Part::new("drained worker", drained_worker),
    Part::new("stopped children", stopped_children),
];

fn storms(judge: &mut Judge) {
    for victim in VICTIMS {
        storm(judge, victim);
    }
}

fn storm(judge: &mut Judge, victim: Address) {
    let mut mesh = met(Mesh::seed(1).nodes(3).engines(&[0, 1]));
    kill_until_spent(&mut mesh, victim);
    for node in 0..3 {
        mesh.ask(node, Ask::new(1).max_tokens(20));
    }
    mesh.kill_actor(0, Address::Router);
    mesh.kill_actor(0, Address::Worker(DeviceId(0)));
    mesh.kill_actor(0, Address::Roster(mesh.network()));
    mesh.run_for(secs(75));
    mesh.ask(2, Ask::new(1).max_tokens(20));
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

pub(super) fn kill_until_spent(mesh: &mut Mesh, victim: Address) {
    let mut killed = 0;
    for _ in 0..4_000 {
        killed += u32::from(mesh.kill_actor(0, victim));
        mesh.run_for(millis(if killed >= 14 { 0 } else { 5 }));
        if killed >= 14 {
            return;
        }
    }
}

fn storm_of_sessions(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(3).engines(&[0]));
    let session = Address::Session(mesh.network(), mesh.id(1));
    kill_until_spent(&mut mesh, session);
    mesh.run_for(secs(100));
    judge.look(&mesh);
}

/// A node that leaves takes no more jobs.
fn drained_worker(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(3).nodes(2).engines(&[0]));
    for seed in 0..40 {
        mesh.ask(1, Ask::new(seed).max_tokens(100));
    }
    mesh.run_for(millis(100));
    mesh.tell(0, Letter::Worker(DeviceId(0), Worker::Drain));
    mesh.ask(1, Ask::new(7).max_tokens(10));
    mesh.run_for(secs(30));
    judge.look(&mesh);
}

/// A network is left and a device is taken away while they restart.
fn stopped_children(_judge: &mut Judge) {
    for how in [How::Drain, How::Kill] {
        // Whoever stops them is outside of the world, where no checker sees it.
        let mut mesh = Mesh::seed(4).nodes(3).engines(&[0]).build();
        mesh.run_for(secs(2));
        let roster = Address::Roster(mesh.network());
        mesh.kill_actor(0, Address::Router);
        for who in [Address::Router, roster, Address::Worker(DeviceId(0))] {
            for how in [how, How::Kill] {
                let effects = vec![Effect::Stop(who, how)];
                mesh.world.apply(0, Source::World, effects);
            }
        }
        mesh.run_for(secs(40));
    }
}

/// Questions that come before any holder has spoken.
fn young_routers(judge: &mut Judge) {
    for moment in 0..15 {
        let mut mesh = met(Mesh::seed(5).nodes(3).engines(&[0]));
        mesh.kill_actor(1, Address::Router);
        mesh.run_for(millis(moment));
        mesh.ask(1, Ask::new(1).max_tokens(10));
        mesh.ask(1, Ask::new(1).model("no-such-model"));
        mesh.run_for(secs(5));
        judge.look(&mesh);
    }
}

/// Sessions that end while their roster is away.
fn roster_and_sessions(judge: &mut Judge) {
    for moment in 0..40 {
        let mut mesh = met(Mesh::seed(6).nodes(3).engines(&[0]));
        let roster = Address::Roster(mesh.network());
        let session = Address::Session(mesh.network(), mesh.id(1));
        mesh.ask(1, Ask::new(1).max_tokens(100));
        mesh.close(1);
        mesh.run_for(Micros(moment * 300));
        mesh.kill_actor(0, roster);
        if moment % 2 == 0 {
            mesh.kill_actor(0, session);
        }
        mesh.start(1);
        mesh.run_for(Micros(moment * 700));
        mesh.kill_actor(0, session);
        mesh.run_for(secs(5));
        judge.look(&mesh);
    }
}
