//! The table of the spec page, run cell by cell against the machine.

use super::*;
use messages::NetworkId;
use messages::wire::latest::Beacon;
use std::collections::BTreeMap;

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
const INPUTS: [&str; 26] = [
    "job",
    "same job again",
    "newer try",
    "sink full",
    "sink ready",
    "cancel",
    "attach",
    "drain",
    "ready",
    "engine failed",
    "began",
    "began otherwise",
    "rejected",
    "drew a token",
    "drew the end",
    "could not draw",
    "engine beacon",
    "sink down",
    "engine down",
    "router down",
    "reply busy",
    "reply lost",
    "begin returned",
    "step returned",
    "400 ms",
    "31 s",
];

#[test]
fn every_cell_of_the_spec_page_is_what_the_machine_does() {
    let table = cells(PAGE);
    assert_eq!(
        table.len(),
        PHASES.len() * INPUTS.len(),
        "the page has a cell for each pair"
    );
    let mut wrong = Vec::new();
    for phase in PHASES {
        for input in INPUTS {
            let expected = table.get(&(input.to_owned(), phase.to_owned()));
            let did = feed(&mut enter(phase), input);
            if expected != Some(&did) {
                wrong.push(format!(
                    "{input} while {phase}: {expected:?}, but it did {did}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// The job of the tables, and its sink.
const SINK: Sink = Sink::Stream(StreamId(1));

fn subject() -> JobId {
    id('a', 1, 1)
}

/// A worker in a phase. The expected digest of the subject's prompt is known.
fn enter(phase: &str) -> Bench {
    let mut bench = Bench::new(1, 4, 4);
    bench.signal(Signal::Started(kernel::Incarnation::default()));
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
        bench.tell(subject_job());
    }
    if matches!(phase, "running" | "leaving") {
        bench.began(subject());
    }
    if phase == "leaving" {
        bench.tell(Input::Drain);
    }
    bench
}

fn subject_job() -> Input {
    let job = Job {
        expect: Some(Digest([7; 32])),
        ..job(subject())
    };
    Input::Job {
        sink: SINK,
        job: Box::new(job),
    }
}

fn feed(bench: &mut Bench, input: &str) -> String {
    let subject = subject();
    let reply = SINK.reply(JobReply::Beacon(Beacon {
        attempt: 1,
        steps: 0,
    }));
    let engine = |command| Letter::Engine(DEVICE, command);
    let lines = match input {
        "job" => bench.job(id('c', 1, 1), stream(3)),
        "same job again" => bench.tell(subject_job()),
        "newer try" => bench.job(id('a', 1, 2), SINK),
        "sink full" => bench.tell(full(SINK)),
        "sink ready" => bench.tell(has_room(SINK)),
        "cancel" => bench.tell(Input::Cancel {
            sink: SINK,
            attempt: 1,
        }),
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
        "sink down" => bench.down(SINK.address(), Exit::Normal),
        "engine down" => bench.down(Address::Engine(DEVICE), Exit::Killed),
        "router down" => bench.down(Address::Router, Exit::Killed),
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
