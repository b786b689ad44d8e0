//! What is said of a config.toml, and which value is in force.

use super::{File, TEMPLATE, config};
use crate::cli::read_address;
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
        ("neighbours_sought = 0", &["neighbours_sought = 0", "one"]),
        ("neighbours_sought = 9\nneighbours_kept = 35", &["35", "36"]),
        ("neighbours_kept = 897", &["897", "896"]),
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
fn whoever_says_one_number_of_neighbours_gets_the_other_in_proportion() {
    for (text, seek, keep) in [
        ("", 64, 256),
        ("neighbours_sought = 3", 3, 12),
        ("neighbours_kept = 100", 25, 100),
        ("neighbours_sought = 3\nneighbours_kept = 20", 3, 20),
    ] {
        let (file, _) = File::parse(text).unwrap();
        let config = config(Path::new("/no/such/home"), &file, &Serve::default()).unwrap();
        let neighbourhood = (config.neighbourhood.seek(), config.neighbourhood.keep());
        assert_eq!(neighbourhood, (seek, keep), "{text}");
    }
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
    let scripted = Serve {
        engine: Some(EngineKind::Scripted),
        ..Serve::default()
    };
    let scripted = config(home, &File::default(), &scripted).unwrap();
    assert_eq!(scripted.engine, Engine::Scripted { rate: 50 });
    let plain = config(home, &File::default(), &Serve::default()).unwrap();
    assert_eq!(plain.engine, Engine::Llama);
    assert!(plain.models.is_empty() && plain.listen.is_empty());
}

#[test]
fn an_address_that_is_none_is_told_with_an_example() {
    for text in [
        "api = \"localhost:9337\"",
        "console = \"127.0.0.1:99999\"",
        "listen = [\"127.0.0.1:1\", \"x\"]",
    ] {
        let error = format!("{:#}", File::parse(text).map(drop).unwrap_err());
        assert!(error.contains("for example 127.0.0.1:9337"), "{error}");
    }
    assert_eq!(read_address("[::1]:7").unwrap().to_string(), "[::1]:7");
    assert!(read_address("").is_err());
}
