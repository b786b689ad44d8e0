//! `docs/PROTOCOL.md` carries a digest of the sources that define the wire, so that neither changes
//! alone.

#[cfg(test)]
mod tests;

use crate::finding::{Finding, Report};
use crate::source;
use crate::workspace::{File, Workspace};
use anyhow::{Context, Result, ensure};

const DOCUMENT: &str = "docs/PROTOCOL.md";
/// The folder of the version, all of it.
const FOLDER: &str = "messages/src/wire/v1/";
/// What its frames are made of.
const PARTS: [&str; 12] = [
    "messages/src/base32.rs",
    "messages/src/bounded.rs",
    "messages/src/digest.rs",
    "messages/src/ids.rs",
    "messages/src/job.rs",
    "messages/src/limits.rs",
    "messages/src/record.rs",
    "messages/src/record/key.rs",
    "messages/src/text.rs",
    "messages/src/ticket.rs",
    "messages/src/time.rs",
    "messages/src/trace.rs",
];
/// What stands before the digest on the document's last line.
const MARK: &str = "Digest of the sources that this page describes: `";

/// Whether the document was read against these sources.
pub(crate) fn run(workspace: &Workspace) -> Result<Report> {
    let (hash, count) = current(workspace)?;
    let findings = check(&workspace.read(DOCUMENT)?, &hash);
    Ok(Report {
        findings,
        summary: format!("{count} sources"),
    })
}

/// Records the digest of these sources.
pub(crate) fn write(workspace: &Workspace) -> Result<Report> {
    let (hash, _) = current(workspace)?;
    let document = with_hash(&workspace.read(DOCUMENT)?, &hash);
    workspace.write(DOCUMENT, &document)?;
    run(workspace)
}

fn current(workspace: &Workspace) -> Result<(String, usize)> {
    let files = workspace.files()?;
    let sources: Vec<&File> = files.iter().filter(|file| is_wire(&file.path)).collect();
    for part in PARTS {
        ensure!(
            sources.iter().any(|file| file.path == part),
            "{part} is gone"
        );
    }
    Ok((digest(&sources)?, sources.len()))
}

fn is_wire(path: &str) -> bool {
    let inside = path
        .strip_prefix(FOLDER)
        .filter(|rest| rest.ends_with(".rs"));
    let test = |rest: &str| rest == "tests.rs" || rest.split('/').any(|part| part == "tests");
    inside.is_some_and(|rest| !test(rest)) || PARTS.contains(&path)
}

/// The digest of code and quoted texts, in order of path: comments and layout do not count,
/// because they are not on the wire.
fn digest(sources: &[&File]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for File { path, text } in sources {
        let text = text
            .as_deref()
            .with_context(|| format!("{path} is not text"))?;
        let lines = source::lines(text);
        let code: String = lines
            .iter()
            .flat_map(|line| [line.code.as_str(), "\n"])
            .collect();
        let quoted = lines
            .iter()
            .map(|line| line.quoted.as_str())
            .filter(|text| !text.is_empty());
        for part in [path.as_str()]
            .into_iter()
            .chain(source::tokens(&code))
            .chain(quoted)
        {
            hasher.update(part.as_bytes());
            hasher.update(b"\n");
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn check(document: &str, hash: &str) -> Vec<Finding> {
    let found = recorded(document);
    let what = match found {
        Some(found) if found == hash => return Vec::new(),
        Some(_) => "the wire's sources changed after this page was read against them",
        None => "the page has no line with the digest of the wire's sources",
    };
    let advice = "update the page, then run `cargo run -p xtask -- protocol-hash --write`";
    vec![Finding::on(DOCUMENT, format!("{what}: {advice}"))]
}

fn recorded(document: &str) -> Option<&str> {
    document
        .lines()
        .find_map(|line| line.strip_prefix(MARK)?.strip_suffix('`'))
}

fn with_hash(document: &str, hash: &str) -> String {
    let kept = document.lines().filter(|line| !line.starts_with(MARK));
    let kept: Vec<&str> = kept.collect();
    format!("{}\n\n{MARK}{hash}`\n", kept.join("\n").trim_end())
}
