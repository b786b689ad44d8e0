//! On what, and of which commit, a report is.

use std::fs;
use std::process::Command;

/// One line.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let gib = field("/proc/meminfo", "MemTotal").map_or(0, |text| {
        let kib: u64 = text.trim_end_matches(" kB").parse().unwrap_or_default();
        kib / (1024 * 1024)
    });
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let changed = if run("git", &["status", "--porcelain"]).is_empty() {
        ""
    } else {
        " with changes"
    };
    let commit = run("git", &["rev-parse", "--short=12", "HEAD"]);
    format!(
        "Machine: {cores} cores ({model}), {gib} GiB. Commit: {commit}{changed}. Release build."
    )
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
