//! Parsing alone: which values are taken, and which parameter is named where one is not.

use crate::ask::{Ask, Shape};
use serde_json::{Value, json};

fn base(shape: Shape) -> Value {
    match shape {
        Shape::Chat => json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] }),
        Shape::Text => json!({ "model": "m", "prompt": "x" }),
    }
}

fn parse(shape: Shape, name: &str, value: &Value) -> Result<Ask, String> {
    let mut body = base(shape);
    body[name] = value.clone();
    Ask::parse(shape, body.to_string().as_bytes()).map_err(|error| {
        assert_eq!(
            (error.status.as_u16(), error.kind),
            (400, "invalid_request_error")
        );
        error.param.unwrap_or_default()
    })
}

/// Each value of `name` is refused with the parameter named.
fn refuses(shapes: &[Shape], name: &str, values: &[Value]) {
    for shape in shapes {
        for value in values {
            let param = parse(*shape, name, value).expect_err(&format!("{name}: {value}"));
            assert_eq!(param, name, "{value}");
        }
    }
}

/// Each value of `name` is taken, `null` too, and changes nothing.
fn ignores(shapes: &[Shape], name: &str, values: &[Value]) {
    for shape in shapes {
        let plain = Ask::parse(*shape, base(*shape).to_string().as_bytes()).expect("a request");
        for value in values.iter().chain([&Value::Null]) {
            assert_eq!(
                parse(*shape, name, value).as_ref(),
                Ok(&plain),
                "{name}: {value}"
            );
        }
    }
}

const BOTH: &[Shape] = &[Shape::Chat, Shape::Text];
const CHAT: &[Shape] = &[Shape::Chat];
const TEXT: &[Shape] = &[Shape::Text];

#[test]
fn neutral_values_are_taken_and_others_named() {
    let zero = [json!(0), json!(0.0)];
    let numbers = [json!(0.5), json!(-1), json!("0"), json!([])];
    ignores(BOTH, "n", &[json!(1), json!(1.0)]);
    refuses(BOTH, "n", &[json!(0), json!(2), json!("1"), json!(1.5)]);
    for name in ["presence_penalty", "frequency_penalty"] {
        ignores(BOTH, name, &zero);
        refuses(BOTH, name, &numbers);
    }
    ignores(BOTH, "logit_bias", &[json!({})]);
    refuses(
        BOTH,
        "logit_bias",
        &[json!({ "50256": -100 }), json!(1), json!("")],
    );
    ignores(BOTH, "logprobs", &[json!(false)]);
    refuses(BOTH, "logprobs", &[json!(true), json!(0), json!(5)]);
    ignores(CHAT, "top_logprobs", &zero);
    refuses(CHAT, "top_logprobs", &[json!(2)]);
    ignores(CHAT, "response_format", &[json!({ "type": "text" })]);
    let formats = [
        json!({ "type": "json_object" }),
        json!({}),
        json!("text"),
        json!(1),
    ];
    refuses(CHAT, "response_format", &formats);
    for (list, choice) in [("tools", "tool_choice"), ("functions", "function_call")] {
        ignores(CHAT, list, &[json!([])]);
        refuses(CHAT, list, &[json!([{ "type": "function" }]), json!("x")]);
        ignores(CHAT, choice, &[json!("none"), json!("auto")]);
        refuses(
            CHAT,
            choice,
            &[json!("required"), json!({ "type": "function" }), json!(1)],
        );
    }
    ignores(CHAT, "parallel_tool_calls", &[json!(true), json!(false)]);
    refuses(CHAT, "parallel_tool_calls", &[json!(1)]);
    ignores(CHAT, "modalities", &[json!(["text"])]);
    refuses(CHAT, "modalities", &[json!(["text", "audio"]), json!([])]);
    refuses(CHAT, "audio", &[json!({ "voice": "x" }), json!({})]);
    ignores(TEXT, "best_of", &[json!(1)]);
    refuses(TEXT, "best_of", &[json!(2)]);
    ignores(TEXT, "echo", &[json!(false)]);
    refuses(TEXT, "echo", &[json!(true)]);
    ignores(TEXT, "suffix", &[json!("")]);
    refuses(TEXT, "suffix", &[json!("end")]);
}

#[test]
fn parameters_of_other_servers_are_named_too() {
    ignores(BOTH, "top_k", &[json!(0), json!(-1)]);
    refuses(BOTH, "top_k", &[json!(1), json!(40), json!("x")]);
    for name in ["min_p", "min_tokens"] {
        ignores(BOTH, name, &[json!(0)]);
        refuses(BOTH, name, &[json!(0.1), json!(5)]);
    }
    for name in ["repetition_penalty", "repeat_penalty", "typical_p"] {
        ignores(BOTH, name, &[json!(1)]);
        refuses(BOTH, name, &[json!(1.1), json!(0)]);
    }
    ignores(BOTH, "grammar", &[json!("")]);
    refuses(BOTH, "grammar", &[json!("root ::= \"x\""), json!({})]);
    ignores(BOTH, "json_schema", &[json!({})]);
    refuses(BOTH, "json_schema", &[json!({ "type": "object" })]);
    ignores(BOTH, "ignore_eos", &[json!(false)]);
    refuses(BOTH, "ignore_eos", &[json!(true)]);
}

#[test]
fn what_nobody_knows_is_skipped() {
    let deep = serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(100), "]".repeat(100)));
    let values = [json!("x"), json!({ "a": [1, 2] }), deep.expect("JSON")];
    for name in [
        "user",
        "store",
        "metadata",
        "service_tier",
        "reasoning_effort",
        "verbosity",
        "prediction",
        "prompt_cache_key",
        "safety_identifier",
        "web_search_options",
        "x_unknown",
    ] {
        ignores(BOTH, name, &values);
    }
    let deeper = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!("{{\"model\":\"m\",\"prompt\":\"x\",\"y\":{deeper}}}");
    assert!(Ask::parse(Shape::Text, body.as_bytes()).is_ok());
    let body = format!("{{\"model\":\"m\",\"prompt\":{deeper}}}");
    assert!(Ask::parse(Shape::Text, body.as_bytes()).is_err());
}

#[test]
fn numbers_are_in_their_range_and_of_their_type() {
    let wrong = [json!("1"), json!(true), json!([]), json!({}), json!(-0.1)];
    refuses(BOTH, "temperature", &wrong);
    refuses(BOTH, "temperature", &[json!(2.000_001), json!(1e300)]);
    refuses(BOTH, "top_p", &wrong);
    refuses(BOTH, "top_p", &[json!(1.1)]);
    let read = |name: &str, value: Value| parse(Shape::Text, name, &value).expect("taken");
    assert_eq!(read("temperature", json!(2)).temperature_e6, 2_000_000);
    assert_eq!(read("temperature", json!(0)).temperature_e6, 0);
    assert_eq!(read("temperature", json!(0.7)).temperature_e6, 700_000);
    assert_eq!(read("top_p", json!(0)).top_p_e6, 1);
    assert_eq!(read("top_p", json!(1.0)).top_p_e6, 1_000_000);
    for name in ["max_tokens", "max_completion_tokens"] {
        let wrong = [json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64)];
        refuses(BOTH, name, &wrong);
        // Clients that want the prompt's length, or to warm a model up.
        assert_eq!(read(name, json!(0)).max_tokens, Some(0));
        assert_eq!(read(name, json!(1)).max_tokens, Some(1));
        assert_eq!(read(name, json!(1_000_000)).max_tokens, Some(131_072));
        assert_eq!(read(name, Value::Null).max_tokens, None);
    }
    refuses(
        BOTH,
        "seed",
        &[json!(1.5), json!("1"), json!(1e30), json!([])],
    );
    assert_eq!(read("seed", json!(i64::MIN)).seed, Some(1 << 63));
    assert_eq!(read("seed", json!(u64::MAX)).seed, Some(u64::MAX));
}

#[test]
fn stops_streams_and_models_are_of_their_type() {
    let many = json!(vec!["x"; 17]);
    let long = json!("x".repeat(257));
    refuses(
        BOTH,
        "stop",
        &[
            json!(""),
            json!(["a", ""]),
            many,
            long,
            json!(1),
            json!([1]),
        ],
    );
    let stops = parse(Shape::Chat, "stop", &json!(["a", "b"]))
        .expect("taken")
        .stops;
    assert_eq!(
        stops.iter().map(|stop| &**stop).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(
        parse(Shape::Chat, "stop", &json!("a"))
            .expect("taken")
            .stops
            .len(),
        1
    );
    let plain = Ask::parse(Shape::Chat, base(Shape::Chat).to_string().as_bytes());
    assert_eq!(parse(Shape::Chat, "stop", &json!([])).ok(), plain.ok());
    refuses(BOTH, "stream", &[json!("true"), json!(1)]);
    refuses(
        BOTH,
        "stream_options",
        &[json!({ "include_usage": true }), json!(1), json!([])],
    );
    refuses(
        BOTH,
        "model",
        &[json!(""), json!(1), json!(["m"]), Value::Null],
    );
    let mut body = base(Shape::Chat);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": "yes" });
    let error = Ask::parse(Shape::Chat, body.to_string().as_bytes()).expect_err("a text");
    assert_eq!(error.param.as_deref(), Some("stream_options.include_usage"));
}

#[test]
fn prompts_are_texts() {
    let wrong = [
        json!(1),
        json!([]),
        json!(["a", "b"]),
        json!([1, 2]),
        json!({}),
        Value::Null,
    ];
    refuses(TEXT, "prompt", &wrong);
    refuses(
        CHAT,
        "messages",
        &[json!([]), json!("x"), json!({}), Value::Null],
    );
    refuses(
        CHAT,
        "messages",
        &[json!(vec![json!({ "role": "user", "content": "" }); 4097])],
    );
    let table = [
        (json!(1), "messages[0]"),
        (json!({ "content": "x" }), "messages[0].role"),
        (
            json!({ "role": "boss", "content": "x" }),
            "messages[0].role",
        ),
        (json!({ "role": 1, "content": "x" }), "messages[0].role"),
        (json!({ "role": "user" }), "messages[0].content"),
        (
            json!({ "role": "user", "content": null }),
            "messages[0].content",
        ),
        (
            json!({ "role": "user", "content": 5 }),
            "messages[0].content",
        ),
        (
            json!({ "role": "user", "content": ["x"] }),
            "messages[0].content[0]",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "text" }] }),
            "messages[0].content[0].text",
        ),
        (
            json!({ "role": "user", "content": [
                { "type": "text", "text": "x" }, { "type": "image_url", "image_url": {} },
            ]}),
            "messages[0].content[1].type",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "input_audio", "input_audio": {} }] }),
            "messages[0].content[0].type",
        ),
        (
            json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": "x" }] }),
            "messages[0].tool_calls",
        ),
    ];
    for (message, param) in table {
        assert_eq!(
            parse(Shape::Chat, "messages", &json!([message])),
            Err(param.to_owned())
        );
    }
    let lone = br#"{"model":"m","prompt":"\ud800"}"#;
    let error = Ask::parse(Shape::Text, lone).expect_err("half a character");
    assert_eq!(error.param.as_deref(), Some("prompt"));
}
