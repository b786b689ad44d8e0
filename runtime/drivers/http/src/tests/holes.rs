//! Text that is lost, repeated or overtaken between the request and the client.

use super::client::{Client, Response};
use super::probes::advert;
use super::{ME, Stage, script, streamed};
use messages::ports::gateway::{Command, Seam};
use messages::{EndReason, RequestId, Usage};
use serde_json::{Value, json};

/// A client whose request was taken by a holder that says nothing.
async fn begun(stage: &mut Stage, stream: bool) -> (Client, RequestId) {
    let body = if stream {
        streamed("hold")
    } else {
        script("hold")
    };
    let mut client = stage.client().await;
    let body = body.to_string();
    let path = "/v1/chat/completions";
    client.ask("POST", path, &[], body.as_bytes()).await;
    let request = stage.job().await;
    stage.tell(Command::Started {
        request,
        served_by: ME,
        model: advert("scripted").into(),
    });
    (client, request)
}

fn delta(stage: &Stage, request: RequestId, offset: u64, text: &str) {
    stage.tell(Command::Delta {
        request,
        offset,
        text: text.into(),
    });
}

fn finish(stage: &Stage, request: RequestId, total: u64) {
    stage.tell(Command::Finished {
        request,
        reason: EndReason::Stop,
        usage: Usage::default(),
        total,
        seam: Seam::default(),
    });
}

fn text(response: &Response, stream: bool) -> String {
    if !stream {
        let body = response.json();
        let content = &body["choices"][0]["message"]["content"];
        return content.as_str().expect("a text").to_owned();
    }
    let chunks = response.chunks();
    let pieces = chunks.iter();
    pieces
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect()
}

/// The answer is an error, and the request was told that nobody waits.
async fn is_broken_off(stage: &mut Stage, response: &Response, stream: bool, text: &str) {
    let error = if stream {
        let mut events = response.events();
        let last = events.pop().expect("an event");
        assert!(!events.concat().contains(text), "text behind the hole");
        serde_json::from_str(&last).expect("JSON")
    } else {
        assert_eq!(response.status(), 500);
        response.json()
    };
    assert_eq!(error["error"]["code"], json!("internal_error"), "{error}");
    let keys = error.as_object().map(serde_json::Map::len);
    assert_eq!((keys, error.get("choices")), (Some(1), None::<&Value>));
    stage.cancelled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_text_is_not_sent_again() {
    let mut stage = Stage::new().await;
    for stream in [false, true] {
        let (mut client, request) = begun(&mut stage, stream).await;
        for (offset, piece) in [
            (0, "one"),
            (0, "one"),
            (3, " two"),
            (3, " tw"),
            (0, "one two"),
        ] {
            delta(&stage, request, offset, piece);
        }
        finish(&stage, request, 7);
        let response = client.response(false).await;
        assert_eq!(text(&response, stream), "one two");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_text_is_an_error_and_no_answer() {
    let mut stage = Stage::new().await;
    let wrong = [4, 2, u64::MAX];
    for (stream, offset) in [false, true]
        .into_iter()
        .flat_map(|s| wrong.map(|o| (s, o)))
    {
        let (mut client, request) = begun(&mut stage, stream).await;
        delta(&stage, request, 0, "one");
        delta(&stage, request, offset, "late");
        finish(&stage, request, 8);
        let response = client.response(false).await;
        is_broken_off(&mut stage, &response, stream, "late").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_its_last_text_is_an_error() {
    let mut stage = Stage::new().await;
    for stream in [false, true] {
        for total in [0, 2, 4] {
            let (mut client, request) = begun(&mut stage, stream).await;
            delta(&stage, request, 0, "one");
            finish(&stage, request, total);
            let response = client.response(false).await;
            is_broken_off(&mut stage, &response, stream, "[DONE]").await;
        }
    }
}
