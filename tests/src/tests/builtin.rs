//! The built-in model, real tokens from llama.cpp, across real processes.

use super::bad_input::refused;
use super::mesh::ticket;
use crate::{Folder, Node, Reply, ask, post, stream};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Answers that lose their server.
const KILLS: usize = 12;
/// What a client of a machine that lost its engine waits at most.
const RESTART_MAX: Duration = Duration::from_secs(10);
/// An answer of 390 tokens and a third of a second.
const COUNT: &str = "Count from 1 to 100";
const PATH: &str = "/v1/chat/completions";

/// A node that serves the built-in model.
fn holder(home: &Folder, more: &[&str]) -> Node {
    let mut arguments = vec!["--model", "builtin"];
    arguments.extend(more);
    Node::serve(home.path(), &arguments)
}

fn chat(prompt: &str, streamed: bool) -> String {
    serde_json::json!({
        "model": "builtin",
        "messages": [{ "role": "user", "content": prompt }],
        "temperature": 0,
        "stream": streamed,
    })
    .to_string()
}

fn content(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = reply.json();
    let content = reply["choices"][0]["message"]["content"].as_str();
    content.expect("a text").to_owned()
}

/// 1 to 100, as the model writes it.
fn counted() -> String {
    let numbers: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
    numbers.join(", ")
}

/// Jobs that a node's device has finished, as its status says; that lags a little.
fn finished(node: &Node) -> u64 {
    let status = node.status();
    status["devices"][0]["finished"].as_u64().expect("a count")
}

/// The processes whose parent is this node: its engine.
fn children(node: &Node) -> Vec<u32> {
    let parent = format!("PPid:\t{}", node.pid());
    let processes = fs::read_dir("/proc").expect("a list of processes");
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &u32| {
            // A process that has ended meanwhile is nobody's child.
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.lines().any(|line| line == parent)
        })
        .collect()
}

/// The model's file, as a part of the sources.
fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/drivers/llama/model/builtin.gguf")
}

#[test]
fn the_built_in_model_answers_across_the_mesh() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = holder(&home_a, &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("builtin", true);
    let prompt = "Reply with exactly one word: PONG";
    let whole = post(&b.api, PATH, &chat(prompt, false));
    assert_eq!(content(&whole), "PONG");
    assert_eq!(whole.header("x-mesh-served-by"), Some(a.id.as_str()));
    let mut streamed = stream(&b.api, PATH, &chat(prompt, true));
    streamed.read_all();
    assert_eq!(streamed.text, "PONG");
    assert_eq!(streamed.header("x-mesh-served-by"), Some(a.id.as_str()));
    assert_eq!(streamed.finish.as_deref(), Some("stop"));
}

#[test]
fn a_killed_server_leaves_the_text_of_the_model_identical() {
    let homes: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
    let client = Node::serve(homes[0].path(), &[]);
    let mut holders: Vec<Node> = homes[1..]
        .iter()
        .map(|home| holder(home, &["--join", &ticket(&homes[0])]))
        .collect();
    client.wait_for_peers(2);
    client.wait_for_model("builtin", true);
    let mut moved = 0;
    for kill in 0..KILLS {
        let mut answer = stream(&client.api, PATH, &chat(COUNT, true));
        assert_eq!(answer.status, 200);
        let by = answer.header("x-mesh-served-by").expect("a name");
        let served = holders.iter().position(|holder| holder.id == by);
        let served = served.expect("a holder serves");
        let before = finished(&holders[1 - served]);
        answer.read_deltas(1 + kill);
        holders[served].kill();
        answer.read_all();
        assert_eq!(answer.errors, Vec::<String>::new(), "kill {kill}");
        assert_eq!(answer.text, counted(), "kill {kill}");
        assert_eq!(answer.finish.as_deref(), Some("stop"), "kill {kill}");
        holders[served] = holder(&homes[served + 1], &[]);
        holders[served].wait_for_peers(2);
        client.wait_for_peers(2);
        // The other one has finished it: the kill came in time.
        moved += finished(&holders[1 - served]) - before;
    }
    eprintln!("{KILLS} kills, {moved} of them in the middle of the answer");
    assert!(moved > 0, "no kill came in the middle of the answer");
}

#[test]
fn a_prompt_that_is_too_long_is_a_bad_request_here_and_across_the_mesh() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = holder(&home_a, &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("builtin", true);
    // A token is a byte, and the context has 512.
    for api in [&a.api, &b.api] {
        for streamed in [false, true] {
            let reply = post(api, PATH, &chat(&"word ".repeat(200), streamed));
            assert_eq!(reply.status, 400, "{}", reply.text());
            assert_eq!(reply.json()["error"]["code"], "context_length_exceeded");
            assert!(reply.text().contains("512 tokens"), "{}", reply.text());
        }
        let reply = post(api, PATH, &chat("Say hello", false));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is in real time")]
fn one_answer_is_decoded_at_a_time_and_the_next_waits_for_its_end() {
    let home = Folder::new();
    let a = holder(&home, &[]);
    let mut long = stream(&a.api, PATH, &chat(COUNT, true));
    assert!(long.read_deltas(1));
    let begin = Instant::now();
    let short = ask(
        &a.api,
        PATH,
        &chat("Reply with exactly one word: PONG", false),
    );
    long.read_all();
    let rest = begin.elapsed();
    assert_eq!(long.text, counted());
    let short = short.read();
    assert_eq!(content(&short), "PONG");
    let took = short.header("openai-processing-ms").expect("a time");
    // A hundredth of the long answer, had it not waited.
    let took = Duration::from_millis(took.parse().expect("a number"));
    assert!(took * 2 > rest, "{took:?} beside {rest:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is in real time")]
fn a_killed_engine_serves_again_within_ten_seconds() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = holder(&home_a, &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("builtin", true);
    for api in [&a.api, &b.api] {
        let engines = children(&a);
        assert_eq!(engines.len(), 1, "{engines:?}");
        let pid = engines[0].to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(killed.expect("kill runs").success());
        let begin = Instant::now();
        let reply = post(api, PATH, &chat("Reply with exactly one word: PONG", false));
        assert_eq!(content(&reply), "PONG", "after {:?}", begin.elapsed());
        assert!(begin.elapsed() <= RESTART_MAX, "{:?}", begin.elapsed());
        assert_ne!(children(&a), engines, "another process serves");
    }
}

#[test]
fn a_damaged_model_file_is_refused_at_the_start_in_one_line() {
    let home = Folder::new();
    let whole = fs::read(model()).expect("the model's file");
    let files: [(&str, &[u8], &str); 5] = [
        ("empty", b"", "the file ends"),
        ("text", b"This is a text.\n", "no GGUF file"),
        ("head", &whole[..64], "damaged"),
        ("half", &whole[..whole.len() / 2], "damaged"),
        ("tail", &whole[..whole.len() - 1], "damaged"),
    ];
    for (name, bytes, hint) in files {
        let path = home.path().join(format!("{name}.gguf"));
        fs::write(&path, bytes).expect("a file");
        let path = path.to_str().expect("a path of text");
        let ports = ["--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        let line = refused(&home, &[&["serve", "--model", path][..], &ports].concat());
        assert!(line.contains(path) && line.contains(hint), "{name}: {line}");
    }
}
