//! Admission, agreement, supervision.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a plant changes one sort of mail or effect and leaves all others alone"
)]

use super::{caught, hands, met};
use crate::checkers::Seen;
use crate::{Ask, Costs, InputClass, Kind as Sort, Mesh, millis, secs};
use kernel::{Effect, Exit, How, Signer as _, TraceEvent};
use messages::inference_worker::{Input as Worker, Sink};
use messages::peer_session::{Input as Session, Verdict};
use messages::ports::stream::Command as OfStream;
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
    let revoked = Roster::Revoked {
        from,
        record: record.into(),
    };
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
    // A busy node has three rounds more.
    for (round, wait) in [(0, 2), (2, 8)] {
        let mut mesh = met(Mesh::seed(2).nodes(3));
        hands(&mut mesh, |node, _, effect| match effect {
            Effect::Tell(Letter::Session(_, _, Session::Cut(_))) if node == 0 => Vec::new(),
            effect => vec![effect],
        });
        mesh.busy(0, secs(round));
        revoke(&mut mesh, 1);
        mesh.run_for(secs(wait));
        let what = "it still admits node 1, whose ticket was revoked";
        caught(&mesh, "admission", what);
    }
}

#[test]
fn a_busy_node_cuts_a_revoked_peer_when_it_has_its_turns() {
    // A turn that ends when the round has gone on has its effects in the next one.
    let slow = Costs::NONE.turn(Sort::Session, InputClass::Control, millis(150));
    let slow = slow.turn(Sort::Roster, InputClass::Control, millis(150));
    for seed in 0..20 {
        let mut mesh = met(Mesh::seed(seed).nodes(3).costs(slow));
        mesh.ask(1, Ask::new(1).max_tokens(1_000));
        mesh.run_for(millis(500 + 97 * seed));
        (0..3).for_each(|node| mesh.busy(node, secs(2)));
        revoke(&mut mesh, 1);
        mesh.run_for(secs(15));
        assert!(!mesh.is_active(0, 1) && !mesh.is_active(2, 1));
        mesh.assert_clean();
    }
}

#[test]
fn a_revoked_peer_that_is_served_on_is_caught() {
    let mut mesh = met(Mesh::seed(2).nodes(2));
    mesh.ask(1, Ask::new(1).max_tokens(1_000));
    mesh.run_for(secs(1));
    assert!(mesh.jobs(0) > 0);
    // The session is cut, but its link and its streams are not.
    hands(&mut mesh, |node, _, effect| match &effect {
        Effect::Tell(Letter::Transport(Command::Close { .. } | Command::Send { .. }))
        | Effect::Tell(Letter::Stream(_, OfStream::Cancel))
            if node == 0 =>
        {
            Vec::new()
        }
        _ => vec![effect],
    });
    revoke(&mut mesh, 1);
    mesh.run_for(secs(2));
    let what = "it serves node 1, whose ticket was revoked";
    caught(&mesh, "admission", what);
}

#[test]
fn a_verdict_on_a_revoked_ticket_is_caught() {
    let mut mesh = met(Mesh::seed(2).nodes(3));
    revoke(&mut mesh, 1);
    mesh.run_for(secs(2));
    mesh.close(1);
    mesh.run_for(secs(1));
    mesh.assert_clean();
    hands(&mut mesh, |node, _, mut effect| {
        if let Effect::Tell(Letter::Session(_, _, Session::Verdict(verdict))) = &mut effect
            && node == 0
        {
            *verdict = Verdict::Admit { until: None };
        }
        vec![effect]
    });
    mesh.start(1);
    mesh.run_for(secs(2));
    let what = "it admits node 1, whose ticket was revoked";
    caught(&mesh, "admission", what);
}

#[test]
fn a_verdict_on_nothing_is_caught() {
    let mut mesh = Mesh::seed(3).nodes(2).absent(&[1]).checked().build();
    mesh.run_for(secs(1));
    // The roster is not asked, and a verdict comes all the same.
    hands(&mut mesh, |node, _, effect| match effect {
        Effect::Tell(Letter::Roster(network, Roster::Judge { peer, .. })) if node == 0 => {
            let verdict = Session::Verdict(Verdict::Admit { until: None });
            vec![Effect::Tell(Letter::Session(network, peer, verdict))]
        }
        effect => vec![effect],
    });
    mesh.start(1);
    mesh.run_for(secs(2));
    let what = "it admits node 1, which has shown nothing";
    caught(&mesh, "admission", what);
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
                Roster::Judge {
                    peer,
                    credential: credential.into(),
                },
            ))]
        }
        Effect::Tell(Letter::Session(network, peer, Session::Verdict(_))) if node == 0 => {
            let verdict = Session::Verdict(Verdict::Admit { until: None });
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
fn who_moved_cannot_be_found_by_who_moved() {
    let mut mesh = met(Mesh::seed(5).nodes(3));
    mesh.run_for(secs(20));
    mesh.cut(&[0], &[1, 2]);
    mesh.rebind(1);
    mesh.rebind(2);
    mesh.run_for(secs(130));
    assert!(!mesh.is_active(1, 2));
    mesh.assert_clean();
    mesh.heal();
    mesh.run_for(secs(70));
    assert!(mesh.is_active(1, 2));
    mesh.assert_clean();
}

#[test]
fn who_stayed_is_found_by_who_moved() {
    let mut mesh = met(Mesh::seed(5).nodes(3));
    mesh.run_for(secs(20));
    hands(&mut mesh, |node, _, effect| match effect {
        Effect::Tell(Letter::Transport(Command::Dial { .. })) if node > 0 => Vec::new(),
        effect => vec![effect],
    });
    mesh.cut(&[0], &[1, 2]);
    mesh.rebind(1);
    mesh.cut(&[1], &[2]);
    mesh.run_for(secs(30));
    mesh.heal();
    mesh.cut(&[0], &[1, 2]);
    mesh.run_for(secs(100));
    let what = "node 2 can be reached, and there is no session with it";
    caught(&mesh, "agreement", what);
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
fn a_node_that_is_not_told_who_is_here_is_caught() {
    for told in [true, false] {
        let mut mesh = met(Mesh::seed(5).nodes(4).absent(&[2, 3]));
        mesh.cut(&[1], &[2]);
        if !told {
            hands(&mut mesh, |node, _, effect| match effect {
                Effect::Tell(Letter::Session(_, _, Session::Introduce(_))) if node == 0 => {
                    Vec::new()
                }
                effect => vec![effect],
            });
        }
        // Of who was there, and is there no more, nobody has to hear.
        mesh.start(3);
        mesh.run_for(secs(3));
        mesh.kill(3);
        mesh.run_for(secs(40));
        mesh.start(2);
        mesh.run_for(secs(130));
        if told {
            mesh.assert_clean();
        } else {
            caught(
                &mesh,
                "agreement",
                "it knows 2 members, and node 0 has 2 peers",
            );
        }
    }
}

#[test]
fn a_node_that_stood_still_is_given_time() {
    // Around the moment at which the observer is to be there again.
    for moment in 0..40 {
        let mut mesh = met(Mesh::seed(6).nodes(2));
        mesh.kill_actor(0, Address::Observer);
        mesh.freeze(0);
        mesh.run_for(crate::millis(9_950 + moment * 3));
        mesh.thaw(0);
        mesh.run_for(secs(25));
        mesh.assert_clean();
    }
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

#[test]
fn an_actor_that_lives_twice_is_caught() {
    let mut mesh = met(Mesh::seed(8).nodes(2));
    let boot = mesh.world.nodes[0].boot.as_ref().unwrap();
    let life = boot.switchboard.live(Address::Router).unwrap();
    let again = Seen::Turn(Address::Router, life, &TraceEvent::Start);
    mesh.world.show(0, &again);
    let what = "router was started while it lived";
    caught(&mesh, "supervision", what);
}

#[test]
fn a_switchboard_that_contradicts_itself_is_caught() {
    let mut mesh = met(Mesh::seed(8).nodes(2));
    // The waits between restarts grow past the time from one count to the next.
    for _ in 0..9 {
        mesh.kill_actor(0, Address::Router);
        mesh.run_until(secs(9), |mesh| mesh.phase(0, Address::Router).is_some());
    }
    mesh.assert_clean();
    mesh.kill_actor(0, Address::Router);
    // Whoever waits to be started again is made a leaf, and its restart stays where it was.
    let boot = mesh.world.nodes[0].boot.as_mut().unwrap();
    boot.switchboard.leaf_up(Address::Router);
    mesh.run_for(secs(2));
    let what = "the switchboard's tables contradict each other";
    caught(&mesh, "supervision", what);
}
