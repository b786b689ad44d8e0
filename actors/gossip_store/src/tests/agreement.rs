//! Stores that come to hold the same, and what it costs.

use super::*;
use crate::neighbours::Neighbour;
use kernel::ReturnReason;
use messages::List;
use messages::wire::latest::BATCH_RECORDS_MAX;

const MINUTE: Micros = Micros::from_secs(60);

/// Records that were sent to somebody, and frames of every kind.
pub(super) fn cost(world: &World) -> (usize, usize) {
    let records = world.heard.iter().map(|(_, _, said)| match said {
        Gossip::News(records) => records.len(),
        Gossip::Have { records, .. } => records.len(),
        Gossip::Roots(_)
        | Gossip::Compare { .. }
        | Gossip::Differ { .. }
        | Gossip::Want { .. }
        | Gossip::Who(_)
        | Gossip::Credentials(_) => 0,
    });
    (records.sum(), world.heard.len())
}

#[test]
fn what_one_publishes_reaches_all_over_any_graph() {
    let mut world = World::new(6);
    for n in 1..6 {
        world.connect(n - 1, n);
    }
    world.settle();
    for n in 0..6 {
        world.publish(n, "a", Some(&format!("by {n}")));
    }
    world.publish(3, "a", Some("by 3, later"));
    world.run_for(Micros::from_secs(2));
    assert!(world.agree());
    for n in 0..6 {
        assert_eq!(world.value(n, 0, "a").as_deref(), Some("by 0"));
        assert_eq!(world.value(n, 3, "a").as_deref(), Some("by 3, later"));
    }
}

#[test]
fn a_late_joiner_reads_everything_once_although_nothing_is_published_any_more() {
    let mut world = World::new(5);
    for n in 1..4 {
        world.connect(0, n);
    }
    for n in 0..1_000 {
        world.publish((n % 4) as u8, &format!("{n}"), Some("value"));
    }
    world.run_for(MINUTE);
    world.heard.clear();
    for n in 0..4 {
        world.connect(4, n);
    }
    world.settle();
    assert!(world.agree());
    assert_eq!(world.registers(4).len(), 1_000);
    let to_joiner = |(_, to, _): &(u8, u8, Gossip)| *to == 4;
    world.heard.retain(to_joiner);
    assert_eq!(cost(&world).0, 1_000, "each record is read once");
}

#[test]
fn reading_costs_what_differs_and_not_what_there_is() {
    let mut world = World::new(2);
    for n in 0..4_000 {
        world.publish(0, &format!("{n}"), Some("value"));
    }
    world.connect(0, 1);
    world.run_for(Micros::from_secs(5));
    assert!(world.agree());
    for missing in [1, 10, 100] {
        world.part(0, 1);
        for n in 0..missing {
            world.publish(0, &format!("{n}"), Some(&format!("changed {missing}")));
        }
        world.heard.clear();
        world.connect(0, 1);
        world.settle();
        let (records, frames) = cost(&world);
        assert_eq!(records, missing);
        // A way down the tree for each at most, in questions of eight places, and both answers.
        let most = 2 * (3 * missing + missing.div_ceil(BATCH_RECORDS_MAX) + 8);
        assert!(frames <= most, "{frames} frames for {missing} records");
        assert!(world.agree());
    }
}

#[test]
fn two_that_agree_say_a_question_and_an_answer_for_each_class_and_minute() {
    let mut world = World::new(2);
    world.publish(0, "a", Some("x"));
    world.connect(0, 1);
    world.run_for(MINUTE);
    world.heard.clear();
    for _ in 0..10 {
        world.run_for(MINUTE);
    }
    let (records, frames) = cost(&world);
    assert_eq!(records, 0);
    // Each reads both classes of the other about every 52 s: the wait is drawn.
    assert!(
        (72..=96).contains(&frames),
        "{frames} frames in ten minutes"
    );
}

#[test]
fn what_a_broadcast_loses_the_next_reading_finds() {
    let mut world = World::new(3);
    world.connect(0, 1);
    world.connect(1, 2);
    world.settle();
    world.loses = |said| matches!(said, Gossip::News(_));
    world.publish(0, "a", Some("lost"));
    world.settle();
    assert_eq!(world.value(1, 0, "a"), None);
    world.run_for(Micros::from_secs(121));
    assert_eq!(world.value(2, 0, "a").as_deref(), Some("lost"));
    assert!(world.agree());
}

#[test]
fn edits_on_both_sides_of_a_cut_meet_when_it_heals() {
    let mut world = World::new(4);
    world.connect(0, 1);
    world.connect(2, 3);
    for n in 0..4 {
        for which in 0..100 {
            world.publish(n, &format!("{which}"), Some(&format!("{n} {which}")));
        }
    }
    world.run_for(Micros::from_secs(2));
    assert!(!world.agree());
    world.connect(1, 2);
    world.run_for(Micros::from_secs(5));
    assert!(world.agree());
    assert_eq!(world.registers(0).len(), 400);
}

#[test]
fn a_burst_that_finds_no_room_is_read_a_moment_later() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    for n in 0..600 {
        world.publish(0, &format!("{n}"), Some("value"));
    }
    world.run_for(Micros::from_secs(4));
    let is_news = |(_, _, said): &(u8, u8, Gossip)| matches!(said, Gossip::News(_));
    world.heard.retain(is_news);
    let (said, _) = cost(&world);
    assert!(
        (32..300).contains(&said),
        "{said} are said, the rest is read"
    );
    assert_eq!(world.registers(1).len(), 600);
}

#[test]
fn an_answer_that_does_not_come_holds_nobody_up() {
    let mut world = World::new(3);
    for n in 0..300 {
        world.publish(2, &format!("{n}"), Some("value"));
    }
    world.loses = |said| matches!(said, Gossip::Differ { .. });
    world.connect(0, 1);
    world.settle();
    world.loses = |_| false;
    world.connect(0, 2);
    world.run_for(Micros::from_secs(3));
    assert_eq!(world.registers(0).len(), 300);
}

/// What comes back from the session with node 1 to node 0.
fn comes_back(world: &mut World, said: Gossip, why: ReturnReason) {
    let input = peer_session::Input::Gossip(Box::new(said));
    let letter = Box::new(Letter::Session(NETWORK, id(1), input));
    world.signal(0, Signal::Returned { letter, why });
}

#[test]
fn news_that_find_no_room_at_a_session_are_read_a_moment_later() {
    let mut world = World::new(2);
    world.connect(0, 1);
    world.settle();
    world.loses = |said| matches!(said, Gossip::News(_));
    world.publish(0, "a", Some("x"));
    world.settle();
    assert_eq!(world.value(1, 0, "a"), None);
    let mine = world.registers(0).in_force().cloned();
    let news = Gossip::News(List::truncated(mine));
    comes_back(&mut world, news, ReturnReason::Busy);
    world.run_for(Micros::from_secs(1));
    assert_eq!(world.value(1, 0, "a").as_deref(), Some("x"));
}

#[test]
fn a_neighbour_whose_session_is_gone_is_none() {
    let mut world = World::new(2);
    world.tell(0, Input::Active(id(1)));
    let question = world.air.pop_front().unwrap().2;
    comes_back(&mut world, question, ReturnReason::NoActor);
    world.air.clear();
    world.run_for(Micros::from_secs(200));
    assert_eq!(world.heard, []);
    assert!(world.nodes[0].store.deadline().is_none());
}

#[test]
fn whoever_did_not_answer_is_asked_again_after_the_others() {
    let mut world = World::new(3);
    world.publish(1, "a", Some("x"));
    world.loses = |said| matches!(said, Gossip::Differ { .. });
    world.connect(0, 1);
    world.connect(0, 2);
    world.settle();
    let asked = |world: &mut World| -> Vec<u8> {
        let heard = std::mem::take(&mut world.heard).into_iter();
        let from_0 =
            heard.filter(|(from, _, said)| *from == 0 && matches!(said, Gossip::Compare { .. }));
        from_0.map(|(_, to, _)| to).collect()
    };
    let first = asked(&mut world);
    world.run_for(Micros::from_secs(5));
    let then = asked(&mut world);
    assert_eq!(first.len(), 1);
    assert_eq!(
        (then.len(), then[0] == first[0], then[1]),
        (2, false, first[0])
    );
    world.loses = |_| false;
    world.run_for(Micros::from_secs(5));
    assert_eq!(world.value(0, 1, "a").as_deref(), Some("x"));
}

/// Three that have known each other for a while, and one that comes with a difference.
fn a_newcomer_comes(differs: bool) -> World {
    let mut world = World::new(4);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        world.connect(a, b);
    }
    world.publish(0, "a", Some("x"));
    if differs {
        world.publish(3, "b", Some("y"));
    }
    world.run_for(Micros::from_secs(6));
    world.heard.clear();
    for other in 0..3 {
        world.connect(other, 3);
    }
    world.settle();
    world
}

fn asked_by(world: &World, who: u8) -> usize {
    let heard = world.heard.iter();
    let asks = |said: &Gossip| matches!(said, Gossip::Compare { .. });
    heard
        .filter(|(from, to, said)| (*from, *to) == (who, 3) && asks(said))
        .count()
}

#[test]
fn a_newcomer_reads_at_once_and_most_who_were_there_find_nothing_left_to_read() {
    let mut world = a_newcomer_comes(false);
    assert_eq!(world.value(3, 0, "a").as_deref(), Some("x"));
    let ask = |world: &World| (0..3).filter(|who| asked_by(world, *who) > 0).count();
    assert_eq!(ask(&world), 0);
    // It tells all but the one it read that there is more; whoever hears that they agree is done.
    world.run_for(Micros::from_millis(2_100));
    assert_eq!(
        ask(&world),
        1,
        "and that one asks what it was told by nobody"
    );
}

#[test]
fn what_a_newcomer_has_is_read_within_two_seconds() {
    let mut world = a_newcomer_comes(true);
    assert_eq!(world.value(3, 0, "a").as_deref(), Some("x"));
    assert!((0..3).all(|who| world.value(who, 3, "b").is_none()));
    world.run_for(Micros::from_millis(2_100));
    let value = |who| world.value(who, 3, "b");
    assert!((0..3).all(|who| value(who).as_deref() == Some("y")));
}

#[test]
fn stores_that_are_not_new_read_each_other_within_two_seconds_of_meeting() {
    let mut world = World::new(4);
    world.connect(0, 1);
    world.connect(2, 3);
    world.publish(0, "a", Some("x"));
    world.publish(2, "b", Some("y"));
    world.run_for(Micros::from_secs(6));
    world.connect(1, 2);
    world.settle();
    assert_eq!(world.value(1, 2, "b"), None);
    world.run_for(Micros::from_millis(2_300));
    for who in 0..4 {
        assert_eq!(world.value(who, 0, "a").as_deref(), Some("x"), "{who}");
        assert_eq!(world.value(who, 2, "b").as_deref(), Some("y"), "{who}");
    }
}

#[test]
fn roots_say_of_each_class_that_they_name_whether_it_is_to_be_read() {
    let digest = |n: u8| messages::Digest([n; 32]);
    let roots = |public, gated: Option<u8>| Roots {
        public: digest(public),
        gated: gated.map(digest),
    };
    let told = |theirs: &[Roots]| {
        let mut neighbour = Neighbour::new(Mono(1), None);
        for theirs in theirs {
            neighbour.differs(theirs, &roots(1, Some(1)));
        }
        let public = neighbour.class_to_read(true) == Some(RecordClass::Public);
        neighbour.is_read(RecordClass::Public);
        let gated = neighbour.class_to_read(true) == Some(RecordClass::Gated);
        (public, gated)
    };
    assert_eq!(told(&[]), (true, true));
    assert_eq!(told(&[roots(1, Some(1))]), (false, false));
    assert_eq!(told(&[roots(1, None)]), (false, true));
    assert_eq!(told(&[roots(1, Some(1)), roots(2, None)]), (true, false));
    assert_eq!(told(&[roots(2, Some(1)), roots(1, Some(2))]), (false, true));
}
