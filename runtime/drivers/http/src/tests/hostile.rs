//! Clients that leave, stall, flood, or speak nonsense.

use super::errors::{INVALID, check};
use super::probes::Seen;
use super::{PATIENCE, Stage, script, streamed};
use messages::request_proxy::Flow;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const PATH: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_cancels_in_every_phase() {
    let mut stage = Stage::new().await;
    for text in ["silent", "hold", "begin one|two"] {
        for stream in [false, true] {
            let mut body = script(text);
            body["stream"] = json!(stream);
            let mut client = stage.client().await;
            client
                .ask("POST", PATH, &[], body.to_string().as_bytes())
                .await;
            stage.job().await;
            if stream && text != "silent" {
                assert_eq!(client.head().await.status, 200);
            }
            drop(client);
            stage.cancelled().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_behind_unread_bytes_cancels_too() {
    let mut stage = Stage::new().await;
    let mut client = stage.client().await;
    client
        .ask("POST", PATH, &[], script("hold").to_string().as_bytes())
        .await;
    client
        .send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    stage.job().await;
    drop(client);
    stage.cancelled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_its_producer_and_loses_nothing() {
    let mut stage = Stage::new().await;
    let mut client = stage.client().await;
    let tokens = 24 << 10;
    let body = streamed(&format!("flood {tokens}")).to_string();
    client.ask("POST", PATH, &[], body.as_bytes()).await;
    stage.job().await;
    stage
        .until(|seen| matches!(seen, Seen::Flow(Flow::Full)))
        .await;
    let response = timeout(PATIENCE, client.response(false))
        .await
        .expect("all of it");
    stage
        .until(|seen| matches!(seen, Seen::Flow(Flow::Ready)))
        .await;
    let text: usize = response
        .chunks()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .map(str::len)
        .sum();
    assert_eq!(text, tokens * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_is_dropped() {
    let mut stage = Stage::with(|config| {
        config.limits.stall_time = Duration::from_millis(300);
    })
    .await;
    let mut client = stage.client().await;
    let body = streamed("flood 100000").to_string();
    client.ask("POST", PATH, &[], body.as_bytes()).await;
    stage.job().await;
    stage.until(|seen| matches!(seen, Seen::Cancelled)).await;
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_body_is_refused_and_the_answer_arrives() {
    let stage = Stage::with(|config| config.limits.body_bytes = 1 << 20).await;
    // Announced, and far more than the sockets hold, so that the client still sends.
    let mut client = stage.client().await;
    let response = client
        .request("POST", PATH, &[], &vec![b' '; 32 << 20])
        .await;
    assert_eq!(
        (response.status(), &*response.error().1),
        (413, "payload_too_large")
    );
    assert_eq!(response.head.header("connection"), Some("close"));
    client.closed().await;
    let mut client = stage.client().await;
    client
        .send(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    client.send(b"Transfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        client
            .send(format!("{:x}\r\n{}\r\n", 512 << 10, " ".repeat(512 << 10)).as_bytes())
            .await;
    }
    assert_eq!(client.response(false).await.status(), 413);
    // A client that asks first is told before it sends.
    let mut client = stage.client().await;
    client
        .send(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    client
        .send(b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n")
        .await;
    assert_eq!(client.response(false).await.status(), 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_head_and_a_slow_body_time_out() {
    let stage = Stage::with(|config| {
        config.limits.head_time = Duration::from_millis(200);
        config.limits.body_time = Duration::from_millis(200);
    })
    .await;
    let mut client = stage.client().await;
    client.send(b"POST /v1/completions HTT").await;
    client.closed().await;
    let mut client = stage.client().await;
    client
        .send(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    client.send(b"Content-Length: 100\r\n\r\n{\"model\":").await;
    let response = client.response(false).await;
    assert_eq!((response.status(), &*response.error().1), (408, "timeout"));
    client.closed().await;
    stage.client().await.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_or_no_head_is_refused_with_a_sentence() {
    let stage = Stage::new().await;
    let long = "x".repeat(70 << 10);
    let many = "a: b\r\n".repeat(200);
    for (head, status, code) in [
        (
            format!("GET / HTTP/1.1\r\nA: {long}"),
            431,
            "head_too_large",
        ),
        (
            format!("GET / HTTP/1.1\r\n{many}\r\n"),
            431,
            "head_too_large",
        ),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400, "bad_request"),
        ("GET\r\n\r\n".to_owned(), 400, "bad_request"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400, "bad_request"),
        (
            "GET / HTTP/1.1\r\nContent-Length: abc\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
    ] {
        let mut client = stage.client().await;
        client.send(head.as_bytes()).await;
        let response = client.response(false).await;
        check(&response, status, INVALID, code, None);
        client.closed().await;
    }
    let mut client = stage.client().await;
    client
        .send(format!("GET /{long} HTTP/1.1\r\n\r\n").as_bytes())
        .await;
    let response = client.response(false).await;
    // Which of the two it is depends on how much of it arrives at once.
    let status = if response.status() == 414 { 414 } else { 431 };
    check(&response, status, INVALID, "head_too_large", None);
    assert_eq!(stage.get("/health").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_limit_are_told_to_come_again() {
    let mut stage = Stage::with(|config| config.limits.requests = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = stage.client().await;
        client
            .ask("POST", PATH, &[], script("hold").to_string().as_bytes())
            .await;
        stage.job().await;
        held.push(client);
    }
    let response = stage.chat(&script("say x")).await;
    assert_eq!(
        (response.status(), &*response.error().1),
        (503, "service_unavailable")
    );
    assert!(response.head.header("retry-after").is_some());
    held.pop();
    stage.cancelled().await;
    assert_eq!(stage.chat(&script("say x")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let stage = Stage::with(|config| config.limits.connections = 2).await;
    let mut first = stage.client().await;
    assert_eq!(
        first.request("GET", "/health", &[], b"").await.status(),
        200
    );
    let mut second = stage.client().await;
    assert_eq!(
        second.request("GET", "/health", &[], b"").await.status(),
        200
    );
    let mut third = stage.client().await;
    third.ask("GET", "/health", &[], b"").await;
    let early = timeout(Duration::from_millis(200), third.stream.readable()).await;
    assert!(early.is_err(), "answered while two others are open");
    drop(first);
    assert_eq!(third.response(false).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_bodies_are_ten_thousand_answers() {
    let stage = Stage::new().await;
    let mut chance = Chance(0x5EED);
    let mut client = stage.client().await;
    let mut statuses = [0_u32; 600];
    for round in 0..10_000 {
        let mut body = seed_body(round);
        for _ in 0..=chance.below(4) {
            mutate(&mut body, &mut chance);
        }
        let path = if round.is_multiple_of(2) {
            PATH
        } else {
            "/v1/completions"
        };
        let answer = timeout(PATIENCE, client.request("POST", path, &[], &body)).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer to {body:?}"));
        statuses[usize::from(answer.status())] += 1;
        match answer.status() {
            200 => {}
            400 | 404 => drop(answer.error()),
            other => panic!("{other} to {:?}", String::from_utf8_lossy(&body)),
        }
        if answer.head.header("connection") == Some("close") {
            client = stage.client().await;
        }
    }
    assert!(
        statuses[200] > 100 && statuses[400] > 5_000,
        "the mutations reach both"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_comes_back_on_the_same_port() {
    let stage = Stage::new().await;
    let mut open = stage.client().await;
    assert_eq!(open.request("GET", "/health", &[], b"").await.status(), 200);
    assert!(stage.hive.directory().kill(messages::Address::Gateway));
    open.closed().await;
    let response = stage.chat(&script("say x")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        stage.get("/v1/models").await.json()["data"][0]["id"],
        "builtin"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_an_answer_end_and_closes_the_ports() {
    let mut stage = Stage::new().await;
    let mut client = stage.client().await;
    client
        .ask("POST", PATH, &[], streamed("hold").to_string().as_bytes())
        .await;
    stage.job().await;
    assert_eq!(client.head().await.status, 200);
    let at = stage.at.api;
    stage.hive.stop().await;
    client.closed().await;
    assert!(tokio::net::TcpStream::connect(at).await.is_err());
}

/// A valid body to begin with.
fn seed_body(round: u32) -> Vec<u8> {
    let body = json!({
        "model": "scripted",
        "messages": [
            { "role": "system", "content": [{ "type": "text", "text": "be\u{e4} \"quick\"" }] },
            { "role": "user", "content": "say a|b" },
        ],
        "prompt": "say a|b", "stream": round.is_multiple_of(3), "temperature": 0.5, "top_p": 0.9,
        "seed": 5, "max_tokens": 4, "stop": ["x"], "n": 1, "logit_bias": {}, "tools": [],
        "response_format": { "type": "text" },
    });
    body.to_string().into_bytes()
}

fn mutate(body: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(body.len().max(1));
    match chance.below(6) {
        0 if !body.is_empty() => body[at] = chance.below(256) as u8,
        1 => body.truncate(at),
        2 if !body.is_empty() => drop(body.remove(at)),
        3 => body.insert(at, b"\"{}[]:,0-9eEtfn\\u \x00\xff"[chance.below(20)]),
        4 => {
            let end = (at + chance.below(20)).min(body.len());
            let part = body[at.min(end)..end].to_vec();
            body.splice(at.min(end)..at.min(end), part);
        }
        _ => {
            let words = [
                "null",
                "1e999",
                "-1",
                "[[[[",
                "\"\\ud800\"",
                "{\"type\":1}",
                "true",
            ];
            let word = words[chance.below(words.len())].as_bytes();
            let end = (at + word.len()).min(body.len());
            body.splice(at.min(end)..end, word.iter().copied());
        }
    }
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
