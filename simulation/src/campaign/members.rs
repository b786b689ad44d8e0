//! Who comes, who goes, and who is shown the door.

use super::{Judge, Part, met};
use crate::{Mesh, millis, secs};
use kernel::Signer as _;
use messages::roster::{AdminRequest, Input as Roster};
use messages::{
    Address, Credential, Kind, Label, Letter, QueryId, Record, RecordClass, SignedRecord, Stamp,
    TicketKey,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("revocations", revocations),
    Part::new("dead and dialled", dead_and_dialled),
    Part::new("crossing links", crossing_links),
    Part::new("early jobs", early_jobs),
    Part::new("tickets", tickets),
];

/// The ticket of a node; the owner, which has none, is none of theirs.
fn ticket(mesh: &Mesh, node: usize) -> TicketKey {
    match mesh.credential(mesh.id(node)) {
        Credential::Ticket { grant, .. } => grant.grant.ticket,
        Credential::Owner { .. } => TicketKey([0; 32]),
    }
}

/// The owner's word, or somebody else's, that a node's ticket is void; as `from` passes it on.
fn revoke(mesh: &mut Mesh, author: usize, victim: usize, (to, from): (usize, usize)) {
    let record = Record {
        network: mesh.network(),
        class: RecordClass::Public,
        kind: Kind::REVOCATION,
        author: mesh.id(0),
        id: Label::truncated(&ticket(mesh, victim).to_string()),
        stamp: Stamp(mesh.world.now(0).wall.0),
        value: Some(bytes::Bytes::new()),
    };
    let signature = mesh.world.nodes[author]
        .signer
        .sign(&record.signing_bytes());
    let record = SignedRecord { record, signature };
    let from = mesh.id(from);
    let revoked = Roster::Revoked {
        from,
        record: record.into(),
    };
    mesh.tell(to, Letter::Roster(mesh.network(), revoked));
}

/// Told by the owner, told again, forged, and told to who was away.
fn revocations(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(1).nodes(6).engines(&[0]).absent(&[5]));
    mesh.run_for(secs(2));
    revoke(&mut mesh, 2, 3, (0, 2));
    // Who is revoked hears it first from somebody who is not the owner.
    revoke(&mut mesh, 0, 1, (2, 1));
    mesh.run_for(millis(100));
    revoke(&mut mesh, 0, 1, (0, 1));
    mesh.close(4);
    mesh.start(4);
    mesh.kill_actor(2, Address::Roster(mesh.network()));
    mesh.run_for(secs(5));
    mesh.start(5);
    mesh.run_for(secs(5));
    mesh.close(1);
    mesh.start(1);
    mesh.close(3);
    mesh.start(3);
    mesh.run_for(secs(100));
    judge.look(&mesh);
}

/// A member asks for work while the other one's session begins anew.
fn early_jobs(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(9).nodes(2).engines(&[0]));
    let session = Address::Session(mesh.network(), mesh.id(1));
    let is_back = |mesh: &Mesh| {
        let boot = mesh.world.nodes[0].boot.as_ref();
        boot.is_some_and(|boot| boot.live(session).is_some())
    };
    for _ in 0..3 {
        mesh.run_for(secs(2));
        mesh.kill_actor(0, session);
        mesh.run_until(secs(1), is_back);
        // It is there before the answer to the greeting, which takes twice as long.
        mesh.send_jobs((1, 0), 1, Some(5));
    }
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

/// Peers that are away for long, and come back; one has nothing to say for itself.
fn dead_and_dialled(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(16));
    for node in 4..16 {
        mesh.kill(node);
    }
    mesh.run_for(secs(200));
    for node in 4..16 {
        mesh.start(node);
    }
    mesh.freeze(1);
    mesh.run_for(secs(120));
    mesh.thaw(1);
    mesh.run_for(secs(100));
    judge.look(&mesh);
}

/// Links that come and go while sessions begin and end.
fn crossing_links(judge: &mut Judge) {
    for seed in 0..20 {
        let mut mesh = met(Mesh::seed(100 + seed).nodes(4));
        for round in 0..6 {
            let node = 1 + round % 3;
            mesh.close(node);
            mesh.start(node);
            mesh.run_for(millis(seed * 7 + 1));
        }
        mesh.cut(&[0, 1], &[2, 3]);
        mesh.run_for(secs(12) + millis(seed * 100));
        mesh.heal();
        mesh.run_for(secs(4));
        judge.look(&mesh);
    }
}

/// What a human asks of the owner and of somebody else.
fn tickets(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(4).nodes(2));
    for (node, n) in [(0, 1), (1, 2)] {
        let requests = [
            AdminRequest::TicketNew {
                name: Label::truncated("a ticket"),
                expires: None,
            },
            AdminRequest::TicketList,
            AdminRequest::TicketRevoke {
                ticket: ticket(&mesh, 1),
            },
        ];
        for request in requests {
            let query = QueryId(n);
            let admin = Roster::Admin { query, request };
            mesh.tell(node, Letter::Roster(mesh.network(), admin));
        }
        mesh.run_for(secs(1));
    }
    judge.look(&mesh);
}
