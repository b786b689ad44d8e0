//! Admission, agreement, supervision.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a plant changes one sort of mail or effect and leaves all others alone"
)]

use super::{caught, hands, met};
use crate::{Ask, Mesh, secs};
use kernel::{Effect, Exit, How, Signer as _};
use messages::inference_worker::{Input as Worker, Sink};
use messages::peer_session::Input as Session;
use messages::ports::transport::Command;
use messages::roster::Input as Roster;
use messages::wire::latest::ControlFrame;
use messages::{
    Address, Credential, DeviceId, Kind, Label, Letter, Record, RecordClass, SignedRecord, Stamp,
    TicketKey,
};

/// The ticket that a node joined by.
fn ticket(mesh: &Mesh, node: usize) -> TicketKey {
    match mesh.credential(mesh.id(node)) {
        Credential::Ticket { grant, .. } => grant.grant.ticket,
        Credential::Owner { .. } => panic!("the owner has no ticket"),
    }
}

fn revoke(mesh: &mut Mesh, node: usize) {
    let network = mesh.network();
    let owner = std::sync::Arc::clone(&mesh.world.nodes[0].signer);
    let record = Record {
        network,
        class: RecordClass::Public,
        kind: Kind::REVOCATION,
        author: mesh.id(0),
        id: Label::truncated(&ticket(mesh, node).to_string()),
        stamp: Stamp(mesh.world.now(0).wall.0),
        value: Some(bytes::Bytes::new()),
    };
    let signature = owner.sign(&record.signing_bytes());
    let record = SignedRecord { record, signature };
    // Who passes a revocation on is not told it again.
    let from = mesh.id(1);
    let revoked = Roster::Revoked { from, record };
    mesh.tell(0, Letter::Roster(network, revoked));
}

#[test]
fn a_transport_that_admits_before_admit_is_caught() {
    let mut mesh = met(Mesh::seed(1).nodes(2));
    let peer = mesh.id(1);
    hands(&mut mesh, |node, who, effect| {
        if node != 0 {
            return vec![effect];
        }
        match effect {
            // Node 0 never comes to a verdict ...
            Effect::Tell(Letter::Session(_, _, Session::Verdict(_))) => Vec::new(),
            // ... its transport says all the same that it admits ...
            Effect::Tell(Letter::Transport(Command::Send {
                link,
                network,
                frame,
            })) => {
                let admit = matches!(*frame, ControlFrame::Proof(_));
                let frames = [
                    Some(frame),
                    admit.then(|| Box::new(ControlFrame::Admit(()))),
                ];
                let send = |frame| Command::Send {
                    link,
                    network,
                    frame,
                };
                let frames = frames.into_iter().flatten();
                frames
                    .map(|frame| Effect::Tell(Letter::Transport(send(frame))))
                    .collect()
            }
            // ... and hands jobs to the worker itself.
            Effect::Tell(Letter::Session(
                network,
                peer,
                Session::Inbound { stream, link, job },
            )) => {
                let sink = Sink::Stream(stream);
                let given = Worker::Job {
                    sink,
                    job: job.clone(),
                };
                let inbound = Session::Inbound { stream, link, job };
                assert_eq!(who, Address::Transport);
                vec![
                    Effect::Tell(Letter::Session(network, peer, inbound)),
                    Effect::Tell(Letter::Worker(DeviceId(0), given)),
                ]
            }
            effect => vec![effect],
        }
    });
    // The session begins anew, and has five seconds for its handshake.
    let session = Address::Session(mesh.network(), peer);
    assert!(mesh.kill_actor(0, session));
    mesh.run_for(secs(1));
    mesh.assert_clean();
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(2));
    caught(
        &mesh,
        "admission",
        "it serves node 1, which it has not admitted",
    );
}

#[test]
fn a_revoked_peer_that_is_kept_is_caught() {
    let mut mesh = met(Mesh::seed(2).nodes(3));
    hands(&mut mesh, |node, _, effect| match effect {
        Effect::Tell(Letter::Session(_, _, Session::Cut(_))) if node == 0 => Vec::new(),
        effect => vec![effect],
    });
    revoke(&mut mesh, 1);
    mesh.run_for(secs(2));
    caught(
        &mesh,
        "admission",
        "it still admits node 1, whose ticket was revoked",
    );
}

#[test]
fn a_revoked_peer_is_cut_everywhere_within_a_second() {
    let mut mesh = met(Mesh::seed(2).nodes(3));
    mesh.ask(1, Ask::new(1).max_tokens(1_000));
    mesh.run_for(secs(1));
    assert!(mesh.jobs(0) > 0);
    revoke(&mut mesh, 1);
    mesh.run_for(secs(2));
    assert!(mesh.jobs(0) == 0 && !mesh.is_active(2, 1));
    mesh.run_for(secs(200));
    mesh.assert_clean();
}

#[test]
fn a_verdict_on_a_void_credential_is_caught() {
    let mut mesh = Mesh::seed(3).nodes(3).absent(&[2]).checked().build();
    mesh.run_for(secs(1));
    // Every roster is shown a ticket that somebody else joined by, and takes it.
    let stolen = mesh.credential(mesh.id(1));
    hands(&mut mesh, move |node, _, effect| match effect {
        Effect::Tell(Letter::Roster(network, Roster::Judge { peer, .. })) if node == 0 => {
            let credential = stolen.clone();
            vec![Effect::Tell(Letter::Roster(
                network,
                Roster::Judge { peer, credential },
            ))]
        }
        Effect::Tell(Letter::Session(network, peer, Session::Verdict(_))) if node == 0 => {
            let verdict = Session::Verdict(messages::peer_session::Verdict::Admit { until: None });
            vec![Effect::Tell(Letter::Session(network, peer, verdict))]
        }
        effect => vec![effect],
    });
    mesh.start(2);
    mesh.run_for(secs(2));
    caught(
        &mesh,
        "admission",
        "it admits node 2, whose credential is void",
    );
}

#[test]
fn a_session_that_is_active_on_one_side_only_is_caught() {
    let mut mesh = met(Mesh::seed(4).nodes(3));
    mesh.run_for(secs(130));
    mesh.assert_clean();
    let mut mesh = met(Mesh::seed(4).nodes(3));
    mesh.cut(&[1], &[2]);
    mesh.run_for(secs(30));
    // Node 1 does not learn that its session with node 2 is active again.
    let peer = mesh.id(2);
    hands(&mut mesh, move |node, _, effect| match effect {
        Effect::Tell(Letter::Roster(_, Roster::Active { peer: of })) if node == 1 && of == peer => {
            Vec::new()
        }
        effect => vec![effect],
    });
    mesh.heal();
    mesh.run_for(secs(70));
    caught(
        &mesh,
        "agreement",
        "its session with node 2 is active only there",
    );
}

#[test]
fn nodes_that_do_not_find_each_other_are_caught() {
    let mut mesh = met(Mesh::seed(5).nodes(3));
    hands(&mut mesh, |node, _, effect| match effect {
        Effect::Tell(Letter::Transport(Command::Dial { .. })) if node > 0 => Vec::new(),
        effect => vec![effect],
    });
    mesh.cut(&[1], &[2]);
    mesh.run_for(secs(30));
    mesh.heal();
    mesh.run_for(secs(70));
    let what = "node 2 can be reached, and there is no session with it";
    caught(&mesh, "agreement", what);
}

#[test]
fn an_actor_that_is_not_started_again_is_caught() {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    mesh.kill_actor(0, Address::Observer);
    mesh.run_for(secs(20));
    mesh.assert_clean();
    // Its supervisor forgets it.
    mesh.kill_actor(0, Address::Observer);
    let effects = vec![Effect::Stop(Address::Observer, How::Kill)];
    mesh.world.apply(0, kernel::Source::World, effects);
    mesh.run_for(secs(20));
    let what = "ended and was not started again";
    caught(&mesh, "supervision", what);
}

#[test]
fn an_actor_that_is_silently_gone_is_caught() {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    let boot = mesh.world.nodes[0].boot.as_mut().unwrap();
    boot.mailboxes.remove(&Address::Router);
    mesh.run_for(secs(3));
    caught(&mesh, "supervision", "router is gone, and nobody was told");
}

#[test]
fn a_crash_that_nobody_planned_is_caught() {
    let mut mesh = met(Mesh::seed(7).nodes(2));
    let life = mesh.world.nodes[0].boot.as_ref().unwrap();
    let life = life.switchboard.live(Address::Router).unwrap();
    let exit = Exit::Failed("a broken table".to_owned());
    mesh.world.exited(0, Address::Router, life, exit);
    caught(
        &mesh,
        "supervision",
        "failed: a broken table, which nobody had planned",
    );
}

#[test]
fn a_restart_that_does_not_wait_is_caught() {
    let mut mesh = met(Mesh::seed(8).nodes(2));
    for _ in 0..3 {
        mesh.kill_actor(0, Address::Router);
        mesh.run_for(crate::millis(100));
    }
    mesh.assert_clean();
    // Whoever asks for a restart storm forgets what came before.
    mesh.kill_actor(0, Address::Router);
    let effects = vec![Effect::Stop(Address::Router, How::Kill)];
    mesh.world.apply(0, kernel::Source::World, effects);
    let child = tree::Plan {
        networks: Vec::new(),
        workers: Vec::new(),
        control: false,
    };
    let children = child.children().into_iter();
    let router = children.filter(|child| child.at == Address::Router);
    let effects = router.map(|child| Effect::Start(std::sync::Arc::new(child)));
    let effects = effects.collect();
    mesh.world.apply(0, kernel::Source::World, effects);
    caught(&mesh, "supervision", "early after failure 4");
}
