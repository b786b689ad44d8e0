//! Readers that do not read, engines that do not answer.

use super::{Judge, Part, met};
use crate::{Ask, Costs, Latency, Mesh, PathModel, millis, secs};
use messages::inference_worker::{Input as Worker, Sink};
use messages::peer_session::Input as Session;
use messages::request_proxy::{Flow, Input as Proxy};
use messages::{Address, DeviceId, Letter, Micros, RequestId};

pub(super) const PARTS: &[Part] = &[
    Part::new("slow readers", slow_readers),
    Part::new("silent engines", silent_engines),
    Part::new(
        "worker dies behind its last word",
        worker_dies_behind_its_last_word,
    ),
    Part::new(
        "worker dies before its last word is read",
        worker_dies_before_its_last_word_is_read,
    ),
    Part::new("jobs of nobody", jobs_of_nobody),
    Part::new("lost holders", lost_holders),
    Part::new("leaving nodes", leaving_nodes),
    Part::new("a node that leaves and boots anew", leaver_that_is_back),
    Part::new("a job before admission", job_before_admission),
    Part::new("a job while the engine loads", job_while_loading),
];

/// A client whose buffer is full, at the holder's own node and at another; then it reads again.
fn slow_readers(judge: &mut Judge) {
    for (node, pause) in [(0, 3), (1, 3), (0, 40), (1, 40)] {
        let mut mesh = met(Mesh::seed(1).nodes(2).engines(&[0]).step(Micros(200)));
        mesh.ask(node, Ask::new(1).max_tokens(60_000));
        mesh.run_for(millis(200));
        let request = RequestId { boot: 1, n: 1 };
        for (flow, span) in [(Flow::Full, pause), (Flow::Ready, 20)] {
            mesh.tell(node, Letter::Proxy(request, Proxy::Client(flow)));
            mesh.run_for(secs(span));
        }
        judge.look(&mesh);
    }
}

/// Both holders accept and say nothing.
fn silent_engines(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(3).engines(&[0, 2]));
    mesh.ask(1, Ask::new(1).max_tokens(200));
    mesh.run_for(millis(200));
    mesh.wedge(0, true);
    mesh.wedge(2, true);
    for node in 0..3 {
        mesh.ask(node, Ask::new(1).max_tokens(200));
    }
    mesh.run_for(secs(45));
    mesh.wedge(0, false);
    mesh.wedge(2, false);
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// A session dies with a job in its mailbox.
fn jobs_of_nobody(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(8).nodes(2).engines(&[0]));
    let session = Address::Session(mesh.network(), mesh.id(1));
    for effects in 0..6 {
        mesh.kill_actor_after_effects(0, effects, Some(session));
        mesh.send_jobs((1, 0), 1, Some(5));
        mesh.run_for(secs(8));
    }
    judge.look(&mesh);
}

/// Around the moment at which an answer ends.
fn worker_dies_behind_its_last_word(judge: &mut Judge) {
    for moment in 0..30 {
        let mut mesh = met(Mesh::seed(3).nodes(2).engines(&[0]).step(Micros(100)));
        mesh.ask(1, Ask::new(1).max_tokens(3_000));
        mesh.run_for(millis(10) + millis(moment * 12));
        mesh.kill_actor(0, Address::Worker(DeviceId(0)));
        mesh.run_for(secs(5));
        judge.look(&mesh);
    }
}

/// An answer that is drawn to its end, and waits for a client who does not read.
fn worker_dies_before_its_last_word_is_read(judge: &mut Judge) {
    for tokens in (4_000..32_000).step_by(1_000) {
        let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0]).step(Micros(100)));
        let client = mesh.ask(1, Ask::new(1).max_tokens(tokens));
        mesh.run_for(millis(200));
        let full = Letter::Proxy(client.request(), Proxy::Client(Flow::Full));
        mesh.tell(1, full);
        mesh.run_for(secs(8));
        mesh.kill_actor(0, Address::Worker(DeviceId(0)));
        mesh.run_for(secs(1));
        let ready = Letter::Proxy(client.request(), Proxy::Client(Flow::Ready));
        mesh.tell(1, ready);
        mesh.run_for(secs(20));
        judge.look(&mesh);
    }
}

/// A holder dies at every token, the last one too, with another left and without.
fn lost_holders(judge: &mut Judge) {
    for (engines, moments) in [(&[0, 2][..], 30), (&[0][..], 3)] {
        for moment in 0..moments {
            let mut mesh = met(Mesh::seed(4).nodes(3).engines(engines));
            let client = mesh.ask(1, Ask::new(1).max_tokens(24));
            mesh.run_until(secs(5), |mesh| {
                mesh.drawn(0) + mesh.drawn(2) >= moment && mesh.answer(client).served_by.is_some()
            });
            let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
            mesh.kill(server.unwrap_or(0));
            mesh.run_for(secs(20));
            judge.look(&mesh);
        }
    }
}

/// Either side leaves while a long job runs, and is asked for more.
fn leaving_nodes(judge: &mut Judge) {
    for (node, peer) in [(0, 1), (1, 0)] {
        let mut mesh = met(Mesh::seed(5).nodes(2).engines(&[0]).step(millis(1)));
        mesh.ask(1, Ask::new(1).max_tokens(100_000));
        mesh.run_for(millis(200));
        let session = (mesh.network(), mesh.id(peer));
        mesh.tell(node, Letter::Session(session.0, session.1, Session::Leave));
        mesh.ask(1, Ask::new(2).max_tokens(10));
        mesh.run_for(millis(1));
        mesh.ask(1, Ask::new(3).max_tokens(10));
        mesh.run_for(secs(65));
        judge.look(&mesh);
    }
}

/// A request is told of a session that begins anew.
fn job_before_admission(_judge: &mut Judge) {
    let far = PathModel::new(Latency::new(millis(200), millis(1)));
    let mut mesh = Mesh::seed(8).nodes(2).engines(&[0]).path(far).build();
    mesh.run_for(secs(5));
    mesh.kill_actor(1, Address::Session(mesh.network(), mesh.id(0)));
    mesh.run_for(millis(50));
    let (request, job) = (RequestId { boot: 9, n: 1 }, Box::new(mesh.job(1, 1, 5)));
    let open = Session::Open { request, job };
    mesh.tell(1, Letter::Session(mesh.network(), mesh.id(0), open));
    mesh.run_for(secs(1));
}

fn job_while_loading(_judge: &mut Judge) {
    let slow = Costs::NONE.load(secs(9));
    let mut mesh = Mesh::seed(9).nodes(2).engines(&[0]).costs(slow).build();
    mesh.run_for(secs(4));
    let request = RequestId { boot: 9, n: 1 };
    let (sink, job) = (Sink::Proxy(request), Box::new(mesh.job(1, 1, 5)));
    let job = Letter::Worker(DeviceId(0), Worker::Job { sink, job });
    mesh.tell(0, job);
    mesh.run_for(secs(5));
}

/// It leaves while a job runs, dies, and is back before its peer misses it.
fn leaver_that_is_back(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(10).nodes(2).engines(&[0]).step(millis(1)));
    mesh.ask(1, Ask::new(1).max_tokens(100_000));
    mesh.run_for(millis(200));
    let leave = Letter::Session(mesh.network(), mesh.id(1), Session::Leave);
    mesh.tell(0, leave);
    mesh.run_for(millis(200));
    mesh.kill(0);
    mesh.start(0);
    mesh.run_for(secs(5));
    judge.look(&mesh);
}
