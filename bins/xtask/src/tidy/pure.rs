//! Pure crates name no clock, environment, thread, socket or unordered map.

use crate::edges;
use crate::finding::Finding;
use crate::source::{self, Line};

/// Names that a pure source does not hold, and what it has in their place.
const NAMES: [(&str, &str); 19] = [
    ("Instant", "time is an input: `now`"),
    ("SystemTime", "time is an input: `now`"),
    ("HashMap", "its order is visible: BTreeMap"),
    ("HashSet", "its order is visible: BTreeSet"),
    ("RandomState", "chance comes from the seed"),
    ("thread_rng", "chance comes from the seed"),
    ("getrandom", "chance comes from the seed"),
    ("tokio", "the runtime belongs to host and drivers"),
    ("ractor", "the runtime belongs to host and drivers"),
    ("tracing", LOG),
    ("println", LOG),
    ("eprintln", LOG),
    ("dbg", LOG),
    ("stderr", LOG),
    ("async", "a turn waits for nothing"),
    ("await", "a turn waits for nothing"),
    ("TcpStream", "sockets belong to drivers"),
    ("TcpListener", "sockets belong to drivers"),
    ("UdpSocket", "sockets belong to drivers"),
];
/// What an actor has to say of itself it says in letters, in its view, or by ending its life: so a
/// simulated run misses no line of a log.
const LOG: &str = "logs are written by hosts and drivers";
/// Modules of the standard library that reach outside of the program.
const STD_MODULES: [&str; 4] = ["env", "fs", "process", "thread"];

/// What is impure in a source of a pure crate. Tests may be: they do not run in a node.
pub(super) fn check(path: &str, lines: &[Line]) -> Vec<Finding> {
    if !edges::is_pure(path) || is_test(path) {
        return Vec::new();
    }
    let code = source::production(lines);
    let mut findings = Vec::new();
    for (at, line) in code.iter().enumerate() {
        for (name, why) in NAMES {
            if source::words(line).any(|word| word == name) {
                let what = format!("`{name}` in a pure crate: {why}");
                findings.push(Finding::at(path, at + 1, what));
            }
        }
    }
    let code = code.join("\n");
    let modules = std_modules(&code);
    for module in STD_MODULES.iter().filter(|module| modules.contains(module)) {
        let what = format!("`std::{module}` in a pure crate: it reaches outside of the program");
        findings.push(Finding::on(path, what));
    }
    findings
}

/// A module of tests, or a file of a folder that only tests use.
fn is_test(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let in_folder = parts
        .iter()
        .any(|part| ["tests", "benches", "examples"].contains(part));
    in_folder || parts.last() == Some(&"tests.rs")
}

/// The modules that the code names as `std::module`, alone or in a list of imports.
fn std_modules(code: &str) -> Vec<&str> {
    let tokens = source::tokens(code);
    let mut modules = Vec::new();
    for (at, window) in tokens.windows(4).enumerate() {
        match window {
            ["std", ":", ":", "{"] => modules.extend(first_words(&tokens[at + 4..])),
            ["std", ":", ":", module] => modules.push(*module),
            _ => {}
        }
    }
    modules
}

/// The first word of every item of an import list that has been opened.
fn first_words<'a>(list: &[&'a str]) -> Vec<&'a str> {
    let (mut depth, mut first, mut words) = (1_usize, true, Vec::new());
    for token in list {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            word if first => {
                words.push(word);
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    words
}
