//! Which marks (`kernel::sometimes!`) the runs of this thread came to.
//!
//! A campaign is a set of runs that together must come to every mark: [`reset`], run, and ask
//! [`missed`] for what was never seen. Names that no campaign can come to stand in the catalogue
//! with a reason.

use std::collections::BTreeMap;

pub use kernel::marks::{reset, seen};

/// The list that `cargo run -p xtask -- marks` holds against the sources.
const CATALOGUE: &str = include_str!("../marks.txt");

/// Every mark of the sources, and the reason why no campaign comes to it where there is one.
#[must_use]
pub fn catalogue() -> BTreeMap<&'static str, Option<&'static str>> {
    let lines = CATALOGUE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| match line.split_once('\t') {
            Some((name, why)) => (name, Some(why)),
            None => (line, None),
        })
        .collect()
}

/// The marks that this thread never came to since [`reset`], those with a reason left out.
#[must_use]
pub fn missed() -> Vec<&'static str> {
    let seen = seen();
    let marks = catalogue().into_iter();
    let missed = marks.filter(|(name, why)| why.is_none() && !seen.contains_key(name));
    missed.map(|(name, _)| name).collect()
}

/// The marks that this thread came to though the catalogue says why no campaign does.
#[must_use]
pub fn unexpected() -> Vec<&'static str> {
    let seen = seen();
    let marks = catalogue().into_iter();
    let found = marks.filter(|(name, why)| why.is_some() && seen.contains_key(name));
    found.map(|(name, _)| name).collect()
}
