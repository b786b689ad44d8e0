//! Bad input is one clear line that says what to do, and nothing is lost.

use super::mesh::{scripted, ticket};
use crate::{Folder, Node, command, finish, get, post, run, within};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs a command that must fail; gives its one line.
pub(super) fn refused(home: &Folder, arguments: &[&str]) -> String {
    let output = run(home.path(), arguments);
    let line = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    line
}

#[test]
fn a_second_node_on_one_home_names_the_first() {
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let line = refused(
        &home,
        &["serve", "--api", "127.0.0.1:0", "--console", "127.0.0.1:0"],
    );
    assert!(line.contains(&node.pid().to_string()), "{line}");
    assert!(line.contains("mesh-node stop"), "{line}");
    assert_eq!(
        get(&node.api, "/readyz").status,
        200,
        "the first is untouched"
    );
}

#[test]
fn a_taken_port_names_the_flag() {
    let home = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = refused(
        &home,
        &["serve", "--api", &address, "--console", "127.0.0.1:0"],
    );
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(line.contains("--api") && line.contains(&port), "{line}");
    let line = refused(
        &home,
        &["serve", "--api", "127.0.0.1:0", "--console", &address],
    );
    assert!(line.contains("--console") && line.contains(&port), "{line}");
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peers = held.local_addr().unwrap().to_string();
    let line = refused(
        &home,
        &[
            "serve",
            "--api",
            "127.0.0.1:0",
            "--console",
            "127.0.0.1:0",
            "--listen",
            &peers,
        ],
    );
    assert!(line.contains("--listen") && line.contains(&peers), "{line}");
}

#[test]
fn a_port_of_zero_or_nonsense_refuses_to_start() {
    let home = Folder::new();
    for (variable, value) in [
        ("MESH_API_PORT", "0"),
        ("MESH_API_PORT", "http"),
        ("MESH_CONSOLE_PORT", "99999"),
    ] {
        // A flag that wins does not hide it.
        let flags = ["serve", "--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        for arguments in [&flags[..1], &flags] {
            let mut serve = command(home.path(), arguments);
            let output = finish(serve.env(variable, value));
            let line = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success());
            assert_eq!(line.trim_end().lines().count(), 1, "{line}");
            assert!(line.contains(&format!("{variable}={value}")), "{line}");
        }
    }
}

#[test]
fn damaged_tickets_are_refused() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let _a = scripted(&home_a, "0", &[]);
    let good = ticket(&home_a);
    let cut = &good[..good.len() - 9];
    let mistyped = good.replacen(
        &good[40..41],
        if &good[40..41] == "a" { "b" } else { "a" },
        1,
    );
    for bad in ["", "hello", cut, &mistyped, "99999999999"] {
        let line = refused(&home_b, &["join", bad]);
        assert!(line.contains("ticket"), "{line}");
        let ports = ["--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        let start = [&["serve", "--join", bad][..], &ports].concat();
        assert_eq!(refused(&home_b, &start), line);
    }
    let own = refused(&home_a, &["join", &good]);
    assert!(own.contains("another machine"), "{own}");
}

#[test]
fn an_expired_ticket_is_refused() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let _a = scripted(&home_a, "0", &[]);
    let output = run(home_a.path(), &["ticket", "new", "--expires-in", "1s"]);
    let expired = String::from_utf8(output.stdout).unwrap();
    let listed = run(home_a.path(), &["ticket", "list", "--json"]).stdout;
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    let expires = listed["tickets"][0]["expires"].as_u64().expect("an expiry");
    assert!(expires <= now() + 1, "{listed}");
    while now() <= expires {
        std::thread::yield_now();
    }
    let line = refused(&home_b, &["join", expired.trim()]);
    assert!(line.contains("expired"), "{line}");
    assert_eq!(refused(&home_b, &["serve", "--join", expired.trim()]), line);
    // Nobody can write a later end into it.
    let mut longer = messages::Ticket::parse(expired.trim()).unwrap();
    longer.grant.grant.expires = None;
    let forged = refused(&home_b, &["join", &longer.to_string()]);
    assert!(forged.contains("signature"), "{forged}");
    // A node that runs is as it was, and can still join with a good one.
    let b = Node::serve(home_b.path(), &[]);
    let networks = b.status()["networks"].take();
    assert_eq!(refused(&home_b, &["join", expired.trim()]), line);
    assert_eq!(b.status()["networks"], networks);
    assert!(
        run(home_b.path(), &["join", &ticket(&home_a)])
            .status
            .success()
    );
    b.wait_for_peers(1);
}

#[expect(
    clippy::disallowed_methods,
    reason = "tickets expire by the clock of the machine"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[test]
fn a_damaged_key_is_set_aside_and_the_start_refused() {
    let home = Folder::new();
    assert!(run(home.path(), &["init"]).status.success());
    let before = run(home.path(), &["identity", "show"]).stdout;
    let key = home.path().join("identity/node.key");
    let whole = fs::read(&key).unwrap();
    fs::write(&key, "damaged").unwrap();
    let line = refused(&home, &["serve"]);
    assert!(line.contains("node.key.damaged-1"), "{line}");
    let aside = key.with_extension("key.damaged-1");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "damaged");
    // No other identity takes its place, whatever is started next.
    for arguments in [&["serve"][..], &["init"], &["identity", "show"]] {
        let line = refused(&home, arguments);
        assert!(line.contains("node.key.damaged-1"), "{line}");
        assert!(!key.exists(), "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(&aside).unwrap(), "damaged");
    fs::write(&key, whole).unwrap();
    assert_eq!(run(home.path(), &["identity", "show"]).stdout, before);
}

#[test]
fn a_home_that_cannot_be_written_is_one_line_and_stays_as_it_is() {
    super::needs_root("a mount");
    let home = Folder::new();
    assert!(run(home.path(), &["init"]).status.success());
    let key = home.path().join("identity/node.key");
    let before = fs::read(&key).unwrap();
    // The superuser is above the folder's mode: it is mounted without the right to write.
    let program = command(home.path(), &[]).get_program().to_owned();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && \
                  exec \"$2\" --home \"$1\" \"$3\"";
    for word in ["serve", "init"] {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script, "sh"]).args([
            home.path().as_os_str(),
            &program,
            word.as_ref(),
        ]);
        let output = finish(&mut unshare);
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{word}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
        assert!(line.starts_with("mesh-node: "), "{line}");
        assert!(
            line.contains("--home") && line.contains("Read-only"),
            "{line}"
        );
        assert_eq!(line.matches("Read-only").count(), 1, "{line}");
    }
    assert_eq!(fs::read(&key).unwrap(), before);
}

#[test]
fn a_home_that_cannot_be_a_folder_is_one_line() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let output = run(&file, &["serve"]);
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    assert!(line.contains("--home"), "{line}");
}

#[test]
fn commands_without_a_node_say_how_to_start_one() {
    let home = Folder::new();
    for arguments in [&["status"][..], &["stop"], &["models"], &["ticket", "new"]] {
        let line = refused(&home, arguments);
        assert!(line.contains("mesh-node serve"), "{line}");
    }
}

#[test]
fn unknown_configuration_keys_are_named() {
    let home = Folder::new();
    fs::write(home.path().join("config.toml"), "modles = [\"builtin\"]\n").unwrap();
    let line = refused(&home, &["config", "check"]);
    assert!(line.contains("modles"), "{line}");
}

#[test]
fn the_check_and_the_start_say_the_same_of_a_bad_configuration() {
    let home = Folder::new();
    for text in [
        "api = '0.0.0.0:0'",
        "models = ['nobody']",
        "engine = 'scripted'\nmodels = ['builtin']",
        "models = [",
        "api = 'everywhere'",
        "log = 'loud'",
    ] {
        fs::write(home.path().join("config.toml"), text).unwrap();
        let checked = refused(&home, &["config", "check"]);
        assert!(checked.contains("config.toml"), "{checked}");
        assert_eq!(refused(&home, &["serve"]), checked);
    }
}

#[test]
fn models_that_cannot_be_served_are_refused_at_the_start() {
    let home = Folder::new();
    let ports = ["--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    for (engine, model, hint) in [
        ("scripted", "builtin", "--engine llama"),
        ("llama", "scripted", "--engine scripted"),
        (
            "llama",
            "hf://someone/x.gguf",
            "models/x.gguf and name it x.gguf",
        ),
        ("llama", "hf://org/repo", "a .gguf file of org/repo"),
        ("llama", "/no/such/file.gguf", "/no/such/file.gguf"),
        (
            "llama",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "no GGUF file",
        ),
    ] {
        let mut arguments = vec!["serve", "--engine", engine, "--model", model];
        arguments.extend(ports);
        let line = refused(&home, &arguments);
        assert!(line.contains(hint), "{line}");
        assert!(line.contains(&format!("--model {model}: ")), "{line}");
        if cfg!(not(feature = "llama")) {
            let line = refused(&home, &["serve", "--model", "builtin"]);
            assert!(line.contains("built without llama.cpp"), "{line}");
        }
    }
}

#[test]
fn a_damaged_model_file_is_refused_at_the_start_and_left_as_it_is() {
    let home = Folder::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = fs::read(sources.join("../runtime/drivers/llama/model/builtin.gguf")).unwrap();
    let folder = home.path().join("models");
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in [("cut.gguf", &whole[..whole.len() / 2]), ("none.gguf", b"")] {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        for reference in [name, path.to_str().unwrap()] {
            let line = refused(&home, &["serve", "--model", reference]);
            assert!(line.contains(path.to_str().unwrap()), "{line}");
            assert!(line.contains("damaged") || line.contains("ends"), "{line}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_panic_says_its_place_and_not_its_text() {
    let folder = Folder::new();
    // No folder, so that no node comes to run.
    let home = folder.path().join("file");
    fs::write(&home, "").unwrap();
    // Anybody can bring about this panic from outside: the runtime has no word for a descriptor
    // that it cannot have, somewhere between none of them and all.
    let mut panics = 0;
    for most in 3..32 {
        let script = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
        let serve = command(&home, &["serve", "--log", "json"]);
        let output = finish(&mut within(&["sh", "-c", &script], &serve));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        assert!(!text.contains("panicked"), "{text}");
        if let Ok(line) = serde_json::from_str::<serde_json::Value>(&text) {
            let (fields, place) = (&line["fields"], &line["fields"]["place"]);
            assert!(place.as_str().is_some_and(|place| place.contains(".rs:")));
            assert_eq!(fields.as_object().map(serde_json::Map::len), Some(2));
            panics += 1;
        }
    }
    assert!(
        panics > 0,
        "nothing panics: bring a panic about by other means"
    );
}

#[test]
fn requests_that_cannot_be_served_get_proper_errors() {
    let home = Folder::new();
    let node = Node::serve(home.path(), &[]);
    let path = "/v1/chat/completions";
    let unknown = r#"{"model":"nothing","messages":[{"role":"user","content":"x"}]}"#;
    for (body, status, code) in [
        ("{", 400, None),
        ("[]", 400, None),
        (r#"{"model":"x"}"#, 400, None),
        (r#"{"model":7,"messages":[]}"#, 400, None),
        (unknown, 404, Some("model_not_found")),
    ] {
        let reply = post(&node.api, path, body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        let error = &reply.json()["error"];
        for key in ["message", "type", "param", "code"] {
            assert!(error.get(key).is_some(), "{body}: {error}");
        }
        if let Some(code) = code {
            assert_eq!(error["code"], code);
        }
    }
    let huge = format!(r#"{{"model":"x","messages":"{}"}}"#, "x".repeat(5 << 20));
    assert_eq!(post(&node.api, path, &huge).status, 413);
    assert_eq!(get(&node.api, "/nothing/here").status, 404);
    assert_eq!(get(&node.api, path).status, 405);
}
