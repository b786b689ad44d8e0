//! What router, rosters and observer hear of the device.

use super::*;
use messages::NetworkId;
use messages::wire::latest::Load;

const NETWORK: NetworkId = NetworkId([1; 32]);

fn only(lines: Vec<String>, words: &[&str]) -> Vec<String> {
    let wanted = |line: &String| words.iter().any(|word| line.starts_with(word));
    lines.into_iter().filter(wanted).collect()
}

#[test]
fn a_new_life_says_at_once_that_it_serves_nothing_yet() {
    let mut bench = Bench::new(2, 4, 4);
    let lines = bench.signal(Signal::Started(kernel::Incarnation::default()));
    assert_eq!(lines, ["attach", "local 0 0+0", "fact false 0 0"]);
    assert!(bench.effects.contains(&Effect::Watch(Address::Router)));
    assert!(bench.effects.contains(&Effect::Watch(Address::Observer)));
}

#[test]
fn what_the_engine_serves_is_told_to_everyone_at_once() {
    let mut bench = Bench::new(2, 4, 4);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
    assert_eq!(bench.tell(Input::Attach(NETWORK)), ["models 0", "load 0+0"]);
    let lines = bench.engine(ready());
    assert_eq!(
        lines,
        ["local 1 0+0", "models 1", "load 0+0", "fact true 1 0"]
    );
    let lines = bench.engine(failed());
    assert_eq!(
        lines,
        ["local 0 0+0", "models 0", "load 0+0", "fact false 0 0"]
    );
}

#[test]
fn a_roster_that_attaches_again_is_told_again() {
    let mut bench = Bench::ready(2, 4, 4);
    assert_eq!(bench.tell(Input::Attach(NETWORK)), ["models 1", "load 0+0"]);
    assert_eq!(bench.tell(Input::Attach(NETWORK)), ["models 1", "load 0+0"]);
}

#[test]
fn the_router_hears_of_load_at_once_and_the_others_every_250_ms() {
    let mut bench = Bench::ready(4, 4, 9);
    bench.tell(Input::Attach(NETWORK));
    let told = ["local", "load", "fact"];
    let lines = only(bench.job(id('a', 1, 1), stream(1)), &told);
    assert_eq!(lines, ["local 1 1+0", "load 1+0", "fact true 1 0"]);
    for n in 2..=4 {
        let lines = only(bench.job(id('a', n, 1), stream(n)), &told);
        assert_eq!(lines, [format!("local 1 {n}+0")]);
    }
    assert!(only(bench.wait(249), &told).is_empty());
    assert_eq!(only(bench.wait(1), &told), ["load 4+0", "fact true 1 0"]);
    assert!(only(bench.wait(10_000), &told).is_empty());
}

#[test]
fn finished_jobs_are_counted_in_the_fact() {
    let mut bench = Bench::ready(1, 4, 9);
    bench.job(id('a', 1, 1), stream(1));
    bench.began(id('a', 1, 1));
    bench.later(250);
    let lines = bench.engine(drawn(id('a', 1, 1), Drawn::End(EndReason::Stop)));
    assert_eq!(
        only(lines, &["local", "fact"]),
        ["local 1 0+0", "fact true 1 1"]
    );
    assert_eq!(bench.worker.view().facts[3], ("finished", "1".to_owned()));
}

#[test]
fn a_router_that_restarts_is_watched_and_told_again() {
    let mut bench = Bench::ready(1, 4, 9);
    let lines = bench.down(Address::Router, Exit::Failed("a bug".to_owned()));
    assert_eq!(lines, ["local 1 0+0"]);
    assert!(bench.effects.contains(&Effect::Watch(Address::Router)));
    assert!(
        bench
            .down(Address::Router, Exit::StartFailed(String::new()))
            .is_empty()
    );
    assert!(bench.wait(9_999).is_empty());
    assert_eq!(bench.wait(1), ["local 1 0+0"]);
    assert!(bench.down(Address::Router, Exit::NoActor).is_empty());
    assert_eq!(bench.wait(250), ["local 1 0+0"]);
}

#[test]
fn an_observer_that_restarts_is_watched_and_told_again() {
    let mut bench = Bench::ready(1, 4, 9);
    let lines = bench.down(Address::Observer, Exit::Killed);
    assert_eq!(lines, ["fact true 1 0"]);
    assert!(bench.effects.contains(&Effect::Watch(Address::Observer)));
}

#[test]
fn reports_that_found_no_room_are_sent_again() {
    let mut bench = Bench::ready(1, 4, 9);
    bench.tell(Input::Attach(NETWORK));
    let letters: Vec<Letter> = vec![
        Letter::Roster(
            NETWORK,
            roster::Input::Load {
                device: DEVICE,
                load: Load::default(),
            },
        ),
        Letter::Observer(observer::Input::Forget(observer::FactKey::Device(DEVICE))),
        Letter::Router(router::Input::Local {
            me: node('m'),
            device: DEVICE,
            models: List::new(),
            load: Load::default(),
        }),
    ];
    for letter in letters {
        assert!(bench.returned(letter, ReturnReason::Busy).is_empty());
    }
    let lines = bench.wait(1_000);
    assert_eq!(
        lines,
        [
            "models 1",
            "load 0+0",
            "local 1 0+0",
            "load 0+0",
            "fact true 1 0"
        ]
    );
}

#[test]
fn a_network_whose_roster_is_gone_is_told_nothing_more() {
    let mut bench = Bench::ready(1, 4, 9);
    bench.tell(Input::Attach(NETWORK));
    let load = roster::Input::Load {
        device: DEVICE,
        load: Load::default(),
    };
    bench.returned(Letter::Roster(NETWORK, load), ReturnReason::NoActor);
    assert_eq!(bench.engine(failed()), ["local 0 0+0", "fact false 0 0"]);
}

#[test]
fn only_so_many_networks_are_told() {
    let mut bench = Bench::ready(1, 4, 9);
    for n in 0..64 {
        assert_eq!(bench.tell(Input::Attach(NetworkId([n; 32]))).len(), 2);
    }
    assert!(bench.tell(Input::Attach(NetworkId([64; 32]))).is_empty());
    assert_eq!(bench.tell(Input::Attach(NetworkId([3; 32]))).len(), 2);
}

#[test]
fn a_device_that_leaves_serves_nothing_new() {
    let mut bench = Bench::ready(1, 4, 9);
    bench.tell(Input::Attach(NETWORK));
    let lines = bench.tell(Input::Drain);
    assert_eq!(
        lines,
        ["local 0 0+0", "models 0", "load 0+0", "fact false 0 0"]
    );
}

#[test]
fn deadlines_say_why() {
    let mut bench = Bench::new(1, 4, 9);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
    let due = bench.worker.deadline().unwrap();
    assert_eq!((due.at, due.why), (at(30_000), "a neighbour is told again"));
    bench.engine(ready());
    assert_eq!(bench.worker.deadline(), None);
    bench.later(1_000);
    bench.job(id('a', 1, 1), stream(1));
    let due = bench.worker.deadline().unwrap();
    assert_eq!((due.at, due.why), (at(1_400), "a beacon is owed"));
}
