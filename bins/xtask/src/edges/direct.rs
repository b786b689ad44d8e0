//! What each manifest names.

use super::table::{self, Crate, Layer};
use crate::finding::Finding;
use crate::metadata::{Dependency, Package};

/// Manifests that name what the table does not allow.
pub(super) fn check(members: &[&Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some(row) = table::find(&member.name) else {
            let what = "the crate is not in bins/xtask/src/edges/table.rs: say what it may see";
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

/// A dependency on a crate of others. Tests may name any: they do not run in a node.
fn foreign(row: &Crate, dependency: &Dependency) -> Option<Finding> {
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
