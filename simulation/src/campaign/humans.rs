//! What humans ask of records: too early, too much, and of a disk that has no room.

use super::{Judge, Part};
use crate::{About, Costs, DiskFault, InputClass, Kind, Mesh, millis, secs};
use messages::gossip_store::{AdminRequest, Fact};
use messages::ports::store::{Asker, Command};
use messages::{Address, Label, Letter, NetworkId, Stamp};

pub(super) const PARTS: &[Part] = &[
    Part::new("a human asks before the rows are here", early),
    Part::new("a human says too much", too_much),
    Part::new("too many humans wait for the disk", too_many),
    Part::new("two humans change the same", changed),
    Part::new("a disk without room for a letter", full_disk),
];

/// More than a node says in a network.
const FACTS: u64 = 4_200;
/// More than wait at once.
const HUMANS: u64 = 70;

fn met(seed: u64) -> Mesh {
    let mut mesh = Mesh::seed(seed).nodes(2).build();
    mesh.run_for(secs(3));
    mesh
}

fn say(ids: std::ops::Range<u64>) -> AdminRequest {
    let (kind, class) = About::Prompt.kind();
    let fact = |id: u64| Fact {
        class,
        kind,
        id: Label::truncated(&id.to_string()),
        value: Some(b"said".to_vec().into()),
        after: Stamp(0),
        expects: None,
    };
    AdminRequest::Say(ids.map(fact).collect())
}

fn early(_judge: &mut Judge) {
    let mut mesh = met(1);
    mesh.disk(0, DiskFault::Slow(secs(1)));
    mesh.kill_actor(0, Address::GossipStore(mesh.network()));
    mesh.run_for(millis(100));
    mesh.ask_records(0, say(0..1));
    mesh.run_for(secs(5));
}

fn too_much(_judge: &mut Judge) {
    let mut mesh = met(2);
    mesh.ask_records(0, say(0..FACTS));
    mesh.run_for(secs(1));
}

/// The second is made from what was there before the first.
fn changed(_judge: &mut Judge) {
    let mut mesh = met(5);
    mesh.ask_records(0, say(0..1));
    mesh.run_for(secs(1));
    let AdminRequest::Say(mut facts) = say(0..1) else {
        return;
    };
    for fact in &mut facts {
        fact.expects = Some(Stamp(0));
    }
    mesh.ask_records(0, AdminRequest::Say(facts));
    mesh.run_for(secs(1));
}

fn too_many(_judge: &mut Judge) {
    let mut mesh = met(3);
    mesh.disk(0, DiskFault::Slow(secs(2)));
    for n in 0..HUMANS {
        mesh.ask_records(0, say(n..n + 1));
    }
    mesh.run_for(secs(5));
}

fn full_disk(_judge: &mut Judge) {
    let slow = Costs::NONE.turn(Kind::Store, InputClass::Control, millis(1));
    let mut mesh = Mesh::seed(4).nodes(2).costs(slow).build();
    mesh.run_for(secs(3));
    let load = Letter::Store(Command::Load(Asker::Roster(NetworkId([9; 32]))));
    mesh.fill(0, &load, true);
    // The first finds the last place, if there is one.
    for id in 0..3 {
        mesh.publish(0, About::Session, [id], Some("said"));
    }
    mesh.run_for(secs(20));
}
