//! Which marks (`kernel::sometimes!`) the runs of this thread came to.
//!
//! A campaign is a set of runs that together must come to every mark: [`reset`], run,
//! [`Coverage::collect`] after each world, and ask for the [`Coverage::failures`]. Names that no
//! campaign can come to stand in the catalogue with a reason.

use std::cmp::Reverse;
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
    seen: BTreeMap<&'static str, Sighting>,
}

/// Where a mark was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// How often.
    pub times: u64,
    /// In how many worlds.
    pub worlds: u64,
    /// The first of them: its place in the campaign.
    pub first: Place,
}

/// A world's place in a campaign, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its number.
    pub number: (usize, u64),
    /// Its name.
    pub name: String,
}

impl Coverage {
    /// Adds what this thread came to in one world, since [`reset`], and forgets it. Worlds may come
    /// in any order.
    pub fn collect(&mut self, world: &Place) {
        for (name, times) in seen() {
            let sighting = self.seen.entry(name).or_insert_with(|| Sighting {
                times: 0,
                worlds: 0,
                first: world.clone(),
            });
            sighting.times += times;
            sighting.worlds += 1;
            if *world < sighting.first {
                sighting.first = world.clone();
            }
        }
        reset();
    }

    /// The marks that were seen, and where.
    #[must_use]
    pub const fn seen(&self) -> &BTreeMap<&'static str, Sighting> {
        &self.seen
    }

    /// The marks that were seen, the rarest first: in the fewest worlds, and of those in as many
    /// the one that was seen last.
    #[must_use]
    pub fn rarest(&self) -> Vec<(&'static str, &Sighting)> {
        let mut all: Vec<_> = self.seen.iter().map(|(name, it)| (*name, it)).collect();
        all.sort_by_key(|(_, it)| (it.worlds, Reverse(it.first.number)));
        all
    }

    /// What is wrong with these runs and this catalogue: marks that no run came to, and reasons
    /// for what some run did come to.
    #[must_use]
    pub fn failures(&self, catalogue: &BTreeMap<&str, Option<&str>>) -> Vec<String> {
        let wrong = |(name, why): (&&str, &Option<&str>)| match (why, self.seen.get(*name)) {
            (None, None) => Some(format!("no run came to the mark `{name}`")),
            (Some(why), Some(it)) => Some(format!(
                "the mark `{name}` was seen {} times: strike its reason, `{why}`",
                it.times
            )),
            (None, Some(_)) | (Some(_), None) => None,
        };
        catalogue.iter().filter_map(wrong).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(part: usize, seed: u64) -> Place {
        Place {
            number: (part, seed),
            name: format!("part {part}, seed {seed}"),
        }
    }

    #[test]
    fn the_first_world_is_kept_whatever_the_order_and_the_rarest_mark_comes_first() {
        reset();
        let mut coverage = Coverage::default();
        for (part, seed, marks) in [
            (1, 5, &["late", "often"][..]),
            (0, 9, &["often", "often", "early"]),
            (1, 4, &["late"]),
        ] {
            for mark in marks {
                kernel::marks::reached(mark);
            }
            coverage.collect(&place(part, seed));
        }
        let rarest = coverage.rarest();
        let told = rarest
            .iter()
            .map(|(name, it)| (*name, it.worlds, it.times, it.first.number));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("early", 1, 1, (0, 9)),
                ("late", 2, 2, (1, 4)),
                ("often", 2, 3, (0, 9)),
            ]
        );
    }

    #[test]
    fn what_was_not_seen_and_what_was_excused_in_vain_are_failures() {
        reset();
        kernel::marks::reached("seen");
        kernel::marks::reached("seen");
        kernel::marks::reached("seen against all reason");
        let mut coverage = Coverage::default();
        coverage.collect(&place(0, 7));
        assert_eq!(seen().len(), 0, "it is counted once");
        assert_eq!(coverage.seen()["seen"].times, 2);
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
