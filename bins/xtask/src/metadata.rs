//! What `cargo metadata` says about the packages.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// The platforms that are looked at; `deny.toml` names the same.
const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

/// Every package that is built on some platform.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// The packages, this workspace's included.
    pub(crate) packages: Vec<Package>,
}

/// One package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The licence expression that it declares.
    pub(crate) license: Option<String>,
    /// Where it comes from; nothing for a path.
    pub(crate) source: Option<String>,
    /// Its folder from the root, where it lies in this workspace.
    pub(crate) folder: Option<String>,
    /// What its manifest asks for.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) dev: bool,
    /// Whether it takes a feature to see it.
    pub(crate) optional: bool,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn load(workspace: &Workspace) -> Result<Self> {
        let mut arguments = vec!["metadata", "--format-version", "1"];
        arguments.extend(
            TARGETS
                .iter()
                .flat_map(|target| ["--filter-platform", target]),
        );
        Self::parse(&workspace.cargo(&arguments)?)
    }

    /// Reads what cargo printed.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json).context("cargo metadata is not JSON")?;
        let root = value["workspace_root"]
            .as_str()
            .context("cargo metadata names no root")?;
        let packages = value["packages"]
            .as_array()
            .context("cargo metadata has no packages")?;
        let packages: Result<_> = packages.iter().map(|value| package(value, root)).collect();
        Ok(Self {
            packages: packages?,
        })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.folder.is_some())
    }
}

fn package(value: &Value, root: &str) -> Result<Package> {
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let manifest = text("manifest_path").context("a package without a manifest")?;
    let folder = Path::new(&manifest)
        .parent()
        .and_then(|folder| folder.strip_prefix(root).ok());
    let source = text("source");
    let dependencies = value["dependencies"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    Ok(Package {
        name: text("name").context("a package without a name")?,
        version: text("version").unwrap_or_default(),
        license: text("license"),
        folder: match source {
            // Vendored sources lie inside the root and are not the workspace's own.
            Some(_) => None,
            None => folder.map(|folder| folder.to_string_lossy().replace('\\', "/")),
        },
        source,
        dependencies: dependencies.iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let name = value["name"]
        .as_str()
        .context("a dependency without a name")?;
    Ok(Dependency {
        name: name.to_owned(),
        dev: value["kind"].as_str() == Some("dev"),
        optional: value["optional"].as_bool() == Some(true),
    })
}
