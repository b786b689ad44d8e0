//! Prompts, permissions and settings among real processes.

use super::command_line::{json_of, out};
use super::mesh::ticket;
use crate::{Folder, Node, get, request, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than anything here takes on any machine.
const WAIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Times that a node is killed while it is told things.
const KILLS: u64 = 200;

/// Waits until this is so.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut looks = WAIT.as_millis() / LOOK.as_millis();
    while !holds() {
        looks -= 1;
        assert!(looks > 0, "it does not come about: {what}");
        std::thread::sleep(LOOK);
    }
}

/// What a node shows, without who says whether it is his own.
fn shown(node: &Node, path: &str) -> Value {
    let mut body = get(&node.console, path).json();
    for list in ["prompts", "permissions"] {
        for row in body[list].as_array_mut().into_iter().flatten() {
            let row = row.as_object_mut().expect("a row");
            for own in ["mine", "own", "tightened_by"] {
                row.remove(own);
            }
        }
    }
    body
}

fn agree(nodes: &[&Node], path: &str) -> bool {
    let first = shown(nodes[0], path);
    nodes[1..].iter().all(|node| shown(node, path) == first)
}

fn ids(node: &Node) -> BTreeSet<String> {
    let body = get(&node.console, "/api/prompts").json();
    let rows = body["prompts"].as_array().expect("prompts").clone();
    let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
    rows.iter().map(id).collect()
}

fn add(home: &Folder, name: &str) -> String {
    let id = out(
        home,
        &["prompts", "add", "--name", name, "--system", "You are it"],
    );
    id.trim_end().to_owned()
}

fn names(list: &[&String]) -> BTreeSet<String> {
    list.iter().map(|id| (*id).clone()).collect()
}

#[test]
fn who_joins_later_holds_everything_and_who_was_away_brings_nothing_back() {
    let homes: [Folder; 4] = std::array::from_fn(|_| Folder::new());
    let a = Node::serve(homes[0].path(), &[]);
    let invitation = ticket(&homes[0]);
    let join = |home: &Folder| Node::serve(home.path(), &["--join", &invitation]);
    let (b, c) = (join(&homes[1]), join(&homes[2]));
    a.wait_for_peers(2);
    let (first, second) = (add(&homes[0], "first"), add(&homes[1], "second"));
    let third = add(&homes[2], "third");
    out(
        &homes[2],
        &["permissions", "set", "shell", "--mode", "denied"],
    );
    let all = names(&[&first, &second, &third]);
    until("three hold three", || {
        [&a, &b, &c].iter().all(|node| ids(node) == all)
    });
    // The fourth comes long after all was said.
    let d = join(&homes[3]);
    until("the fourth holds them", || ids(&d) == all);
    until("and the permission", || {
        out(&homes[3], &["permissions", "check", "shell", "ls"]) == "refuse\n"
    });
    // One is away while others edit and delete.
    let mut c = c;
    c.kill();
    out(&homes[1], &["prompts", "edit", &first, "--name", "edited"]);
    out(&homes[0], &["prompts", "remove", &second]);
    out(&homes[3], &["prompts", "remove", &third]);
    let left = names(&[&first]);
    until("three know", || {
        [&a, &b, &d].iter().all(|node| ids(node) == left)
    });
    let c = join(&homes[2]);
    let everybody = [&a, &b, &c, &d];
    until("all agree", || {
        agree(&everybody, "/api/prompts") && agree(&everybody, "/api/permissions")
    });
    assert_eq!(ids(&c), left);
    let name = |home: &Folder| json_of(home, &["prompts", "show", &first])["name"].take();
    assert!(homes.iter().all(|home| name(home) == "edited"));
}

#[test]
fn who_does_not_share_is_isolated_over_restarts_and_catches_up() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = Node::serve(home_a.path(), &[]);
    let invitation = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &invitation]);
    let home_c = Folder::new();
    let c = Node::serve(home_c.path(), &["--join", &invitation]);
    a.wait_for_peers(2);
    assert_eq!(
        out(&home_b, &["network", "set", "auto-gossip", "off"]),
        "set\n"
    );
    drop(b);
    let b = Node::serve(home_b.path(), &[]);
    b.wait_for_peers(1);
    assert_eq!(json_of(&home_b, &["network", "show"])["auto_gossip"], false);
    let (of_a, of_b) = (add(&home_a, "of a"), add(&home_b, "of b"));
    // What crosses to one that shares has had the time to cross to one that does not.
    let of_c = add(&home_c, "of c");
    let shared = names(&[&of_a, &of_c]);
    until("a and c hold theirs", || {
        ids(&a) == shared && ids(&c) == shared
    });
    assert_eq!(ids(&b), names(&[&of_b]));
    out(&home_b, &["network", "set", "auto-gossip", "on"]);
    let all = names(&[&of_a, &of_b, &of_c]);
    until("all hold all", || {
        [&a, &b, &c].iter().all(|node| ids(node) == all)
    });
}

#[test]
fn the_gate_is_the_strictest_setting_and_a_human_loosens_it_here() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = Node::serve(home_a.path(), &[]);
    let invitation = ticket(&home_a);
    let b = Node::serve(home_b.path(), &["--join", &invitation]);
    b.wait_for_peers(1);
    let check = |home: &Folder| out(home, &["permissions", "check", "shell", "git status"]);
    assert_eq!(check(&home_a), "ask\n");
    let set = ["permissions", "set", "shell", "--mode", "ask"];
    out(
        &home_a,
        &[&set[..], &["--always-accept", "git status"]].concat(),
    );
    assert_eq!(check(&home_a), "run\n");
    // Nobody loosens it for another.
    until("b has heard", || {
        let all = get(&b.console, "/api/permissions").json();
        all["permissions"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    });
    assert_eq!(check(&home_b), "ask\n");
    out(
        &home_b,
        &["permissions", "set", "shell", "--mode", "denied"],
    );
    until("a is tightened", || check(&home_a) == "refuse\n");
    let shown = out(&home_a, &["permissions", "show"]);
    let b_id = out(&home_b, &["identity", "show"]);
    let words = format!("shell denied, set here to ask, tightened by {b_id}");
    assert_eq!(shown, words);
    out(&home_a, &["network", "set", "trusted", "none"]);
    assert_eq!(check(&home_a), "run\n");
    out(&home_a, &["network", "set", "trusted", b_id.trim_end()]);
    assert_eq!(check(&home_a), "refuse\n");
    out(&home_b, &["permissions", "set", "shell", "--unset"]);
    until("a has its own again", || check(&home_a) == "run\n");
    drop(a);
}

/// Asks the management API of a node.
fn asks(node: &Node, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let reply = request(&node.console, method, path, &body.to_string());
    (reply.status, reply.json())
}

#[test]
fn the_management_api_keeps_prompts() {
    let home = Folder::new();
    let node = Node::serve(home.path(), &[]);
    let ask = |method: &str, path: &str, body: Value| asks(&node, method, path, &body);
    let new = json!({ "name": "Tutor", "system": "Slowly" });
    let (status, made) = ask("POST", "/api/prompts", new);
    assert_eq!(status, 201);
    let id = made["id"].as_str().expect("an id");
    let path = format!("/api/prompts/{id}");
    assert_eq!(ask("PATCH", &path, json!({ "user": "Begin" })).0, 200);
    let (_, row) = ask("GET", &path, Value::Null);
    let of = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        [of("name"), of("system"), of("user")],
        ["Tutor", "Slowly", "Begin"]
    );
    assert_eq!(row["mine"], true);
    for (body, status) in [
        (json!({ "id": id, "name": "x" }), 409),
        (json!({ "nme": "x" }), 400),
        (json!({}), 400),
    ] {
        assert_eq!(ask("POST", "/api/prompts", body).0, status);
    }
    assert_eq!(ask("PATCH", &path, json!({ "id": "another" })).0, 400);
    assert_eq!(ask("DELETE", &path, Value::Null).0, 200);
    assert_eq!(ask("GET", &path, Value::Null).0, 404);
    assert_eq!(ask("DELETE", &path, Value::Null).0, 404);
}

#[test]
fn the_management_api_keeps_permissions_and_settings() {
    let home = Folder::new();
    let node = Node::serve(home.path(), &[]);
    let ask = |method: &str, path: &str, body: Value| asks(&node, method, path, &body);
    let tool = "/api/permissions/write%20file";
    let setting = json!({ "mode": "ask", "always_accept": ["notes.txt"] });
    assert_eq!(ask("PUT", tool, setting.clone()).0, 200);
    assert_eq!(ask("GET", tool, Value::Null).1["own"], setting);
    assert_eq!(ask("PUT", tool, json!({ "mode": "maybe" })).0, 400);
    let check = format!("{tool}/check");
    for (command, decision) in [("notes.txt", "run"), ("other", "ask")] {
        let (_, answer) = ask("POST", &check, json!({ "command": command }));
        assert_eq!(answer["decision"], decision);
    }
    // The command line shows what the API set.
    let shown = json_of(&home, &["permissions", "show", "write file"]);
    assert_eq!(shown["own"], setting);
    assert_eq!(ask("DELETE", tool, Value::Null).0, 200);
    assert_eq!(ask("GET", tool, Value::Null).1["own"], Value::Null);
    let changes = json!({ "auto_gossip": false, "prompts": "own", "trusted": [] });
    let (_, mut settings) = ask("PATCH", "/api/network", changes.clone());
    assert_eq!(json_of(&home, &["network", "show"]), settings);
    let network = settings["network"].take();
    let network = network.as_str().expect("an id");
    let path = format!("/api/network?network={network}");
    let (_, named) = ask("GET", &path, Value::Null);
    assert_eq!(named["prompts"], changes["prompts"]);
    for body in [
        json!({ "trusted": ["nobody"] }),
        json!({ "trusted": "some" }),
    ] {
        assert_eq!(ask("PATCH", "/api/network", body).0, 400);
    }
    assert_eq!(
        ask("GET", "/api/network?network=nonsense", Value::Null).0,
        400
    );
    assert_eq!(ask("POST", "/api/network", json!({})).0, 405);
}

#[test]
fn of_two_edits_at_once_neither_is_lost() {
    let home = Folder::new();
    let node = Node::serve(home.path(), &[]);
    let path = "/api/permissions/shell";
    for round in 0..30 {
        let command = format!("round {round}");
        let mode = ["denied", "accept_all"][round % 2];
        std::thread::scope(|both| {
            for edit in [
                json!({ "mode": mode }),
                json!({ "always_accept": [command] }),
            ] {
                let console = &node.console;
                both.spawn(move || {
                    let reply = request(console, "PUT", path, &edit.to_string());
                    assert_eq!(reply.status, 200, "{}", reply.text());
                });
            }
        });
        let own = asks(&node, "GET", path, &Value::Null).1["own"].take();
        assert_eq!(own, json!({ "mode": mode, "always_accept": [command] }));
    }
}

#[test]
fn what_members_wrote_begins_no_line_of_its_own() {
    let home = Folder::new();
    let node = Node::serve(home.path(), &[]);
    let name = json!({ "id": "p", "name": "one\ntwo\u{1b}[2J" });
    assert_eq!(asks(&node, "POST", "/api/prompts", &name).0, 201);
    assert_eq!(
        out(&home, &["prompts", "list"]),
        "p one\u{fffd}two\u{fffd}[2J mine\n"
    );
}

#[test]
fn what_cannot_be_done_is_a_clear_sentence() {
    let home = Folder::new();
    let refused = |arguments: &[&str]| {
        let output = run(home.path(), arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["prompts", "list"]).contains("no node runs on"));
    let node = Node::serve(home.path(), &[]);
    let long = "x".repeat(4_000);
    for (arguments, why) in [
        (
            &["prompts", "edit", "no", "--name", "x"][..],
            "there is no prompt no",
        ),
        (&["prompts", "remove", "no"], "there is no prompt no"),
        (&["prompts", "show", "no"], "there is no prompt no"),
        (
            &["prompts", "add", "--name", "x", "--system", &long],
            "more than 3072 bytes",
        ),
        (&["permissions", "set", "shell"], "say what changes"),
        (
            &["network", "set", "auto-gossip", "maybe"],
            "auto-gossip on|off",
        ),
        (
            &["network", "set", "trusted", "me,you"],
            "node ids with commas",
        ),
        (&["prompts", "list", "--network", "x"], "no network's id"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
    drop(node);
}

/// A client that adds prompts until its node is gone; gives those that were acknowledged.
fn tell_until_it_dies(console: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let body = json!({ "name": "x", "system": "y" }).to_string();
        let Some(reply) = crate::try_request(console, "POST", "/api/prompts", &body) else {
            return acknowledged;
        };
        if reply.status != 201 {
            return acknowledged;
        }
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        acknowledged.push(id);
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_two_hundred_kills() {
    let home = Folder::new();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let mut node = Node::serve(home.path(), &[]);
        let known = ids(&node);
        let lost: Vec<_> = acknowledged.difference(&known).collect();
        assert!(lost.is_empty(), "kill {kill}: {lost:?}");
        let console = node.console.clone();
        let client = std::thread::spawn(move || tell_until_it_dies(&console));
        // Any moment between the first word and the hundredth.
        let moment = Duration::from_micros(kill * 7_919 % 40_000);
        std::thread::sleep(moment);
        node.kill();
        acknowledged.extend(client.join().expect("a client"));
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}
