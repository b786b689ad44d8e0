//! What is said of a config.toml, and which value is in force.

use super::{File, TEMPLATE, config};
use crate::cli::{EngineKind, Serve};
use node::Engine;
use std::path::Path;

fn fault(text: &str) -> String {
    let error = File::parse(text).err();
    let error = error.unwrap_or_else(|| panic!("{text} is read"));
    format!("{error:#}")
}

#[test]
fn a_fault_is_one_line_with_the_line_of_the_file() {
    for (text, parts) in [
        ("models = [\n", &["line"][..]),
        ("api = 'x'", &["line 1", "api = 'x'"]),
        ("\n\napi = 5 # five", &["line 3", "api = 5"]),
        ("models = 'builtin'", &["line 1", "models"]),
        ("scripted_rate = -1", &["line 1", "scripted_rate"]),
        ("engine = 'steam'", &["engine", "steam", "\"llama\""]),
        ("log = 'loud'", &["log", "loud", "\"pretty\""]),
        ("just words", &["line 1"]),
    ] {
        let line = fault(text);
        assert_eq!(line.lines().count(), 1, "{text}: {line}");
        for part in parts {
            assert!(line.contains(part), "{text}: {line}");
        }
    }
    let long = format!("api = '{}'", "x".repeat(10_000));
    assert!(fault(&long).len() < 500);
}

#[test]
fn unknown_keys_are_named_and_the_template_has_none() {
    let (_, unknown) = File::parse("modles = []\nmodels = []\n[more]\n").unwrap();
    assert_eq!(unknown, ["modles", "more"]);
    // With its comment marks taken away it is a whole configuration.
    let lines = TEMPLATE.lines().skip(3);
    let text: Vec<&str> = lines.map(|line| line.trim_start_matches("# ")).collect();
    let (file, unknown) = File::parse(&text.join("\n")).unwrap();
    assert_eq!(unknown, Vec::<String>::new());
    assert_eq!(file.listen.len(), 2);
    assert_eq!(file.engine().unwrap(), Some(EngineKind::Llama));
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let home = Path::new("/no/such/home");
    let text = "models = ['a']\nengine = 'scripted'\nscripted_rate = 7\n\
                api = '127.0.0.1:1'\nlisten = ['127.0.0.1:2']";
    let (file, _) = File::parse(text).unwrap();
    let filed = config(home, &file, &Serve::default()).unwrap();
    assert_eq!(filed.models, ["a"]);
    assert_eq!(filed.engine, Engine::Scripted { rate: 7 });
    assert_eq!(filed.api.to_string(), "127.0.0.1:1");
    assert_eq!(filed.listen[0].to_string(), "127.0.0.1:2");
    let flags = Serve {
        models: vec!["b".to_owned(), "c".to_owned()],
        engine: Some(EngineKind::Llama),
        api: "127.0.0.1:3".parse().ok(),
        listen: vec!["127.0.0.1:4".parse().unwrap()],
        ..Serve::default()
    };
    let flagged = config(home, &file, &flags).unwrap();
    assert_eq!(flagged.models, ["b", "c"]);
    assert_eq!(flagged.engine, Engine::Llama);
    assert_eq!(flagged.api.to_string(), "127.0.0.1:3");
    assert_eq!(flagged.listen[0].to_string(), "127.0.0.1:4");
    let plain = config(home, &File::default(), &Serve::default()).unwrap();
    assert_eq!(plain.engine, Engine::Llama);
    assert!(plain.models.is_empty() && plain.listen.is_empty());
}
