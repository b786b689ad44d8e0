//! The table of the spec page, run cell by cell against the machine.

use super::*;
use messages::NetworkId;
use messages::wire::latest::Beacon;
use std::collections::{BTreeMap, BTreeSet};

/// The page itself: its tables are the expectations, so they cannot differ from them.
const PAGE: &str = include_str!("../lib.rs");
const PHASES: [&str; 7] = [
    "loading",
    "failed",
    "idle",
    "queued",
    "beginning",
    "running",
    "leaving",
];
kernel::page_rows!(pub(super) rows_of, INPUTS, Input {
    Input::Job { .. } => ["job", "same job again", "newer try"],
    Input::Sink { flow: Flow::Full, .. } => ["sink full"],
    Input::Sink { flow: Flow::Ready, .. } => ["sink ready"],
    Input::Cancel { .. } => ["cancel"],
    Input::Attach(_) => ["attach"],
    Input::Drain => ["drain"],
    Input::Engine(Event::Ready { .. }) => ["ready"],
    Input::Engine(Event::Failed { .. }) => ["engine failed"],
    Input::Engine(Event::Began { .. }) => ["began", "began otherwise"],
    Input::Engine(Event::Rejected { .. }) => ["rejected"],
    Input::Engine(Event::Stepped(_)) => ["drew a token", "drew the end", "could not draw"],
    Input::Engine(Event::Beacon { .. }) => ["engine beacon"],
});
kernel::page_rows!(rows_of_down, DOWN, (Address, &Exit) {
    (Address::Stream(_) | Address::Proxy(_), _) => ["sink down"],
    (Address::Engine(DEVICE), Exit::StartFailed(_) | Exit::NoActor) => ["engine absent"],
    (Address::Engine(DEVICE), _) => ["engine down"],
    (Address::Router, Exit::StartFailed(_) | Exit::NoActor) => ["router absent"],
    (Address::Router, _) => ["router down"],
    (Address::Observer, Exit::StartFailed(_) | Exit::NoActor) => ["observer absent"],
    (Address::Observer, _) => ["observer down"],
    (
        Address::Engine(_)
        | Address::Store
        | Address::Transport
        | Address::Worker(_)
        | Address::Roster(_)
        | Address::GossipStore(_)
        | Address::Session(..)
        | Address::Gateway
        | Address::Control,
        _,
    ) => ["another down"],
});
kernel::page_rows!(rows_of_returned, RETURNED, (&Letter, ReturnReason) {
    (
        Letter::Stream(_, stream::Command::Reply(_))
        | Letter::Proxy(_, request_proxy::Input::Reply(_)),
        ReturnReason::Busy | ReturnReason::ParkFull,
    ) => ["reply busy"],
    (
        Letter::Stream(_, stream::Command::Reply(_))
        | Letter::Proxy(_, request_proxy::Input::Reply(_)),
        _,
    ) => ["reply lost"],
    (Letter::Engine(_, Command::Begin(_)), _) => ["begin returned"],
    (Letter::Engine(_, Command::Step(_)), _) => ["step returned"],
    (Letter::Engine(_, Command::Attach), ReturnReason::Busy | ReturnReason::ParkFull) => [
        "attach returned",
    ],
    (Letter::Engine(_, Command::Attach | Command::End(_)), _) => ["another returned"],
    (Letter::Roster(..), ReturnReason::NoActor) => ["roster lost"],
    (Letter::Roster(..), _) => ["roster busy"],
    (Letter::Router(_), _) => ["router returned"],
    (Letter::Observer(_), _) => ["observer returned"],
    (
        Letter::Stream(..)
        | Letter::Proxy(..)
        | Letter::Session(..)
        | Letter::GossipStore(..)
        | Letter::Worker(..)
        | Letter::Transport(_)
        | Letter::Gateway(_)
        | Letter::Store(_)
        | Letter::Control(_),
        _,
    ) => ["another returned"],
});
/// The row of a new life.
const STARTED: &[&str] = &["started"];
/// The rows of time that passes.
pub(super) const DEADLINES: &[&str] = &["400 ms", "31 s"];

pub(super) fn rows_of_signal(signal: &Signal) -> &'static [&'static str] {
    match signal {
        Signal::Started(_) => STARTED,
        Signal::Down { who, why, .. } => rows_of_down(&(*who, why)),
        Signal::Returned { letter, why } => rows_of_returned(&(letter, *why)),
    }
}

#[test]
fn every_cell_of_the_spec_page_is_what_the_machine_does() {
    let table = cells(PAGE);
    let inputs = [INPUTS, STARTED, DOWN, RETURNED, DEADLINES].concat();
    let inputs: BTreeSet<&str> = inputs.into_iter().collect();
    let mut wrong = Vec::new();
    for sink in [stream(1), proxy(1)] {
        for (phase, input) in PHASES
            .iter()
            .flat_map(|at| inputs.iter().map(move |on| (at, on)))
        {
            let expected = table.get(&((*input).to_owned(), (*phase).to_owned()));
            let mut bench = enter(phase, sink);
            let did = feed(&mut bench, input, sink);
            assert!(bench.rows.contains(input), "{input} is another input");
            if expected != Some(&did) {
                wrong.push(format!(
                    "{sink:?}: {input} while {phase}: {expected:?}, not {did}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named: BTreeSet<&str> = table.keys().map(|(input, _)| input.as_str()).collect();
    assert_eq!(named, inputs, "the rows of the page");
    assert_eq!(
        table.len(),
        PHASES.len() * inputs.len(),
        "the page has a cell for each pair"
    );
}

/// Reads the tables: (input, phase) to output.
fn cells(page: &str) -> BTreeMap<(String, String), String> {
    let mut cells = BTreeMap::new();
    let mut phases: Vec<String> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut row: Vec<String> = line
            .trim_end_matches(" |")
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect();
        let input = row.remove(0);
        if input == "input" {
            phases = row;
            continue;
        }
        assert_eq!(row.len(), phases.len(), "{line}");
        for (phase, output) in phases.iter().zip(row) {
            assert!(!output.is_empty(), "an empty cell: {line}");
            cells.insert((input.clone(), phase.clone()), output);
        }
    }
    cells
}

/// The job of the tables.
fn subject() -> JobId {
    id('a', 1, 1)
}

/// A worker in a phase. The expected digest of the subject's prompt is known.
fn enter(phase: &str, sink: Sink) -> Bench {
    let mut bench = Bench::new(1, 4, 4);
    bench.signal(started());
    match phase {
        "loading" => {}
        "failed" => drop(bench.engine(failed())),
        _ => drop(bench.engine(ready())),
    }
    if phase == "queued" {
        bench.job(id('b', 1, 1), stream(2));
        bench.began(id('b', 1, 1));
    }
    if matches!(phase, "queued" | "beginning" | "running" | "leaving") {
        bench.tell(subject_job(sink));
    }
    if matches!(phase, "running" | "leaving") {
        bench.began(subject());
    }
    if phase == "leaving" {
        bench.tell(Input::Drain);
    }
    bench
}

/// The network whose roster attaches.
const NETWORK: NetworkId = NetworkId([1; 32]);

fn started() -> Signal {
    Signal::Started(kernel::Incarnation::default())
}

fn subject_job(sink: Sink) -> Input {
    let job = Job {
        expect: Some(Digest([7; 32])),
        ..job(subject())
    };
    Input::Job {
        sink,
        job: Box::new(job),
    }
}

fn feed(bench: &mut Bench, input: &str, sink: Sink) -> String {
    let subject = subject();
    let lines = match input {
        "job" => bench.job(id('c', 1, 1), stream(3)),
        "same job again" => bench.tell(subject_job(sink)),
        "newer try" => bench.job(id('a', 1, 2), sink),
        "sink full" => bench.tell(full(sink)),
        "sink ready" => bench.tell(has_room(sink)),
        "cancel" => bench.tell(Input::Cancel { sink, attempt: 1 }),
        "attach" => bench.tell(Input::Attach(NETWORK)),
        "drain" => bench.tell(Input::Drain),
        "ready" => bench.engine(ready()),
        "engine failed" => bench.engine(failed()),
        "began" => bench.began(subject),
        "began otherwise" => bench.engine(began(subject, Digest([8; 32]))),
        "rejected" => bench.engine(Event::Rejected {
            job: subject,
            why: unsupported(),
        }),
        "drew a token" => bench.drew(&[subject]),
        "drew the end" => bench.engine(drawn(subject, Drawn::End(EndReason::Stop))),
        "could not draw" => bench.engine(drawn(subject, Drawn::Failed(unsupported()))),
        "engine beacon" => bench.engine(Event::Beacon { steps: 5 }),
        "started" => bench.signal(started()),
        "400 ms" => {
            bench.later(400);
            bench.wake()
        }
        "31 s" => {
            bench.later(31_000);
            bench.wake()
        }
        _ => return feed_signal(bench, input, sink),
    };
    words(&lines, |word| word != "fact")
}

/// Somebody goes down.
fn feed_signal(bench: &mut Bench, input: &str, sink: Sink) -> String {
    // What differs from what was told is told every 250 ms, and not in the same turns.
    bench.wait(if input.ends_with("absent") { 300 } else { 0 });
    match input {
        "sink down" => now(bench.down(sink.address(), Exit::Normal)),
        "engine down" => now(bench.down(Address::Engine(DEVICE), Exit::Killed)),
        "router down" => now(bench.down(Address::Router, Exit::Killed)),
        "observer down" => words(&bench.down(Address::Observer, Exit::Killed), |_| true),
        "engine absent" => {
            let did = bench.down(Address::Engine(DEVICE), Exit::NoActor);
            then(bench, &did, 250, &["attach"])
        }
        "router absent" => {
            let did = bench.down(Address::Router, Exit::NoActor);
            then(bench, &did, 250, &["local"])
        }
        "observer absent" => {
            let did = bench.down(Address::Observer, Exit::NoActor);
            then(bench, &did, 250, &["fact"])
        }
        "another down" => {
            let others = [
                Address::Engine(DeviceId(9)),
                Address::Roster(NETWORK),
                Address::Gateway,
            ];
            now(others.map(|who| bench.down(who, Exit::Killed)).concat())
        }
        _ => feed_returned(bench, input, sink),
    }
}

/// A letter comes back.
fn feed_returned(bench: &mut Bench, input: &str, sink: Sink) -> String {
    let reply = sink.reply(JobReply::Beacon(Beacon {
        attempt: 1,
        steps: 0,
    }));
    let engine = |command| Letter::Engine(DEVICE, command);
    let load = roster::Input::Load {
        device: DEVICE,
        load: bench.worker.load(),
    };
    let roster = Letter::Roster(NETWORK, load);
    let (busy, lost) = (ReturnReason::Busy, ReturnReason::NoActor);
    match input {
        "reply busy" => now(bench.returned(reply, busy)),
        "reply lost" => now(bench.returned(reply, lost)),
        "begin returned" => {
            now(bench.returned(engine(Command::Begin(Box::new(job(subject())))), busy))
        }
        "step returned" => now(bench.returned(engine(Command::Step(vec![])), busy)),
        "attach returned" => {
            let did = bench.returned(engine(Command::Attach), busy);
            then(bench, &did, 1_000, &["attach"])
        }
        "roster busy" | "roster lost" => {
            bench.tell(Input::Attach(NETWORK));
            let why = if input == "roster busy" { busy } else { lost };
            let did = bench.returned(roster, why);
            assert_eq!(bench.worker.report.has(NETWORK), why == busy);
            then(bench, &did, 1_000, &["models", "load"])
        }
        "router returned" => {
            let (network, peer) = (NETWORK, node('p'));
            let letter = Letter::Router(router::Input::PeerGone { network, peer });
            let did = bench.returned(letter, busy);
            then(bench, &did, 1_000, &["local"])
        }
        "observer returned" => {
            let fact = observer::Input::Forget(observer::FactKey::Device(DEVICE));
            let did = bench.returned(Letter::Observer(fact), busy);
            then(bench, &did, 1_000, &["fact"])
        }
        "another returned" => {
            let end = bench.returned(engine(Command::End(subject())), busy);
            let attach = bench.returned(engine(Command::Attach), lost);
            now([end, attach].concat())
        }
        other => panic!("no such input: {other}"),
    }
}

fn now(lines: Vec<String>) -> String {
    words(&lines, |word| word != "fact")
}

/// What was done, and what of these the turn after so many milliseconds does.
fn then(bench: &mut Bench, did: &[String], millis: u64, of: &[&str]) -> String {
    let did = words(did, |word| word != "fact");
    let rows = bench.rows;
    bench.wait(millis - 1);
    let next = bench.wait(1);
    bench.rows = rows;
    let next = words(&next, |word| of.contains(&word));
    match (did.as_str(), next.as_str()) {
        (_, "-") => did,
        ("-", _) => format!("later {next}"),
        _ => format!("{did} later {next}"),
    }
}

/// The words of these lines, as far as they belong in the cell.
fn words(lines: &[String], belongs: impl Fn(&str) -> bool) -> String {
    let words = lines.iter().filter_map(|line| line.split(' ').next());
    let kept: Vec<&str> = words.filter(|word| belongs(word)).collect();
    if kept.is_empty() {
        "-".to_owned()
    } else {
        kept.join(" ")
    }
}
