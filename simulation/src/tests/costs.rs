//! Turns and births take time: mailboxes fill, and a child may be stopped before it is born.

use super::{check_text, finish, met};
use crate::{Ask, Costs, InputClass, Kind, Mesh, State, millis, secs};
use kernel::{Effect, Entropy, How, Source};
use messages::{Address, Letter, Micros, observer};

#[test]
fn mailboxes_fill_where_turns_take_time() {
    let deepest = |costs| {
        let mut mesh = met(Mesh::seed(1).nodes(3).engines(&[0]).costs(costs));
        for seed in 0..30 {
            mesh.ask(1, Ask::new(seed).max_tokens(40));
        }
        let mut deepest = 0;
        mesh.run_until(secs(20), |mesh| {
            deepest = deepest.max(mesh.deepest(1));
            false
        });
        deepest
    };
    let slow = Costs::NONE.turn(Kind::Gateway, InputClass::Data, Micros(2_000));
    let (free, slow) = (deepest(Costs::NONE), deepest(slow));
    assert!(slow >= 40 && slow > 2 * free, "{slow} against {free}");
}

#[test]
fn a_mailbox_that_is_full_turns_mail_away() {
    let costs = Costs::NONE.turn(Kind::Proxy, InputClass::Data, millis(40));
    let builder = Mesh::seed(2).nodes(2).engines(&[1]).step(Micros(200));
    let mut mesh = met(builder.costs(costs));
    let client = mesh.ask(1, Ask::new(2).max_tokens(2_000));
    let full = mesh.run_until(secs(60), |mesh| mesh.deepest(1) >= 512);
    assert!(full, "a request is slower than its engine");
    let answer = finish(&mut mesh, client);
    let whole = kernel::scripted::text(2, 2_000);
    assert!(
        whole.starts_with(&answer.text),
        "no hole: {:?}",
        answer.state
    );
    assert_eq!(answer.ends, 1);
}

#[test]
fn a_turn_ends_when_its_time_is_over_and_the_next_begins_then() {
    let cost = Micros(1_000);
    let costs = Costs::NONE.turn(Kind::Observer, InputClass::Control, cost);
    let mut mesh = Mesh::seed(3).nodes(1).costs(costs).build();
    mesh.run_for(secs(1));
    let before = mesh.report().turns;
    for n in 0..100 {
        mesh.tell(0, query(n));
    }
    mesh.run_for(Micros(50_000));
    let turns = mesh.report().turns - before;
    assert!(
        (33..=67).contains(&turns),
        "{turns} turns of about 1 ms in 50 ms"
    );
    mesh.run_for(millis(200));
    assert!(mesh.report().turns - before >= 100, "all have their turn");
}

fn query(n: u64) -> Letter {
    Letter::Observer(observer::Input::Query {
        query: messages::QueryId(n),
        asker: observer::Asker::Control,
    })
}

#[test]
fn a_deadline_waits_for_its_turn_and_is_not_lost() {
    let costs = Costs::NONE
        .turn(Kind::Worker, InputClass::Deadline, millis(30))
        .turn(Kind::Session, InputClass::Deadline, millis(30))
        .turn(Kind::Proxy, InputClass::Deadline, millis(30));
    let mut mesh = met(Mesh::seed(4).nodes(3).engines(&[0, 2]).costs(costs));
    let client = mesh.ask(1, Ask::new(4).max_tokens(40));
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas > 3);
    let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
    mesh.kill(server.expect("a server"));
    let answer = finish(&mut mesh, client);
    check_text(&answer, 4, 40);
    mesh.run_for(secs(60));
    assert!(mesh.is_active(1, if server == Some(0) { 2 } else { 0 }));
}

#[test]
fn an_actor_takes_time_to_be_born_and_what_is_sent_to_it_waits() {
    let costs = Costs::NONE.birth(Kind::Router, millis(300));
    let mut mesh = Mesh::seed(5).nodes(1).engines(&[0]).costs(costs).build();
    mesh.run_for(millis(100));
    assert!(mesh.addresses(0).contains(&Address::Router), "it is named");
    assert_eq!(mesh.phase(0, Address::Router), None, "it is not there");
    assert!(!mesh.kill_actor(0, Address::Router), "nor can it die");
    mesh.run_for(millis(400));
    assert!(mesh.phase(0, Address::Router).is_some());
    assert_eq!(
        mesh.models(0).len(),
        1,
        "what it was told meanwhile it knows"
    );
}

#[test]
fn a_child_that_is_stopped_while_it_is_built_is_gone_and_its_watcher_hears_of_it() {
    for after_ms in [0, 10, 49] {
        let costs = Costs::NONE.birth(Kind::Proxy, millis(100));
        let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0]).costs(costs));
        let client = mesh.ask(1, Ask::new(6).max_tokens(8));
        mesh.run_for(millis(after_ms));
        let who = Address::Proxy(client.request());
        assert_eq!(mesh.phase(1, who), None, "it is being built");
        let stop = vec![Effect::Stop(who, How::Drain)];
        mesh.world.apply(1, Source::World, stop);
        mesh.run_for(secs(1));
        assert!(
            !mesh.addresses(1).contains(&who),
            "no ghost has its address"
        );
        assert_eq!(mesh.answer(client).state, State::Broken, "one Down");
        assert_eq!(mesh.phase(1, who), None, "and it does not live on");
        let again = mesh.ask(1, Ask::new(7).max_tokens(8));
        check_text(&finish(&mut mesh, again), 7, 8);
    }
}

#[test]
fn power_may_fail_while_children_are_built() {
    let costs = Costs::drawn(&mut Entropy::from_number(7));
    let mut mesh = Mesh::seed(7).nodes(3).engines(&[0, 2]).costs(costs).build();
    for n in 0..200 {
        mesh.run_for(Micros(n * 1_000));
        mesh.kill(2);
        mesh.start(2);
    }
    mesh.run_for(secs(20));
    let client = mesh.ask(1, Ask::new(7).max_tokens(30));
    check_text(&finish(&mut mesh, client), 7, 30);
    assert!(mesh.is_active(0, 2) && mesh.is_active(2, 0));
}

#[test]
fn meshes_of_any_costs_serve() {
    for seed in 0..40 {
        let costs = Costs::drawn(&mut Entropy::from_number(seed));
        let mut mesh = Mesh::seed(seed)
            .nodes(4)
            .engines(&[0, 2])
            .costs(costs)
            .build();
        mesh.run_for(secs(15));
        let clients: Vec<_> = (0..10)
            .map(|n| {
                (
                    n,
                    mesh.ask(1 + 2 * (n as usize % 2), Ask::new(n).max_tokens(30)),
                )
            })
            .collect();
        for (n, client) in clients {
            let answer = finish(&mut mesh, client);
            assert!(
                matches!(answer.state, State::Finished { .. }),
                "seed {seed}: {answer:?}"
            );
            check_text(&answer, n, 30);
        }
        assert_eq!(mesh.crashes(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn equal_seeds_cost_the_same() {
    let run = |seed| {
        let costs = Costs::drawn(&mut Entropy::from_number(9));
        let mut mesh = Mesh::seed(seed).nodes(4).engines(&[0]).costs(costs).build();
        mesh.run_for(secs(5));
        let client = mesh.ask(1, Ask::new(1).max_tokens(20));
        finish(&mut mesh, client);
        mesh.report()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).trace, run(2).trace);
}
