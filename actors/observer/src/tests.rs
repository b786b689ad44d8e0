use super::*;
use kernel::{Effect, Entropy, Exit, Incarnation, ReturnReason, Signer};
use messages::observer::{DeviceFact, NetworkFact};
use messages::wire::latest::Load;
use messages::{DeviceId, Label, List, Mono, NetworkId, NodeId, RequestId, Signature, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The spec page: its table is the expectation.
const PAGE: &str = include_str!("lib.rs");
const PHASES: [&str; 3] = ["empty", "known key", "full, other key"];
const NOW: Now = Now {
    mono: Mono(7),
    wall: Wall(9),
};
const KEY: FactKey = FactKey::Device(DeviceId(1));
const CHILD: Address = Address::Router;

kernel::page_rows!(rows_of, TOLD, Input {
    Input::Fact(..) => ["fact", "fact of another kind"],
    Input::Forget(_) => ["forget"],
    Input::Supervised { state: ChildState::Running { .. }, .. } => [
        "child runs",
        "request or stream",
    ],
    Input::Supervised { state: ChildState::Restarting { .. }, .. } => ["child restarts"],
    Input::Supervised { state: ChildState::Failed { .. }, .. } => ["child failed"],
    Input::Supervised { state: ChildState::Gone, .. } => ["child gone"],
    Input::Query { asker: Asker::Gateway, .. } => ["query of the gateway"],
    Input::Query { asker: Asker::Control, .. } => ["query of the control socket"],
});
kernel::page_rows!(rows_of_signal, SIGNALLED, Signal {
    Signal::Started(_) => ["started"],
    Signal::Down { .. } => ["down"],
    Signal::Returned { .. } => ["returned"],
});

#[derive(Debug)]
struct NoKey;

impl Signer for NoKey {
    fn node(&self) -> NodeId {
        NodeId([0; 32])
    }

    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

fn observer() -> Observer {
    Observer::new(Ctx {
        entropy: Entropy::from_number(1),
        signer: Arc::new(NoKey),
    })
}

fn device(finished: u64) -> Fact {
    let load = Load::default();
    Fact::Device(DeviceFact {
        ready: true,
        why_not: None,
        models: List::new(),
        load,
        finished,
    })
}

fn fact(finished: u64) -> Input {
    Input::Fact(KEY, Box::new(device(finished)))
}

fn child(state: ChildState) -> Input {
    Input::Supervised {
        address: CHILD,
        state,
    }
}

fn running() -> ChildState {
    ChildState::Running { starts: 1 }
}

fn query(asker: Asker) -> Input {
    Input::Query {
        query: QueryId(5),
        asker,
    }
}

fn tell(observer: &mut Observer, input: Input) -> Vec<Letter> {
    let mut out = Outbox::new();
    observer.handle(NOW, input, &mut out).unwrap();
    observer.invariants();
    letters(out)
}

fn letters(mut out: Outbox) -> Vec<Letter> {
    let letter = |effect| match effect {
        Effect::Tell(letter) => letter,
        effect @ (Effect::Start(_) | Effect::Stop(..) | Effect::Watch(_) | Effect::Unwatch(_)) => {
            panic!("an observer only answers: {effect:?}")
        }
    };
    out.effects_mut().drain(..).map(letter).collect()
}

/// Tells these, then compares the snapshot.
#[track_caller]
fn check(inputs: Vec<Input>, facts: &[(FactKey, Fact)], children: &[(Address, ChildState)]) {
    let mut observer = observer();
    for input in inputs {
        assert!(tell(&mut observer, input).is_empty());
    }
    let (facts, children) = (facts.to_vec(), children.to_vec());
    let expected = Snapshot {
        wall: NOW.wall,
        uptime: NOW.mono,
        facts,
        children,
    };
    let answer = control::Answer::Snapshot(expected);
    let answer = control::Command::Answer {
        query: QueryId(5),
        answer: Box::new(answer),
    };
    assert_eq!(
        tell(&mut observer, query(Asker::Control)),
        [Letter::Control(answer)]
    );
}

#[test]
fn every_cell_of_the_spec_page_is_what_the_machine_does() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut rows = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    let head = rows.next().unwrap();
    assert_eq!(head[1..], PHASES);
    let rows: Vec<_> = rows.collect();
    let of_all: BTreeSet<&str> = [TOLD, SIGNALLED].concat().into_iter().collect();
    assert_eq!(
        rows.iter().map(|row| row[0]).collect::<BTreeSet<_>>(),
        of_all
    );
    assert_eq!(rows.len(), of_all.len(), "no row is there twice");
    for row in rows {
        assert_eq!(row.len(), 1 + PHASES.len(), "{row:?}");
        for (phase, expected) in PHASES.iter().zip(&row[1..]) {
            assert_eq!(
                feed(enter(phase), row[0]),
                *expected,
                "{} while {phase}",
                row[0]
            );
        }
    }
}

fn enter(phase: &str) -> Observer {
    let mut observer = observer();
    if phase == "known key" {
        tell(&mut observer, fact(1));
        tell(&mut observer, child(ChildState::Running { starts: 99 }));
    }
    if phase == "full, other key" {
        fill(&mut observer);
    }
    observer
}

/// As many facts and children as there may be.
fn fill(observer: &mut Observer) {
    for n in 0..FACTS_MAX as u64 {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let network = NetworkId(id);
        observer
            .facts
            .insert(FactKey::Network(network), network_fact(n));
        observer
            .children
            .insert(Address::Roster(network), running());
    }
    observer.invariants();
}

fn network_fact(n: u64) -> Fact {
    Fact::Network(NetworkFact {
        label: Label::truncated(&n.to_string()),
        owner: NodeId([0; 32]),
        members: 1,
        active: 0,
        addrs: List::new(),
        refused: None,
        unreached: List::new(),
    })
}

/// What one input does, in the words of the page.
fn feed(mut observer: Observer, name: &str) -> &'static str {
    let stream = Address::Proxy(RequestId { boot: 1, n: 1 });
    let before = (
        observer.facts.clone(),
        observer.children.clone(),
        observer.turned_away,
    );
    let why = Label::truncated("why");
    let input = match name {
        "fact" => Ok(fact(2)),
        "fact of another kind" => Ok(Input::Fact(KEY, Box::new(network_fact(1)))),
        "forget" => Ok(Input::Forget(KEY)),
        "child runs" => Ok(child(running())),
        "child restarts" => Ok(child(ChildState::Restarting { why, at: Mono(9) })),
        "child failed" => Ok(child(ChildState::Failed { why })),
        "child gone" => Ok(child(ChildState::Gone)),
        "request or stream" => Ok(Input::Supervised {
            address: stream,
            state: running(),
        }),
        "query of the gateway" => Ok(query(Asker::Gateway)),
        "query of the control socket" => Ok(query(Asker::Control)),
        "started" => Err(Signal::Started(Incarnation::default())),
        "down" => Err(Signal::Down {
            who: CHILD,
            incarnation: None,
            why: Exit::Killed,
        }),
        "returned" => {
            let letter = Box::new(Letter::Observer(fact(1)));
            Err(Signal::Returned {
                letter,
                why: ReturnReason::NoActor,
            })
        }
        other => panic!("no such input: {other}"),
    };
    let rows = input.as_ref().map_or_else(rows_of_signal, rows_of);
    assert!(rows.contains(&name), "{name} is another input");
    let mut out = Outbox::new();
    match input {
        Ok(input) => observer.handle(NOW, input, &mut out).unwrap(),
        Err(signal) => observer.signal(NOW, signal, &mut out).unwrap(),
    }
    observer.invariants();
    let (facts, children) = (observer.facts.len(), observer.children.len());
    match letters(out).len() {
        1 => "answer",
        _ if observer.turned_away > before.2 => "count",
        _ if facts < before.0.len() || children < before.1.len() => "drop",
        _ if observer.facts != before.0 || observer.children != before.1 => "keep",
        _ => "-",
    }
}

#[test]
fn a_snapshot_holds_the_last_word_of_everyone_and_both_clocks() {
    let restarting = ChildState::Restarting {
        why: Label::truncated("a bug"),
        at: Mono(3),
    };
    check(
        vec![
            fact(1),
            child(running()),
            fact(2),
            child(restarting.clone()),
        ],
        &[(KEY, device(2))],
        &[(CHILD, restarting)],
    );
}

#[test]
fn what_is_forgotten_or_gone_is_in_no_snapshot() {
    check(
        vec![
            fact(1),
            child(running()),
            Input::Forget(KEY),
            child(ChildState::Gone),
        ],
        &[],
        &[],
    );
}

#[test]
fn each_asker_is_answered_at_its_own_address() {
    let mut observer = observer();
    let snapshot = Snapshot {
        wall: NOW.wall,
        uptime: NOW.mono,
        ..Snapshot::default()
    };
    let boxed = Box::new(snapshot.clone());
    let command = gateway::Command::Snapshot {
        query: QueryId(5),
        snapshot: boxed,
    };
    assert_eq!(
        tell(&mut observer, query(Asker::Gateway)),
        [Letter::Gateway(command)]
    );
    check(vec![], &[], &[]);
}

#[test]
fn a_full_table_turns_newcomers_away_and_keeps_everyone_it_knows() {
    let mut observer = observer();
    fill(&mut observer);
    tell(&mut observer, fact(1));
    tell(&mut observer, child(running()));
    assert!(!observer.facts.contains_key(&KEY) && !observer.children.contains_key(&CHILD));
    assert_eq!(
        (observer.facts.len(), observer.children.len()),
        (FACTS_MAX, CHILDREN_MAX)
    );
    assert_eq!(observer.view().facts[2], ("turned away", "2".to_owned()));
    let known = FactKey::Network(NetworkId([0; 32]));
    tell(
        &mut observer,
        Input::Fact(known, Box::new(network_fact(77))),
    );
    assert_eq!(observer.facts.get(&known), Some(&network_fact(77)));
    tell(&mut observer, Input::Forget(known));
    tell(&mut observer, fact(1));
    assert!(observer.facts.contains_key(&KEY));
}

#[test]
fn an_observer_asks_for_no_turns() {
    let mut observer = observer();
    let mut out = Outbox::new();
    observer.on_deadline(NOW, &mut out).unwrap();
    assert!(out.effects().is_empty());
    assert_eq!(observer.deadline(), None);
}
