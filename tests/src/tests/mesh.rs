//! Nodes meet by ticket, and a completion crosses.

use crate::{Folder, Node, get, post, run, stream};

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
        line.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
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
    a.wait_for_peers(0);
}

#[test]
fn a_stop_lets_running_answers_end() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let mut a = scripted(&home_a, "50", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    let mut answer = stream(&b.api, "/v1/chat/completions", &chat(7, 100, true));
    assert!(answer.read_deltas(10));
    let stopped = run(home_a.path(), &["stop", "--json"]);
    assert!(stopped.status.success());
    let said: serde_json::Value = serde_json::from_slice(&stopped.stdout).unwrap();
    assert_eq!(said["stopped"], true);
    assert!(a.wait());
    answer.read_all();
    assert_eq!(answer.errors, Vec::<String>::new());
    assert_eq!(answer.text, kernel::scripted::text(7, 100));
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
