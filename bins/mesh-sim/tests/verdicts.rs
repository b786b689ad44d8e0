//! Every command that judges fails where something does not hold, and says what.

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the command: how it ends, and all that it says.
fn mesh_sim(args: &[&str]) -> Result<(Option<i32>, String)> {
    let out = Command::new(env!("CARGO_BIN_EXE_mesh-sim"))
        .args(args)
        .output()?;
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok((out.status.code(), said))
}

/// A folder of scenario files of these names, each of which says how many sessions its only node
/// has. It has none.
fn folder(name: &str, files: &[(&str, u64)]) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder)?;
    for (file, sessions) in files {
        let text = format!(
            "guards = \"who is alone is alone\"\nseeds = [1]\nlasts = \"1s\"\n\
             [mesh]\nnodes = 1\n[[expect]]\n\
             that = {{ sessions = {{ node = 0, at_least = {sessions}, at_most = 9 }} }}\n"
        );
        std::fs::write(folder.join(file).with_extension("toml"), text)?;
    }
    Ok(folder)
}

fn check(args: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let (ended, said) = mesh_sim(args)?;
    assert_eq!(ended, Some(code), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?}, not {word}: {said}");
    }
    Ok(())
}

#[test]
fn a_file_that_does_not_hold_fails_its_folder_by_name() -> Result<()> {
    let good = folder("good", &[("right", 0)])?;
    let good = good.to_string_lossy();
    let holds = ["holds  right", "1 files, all as they say"];
    check(&["scenarios", "--dir", &good], 0, &holds)?;
    let bad = folder("bad", &[("right", 0), ("wrong", 1)])?;
    let bad = bad.to_string_lossy();
    let fails = ["holds  right", "FAILED wrong", "1 of 2 files failed: wrong"];
    check(&["scenarios", "--dir", &bad], 1, &fails)?;
    let right = format!("{bad}/right.toml");
    check(&["scenario", &right], 0, &["1 seeds, all hold"])?;
    let wrong = format!("{bad}/wrong.toml");
    check(&["scenario", &wrong], 1, &["1 of 1 seeds failed"])
}

#[test]
fn a_file_of_which_a_line_guards_nothing_fails_and_one_with_an_open_bug_must() -> Result<()> {
    let dir = folder("judged", &[("right", 0), ("wrong", 1)])?;
    let read = |name: &str| std::fs::read_to_string(dir.join(name));
    let fault =
        "[[fault]]\nat = \"500ms\"\ndo = { kill_actor = { node = 0, actor = \"engine\" } }\n";
    std::fs::write(dir.join("idle.toml"), read("right.toml")? + fault)?;
    let open = "open = \"it is known\"\n";
    std::fs::write(
        dir.join("open.toml"),
        open.to_owned() + &read("wrong.toml")?,
    )?;
    std::fs::write(
        dir.join("mended.toml"),
        open.to_owned() + &read("right.toml")?,
    )?;
    let judge = |name: &str, code, words: &[&str]| {
        let file = dir.join(name);
        check(&["scenario", &file.to_string_lossy()], code, words)
    };
    judge(
        "idle.toml",
        1,
        &["finds nobody with 1 of 1 seeds", "guard nothing"],
    )?;
    judge("open.toml", 0, &["as `open` says: it is known"])?;
    judge("mended.toml", 1, &["take `open` out"])
}

#[test]
fn a_mark_that_nothing_comes_to_fails_by_name() -> Result<()> {
    let dir = folder("alone", &[("alone", 0)])?;
    let dir = dir.to_string_lossy();
    let args = [
        "marks",
        "--dir",
        &dir,
        "--seeds",
        "0..0",
        "--without-campaign",
    ];
    let missed = "FAILED: no run came to the mark `router: a holder is full`";
    check(&args, 1, &[missed, " failures"])
}

/// How two runs that differ are told is a test of `meta.rs`.
#[test]
fn two_processes_come_to_the_same() -> Result<()> {
    let said = "1 seeds, each in two orders of turns, are replays byte for byte";
    check(
        &["meta", "--seeds", "1"],
        0,
        &[said, "repeats it without a draw"],
    )
}
