//! Rules for files, one function per rule.

mod actor_page;
mod comments;
mod examples;
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
    let findings = look_at_all(&files, &|path| workspace.exists(path));
    let sources = files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .count();
    Ok(Report {
        findings,
        summary: format!("{} files, {sources} Rust sources", files.len()),
    })
}

/// Everything that is wrong with these files, alone and together.
fn look_at_all(files: &[File], exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = files.iter().flat_map(|file| look(file, exists)).collect();
    findings.extend(examples::check(files));
    findings
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
    if is_shell(path) {
        findings.extend(shape::long_lines(path, text));
    }
    findings
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<Line> = source::lines(text);
    let mut findings = shape::long_lines(path, text);
    findings.extend(shape::long_file(path, text));
    findings.extend(comments::marks(path, &lines));
    findings.extend(comments::history(path, &lines));
    findings.extend(pure::check(path, &lines));
    findings.extend(actor_page::check(path, text));
    findings
}

fn is_script(path: &str) -> bool {
    is_shell(path) || [".py", ".toml"].iter().any(|end| path.ends_with(end))
}

/// Scripts whose lines are held short. Those in Python are not among them: their tables of
/// questions and answers are data, one pair a line. Nor are manifests: a list of features does not
/// read better in pieces.
fn is_shell(path: &str) -> bool {
    path == "Makefile" || path.starts_with(".ci/") || path.ends_with(".sh")
}

fn is_written_by_hand(path: &str) -> bool {
    is_script(path) || [".rs", ".md", ".yml"].iter().any(|end| path.ends_with(end))
}
