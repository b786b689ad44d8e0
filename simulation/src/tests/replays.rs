//! Schedule files that are kept: they stay readable, and run as they did.

use crate::swarm::{Act, Plan, Schedule, kind_of};
use std::collections::BTreeSet;

const FILES: [(&str, &str); 10] = [
    (
        "a_list_without_room.toml",
        include_str!("../../schedules/a_list_without_room.toml"),
    ),
    (
        "a_leaver_that_is_back.toml",
        include_str!("../../schedules/a_leaver_that_is_back.toml"),
    ),
    (
        "a_cut_behind_much_else.toml",
        include_str!("../../schedules/a_cut_behind_much_else.toml"),
    ),
    (
        "an_own_record_is_loaded_late.toml",
        include_str!("../../schedules/an_own_record_is_loaded_late.toml"),
    ),
    (
        "asked_while_asleep.toml",
        include_str!("../../schedules/asked_while_asleep.toml"),
    ),
    (
        "a_stream_of_nobody.toml",
        include_str!("../../schedules/a_stream_of_nobody.toml"),
    ),
    (
        "a_greeting_without_room.toml",
        include_str!("../../schedules/a_greeting_without_room.toml"),
    ),
    (
        "back_behind_a_box.toml",
        include_str!("../../schedules/back_behind_a_box.toml"),
    ),
    ("both_moved_apart.toml", OLDEST),
    (
        "looking_while_loading.toml",
        include_str!("../../schedules/looking_while_loading.toml"),
    ),
];
/// Written before there were relays, second boxes and bounded neighbourhoods.
const OLDEST: &str = include_str!("../../schedules/both_moved_apart.toml");

fn kinds(failures: &[String]) -> BTreeSet<String> {
    failures.iter().map(|failure| kind_of(failure)).collect()
}

#[test]
fn kept_schedules_fail_as_they_say_and_in_no_other_way() {
    for (name, text) in FILES {
        let schedule = Schedule::parse(text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let outcome = schedule.run();
        let (told, found) = (kinds(&schedule.fails), kinds(&outcome.failures));
        assert_eq!(found, told, "{name}: {:?}", outcome.failures);
    }
}

#[test]
fn every_kept_schedule_is_replayed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schedules");
    let files = std::fs::read_dir(folder).unwrap();
    let names: BTreeSet<_> = files.map(|file| file.unwrap().file_name()).collect();
    let known: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(names, known);
}

#[test]
fn a_file_of_an_earlier_version_stays_readable() {
    let Schedule { plan, acts, .. } = Schedule::parse(OLDEST).unwrap();
    assert_eq!((plan.outer.len(), plan.movers.len()), (0, 0));
    assert_eq!((plan.relay, plan.degree), (None, None));
    assert!(!plan.reflection && !plan.one_ticket);
    assert_eq!(plan.workload.hasty, 0);
    assert!(acts.contains(&Act::AwaitBusy { node: 0 }));
    assert!(acts.iter().any(|act| matches!(
        act,
        Act::Ask {
            within_us: None,
            ..
        }
    )));
}

#[test]
fn what_a_seed_draws_is_written_and_read_again() {
    for seed in 0..60 {
        let plan = Plan::draw(seed);
        let schedule = Schedule {
            fails: vec!["nothing".to_owned()],
            plan,
            acts: vec![Act::Heal],
        };
        let text = schedule.text().unwrap();
        assert_eq!(Schedule::parse(&text), Ok(schedule), "seed {seed}");
    }
}
