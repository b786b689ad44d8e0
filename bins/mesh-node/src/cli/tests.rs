//! What the command line promises.

use super::{Cli, Command as Given, EngineKind, LogForm, Serve};
use clap::{Command, CommandFactory, Parser};

/// Every command below this one that can be run, with its words.
fn runnable(command: &Command, words: &str) -> Vec<(String, Command)> {
    if !command.has_subcommands() {
        return vec![(words.to_owned(), command.clone())];
    }
    let below = command.get_subcommands();
    below
        .flat_map(|sub| runnable(sub, format!("{words} {}", sub.get_name()).trim()))
        .collect()
}

#[test]
fn the_commands_are_those_and_each_has_an_example_of_itself() {
    let commands = runnable(&Cli::command(), "");
    let names: Vec<&str> = commands.iter().map(|(words, _)| words.as_str()).collect();
    let expected = [
        "serve",
        "init",
        "ticket new",
        "ticket list",
        "ticket revoke",
        "join",
        "status",
        "models",
        "prompts add",
        "prompts edit",
        "prompts remove",
        "prompts list",
        "prompts show",
        "permissions show",
        "permissions set",
        "permissions check",
        "network show",
        "network set",
        "stop",
        "config check",
        "config show",
        "identity show",
        "version",
    ];
    assert_eq!(names, expected);
    for (words, command) in &commands {
        let help = command.get_after_help().map(ToString::to_string);
        let example = format!("mesh-node {words}");
        assert!(help.is_some_and(|help| help.contains(&example)), "{words}");
    }
}

/// The words of a line, as a shell reads single quotes.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn every_help_has_an_example() {
    fn check(command: &Command, words: &str) {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_else(|| panic!("{words} has no example"));
        let examples = help.lines().filter(|line| line.contains("mesh-node "));
        let mut count = 0;
        for example in examples {
            count += 1;
            let at = example.find("mesh-node ").unwrap();
            let example = example[at..].replace("TICKET", "abc");
            // What is shown can be typed.
            let parsed = Cli::try_parse_from(words_of(&example));
            assert!(parsed.is_ok(), "{words}: {example}: {parsed:?}");
            assert!(example.contains(words), "{words}: {example}");
        }
        assert!(count > 0, "{words} has no example");
        for sub in command.get_subcommands() {
            check(sub, format!("{words} {}", sub.get_name()).trim());
        }
    }
    check(&Cli::command(), "");
}

#[test]
fn the_help_of_serve_names_the_variables_of_the_ports() {
    let mut command = Cli::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let help = serve.render_long_help().to_string();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "[default: 127.0.0.1:9337, or the port in MESH_API_PORT]",
        "[default: 127.0.0.1:3131, or the port in MESH_CONSOLE_PORT]",
    ] {
        assert!(words.contains(said), "{help}");
    }
}

fn serve(arguments: &[&str]) -> Result<Serve, clap::Error> {
    let line = ["mesh-node", "serve"].into_iter();
    let cli = Cli::try_parse_from(line.chain(arguments.iter().copied()))?;
    let Given::Serve(serve) = cli.command else {
        panic!("another command");
    };
    Ok(serve)
}

#[test]
fn serve_takes_its_flags_and_repeats_models_and_tickets() {
    let line = "--model a --model ./b.gguf --join t1 --join t2 --api 127.0.0.1:1 \
                --console [::1]:2 --engine scripted --log json";
    let given = serve(&line.split(' ').collect::<Vec<_>>()).unwrap();
    assert_eq!(given.models, ["a", "./b.gguf"]);
    assert_eq!(given.join, ["t1", "t2"]);
    assert_eq!(given.api, "127.0.0.1:1".parse().ok());
    assert_eq!(given.console, "[::1]:2".parse().ok());
    assert_eq!(given.engine, Some(EngineKind::Scripted));
    assert_eq!(given.log, Some(LogForm::Json));
    assert_eq!(
        serve(&["--engine", "llama"]).unwrap().engine,
        Some(EngineKind::Llama)
    );
    assert_eq!(
        serve(&["--log", "pretty"]).unwrap().log,
        Some(LogForm::Pretty)
    );
    let nothing = serve(&[]).unwrap();
    assert!(nothing.models.is_empty() && nothing.api.is_none() && nothing.log.is_none());
    for bad in [
        &["--engine", "steam"][..],
        &["--log", "loud"],
        &["--api", "9337"],
        &["--api", "localhost:9337"],
        &["--console"],
        &["model"],
    ] {
        assert!(serve(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn home_and_json_are_taken_before_and_after_every_command() {
    for (words, _) in runnable(&Cli::command(), "") {
        let words: Vec<&str> = words.split(' ').collect();
        let value: &[&str] = match words[..] {
            ["join"]
            | ["ticket", "revoke"]
            | ["prompts", "edit" | "remove" | "show"]
            | ["permissions", "set"] => &["abc"],
            ["prompts", "add"] => &["--name", "abc"],
            ["permissions", "check"] | ["network", "set"] => &["abc", "abc"],
            _ => &[],
        };
        let flags = &["--json", "--home", "/h"][..];
        let name = &["mesh-node"][..];
        for line in [
            [name, flags, &words, value].concat(),
            [name, &words, value, flags].concat(),
        ] {
            let cli = Cli::try_parse_from(&line).unwrap_or_else(|error| panic!("{error}"));
            assert!(cli.json, "{line:?}");
            assert_eq!(cli.home, Some("/h".into()), "{line:?}");
        }
    }
}
