//! What no neighbour that keeps the rules says: engines, disks and peers that say too much, or
//! something else. It is said as letters and packets, past who should have said it, so that the
//! checkers look on only where nobody else is held to it.

use super::{Judge, Part, met};
use crate::campaign::storms::kill_until_spent;
use crate::{Ask, ClientId};
use crate::{DiskFault, EngineFault, Mesh, millis, secs};
use kernel::scripted;
use messages::inference_worker::{Input as Worker, Sink};
use messages::observer::{ChildState, DeviceFact, Fact, FactKey, Input as Observed};
use messages::peer_session::Input as Session;
use messages::ports::engine::Event;
use messages::roster::{AdminRequest, Input as Roster};
use messages::router::{Input as Router, Query};
use messages::wire::latest::{Accepted, ControlFrame, Frame as _, Hello, JobReply, Load, Refused};
use messages::{
    Address, DeviceId, Digest, Job, JobId, Label, Letter, LinkId, List, ModelAdvert, NetworkId,
    NodeId, QueryId, Refusal, RequestId, TokenId,
};

pub(super) const PARTS: &[Part] = &[
    Part::new("an engine rejects", engine_rejects),
    Part::new("refusal upon refusal", refusals),
    Part::new("another prompt", another_prompt),
    Part::new("another list of models", other_models),
    Part::new("holders without token ids", no_token_ids),
    Part::new("jobs past the rules", odd_jobs),
    Part::new("a crowded observer", crowded_observer),
    Part::new("disks and writes", disks),
    Part::new("Hellos", hellos),
    Part::new("links of nobody", odd_links),
    Part::new("young routers, many questions", many_questions),
];

const DEVICE: DeviceId = DeviceId(0);

fn engine(event: Event) -> Letter {
    Letter::Worker(DEVICE, Worker::Engine(event))
}

fn job_of(mesh: &Mesh, client: ClientId, attempt: u32) -> JobId {
    JobId {
        origin: mesh.id(client.node()),
        request: client.request(),
        attempt,
    }
}

/// The engine cannot do a job, while it reads its prompt.
fn engine_rejects(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(1).nodes(2).engines(&[0]));
    mesh.engine(0, EngineFault::SlowPrefill(secs(2)));
    let client = mesh.ask(1, Ask::new(1).max_tokens(20));
    mesh.run_for(millis(200));
    let why = Refusal::Unsupported(Label::truncated("no grammar"));
    let job = job_of(&mesh, client, 1);
    mesh.tell(0, engine(Event::Rejected { job, why }));
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

/// One holder after the other refuses: as full, as failed, as one that reads another prompt.
fn refusals(judge: &mut Judge) {
    let nodes = 44;
    let engines: Vec<usize> = (1..nodes).collect();
    let busy = Refusal::Busy {
        retry_after_ms: 60_000,
    };
    let failed = Refusal::EngineFailed(Label::truncated("a test"));
    for why in [busy, failed, Refusal::PromptMismatch] {
        let mut mesh = met(Mesh::seed(1).nodes(nodes).engines(&engines));
        for node in &engines {
            mesh.engine(*node, EngineFault::SlowPrefill(secs(20)));
        }
        mesh.run_for(secs(2));
        let client = mesh.ask(0, Ask::new(1).max_tokens(20));
        for attempt in 1..=200 {
            mesh.run_for(millis(3));
            let why = why.clone();
            mesh.forge_reply(client, JobReply::Refused(Refused { attempt, why }));
        }
        mesh.run_for(secs(30));
        judge.look(&mesh);
    }
}

/// The second holder reads the prompt as other tokens.
fn another_prompt(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(2).nodes(4).engines(&[0, 2, 3]));
    let client = mesh.ask(1, Ask::new(1).max_tokens(200));
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
    for node in [0, 2, 3] {
        mesh.engine(node, EngineFault::SlowPrefill(secs(2)));
    }
    let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
    let server = server.unwrap_or(0);
    mesh.kill(server);
    let others = [0, 2, 3].into_iter().filter(|node| *node != server);
    let others: Vec<usize> = others.collect();
    mesh.run_until(secs(20), |mesh| {
        others.iter().any(|node| mesh.jobs(*node) > 0)
    });
    for node in others {
        for attempt in 1..=6 {
            let began = Event::Began {
                job: job_of(&mesh, client, attempt),
                prompt: Digest::of("another", &[]),
                prompt_tokens: 3,
            };
            mesh.tell(node, engine(began));
        }
    }
    for attempt in 2..=6 {
        let accepted = JobReply::Accepted(Accepted {
            attempt,
            prompt: Digest::of("another", &[]),
            prompt_tokens: 3,
            compute: scripted::advert().compute,
        });
        mesh.forge_reply(client, accepted);
    }
    mesh.run_for(secs(30));
    judge.look(&mesh);
}

/// Nothing is served any more, while jobs wait; then more models than a record holds.
fn other_models(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(3).nodes(2).engines(&[0]));
    for seed in 0..40 {
        mesh.ask(1, Ask::new(seed).max_tokens(400));
    }
    mesh.run_for(millis(300));
    mesh.unload(0);
    let (job, sink) = (mesh.job(1, 1, 5), own_sink(1));
    mesh.tell(0, worker_job(job, sink));
    mesh.run_for(secs(2));
    let long = |n: u8| ModelAdvert {
        model: messages::ModelId([n; 32]),
        name: Label::truncated(&format!("{n} {}", "x".repeat(1_000))),
        ..scripted::advert()
    };
    let models = List::truncated((0..=255).map(long));
    mesh.tell(0, engine(Event::Ready { models }));
    mesh.run_for(secs(5));
    judge.look(&mesh);
}

/// A holder that draws no tokens by which another could go on.
fn no_token_ids(judge: &mut Judge) {
    for (seed, who) in [(1, &[0, 2][..]), (2, &[2]), (3, &[2]), (4, &[0]), (5, &[0])] {
        let mut mesh = met(Mesh::seed(seed).nodes(3).engines(&[0, 2]));
        let mut advert = scripted::advert();
        advert.compute.splice = false;
        for node in who {
            let models = List::truncated([advert.clone()]);
            mesh.tell(*node, engine(Event::Ready { models }));
        }
        mesh.run_for(secs(2));
        let client = mesh.ask(1, Ask::new(seed).max_tokens(100));
        mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
        let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
        mesh.kill(server.unwrap_or(0));
        mesh.run_for(secs(30));
        judge.look(&mesh);
    }
}

const fn own_sink(n: u64) -> Sink {
    Sink::Proxy(RequestId { boot: u64::MAX, n })
}

fn worker_job(job: Job, sink: Sink) -> Letter {
    let job = Box::new(job);
    Letter::Worker(DEVICE, Worker::Job { sink, job })
}

/// Jobs that no request asks for: tries that overtake each other, whole answers, too many networks.
fn odd_jobs(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(4).nodes(2).engines(&[0]).build();
    mesh.run_for(secs(2));
    for attempt in [2, 3, 1] {
        let mut job = mesh.job(1, 1, 50);
        job.id.attempt = attempt;
        mesh.tell(0, worker_job(job, own_sink(1)));
    }
    let mut whole = mesh.job(1, 2, 2);
    whole.resume = List::truncated([TokenId(1), TokenId(2)]);
    mesh.tell(0, worker_job(whole, own_sink(2)));
    mesh.run_for(secs(1));
    let mut unknown = mesh.job(1, 3, 5);
    unknown.model = messages::ModelId([7; 32]);
    mesh.tell(0, worker_job(unknown, own_sink(3)));
    for n in 0..=255 {
        let network = NetworkId([n; 32]);
        mesh.tell(0, Letter::Worker(DEVICE, Worker::Attach(network)));
    }
    mesh.run_for(secs(1));
    let why = Label::truncated("out of memory");
    mesh.tell(0, engine(Event::Failed { why }));
    let job = mesh.job(1, 4, 5);
    mesh.tell(0, worker_job(job, own_sink(4)));
    mesh.run_for(secs(1));
}

/// More facts and children than a snapshot holds.
fn crowded_observer(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(5).nodes(2).build();
    mesh.run_for(secs(2));
    let network = mesh.network();
    for n in 0..17_000_u64 {
        let mut peer = NodeId([9; 32]);
        peer.0[..8].copy_from_slice(&n.to_be_bytes());
        let address = Address::Session(network, peer);
        let state = ChildState::Running { starts: 1 };
        mesh.tell(0, Letter::Observer(Observed::Supervised { address, state }));
        if n % 1_000 == 0 {
            mesh.run_for(millis(1));
        }
    }
    for n in 0..17_000 {
        let fact = Fact::Device(DeviceFact {
            ready: false,
            why_not: None,
            models: List::default(),
            load: Load::default(),
            finished: 0,
        });
        let key = FactKey::Device(DeviceId(n));
        mesh.tell(0, Letter::Observer(Observed::Fact(key, Box::new(fact))));
        if n % 1_000 == 0 {
            mesh.run_for(millis(1));
        }
    }
    let (key, fact) = (FactKey::Network(network), Fact::Models(List::default()));
    mesh.tell(0, Letter::Observer(Observed::Fact(key, Box::new(fact))));
    mesh.run_for(millis(1));
}

fn admin(mesh: &Mesh, n: u64) -> Letter {
    let request = AdminRequest::TicketNew {
        name: Label::truncated("a ticket"),
        expires: None,
    };
    let query = QueryId(n);
    Letter::Roster(mesh.network(), Roster::Admin { query, request })
}

/// Revocations that find no disk; more writes than a slow disk takes.
fn disks(judge: &mut Judge) {
    let mut mesh = met(Mesh::seed(6).nodes(3));
    mesh.disk(0, DiskFault::Full);
    mesh.revoke(1);
    mesh.run_for(secs(5));
    mesh.disk(0, DiskFault::None);
    mesh.run_for(secs(40));
    judge.look(&mesh);
    let mut mesh = met(Mesh::seed(7).nodes(3));
    kill_until_spent(&mut mesh, Address::Store);
    mesh.revoke(1);
    mesh.run_for(secs(100));
    judge.look(&mesh);
    let mut mesh = met(Mesh::seed(8).nodes(2));
    mesh.disk(0, DiskFault::Slow(secs(5)));
    for n in 0..40 {
        let letter = admin(&mesh, n);
        mesh.tell(0, letter);
    }
    mesh.run_for(secs(60));
    judge.look(&mesh);
}

/// A peer that greets without end, and one that speaks another language.
fn hellos(_judge: &mut Judge) {
    for (version_max, times) in [(1, 60), (99, 1)] {
        let mut mesh = Mesh::seed(9).nodes(2).build();
        mesh.run_for(secs(2));
        let hello = Hello {
            version_min: version_max,
            version_max,
            features: 0,
            boot: 1,
        };
        for _ in 0..times {
            let bytes = ControlFrame::Hello(hello).encode().unwrap_or_default();
            mesh.send_control(1, 0, bytes);
        }
        mesh.run_for(secs(5));
    }
}

/// Connections by the dozen, to peers that are known and to one whose session ends.
fn odd_links(_judge: &mut Judge) {
    for leaves in [false, true] {
        let mut mesh = Mesh::seed(11).nodes(70).build();
        mesh.run_for(secs(4));
        let network = mesh.network();
        let up = |mesh: &mut Mesh, peer: usize, n: u64| {
            let (peer, link) = (mesh.id(peer), LinkId(1_000_000 + n));
            let dialled = false;
            let input = Roster::LinkUp {
                peer,
                link,
                dialled,
            };
            mesh.tell(0, Letter::Roster(network, input));
        };
        if leaves {
            let peer = mesh.id(1);
            mesh.tell(0, Letter::Session(network, peer, Session::Leave));
        }
        for n in 0..6 {
            up(&mut mesh, 1, n);
        }
        // Their sessions are gone before the roster hears of it.
        for peer in 2..70 {
            let session = Address::Session(network, mesh.id(peer));
            up(&mut mesh, peer, 100 + peer as u64);
            let stop = vec![kernel::Effect::Stop(session, kernel::How::Kill)];
            mesh.world.apply(0, kernel::Source::World, stop);
        }
        mesh.run_for(millis(1));
        for peer in 2..70 {
            up(&mut mesh, peer, 200 + peer as u64);
        }
        mesh.run_for(secs(1));
    }
}

/// More questions than wait for a router's neighbours.
fn many_questions(_judge: &mut Judge) {
    let mut mesh = Mesh::seed(12).nodes(2).build();
    mesh.run_for(secs(2));
    mesh.kill_actor(0, Address::Router);
    mesh.run_until(secs(1), |mesh| mesh.is_alive(0, Address::Router));
    for n in 0..1_100 {
        let query = Query {
            request: RequestId { boot: 1, n },
            attempt: 1,
            model: Label::truncated("scripted"),
            pinned: None,
            prefer: None,
            splice: false,
            exclude: List::default(),
        };
        mesh.tell(0, Letter::Router(Router::Route(Box::new(query))));
    }
    mesh.run_for(secs(2));
}
