//! Rules for files, one function per rule.

mod actor_page;
mod comments;
mod links;
mod pure;
mod shape;
#[cfg(test)]
mod tests;

use crate::finding::{Finding, Report};
use crate::source::{self, Line};
use crate::workspace::{File, Workspace};
use anyhow::Result;

/// Looks at every file.
pub(crate) fn run(workspace: &Workspace) -> Result<Report> {
    let files = workspace.files()?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(look(file, &|path| workspace.exists(path)));
    }
    let sources = files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .count();
    Ok(Report {
        findings,
        summary: format!("{} files, {sources} Rust sources", files.len()),
    })
}

/// Everything that is wrong with one file.
fn look(file: &File, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let File { path, text } = file;
    let mut findings = shape::name(path);
    let Some(text) = text else {
        return findings;
    };
    findings.extend(shape::machine_paths(path, text));
    if is_written_by_hand(path) {
        findings.extend(shape::trailing_space(path, text));
    }
    if path.ends_with(".md") {
        findings.extend(links::check(path, text, exists));
    }
    if path.ends_with(".rs") {
        findings.extend(rust(path, text));
    } else if is_script(path) {
        findings.extend(comments::marks_in_text(path, text));
    }
    findings
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<Line> = source::lines(text);
    let mut findings = shape::lengths(path, text);
    findings.extend(comments::marks(path, &lines));
    findings.extend(comments::history(path, &lines));
    findings.extend(pure::check(path, &lines));
    findings.extend(actor_page::check(path, text));
    findings
}

fn is_script(path: &str) -> bool {
    path == "Makefile"
        || path.starts_with(".ci/")
        || [".sh", ".py", ".toml"]
            .iter()
            .any(|end| path.ends_with(end))
}

fn is_written_by_hand(path: &str) -> bool {
    is_script(path) || [".rs", ".md", ".yml"].iter().any(|end| path.ends_with(end))
}
