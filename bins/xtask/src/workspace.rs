//! The checkout: its root, its files, and the programs that are run in it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the checkout.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// One file that git tracks or would track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    /// Its content; nothing where it is not text.
    pub(crate) text: Option<String>,
}

impl Workspace {
    /// The workspace around the current directory.
    pub(crate) fn find() -> Result<Self> {
        let arguments = ["locate-project", "--workspace", "--message-format", "plain"];
        let manifest = output("cargo", &arguments, Path::new("."))?;
        let root = Path::new(manifest.trim())
            .parent()
            .context("the manifest has no folder")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// What a program prints, run at the root.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        output(program, arguments, &self.root)
    }

    /// What cargo prints about the locked dependencies: from what is on this machine where that
    /// is enough, else after a download.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let offline = [arguments, &["--locked", "--offline"]].concat();
        let online = [arguments, &["--locked"]].concat();
        self.output("cargo", &offline)
            .or_else(|_| self.output("cargo", &online))
    }

    /// Every file that is tracked, or untracked and not ignored, in order of its path.
    pub(crate) fn files(&self) -> Result<Vec<File>> {
        let arguments = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let names = self.output("git", &arguments)?;
        let mut paths: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let present = paths
            .into_iter()
            .filter(|path| self.root.join(path).is_file());
        present
            .map(|path| {
                let bytes = fs::read(self.root.join(path)).with_context(|| path.to_owned())?;
                Ok(File {
                    path: path.to_owned(),
                    text: String::from_utf8(bytes).ok(),
                })
            })
            .collect()
    }

    /// The text of one file.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| path.to_owned())
    }

    /// Replaces one file.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<()> {
        fs::write(self.root.join(path), text).with_context(|| path.to_owned())
    }

    /// Whether a path from the root leads to a file or a folder.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

fn output(program: &str, arguments: &[&str], at: &Path) -> Result<String> {
    let line = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(at)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{line}` does not start"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed: {}", why.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` prints no text"))
}
