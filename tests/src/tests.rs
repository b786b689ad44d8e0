//! Whole-system tests.

mod bad_input;
#[cfg(feature = "llama")]
mod builtin;
mod command_line;
mod control;
mod edge;
mod hermetic;
mod hostile;
mod local;
mod mesh;
mod shared;
mod survival;

/// Fails, rather than passes unseen, where the test's user may not do what it takes.
fn needs_root(what: &str) {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    assert!(root, "{what} needs root: run this test with sudo");
}
