//! The command line as README and `--help` promise it.

use super::bad_input::refused;
use super::mesh::{chat, scripted, ticket};
use crate::{Folder, Lines, command, get, post, run};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs a command that must succeed; gives what it printed.
pub(super) fn out(home: &Folder, arguments: &[&str]) -> String {
    let output = run(home.path(), arguments);
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {why}");
    String::from_utf8(output.stdout).expect("text")
}

/// The same with `--json`; it must be.
pub(super) fn json_of(home: &Folder, arguments: &[&str]) -> Value {
    let text = out(home, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

#[test]
fn one_running_node_answers_every_command_in_json() {
    let home = Folder::new();
    // What has no effect is said in the log, which has the form that was asked for.
    fs::write(home.path().join("config.toml"), "colour = 1\n").unwrap();
    let mut node = scripted(&home, "0", &["--log", "json"]);
    let ends = ["--expires-in", "7d"];
    let made = [&["ticket", "new", "--name", "x"][..], &ends].concat();
    let made = json_of(&home, &made);
    let invitation = made["ticket"].as_str().expect("a ticket");
    let listed = || json_of(&home, &["ticket", "list"])["tickets"].take();
    let first = &listed()[0];
    assert_eq!(
        (&first["name"], &first["revoked"]),
        (&json!("x"), &json!(false))
    );
    let wall = |key: &str| first[key].as_u64().expect("seconds");
    assert_eq!(wall("expires") - wall("issued"), 7 * 86_400);
    let key = first["ticket"].as_str().expect("a key");
    let shown = || out(&home, &["ticket", "list"]);
    assert_eq!(shown(), format!("{key} valid x\n"));
    assert_eq!(json_of(&home, &["ticket", "revoke", key])["done"], true);
    assert_eq!(shown(), format!("{key} revoked x\n"));
    assert_eq!(listed()[0]["revoked"], true);
    // One without a name ends its line with its state.
    out(&home, &["ticket", "new"]);
    let ends = |line: &str| line.ends_with(" valid");
    assert_eq!(shown().lines().filter(|line| ends(line)).count(), 1);
    // The ticket itself stands for its key.
    assert_eq!(out(&home, &["ticket", "revoke", invitation]), "revoked\n");
    assert_eq!(json_of(&home, &["identity", "show"])["node"], *node.id);
    let model = &json_of(&home, &["models"])["models"][0];
    assert_eq!(model["id"], "scripted");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(json_of(&home, &["version"])["version"], version);
    assert_eq!(out(&home, &["version"]), format!("mesh-node {version}\n"));
    assert_eq!(json_of(&home, &["config", "show"])["engine"], "llama");
    let models = get(&node.api, "/v1/models").json();
    assert_eq!(models["data"][0]["id"], "scripted");
    let reply = post(&node.api, "/v1/chat/completions", &chat(3, 4, false));
    let served_by = reply.header("x-mesh-served-by").expect("a name");
    assert_eq!(
        out(&home, &["identity", "show"]),
        format!("{served_by}\n"),
        "the same text"
    );
    let other = Folder::new();
    let joined = json_of(&other, &["join", &ticket(&home)]);
    let networks = json_of(&home, &["status"])["networks"].take();
    assert_eq!(joined["network"], networks[0]["id"]);
    assert_eq!(json_of(&home, &["stop"])["stopped"], true);
    assert!(node.wait());
    let log = fs::read_to_string(home.path().join("test.log")).unwrap();
    for line in log.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line["level"].is_string()), "{line}");
    }
    assert!(log.contains("colour"), "{log}");
}

#[test]
fn the_status_is_the_same_on_the_management_port_and_the_command_line() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &[]);
    let b = scripted(&home_b, "0", &["--join", &ticket(&home_a)]);
    for node in [&a, &b] {
        node.wait_for_holders(1);
    }
    for (home, node) in [(&home_a, &a), (&home_b, &b)] {
        // Keep-alives and load reports go on meanwhile: two readings on either side of a third
        // that are equal leave no doubt about it.
        let mut tries = 0;
        loop {
            let (before, said, after) = (
                steady(node.status()),
                steady(json_of(home, &["status"])),
                steady(node.status()),
            );
            if before == after {
                assert_eq!(said, before);
                assert_eq!(said["ready"], true);
                break;
            }
            tries += 1;
            assert!(tries < 100, "{before:#} {after:#}");
        }
    }
}

#[test]
fn the_status_as_text_shows_the_node_its_networks_peers_and_models() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "0", &[]);
    let b = scripted(&home_b, "0", &["--join", &ticket(&home_a)]);
    b.wait_for_holders(1);
    // A reading on either side that is equal leaves no doubt about what lies between.
    let (status, text) = (0..100)
        .find_map(|_| {
            let (before, text) = (steady(b.status()), out(&home_b, &["status"]));
            (before == steady(b.status())).then_some((before, text))
        })
        .expect("a calm moment");
    let networks = status["networks"].as_array().expect("networks");
    assert_eq!(networks.len(), 2);
    let version = env!("CARGO_PKG_VERSION");
    let mut expected = vec![
        format!("node       {}", b.id),
        format!("version    {version} (boot 1)"),
        "ready      yes".to_owned(),
        format!("api        http://{}/v1", b.api),
        format!("management http://{}", b.console),
    ];
    for network in networks {
        let id = network["id"].as_str().expect("an id");
        let (members, active) = (&network["members"], &network["active"]);
        expected.push(format!("network    {id} members {members} active {active}"));
    }
    let path = status["peers"][0]["path"].as_str().expect("a path");
    // How long the way takes passes.
    expected.push(format!("peer       {} active {path} rtt ", a.id));
    expected.push("model      scripted".to_owned());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(&expected) {
        let is_peer = expected.ends_with("rtt ");
        assert!(
            line == expected || is_peer && line.starts_with(expected) && line.ends_with(" µs"),
            "{expected}: {text}"
        );
    }
}

#[test]
fn logs_have_the_form_of_the_flag_else_of_the_file_else_are_for_people() {
    for (file, flags, is_json) in [
        ("", &[][..], false),
        ("log = 'json'", &[], true),
        ("log = 'json'", &["--log", "pretty"], false),
        ("log = 'pretty'", &["--log", "json"], true),
    ] {
        let home = Folder::new();
        fs::write(
            home.path().join("config.toml"),
            format!("colour = 1\n{file}"),
        )
        .unwrap();
        let node = scripted(&home, "0", flags);
        let log = fs::read_to_string(home.path().join("test.log")).unwrap();
        let line = log.lines().find(|line| line.contains("colour"));
        let line = line.expect("a line on the unknown key");
        let parsed = serde_json::from_str::<Value>(line);
        assert_eq!(parsed.is_ok(), is_json, "{file} {flags:?}: {line}");
        drop(node);
    }
}

/// The words of every command below these that can be run, as the helps list them.
fn commands(words: &[String], found: &mut Vec<String>) {
    let home = Path::new("/no/such/home");
    let given: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let output = run(home, &given);
    assert!(output.status.success(), "{words:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    let said = help.split_once("\nExample").map(|(_, said)| said);
    let command = format!("mesh-node {}", words.join(" "));
    assert!(
        said.is_some_and(|said| said.contains(command.trim())),
        "{help}"
    );
    assert!(help.contains("--json") && help.contains("--home"), "{help}");
    let listed = help.split_once("\nCommands:\n").map(|(_, listed)| listed);
    let listed = listed.map(|listed| listed.lines().take_while(|line| !line.is_empty()));
    let below: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter_map(|line| {
            let name = line.strip_prefix("  ")?.split(' ').next()?;
            (!["", "help"].contains(&name)).then(|| name.to_owned())
        })
        .collect();
    if below.is_empty() {
        found.push(words.join(" "));
    }
    for name in below {
        commands(&[words, &[name]].concat(), found);
    }
}

#[test]
fn every_command_has_help_with_an_example_of_itself() {
    let mut found = Vec::new();
    commands(&[], &mut found);
    let expected = "serve, init, ticket new, ticket list, ticket revoke, join, status, models, \
                    prompts add, prompts edit, prompts remove, prompts list, prompts show, \
                    permissions show, permissions set, permissions check, network show, \
                    network set, stop, config check, config show, identity show, version";
    assert_eq!(found.join(", "), expected);
}

/// A status without the figures that pass.
fn steady(mut status: Value) -> Value {
    assert!(status["uptime_ms"].take().is_u64(), "{status}");
    for peer in status["peers"].as_array_mut().expect("peers") {
        assert!(peer["rtt_us"].take().is_u64(), "{peer}");
    }
    status
}

/// A process that goes with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node; gives what it prints up to its last line.
fn started(home: &Folder, more: &[&str], ports: [u16; 2], last: &str) -> (Process, String) {
    let arguments = [&["serve", "--listen", "127.0.0.1:0"][..], more].concat();
    let mut child = command(home.path(), &arguments)
        .env("MESH_API_PORT", ports[0].to_string())
        .env("MESH_CONSOLE_PORT", ports[1].to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = Lines::of(&mut child);
    let process = Process(child);
    let mut text = String::new();
    while !text.lines().last().is_some_and(|line| line.contains(last)) {
        text += &lines.wait_for_line();
        text.push('\n');
    }
    (process, text)
}

/// Two ports that were free a moment ago.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|held| held.local_addr().unwrap().port())
}

#[test]
fn a_node_without_a_model_is_ready_on_the_ports_of_the_environment_and_says_how_to_add_one() {
    let home = Folder::new();
    let ports = free_ports();
    let [api, console] = ports.map(|port| format!("127.0.0.1:{port}"));
    let (node, first_text) = started(&home, &[], ports, "ready");
    let text = first_text.as_str();
    let hints = text.lines().filter(|line| line.contains("--model builtin"));
    let text_hints: Vec<&str> = hints.collect();
    assert_eq!(text_hints.len(), 1, "{text}");
    for line in [
        format!("api http://{api}/v1"),
        format!("management http://{console}"),
        "ready".to_owned(),
    ] {
        assert!(text.lines().any(|said| said == line), "{line}: {text}");
    }
    for address in [&api, &console] {
        assert_eq!(get(address, "/readyz").status, 200, "{address}");
    }
    assert_eq!(json_of(&home, &["models"]), json!({ "models": [] }));
    drop(node);
    // A flag wins; the ports that the system gave are said, and as JSON on one line.
    let flags = ["--json", "--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let (node, text) = started(&home, &flags, ports, "}");
    let said: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(said["node"], out(&home, &["identity", "show"]).trim_end());
    assert_eq!(said["ready"], true, "{said}");
    assert_eq!(said["models"], json!([]));
    let hint = said["hint"].as_str().expect("a hint");
    assert!(text_hints.contains(&hint), "{hint}");
    let address = |key: &str| {
        let url = said[key].as_str().unwrap().strip_prefix("http://").unwrap();
        url.trim_end_matches("/v1").to_owned()
    };
    for (key, other) in [("api", &api), ("management", &console)] {
        assert!(address(key) != *other && !address(key).ends_with(":0"));
        assert_eq!(get(&address(key), "/readyz").status, 200);
    }
    drop(node);
    let model = ["--engine", "scripted", "--model", "scripted"];
    let (_node, text) = started(&home, &[&flags[..], &model].concat(), ports, "}");
    let said: Value = serde_json::from_str(text.trim_end()).unwrap();
    let expected = (json!(["scripted"]), Value::Null);
    assert_eq!((&said["models"], &said["hint"]), (&expected.0, &expected.1));
}

#[test]
fn the_ports_are_9337_and_3131_on_loopback_unless_told() {
    let home = Folder::new();
    let shown = json_of(&home, &["config", "show"]);
    assert_eq!(shown["api"], "127.0.0.1:9337");
    assert_eq!(shown["console"], "127.0.0.1:3131");
    assert!(out(&home, &["config", "show"]).contains("api = \"127.0.0.1:9337\"\n"));
    // A variable's port replaces the file's and leaves its address.
    fs::write(home.path().join("config.toml"), "api = '[::1]:7'\n").unwrap();
    let output = command(home.path(), &["config", "show", "--json"])
        .env("MESH_API_PORT", "8001")
        .env("MESH_CONSOLE_PORT", "8002")
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["api"], "[::1]:8001");
    assert_eq!(shown["console"], "127.0.0.1:8002");
}

#[test]
fn init_makes_a_home_once_and_loses_nothing_at_the_second_time() {
    let folder = Folder::new();
    let home = folder.path().join("deep/home");
    let init = || {
        let output = run(&home, &["init", "--json"]);
        assert!(output.status.success());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = init();
    for name in ["identity/node.key", "config.toml", "state.redb"] {
        assert!(home.join(name).is_file(), "{name}");
    }
    fs::write(home.join("config.toml"), "engine = 'scripted'\n").unwrap();
    assert_eq!(init(), first);
    let text = fs::read_to_string(home.join("config.toml")).unwrap();
    assert_eq!(text, "engine = 'scripted'\n");
    let said = run(&home, &["init"]).stdout;
    let said = String::from_utf8(said).unwrap();
    let node = first["node"].as_str().unwrap();
    assert!(said.ends_with(&format!("node {node}\n")), "{said}");
    let checked = run(&home, &["config", "check"]);
    assert_eq!(checked.stdout, b"ok\n");
}

#[test]
fn the_check_says_in_json_what_is_wrong() {
    let home = Folder::new();
    for (text, ok, keys, error) in [
        ("", true, json!([]), None),
        ("modles = []", false, json!(["modles"]), None),
        ("api = 5", false, json!([]), Some("api = 5")),
        ("x = 1\nmodels = ['y']", false, json!(["x"]), Some("models")),
    ] {
        fs::write(home.path().join("config.toml"), text).unwrap();
        let output = run(home.path(), &["config", "check", "--json"]);
        assert_eq!(output.status.success(), ok, "{text}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["ok"], &said["unknown_keys"]), (&ok.into(), &keys));
        match error {
            None => assert_eq!(said["error"], Value::Null),
            Some(part) => assert!(said["error"].as_str().unwrap().contains(part), "{said}"),
        }
    }
}

#[test]
fn words_that_make_no_sense_are_refused_before_anything_is_done() {
    let home = Folder::new();
    let _node = scripted(&home, "0", &[]);
    for (arguments, hint) in [
        (&["ticket", "revoke", "nonsense"][..], "ticket"),
        (&["ticket", "new", "--expires-in", "soon"], "30m"),
        (&["ticket", "new", "--expires-in", "7"], "30m"),
        (&["ticket", "new", "--expires-in", "ü"], "30m"),
        (
            &["ticket", "new", "--expires-in", "99999999999999999d"],
            "30m",
        ),
    ] {
        let line = refused(&home, arguments);
        assert!(line.contains(hint), "{arguments:?}: {line}");
    }
    assert_eq!(json_of(&home, &["ticket", "list"])["tickets"], json!([]));
}

#[test]
fn arguments_that_are_no_text_are_an_error_and_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let program = command(Path::new("/"), &[]).get_program().to_owned();
    let word = std::ffi::OsStr::from_bytes(b"\xff");
    let output = Command::new(program).arg(word).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_status_names_a_member_that_is_not_reached_and_says_why() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let mut a = scripted(&home_a, "0", &[]);
    let b = scripted(&home_b, "0", &["--join", &ticket(&home_a)]);
    b.wait_for_holders(1);
    a.signal("TERM");
    assert!(a.wait(), "it stops in good order");
    let unreached = |status: &Value| -> Vec<Value> {
        let networks = status["networks"].as_array().into_iter().flatten();
        let lists = networks.filter_map(|network| network["unreached"].as_array());
        lists.flatten().cloned().collect()
    };
    b.wait_for("who is away", |status| unreached(status).len() == 1);
    assert_eq!(unreached(&b.status())[0]["node"], a.id);
    let (text, why) = (out(&home_b, &["status"]), "nobody answers at its addresses");
    let line = format!("           not reached: {}: {why}", a.id);
    assert!(text.lines().any(|said| said == line), "{text}");
}
