//! What a crate holds with everything behind it.

use super::table;
use crate::finding::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// The names behind each crate, itself and the workspace's own left out.
pub(super) type Closures = BTreeMap<String, BTreeSet<String>>;

const HEAD: &str = "\
# What pure crates may hold, with everything behind them: normal dependencies on all platforms.
# A new name is a decision: read what it does before `cargo run -p xtask -- edges --write`.
";

/// Reads the output of `cargo tree --prefix depth`. A subtree is printed once; where it comes
/// again it is only named.
pub(super) fn parse_tree(text: &str) -> Closures {
    let mut children: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut roots = BTreeSet::new();
    let mut path: Vec<&str> = Vec::new();
    for line in text.lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (depth, package) = line.split_at(digits);
        let package = package.trim_end_matches(" (*)");
        let Ok(depth) = depth.parse::<usize>() else {
            continue;
        };
        path.truncate(depth);
        match path.last() {
            Some(parent) => {
                children.entry(parent).or_default().insert(package);
            }
            None => {
                roots.insert(package);
            }
        }
        path.push(package);
    }
    roots
        .iter()
        .map(|root| (name(root).to_owned(), behind(root, &children)))
        .collect()
}

fn behind(root: &str, children: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![root];
    while let Some(package) = open.pop() {
        let next = children.get(package).into_iter().flatten().copied();
        open.extend(next.filter(|package| seen.insert(*package)));
    }
    let foreign = seen
        .into_iter()
        .map(name)
        .filter(|name| table::find(name).is_none());
    foreign.map(str::to_owned).collect()
}

/// The name in `name v1.2.3 (path)`.
fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// Reads the list of allowed names: `[crate]`, then one name per line.
pub(super) fn parse_allow(text: &str) -> Closures {
    let mut allow = Closures::new();
    let mut heading = String::new();
    for line in text.lines().map(str::trim) {
        let named = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        if let Some(named) = named {
            named.clone_into(&mut heading);
            allow.entry(heading.clone()).or_default();
        } else if !line.is_empty() && !line.starts_with('#') {
            allow
                .entry(heading.clone())
                .or_default()
                .insert(line.to_owned());
        }
    }
    allow
}

/// Writes the list of allowed names.
pub(super) fn format_allow(closures: &Closures) -> String {
    let mut text = HEAD.to_owned();
    for (name, names) in closures.iter().filter(|(name, _)| is_listed(name)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        text.push_str(&format!("\n[{name}]\n{}\n", names.join("\n")));
    }
    text
}

/// Names that are not listed, and names that no list may allow.
pub(super) fn check(closures: &Closures, allow: &Closures) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, names) in closures {
        let forbidden = |held: &&str| table::NEVER.iter().any(|one| table::matches(one, held));
        let listed = |held: &&str| {
            allow
                .get(name)
                .is_some_and(|allowed| allowed.contains(*held))
        };
        let (never, may): (Vec<&str>, Vec<&str>) =
            names.iter().map(String::as_str).partition(forbidden);
        if !never.is_empty() {
            let what = format!("it must never hold {}", never.join(", "));
            findings.push(Finding::on(name, what));
        }
        let news: Vec<&str> = may.into_iter().filter(|held| !listed(held)).collect();
        if is_listed(name) && !news.is_empty() {
            let what = format!("closure-allow.txt does not list {}", news.join(", "));
            findings.push(Finding::on(name, what));
        }
    }
    findings
}

/// How many listed names nothing holds.
pub(super) fn unused(closures: &Closures, allow: &Closures) -> usize {
    let held = |name: &str, allowed: &str| {
        closures
            .get(name)
            .is_some_and(|names| names.contains(allowed))
    };
    let listed = allow
        .iter()
        .flat_map(|(name, names)| names.iter().map(move |one| (name, one)));
    listed.filter(|(name, one)| !held(name, one)).count()
}

fn is_listed(name: &str) -> bool {
    table::find(name).is_some_and(|row| row.layer.is_listed())
}
