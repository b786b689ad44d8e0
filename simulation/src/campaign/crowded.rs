//! Rosters that know more than they have room for, by what was durable and by hearsay.

use super::{Judge, Part};
use crate::{Mesh, secs};
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use messages::peer_session::Ended;
use messages::ports::store::{Item, Key, Table};
use messages::roster::Input as Roster;
use messages::wire::latest::Introduction;
use messages::{
    Capabilities, Digest, Kind, Label, Letter, LinkId, List, NodeId, Record, RecordClass,
    Signature, SignedRecord, Stamp,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("durable members", durable_members),
    Part::new("durable revocations", durable_revocations),
    Part::new("hearsay by one ticket", hearsay_by_one_ticket),
    Part::new("hearsay by one introducer", hearsay_by_one_introducer),
    Part::new("hearsay of a revoked one", hearsay_of_a_revoked_one),
    Part::new("two links at an end", two_links_at_an_end),
];

/// Members that were only heard of: more than one ticket's share.
const HEARD: u64 = 1_100;
/// Members that were here: more than a table holds.
const LASTED: u64 = 16_500;
/// More revocations than a node keeps.
const REVOKED: u64 = 4_200;
/// More members than one introducer may name.
const NAMED: u64 = 2_100;

pub(super) fn key_of(n: u64) -> SigningKey {
    SigningKey::from_bytes(&Digest::of("nobody", &[&n.to_le_bytes()]).0)
}

pub(super) fn row(mesh: &Mesh, table: Table, row: &[u8], value: Vec<u8>) -> Item {
    let (network, row) = (mesh.network(), Bytes::copy_from_slice(row));
    let key = Key {
        network,
        table,
        row,
    };
    (key, Bytes::from(value))
}

/// What some node says of itself.
pub(super) fn record(mesh: &Mesh, key: &SigningKey) -> SignedRecord {
    let record = Record {
        network: mesh.network(),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: NodeId(key.verifying_key().to_bytes()),
        id: Label::default(),
        stamp: Stamp(1),
        value: Some(Capabilities::default().encode().unwrap_or_default()),
    };
    let signature = Signature::from_bytes(&key.sign(&record.signing_bytes()).to_bytes());
    SignedRecord { record, signature }
}

pub(super) fn tell(mesh: &mut Mesh, input: Roster) {
    mesh.tell(0, Letter::Roster(mesh.network(), input));
}

/// A peer names these.
fn named(mesh: &mut Mesh, from: usize, who: std::ops::Range<u64>) {
    let entries: Vec<Introduction> = who
        .map(|n| {
            let key = key_of(n);
            Introduction {
                record: record(mesh, &key),
                credential: mesh.credential(NodeId(key.verifying_key().to_bytes())),
            }
        })
        .collect();
    let from = mesh.id(from);
    for some in entries.chunks(32) {
        let entries = List::truncated(some.to_vec());
        tell(mesh, Roster::Introduced { from, entries });
    }
}

pub(super) fn member(mesh: &Mesh, n: u64, known: u8) -> Item {
    let id = NodeId(key_of(n).verifying_key().to_bytes());
    let none: Option<SignedRecord> = None;
    // All by the ticket of node 1.
    let value = postcard::to_stdvec(&(none, mesh.credential(mesh.id(1)), known));
    row(mesh, Table::Members, &id.0, value.unwrap_or_default())
}

fn durable_members(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(1).nodes(3).absent(&[2]).build();
    mesh.run_for(secs(2));
    let garbage = row(&mesh, Table::Issued, &[1, 2, 3], vec![4, 5, 6]);
    tell(&mut mesh, Roster::Loaded(vec![garbage]));
    let heard = (0..HEARD).map(|n| member(&mesh, n, 0)).collect();
    tell(&mut mesh, Roster::Loaded(heard));
    let lasted = (HEARD..HEARD + LASTED).map(|n| member(&mesh, n, 2));
    let lasted = lasted.collect();
    tell(&mut mesh, Roster::Loaded(lasted));
    mesh.start(2);
    mesh.run_for(secs(2));
}

fn durable_revocations(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(2).nodes(2).build();
    mesh.run_for(secs(2));
    let word = postcard::to_stdvec(&record(&mesh, &key_of(0))).unwrap_or_default();
    let rows = (0..REVOKED).map(|n| {
        let ticket = key_of(n).verifying_key().to_bytes();
        row(&mesh, Table::Revoked, &ticket, word.clone())
    });
    let rows = rows.collect();
    tell(&mut mesh, Roster::Loaded(rows));
    mesh.revoke(1);
    mesh.run_for(secs(1));
}

fn hearsay_by_one_ticket(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(3).nodes(3).one_ticket().build();
    mesh.run_for(secs(2));
    named(&mut mesh, 1, 0..HEARD);
    named(&mut mesh, 2, HEARD..HEARD + 10);
    mesh.run_for(secs(1));
}

fn hearsay_by_one_introducer(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(4).nodes(3).build();
    mesh.run_for(secs(2));
    named(&mut mesh, 1, 0..NAMED);
    mesh.run_for(secs(1));
}

fn hearsay_of_a_revoked_one(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(5).nodes(3).absent(&[2]).build();
    mesh.run_for(secs(2));
    mesh.revoke(2);
    mesh.run_for(secs(2));
    let (from, key) = (mesh.id(1), key_of(0));
    let entry = Introduction {
        record: record(&mesh, &key),
        credential: mesh.credential(mesh.id(2)),
    };
    let entries = List::truncated([entry]);
    tell(&mut mesh, Roster::Introduced { from, entries });
    mesh.run_for(secs(1));
}

/// The session has said that it ends, and is not gone yet.
fn two_links_at_an_end(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(6).nodes(2).build();
    mesh.run_for(secs(2));
    let (peer, why) = (mesh.id(1), Ended::Left);
    tell(&mut mesh, Roster::Ended { peer, why });
    for n in 0..2 {
        let (link, dialled) = (LinkId(1_000_000 + n), false);
        tell(
            &mut mesh,
            Roster::LinkUp {
                peer,
                link,
                dialled,
            },
        );
    }
    mesh.run_for(secs(1));
}
