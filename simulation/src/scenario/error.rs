//! What is wrong with a scenario, in a sentence that says where and what is allowed.

use std::fmt;
use std::ops::Range;

/// A scenario that cannot be read. Nothing was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, counted from 1.
    pub line: usize,
    /// The key, with the table that it stands in, as far as it is known: `fault 2: do`.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, problem } = self;
        match key.as_str() {
            "" => write!(f, "line {line}: {problem}"),
            key => write!(f, "line {line}, {key}: {problem}"),
        }
    }
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    /// What serde or the parser says, in our words.
    pub(super) fn of_toml(source: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        Self::at(source, span, reword(error.message()))
    }

    /// A problem with what stands at these bytes.
    pub(super) fn at(source: &str, span: Range<usize>, problem: String) -> Self {
        let start = span.start.min(source.len());
        let line = source.as_bytes()[..start]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Self {
            line: line + 1,
            key: place(source, line),
            problem,
        }
    }
}

/// The table and the key of a line.
fn place(source: &str, line: usize) -> String {
    let mut tables = Vec::new();
    let lines = source.lines().map(str::trim).take(line + 1);
    for header in lines.filter(|line| line.starts_with('[')) {
        tables.push(
            header
                .trim_start_matches('[')
                .split(']')
                .next()
                .unwrap_or("")
                .trim(),
        );
    }
    let table = tables.last().map_or(String::new(), |last| {
        let number = tables.iter().filter(|table| *table == last).count();
        match *last {
            "mesh" | "each" => (*last).to_owned(),
            last => format!("{last} {number}"),
        }
    });
    let text = source.lines().nth(line).unwrap_or("").trim();
    let key = match text.split_once('=') {
        Some((key, _)) if !text.starts_with('[') && !text.starts_with('#') => key.trim(),
        Some(_) | None => "",
    };
    match (table.as_str(), key) {
        ("", key) => key.to_owned(),
        (table, "") => table.to_owned(),
        (table, key) => format!("{table}: {key}"),
    }
}

/// serde's and the parser's sentences as a person who writes a file would say them.
fn reword(message: &str) -> String {
    let message = message.trim();
    let quoted = |from: &str| from.split('`').nth(1).unwrap_or("").to_owned();
    if let Some((what, allowed)) = message.split_once(", expected ") {
        let names = names_of(allowed);
        if message.starts_with("unknown field") {
            return format!("there is no key `{}` here; allowed: {names}", quoted(what));
        }
        if message.starts_with("unknown variant") {
            return format!("`{}` is not known; allowed: {names}", quoted(what));
        }
        if let Some(got) = what.strip_prefix("invalid type: ") {
            return format!("this takes {}, not {got}", wanted(allowed));
        }
    }
    match message.strip_prefix("missing field ") {
        Some(field) => format!("the key {field} is missing"),
        None => message.to_owned(),
    }
}

/// "one of `a`, `b`" and "`a` or `b`" as "a, b".
fn names_of(allowed: &str) -> String {
    let names: Vec<&str> = allowed.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

/// What Rust calls it, as a person would.
fn wanted(rust: &str) -> &str {
    match rust {
        "u64" | "u32" | "usize" | "i64" => "a whole number",
        "a sequence" => "a list",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}
