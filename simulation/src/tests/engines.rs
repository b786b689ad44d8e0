//! Engines that stall, lose their process, load and read slowly.

use super::{TOKENS, ask, check_text, finish, met};
use crate::drivers::engine::Engine;
use crate::{Ask, Costs, EngineFault, Mesh, millis, secs};

#[test]
fn an_engine_serves_from_the_end_of_its_load_on() {
    let costs = Costs::NONE.load(secs(40));
    let mut mesh = Mesh::seed(1).nodes(2).engines(&[0]).costs(costs).build();
    mesh.run_for(secs(39));
    assert_eq!(mesh.models(1).len(), 0, "nothing is promised before");
    mesh.run_for(secs(3));
    assert_eq!(mesh.models(1).len(), 1);
    let client = ask(&mut mesh, 1, 1);
    check_text(&finish(&mut mesh, client), 1, TOKENS);
}

#[test]
fn an_engine_that_stalls_for_a_moment_goes_on_where_it_was() {
    let mut mesh = met(Mesh::seed(2).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 2);
    mesh.run_until(secs(5), |mesh| mesh.drawn(0) == 5);
    mesh.engine(0, EngineFault::Stall(millis(400)));
    mesh.run_for(millis(399));
    assert_eq!(mesh.drawn(0), 5, "it stands still");
    let answer = finish(&mut mesh, client);
    check_text(&answer, 2, TOKENS);
    assert!(
        (400_000..600_000).contains(&answer.pause_us_max),
        "{answer:?}"
    );
    assert_eq!(
        mesh.drawn(0),
        u64::from(TOKENS),
        "and nothing is drawn twice"
    );
}

#[test]
fn a_long_stall_is_routed_around_and_what_was_told_meanwhile_is_done_after_it() {
    let mut mesh = met(Mesh::seed(3).nodes(3).engines(&[0, 2]));
    let client = ask(&mut mesh, 1, 3);
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas >= 4);
    let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
    let server = server.expect("a server");
    mesh.engine(server, EngineFault::Stall(secs(20)));
    let answer = finish(&mut mesh, client);
    check_text(&answer, 3, TOKENS);
    assert!(answer.pause_us_max < 3_000_000, "{answer:?}");
    assert_eq!(mesh.jobs(server), 1, "it was told, and has not heard it");
    mesh.run_for(secs(25));
    assert_eq!(mesh.jobs(server), 0, "the job was given up");
}

#[test]
fn an_engine_that_loses_its_process_loads_again_and_serves() {
    let costs = Costs::NONE.load(secs(3));
    let mut mesh = Mesh::seed(4).nodes(3).engines(&[0, 2]).costs(costs).build();
    mesh.run_for(secs(6));
    let client = ask(&mut mesh, 1, 4);
    mesh.run_until(secs(5), |mesh| mesh.answer(client).deltas >= 4);
    let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
    let server = server.expect("a server");
    mesh.engine(server, EngineFault::Crash);
    assert_eq!(mesh.jobs(server), 0, "its jobs are lost");
    let answer = finish(&mut mesh, client);
    check_text(&answer, 4, TOKENS);
    assert!(
        answer.pause_us_max < 500_000,
        "it is said at once: {answer:?}"
    );
    assert_eq!(mesh.crashes().len(), 1);
    assert!(mesh.is_active(1, server), "sessions live");
    let other = if server == 0 { 2 } else { 0 };
    mesh.kill(other);
    mesh.run_for(secs(2));
    let client = ask(&mut mesh, 1, 5);
    let answer = finish(&mut mesh, client);
    assert_ne!(answer.served_by, Some(mesh.id(other)));
    mesh.run_for(secs(3));
    let client = ask(&mut mesh, 1, 6);
    check_text(&finish(&mut mesh, client), 6, TOKENS);
}

#[test]
fn a_slow_prefill_that_shows_progress_is_waited_for() {
    let mut mesh = met(Mesh::seed(5).nodes(3).engines(&[0, 2]));
    for node in [0, 2] {
        mesh.engine(node, EngineFault::SlowPrefill(secs(8)));
    }
    let start = mesh.time();
    let client = ask(&mut mesh, 1, 5);
    let begun = mesh.run_until(secs(60), |mesh| mesh.drawn(0) + mesh.drawn(2) > 0);
    let took = mesh.time() - start;
    assert!(begun && (8_000_000..9_000_000).contains(&took), "{took} us");
    check_text(&finish(&mut mesh, client), 5, TOKENS);
    assert!(
        mesh.drawn(0) == 0 || mesh.drawn(2) == 0,
        "one holder did it all"
    );
    for node in [0, 2] {
        mesh.engine(node, EngineFault::None);
    }
    let start = mesh.time();
    let client = ask(&mut mesh, 1, 6);
    finish(&mut mesh, client);
    assert!(mesh.time() - start < 1_000_000, "and it is fast again");
}

#[test]
fn a_prompt_that_nobody_wants_any_more_is_not_read_on() {
    let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0]));
    mesh.engine(0, EngineFault::SlowPrefill(secs(600)));
    let client = mesh.ask(1, Ask::new(6).max_tokens(5));
    mesh.run_for(secs(2));
    assert_eq!(mesh.jobs(0), 1);
    mesh.hang_up(client);
    mesh.run_for(secs(1));
    assert_eq!(mesh.jobs(0), 0);
    let boot = mesh.world.nodes[0].boot.as_ref().unwrap();
    assert!(boot.drivers.engines.values().all(Engine::is_idle));
    mesh.engine(0, EngineFault::None);
    let client = ask(&mut mesh, 1, 7);
    check_text(&finish(&mut mesh, client), 7, TOKENS);
}

#[test]
fn a_wedge_ends_when_it_is_told_to() {
    let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]));
    mesh.engine(0, EngineFault::Wedge);
    let client = ask(&mut mesh, 1, 7);
    mesh.run_for(secs(2));
    assert_eq!((mesh.drawn(0), mesh.answer(client).deltas), (0, 0));
    mesh.engine(0, EngineFault::None);
    mesh.run_for(secs(60));
    let client = ask(&mut mesh, 1, 8);
    check_text(&finish(&mut mesh, client), 8, TOKENS);
}
