//! What many open streams cost, and what one that is not read may hold.

use super::{Stage, streamed};
use crate::ask::Shape;
use crate::lane::{Event, HIGH_BYTES, Lane, Pushed};
use crate::render::{Answer, Events};
use crate::sse::{PART_BYTES, write_part};
use messages::request_proxy::Failure;
use messages::{RequestId, Wall};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::JoinSet;

/// Their two ends fit the descriptors of a usual process.
const STREAMS: usize = 400;
/// Bytes that one idle stream may keep, its request's actor and its client here included.
const BYTES_MAX: usize = 48 << 10;

/// Bytes that the process keeps in memory; nothing where the system does not say.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Opens streams until each has its first chunk.
async fn open(stage: &Stage, count: usize) -> Vec<super::client::Client> {
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let mut client = stage.client().await;
        opening.spawn(async move {
            let body = streamed("begin one").to_string();
            let path = "/v1/chat/completions";
            client.ask("POST", path, &[], body.as_bytes()).await;
            assert_eq!(client.head().await.status, 200);
            assert!(client.chunk().await.is_some());
            client
        });
    }
    opening.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_stream_costs_little() {
    let stage = Stage::new().await;
    // What is allocated once is allocated by these.
    let _first = open(&stage, 10).await;
    let Some(before) = resident() else { return };
    let _streams = open(&stage, STREAMS).await;
    let each = resident().unwrap_or(before).saturating_sub(before) / STREAMS;
    eprintln!("{each} bytes for each stream");
    assert!(each <= BYTES_MAX, "{each} bytes for each stream");
}

#[test]
fn what_waits_for_a_client_that_reads_nothing_is_small() {
    let lane = Lane::default();
    let mut told = 0;
    let mut offset = 0;
    while told == 0 {
        let pushed = lane.text(offset, "word ".into(), || told = offset);
        assert_eq!(pushed, Pushed::Kept);
        offset += 5;
    }
    assert!(
        (1_000..=2_000).contains(&told),
        "told Full after {told} bytes"
    );
    lane.push(Event::Failed(Failure::Internal));
    let mut waiting = Vec::new();
    let mut resumed = false;
    let polled = take(&lane, &mut waiting, || resumed = true);
    assert_eq!((polled, resumed), (Poll::Ready(()), true));
    let request = RequestId { boot: 1, n: 1 };
    let answer = Answer::new(Shape::Chat, request, Wall::default(), "a model");
    let (events, mut waiting) = (Events::new(answer, true), waiting.into_iter());
    let (mut body, mut over, mut parts) = (Vec::new(), false, 0);
    while !over {
        let mut part = Vec::new();
        over = write_part(&events, &mut waiting, &mut part);
        assert!(part.len() < PART_BYTES + 1_024, "a part of {}", part.len());
        body.extend(part);
        parts += 1;
    }
    // Nothing is lost where a part ends, and what is written is far more than what waited.
    let body = String::from_utf8(body).expect("UTF-8");
    let words = body.matches("\"content\":\"word \"").count();
    assert_eq!(words as u64, offset / 5);
    assert!(body.ends_with("}}\n\n") && body.contains("internal_error"));
    assert!(parts > 1 && body.len() > 2 * HIGH_BYTES);
}

fn take(lane: &Lane, into: &mut Vec<Event>, resume: impl FnOnce()) -> Poll<()> {
    lane.poll(&mut Context::from_waker(Waker::noop()), into, resume)
}

/// The word that there is no room never comes after the word that there is some again.
#[test]
fn a_request_hears_that_its_client_is_full_before_it_hears_that_it_may_go_on() {
    let (lane, said) = (Lane::default(), Mutex::new(Vec::new()));
    let (lane, said) = (&lane, &said);
    std::thread::scope(|scope| {
        let full = || {
            scope.spawn(|| {
                let mut events = Vec::new();
                while events.is_empty() {
                    let resume = || said.lock().expect("no panic").push("ready");
                    let _ = take(lane, &mut events, resume);
                }
            });
            // Time in which a client that may take now would be heard first.
            std::thread::sleep(Duration::from_millis(50));
            said.lock().expect("no panic").push("full");
        };
        lane.text(0, vec![b'x'; HIGH_BYTES].into(), full);
    });
    assert_eq!(*said.lock().expect("no panic"), ["full", "ready"]);
}
