//! Clocks that are off, jump and drift; nodes that sleep.

use super::{check_text, finish, met};
use crate::{Ask, Clock, Mesh, Micros, millis, secs};

const HOUR_US: i64 = 3_600_000_000;

#[test]
fn clocks_start_as_told_and_nodes_meet_all_the_same() {
    let mesh = met(Mesh::seed(1)
        .nodes(3)
        .engines(&[0])
        .clock(
            1,
            Clock {
                offset_us: HOUR_US,
                drift_ppm: 0,
            },
        )
        .clock(
            2,
            Clock {
                offset_us: -HOUR_US,
                drift_ppm: 0,
            },
        ));
    let wall = |node| i64::try_from(mesh.clock(node).wall.0).unwrap();
    assert_eq!(wall(1) - wall(0), HOUR_US);
    assert_eq!(wall(0) - wall(2), HOUR_US);
    assert_eq!(mesh.clock(1).mono, mesh.clock(0).mono);
    assert!(mesh.is_active(1, 0) && mesh.is_active(2, 0));
}

#[test]
fn a_jump_of_the_wall_leaves_deadlines_and_streams_alone() {
    let mut mesh = met(Mesh::seed(2).nodes(2).engines(&[0]));
    let client = mesh.ask(1, Ask::new(2).max_tokens(60));
    mesh.run_for(millis(200));
    let before = mesh.clock(0);
    for node in 0..2 {
        mesh.jump_clock(node, if node == 0 { -HOUR_US } else { HOUR_US });
    }
    assert_eq!(mesh.clock(0).mono, before.mono);
    assert_eq!(mesh.clock(0).wall.0 + 3_600_000_000, before.wall.0);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 2, 60);
    assert!(answer.pause_us_max < 100_000, "{answer:?}");
    mesh.run_for(secs(60));
    assert!(mesh.is_active(1, 0), "and sessions live");
}

/// Wakes of a node that has nobody to talk to, in world time: how often in this span.
fn wakes(ppm: i32, later: i32) -> u64 {
    let mut mesh = Mesh::seed(3)
        .nodes(1)
        .engines(&[0])
        .clock(
            0,
            Clock {
                offset_us: 0,
                drift_ppm: ppm,
            },
        )
        .build();
    mesh.run_for(secs(1));
    mesh.drift(0, later);
    let before = mesh.report().turns;
    mesh.run_for(secs(3_600));
    mesh.report().turns - before
}

#[test]
fn a_fast_crystal_wakes_its_actors_earlier() {
    let (slow, right, fast) = (wakes(0, -400_000), wakes(0, 0), wakes(0, 400_000));
    assert!(
        slow * 10 < right * 7 && right * 13 < fast * 10,
        "{slow} {right} {fast}"
    );
}

#[test]
fn a_crystal_that_changes_its_pace_moves_the_deadlines_that_wait() {
    let mut mesh = met(Mesh::seed(4).nodes(2).engines(&[0]));
    mesh.drift(1, 400_000);
    let (mono, time) = (mesh.clock(1).mono, mesh.time());
    mesh.run_for(secs(10));
    assert_eq!(
        mesh.clock(1).mono.0 - mono.0,
        (mesh.time() - time) * 14 / 10
    );
    // The next wake of a node that has nobody to talk to, after one of its wakes.
    let next_wake = |ppm| {
        let mut mesh = Mesh::seed(5).nodes(1).engines(&[0]).build();
        mesh.run_for(secs(100));
        let turn = |mesh: &mut Mesh| {
            let turns = mesh.report().turns;
            assert!(mesh.run_until(secs(600), |mesh| mesh.report().turns > turns));
            mesh.run_for(Micros(1));
        };
        turn(&mut mesh);
        mesh.drift(0, ppm);
        let start = mesh.time();
        turn(&mut mesh);
        mesh.time() - start
    };
    let (slow, right, fast) = (next_wake(-400_000), next_wake(0), next_wake(400_000));
    assert!(slow * 10 > right * 16, "{slow} against {right}");
    assert!(fast * 14 < right * 11, "{fast} against {right}");
}

#[test]
fn the_clocks_of_a_frozen_node_go_on() {
    let mut mesh = met(Mesh::seed(6).nodes(3).engines(&[0, 2]));
    let before = mesh.clock(2);
    mesh.freeze(2);
    mesh.run_for(secs(300));
    mesh.thaw(2);
    assert_eq!(mesh.clock(2).mono.since(before.mono), secs(300));
    assert_eq!(mesh.clock(2).wall.since(before.wall), secs(300));
    let back = mesh.run_until(secs(5), |mesh| mesh.is_active(2, 0) && mesh.is_active(0, 2));
    assert!(back, "a node that slept is back within 5 s");
}

#[test]
fn the_monotonic_clock_of_a_machine_that_sleeps_stands_still() {
    let mut mesh = met(Mesh::seed(6).nodes(3).engines(&[0, 2]));
    let before = mesh.clock(2);
    mesh.suspend(2);
    mesh.run_for(secs(300));
    assert_eq!(mesh.clock(2).mono, before.mono);
    assert_eq!(mesh.clock(2).wall.since(before.wall), secs(300));
    mesh.thaw(2);
    let back = mesh.run_until(secs(5), |mesh| mesh.is_active(2, 0) && mesh.is_active(0, 2));
    assert!(back, "a machine that slept is back within 5 s");
    let awake = mesh.clock(2);
    assert_eq!(
        awake.wall.since(before.wall).0 - awake.mono.since(before.mono).0,
        secs(300).0
    );
    mesh.suspend(2);
    mesh.kill(2);
    mesh.start(2);
    mesh.run_for(secs(7));
    assert_eq!(
        mesh.clock(2).mono.0,
        secs(7).0,
        "the next boot has a clock that runs"
    );
}

/// From an ask of node 1 at node 0, whose machine or process stands still for so long, to its end.
fn answered_after(stands_still: fn(&mut Mesh, usize), span: Micros) -> u64 {
    let mut mesh = met(Mesh::seed(8).nodes(1).engines(&[0]));
    mesh.engine(0, crate::EngineFault::SlowPrefill(secs(20)));
    let asked = mesh.time();
    let client = mesh.ask(0, Ask::new(1).max_tokens(4));
    mesh.run_for(secs(5));
    stands_still(&mut mesh, 0);
    mesh.run_for(span);
    mesh.thaw(0);
    check_text(&finish(&mut mesh, client), 1, 4);
    mesh.time() - asked
}

#[test]
fn what_a_sleeping_machine_had_begun_takes_as_long_as_before_when_it_wakes() {
    let run = answered_after(Mesh::suspend, Micros(0));
    let slept = answered_after(Mesh::suspend, secs(300));
    assert!((20_000_000..20_500_000).contains(&run), "{run}");
    assert_eq!(slept, run + secs(300).0);
}

#[test]
fn a_node_that_is_down_finds_its_wall_clock_gone_on() {
    let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]).clock(
        1,
        Clock {
            offset_us: 5,
            drift_ppm: 200,
        },
    ));
    let before = mesh.clock(1).wall;
    mesh.kill(1);
    mesh.run_for(secs(100));
    mesh.start(1);
    assert_eq!(mesh.clock(1).mono.0, 0, "a boot counts from its beginning");
    assert_eq!(mesh.clock(1).wall.since(before).0, 100_020_000);
}
