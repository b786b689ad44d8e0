//! Gossip stores at their limits: more records, more neighbours and later times than an honest
//! world comes to.

use super::crowded::{key_of, record};
use super::{Judge, Part};
use crate::{
    About, Costs, DiskFault, InputClass, Kind, Latency, Mesh, MeshBuilder, PathModel, millis, secs,
};
use kernel::Signer as _;
use messages::gossip_store::Input as Store;
use messages::wire::latest::{BATCH_RECORDS_MAX, Gossip, Roots};
use messages::{Address, Digest, Label, Letter, List, NodeId, RecordClass, SignedRecord, Stamp};

pub(super) const PARTS: &[Part] = &[
    Part::new("deletions of long ago", old_deletions),
    Part::new("a deletion that expires on the disk", expired_row),
    Part::new("a stranger speaks of records", stranger),
    Part::new("a clock that is an hour ahead", clock_ahead),
    Part::new("one author of too many records", one_author),
    Part::new("too many gossip neighbours", many_neighbours),
    Part::new("too many own records for a slow disk", own_records),
    Part::new("records of the other class", of_other_class),
    Part::new("own values before the rows", early_values),
    Part::new("a session without room for news", full_session),
    Part::new("a gossip store without room", full_store),
];

/// A month and a day, in microseconds.
const LATER: i64 = 31 * 24 * 60 * 60 * 1_000_000;
/// More than an author may have.
const RECORDS: u64 = 4_200;
/// More neighbours than a store deals with.
const NEIGHBOURS: u64 = 1_100;
/// More own records than wait for a disk.
const WAITING: u64 = 8_300;
/// More records that are refused than are remembered.
const REFUSED: u64 = 1_100;

fn met(builder: MeshBuilder) -> Mesh {
    let mut mesh = builder.build();
    mesh.run_for(secs(3));
    mesh
}

fn tell(mesh: &mut Mesh, node: usize, input: Store) {
    mesh.tell(node, Letter::GossipStore(mesh.network(), input));
}

fn hear(mesh: &mut Mesh, node: usize, from: NodeId, gossip: Gossip) {
    tell(mesh, node, Store::Heard(from, Box::new(gossip)));
}

/// Something is said and withdrawn, and both nodes hold that.
fn withdrawn() -> Mesh {
    let mut mesh = met(Mesh::seed(1).nodes(2));
    mesh.publish(0, About::Session, [0], Some("said"));
    mesh.run_for(secs(1));
    mesh.publish(0, About::Session, [0], None);
    mesh.run_for(secs(1));
    mesh
}

fn old_deletions(_judge: &mut Judge) {
    let mut mesh = withdrawn();
    for node in 0..2 {
        mesh.jump_clock(node, LATER);
    }
    mesh.run_for(secs(70));
}

fn expired_row(_judge: &mut Judge) {
    let mut mesh = withdrawn();
    mesh.kill(1);
    mesh.jump_clock(1, LATER);
    mesh.start(1);
    mesh.run_for(secs(5));
}

fn stranger(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(2));
    let roots = Roots {
        public: Digest::default(),
        gated: None,
    };
    hear(&mut mesh, 0, NodeId([9; 32]), Gossip::Roots(roots));
    mesh.run_for(millis(10));
}

fn clock_ahead(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    mesh.jump_clock(1, 60 * 60 * 1_000_000);
    mesh.publish(1, About::Session, 0..20, Some("ahead"));
    mesh.run_for(secs(3));
}

/// Over a slow path, so that reading them takes more than one turn; then one of long before.
fn one_author(_judge: &mut Judge) {
    let path = PathModel::new(Latency::new(millis(200), millis(1)));
    let mut mesh = met(Mesh::seed(4).nodes(2).path(path));
    mesh.publish(0, About::Session, 0..RECORDS, Some("one of many"));
    mesh.run_for(secs(150));
    let author = mesh.id(0);
    let mut old = mesh.records(0).into_iter().map(|signed| signed.record);
    let Some(mut old) = old.find(|record| record.author == author) else {
        return;
    };
    (old.id, old.stamp) = (Label::truncated("older than all"), Stamp(1));
    let signature = mesh.world.nodes[0].signer.sign(&old.signing_bytes());
    let record = old;
    let news = List::truncated([SignedRecord { record, signature }]);
    hear(&mut mesh, 1, author, Gossip::News(news));
    mesh.run_for(secs(1));
}

fn many_neighbours(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(5).nodes(2));
    for n in 0..NEIGHBOURS {
        let id = NodeId(key_of(n).verifying_key().to_bytes());
        tell(&mut mesh, 0, Store::Active(id));
    }
    mesh.run_for(secs(1));
}

fn own_records(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    mesh.disk(0, DiskFault::Slow(secs(2)));
    mesh.publish(0, About::Session, 0..WAITING, Some("one of many"));
    mesh.run_for(secs(1));
}

fn of_other_class(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(7).nodes(2));
    let from = mesh.id(1);
    let of_no_class = |n| {
        let mut signed = record(&mesh, &key_of(n));
        signed.record.class = RecordClass::Gated;
        signed
    };
    let all: Vec<_> = (0..REFUSED).map(of_no_class).collect();
    for some in all.chunks(BATCH_RECORDS_MAX) {
        let news = List::truncated(some.to_vec());
        hear(&mut mesh, 0, from, Gossip::News(news));
    }
    mesh.run_for(millis(10));
}

/// A store begins anew on a slow disk, and is told at once what its node says.
fn early_values(_judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(10).nodes(2));
    mesh.disk(0, DiskFault::Slow(secs(1)));
    mesh.kill_actor(0, Address::GossipStore(mesh.network()));
    mesh.run_for(millis(100));
    mesh.publish(0, About::Session, [0], Some("early"));
    mesh.run_for(secs(5));
}

/// Each letter takes a session a while, so that its mailbox stays full.
fn full_session(_judge: &mut Judge) {
    let slow = Costs::NONE.turn(Kind::Session, InputClass::Control, millis(5));
    let mut mesh = met(Mesh::seed(8).nodes(2).costs(slow));
    let late = messages::peer_session::Input::Verdict(messages::peer_session::Verdict::Unknown);
    let late = Letter::Session(mesh.network(), mesh.id(1), late);
    mesh.publish(0, About::Session, [0], Some("said"));
    mesh.fill(0, &late, true);
    mesh.run_for(secs(1));
}

/// The same of a store, while a session with a new neighbour begins.
fn full_store(_judge: &mut Judge) {
    let slow = Costs::NONE.turn(Kind::Records, InputClass::Control, secs(1));
    let mut mesh = met(Mesh::seed(9).nodes(2).absent(&[1]).costs(slow));
    let late = Letter::GossipStore(mesh.network(), Store::Gone(NodeId([9; 32])));
    mesh.start(1);
    mesh.fill(0, &late, true);
    mesh.run_for(secs(5));
}
