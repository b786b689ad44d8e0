//! The API as clients use it, at a real node.

use super::mesh::{chat, scripted, ticket};
use crate::{Folder, LOG, Node, ask, get, post, post_with, stream};
use serde_json::{Value, json};
use std::fs;

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "/v1/completions";

/// A short request of a route, with these fields more.
fn request(route: &str, more: &Value) -> String {
    let mut body = json!({ "model": "scripted", "seed": 5, "max_tokens": 3 });
    match route {
        CHAT => body["messages"] = json!([{ "role": "user", "content": "hello" }]),
        _ => body["prompt"] = json!("hello"),
    }
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body.to_string()
}

#[test]
fn what_clients_always_send_is_taken_and_what_would_change_the_answer_is_named() {
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let neutral = json!({
        "n": 1, "presence_penalty": 0, "frequency_penalty": 0, "logprobs": false,
        "response_format": { "type": "text" }, "tools": [], "tool_choice": "none",
        "logit_bias": {}, "user": "someone", "store": false, "metadata": { "a": "b" },
        "service_tier": "auto", "nobody_knows_this": [1, { "a": null }],
    });
    let expected = kernel::scripted::text(5, 3);
    let reply = post(&node.api, CHAT, &request(CHAT, &neutral));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        reply.json()["choices"][0]["message"]["content"],
        expected.as_str()
    );
    for (name, value) in [
        ("n", json!(2)),
        ("presence_penalty", json!(0.5)),
        ("frequency_penalty", json!(-1)),
        ("logprobs", json!(true)),
        ("response_format", json!({ "type": "json_object" })),
        ("tools", json!([{ "type": "function" }])),
        ("tool_choice", json!("required")),
        ("logit_bias", json!({ "7": 5 })),
    ] {
        let mut more = neutral.clone();
        more[name] = value;
        let reply = post(&node.api, CHAT, &request(CHAT, &more));
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["param"], name, "{error}");
        assert_eq!(error["type"], "invalid_request_error", "{error}");
        let message = error["message"].as_str().expect("a sentence");
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
}

#[test]
fn the_most_tokens_have_two_names_and_may_be_none() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    for (more, tokens) in [
        (json!({ "max_tokens": 7 }), 7),
        (json!({ "max_tokens": null, "max_completion_tokens": 5 }), 5),
        // The newer name wins.
        (json!({ "max_completion_tokens": 6 }), 6),
        (json!({ "max_tokens": 0 }), 0),
        (json!({ "max_completion_tokens": 0 }), 0),
    ] {
        for node in [&a, &b] {
            for route in [CHAT, TEXT] {
                let reply = post(&node.api, route, &request(route, &more));
                assert_eq!(reply.status, 200, "{more}: {}", reply.text());
                assert_eq!(reply.header("x-mesh-served-by"), Some(a.id.as_str()));
                let body = reply.json();
                let choice = &body["choices"][0];
                let text = choice["text"].as_str();
                let text = text.or_else(|| choice["message"]["content"].as_str());
                let expected = kernel::scripted::text(5, tokens);
                assert_eq!(text, Some(expected.as_str()), "{more}");
                assert_eq!(choice["finish_reason"], "length", "{more}");
                let usage = &body["usage"];
                assert_eq!(usage["completion_tokens"], tokens, "{more}");
                assert!(usage["prompt_tokens"].as_u64() > Some(0), "{usage}");
            }
        }
    }
    let nothing = json!({ "max_tokens": 0, "stream": true });
    let mut streamed = stream(&b.api, CHAT, &request(CHAT, &nothing));
    streamed.read_all();
    assert_eq!(streamed.status, 200);
    assert_eq!((&*streamed.text, streamed.errors.len()), ("", 0));
    assert_eq!(streamed.finish.as_deref(), Some("length"));
}

#[test]
fn a_model_is_found_by_its_name_and_another_is_404() {
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let known = get(&node.api, "/v1/models/scripted");
    assert_eq!(known.status, 200);
    let listed = get(&node.api, "/v1/models").json();
    assert_eq!(known.json(), listed["data"][0]);
    let unknown = get(&node.api, "/v1/models/nobody");
    assert_eq!(unknown.status, 404);
    let error = &unknown.json()["error"];
    assert_eq!(error["code"], "model_not_found");
    assert!(error["message"].as_str().unwrap().contains("nobody"));
}

#[test]
fn every_answer_says_who_gave_it_and_how_long_it_took() {
    let home = Folder::new();
    let node = scripted(&home, "50", &[]);
    let whole = post(&node.api, CHAT, &chat(1, 20, false));
    let streamed = stream(&node.api, CHAT, &chat(1, 5, true));
    let refused = post(&node.api, CHAT, "{");
    let served_by = Some(node.id.as_str());
    let mut ids = Vec::new();
    for (headers, served_by) in [
        (&whole.headers, served_by),
        (&streamed.headers, served_by),
        (&refused.headers, None),
    ] {
        let of = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(of("x-mesh-served-by"), served_by);
        let ms = of("openai-processing-ms").map(str::parse::<u64>);
        assert!(matches!(ms, Some(Ok(_))), "{ms:?}");
        ids.push(of("x-request-id").expect("an id").to_owned());
    }
    // Twenty tokens at fifty a second.
    let ms: u64 = whole
        .header("openai-processing-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!(ms >= 200, "{ms}");
    ids.sort();
    ids.dedup();
    assert!(
        ids.len() == 3 && ids.iter().all(|id| !id.is_empty()),
        "{ids:?}"
    );
}

/// Jobs that decode or wait at a node's one device.
fn jobs(status: &Value) -> Option<u64> {
    let device = &status["devices"][0];
    Some(device["active"].as_u64()? + device["queued"].as_u64()?)
}

#[test]
fn a_client_that_hangs_up_frees_its_slot_here_and_across_the_mesh() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "50", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    for node in [&a, &b] {
        for streamed in [true, false] {
            // Half an hour, where nobody cancels it.
            let asked = ask(&node.api, CHAT, &chat(3, 100_000, streamed));
            a.wait_for("a job", |status| jobs(status) == Some(1));
            drop(asked);
            a.wait_for("a free slot", |status| jobs(status) == Some(0));
            b.wait_for("no stream", |status| status["peers"][0]["streams"] == 0);
        }
    }
}

/// What a home's node logged of jobs that crossed, each line's own fields.
fn job_lines(home: &Folder) -> Vec<Value> {
    let log = fs::read_to_string(home.path().join(LOG)).expect("a log");
    assert!(!log.contains("the secret question"), "{log}");
    let lines = log.lines().map(|line| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    let of_jobs = lines.filter(|line| line["target"] == "job");
    of_jobs
        .map(|line| {
            assert_eq!(line["level"], "INFO", "{line}");
            line["fields"].clone()
        })
        .collect()
}

#[test]
fn a_clients_trace_is_in_the_log_of_the_node_that_serves_it_and_of_the_one_that_asks() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &["--log", "json"]);
    let join = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &join, "--log", "json"]);
    b.wait_for_model("scripted", true);
    let body = json!({ "model": "scripted", "max_tokens": 3, "messages": [
        { "role": "user", "content": "the secret question" },
    ] })
    .to_string();
    let given = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let traced = post_with(&b.api, CHAT, ("traceparent", &given), &body);
    let malformed = given.to_uppercase();
    let malformed = post_with(&b.api, CHAT, ("traceparent", &malformed), &body);
    let untraced = post(&b.api, CHAT, &body);
    // A node's own jobs cross nothing.
    let local = post_with(&a.api, CHAT, ("traceparent", &given), &body);
    assert_eq!(local.status, 200, "{}", local.text());
    let (served, asked) = (job_lines(&home_a), job_lines(&home_b));
    assert_eq!((served.len(), asked.len()), (3, 3), "{served:?} {asked:?}");
    let mut traces = Vec::new();
    for (at, reply) in [traced, malformed, untraced].iter().enumerate() {
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-mesh-served-by"), Some(a.id.as_str()));
        let told: Vec<_> = reply.header("traceresponse").unwrap().split('-').collect();
        let (served, asked) = (&served[at], &asked[at]);
        for line in [served, asked] {
            assert_eq!(line["trace"], told[1], "{line}");
            assert_eq!(line["request"], reply.header("x-request-id").unwrap());
            assert_eq!(
                (&line["attempt"], &line["model"]),
                (&json!(1), &asked["model"])
            );
        }
        // The holder serves under the span that the asking node gave the try.
        assert_eq!(served["parent"], asked["span"]);
        assert_ne!(asked["span"], told[2], "the request's own");
        assert_eq!(served["origin"], b.id[..10]);
        assert_eq!(asked["holder"], a.id[..10]);
        traces.push(told[1].to_owned());
    }
    assert_eq!(traces[0], TRACE);
    assert!(traces[1] != TRACE && traces[2] != TRACE && traces[1] != traces[2]);
}
