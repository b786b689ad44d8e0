//! Any order of anything: nothing vanishes.

use super::model::Model;
use super::*;

const STEPS: u64 = 10_000;

fn addresses() -> Vec<Address> {
    vec![
        Address::Router,
        Address::Session(NETWORK, node(1)),
        Address::Session(NETWORK, node(2)),
        Address::Worker(DeviceId(1)),
        Address::Worker(DeviceId(2)),
        Address::Observer,
        Address::Stream(StreamId(1)),
        Address::Stream(StreamId(2)),
    ]
}

#[test]
fn nothing_vanishes_in_ten_thousand_random_steps() {
    for seed in 1..=3 {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            step(&mut model);
        }
        let fates = model.fates.clone();
        for fate in ["delivered", "parked", "returned", "down", "excused"] {
            assert!(
                fates.get(fate).is_some_and(|n| *n > 100),
                "{fate} is too rare: {fates:?}"
            );
        }
        wind_down(&mut model);
    }
}

/// A past or present life, or the world.
fn source(model: &mut Model) -> Source {
    let lives: Vec<(Address, Incarnation)> = model.living.keys().copied().collect();
    let live: Vec<(Address, Incarnation)> = lives
        .iter()
        .copied()
        .filter(|(who, life)| model.board.live(*who) == Some(*life))
        .collect();
    let among = if model.below(10) == 0 { &lives } else { &live };
    let at = model.below(among.len() as u64 + 1);
    among
        .get(at)
        .map_or(Source::World, |(who, life)| Source::Actor(*who, *life))
}

fn any(model: &mut Model) -> Address {
    let all = addresses();
    all[model.below(all.len() as u64)]
}

fn step(model: &mut Model) {
    let who = any(model);
    match model.below(100) {
        0..=9 => {
            let restart = [Restart::Permanent, Restart::Transient, Restart::Temporary];
            let restart = restart[model.below(3)];
            if !matches!(who, Address::Stream(_)) {
                let from = source(model);
                model.effect(from, start(who, restart));
            }
        }
        10..=14 => leaf_up(model, who),
        15..=29 => model.begin(who),
        30..=64 => {
            let (from, sort) = (source(model), model.below(3));
            if who != Address::Observer {
                model.offer(from, who, sort);
            }
        }
        65..=74 => {
            let from = source(model);
            model.watch(from, who);
        }
        75..=76 => {
            let from = source(model);
            model.unwatch(from, who);
        }
        77..=79 => {
            let how = [How::Drain, How::Kill][model.below(2)];
            let from = source(model);
            model.effect(from, Effect::Stop(who, how));
        }
        80..=84 => halted_end(model),
        85..=91 => {
            let spans = [1, 20, 1_000, 30_000, 60_000];
            let span = spans[model.below(5)];
            model.pass(Micros::from_millis(span));
        }
        _ => {
            let exits = [
                failed(),
                Exit::Normal,
                Exit::Killed,
                Exit::Panicked(String::new()),
            ];
            let exit = exits[model.below(4)].clone();
            let life = model
                .board
                .addresses()
                .find(|(at, _)| *at == who)
                .map(|(_, life)| life);
            if let Some(life) = life {
                model.end(who, life, exit);
            }
        }
    }
}

/// A leaf begins without a Started of its own.
fn leaf_up(model: &mut Model, who: Address) {
    let is_taken = model.board.addresses().any(|(at, _)| at == who);
    if matches!(who, Address::Stream(_)) && !is_taken {
        let life = model.board.leaf_up(who);
        assert!(life > model.last_life);
        model.last_life = life;
        model.living.insert((who, life), BTreeMap::new());
    }
}

fn halted_end(model: &mut Model) {
    if let Some((who, life)) = model
        .halted
        .first_key_value()
        .map(|(who, life)| (*who, *life))
    {
        model.end(who, life, Exit::Stopped);
    }
}

/// Everyone but a watcher ends for good: all that was owed has come.
fn wind_down(model: &mut Model) {
    let last = Address::Transport;
    model.effect(Source::World, start(last, Restart::Permanent));
    model.begin(last);
    let watcher = Source::Actor(last, model.board.live(last).unwrap());
    for who in addresses() {
        model.watch(watcher, who);
    }
    for who in addresses() {
        model.effect(Source::World, Effect::Stop(who, How::Kill));
        let life = model
            .board
            .addresses()
            .find(|(at, _)| *at == who)
            .map(|(_, life)| life);
        if let Some(life) = life {
            model.end(who, life, Exit::Killed);
        }
    }
    assert!(model.owed.is_empty(), "a Down is owed: {:?}", model.owed);
    assert!(model.open.is_empty(), "letters vanished: {:?}", model.open);
    assert_eq!(
        model.board.addresses().count(),
        1,
        "only the watcher is left"
    );
    assert_eq!(model.board.deadline(), None);
}
