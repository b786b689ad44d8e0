//! Turns, births and loads that take time, disks and engines that fail, paths that are silent one
//! way: all at once, and then a calm in which all must agree again.

use super::{Judge, Part};
use crate::{Arrivals, Costs, DiskFault, EngineFault, Mesh, millis, secs};
use kernel::Entropy;
use messages::peer_session::Input as Session;
use messages::{Address, Letter};

/// Seeds of the campaign.
const SEEDS: std::ops::Range<u64> = 0..24;

pub(super) const PARTS: &[Part] = &[
    Part::new("hard worlds", hard_worlds),
    Part::new("peers that read nothing", unread),
];

/// More revocations than a peer that reads nothing leaves room for, slowly and at once.
fn unread(judge: &mut Judge) {
    for (rounds, each) in [(30, 20), (2, 1_200)] {
        let mut mesh = Mesh::seed(5).nodes(2).checked().build();
        mesh.run_for(secs(3));
        mesh.read(1, 0, false);
        let (network, peer) = (mesh.network(), mesh.id(1));
        for round in 0..rounds {
            for number in 0..each {
                let record = mesh.own_record(round * each + number);
                let letter = Letter::Session(network, peer, Session::Revoke(record.into()));
                mesh.tell(0, letter);
                mesh.run_for(millis(1));
            }
            mesh.run_for(millis(400));
        }
        mesh.run_for(secs(10));
        mesh.read(1, 0, true);
        mesh.run_for(secs(90));
        judge.look(&mesh);
    }
}

fn hard_worlds(judge: &mut Judge) {
    for seed in SEEDS {
        hard_world(judge, seed);
    }
}

fn hard_world(judge: &mut Judge, seed: u64) {
    let mut draw = Entropy::from_number(seed);
    let costs = Costs::drawn(&mut draw);
    let builder = Mesh::seed(seed).nodes(5).engines(&[0, 2, 3]).costs(costs);
    let mut mesh = builder.shuffled().checked().build();
    mesh.run_for(secs(4));
    mesh.arrivals(&Arrivals::at(&[1, 4], millis(60), 300).slow(200, 2_000));
    for _ in 0..40 {
        hit(&mut mesh, &mut draw);
        mesh.run_for(millis(draw.below(700)));
    }
    for node in 0..5 {
        mesh.disk(node, DiskFault::None);
        mesh.engine(node, EngineFault::None);
        mesh.start(node);
        mesh.thaw(node);
    }
    mesh.heal();
    mesh.run_for(secs(200));
    judge.look(&mesh);
}

fn hit(mesh: &mut Mesh, draw: &mut Entropy) {
    let node = usize::try_from(draw.below(5)).unwrap_or(0);
    let other = (node + 1) % 5;
    match draw.below(14) {
        0 => mesh.disk(node, DiskFault::Full),
        1 => mesh.disk(node, DiskFault::Slow(secs(2))),
        2 => mesh.disk(node, DiskFault::None),
        3 => mesh.engine(node, EngineFault::Crash),
        4 => mesh.engine(node, EngineFault::Stall(secs(3))),
        5 => mesh.engine(node, EngineFault::SlowPrefill(millis(400))),
        6 => mesh.cut_one_way(&[node], &[other]),
        7 => mesh.heal(),
        8 => mesh.close(node),
        9 => mesh.start(node),
        10 => mesh.clog(&[node], &[other], secs(2)),
        _ => {
            let addresses = mesh.addresses(node);
            let count = u64::try_from(addresses.len()).unwrap_or(0);
            let at = usize::try_from(draw.below(count.max(1))).unwrap_or(0);
            if let Some(victim) = addresses.get(at)
                && !matches!(victim, Address::Stream(_))
            {
                mesh.kill_actor(node, *victim);
            }
        }
    }
}
