//! Disks that are torn, full, slow or lie, under a whole node.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{DiskFault, Mesh, Micros, millis, secs};

/// A node that came back is met again, and serves.
fn is_well_again(mesh: &mut Mesh, node: usize) {
    let back = mesh.run_until(secs(20), |mesh| {
        mesh.is_active(node, 0) && mesh.is_active(0, node)
    });
    assert!(back, "it comes back");
    mesh.run_for(secs(1));
    let client = ask(mesh, node, 1);
    check_text(&finish(mesh, client), 1, TOKENS);
    let broken: Vec<String> = mesh
        .crashes()
        .into_iter()
        .filter(|crash| !crash.ends_with("killed"))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}

fn is_writing(mesh: &Mesh, node: usize) -> bool {
    let boot = mesh.world.nodes[node].boot.as_ref();
    boot.is_some_and(|boot| boot.drivers.store.writing().is_some())
}

#[test]
fn a_power_cut_at_any_moment_of_a_young_node_is_survived() {
    let (mut torn, mut whole) = (0, 0);
    for moment in 0..120_u64 {
        let mut mesh = Mesh::seed(moment).nodes(3).engines(&[0]).build();
        for _ in 0..=moment % 3 {
            mesh.run_until(millis(1_500), |mesh| !is_writing(mesh, 1));
            mesh.run_until(millis(1_500), |mesh| is_writing(mesh, 1));
        }
        mesh.run_for(Micros(moment * 9));
        mesh.kill(1);
        let before = mesh.disk_report(1);
        mesh.run_for(millis(500));
        mesh.start(1);
        let report = mesh.disk_report(1);
        assert!(report.rows + 3 >= before.rows && report.lost == 0);
        torn += report.torn;
        whole += report.whole;
        is_well_again(&mut mesh, 1);
    }
    assert!(
        torn > 50 && whole > 0,
        "{torn} torn writes, {whole} whole ones"
    );
}

#[test]
fn the_next_write_may_be_torn() {
    let mut mesh = Mesh::seed(1).nodes(3).engines(&[0]).build();
    mesh.disk(1, DiskFault::TornNext);
    let down = mesh.run_until(secs(5), |mesh| mesh.addresses(1).is_empty());
    assert!(down, "the power fails with the write");
    mesh.run_for(secs(1));
    mesh.start(1);
    assert_eq!(mesh.disk_report(1).torn, 1, "and it is seen at the start");
    is_well_again(&mut mesh, 1);
}

#[test]
fn a_full_disk_costs_nobody_an_answer_and_is_used_again() {
    let mut mesh = Mesh::seed(2).nodes(3).engines(&[0]).absent(&[2]).build();
    mesh.run_for(secs(3));
    let before = mesh.disk_report(1);
    mesh.disk(1, DiskFault::Full);
    mesh.start(2);
    mesh.run_for(secs(20));
    assert_eq!(mesh.disk_report(1), before, "nothing is written");
    let client = ask(&mut mesh, 1, 2);
    check_text(&finish(&mut mesh, client), 2, TOKENS);
    mesh.disk(1, DiskFault::None);
    mesh.run_for(secs(20));
    assert!(
        mesh.disk_report(1).rows > before.rows,
        "what was missed is written"
    );
}

#[test]
fn a_node_whose_disk_is_full_from_the_start_serves() {
    let mut mesh = Mesh::seed(3).nodes(2).engines(&[0]).absent(&[0]).build();
    mesh.disk(0, DiskFault::Full);
    mesh.start(0);
    mesh.run_for(secs(30));
    let client = ask(&mut mesh, 0, 3);
    let answer = finish(&mut mesh, client);
    check_text(&answer, 3, TOKENS);
}

#[test]
fn a_slow_disk_is_waited_for() {
    let mut mesh = met(Mesh::seed(4).nodes(3).engines(&[0]));
    mesh.close(1);
    mesh.disk(1, DiskFault::Slow(secs(2)));
    mesh.start(1);
    mesh.run_for(secs(1));
    assert!(!mesh.is_active(1, 0), "it knows nobody before it has read");
    is_well_again(&mut mesh, 1);
}

#[test]
fn a_node_that_lost_what_it_was_told_was_safe_is_met_again() {
    for seed in 0..10 {
        let mut mesh = Mesh::seed(seed).nodes(3).engines(&[0]).build();
        mesh.disk(1, DiskFault::LoseSyncs);
        mesh.run_for(secs(4));
        mesh.kill(1);
        mesh.run_for(millis(500));
        mesh.start(1);
        is_well_again(&mut mesh, 1);
    }
}

#[test]
fn what_a_dead_store_had_begun_ends_with_it() {
    let mut mesh = Mesh::seed(5).nodes(2).engines(&[0]).build();
    mesh.run_until(secs(3), |mesh| is_writing(mesh, 1));
    let before = mesh.disk_report(1);
    assert!(mesh.kill_actor(1, messages::Address::Store));
    mesh.run_for(millis(5));
    assert_eq!(mesh.disk_report(1), before, "nobody is there to write it");
    is_well_again(&mut mesh, 1);
    assert!(
        mesh.disk_report(1).commits > before.commits,
        "it is written again"
    );
}
