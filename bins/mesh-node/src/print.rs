//! The only place that prints.

use serde_json::Value;
use std::io::{self, Write};

/// One line for people and scripts. What other members wrote may be part of it: it moves no cursor
/// and begins no line of its own.
pub(crate) fn line(text: &str) {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let text: String = text.chars().map(plain).collect();
    // A reader that went away wants no more lines.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// A JSON value.
pub(crate) fn json(value: &Value) {
    // JSON has no control characters of its own.
    let _ = writeln!(io::stdout().lock(), "{value:#}");
}

/// An error and its causes as one sentence. A cause that is part of what was said is not said
/// again.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// One line on what went wrong.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "mesh-node: {text}");
}
