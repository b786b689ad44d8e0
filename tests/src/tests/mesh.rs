//! Nodes meet by ticket, and a completion crosses.

use crate::{Folder, Node, command, get, post, run, stream};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a stopping node lets answers run.
const DRAIN: Duration = Duration::from_secs(10);

/// A node that serves the scripted model.
pub(super) fn scripted(home: &Folder, rate: &str, more: &[&str]) -> Node {
    let mut arguments = vec![
        "--engine",
        "scripted",
        "--model",
        "scripted",
        "--scripted-rate",
        rate,
    ];
    arguments.extend(more);
    Node::serve(home.path(), &arguments)
}

/// A ticket of a running node.
pub(super) fn ticket(home: &Folder) -> String {
    let output = run(home.path(), &["ticket", "new"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let line = text.strip_suffix('\n').expect("one line");
    assert!(
        // The alphabet of base32, in lower case.
        line.chars().all(|c| matches!(c, 'a'..='z' | '2'..='7')),
        "{line}"
    );
    line.to_owned()
}

/// A chat request.
pub(super) fn chat(seed: u64, tokens: u32, streamed: bool) -> String {
    let message = r#"{"role":"user","content":"hello"}"#;
    let head = format!(r#""model":"scripted","messages":[{message}],"seed":{seed}"#);
    format!(r#"{{{head},"max_tokens":{tokens},"stream":{streamed}}}"#)
}

#[test]
fn a_completion_crosses_two_processes() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &[]);
    let invitation = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &invitation]);
    b.wait_for_model("scripted", true);
    let whole = post(&b.api, "/v1/chat/completions", &chat(42, 64, false));
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_eq!(whole.header("x-mesh-served-by"), Some(a.id.as_str()));
    assert!(whole.header("x-request-id").is_some());
    let expected = kernel::scripted::text(42, 64);
    assert_eq!(
        whole.json()["choices"][0]["message"]["content"],
        expected.as_str()
    );
    assert_eq!(whole.json()["usage"]["completion_tokens"], 64);
    let mut streamed = stream(&b.api, "/v1/chat/completions", &chat(42, 64, true));
    streamed.read_all();
    assert_eq!(streamed.text, expected);
    assert_eq!(streamed.header("x-mesh-served-by"), Some(a.id.as_str()));
    assert_eq!(streamed.finish.as_deref(), Some("length"));
}

#[test]
fn a_lost_answer_that_nobody_else_can_give_ends_in_a_clear_error() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let mut a = scripted(&home_a, "50", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    let mut answer = stream(&b.api, "/v1/chat/completions", &chat(9, 900, true));
    assert!(answer.read_deltas(5));
    a.kill();
    answer.read_all();
    assert_eq!(answer.errors.len(), 1, "{:?}", answer.errors);
    assert!(answer.errors[0].contains(' '), "{:?}", answer.errors);
    assert_eq!(answer.finish, None);
    let expected = kernel::scripted::text(9, 900);
    assert!(expected.starts_with(&answer.text), "{}", answer.text);
}

#[test]
fn a_third_node_is_found_through_the_second() {
    let homes: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
    let a = scripted(&homes[0], "0", &[]);
    let b = Node::serve(homes[1].path(), &["--join", &ticket(&homes[0])]);
    let c = scripted(&homes[2], "0", &["--join", &ticket(&homes[0])]);
    for node in [&a, &b, &c] {
        node.wait_for_peers(2);
    }
}

#[test]
fn a_running_node_joins_and_remembers_it() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let _a = scripted(&home_a, "0", &["--listen", "127.0.0.1:0"]);
    let b = Node::serve(home_b.path(), &[]);
    let joined = run(home_b.path(), &["join", &ticket(&home_a)]);
    assert!(
        joined.status.success(),
        "{}",
        String::from_utf8_lossy(&joined.stderr)
    );
    b.wait_for_model("scripted", true);
    drop(b);
    let b = Node::serve(home_b.path(), &[]);
    b.wait_for_model("scripted", true);
}

#[test]
fn a_stopped_node_joins_at_its_next_start() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let _a = scripted(&home_a, "0", &[]);
    let joined = run(home_b.path(), &["join", &ticket(&home_a)]);
    assert!(
        joined.status.success(),
        "{}",
        String::from_utf8_lossy(&joined.stderr)
    );
    let said = String::from_utf8(joined.stdout).expect("text");
    let b = Node::serve(home_b.path(), &[]);
    b.wait_for_model("scripted", true);
    let networks = b.status()["networks"].take();
    let networks = networks.as_array().cloned().unwrap_or_default();
    let ids = networks.iter().filter_map(|network| network["id"].as_str());
    let known = ids.filter(|id| said == format!("joined {id}\n"));
    assert_eq!(known.count(), 1, "{said}: {networks:?}");
}

#[test]
fn commands_find_the_running_node() {
    let home = Folder::new();
    let mut node = scripted(&home, "0", &[]);
    let out = |arguments: &[&str]| {
        let output = run(home.path(), arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(out(&["identity", "show"]), format!("{}\n", node.id));
    assert_eq!(out(&["models"]), "scripted\n");
    let status: serde_json::Value = serde_json::from_str(&out(&["status", "--json"])).unwrap();
    assert_eq!(status["node"], node.id.as_str());
    let management = node.status();
    assert_eq!(management["node"], status["node"]);
    assert_eq!(management["boot"], status["boot"]);
    assert_eq!(get(&node.api, "/readyz").status, 200);
    assert_eq!(get(&node.api, "/health").status, 200);
    assert!(out(&["status"]).contains(&node.id));
    assert_eq!(out(&["stop"]), "stopped\n");
    assert!(node.wait(), "it ends in good order");
    assert_eq!(
        out(&["identity", "show"]),
        format!("{}\n", node.id),
        "without the node too"
    );
}

#[test]
fn a_revoked_ticket_cuts_its_holder_at_once_and_for_good() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    // On the port that its home remembers, so that the ticket's addresses outlive a restart.
    let model = ["--engine", "scripted", "--model", "scripted"];
    let a = Node::serve_everywhere(home_a.path(), &model);
    let invitation = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &invitation]);
    b.wait_for_model("scripted", true);
    let revoked = run(home_a.path(), &["ticket", "revoke", &invitation]);
    assert!(
        revoked.status.success(),
        "{}",
        String::from_utf8_lossy(&revoked.stderr)
    );
    a.wait_for_peers(0);
    b.wait_for_model("scripted", false);
    let listed = run(home_a.path(), &["ticket", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["tickets"][0]["revoked"], true);
    drop(a);
    let a = Node::serve_everywhere(home_a.path(), &model);
    drop(b);
    let b = Node::serve(home_b.path(), &["--join", &invitation]);
    b.wait_for("a refusal", |status| {
        let networks = status["networks"].as_array().cloned().unwrap_or_default();
        networks
            .iter()
            .any(|network| network["refused"].is_string())
    });
    let shown = run(home_b.path(), &["status"]).stdout;
    let shown = String::from_utf8(shown).expect("text");
    assert!(shown.contains("\n           refused: "), "{shown}");
    a.wait_for_peers(0);
}

#[test]
fn a_revocation_reaches_every_member_that_the_issuer_meets() {
    let homes: Vec<Folder> = (0..4).map(|_| Folder::new()).collect();
    let a = scripted(&homes[0], "0", &[]);
    let [stays, goes] = [(); 2].map(|()| ticket(&homes[0]));
    let b = scripted(&homes[1], "0", &["--join", &stays]);
    let c = scripted(&homes[2], "0", &["--join", &goes]);
    let d = scripted(&homes[3], "0", &["--join", &stays]);
    for node in [&a, &b, &c, &d] {
        node.wait_for_peers(3);
    }
    let revoked = run(homes[0].path(), &["ticket", "revoke", &goes]);
    assert!(revoked.status.success());
    // Nobody keeps a session with it, those neither that it has not met the issuer of.
    for node in [&a, &b, &d] {
        node.wait_for_peers(2);
        let peers = node.status()["peers"].take();
        let peers = peers.as_array().cloned().unwrap_or_default();
        let left = peers.iter().any(|peer| peer["node"] == *c.id);
        assert!(!left, "{peers:?}");
    }
    c.wait_for_peers(0);
}

/// Why a node cannot serve, as everything that says so says.
fn verdict(home: &Folder, node: &Node) -> Option<String> {
    let readyz = get(&node.api, "/readyz").json();
    let shown = |arguments: &[&str]| {
        let output = run(home.path(), arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let by_command = shown(&["status", "--json"]);
    let by_command: serde_json::Value = serde_json::from_str(&by_command).expect("JSON");
    for said in [by_command, node.status()] {
        assert_eq!(said["ready"], readyz["ready"], "{said}");
        assert_eq!(said["why_not"], readyz["reason"], "{said}");
    }
    let why_not = readyz["reason"].as_str().map(str::to_owned);
    let line = match &why_not {
        None => "ready      yes".to_owned(),
        Some(why) => format!("ready      no: {why}"),
    };
    let text = shown(&["status"]);
    assert!(text.lines().any(|said| said == line), "{line}: {text}");
    why_not
}

#[test]
fn a_stop_lets_running_answers_end() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let mut a = scripted(&home_a, "50", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    let mut answer = stream(&b.api, "/v1/chat/completions", &chat(7, 100, true));
    assert!(answer.read_deltas(10));
    assert_eq!(verdict(&home_a, &a), None);
    let mut stop = command(home_a.path(), &["stop", "--json"]);
    let stopping = stop.stdout(Stdio::piped()).spawn().unwrap();
    // Meanwhile it is not ready for more, says so, and is well.
    while get(&a.api, "/readyz").status == 200 {}
    let not_ready = get(&a.api, "/readyz");
    assert_eq!(not_ready.status, 503);
    assert!(
        not_ready.text().contains("stopping"),
        "{}",
        not_ready.text()
    );
    assert_eq!(get(&a.api, "/health").status, 200);
    assert_eq!(
        verdict(&home_a, &a).as_deref(),
        Some("the node is stopping")
    );
    let stopped = stopping.wait_with_output().unwrap();
    assert!(stopped.status.success());
    let said: serde_json::Value = serde_json::from_slice(&stopped.stdout).unwrap();
    assert_eq!(said["stopped"], true);
    assert!(a.wait());
    answer.read_all();
    assert_eq!(answer.errors, Vec::<String>::new());
    assert_eq!(answer.text, kernel::scripted::text(7, 100));
}

#[test]
fn an_answer_that_outlasts_a_stop_is_told_that_the_node_stops() {
    let home = Folder::new();
    let mut node = scripted(&home, "1", &[]);
    let mut answer = stream(&node.api, "/v1/chat/completions", &chat(7, 100, true));
    assert!(answer.read_deltas(2));
    let stop = command(home.path(), &["stop"]).spawn().unwrap();
    answer.read_all();
    let said = answer.errors.concat();
    assert!(said.contains("this node is stopping"), "{said:?}");
    assert!(!said.contains("defect"), "{said:?}");
    assert!(kernel::scripted::text(7, 100).starts_with(&answer.text));
    assert!(stop.wait_with_output().unwrap().status.success());
    assert!(node.wait());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is in real time")]
fn who_asks_twice_does_not_wait_for_running_answers() {
    let home = Folder::new();
    let mut node = scripted(&home, "1", &[]);
    let mut answer = stream(&node.api, "/v1/chat/completions", &chat(7, 1_000, true));
    assert!(answer.read_deltas(2));
    let begin = Instant::now();
    while node.runs() {
        node.signal("INT");
    }
    assert!(node.wait());
    assert!(begin.elapsed() < DRAIN / 2, "{:?}", begin.elapsed());
}

#[test]
fn a_signal_to_a_process_and_its_group_asks_for_one_stop() {
    let home = Folder::new();
    let mut node = scripted(&home, "50", &[]);
    let mut answer = stream(&node.api, "/v1/chat/completions", &chat(7, 60, true));
    assert!(answer.read_deltas(2));
    node.signal("TERM");
    node.signal("TERM");
    answer.read_all();
    assert_eq!(answer.errors, Vec::<String>::new());
    assert_eq!(answer.text, kernel::scripted::text(7, 60));
    assert!(node.wait());
    let log = fs::read_to_string(home.path().join(crate::LOG)).unwrap();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_stop_while_nobody_answers_a_dial_is_no_error() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let mut a = scripted(&home_a, "0", &[]);
    let ticket = ticket(&home_a);
    a.kill();
    let mut b = Node::serve(home_b.path(), &["--join", &ticket]);
    b.signal("TERM");
    assert!(b.wait());
    let log = fs::read_to_string(home_b.path().join(crate::LOG)).unwrap();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_new_ticket_renews_the_membership_of_a_running_node() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &[]);
    let first = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &first]);
    b.wait_for_model("scripted", true);
    assert!(
        run(home_a.path(), &["ticket", "revoke", &first])
            .status
            .success()
    );
    b.wait_for_model("scripted", false);
    let second = ticket(&home_a);
    assert!(run(home_b.path(), &["join", &second]).status.success());
    b.wait_for_model("scripted", true);
    a.wait_for_peers(1);
}
