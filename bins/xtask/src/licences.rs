//! Which licences and sources dependencies may have.

mod expression;
#[cfg(test)]
mod tests;

use crate::finding::{Finding, Report};
use crate::metadata::{Metadata, Package};
use crate::workspace::Workspace;
use anyhow::Result;
use expression::Expression;

/// Licences that ask for no more than their text. `deny.toml` has the same list.
const ALLOWED: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];
/// The texts of the workspace's own licences: either one alone allows its use.
const TEXTS: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
/// The only foreign source.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The workspace's own licences, and every package that the lock file names.
pub(crate) fn run(workspace: &Workspace, metadata: &Metadata) -> Result<Report> {
    let mut findings = missing_texts(&|path| workspace.exists(path));
    findings.extend(metadata.packages.iter().flat_map(check));
    let packages = metadata.packages.len();
    let denied = if workspace.output("cargo", &["deny", "--version"]).is_ok() {
        let arguments = ["deny", "--offline", "check", "licenses", "bans", "sources"];
        if let Err(error) = workspace.output("cargo", &arguments) {
            findings.push(Finding::on("cargo deny", format!("{error:#}")));
        }
        "cargo deny ran; run `cargo deny check advisories` for advisories"
    } else {
        "cargo deny is not installed"
    };
    let summary = format!("{packages} packages; {denied}; advisories were not checked");
    Ok(Report { findings, summary })
}

fn missing_texts(exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let missing = TEXTS.into_iter().filter(|path| !exists(path));
    let what = "the manifests name this licence, and its text is missing";
    missing.map(|path| Finding::on(path, what)).collect()
}

fn check(package: &Package) -> Vec<Finding> {
    let name = format!("{} {}", package.name, package.version);
    let licence = match package.license.as_deref().map(Expression::parse) {
        None => Some("it declares no licence expression".to_owned()),
        Some(Err(error)) => Some(format!("its licence expression is malformed: {error}")),
        Some(Ok(expression)) => {
            let allowed = expression.is_met_by(&|licence| ALLOWED.contains(&licence));
            (!allowed).then(|| format!("no allowed choice in its licence `{expression}`"))
        }
    };
    let source = match (&package.source, &package.folder) {
        (None, Some(_)) => None,
        (Some(source), _) if source == REGISTRY => None,
        (Some(source), _) => Some(format!("it comes from {source}, not from crates.io")),
        (None, None) => Some("it is a path outside of the workspace".to_owned()),
    };
    [licence, source]
        .into_iter()
        .flatten()
        .map(|what| Finding::on(&name, what))
        .collect()
}
