//! Limits that no honest world comes near: what is told here comes by hand, or for a day.

use super::crowded::{member, row, tell};
use super::{Judge, Part};
use crate::{Ask, DiskFault, Latency, Mesh, PathModel, millis, secs};
use bytes::Bytes;
use kernel::Signer as _;
use messages::peer_session::Input as Session;
use messages::ports::gateway::Command as OfGateway;
use messages::ports::store::{Asker, Command as OfStore, Table};
use messages::roster::{AdminRequest, Input as Roster};
use messages::wire::latest::{ControlFrame, Frame as _};
use messages::{
    Address, Kind, Label, Letter, LinkId, QueryId, Record, RecordClass, SignedRecord, Stamp, Text,
    TicketKey, Token, Wall,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("too many tickets", too_many_tickets),
    Part::new("a day away", a_day_away),
    Part::new("let go again and again", let_go_again),
    Part::new("a busy roster", busy_roster),
    Part::new("a busy store", busy_store),
    Part::new("many links", many_links),
    Part::new("early packets", early_packets),
    Part::new("a deluge of text", deluge_of_text),
    Part::new("many doubts", many_doubts),
    Part::new("one holder of forty", one_holder_of_forty),
    Part::new("most holders die", most_holders_die),
    Part::new("a link before its session's word", early_link),
];

/// As many tickets as an owner may issue.
const ISSUED: u64 = 4_096;
/// More members than a table holds.
const LASTED: u64 = 16_500;
/// More revocations than are written at once.
const REVOKED: u8 = 100;
/// More commits than wait for a disk.
const COMMITS: u64 = 1_100;
/// More links than a transport remembers.
const LINKS: u64 = 1_100;

/// It has eight places, and lets go of whoever it is told to, again and again.
fn one_holder_of_forty(_judge: &mut Judge) {
    let mesh = Mesh::seed(1).nodes(40).degree(4).engines(&[1]);
    mesh.one_ticket().build().run_for(secs(1_200));
}

/// A request looks for the two of twelve holders that are left.
fn most_holders_die(_judge: &mut Judge) {
    let holders: Vec<_> = (1..13).collect();
    let mesh = Mesh::seed(1).nodes(24).degree(6).engines(&holders);
    let mut mesh = mesh.one_ticket().build();
    mesh.run_for(secs(30));
    for holder in &holders[2..] {
        mesh.kill(*holder);
    }
    for node in 13..24 {
        mesh.ask(node, Ask::new(1).max_tokens(8));
    }
    mesh.run_for(secs(15));
}

/// A roster begins anew, and hears of another link of a peer before that one's session speaks.
fn early_link(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(1).nodes(3).build();
    mesh.run_for(secs(5));
    mesh.kill_actor(0, Address::Roster(mesh.network()));
    let (peer, link, dialled) = (mesh.id(1), LinkId(99), false);
    tell(
        &mut mesh,
        Roster::LinkUp {
            peer,
            link,
            dialled,
        },
    );
    mesh.run_for(secs(5));
}

fn too_many_tickets(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(1).nodes(2).build();
    mesh.run_for(secs(2));
    let issued = (Label::<64>::truncated("a ticket"), Wall(0), None::<Wall>);
    let issued = postcard::to_stdvec(&issued).unwrap_or_default();
    let rows = (0..ISSUED).map(|n| {
        let ticket = [n.to_le_bytes(); 4].concat();
        row(&mesh, Table::Issued, &ticket, issued.clone())
    });
    let rows = rows.collect();
    tell(&mut mesh, Roster::Loaded(rows));
    let request = AdminRequest::TicketNew {
        name: Label::truncated("one more"),
        expires: None,
    };
    let query = QueryId(1);
    tell(&mut mesh, Roster::Admin { query, request });
    mesh.run_for(secs(1));
}

/// All that the table has room for were here, by one ticket, and then nobody is, for a day.
fn a_day_away(_judge: &mut Judge) {
    let builder = Mesh::seed(2).nodes(3).one_ticket();
    let mut mesh = builder.absent(&[2]).build();
    mesh.run_for(secs(2));
    let lasted = (0..LASTED).map(|n| member(&mesh, n, 2)).collect();
    tell(&mut mesh, Roster::Loaded(lasted));
    mesh.run_for(secs(25 * 60 * 60));
    mesh.start(2);
    mesh.run_for(secs(30));
}

/// A neighbour that comes back each time it is let go.
fn let_go_again(judge: &mut Judge) {
    let mut mesh = Mesh::seed(3).nodes(3).checked().build();
    for _ in 0..8 {
        mesh.run_for(secs(15));
        let (network, peer) = (mesh.network(), mesh.id(1));
        mesh.tell(0, Letter::Session(network, peer, Session::Release));
        mesh.run_for(secs(1));
        mesh.close(1);
        mesh.start(1);
    }
    judge.look(&mesh);
}

/// A roster with a slow disk begins anew among many, and hears of many revocations at once.
fn busy_roster(judge: &mut Judge) {
    let mut mesh = Mesh::seed(4).nodes(24).checked().build();
    mesh.run_for(secs(10));
    mesh.disk(0, DiskFault::Slow(secs(2)));
    mesh.kill_actor(0, Address::Roster(mesh.network()));
    mesh.run_for(secs(15));
    let (network, from) = (mesh.network(), mesh.id(1));
    for n in 0..REVOKED {
        let record = Record {
            network,
            class: RecordClass::Public,
            kind: Kind::REVOCATION,
            author: mesh.id(0),
            id: Label::truncated(&TicketKey([n; 32]).to_string()),
            stamp: Stamp(mesh.world.now(0).wall.0),
            value: Some(Bytes::new()),
        };
        let signature = mesh.world.nodes[0].signer.sign(&record.signing_bytes());
        let record = SignedRecord { record, signature };
        tell(
            &mut mesh,
            Roster::Revoked {
                from,
                record: record.into(),
            },
        );
    }
    mesh.run_for(secs(20));
    judge.look(&mesh);
}

fn busy_store(judge: &mut Judge) {
    let mut mesh = Mesh::seed(5).nodes(2).checked().build();
    mesh.run_for(secs(2));
    mesh.disk(0, DiskFault::Slow(secs(1)));
    for _ in 0..COMMITS {
        let commit = OfStore::Commit {
            asker: Asker::Roster(mesh.network()),
            token: Token(u64::MAX),
            writes: Vec::new(),
        };
        mesh.tell(0, Letter::Store(commit));
    }
    mesh.run_for(secs(1));
    judge.look(&mesh);
}

fn many_links(judge: &mut Judge) {
    let mut mesh = Mesh::seed(6).nodes(2).checked().build();
    mesh.run_for(secs(2));
    for _ in 0..LINKS {
        mesh.close(1);
        mesh.start(1);
        mesh.run_for(millis(500));
    }
    judge.look(&mesh);
}

/// The answer to a dial is late, and what the other side says at once is not.
fn early_packets(judge: &mut Judge) {
    let ping = ControlFrame::Ping(1).encode().unwrap_or_default();
    for seed in 0..40 {
        let latency = Latency::new(millis(20), millis(80));
        let builder = Mesh::seed(seed).nodes(2).absent(&[1]);
        let mut mesh = builder.path(PathModel::new(latency)).checked().build();
        mesh.start(1);
        if mesh.run_until(secs(5), |mesh| !mesh.links(0, 1).is_empty()) {
            for _ in 0..30 {
                mesh.send_control(0, 1, ping.clone());
            }
        }
        mesh.run_for(secs(5));
        judge.look(&mesh);
    }
}

/// More text than a client's server keeps, of a request that heeds nothing.
fn deluge_of_text(_judge: &mut Judge) {
    let builder = Mesh::seed(7).nodes(2).engines(&[0]).step(secs(10));
    let mut mesh = builder.build();
    mesh.run_for(secs(2));
    let client = mesh.ask(1, Ask::new(1).max_tokens(10));
    mesh.slow_reader(client, Some(10));
    mesh.run_for(millis(200));
    let delta = OfGateway::Delta {
        request: client.request(),
        offset: 0,
        text: Text(vec![b'x'; 9 << 20].into()),
    };
    mesh.tell(1, Letter::Gateway(delta));
    mesh.run_for(secs(60));
}

/// Whoever serves falls silent, again and again, and there is always another.
fn many_doubts(judge: &mut Judge) {
    let builder = Mesh::seed(8).nodes(3).engines(&[0, 2]);
    let mut mesh = builder.checked().build();
    mesh.run_for(secs(5));
    mesh.ask(1, Ask::new(1).max_tokens(2_000));
    for _ in 0..8 {
        mesh.run_until(secs(20), |mesh| mesh.jobs(0) + mesh.jobs(2) > 0);
        mesh.run_for(secs(1));
        let server = if mesh.jobs(0) > 0 { 0 } else { 2 };
        mesh.freeze(server);
        mesh.run_until(secs(20), |mesh| mesh.jobs(2 - server) > 0);
        mesh.run_for(secs(1));
        mesh.thaw(server);
        mesh.run_for(secs(3));
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}
