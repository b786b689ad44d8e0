//! The only place that prints.

use serde_json::Value;
use std::io::{self, Write};

/// One line for people and scripts.
pub(crate) fn line(text: &str) {
    // A reader that went away wants no more lines.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// A JSON value.
pub(crate) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// One line on what went wrong.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "mesh-node: {text}");
}
