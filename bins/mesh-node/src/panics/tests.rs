//! The text of a panic in a task stays in the process. A hook is a process's own, so the test runs
//! itself again.

use super::mind;
use crate::cli::LogForm;
use crate::serve::start_logs;
use std::process::Command;

/// Set in the inner run.
const INSIDE: &str = "MESH_TEST_PANICS";
/// What nobody may read.
const SECRET: &str = "what a user wrote";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the inner run is told apart by a variable"
)]
fn a_panic_in_a_task_says_its_place_and_not_its_text() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["panics::tests::a_panic_in_a_task_says_its_place_and_not_its_text"])
        .args(["--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(file!())).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("mesh-node: a panic at"), "{text}");
    let logged: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(logged["level"], "ERROR");
}

/// One panic before there are logs, one after.
fn inside() {
    mind();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let dies = || {
        let task = runtime.spawn(async { panic!("{SECRET}") });
        assert!(runtime.block_on(task).unwrap_err().is_panic());
    };
    dies();
    start_logs(LogForm::Json);
    dies();
}
