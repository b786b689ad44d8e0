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
kernel::page_rows!(pub(super) rows_of_signal, SIGNALS, Signal {
    Signal::Started(_) => ["started"],
    Signal::Down { .. } => ["sink down", "engine down", "router down", "observer down"],
    Signal::Returned { .. } => ["reply busy", "reply lost", "begin returned", "step returned"],
});
/// The rows of time that passes.
pub(super) const DEADLINES: &[&str] = &["400 ms", "31 s"];

#[test]
fn every_cell_of_the_spec_page_is_what_the_machine_does() {
    let table = cells(PAGE);
    let inputs: BTreeSet<&str> = [INPUTS, SIGNALS, DEADLINES].concat().into_iter().collect();
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
    let reply = sink.reply(JobReply::Beacon(Beacon {
        attempt: 1,
        steps: 0,
    }));
    let engine = |command| Letter::Engine(DEVICE, command);
    let lines = match input {
        "job" => bench.job(id('c', 1, 1), stream(3)),
        "same job again" => bench.tell(subject_job(sink)),
        "newer try" => bench.job(id('a', 1, 2), sink),
        "sink full" => bench.tell(full(sink)),
        "sink ready" => bench.tell(has_room(sink)),
        "cancel" => bench.tell(Input::Cancel { sink, attempt: 1 }),
        "attach" => bench.tell(Input::Attach(NetworkId([1; 32]))),
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
        "sink down" => bench.down(sink.address(), Exit::Normal),
        "engine down" => bench.down(Address::Engine(DEVICE), Exit::Killed),
        "router down" => bench.down(Address::Router, Exit::Killed),
        "observer down" => bench.down(Address::Observer, Exit::Killed),
        "started" => bench.signal(started()),
        "reply busy" => bench.returned(reply, ReturnReason::Busy),
        "reply lost" => bench.returned(reply, ReturnReason::NoActor),
        "begin returned" => bench.returned(
            engine(Command::Begin(Box::new(job(subject)))),
            ReturnReason::Busy,
        ),
        "step returned" => bench.returned(engine(Command::Step(vec![])), ReturnReason::Busy),
        "400 ms" => {
            bench.later(400);
            bench.wake()
        }
        "31 s" => {
            bench.later(31_000);
            bench.wake()
        }
        other => panic!("no such input: {other}"),
    };
    let words: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let kept: Vec<&str> = words.into_iter().filter(|word| *word != "fact").collect();
    if kept.is_empty() {
        "-".to_owned()
    } else {
        kept.join(" ")
    }
}
