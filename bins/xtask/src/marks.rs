//! The catalogue of marks: every `sometimes!` of the sources, by name, in a list that is committed,
//! so that a mark is not lost with its line and a campaign knows what it has to come to.

#[cfg(test)]
mod tests;

use crate::finding::{Finding, Report};
use crate::source;
use crate::workspace::{File, Workspace};
use anyhow::Result;
use std::collections::BTreeMap;

/// The list. A line is a name, or a name, a tab and why no campaign comes to it.
const CATALOGUE: &str = "simulation/marks.txt";
/// How a mark looks.
const CALL: &str = "sometimes!(";

/// Whether the list says what the sources say.
pub(crate) fn run(workspace: &Workspace) -> Result<Report> {
    let (marks, mut findings) = find(&workspace.files()?);
    findings.extend(compare(&marks, &workspace.read(CATALOGUE)?));
    Ok(Report {
        findings,
        summary: format!("{} marks", marks.len()),
    })
}

/// Records the marks of the sources; reasons of marks that stay are kept.
pub(crate) fn write(workspace: &Workspace) -> Result<Report> {
    let (marks, _) = find(&workspace.files()?);
    let known = workspace.read(CATALOGUE).unwrap_or_default();
    workspace.write(CATALOGUE, &format(&marks, &known))?;
    run(workspace)
}

/// Every mark and the file that it stands in; a name that stands twice is a finding.
fn find(files: &[File]) -> (BTreeMap<String, String>, Vec<Finding>) {
    let (mut marks, mut findings) = (BTreeMap::new(), Vec::new());
    for File { path, text } in files {
        let Some(text) = text.as_deref().filter(|_| is_source(path)) else {
            continue;
        };
        for (line, name) in marks_of(text) {
            let Some(name) = name else {
                findings.push(Finding::at(path, line, "a mark without a literal name"));
                continue;
            };
            if let Some(other) = marks.insert(name.clone(), path.clone()) {
                let what = format!("the mark `{name}` stands in {other} too");
                findings.push(Finding::at(path, line, what));
            }
        }
    }
    (marks, findings)
}

/// Production sources. The macro's own file only explains it.
fn is_source(path: &str) -> bool {
    let mut parts = path.split('/');
    path.ends_with(".rs")
        && path != "runtime/kernel/src/marks.rs"
        && !path.starts_with("bins/xtask/")
        && parts.all(|part| part != "tests" && part != "tests.rs")
}

/// The line and the name of every mark: the last literal before the call is closed.
fn marks_of(text: &str) -> Vec<(usize, Option<String>)> {
    let lines = source::lines(text);
    let mut marks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        for (column, _) in line.code.match_indices(CALL) {
            let (mut depth, mut name) = (0_usize, None);
            'call: for (below, line) in lines[at..].iter().enumerate() {
                let code = match below {
                    0 => &line.code[column..],
                    _ => &line.code[..],
                };
                if code.contains('"') && !line.quoted.is_empty() {
                    name = Some(line.quoted.clone());
                }
                for c in code.chars() {
                    depth = match c {
                        '(' => depth + 1,
                        ')' => depth - 1,
                        _ => depth,
                    };
                    if c == ')' && depth == 0 {
                        break 'call;
                    }
                }
            }
            marks.push((at + 1, name));
        }
    }
    marks
}

fn compare(marks: &BTreeMap<String, String>, catalogue: &str) -> Vec<Finding> {
    let known = parse(catalogue);
    let advice = "run `cargo run -p xtask -- marks --write`";
    let new = marks.iter().filter(|(name, _)| !known.contains_key(*name));
    let new = new.map(|(name, path)| {
        Finding::on(path, format!("the mark `{name}` is not listed: {advice}"))
    });
    let gone = known.keys().filter(|name| !marks.contains_key(*name));
    let gone = gone.map(|name| {
        Finding::on(
            CATALOGUE,
            format!("no source has the mark `{name}`: {advice}"),
        )
    });
    new.chain(gone).collect()
}

/// Names, each with the reason why no campaign comes to it where there is one.
fn parse(catalogue: &str) -> BTreeMap<String, Option<String>> {
    let lines = catalogue
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| match line.split_once('\t') {
            Some((name, why)) => (name.to_owned(), Some(why.to_owned())),
            None => (line.to_owned(), None),
        })
        .collect()
}

fn format(marks: &BTreeMap<String, String>, known: &str) -> String {
    let known_marks = parse(known);
    let head = known.lines().take_while(|line| line.starts_with('#'));
    let head: String = head.flat_map(|line| [line, "\n"]).collect();
    let lines = marks.keys().map(|name| match known_marks.get(name) {
        Some(Some(why)) => format!("{name}\t{why}\n"),
        Some(None) | None => format!("{name}\n"),
    });
    head + &lines.collect::<String>()
}
