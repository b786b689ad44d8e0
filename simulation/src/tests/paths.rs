//! Paths that lose, double, delay and hold.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{Ask, Latency, Mesh, PathModel, Report, Tail, millis, secs};
use messages::Micros;

fn rough() -> PathModel {
    let latency = Latency {
        tail: Tail {
            permille: 20,
            extra: millis(200),
        },
        ..Latency::new(millis(10), millis(10))
    };
    PathModel {
        loss_permille: 30,
        duplicate_permille: 50,
        reorder_permille: 50,
        bytes_per_sec: Some(200_000),
        ..PathModel::new(latency)
    }
}

fn rough_run(seed: u64) -> Report {
    let mut mesh = Mesh::seed(seed)
        .nodes(6)
        .engines(&[0, 3])
        .path(rough())
        .shuffled()
        .build();
    mesh.run_for(secs(20));
    assert_eq!(mesh.crashes(), Vec::<String>::new());
    for node in 1..6 {
        let client = ask(&mut mesh, node, seed);
        check_text(&finish(&mut mesh, client), seed, TOKENS);
    }
    assert!(mesh.network_counts().duplicates > 20);
    mesh.report()
}

#[test]
fn rough_paths_carry_all_of_it_and_the_same_again() {
    for seed in 0..4 {
        assert_eq!(rough_run(seed), rough_run(seed), "seed {seed}");
    }
}

/// Scenario 22: first packets are lost, and sent again as long as the dial lasts.
#[test]
fn half_of_the_packets_lost_is_late_and_no_more() {
    let model = PathModel {
        loss_permille: 500,
        ..PathModel::new(Latency::new(millis(5), millis(1)))
    };
    let mut mesh = Mesh::seed(3).nodes(3).path(model).build();
    let all = mesh.run_until(secs(60), |mesh| {
        (0..3).all(|one| (0..3).all(|two| one == two || mesh.is_active(one, two)))
    });
    assert!(all);
}

/// Scenario 24: both sides notice, and meet again.
#[test]
fn a_path_that_carries_one_way_only_is_no_path() {
    let mut mesh = met(Mesh::seed(4).nodes(2));
    mesh.cut_one_way(&[0], &[1]);
    // One idle time until the deaf side knows, one more until nobody is left to hear.
    mesh.run_for(secs(30));
    assert!(!mesh.is_active(1, 0), "it hears nothing");
    assert!(!mesh.is_active(0, 1), "it is not answered");
    mesh.heal();
    let back = mesh.run_until(secs(45), |mesh| {
        mesh.is_active(0, 1) && mesh.is_active(1, 0)
    });
    assert!(back);
}

#[test]
fn a_cut_that_mends_soon_costs_the_time_and_nothing_else() {
    let mut mesh = met(Mesh::seed(5).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 5);
    mesh.run_for(millis(200));
    mesh.cut(&[0], &[1]);
    mesh.run_for(millis(150));
    mesh.heal();
    let answer = finish(&mut mesh, client);
    check_text(&answer, 5, TOKENS);
    let pause = answer.pause_us_max;
    assert!((150_000..600_000).contains(&pause), "{pause}");
    assert!(mesh.network_counts().held > 0);
}

#[test]
fn a_clog_delivers_everything_at_its_end() {
    let mut mesh = met(Mesh::seed(6).nodes(2).engines(&[0]));
    let client = ask(&mut mesh, 1, 6);
    mesh.run_for(millis(200));
    mesh.clog(&[0], &[1], millis(300));
    let answer = finish(&mut mesh, client);
    check_text(&answer, 6, TOKENS);
    let pause = answer.pause_us_max;
    assert!((250_000..450_000).contains(&pause), "{pause}");
}

/// Only one path has a model of its own.
#[test]
fn a_narrow_path_is_slow_by_its_bytes() {
    let pause = |rate: Option<u64>| {
        let mut mesh = met(Mesh::seed(7).nodes(2).engines(&[0]));
        let model = PathModel {
            bytes_per_sec: rate,
            ..PathModel::new(Latency::new(millis(2), Micros(0)))
        };
        mesh.set_path(&[0], &[1], model);
        let start = mesh.time();
        let client = mesh.ask(1, Ask::new(7).max_tokens(50));
        check_text(&finish(&mut mesh, client), 7, 50);
        mesh.time() - start
    };
    let (wide, narrow) = (pause(None), pause(Some(3_000)));
    assert!(narrow > wide + 250_000, "{wide} {narrow}");
}
