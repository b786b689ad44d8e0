//! Authors of records whom nobody has met: more than are held, proofs of all sorts, and readers
//! without room.

use super::crowded::{key_of, record};
use super::{Judge, Part};
use crate::{Costs, DiskFault, InputClass, Kind, Mesh, millis, secs};
use kernel::Signer as _;
use messages::gossip_store::Input as Store;
use messages::limits::MEMBERS_MAX;
use messages::observer::{FactKey, Input as Observed};
use messages::ports::gateway::Command as Gateway;
use messages::roster::Input as Roster;
use messages::wire::latest::{BATCH_RECORDS_MAX, Gossip};
use messages::{
    Address, Credential, DeviceId, Grant, Label, Letter, List, NodeId, Signature, SignedGrant,
    TicketKey, Wall,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("records of too many strangers", of_strangers),
    Part::new("more authors than find a place", crowd_of_authors),
    Part::new("authors whose time is over", ends),
    Part::new("proofs that are none", no_proofs),
    Part::new("a neighbour whose proof is none", bad_proof),
    Part::new("forged records of many strangers", forged),
    Part::new("a proof before the disk has spoken", early_proof),
    Part::new("readers without room", full_readers),
];

/// More than one neighbour's share.
const STRANGERS: u64 = 300;
/// More than is remembered as of no use.
const FORGED: u64 = 4_200;

fn met(seed: u64) -> Mesh {
    let mut mesh = Mesh::seed(seed).nodes(2).build();
    mesh.run_for(secs(3));
    mesh
}

fn records(mesh: &mut Mesh, input: Store) {
    mesh.tell(0, Letter::GossipStore(mesh.network(), input));
}

/// What the roster would vouch for; nobody looks at its signatures any more.
fn vouched(ticket: u8, n: u64, expires: Option<Wall>) -> (NodeId, Credential) {
    let grant = Grant {
        owner: NodeId([1; 32]),
        label: Label::default(),
        ticket: TicketKey([ticket; 32]),
        name: Label::default(),
        issued: Wall(0),
        expires,
    };
    let signature = Signature::from_bytes(&[0; 64]);
    let (grant, joined) = (Box::new(SignedGrant { grant, signature }), signature);
    let mut author = [0; 32];
    author[..8].copy_from_slice(&n.to_be_bytes());
    (NodeId(author), Credential::Ticket { grant, joined })
}

fn of_strangers(_judge: &mut Judge) {
    let mut mesh = met(1);
    let from = mesh.id(1);
    let all: Vec<_> = (0..STRANGERS).map(|n| record(&mesh, &key_of(n))).collect();
    for some in all.chunks(BATCH_RECORDS_MAX) {
        let news = Box::new(Gossip::News(List::truncated(some.to_vec())));
        records(&mut mesh, Store::Heard(from, news));
    }
    // Nobody says why they belong.
    mesh.run_for(secs(11));
}

fn crowd_of_authors(_judge: &mut Judge) {
    let mut mesh = met(2);
    let most = MEMBERS_MAX as u64;
    let all = (1..=most).map(|n| vouched(1, n, None));
    records(&mut mesh, Store::Vouched(all.collect()));
    records(&mut mesh, Store::Vouched(vec![vouched(2, 0, None)]));
    records(&mut mesh, Store::Vouched(vec![vouched(1, most, None)]));
    let from = mesh.id(1);
    let who = Box::new(Gossip::Who(List::truncated([vouched(2, 0, None).0])));
    records(&mut mesh, Store::Heard(from, who));
    records(&mut mesh, Store::Revoked(vec![TicketKey([1; 32])]));
    mesh.run_for(secs(1));
}

fn ends(_judge: &mut Judge) {
    let mut mesh = met(3);
    let soon = Wall(mesh.world.now(0).wall.0 + 1_000_000);
    records(&mut mesh, Store::Vouched(vec![vouched(1, 1, Some(soon))]));
    mesh.run_for(secs(2));
}

fn no_proofs(_judge: &mut Judge) {
    let mut mesh = met(4);
    let from = mesh.id(1);
    let shown = Gossip::Credentials(List::truncated([vouched(1, 1, None)]));
    records(&mut mesh, Store::Heard(from, Box::new(shown)));
    let shown = vec![vouched(1, 1, None)];
    let vouch = Roster::Vouch { from, shown };
    mesh.tell(0, Letter::Roster(mesh.network(), vouch));
    mesh.run_for(secs(1));
}

/// The only one that sent a record shows what does not prove its author.
fn bad_proof(_judge: &mut Judge) {
    let mut mesh = met(7);
    let (from, stranger) = (mesh.id(1), record(&mesh, &key_of(1)));
    let author = stranger.record.author;
    let news = Gossip::News(List::truncated([stranger]));
    records(&mut mesh, Store::Heard(from, Box::new(news)));
    mesh.run_for(millis(1));
    let proof = mesh.credential(from);
    let shown = Gossip::Credentials(List::truncated([(author, proof)]));
    records(&mut mesh, Store::Heard(from, Box::new(shown)));
    mesh.run_for(secs(1));
}

fn forged(_judge: &mut Judge) {
    let mut mesh = met(8);
    let from = mesh.id(1);
    let forged = |n: u64| {
        let mut signed = record(&mesh, &key_of(n));
        signed.record.stamp = messages::Stamp(2);
        signed
    };
    let all: Vec<_> = (0..FORGED).map(forged).collect();
    for some in all.chunks(BATCH_RECORDS_MAX) {
        let news = Box::new(Gossip::News(List::truncated(some.to_vec())));
        records(&mut mesh, Store::Heard(from, news));
    }
    mesh.run_for(secs(1));
}

fn early_proof(_judge: &mut Judge) {
    let mut mesh = met(5);
    mesh.disk(0, DiskFault::Slow(secs(2)));
    mesh.kill_actor(0, Address::Roster(mesh.network()));
    mesh.run_for(millis(500));
    let author = mesh.world.nodes[1].signer.node();
    let shown = vec![(author, mesh.credential(author))];
    let vouch = Roster::Vouch {
        from: author,
        shown,
    };
    mesh.tell(0, Letter::Roster(mesh.network(), vouch));
    mesh.run_for(secs(3));
}

/// A peer and its models come while the gateway and the snapshot have no room.
fn full_readers(_judge: &mut Judge) {
    let slow = Costs::NONE
        .turn(Kind::Gateway, InputClass::Control, millis(1))
        .turn(Kind::Observer, InputClass::Control, millis(1));
    let mesh = Mesh::seed(6).nodes(2).engines(&[1]).absent(&[1]);
    let mut mesh = mesh.costs(slow).build();
    mesh.run_for(secs(3));
    let request = messages::RequestId { boot: 0, n: 0 };
    let why = messages::request_proxy::Failure::Stopping;
    let late = Letter::Gateway(Gateway::Failed { request, why });
    mesh.fill(0, &late, true);
    let forget = Observed::Forget(FactKey::Device(DeviceId(999)));
    mesh.fill(0, &Letter::Observer(forget), true);
    mesh.start(1);
    mesh.run_for(secs(30));
}
