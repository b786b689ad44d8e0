//! Limits of mailboxes, of drivers' queues and of actors' tables.

use super::{caught, met};
use crate::node::{Boot, Mailbox};
use crate::{EngineFault, Mesh, secs};
use kernel::{Mail, Source};
use messages::observer::{FactKey, Input as Observed};
use messages::peer_session::Input as Session;
use messages::ports::engine::Command as OfEngine;
use messages::ports::gateway::Command as OfGateway;
use messages::wire::latest::ControlFrame;
use messages::{Address, DeviceId, Letter, LinkId, RequestId, Text};

/// Two nodes; what a plant does to the first one's drivers or mailboxes is seen.
fn sees(sentence: &str, plant: impl FnOnce(&mut Boot)) {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    mesh.run_for(secs(1));
    mesh.assert_clean();
    let boot = mesh.world.nodes[0].boot.as_mut().unwrap();
    plant(boot);
    // As if all of it had come about in one step.
    let mailboxes = boot.mailboxes.walk().map(|(who, _)| (0, who));
    mesh.world.changed.mailboxes.extend(mailboxes);
    mesh.world.changed.drivers.push(0);
    mesh.world.check(0);
    caught(&mesh, "queues", sentence);
}

/// Lets a letter in past the doorkeeper.
fn push(mailbox: &mut Mailbox, letter: Letter) {
    mailbox.depth += kernel::Depth::of(&letter.class());
    mailbox
        .mail
        .push_back((Source::World, Mail::Letter(letter)));
}

fn mailbox(boot: &mut Boot, who: Address) -> &mut Mailbox {
    boot.mailboxes.get_mut(&who).unwrap()
}

fn forget() -> Letter {
    Letter::Observer(Observed::Forget(FactKey::Models))
}

#[test]
fn a_mailbox_that_lets_everybody_in_is_caught() {
    sees("letters and 0 signals wait for observer", |boot| {
        let mailbox = mailbox(boot, Address::Observer);
        for _ in 0..=mailbox.limits.letters + mailbox.limits.reserve {
            push(mailbox, forget());
        }
    });
}

#[test]
fn a_mailbox_that_takes_too_many_bytes_is_caught() {
    sees("83886208 bytes wait for gateway", |boot| {
        let text = vec![b'x'; 40 << 20];
        for _ in 0..2 {
            let delta = OfGateway::Delta {
                request: RequestId { boot: 9, n: 9 },
                offset: 0,
                text: Text(text.clone().into()),
            };
            push(mailbox(boot, Address::Gateway), Letter::Gateway(delta));
        }
    });
}

#[test]
fn a_session_that_takes_too_many_frames_is_caught() {
    sees("bytes of frames wait for session", |boot| {
        let is_session = |who: &Address| matches!(who, Address::Session(..));
        let mut all = boot.mailboxes.walk().map(|(who, _)| who);
        let session = all.find(is_session).unwrap();
        drop(all);
        let Address::Session(network, peer) = session else {
            unreachable!("only sessions were looked for")
        };
        let frame = ControlFrame::Ping(1);
        for _ in 0..=(1 << 20) / frame.weight() {
            let (link, frame) = (LinkId(1), frame.clone());
            let input = Session::Frame { link, frame };
            push(
                mailbox(boot, session),
                Letter::Session(network, peer, input),
            );
        }
    });
}

#[test]
fn a_mailbox_that_miscounts_is_caught() {
    sees("wait for observer, and 0 are counted", |boot| {
        let mailbox = mailbox(boot, Address::Observer);
        let uncounted = (Source::World, Mail::Letter(forget()));
        mailbox.mail.push_back(uncounted);
    });
}

#[test]
fn what_waits_too_long_at_a_driver_is_caught() {
    for (frames, packets, gone, sentence) in [
        (17, 0, 0, "17 frames wait for a session to speak"),
        (0, 0, 1_025, "1025 links are remembered"),
    ] {
        sees(sentence, |boot| {
            boot.drivers.transport.stuff(frames, packets, gone);
        });
    }
    sees("1025 commits wait for the disk", |boot| {
        boot.drivers.store.stuff(1_025);
    });
    let bytes = 1 + (16 << 20);
    sees("16777217 bytes wait for a client", |boot| {
        boot.drivers.gateway.stuff(bytes);
    });
}

#[test]
fn a_dial_that_keeps_too_much_of_what_comes_early_is_caught() {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    mesh.cut(&[0], &[1]);
    let dials = |mesh: &Mesh| {
        let boots = mesh
            .world
            .nodes
            .iter()
            .filter_map(|node| node.boot.as_ref());
        boots
            .map(|boot| boot.drivers.transport.dialling())
            .sum::<usize>()
    };
    assert!(mesh.run_until(secs(60), |mesh| dials(mesh) > 0));
    for node in &mut mesh.world.nodes {
        let boot = node.boot.as_mut().unwrap();
        boot.drivers.transport.stuff(0, 17, 0);
    }
    mesh.run_for(secs(1));
    caught(&mesh, "queues", "17 packets wait for the answer to a dial");
}

#[test]
fn an_engine_that_holds_too_much_is_caught() {
    let job = |n| Box::new(Mesh::seed(6).nodes(2).build().job(1, n, 24));
    sees("holds 33 jobs", |boot| {
        let engine = boot.drivers.engines.get_mut(&DeviceId(0)).unwrap();
        for n in 0..33 {
            let mut out = crate::drivers::DriverOut::default();
            engine.command(0, OfEngine::Begin(job(n)), &mut out);
        }
    });
    sees("16385 commands wait for", |boot| {
        let engine = boot.drivers.engines.get_mut(&DeviceId(0)).unwrap();
        let mut out = crate::drivers::DriverOut::default();
        engine.fault(0, EngineFault::Stall(secs(9)), &mut out);
        for _ in 0..16_385 {
            engine.command(0, OfEngine::Step(Vec::new()), &mut out);
        }
    });
}

/// What an actor would show of each table if it were over its limit by one, or did not show it.
#[test]
fn a_table_that_is_over_its_limit_is_caught() {
    let tables = [
        ("members", 16_385, "roster"),
        ("dials", 9, "roster"),
        ("links", 5, "session"),
        ("jobs here", 1_025, "session"),
        ("jobs there", 2_049, "session"),
        ("active", 17, "worker"),
        ("queued", 65, "worker"),
        ("holders", 32_769, "router"),
        ("models", 65, "router"),
        ("waiting", 1_025, "router"),
        ("tokens", 131_073, "request"),
        ("holders", 17, "request"),
        ("facts", 16_385, "observer"),
        ("children", 16_385, "observer"),
    ];
    for (table, count, who) in tables {
        shows(
            who,
            table,
            Some(count),
            &format!("has {count} {table}, where {} may be", count - 1),
        );
        shows(who, table, Some(count - 1), "");
    }
    shows(
        "router",
        "waiting",
        None,
        "router does not show its waiting",
    );
}

/// Lets actors of this name show so much of a table: this is said, or nothing.
fn shows(name: &'static str, table: &'static str, count: Option<usize>, sentence: &str) {
    let mut mesh = met(Mesh::seed(6).nodes(2));
    mesh.world.plants.mirrors = Some(Box::new(move |_, who, mut view| {
        if who.to_string().starts_with(name) {
            assert!(
                view.facts.iter().any(|(fact, _)| *fact == table),
                "{view:?}"
            );
            view.facts.retain(|(fact, _)| *fact != table);
            let shown = count.map(|count| (table, count.to_string()));
            view.facts.extend(shown);
        }
        view
    }));
    mesh.ask(1, crate::Ask::new(1).max_tokens(2));
    mesh.run_for(secs(2));
    match sentence {
        "" => mesh.assert_clean(),
        sentence => caught(&mesh, "queues", sentence),
    }
}

#[test]
fn what_a_step_changes_is_looked_at_after_it() {
    let found = |plant: &dyn Fn(&mut Mesh)| {
        let mut mesh = met(Mesh::seed(6).nodes(2));
        mesh.run_for(secs(1));
        plant(&mut mesh);
        mesh.run_until(secs(5), |mesh| !mesh.violations().is_empty());
        mesh
    };
    let mesh = found(&|mesh| {
        let boot = mesh.world.nodes[0].boot.as_mut().unwrap();
        let mailbox = mailbox(boot, Address::Observer);
        push(mailbox, forget());
        mailbox.depth = kernel::Depth::default();
        mesh.tell(0, forget());
    });
    caught(&mesh, "queues", "letters wait for observer, and");
    let mesh = found(&|mesh| {
        let boot = mesh.world.nodes[0].boot.as_mut().unwrap();
        boot.drivers.transport.stuff(0, 0, 1_025);
    });
    caught(&mesh, "queues", "1025 links are remembered");
}
