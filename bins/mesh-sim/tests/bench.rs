//! `mesh-sim bench` fails where a figure is not the baseline's.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures one scenario beside this baseline: how the command ends, and what it complains of.
fn bench(baseline: &Path) -> Result<(Option<i32>, String)> {
    let out = Command::new(env!("CARGO_BIN_EXE_mesh-sim"))
        .args(["bench", "--only", "failover", "--baseline"])
        .arg(baseline)
        .output()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Ok((out.status.code(), said))
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../simulation/baseline.toml")
}

/// The committed baseline, with another text for this figure of the scenario and more at its end.
fn changed(figure: &str, to: impl Fn(u64) -> String, more: &str) -> Result<PathBuf> {
    let text = std::fs::read_to_string(committed())?;
    let (head, table) = text.split_once("[failover]").context("the scenario")?;
    let key = format!("\n{figure} = ");
    let (before, rest) = table.split_once(&key).context("the figure")?;
    let (count, after) = rest.split_once('\n').context("a line")?;
    let line = to(count.parse()?);
    let text = format!("{head}[failover]{before}\n{line}\n{after}{more}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{figure}.toml"));
    std::fs::write(&path, text)?;
    Ok(path)
}

#[test]
fn a_figure_that_has_changed_fails_the_command() -> Result<()> {
    let (code, said) = bench(&committed())?;
    assert_eq!(code, Some(0), "{said}");
    let half = |count| format!("pause_median_us = {}", count / 2);
    let (code, said) = bench(&changed("pause_median_us", half, "")?)?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("failover.pause_median_us: "), "{said}");
    let gone = "\n[gone]\nx = 1\n";
    let (code, said) = bench(&changed("whole_answers", |_| String::new(), gone)?)?;
    assert_eq!(code, Some(1), "{said}");
    let missing = "failover.whole_answers: 20, not in the baseline";
    assert!(said.contains(missing), "{said}");
    assert!(said.contains("gone: in the baseline alone"), "{said}");
    Ok(())
}
