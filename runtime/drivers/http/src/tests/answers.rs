//! Answers that are sent whole, the model list, and the headers of all.

use super::{Stage, script};
use crate::config::ApiKey;
use messages::{Job, Prompt, Role, Sampling};
use serde_json::{Value, json};

async fn job_of(stage: &mut Stage, path: &str, body: &Value) -> Job {
    assert_eq!(stage.post(path, body).await.status(), 200);
    stage.next_job().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_answer_has_the_shape_of_the_field() {
    let stage = Stage::new().await;
    let response = stage.chat(&script("say Hel|lo, |\u{e4}")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.head.header("content-type"),
        Some("application/json")
    );
    let served_by = response.head.header("x-mesh-served-by").map(str::to_owned);
    assert_eq!(served_by, Some(super::ME.to_string()));
    assert!(
        response
            .head
            .header("openai-processing-ms")
            .is_some_and(|ms| { ms.parse::<u64>().is_ok() })
    );
    let mut body = response.json();
    assert!(
        body["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("chatcmpl-7-"))
    );
    let id = response.head.header("x-request-id").expect("an id");
    assert_eq!(body["id"], format!("chatcmpl-{id}"));
    assert!(
        body["created"]
            .as_u64()
            .is_some_and(|created| created > 1_700_000_000)
    );
    let fields = body.as_object_mut().expect("an object");
    fields.remove("id");
    fields.remove("created");
    let expected = json!({
        "object": "chat.completion",
        "model": "scripted",
        "system_fingerprint": "fp_abababababababab",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "Hello, \u{e4}", "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8 },
    });
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_answer_has_the_shape_of_the_field() {
    let stage = Stage::new().await;
    let body = json!({ "model": "builtin", "prompt": "say a|b|c|d", "max_tokens": 2 });
    let mut body = stage.post("/v1/completions", &body).await.json();
    let fields = body.as_object_mut().expect("an object");
    assert!(
        fields
            .remove("id")
            .is_some_and(|id| { id.as_str().is_some_and(|id| id.starts_with("cmpl-7-")) })
    );
    assert!(fields.remove("created").is_some());
    let expected = json!({
        "object": "text_completion",
        "model": "builtin",
        "system_fingerprint": "fp_abababababababab",
        "choices": [{ "index": 0, "text": "ab", "logprobs": null, "finish_reason": "length" }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7 },
    });
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_string_ends_the_answer_and_is_not_part_of_it() {
    let stage = Stage::new().await;
    let mut body = script("say one |two E|ND three");
    body["stop"] = json!(["never", "END"]);
    let body = stage.chat(&body).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "one two ");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_asks_is_what_the_worker_is_asked() {
    let mut stage = Stage::new().await;
    let body = json!({
        "model": "scripted",
        "messages": [
            { "role": "developer", "content": "be brief" },
            { "role": "assistant", "content": null, "tool_calls": [] },
            { "role": "user", "content": [
                { "type": "text", "text": "say " }, { "type": "text", "text": "x" },
            ]},
        ],
        "temperature": 0.25, "top_p": 0.5, "seed": -1, "max_tokens": 3,
        "max_completion_tokens": 9,
    });
    let job = job_of(&mut stage, "/v1/chat/completions", &body).await;
    let expected = Sampling {
        temperature_e6: 250_000,
        top_p_e6: 500_000,
        seed: u64::MAX,
    };
    assert_eq!(job.sampling, expected);
    assert_eq!(job.max_tokens, Some(9));
    let Prompt::Chat(messages) = job.prompt else {
        panic!("a chat")
    };
    let said: Vec<(Role, &[u8])> = messages
        .iter()
        .map(|message| (message.role, &*message.content.0))
        .collect();
    let expected: [(Role, &[u8]); 3] = [
        (Role::System, b"be brief"),
        (Role::Assistant, b""),
        (Role::User, b"say x"),
    ];
    assert_eq!(said, expected);

    let body = json!({ "model": "scripted", "prompt": ["say y"] });
    let job = job_of(&mut stage, "/v1/completions", &body).await;
    assert_eq!(job.prompt, Prompt::Raw("say y".into()));
    assert_eq!(
        (job.max_tokens, job.sampling.temperature_e6),
        (None, 1_000_000)
    );
    assert_eq!(job.sampling.top_p_e6, 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_are_two_tenants() {
    let mut tenants = Vec::new();
    for key in [None, Some("one"), Some("two")] {
        let mut stage = Stage::with(|config| {
            config.api_key = key.map(|key| ApiKey::new(key).expect("a key"));
        })
        .await;
        let value = format!("Bearer {}", key.unwrap_or("ignored"));
        let body = script("say x").to_string();
        let mut client = stage.client().await;
        let headers = [("Authorization", value.as_str())];
        let path = "/v1/chat/completions";
        let response = client
            .request("POST", path, &headers, body.as_bytes())
            .await;
        assert_eq!(response.status(), 200);
        tenants.push(stage.next_job().await.tenant);
    }
    assert!(tenants[0] != tenants[1] && tenants[1] != tenants[2] && tenants[0] != tenants[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_list_comes_from_memory_and_each_model_by_name_and_digest() {
    let stage = Stage::new().await;
    let list = stage.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, ["builtin", "scripted", "org/quant"]);
    let digest = list["data"][0]["mesh"]["digest"]
        .as_str()
        .expect("a digest");
    for path in ["builtin", digest] {
        let one = stage.get(&format!("/v1/models/{path}")).await;
        assert_eq!((one.status(), &one.json()), (200, &list["data"][0]));
    }
    for path in ["org/quant", "org%2Fquant"] {
        assert_eq!(
            stage.get(&format!("/v1/models/{path}")).await.json(),
            list["data"][2]
        );
    }
    for path in ["none", "", "%", "%zz", "%ff"] {
        let missing = stage.get(&format!("/v1/models/{path}")).await;
        assert_eq!(missing.status(), 404);
        assert_eq!(missing.error().1, "model_not_found");
    }
    let head = stage
        .client()
        .await
        .request("HEAD", "/v1/models", &[], b"")
        .await;
    assert_eq!(head.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_request_id_is_echoed_where_it_is_one() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let long = "x".repeat(129);
    for (given, echoed) in [("abc-1", true), (long.as_str(), false), ("a b", false)] {
        let response = client
            .request("GET", "/health", &[("x-request-id", given)], b"")
            .await;
        assert_eq!(response.head.header("x-request-id") == Some(given), echoed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_one_request_after_the_other() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let body = script("say x").to_string();
    for _ in 0..50 {
        let path = "/v1/chat/completions";
        let response = client.request("POST", path, &[], body.as_bytes()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(client.request("POST", path, &[], b"{}").await.status(), 400);
    }
}
