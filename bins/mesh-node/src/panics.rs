//! What is said of a panic anywhere in this process: where it was. Its text may quote what a user
//! wrote (an index into a prompt says the prompt), so it is never printed. Turns of actors have a
//! stricter hook of their own before this one.

use crate::print;
use std::panic::{PanicHookInfo, set_hook};

#[cfg(test)]
mod tests;

/// Replaces the hook that prints the text.
pub(crate) fn mind() {
    set_hook(Box::new(|panic| say(&place_of(panic))));
}

fn place_of(panic: &PanicHookInfo<'_>) -> String {
    panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

/// As a log line where there are logs, so that a reader of JSON lines gets one.
fn say(place: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!(%place, "a panic; its text may quote a user and is not shown");
    } else {
        print::error(&format!("a panic at {place}"));
    }
}
