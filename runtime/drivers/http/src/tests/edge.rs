//! What is around an answer: methods, preflights, traces, ids.

use super::{BOOT, Stage, script, streamed};
use crate::config::ApiKey;

const PATH: &str = "/v1/chat/completions";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

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
    let given = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", given.as_str()), ("x-request-id", "mine")];
    let body = script("say x").to_string();
    for (method, path, status) in [("POST", PATH, 200), ("GET", "/none", 404)] {
        let response = client
            .request(method, path, &headers, body.as_bytes())
            .await;
        assert_eq!(response.status(), status);
        let told = response.head.header("traceresponse").expect("a trace");
        let parts: Vec<&str> = told.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
        assert_eq!(&parts[2][..8], format!("{BOOT:08x}"));
        assert_ne!(&parts[2][8..], "00000000");
        assert_eq!(response.head.header("x-request-id"), Some("mine"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_trace_counts_as_none() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let span = "00f067aa0ba902b7";
    let table = [
        (format!("00-{TRACE}-{span}-00"), true),
        (format!("cc-{TRACE}-{span}-00-more"), true),
        (format!("00-{TRACE}-{span}-00-more"), false),
        (format!("ff-{TRACE}-{span}-00"), false),
        (format!("00-{}-{span}-00", TRACE.to_uppercase()), false),
        (format!("00-{}-{span}-00", "0".repeat(32)), false),
        (format!("00-{TRACE}-{}-00", "0".repeat(16)), false),
        (format!("00-{TRACE}{TRACE}-{span}-00"), false),
        (format!("00-{TRACE}-{span}"), false),
        ("x".to_owned(), false),
        (String::new(), false),
    ];
    for (given, taken) in table {
        let headers = [("traceparent", given.as_str())];
        let response = client.request("GET", "/health", &headers, b"").await;
        assert_eq!(response.status(), 200);
        let told = response.head.header("traceresponse");
        assert_eq!(told.is_some(), taken, "{given}");
    }
    let one = format!("00-{TRACE}-{span}-00");
    let twice = [("traceparent", one.as_str()); 2];
    let response = client.request("GET", "/health", &twice, b"").await;
    assert_eq!(response.head.header("traceresponse"), None);
}
