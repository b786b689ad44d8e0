//! Every cell of the page's table, for a remote and for a local holder.

use super::{LOCAL, Rig, choice, peer, piece, seed, words};
use kernel::{Effect, Machine, ReturnReason, Signal};
use messages::peer_session::Input as ToSession;
use messages::ports::{gateway::Command, stream};
use messages::request_proxy::{Failure, Flow, Input, Seed};
use messages::router::{Input as ToRouter, NoRoute, Outcome, Via};
use messages::wire::latest::{Beacon, JobReply};
use messages::{
    Address, DeviceId, EndReason, Label, Letter, List, Mono, Refusal, StreamId, Text,
    inference_worker::{Input as ToWorker, Sink},
};
use std::collections::BTreeSet;

const PHASES: [&str; 5] = ["Routing", "Opening", "Streaming", "Doubting", "Done"];

kernel::page_rows!(pub(super) rows_of, TOLD, Input {
    Input::Routed { choice: Ok(_), .. } => ["routed"],
    Input::Routed { choice: Err(_), .. } => ["no route", "unknown model"],
    Input::Opened { .. } => ["Opened", "Opened, late"],
    Input::NotOpened { .. } => ["NotOpened"],
    Input::Reply(JobReply::Accepted(_)) => ["Accepted"],
    Input::Reply(JobReply::Tokens(_)) => ["Tokens", "Tokens, gap", "Tokens, stop"],
    // Of a request that asked nobody, an acceptance can come from an earlier try only.
    Input::Reply(JobReply::Beacon(_)) => ["Beacon", "Beacon, still", "reply, late", "Accepted"],
    Input::Reply(JobReply::End(_)) => ["End"],
    Input::Reply(JobReply::Refused(_)) => ["Refused", "no context"],
    Input::StreamEnded { .. } => ["StreamEnded"],
    Input::Silent { .. } => ["Silent"],
    Input::ClientGone => ["ClientGone"],
    Input::Client(Flow::Full) => ["Full"],
    Input::Client(Flow::Ready) => ["Ready"],
});
kernel::page_rows!(rows_of_down, DOWN, Address {
    Address::Gateway => ["gateway down"],
    Address::Stream(_) => ["stream down", "another down"],
    Address::Worker(_) => ["worker down", "another down"],
    Address::Store
    | Address::Transport
    | Address::Engine(_)
    | Address::Roster(_)
    | Address::GossipStore(_)
    | Address::Session(..)
    | Address::Router
    | Address::Proxy(_)
    | Address::Control
    | Address::Observer => ["another down"],
});
kernel::page_rows!(rows_of_returned, RETURNED, (&Letter, ReturnReason) {
    (
        Letter::Worker(_, ToWorker::Job { .. }) | Letter::Session(_, _, ToSession::Open { .. }),
        ReturnReason::Busy | ReturnReason::ParkFull,
    ) => ["job busy"],
    (
        Letter::Worker(_, ToWorker::Job { .. }) | Letter::Session(_, _, ToSession::Open { .. }),
        _,
    ) => ["job returned"],
    (Letter::Router(ToRouter::Route(_)), _) => ["seek returned"],
    (Letter::Gateway(Command::Delta { .. }), _) => ["text returned"],
    (
        Letter::Router(_)
        | Letter::Worker(..)
        | Letter::Session(..)
        | Letter::Gateway(_)
        | Letter::Stream(..)
        | Letter::Roster(..)
        | Letter::GossipStore(..)
        | Letter::Proxy(..)
        | Letter::Observer(_)
        | Letter::Transport(_)
        | Letter::Engine(..)
        | Letter::Store(_)
        | Letter::Control(_),
        _,
    ) => ["another returned"],
});
/// The row of a new life.
const STARTED: &[&str] = &["Started"];
/// The rows of time that passes.
pub(super) const DEADLINES: &[&str] = &["overdue", "out of time"];
/// The inputs that plan a turn, after so many milliseconds.
const LATER: [(&str, u64); 2] = [("stream down", 50), ("seek returned", 200)];

pub(super) fn rows_of_signal(signal: &Signal) -> &'static [&'static str] {
    match signal {
        Signal::Started(_) => STARTED,
        Signal::Down { who, .. } => rows_of_down(who),
        Signal::Returned { letter, why } => rows_of_returned(&(letter, *why)),
    }
}

/// The rows of the page's table: an input, then a cell for each phase.
fn page() -> Vec<Vec<&'static str>> {
    let lines = include_str!("../lib.rs").lines();
    let rows = lines.filter_map(|line| line.strip_prefix("//! |"));
    let cells = |row: &'static str| {
        row.trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect()
    };
    rows.map(cells).collect()
}

/// A request in a phase, at this holder where it has one; with one token, where it could have.
fn in_phase(phase: &str, via: Via) -> Rig {
    let stops = List::truncated([Label::truncated("STOP")]);
    let mut rig = Rig::new(Seed { stops, ..seed() });
    rig.wait(10);
    if phase != "Routing" {
        rig.asked(via);
    }
    if matches!(phase, "Streaming" | "Doubting" | "Done") {
        rig.accept();
        rig.tokens(0, vec![piece(0, b"a ")]);
        rig.beacon(1);
    }
    match phase {
        "Doubting" => {
            rig.wait(1_000);
            rig.routed(Err(NoRoute::NoneLeft));
        }
        "Done" => {
            rig.end(EndReason::Stop, 1);
        }
        _ => {}
    }
    assert_eq!(rig.phase(), phase);
    rig
}

/// Whether an input can concern a request at such a holder at all.
fn concerns(input: &str, via: Via) -> bool {
    match input {
        "Opened" | "Opened, late" | "NotOpened" | "StreamEnded" | "Silent" | "stream down" => {
            via != LOCAL
        }
        "worker down" => via == LOCAL,
        _ => true,
    }
}

fn check(rig: &mut Rig, input: &str) -> Vec<Effect> {
    let attempt = rig.attempt();
    let received = u32::from(!rig.text.is_empty());
    match input {
        "Started" if rig.phase() == "Routing" => {
            *rig = Rig::unborn(seed());
            rig.start()
        }
        "Started" => rig.start(),
        "routed" => {
            if rig.phase() == "Doubting" {
                rig.wait(500);
            }
            rig.routed(Ok(choice(peer(2))))
        }
        "no route" => rig.routed(Err(NoRoute::NoneLeft)),
        "unknown model" => rig.routed(Err(NoRoute::UnknownModel)),
        "Opened" => {
            let stream = rig.stream();
            rig.tell(Input::Opened {
                attempt: attempt.max(1),
                stream,
            })
        }
        "Opened, late" => rig.tell(Input::Opened {
            attempt: 0,
            stream: StreamId(99),
        }),
        "NotOpened" => rig.tell(Input::NotOpened {
            attempt,
            why: Refusal::NotAdmitted,
        }),
        "Accepted" if attempt == 0 => rig.reply(JobReply::Beacon(Beacon { attempt, steps: 1 })),
        "Accepted" => rig.accept(),
        "Tokens" => rig.tokens(received, vec![piece(7, b"b ")]),
        "Tokens, gap" => rig.tokens(received + 1, vec![piece(7, b"b ")]),
        "Tokens, stop" => rig.tokens(received, vec![piece(7, b"b STOP c"), piece(8, b"d")]),
        "Beacon" => rig.beacon(2),
        "Beacon, still" => rig.beacon(1),
        "End" => rig.end(EndReason::Length, received),
        "Refused" => rig.refused(Refusal::EngineFailed(Label::default())),
        "no context" => rig.refused(Refusal::ContextExceeded {
            context: 8,
            prompt: 9,
        }),
        "reply, late" => rig.reply(JobReply::Beacon(Beacon {
            attempt: 99,
            steps: 9,
        })),
        "StreamEnded" => rig.stream_ended(),
        "Silent" => {
            let attempt = rig.attempt();
            rig.tell(Input::Silent { attempt })
        }
        "stream down" => rig.down(Address::Stream(rig.stream())),
        "worker down" => rig.down(Address::Worker(DeviceId(0))),
        "gateway down" => rig.down(Address::Gateway),
        "another down" => [
            Address::Stream(StreamId(99)),
            Address::Worker(DeviceId(9)),
            Address::Router,
        ]
        .map(|who| rig.down(who))
        .concat(),
        "ClientGone" => rig.tell(Input::ClientGone),
        "Full" => rig.flow(Flow::Full),
        "Ready" => rig.flow(Flow::Ready),
        _ => check_returned_or_due(rig, input),
    }
}

fn check_returned_or_due(rig: &mut Rig, input: &str) -> Vec<Effect> {
    let returned = |letter, why| Signal::Returned {
        letter: Box::new(letter),
        why,
    };
    match input {
        "job returned" => rig.signal(returned(job_letter(rig), ReturnReason::NoActor)),
        "job busy" => rig.signal(returned(job_letter(rig), ReturnReason::Busy)),
        "seek returned" => {
            if rig.phase() == "Doubting" {
                rig.wait(500);
            }
            let query = Box::new(rig.query.clone().unwrap());
            let letter = Letter::Router(ToRouter::Route(query));
            rig.signal(returned(letter, ReturnReason::Busy))
        }
        "text returned" => {
            let delta = Command::Delta {
                request: super::REQUEST,
                offset: 0,
                text: Text::from("a"),
            };
            rig.signal(returned(Letter::Gateway(delta), ReturnReason::Busy))
        }
        "another returned" => others()
            .map(|letter| rig.signal(returned(letter, ReturnReason::NoActor)))
            .concat(),
        "overdue" => {
            rig.now = rig.proxy.deadline().map_or(rig.now, |deadline| deadline.at);
            rig.deadline()
        }
        "out of time" => {
            rig.now = Mono(0) + seed().total;
            rig.deadline()
        }
        _ => panic!("the page names an input without a test: {input}"),
    }
}

/// The job that was given to the holder; to one of an earlier try, where there is none.
fn job_letter(rig: &Rig) -> Letter {
    let request = super::REQUEST;
    match rig.jobs.last() {
        Some((Via::Local(..), job)) => {
            let (sink, job) = (Sink::Proxy(request), Box::new(job.clone()));
            Letter::Worker(DeviceId(0), ToWorker::Job { sink, job })
        }
        Some((Via::Peer(network, peer), job)) => {
            let job = Box::new(job.clone());
            Letter::Session(*network, *peer, ToSession::Open { request, job })
        }
        None => job_letter(&in_phase("Opening", LOCAL)),
    }
}

/// Letters that need nothing where they come back.
fn others() -> [Letter; 4] {
    let (request, attempt) = (super::REQUEST, 1);
    let sink = Sink::Proxy(request);
    let outcome = ToRouter::Outcome {
        via: LOCAL,
        result: Outcome::Failed,
    };
    let failed = Command::Failed {
        request,
        why: Failure::Internal,
    };
    [
        Letter::Router(outcome),
        Letter::Worker(DeviceId(0), ToWorker::Cancel { sink, attempt }),
        Letter::Stream(StreamId(1), stream::Command::Cancel),
        Letter::Gateway(failed),
    ]
}

/// What the turn does that an input plans.
fn later(rig: &mut Rig, input: &str) -> Vec<&'static str> {
    let planned = LATER.iter().find(|(planner, _)| *planner == input);
    let Some((_, after)) = planned else {
        return Vec::new();
    };
    let rows = rig.rows;
    assert_eq!(words(&rig.wait(after - 1)), Vec::<&str>::new());
    let mut did = words(&rig.wait(1));
    rig.rows = rows;
    if !did.is_empty() {
        did.insert(0, "later");
    }
    did
}

#[test]
fn every_cell_of_the_page_holds() {
    let page = page();
    let (head, rows) = page.split_first().unwrap();
    assert_eq!(head[1..], PHASES);
    // The ruler under the head is the first row.
    for row in &rows[1..] {
        assert_eq!(row.len(), head.len(), "a row with a missing cell: {row:?}");
        for (phase, cell) in PHASES.into_iter().zip(&row[1..]) {
            assert!(!cell.is_empty(), "an empty cell: {row:?}");
            for via in [peer(1), LOCAL]
                .into_iter()
                .filter(|via| concerns(row[0], *via))
            {
                check_cell(phase, row[0], cell, via);
            }
        }
    }
    let of_all = [TOLD, STARTED, DOWN, RETURNED, DEADLINES].concat();
    let of_all: BTreeSet<&str> = of_all.into_iter().collect();
    let named: BTreeSet<&str> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(named, of_all, "the rows");
}

fn check_cell(phase: &str, input: &str, cell: &str, via: Via) {
    let mut rig = in_phase(phase, via);
    let outcomes = rig.outcomes.len();
    let mut found = words(&check(&mut rig, input));
    found.extend(later(&mut rig, input));
    assert!(rig.rows.contains(&input), "{input} is another input");
    let next = match rig.phase() {
        "Routing" => ">R",
        "Opening" => ">O",
        "Streaming" => ">S",
        "Doubting" => ">D",
        _ => ">X",
    };
    if rig.phase() != phase {
        found.push(next);
    }
    let found = if found.is_empty() {
        "·".to_owned()
    } else {
        found.join(" ")
    };
    assert_eq!(found, cell, "{input} while {phase} at {via:?}");
    // An attempt that ends is told of exactly once.
    let had = matches!(phase, "Opening" | "Streaming" | "Doubting");
    let lost = had && (matches!(rig.phase(), "Routing" | "Done") || found.contains("ask"));
    assert_eq!(
        rig.outcomes.len() - outcomes,
        usize::from(lost),
        "{input} while {phase}"
    );
}
