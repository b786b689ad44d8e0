//! More models and more addresses than a list has room for: no few honest nodes have as many.

use super::{Judge, Part};
use crate::{Ask, Costs, InputClass, Kind as Sort, Mesh, millis, secs};
use kernel::Signer as _;
use messages::limits::{ADDRS_MAX, MODELS_MAX};
use messages::roster::Input as Roster;
use messages::router::{Input as Router, PeerState};
use messages::wire::latest::{Introduction, Load};
use messages::{
    Address, Capabilities, Digest, Kind, Label, Letter, List, Micros, ModelAdvert, ModelId, Record,
    RecordClass, SignedRecord, Stamp,
};
use std::net::{Ipv4Addr, SocketAddr};

pub(super) const PARTS: &[Part] = &[
    Part::new("more models than are listed", more_models),
    Part::new("more addresses than are dialled", more_addresses),
    Part::new("the last to speak has it", last_to_speak),
];

/// Peers that serve as many models as one may: more than are listed, and than are remembered.
const HOLDERS: usize = 5;

/// Peers serve more models together than are listed, and all leave.
fn more_models(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(1).nodes(HOLDERS + 1).engines(&[1]).build();
    mesh.run_for(secs(2));
    let pattern = mesh.models(0).into_iter().next();
    for holder in 1..=HOLDERS {
        let names = (0..MODELS_MAX).map(|n| format!("model {holder} {n}"));
        serve(&mut mesh, holder, names, pattern.as_ref());
    }
    mesh.run_for(millis(10));
    for holder in 1..=HOLDERS {
        let (network, peer) = (mesh.network(), mesh.id(holder));
        mesh.tell(0, Letter::Router(Router::PeerGone { network, peer }));
    }
    mesh.run_for(secs(1));
}

/// Node 0's router is told that a peer serves models of these names.
fn serve(
    mesh: &mut Mesh,
    holder: usize,
    names: impl Iterator<Item = String>,
    pattern: Option<&ModelAdvert>,
) {
    let models = names.filter_map(|name| {
        pattern.cloned().map(|pattern| ModelAdvert {
            model: ModelId(Digest::of("nobody", &[name.as_bytes()]).0),
            name: Label::truncated(&name),
            ..pattern
        })
    });
    let state = PeerState {
        network: mesh.network(),
        peer: mesh.id(holder),
        fresh: true,
        quiet: false,
        models: List::truncated(models),
        load: Load::default(),
        in_flight: 0,
        rtt: Micros::from_millis(1),
    };
    mesh.tell(0, Letter::Router(Router::Peer(Box::new(state))));
}

/// Whom a ticket named at one address says that it has as many as one may, and is dialled.
fn more_addresses(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(2).nodes(2).build();
    mesh.run_for(secs(2));
    let said = (1..=ADDRS_MAX as u16).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let capabilities = Capabilities {
        addrs: List::truncated(said),
        ..Capabilities::default()
    };
    let record = Record {
        network: mesh.network(),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: mesh.id(0),
        id: Label::default(),
        stamp: Stamp(mesh.world.now(0).wall.0 + 1_000_000),
        value: capabilities.encode().ok(),
    };
    let signature = mesh.world.nodes[0].signer.sign(&record.signing_bytes());
    let (from, record) = (mesh.id(0), SignedRecord { record, signature });
    let credential = mesh.credential(mesh.id(0));
    let entries = List::truncated([Introduction { record, credential }]);
    let told = Roster::Introduced { from, entries };
    mesh.tell(1, Letter::Roster(mesh.network(), told));
    mesh.run_for(millis(100));
    mesh.kill(0);
    mesh.run_for(secs(20));
}

/// A router begins anew while a client asks, and hears of a holder of something else before those
/// of what is asked for, whose sessions are slow to notice.
fn last_to_speak(_judge: &mut Judge) {
    let slow = Costs::NONE.turn(Sort::Session, InputClass::Signal, millis(800));
    let mut mesh = Mesh::seed(3).nodes(3).engines(&[2]).costs(slow).build();
    mesh.run_for(secs(5));
    let pattern = mesh.models(0).into_iter().next();
    mesh.kill_actor(0, Address::Router);
    mesh.ask(0, Ask::new(1).max_tokens(2));
    mesh.run_for(millis(300));
    let other = std::iter::once("another model".to_owned());
    serve(&mut mesh, 1, other, pattern.as_ref());
    mesh.run_for(secs(3));
}
