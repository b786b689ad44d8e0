//! Two sessions, frame by frame, with everything lost that can be lost.

use super::world::{Early, World};
use super::*;

const FRAMES_OF_A_HANDSHAKE: usize = 12;
const BOTH: [Early; 2] = [Early::Hold, Early::Drop];

/// After whatever happened, both sides are active over one wire, and stay so.
#[track_caller]
fn settles(mut world: World, what: &str) -> (World, usize) {
    world.run(Micros::from_secs(40));
    let wire = world
        .settled()
        .unwrap_or_else(|why| panic!("{what}: {why}"));
    let lost = world.sides.each_ref().map(|side| side.ended.len());
    world.run(Micros::from_secs(60));
    assert_eq!(world.settled(), Ok(wire), "{what}: it does not last");
    assert_eq!(
        world.sides.each_ref().map(|side| side.ended.len()),
        lost,
        "{what}: it flaps"
    );
    (world, wire)
}

#[test]
fn two_sessions_admit_each_other_over_one_link() {
    for early in BOTH {
        for dialler in [0, 1] {
            let mut world = World::new(early);
            world.dial(dialler);
            world.run(Micros::from_millis(800));
            assert_eq!(world.settled(), Ok(0), "{early:?}");
            let (world, _) = settles(world, "a plain dial");
            assert!(
                world.sides.iter().all(|side| side.ended.is_empty()),
                "a session ended"
            );
        }
    }
}

#[test]
fn a_link_lost_at_any_step_is_replaced() {
    for early in BOTH {
        for step in 0..FRAMES_OF_A_HANDSHAKE {
            let mut world = World::new(early);
            world.dial(0);
            world.run_to_frame(step);
            world.cut(0);
            settles(world, &format!("cut after frame {step}, {early:?}"));
        }
    }
}

#[test]
fn a_session_that_dies_at_any_step_is_admitted_again_over_the_same_link() {
    for early in BOTH {
        for step in 0..FRAMES_OF_A_HANDSHAKE {
            for victim in [0, 1] {
                let mut world = World::new(early);
                world.dial(0);
                world.run_to_frame(step);
                world.kill(victim);
                let what = format!("death of {victim} after frame {step}, {early:?}");
                let (world, wire) = settles(world, &what);
                // Where frames to the dead are lost, a whole handshake may be lost with them.
                if early == Early::Hold {
                    assert_eq!((wire, world.wires.len()), (0, 1), "{what}: a new dial");
                }
            }
        }
    }
}

#[test]
fn two_deaths_at_any_two_steps_are_survived() {
    for early in BOTH {
        for first in 0..FRAMES_OF_A_HANDSHAKE {
            for second in first..FRAMES_OF_A_HANDSHAKE + 4 {
                for (one, two) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let mut world = World::new(early);
                    world.dial(0);
                    world.run_to_frame(first);
                    world.kill(one);
                    world.run_to_frame(second);
                    world.kill(two);
                    settles(world, &format!("{one} after {first}, {two} after {second}"));
                }
            }
        }
    }
}

/// Both dial within a round trip of each other; every order of arrival.
fn simultaneous(early: Early, mut each: impl FnMut(World, &str)) {
    let spans = [5, 20, 90].map(Micros::from_millis);
    for offset in [0, 1, 15, 30, 60, 200].map(Micros::from_millis) {
        for first in [0, 1] {
            for number in 0..spans.len().pow(4) {
                let span = |digit: u32| spans[number / 3_usize.pow(digit) % 3];
                let mut world = World::new(early);
                world.latency = [[span(0), span(1)], [span(2), span(3)]];
                world.dial(first);
                world.run(offset);
                world.dial(1 - first);
                each(
                    world,
                    &format!("{first} first by {offset}, latencies {number}, {early:?}"),
                );
            }
        }
    }
}

#[test]
fn of_two_simultaneous_dials_both_sides_keep_the_smaller_nodes_link() {
    for early in BOTH {
        simultaneous(early, |world, what| {
            let (world, wire) = settles(world, what);
            assert_eq!(world.wires.len(), 2, "{what}: a third dial");
            assert!(
                world.wires[wire].is_dialled_by(0),
                "{what}: the wrong link stays"
            );
            assert!(
                world.sides.iter().all(|side| side.ended.is_empty()),
                "{what}: an end"
            );
        });
    }
}

#[test]
fn a_simultaneous_dial_survives_the_loss_of_either_link_at_any_step() {
    simultaneous(Early::Hold, |mut world, what| {
        let step = what.len() * 7 % 14;
        world.run_to_frame(step);
        world.cut(step % 2);
        settles(world, &format!("{what}, cut after frame {step}"));
    });
}

#[test]
fn a_peer_that_reboots_without_a_word_is_active_again_at_once() {
    for early in BOTH {
        for step in 0..FRAMES_OF_A_HANDSHAKE + 4 {
            for victim in [0, 1] {
                let mut world = World::new(early);
                world.dial(0);
                world.run_to_frame(step);
                world.reboot(victim);
                world.run(Micros::from_millis(2_500));
                let wire = world.settled();
                assert_eq!(
                    wire,
                    Ok(1),
                    "reboot of {victim} after frame {step}, {early:?}"
                );
                settles(world, "a reboot");
            }
        }
    }
}
