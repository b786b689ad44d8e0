//! Real hosts under real supervisors give the trace of the machines alone: what no scenario file
//! with `hosts = true` holds.

use super::{TOKENS, finish};
use crate::{
    Arrivals, Ask, Clock, Costs, DiskFault, EngineFault, InputClass, Kind, Mesh, MeshBuilder,
    Report, millis, secs,
};
use kernel::{Effect, How, Source};
use messages::Address;

type Scenario = fn(MeshBuilder) -> Report;

fn partition_and_heal(builder: MeshBuilder) -> Report {
    let mut mesh = builder.nodes(6).engines(&[0, 5]).build();
    mesh.run_for(secs(2));
    mesh.cut(&[0, 1, 2], &[3, 4, 5]);
    mesh.run_for(secs(30));
    mesh.heal();
    mesh.run_for(secs(30));
    mesh.report()
}

fn late_join(builder: MeshBuilder) -> Report {
    let mut mesh = builder.nodes(5).absent(&[4]).engines(&[4]).build();
    mesh.run_for(secs(3));
    mesh.start(4);
    mesh.run_for(secs(3));
    let client = mesh.ask(1, Ask::new(4).max_tokens(TOKENS));
    finish(&mut mesh, client);
    mesh.report()
}

fn killed_actors(builder: MeshBuilder) -> Report {
    let mut mesh = builder.nodes(3).engines(&[0, 2]).build();
    mesh.run_for(secs(1));
    let client = mesh.ask(1, Ask::new(6).max_tokens(TOKENS));
    for round in 0..8 {
        mesh.run_for(millis(60));
        let addresses = mesh.addresses(round % 3);
        let victim = addresses[round * 5 % addresses.len()];
        if !matches!(victim, Address::Proxy(_) | Address::Stream(_)) {
            mesh.kill_actor(round % 3, victim);
        }
    }
    finish(&mut mesh, client);
    mesh.run_for(secs(5));
    mesh.report()
}

fn restart_storm(builder: MeshBuilder) -> Report {
    let mut mesh = builder.nodes(2).engines(&[0]).build();
    mesh.run_for(secs(1));
    for _ in 0..7 {
        mesh.kill_actor(0, Address::Router);
        mesh.run_for(millis(900));
    }
    mesh.run_for(secs(65));
    mesh.report()
}

fn costly_turns(builder: MeshBuilder) -> Report {
    let seed = &mut kernel::Entropy::from_number(5);
    killed_actors(builder.costs(Costs::drawn(seed)))
}

/// Slow turns fill mailboxes; slow births let children be stopped, and power fail, before they
/// are there.
fn slow_births(builder: MeshBuilder) -> Report {
    let costs = Costs::NONE
        .turn(Kind::Proxy, InputClass::Data, millis(8))
        .turn(Kind::Session, InputClass::Deadline, millis(5))
        .birth(Kind::Proxy, millis(30))
        .birth(Kind::Session, millis(200))
        .birth(Kind::Router, millis(100))
        .load(secs(1));
    let builder = builder.costs(costs).shuffled().step(millis(1));
    let mut mesh = builder.nodes(3).engines(&[0, 2]).build();
    mesh.run_for(secs(3));
    mesh.arrivals(&Arrivals::at(&[1, 2], millis(10), 40).tokens(300));
    for round in 0..6 {
        mesh.run_for(millis(50));
        mesh.kill_actor(1, Address::Router);
        let dying = mesh.clients()[round].id.request();
        let stop = Effect::Stop(Address::Proxy(dying), How::Kill);
        mesh.world.apply(1, Source::World, vec![stop]);
    }
    mesh.kill(2);
    mesh.start(2);
    mesh.run_for(millis(20));
    mesh.kill(2);
    mesh.start(2);
    mesh.run_for(secs(10));
    mesh.report()
}

fn bad_hardware(builder: MeshBuilder) -> Report {
    let clock = Clock {
        offset_us: -5_000_000,
        drift_ppm: 900,
    };
    let mut mesh = builder
        .nodes(4)
        .engines(&[0, 2])
        .clock(1, clock)
        .costs(Costs::NONE.load(millis(700)))
        .build();
    mesh.disk(3, DiskFault::TornNext);
    mesh.disk(2, DiskFault::LoseSyncs);
    mesh.run_for(secs(3));
    let crowd = Arrivals::at(&[1], millis(100), 40);
    mesh.arrivals(&crowd.tokens(60).cancels(200, secs(1)).slow(300, 200));
    mesh.engine(0, EngineFault::SlowPrefill(millis(900)));
    mesh.run_for(secs(1));
    mesh.start(3);
    mesh.engine(2, EngineFault::Crash);
    mesh.jump_clock(0, 3_600_000_000);
    mesh.run_for(secs(1));
    mesh.engine(0, EngineFault::Stall(secs(2)));
    mesh.kill(2);
    mesh.drift(1, -2_000);
    mesh.run_for(secs(1));
    mesh.start(2);
    mesh.run_for(secs(20));
    mesh.report()
}

fn check(scenario: Scenario) {
    for seed in [1, 2] {
        let machines = scenario(Mesh::seed(seed));
        let hosts = scenario(Mesh::seed(seed).hosts());
        assert_eq!(machines, hosts, "seed {seed}");
        assert!(machines.trace_events > 100, "something happened");
    }
}

macro_rules! equal_in_both_tiers {
    ($($name:ident),+ $(,)?) => {
        mod equal_in_both_tiers {
            $(
                #[test]
                fn $name() {
                    super::check(super::$name);
                }
            )+
        }
    };
}

equal_in_both_tiers!(
    partition_and_heal,
    late_join,
    killed_actors,
    restart_storm,
    costly_turns,
    slow_births,
    bad_hardware,
);
