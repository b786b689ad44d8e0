//! Links between documents lead somewhere.

use crate::finding::Finding;

/// Relative links of a Markdown file that lead nowhere.
pub(super) fn check(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let broken = targets(line)
                .into_iter()
                .filter(|to| leads_nowhere(path, to, exists));
            let what = |to: String| format!("the link to `{to}` leads nowhere");
            findings.extend(broken.map(|to| Finding::at(path, at + 1, what(to))));
        }
    }
    findings
}

fn leads_nowhere(path: &str, target: &str, exists: &dyn Fn(&str) -> bool) -> bool {
    let file = target.split(['#', '?']).next().unwrap_or_default();
    let elsewhere = target.contains("://") || target.starts_with("mailto:");
    if elsewhere || file.is_empty() {
        return false;
    }
    resolve(path, file).is_none_or(|file| !exists(&file))
}

/// Where a link of the file at `from` leads, from the root; nothing where it leaves the checkout.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` and `[name]: target`, outside of code.
fn targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let inline = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let named = prose
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "));
    let named = named.map(|(_, target)| target);
    let bare = |target: &str| {
        let target = target.trim().trim_start_matches('<');
        target
            .split([' ', '>'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    inline.chain(named).map(bare).collect()
}
