//! The streaming contract, byte by byte.

use super::client::Response;
use super::{Stage, script, streamed};
use messages::ports::gateway::{Command, Seam};
use messages::request_proxy::Failure;
use messages::{Address, EndReason, Usage};
use serde_json::{Value, json};
use std::time::Duration;

/// What every chunk of one stream must have in common, and its own parts must have.
fn check(response: &Response, object: &str, include_usage: bool) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    let head = &response.head;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("cache-control"), Some("no-cache"));
    assert_eq!(
        head.header("x-mesh-served-by"),
        Some(super::ME.to_string().as_str())
    );
    let chunks = response.chunks();
    let mut finishes = 0;
    for (at, chunk) in chunks.iter().enumerate() {
        for key in ["id", "created", "model", "system_fingerprint"] {
            assert_eq!(chunk[key], chunks[0][key], "{key} of chunk {at}");
        }
        assert_eq!(chunk["object"], object);
        let choices = chunk["choices"].as_array().expect("choices");
        let last = at + 1 == chunks.len();
        if include_usage && last {
            assert!(choices.is_empty() && chunk["usage"].is_object());
            continue;
        }
        assert_eq!(chunk.get("usage"), include_usage.then_some(&Value::Null));
        assert_eq!(choices.len(), 1);
        let choice = choices[0].as_object().expect("a choice");
        assert_eq!(choice["index"], 0);
        assert!(choice.contains_key("finish_reason") && choice.contains_key("logprobs"));
        finishes += usize::from(!choice["finish_reason"].is_null());
        let role = choice.get("delta").and_then(|delta| delta.get("role"));
        assert_eq!(role.is_some(), at == 0 && object == "chat.completion.chunk");
    }
    assert_eq!(finishes, 1, "exactly one finishing chunk");
    chunks
}

fn text(chunks: &[Value]) -> String {
    let pieces = chunks.iter().filter_map(|chunk| {
        let choice = chunk["choices"].get(0)?;
        choice["delta"]["content"]
            .as_str()
            .or_else(|| choice["text"].as_str())
    });
    pieces.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_stream_is_these_bytes() {
    let stage = Stage::new().await;
    let response = stage.chat(&streamed("say one| \"two\"")).await;
    let first = response.chunks()[0].clone();
    let (id, created) = (first["id"].as_str().expect("an id"), &first["created"]);
    let chunk = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\
             \"model\":\"scripted\",\"system_fingerprint\":\"fp_abababababababab\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let expected = [
        chunk("{\"role\":\"assistant\",\"content\":\"\"}", "null"),
        chunk("{\"content\":\"one\"}", "null"),
        chunk("{\"content\":\" \\\"two\\\"\"}", "null"),
        chunk("{}", "\"stop\""),
        "data: [DONE]\n\n".to_owned(),
    ];
    assert_eq!(response.body, expected.concat());
    check(&response, "chat.completion.chunk", false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_stream_is_these_bytes() {
    let stage = Stage::new().await;
    let body = json!({ "model": "scripted", "prompt": "say a|b", "stream": true });
    let response = stage.post("/v1/completions", &body).await;
    let chunks = check(&response, "text_completion", false);
    let (id, created) = (
        chunks[0]["id"].as_str().expect("an id"),
        &chunks[0]["created"],
    );
    let chunk = |text: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"text_completion\",\"created\":{created},\
             \"model\":\"scripted\",\"system_fingerprint\":\"fp_abababababababab\",\
             \"choices\":[{{\"index\":0,\"text\":\"{text}\",\"logprobs\":null,\
             \"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let done = "data: [DONE]\n\n".to_owned();
    let expected = [
        chunk("a", "null"),
        chunk("b", "null"),
        chunk("", "\"stop\""),
        done,
    ];
    assert_eq!(response.body, expected.concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_one_more_chunk_where_it_was_asked_for() {
    let stage = Stage::new().await;
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let mut body = streamed("say a|b|c|d");
        body["prompt"] = json!("say a|b|c|d");
        body["max_tokens"] = json!(3);
        body["stream_options"] = json!({ "include_usage": true, "include_obfuscation": false });
        let response = stage.post(path, &body).await;
        let object = if path.contains("chat") {
            "chat.completion.chunk"
        } else {
            "text_completion"
        };
        let chunks = check(&response, object, true);
        assert_eq!(text(&chunks), "abc");
        let usage = json!({ "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8 });
        assert_eq!(chunks.last().map(|chunk| &chunk["usage"]), Some(&usage));
        assert_eq!(
            chunks[chunks.len() - 2]["choices"][0]["finish_reason"],
            "length"
        );
        body["stream_options"] = json!({ "include_usage": false });
        check(&stage.post(path, &body).await, object, false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_and_a_whole_answer_say_the_same() {
    let stage = Stage::new().await;
    for words in ["say ", "say \u{1F600}| \u{e4}|\n\n| data: x", "count 300"] {
        let mut body = streamed(words);
        body["stop"] = json!("x x x x x x x x x x x x x x x x x x x x ");
        let chunks = check(&stage.chat(&body).await, "chat.completion.chunk", false);
        body["stream"] = json!(false);
        let whole = stage.chat(&body).await.json();
        assert_eq!(whole["choices"][0]["message"]["content"], text(&chunks));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_behind_the_first_byte_is_an_event_without_an_end_mark() {
    let mut stage = Stage::new().await;
    for killed in [false, true] {
        let mut client = stage.client().await;
        let body = streamed("begin one|two").to_string();
        client
            .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
            .await;
        let request = stage.job().await;
        assert_eq!(client.head().await.status, 200);
        let mut seen = String::new();
        while !seen.contains("two") {
            let chunk = client.chunk().await.expect("more");
            seen.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
        if killed {
            stage.hive.directory().kill(Address::Proxy(request));
        } else {
            let why = Failure::HoldersLost { attempts: 2 };
            stage.tell(Command::Failed { request, why });
        }
        let event = client.chunk().await.expect("the error");
        let event = std::str::from_utf8(&event).expect("UTF-8");
        let json = event
            .strip_prefix("data: ")
            .and_then(|event| event.strip_suffix("\n\n"));
        let error: Value = serde_json::from_str(json.expect("an event")).expect("JSON");
        let code = if killed {
            "internal_error"
        } else {
            "peer_failed"
        };
        assert_eq!(error["error"]["code"], code);
        assert_eq!(
            error["error"].as_object().map(serde_json::Map::len),
            Some(4)
        );
        assert_eq!(client.chunk().await, None, "nothing comes behind the error");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_several_holders_that_is_not_exact_says_so_last() {
    let mut stage = Stage::new().await;
    let table = [(1, false, false), (2, true, false), (2, false, true)];
    for (holders, exact, told) in table {
        for stream in [false, true] {
            let mut body = script("hold");
            body["stream"] = json!(stream);
            if stream {
                body["stream_options"] = json!({ "include_usage": true });
            }
            let mut client = stage.client().await;
            let body = body.to_string();
            client
                .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
                .await;
            let request = stage.job().await;
            // The head of a stream means that the request has begun; a whole answer has no such
            // sign, so what begins it is said again.
            let model = super::probes::advert("scripted");
            stage.tell(Command::Started {
                request,
                served_by: super::ME,
                model: model.into(),
            });
            let usage = Usage {
                prompt: 1,
                completion: 2,
            };
            let seam = Seam { holders, exact };
            stage.tell(Command::Finished {
                request,
                reason: EndReason::Stop,
                usage,
                total: 0,
                seam,
            });
            let response = client.response(false).await;
            let mesh = json!({ "holders": 2, "exact": false });
            let expected = told.then_some(&mesh);
            if stream {
                let chunks = check(&response, "chat.completion.chunk", true);
                assert_eq!(chunks[chunks.len() - 1].get("mesh"), expected);
                assert_eq!(chunks[chunks.len() - 2].get("mesh"), expected);
                assert_eq!(chunks[0].get("mesh"), None);
            } else {
                assert_eq!(response.json().get("mesh"), expected);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_on_an_open_stream_is_broken_by_comments() {
    let mut stage = Stage::with(|config| {
        config.limits.keep_alive = Duration::from_millis(50);
    })
    .await;
    let mut client = stage.client().await;
    let body = streamed("hold").to_string();
    client
        .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
        .await;
    let request = stage.job().await;
    assert_eq!(client.head().await.status, 200);
    let role = client.chunk().await.expect("the first chunk");
    assert!(String::from_utf8_lossy(&role).contains("assistant"));
    for _ in 0..3 {
        assert_eq!(
            client.chunk().await.as_deref(),
            Some(&b": keep-alive\n\n"[..])
        );
    }
    stage.tell(Command::Delta {
        request,
        offset: 0,
        text: "x".into(),
    });
    loop {
        let chunk = client.chunk().await.expect("more");
        if chunk != b": keep-alive\n\n" {
            assert!(String::from_utf8_lossy(&chunk).contains("\"content\":\"x\""));
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_a_last_word_is_timed_out() {
    for stream in [false, true] {
        let mut stage = Stage::with(|config| {
            config.limits.total_time = Duration::from_millis(300);
        })
        .await;
        let mut body = script("silent");
        body["stream"] = json!(stream);
        let mut client = stage.client().await;
        let body = body.to_string();
        client
            .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
            .await;
        stage.job().await;
        let response = client.response(false).await;
        assert_eq!((response.status(), &*response.error().1), (504, "timeout"));
    }
}
