//! Examples in the documentation are run.

use crate::finding::Finding;
use crate::source;
use crate::workspace::File;

/// Tags of a fence that leave its content an example in Rust; so does no tag at all.
const RUST: [&str; 4] = ["rust", "no_run", "should_panic", "compile_fail"];

/// Examples in crates whose manifests say that they have none.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let manifests = files.iter().filter(|file| says_none(file));
    let without: Vec<&str> = manifests
        .filter_map(|file| file.path.strip_suffix("Cargo.toml"))
        .collect();
    let mut findings = Vec::new();
    for File { path, text } in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let folder = without.iter().find(|folder| path.starts_with(**folder));
        let Some((folder, text)) = folder.zip(text.as_deref()) else {
            continue;
        };
        let what = format!(
            "an example that nobody runs: take `doctest = false` out of {folder}Cargo.toml"
        );
        let places = examples(text).into_iter();
        findings.extend(places.map(|at| Finding::at(path, at, &*what)));
    }
    findings
}

/// Whether this is the manifest of a library that turns its examples off.
fn says_none(file: &File) -> bool {
    let text = file.text.as_deref().unwrap_or_default();
    let mut heading = "";
    file.path.ends_with("Cargo.toml")
        && text.lines().map(str::trim).any(|line| {
            if line.starts_with('[') {
                heading = line;
            }
            let (name, value) = line.split_once('=').unwrap_or_default();
            let off = value.split('#').next().unwrap_or_default().trim() == "false";
            heading == "[lib]" && name.trim() == "doctest" && off
        })
}

/// The lines on which doc comments open examples in Rust.
fn examples(text: &str) -> Vec<usize> {
    let mut open = false;
    let mut found = Vec::new();
    for (at, line) in source::lines(text).iter().enumerate() {
        let Some(doc) = line.comment.strip_prefix(['/', '!']) else {
            open = false;
            continue;
        };
        let Some(tags) = doc.trim_start().strip_prefix("```") else {
            continue;
        };
        open = !open;
        if open && is_rust(tags) {
            found.push(at + 1);
        }
    }
    found
}

fn is_rust(tags: &str) -> bool {
    let mut tags = tags.split([',', ' ', '`']).filter(|tag| !tag.is_empty());
    let first = tags.next();
    first.is_none() || first.into_iter().chain(tags).any(|tag| RUST.contains(&tag))
}
