//! Who may depend on whom.
//!
//! Two questions. Direct: does each manifest name what the table lists, and nothing else? Closure:
//! does a pure crate, with everything behind it, hold only what `closure-allow.txt` lists? The
//! second catches a harmless-looking crate that brings a runtime or a clock along.

mod closure;
mod direct;
mod table;
#[cfg(test)]
mod tests;

use crate::finding::Report;
use crate::metadata::{Metadata, Package};
use crate::workspace::Workspace;
use anyhow::Result;
use closure::Closures;

/// The names that the closures of pure crates may hold.
const ALLOW: &str = "bins/xtask/closure-allow.txt";

/// Both questions.
pub(crate) fn run(workspace: &Workspace, metadata: &Metadata) -> Result<Report> {
    let members: Vec<&Package> = metadata.members().collect();
    let mut findings = direct::check(&members);
    findings.extend(direct::stale(&members));
    let closures = resolve(workspace, &members)?;
    let allow = closure::parse_allow(&workspace.read(ALLOW)?);
    findings.extend(closure::check(&closures, &allow));
    let unused = closure::unused(&closures, &allow);
    let pure = closures.len();
    let crates = members.len();
    let summary = format!("{crates} crates, {pure} closures, {unused} allowed names without use");
    Ok(Report { findings, summary })
}

/// Records the closures as they are resolved. What must never be seen stays forbidden.
pub(crate) fn write(workspace: &Workspace) -> Result<Report> {
    let metadata = Metadata::load(workspace)?;
    let members: Vec<&Package> = metadata.members().collect();
    let closures = resolve(workspace, &members)?;
    workspace.write(ALLOW, &closure::format_allow(&closures))?;
    run(workspace, &metadata)
}

/// Whether a file belongs to a crate that no clock, socket or thread may enter.
pub(crate) fn is_pure(path: &str) -> bool {
    table::CRATES.iter().any(|row| {
        let inside = path
            .strip_prefix(row.folder)
            .is_some_and(|rest| rest.starts_with('/'));
        inside && row.layer.is_pure()
    })
}

/// What the pure crates hold, with the features that they ask for themselves: what a driver adds
/// to a shared dependency is not theirs.
fn resolve(workspace: &Workspace, members: &[&Package]) -> Result<Closures> {
    let pure: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let pure: Vec<&str> = pure
        .into_iter()
        .filter(|name| table::is_closed(name))
        .collect();
    let mut arguments = vec![
        "tree", "--edges", "normal", "--target", "all", "--prefix", "depth",
    ];
    for name in &pure {
        arguments.extend(["--package", name]);
    }
    match pure.is_empty() {
        true => Ok(Closures::new()),
        false => Ok(closure::parse_tree(&workspace.cargo(&arguments)?)),
    }
}
