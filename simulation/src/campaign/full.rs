//! Mailboxes that are full, and births that take long.

use super::crowded::{key_of, record};
use super::{Judge, Part};
use crate::costs::{InputClass, Kind};
use crate::{Ask, Costs, Mesh, MeshBuilder, millis, secs};
use kernel::{Effect, How, Source};
use messages::inference_worker::{Input as Worker, Sink};
use messages::observer::{Asker, Input as Observed};
use messages::peer_session::Input as Session;
use messages::ports::transport::Command;
use messages::request_proxy::{Flow, Input as Proxy};
use messages::roster::Input as Roster;
use messages::wire::latest::{ControlFrame, Deny, Frame as _};
use messages::{
    Address, DeviceId, Letter, List, Message, Micros, NetworkId, Prompt, QueryId, RequestId, Role,
    Text, Token,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("a full observer", full_observer),
    Part::new("a full request", full_request),
    Part::new("full sessions", full_sessions),
    Part::new("a full roster", full_roster),
    Part::new("a full transport", full_transport),
    Part::new("long births", long_births),
    Part::new("slow workers", slow_workers),
    Part::new("slow routers", slow_routers),
    Part::new("more jobs than letters", more_jobs_than_letters),
    Part::new("silence between question and job", silence_between),
    Part::new("cut between question and stream", cut_between),
    Part::new("leaving between question and job", leaving_between),
];

fn slow(kind: Kind, cost: Micros) -> MeshBuilder {
    let classes = [InputClass::Control, InputClass::Data, InputClass::Signal];
    let costs = classes
        .into_iter()
        .fold(Costs::NONE, |costs, class| costs.turn(kind, class, cost));
    Mesh::seed(1).nodes(4).engines(&[0]).costs(costs).checked()
}

fn query() -> Letter {
    let (query, asker) = (QueryId(1), Asker::Gateway);
    Letter::Observer(Observed::Query { query, asker })
}

fn full_observer(judge: &mut Judge) {
    let mut mesh = slow(Kind::Observer, Micros(10)).build();
    mesh.run_for(secs(2));
    for _ in 0..9_000 {
        mesh.tell(0, query());
    }
    mesh.run_for(secs(2));
    mesh.kill_actor(0, Address::Observer);
    for _ in 0..300 {
        mesh.tell(0, query());
    }
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

/// The request of a local client is so slow that its holder's replies find no room.
fn full_request(judge: &mut Judge) {
    let mut mesh = slow(Kind::Proxy, millis(4)).step(millis(1)).build();
    mesh.run_for(secs(2));
    let client = mesh.ask(0, Ask::new(1).max_tokens(2_000));
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
    for _ in 0..700 {
        let told = Proxy::Client(Flow::Ready);
        mesh.tell(0, Letter::Proxy(client.request(), told));
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// Sessions that are so slow that their roster and the transport find no room.
fn full_sessions(_judge: &mut Judge) {
    let builder = slow(Kind::Session, Micros(500)).absent(&[3]);
    let mut mesh = builder.build();
    mesh.run_for(secs(3));
    let (network, peer) = (mesh.network(), mesh.id(1));
    for _ in 0..6_000 {
        let request = RequestId { boot: 1, n: 1 };
        let attempt = 1;
        let failed = Session::OpenFailed { request, attempt };
        mesh.tell(0, Letter::Session(network, peer, failed));
    }
    mesh.start(3);
    mesh.run_for(secs(1));
    mesh.revoke(1);
    mesh.run_for(secs(10));
}

/// The roster is so slow that nobody can tell it anything.
fn full_roster(_judge: &mut Judge) {
    let absent: Vec<usize> = (4..40).collect();
    let builder = slow(Kind::Roster, Micros(300)).nodes(40).absent(&absent);
    let mut mesh = builder.build();
    mesh.run_for(secs(3));
    let network = mesh.network();
    for _ in 0..9_000 {
        let done = Roster::Committed(Token(u64::MAX));
        mesh.tell(1, Letter::Roster(network, done));
        let done = Roster::Committed(Token(u64::MAX));
        mesh.tell(0, Letter::Roster(network, done));
    }
    // A peer names somebody who is not there, again and again.
    for _ in 0..40 {
        let entries = List::default();
        let bytes = ControlFrame::Introductions(entries).encode();
        mesh.send_control(1, 0, bytes.unwrap_or_default());
    }
    mesh.unload(0);
    for node in absent {
        mesh.start(node);
    }
    mesh.run_for(secs(15));
}

/// The transport is so slow that what sessions ask of it waits for many seconds, or comes back.
fn full_transport(_judge: &mut Judge) {
    for (flood, cut) in [(700, None), (700, Some(3)), (9_000, Some(0))] {
        let mut mesh = slow(Kind::Transport, millis(20)).build();
        mesh.run_for(secs(20));
        let (network, peer) = (mesh.network(), mesh.id(0));
        for _ in 0..flood {
            let detach = Command::Detach(NetworkId([9; 32]));
            mesh.tell(1, Letter::Transport(detach));
        }
        for seed in 0..4 {
            mesh.ask(1, Ask::new(seed).max_tokens(10));
        }
        if let Some(after) = cut {
            mesh.run_for(secs(after));
            let record = record(&mesh, &key_of(0));
            mesh.tell(
                1,
                Letter::Session(network, peer, Session::Revoke(record.into())),
            );
            mesh.run_for(secs(1));
            let cut = Session::Cut(Deny::Revoked);
            mesh.tell(1, Letter::Session(network, peer, cut));
        }
        mesh.run_for(secs(40));
    }
}

/// Actors that are stopped before they live, and spoken to.
fn long_births(_judge: &mut Judge) {
    for after in [0, 1, 5] {
        let long = Costs::NONE
            .birth(Kind::Worker, millis(800))
            .birth(Kind::Router, millis(800))
            .turn(Kind::Observer, InputClass::Control, Micros(1));
        let builder = Mesh::seed(2).nodes(2).engines(&[0]).absent(&[0]);
        let mut mesh = builder.costs(long).build();
        mesh.start(0);
        mesh.run_for(millis(after));
        let worker = Address::Worker(DeviceId(0));
        for n in 0..12 {
            let mut job = mesh.job(1, n, 5);
            let message = Message {
                role: Role::User,
                content: Text::from("x".repeat(500_000).as_str()),
            };
            job.prompt = Prompt::Chat(List::truncated([message]));
            let (sink, job) = (Sink::Proxy(RequestId { boot: 9, n }), Box::new(job));
            mesh.tell(0, Letter::Worker(DeviceId(0), Worker::Job { sink, job }));
        }
        for who in [worker, Address::Router] {
            let stop = vec![Effect::Stop(who, How::Kill)];
            mesh.world.apply(0, Source::World, stop);
        }
        mesh.run_for(secs(5));
    }
}

/// More jobs of one peer than it may have here, before the worker can say that it is full.
fn slow_workers(_judge: &mut Judge) {
    let mut mesh = slow(Kind::Worker, millis(5)).build();
    mesh.run_for(secs(3));
    for n in 0..1_200 {
        let bytes = mesh.job_bytes(1, n, 50);
        mesh.send_job(1, 0, bytes);
    }
    mesh.run_for(secs(20));
}

/// A session leaves when a request knows already that it is to go there.
fn leaving_between(_judge: &mut Judge) {
    for moment in 0..30 {
        let builder = slow(Kind::Proxy, millis(20)).step(millis(1));
        let mut mesh = builder.build();
        mesh.run_for(secs(3));
        mesh.ask(1, Ask::new(1).max_tokens(20_000));
        mesh.run_for(secs(1));
        mesh.ask(1, Ask::new(2).max_tokens(10));
        mesh.run_for(millis(moment * 4));
        let (network, peer) = (mesh.network(), mesh.id(0));
        mesh.tell(1, Letter::Session(network, peer, Session::Leave));
        mesh.run_for(secs(2));
    }
}

/// No router answers in time.
fn slow_routers(judge: &mut Judge) {
    let mut mesh = slow(Kind::Router, secs(4)).build();
    mesh.run_for(secs(30));
    for seed in 0..6 {
        mesh.ask(1, Ask::new(seed).max_tokens(10));
        mesh.run_for(secs(3));
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// A peer opens more streams than its session has room for letters.
fn more_jobs_than_letters(_judge: &mut Judge) {
    let mut mesh = slow(Kind::Session, millis(1)).build();
    mesh.run_for(secs(3));
    for n in 0..5_000 {
        let bytes = mesh.job_bytes(1, n, 5);
        mesh.send_job(1, 0, bytes);
    }
    mesh.run_for(secs(10));
}

/// A peer falls silent between a question and its job.
fn silence_between(_judge: &mut Judge) {
    for moment in 0..60 {
        let mut mesh = slow(Kind::Proxy, millis(150)).build();
        mesh.run_for(secs(3));
        mesh.freeze(0);
        mesh.run_for(millis(1_500 + moment * 100));
        mesh.ask(1, Ask::new(1).max_tokens(10));
        mesh.run_for(secs(1));
    }
}

/// A session is cut when a stream that it asked for is about to open.
fn cut_between(_judge: &mut Judge) {
    for moment in 0..60 {
        let mut mesh = slow(Kind::Session, millis(3)).build();
        mesh.run_for(secs(3));
        mesh.ask(1, Ask::new(1).max_tokens(10));
        mesh.run_for(Micros(moment * 250));
        let (network, peer) = (mesh.network(), mesh.id(0));
        let cut = Session::Cut(Deny::Revoked);
        mesh.tell(1, Letter::Session(network, peer, cut));
        mesh.run_for(secs(1));
    }
}
