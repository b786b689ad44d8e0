//! What the command line promises.

use super::Cli;
use clap::{Command, CommandFactory};

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
