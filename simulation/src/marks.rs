//! Which marks (`kernel::sometimes!`) the runs of this thread came to.
//!
//! A campaign is a set of runs that together must come to every mark: [`reset`], run,
//! [`Coverage::collect`], and ask for the [`Coverage::failures`]. Names that no campaign can come
//! to stand in the catalogue with a reason.

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

/// What a campaign came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    seen: BTreeMap<&'static str, u64>,
}

impl Coverage {
    /// Adds what this thread came to since [`reset`], and forgets it.
    pub fn collect(&mut self) {
        for (name, times) in seen() {
            *self.seen.entry(name).or_default() += times;
        }
        reset();
    }

    /// The marks that were seen, and how often.
    #[must_use]
    pub const fn seen(&self) -> &BTreeMap<&'static str, u64> {
        &self.seen
    }

    /// What is wrong with these runs and this catalogue: marks that no run came to, and reasons
    /// for what some run did come to.
    #[must_use]
    pub fn failures(&self, catalogue: &BTreeMap<&str, Option<&str>>) -> Vec<String> {
        let wrong = |(name, why): (&&str, &Option<&str>)| match (why, self.seen.get(*name)) {
            (None, None) => Some(format!("no run came to the mark `{name}`")),
            (Some(why), Some(times)) => Some(format!(
                "the mark `{name}` was seen {times} times: strike its reason, `{why}`"
            )),
            (None, Some(_)) | (Some(_), None) => None,
        };
        catalogue.iter().filter_map(wrong).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_and_what_was_excused_in_vain_are_failures() {
        reset();
        kernel::marks::reached("seen");
        kernel::marks::reached("seen");
        kernel::marks::reached("seen against all reason");
        let mut coverage = Coverage::default();
        coverage.collect();
        assert_eq!(seen().len(), 0, "it is counted once");
        assert_eq!(coverage.seen().get("seen"), Some(&2));
        let catalogue = BTreeMap::from([
            ("seen", None),
            ("not seen", None),
            ("not to be seen", Some("it is dark")),
            ("seen against all reason", Some("it is dark")),
        ]);
        let vain = "the mark `seen against all reason` was seen 1 times: strike its reason, \
                    `it is dark`";
        let said = coverage.failures(&catalogue);
        assert_eq!(said, ["no run came to the mark `not seen`", vain]);
    }
}
