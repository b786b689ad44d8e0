//! What is around an answer: methods, preflights, traces, ids.

use super::{BOOT, Response, Stage, script, streamed};
use crate::config::ApiKey;
use std::collections::BTreeSet;

const PATH: &str = "/v1/chat/completions";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_is_told_no_without_a_key_and_no_answer_has_cors_headers() {
    let key = ApiKey::new("secret").expect("a key");
    let stage = Stage::with(|config| config.api_key = Some(key)).await;
    let body = streamed("say x").to_string();
    let own = ("Origin", "http://localhost:3000");
    let wants = ("Access-Control-Request-Method", "POST");
    let mut client = stage.client().await;
    for (path, allow) in [(PATH, "POST"), ("/v1/models", "GET, HEAD")] {
        let preflight = client.request("OPTIONS", path, &[own, wants], b"").await;
        assert_eq!(preflight.status(), 405, "{}", preflight.body);
        assert_eq!(preflight.head.header("allow"), Some(allow));
        assert!(preflight.body.contains("another origin"));
        assert!(!preflight.head.names().any(is_cors));
        let foreign = [("Origin", "https://evil.example"), wants];
        let preflight = client.request("OPTIONS", path, &foreign, b"").await;
        assert_eq!(preflight.error().1, "invalid_origin");
        assert!(!preflight.head.names().any(is_cors));
    }
    let bearer = ("Authorization", "Bearer secret");
    let headers = [own, bearer];
    let answer = client
        .request("POST", PATH, &headers, body.as_bytes())
        .await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.head.names().any(is_cors));
    assert_eq!(
        client.request("POST", PATH, &[own], b"").await.status(),
        401
    );
}

fn is_cors(name: &str) -> bool {
    name.starts_with("access-control-")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_get_without_its_body() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    for path in [
        "/v1/models",
        "/v1/models/builtin",
        "/v1/models/none",
        "/health",
        "/readyz",
    ] {
        let get = client.request("GET", path, &[], b"").await;
        // A body here would be read as the next answer's head.
        let head = client.request("HEAD", path, &[], b"").await;
        assert_eq!(head.status(), get.status(), "{path}");
        let length = get.body.len().to_string();
        assert_eq!(head.head.header("content-length"), Some(length.as_str()));
    }
    let head = client.request("HEAD", PATH, &[], b"").await;
    assert_eq!(
        (head.status(), head.head.header("allow")),
        (405, Some("POST"))
    );
    assert_eq!(
        client.request("GET", "/health", &[], b"").await.status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_answered_under_the_requests_own_span() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let given = format!("00-{TRACE}-{SPAN}-01");
    let headers = [("traceparent", given.as_str()), ("x-request-id", "mine")];
    let body = script("say x").to_string();
    for (method, path, status) in [("POST", PATH, 200), ("GET", "/none", 404)] {
        let response = client
            .request(method, path, &headers, body.as_bytes())
            .await;
        assert_eq!(response.status(), status);
        let [version, trace, span, flags] = told(&response);
        assert_eq!((version, trace, flags), ("00", TRACE, "01"));
        assert_eq!(&span[..8], format!("{BOOT:08x}"));
        assert_ne!(&span[8..], "00000000");
        assert_eq!(response.head.header("x-request-id"), Some("mine"));
    }
}

/// What a response says of the trace: its version, the trace, the span, the flags.
fn told(response: &Response) -> [&str; 4] {
    let told = response.head.header("traceresponse").expect("a trace");
    let parts: Vec<&str> = told.split('-').collect();
    parts.try_into().expect("four parts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_a_trace_or_with_a_malformed_one_begins_its_own() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let one = format!("00-{TRACE}-{SPAN}-01");
    let table = [
        (vec![one.clone()], Some("01")),
        (vec![format!("00-{TRACE}-{SPAN}-00")], Some("00")),
        (vec![format!("00-{TRACE}-{SPAN}-ff")], Some("03")),
        (vec![format!("cc-{TRACE}-{SPAN}-01-more")], Some("01")),
        (vec![], None),
        (vec![one.clone(), one], None),
        (vec![format!("00-{TRACE}-{SPAN}-00-more")], None),
        (vec![format!("ff-{TRACE}-{SPAN}-00")], None),
        (vec![format!("00-{}-{SPAN}-00", TRACE.to_uppercase())], None),
        (vec![format!("00-{}-{SPAN}-00", "0".repeat(32))], None),
        (vec![format!("00-{TRACE}-{}-00", "0".repeat(16))], None),
        (vec![format!("00-{TRACE}{TRACE}-{SPAN}-00")], None),
        (vec![format!("00-{TRACE}-{SPAN}")], None),
        (vec!["x".to_owned()], None),
        (vec![String::new()], None),
    ];
    let mut own = BTreeSet::new();
    for (given, flags) in &table {
        let headers: Vec<_> = given.iter().map(|it| ("traceparent", &**it)).collect();
        let response = client.request("GET", "/health", &headers, b"").await;
        assert_eq!(response.status(), 200);
        let [version, trace, span, told_flags] = told(&response);
        assert_eq!(version, "00");
        assert_eq!(&span[..8], format!("{BOOT:08x}"), "the request's own");
        match flags {
            Some(flags) => assert_eq!((trace, told_flags), (TRACE, *flags), "{given:?}"),
            None => {
                // Nobody asked for a record of it.
                assert_eq!((trace.len(), told_flags), (32, "00"), "{given:?}");
                assert!(own.insert(trace.to_owned()), "{given:?}");
            }
        }
    }
    assert!(own.len() == 11 && !own.contains(TRACE), "{own:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_of_the_trace_that_its_client_was_told_and_under_a_span_of_its_own() {
    let mut stage = Stage::new().await;
    let mut client = stage.client().await;
    let body = script("say x").to_string();
    let given = format!("00-{TRACE}-{SPAN}-01");
    let malformed = given.to_uppercase();
    let mut spans = BTreeSet::from([SPAN.to_owned()]);
    for (header, of) in [
        (Some(given.as_str()), Some(TRACE)),
        (Some(malformed.as_str()), None),
        (None, None),
    ] {
        let headers: Vec<_> = header.map(|it| ("traceparent", it)).into_iter().collect();
        let body = body.as_bytes();
        let response = client.request("POST", PATH, &headers, body).await;
        assert_eq!(response.status(), 200);
        let [_, trace, span, flags] = told(&response);
        let job = stage.next_job().await;
        assert_eq!(job.trace.trace_id().to_string(), trace, "{header:?}");
        assert_eq!(of.is_some(), trace == TRACE, "{header:?}");
        assert_eq!(flags, if of.is_some() { "01" } else { "00" });
        assert!(job.trace.to_string().ends_with(flags), "{}", job.trace);
        assert!(spans.insert(span.to_owned()), "the request's");
        assert!(spans.insert(job.trace.parent_id().to_string()), "the try's");
    }
}
