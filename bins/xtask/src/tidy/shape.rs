//! Rules that need no understanding of the text: lengths, names, spaces, paths.

use crate::finding::Finding;

/// Lines of one Rust file, tests included: what a reader holds in mind.
const FILE_LINES_MAX: usize = 500;
/// Characters of one line: what fits beside a second file.
const LINE_CHARS_MAX: usize = 100;
/// Names that say nothing about what is inside, so that anything ends up there.
const VAGUE: [&str; 3] = ["utils", "common", "misc"];
/// Folders of one person's machine. In halves, so that this file does not name them.
const MACHINE_FOLDERS: [(&str, &str); 6] = [
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Use", "rs/"),
    ("/wo", "rk/"),
    ("/fa", "rm/"),
    ("/tm", "p/bash_jobs"),
];

/// Files that are too long.
pub(super) fn long_file(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let what = || format!("{lines} lines, where at most {FILE_LINES_MAX} are allowed: split it");
    (lines > FILE_LINES_MAX).then(|| Finding::on(path, what()))
}

/// Lines that are too long. One with a URL may be: URLs do not break.
pub(super) fn long_lines(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let chars = line.chars().count();
        if chars > LINE_CHARS_MAX && !line.contains("https://") && !line.contains("http://") {
            let what = format!("{chars} characters, where at most {LINE_CHARS_MAX} are allowed");
            findings.push(Finding::at(path, at + 1, what));
        }
    }
    findings
}

/// Spaces and tabs before a line's end, and carriage returns.
pub(super) fn trailing_space(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.split('\n').enumerate();
    lines
        .filter(|(_, line)| line.ends_with(|c: char| c.is_whitespace()))
        .map(|(at, _)| Finding::at(path, at + 1, "the line ends in white space"))
        .collect()
}

/// Rust modules whose name fits everything.
pub(super) fn name(path: &str) -> Vec<Finding> {
    let Some(module) = path.strip_suffix(".rs") else {
        return Vec::new();
    };
    let vague = module.split('/').find(|part| VAGUE.contains(part));
    let what = |name| format!("`{name}` says nothing: name the module after what it holds");
    vague
        .map(|name| Finding::on(path, what(name)))
        .into_iter()
        .collect()
}

/// Absolute paths that exist on one machine only.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (head, tail) in MACHINE_FOLDERS {
            if names_folder(line, &format!("{head}{tail}")) {
                let what = format!("`{head}{tail}` is a path of one machine");
                findings.push(Finding::at(path, at + 1, what));
            }
        }
    }
    findings
}

/// Whether `folder` begins a path somewhere in the line, and is not the middle of one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().last();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~}*/)".contains(c))
    })
}
