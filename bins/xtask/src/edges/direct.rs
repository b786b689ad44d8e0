//! What each manifest names.

use super::table::{self, Crate, Layer};
use crate::finding::Finding;
use crate::metadata::{Dependency, Package};

/// Where a new edge is written down.
const TABLE: &str = "bins/xtask/src/edges/table.rs";

/// Manifests that name what the table does not allow.
pub(super) fn check(members: &[&Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some(row) = table::find(&member.name) else {
            let what = format!("the crate is not in {TABLE}: say what it may see");
            findings.push(Finding::on(&member.name, what));
            continue;
        };
        let folder = member.folder.as_deref().unwrap_or_default();
        if folder != row.folder {
            let what = format!("it lies in `{folder}`; its folder is `{}`", row.folder);
            findings.push(Finding::on(&member.name, what));
        }
        findings.extend(member.dependencies.iter().filter_map(|dependency| {
            let ours = members.iter().any(|other| other.name == dependency.name);
            if ours {
                inside(row, dependency)
            } else {
                foreign(row, dependency)
            }
        }));
    }
    findings
}

/// What the table lists and no manifest names: a row of no crate, a foreign name without use.
pub(super) fn stale(members: &[&Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in table::CRATES {
        let Some(member) = members.iter().find(|member| member.name == row.name) else {
            let what = format!("no crate has this name: take its row out of {TABLE}");
            findings.push(Finding::on(row.name, what));
            continue;
        };
        for (whose, listed, dev) in [
            ("it does", row.foreign, false),
            ("its tests do", row.tests, true),
        ] {
            let named = |name: &str| {
                let mut dependencies = member.dependencies.iter();
                dependencies.any(|one| one.name == name && one.dev == dev)
            };
            let unused = listed.iter().filter(|name| !named(name));
            let what = |name| format!("{whose} not depend on `{name}`, which {TABLE} lists");
            findings.extend(unused.map(|name| Finding::on(row.name, what(name))));
        }
    }
    findings
}

/// A dependency on a crate of this workspace.
fn inside(row: &Crate, dependency: &Dependency) -> Option<Finding> {
    let other = table::find(&dependency.name)?;
    let allowed = row.layer.sees().contains(&other.layer) || apart(row, dependency, &[other.layer]);
    let what = || {
        let whose = if dependency.dev {
            "its tests depend"
        } else {
            "it depends"
        };
        let (mine, theirs) = (row.layer, other.layer);
        format!(
            "{whose} on `{}`; {mine:?} must not see {theirs:?}",
            other.name
        )
    };
    (!allowed).then(|| Finding::on(row.name, what()))
}

/// A dependency on a crate of others.
fn foreign(row: &Crate, dependency: &Dependency) -> Option<Finding> {
    owned(row, dependency).or_else(|| unlisted(row, dependency))
}

/// A dependency that the crate's row does not list.
fn unlisted(row: &Crate, dependency: &Dependency) -> Option<Finding> {
    let name = &dependency.name;
    let (whose, allowed) = if dependency.dev {
        ("its tests depend", row.tests)
    } else {
        ("it depends", row.foreign)
    };
    let what = || format!("{whose} on `{name}`, which its row in {TABLE} does not list");
    (!allowed.has(name)).then(|| Finding::on(row.name, what()))
}

/// A dependency that belongs to another crate. Those of tests do not run in a node.
fn owned(row: &Crate, dependency: &Dependency) -> Option<Finding> {
    let name = &dependency.name;
    if dependency.dev || row.layer == Layer::Free {
        return None;
    }
    let mut owned = table::OWNED.iter();
    let (_, layers, owners) = owned.find(|(pattern, ..)| table::matches(pattern, name))?;
    let owner = layers.contains(&row.layer) || owners.contains(&row.name);
    let what = || {
        let layers = layers.iter().map(|layer| format!("{layer:?}"));
        let owners: Vec<String> = layers
            .chain(owners.iter().map(|owner| (*owner).to_owned()))
            .collect();
        format!(
            "it depends on `{name}`, which belongs to {}",
            owners.join(", ")
        )
    };
    (!owner && !apart(row, dependency, layers)).then(|| Finding::on(row.name, what()))
}

/// Whether one of these layers is visible in tests or behind a feature, and this is such an edge.
fn apart(row: &Crate, dependency: &Dependency, layers: &[Layer]) -> bool {
    let apart = dependency.dev || dependency.optional;
    apart
        && row
            .layer
            .sees_apart()
            .iter()
            .any(|layer| layers.contains(layer))
}
