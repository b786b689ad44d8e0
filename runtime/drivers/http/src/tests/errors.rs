//! Every status that a client may see, each with its error object.

use super::client::Response;
use super::{BOOT, Stage, script, streamed};
use crate::config::ApiKey;
use messages::ports::gateway::Command;
use messages::request_proxy::Failure;
use messages::{Address, Label, RequestId};
use serde_json::json;

pub(super) fn check(response: &Response, status: u16, kind: &str, code: &str, param: Option<&str>) {
    let (found_kind, found_code, found_param) = response.error();
    let found = (
        response.status(),
        &*found_kind,
        &*found_code,
        found_param.as_deref(),
    );
    assert_eq!(found, (status, kind, code, param), "{}", response.body);
    assert_eq!(
        response.head.header("content-type"),
        Some("application/json")
    );
    assert!(response.head.header("x-request-id").is_some());
}

pub(super) const INVALID: &str = "invalid_request_error";

/// Status, code, parameter, and the two headers that say when to try again.
type Row = (
    u16,
    &'static str,
    Option<&'static str>,
    Option<(&'static str, &'static str)>,
);

fn row(why: &Failure) -> Row {
    match why {
        Failure::UnknownModel => (404, "model_not_found", Some("model"), None),
        Failure::ContextExceeded { .. } => (400, "context_length_exceeded", Some("messages"), None),
        Failure::Busy {
            retry_after_ms: 1_001,
        } => (503, "service_unavailable", None, Some(("2", "1001"))),
        Failure::Busy { .. } => (503, "service_unavailable", None, Some(("120", "120000"))),
        Failure::Unsupported(_) => (400, "unsupported_parameter", None, None),
        Failure::HoldersLost { attempts: 0 } => {
            (503, "service_unavailable", None, Some(("1", "1000")))
        }
        Failure::HoldersLost { .. } => (502, "peer_failed", None, None),
        Failure::DeadlineExceeded => (504, "timeout", None, None),
        Failure::Internal => (500, "internal_error", None, None),
        Failure::Stopping => (503, "service_unavailable", None, Some(("1", "1000"))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_of_a_request_has_its_status_streamed_or_not() {
    let mut stage = Stage::new().await;
    let failures = [
        Failure::UnknownModel,
        Failure::ContextExceeded {
            context: 10,
            prompt: 20,
        },
        Failure::Busy {
            retry_after_ms: 1_001,
        },
        Failure::Busy {
            retry_after_ms: 999_999,
        },
        Failure::Unsupported(Label::truncated("no such thing here")),
        Failure::HoldersLost { attempts: 3 },
        Failure::HoldersLost { attempts: 0 },
        Failure::DeadlineExceeded,
        Failure::Internal,
        Failure::Stopping,
    ];
    for why in failures {
        let (status, code, param, retry) = row(&why);
        let kind = if status < 500 {
            INVALID
        } else {
            "server_error"
        };
        for body in [script("silent"), streamed("silent")] {
            let mut client = stage.client().await;
            let body = body.to_string();
            client
                .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
                .await;
            let request = stage.job().await;
            stage.tell(Command::Failed {
                request,
                why: why.clone(),
            });
            let response = client.response(false).await;
            check(&response, status, kind, code, param);
            let head = &response.head;
            let waits = head
                .header("retry-after")
                .zip(head.header("retry-after-ms"));
            assert_eq!(waits, retry);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_routers_and_the_workers_refusals_arrive_before_any_head() {
    let stage = Stage::new().await;
    for stream in [false, true] {
        let mut body = script("say x");
        body["stream"] = json!(stream);
        body["model"] = json!("unknown");
        check(
            &stage.chat(&body).await,
            404,
            INVALID,
            "model_not_found",
            Some("model"),
        );
        body["model"] = json!("m".repeat(300));
        check(
            &stage.chat(&body).await,
            404,
            INVALID,
            "model_not_found",
            Some("model"),
        );
        let mut body = script("context");
        body["stream"] = json!(stream);
        let response = stage.chat(&body).await;
        check(
            &response,
            400,
            INVALID,
            "context_length_exceeded",
            Some("messages"),
        );
        assert!(
            response
                .body
                .contains("maximum context length is 4096 tokens")
        );
    }
    let body = json!({ "model": "scripted", "prompt": "context" });
    let response = stage.post("/v1/completions", &body).await;
    check(
        &response,
        400,
        INVALID,
        "context_length_exceeded",
        Some("prompt"),
    );
    let huge = script(&"x".repeat(1 << 20));
    check(
        &stage.chat(&huge).await,
        400,
        INVALID,
        "context_length_exceeded",
        Some("messages"),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_dies_is_one_clear_error() {
    let mut stage = Stage::new().await;
    let mut client = stage.client().await;
    let body = script("hold").to_string();
    client
        .ask("POST", "/v1/chat/completions", &[], body.as_bytes())
        .await;
    let request = stage.job().await;
    assert!(stage.hive.directory().kill(Address::Proxy(request)));
    check(
        &client.response(false).await,
        500,
        "server_error",
        "internal_error",
        None,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_for_a_request_that_nobody_knows_is_inert() {
    let stage = Stage::new().await;
    let request = RequestId { boot: BOOT, n: 999 };
    stage.tell(Command::Failed {
        request,
        why: Failure::Internal,
    });
    stage.tell(Command::Delta {
        request,
        offset: 0,
        text: "x".into(),
    });
    assert_eq!(stage.chat(&script("say x")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_and_methods_that_there_are_not_say_so() {
    let stage = Stage::new().await;
    for path in ["/", "/v1", "/v1/embeddings", "/v1/models2", "/api/status"] {
        check(
            &stage.get(path).await,
            404,
            "not_found_error",
            "not_found",
            None,
        );
    }
    let table = [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("OPTIONS", "/v1/models/builtin", "GET, HEAD"),
        ("PUT", "/health", "GET, HEAD"),
    ];
    for (method, path, allow) in table {
        let response = stage.client().await.request(method, path, &[], b"").await;
        check(&response, 405, INVALID, "method_not_allowed", None);
        assert_eq!(response.head.header("allow"), Some(allow));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_host_or_origin_is_refused() {
    let stage = Stage::with(|config| config.names = vec!["node.lan".to_owned()]).await;
    let port = stage.at.api.port();
    let own = [
        "localhost".to_owned(),
        "LOCALHOST.".to_owned(),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        "node.lan:80".to_owned(),
        "Node.LAN".to_owned(),
    ];
    let foreign = [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.1",
        "evil@localhost",
        "localhost:80:80",
        "localhost:x",
        ":80",
        "[::1",
        "[::2]",
        "",
    ];
    let mut client = stage.client().await;
    for host in &own {
        let response = client
            .request("GET", "/v1/models", &[("Host", host)], b"")
            .await;
        assert_eq!(response.status(), 200, "{host}");
        let origin = format!("http://{host}");
        let response = client
            .request("GET", "/v1/models", &[("Origin", &origin)], b"")
            .await;
        assert_eq!(response.status(), 200, "{origin}");
    }
    for host in foreign {
        let response = client
            .request("GET", "/health", &[("Host", host)], b"")
            .await;
        check(&response, 403, "permission_error", "invalid_host", None);
        let origin = format!("http://{host}");
        let response = client
            .request("GET", "/v1/models", &[("Origin", &origin)], b"")
            .await;
        check(&response, 403, "permission_error", "invalid_origin", None);
    }
    for origin in ["null", "localhost"] {
        let response = client
            .request("GET", "/v1/models", &[("Origin", origin)], b"")
            .await;
        check(&response, 403, "permission_error", "invalid_origin", None);
    }
    let absolute = client
        .request("GET", "http://evil.example/v1/models", &[], b"")
        .await;
    check(&absolute, 403, "permission_error", "invalid_host", None);
    let twice = [("Host", "localhost"), ("Host", "localhost")];
    let response = client.request("GET", "/health", &twice, b"").await;
    check(&response, 400, INVALID, "invalid_host", None);
    let mut client = stage.client().await;
    client.send(b"GET /health HTTP/1.0\r\n\r\n").await;
    check(
        &client.response(false).await,
        400,
        INVALID,
        "invalid_host",
        None,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_wanted_once_there_is_one() {
    let key = ApiKey::new(" secret-1\n").expect("a key");
    let stage = Stage::with(|config| config.api_key = Some(key)).await;
    let body = script("say x").to_string();
    let mut client = stage.client().await;
    let wrong: [&[(&str, &str)]; 6] = [
        &[],
        &[("Authorization", "Bearer secret-2")],
        &[("Authorization", "Bearer secret-1x")],
        &[("Authorization", "Basic secret-1")],
        &[("Authorization", "Bearer ")],
        &[("x-api-key", "no")],
    ];
    for headers in wrong {
        for path in ["/v1/chat/completions", "/v1/models", "/none"] {
            let response = client.request("GET", path, headers, b"").await;
            check(&response, 401, INVALID, "invalid_api_key", None);
            assert_eq!(response.head.header("www-authenticate"), Some("Bearer"));
        }
    }
    let right = [
        ("Authorization", "bearer secret-1"),
        ("x-api-key", "secret-1"),
    ];
    for header in right {
        let path = "/v1/chat/completions";
        let response = client
            .request("POST", path, &[header], body.as_bytes())
            .await;
        assert_eq!(response.status(), 200);
    }
    assert_eq!(
        client.request("GET", "/health", &[], b"").await.status(),
        200
    );
    assert!(ApiKey::new(" \n").is_err() && ApiKey::new("two words").is_err());
    assert_eq!(format!("{key:?}"), "ApiKey");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_a_coding_or_of_no_json_is_refused() {
    let stage = Stage::new().await;
    let path = "/v1/chat/completions";
    let body = script("say x").to_string();
    let headers = [("Content-Encoding", "gzip")];
    let response = stage
        .client()
        .await
        .request("POST", path, &headers, body.as_bytes())
        .await;
    check(&response, 415, INVALID, "unsupported_encoding", None);
    let plain = [
        ("Content-Encoding", "identity"),
        ("Content-Type", "text/plain"),
    ];
    let response = stage
        .client()
        .await
        .request("POST", path, &plain, body.as_bytes())
        .await;
    assert_eq!(response.status(), 200);
    for body in [
        "",
        "[]",
        "nul",
        "{",
        "{}{}",
        "\"x\"",
        "{\"model\":1,\"model\":2}",
    ] {
        let response = stage
            .client()
            .await
            .request("POST", path, &[], body.as_bytes())
            .await;
        check(&response, 400, INVALID, "invalid_json", None);
    }
    let response = stage
        .client()
        .await
        .request("POST", path, &[], b"{\"model\":\"\xff\"}")
        .await;
    check(&response, 400, INVALID, "invalid_json", None);
    let mut client = stage.client().await;
    client
        .send(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    client
        .send(b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n")
        .await;
    check(
        &client.response(false).await,
        400,
        INVALID,
        "invalid_json",
        None,
    );
}
