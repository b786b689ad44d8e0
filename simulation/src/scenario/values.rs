//! The small values of a scenario file: times, nodes, seeds, and what varies with the seed.

use messages::Micros;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::Range;

/// Combinations of what varies: more would make a file of one idea run for minutes.
const POINTS_MAX: usize = 2_000;
/// Seeds of one file: as many, with room for drawn seeds beyond a whole turn.
const SEEDS_MAX: u64 = 10_000;

/// A span of time: `"250ms"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Micros);

impl Span {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let us = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return None,
        };
        Some(Self(Micros(number.checked_mul(us)?)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.0;
        match us {
            us if us % 1_000_000 == 0 => write!(f, "{} s", us / 1_000_000),
            us if us % 1_000 == 0 => write!(f, "{} ms", us / 1_000),
            us => write!(f, "{us} µs"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = "a time with a unit, as \"250ms\", \"3s\", \"5min\" or \"1h\"";
        deserializer.deserialize_any(Text {
            wanted,
            read: |text: &str| {
                Self::parse(text).ok_or_else(|| format!("`{text}` is no time: write {wanted}"))
            },
        })
    }
}

/// A node of the mesh, by number or by what it does when the moment comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// By number.
    Node(usize),
    /// Whoever serves this request.
    ServerOf(String),
    /// Any node that runs a job, except those that have clients.
    Busy,
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WhoVisitor)
    }
}

struct WhoVisitor;

const A_NODE: &str = "a node: its number, \"server of NAME\" (NAME is a request) or \"busy\"";

impl Visitor<'_> for WhoVisitor {
    type Value = Who;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_NODE)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Who, E> {
        let node = usize::try_from(number);
        node.map(Who::Node)
            .map_err(|_| E::custom(format!("`{number}` is no node: they count from 0")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Who, E> {
        match text.strip_prefix("server of ") {
            Some(name) => Ok(Who::ServerOf(name.to_owned())),
            None if text == "busy" => Ok(Who::Busy),
            None => Err(E::custom(format!("`{text}` is no node: write {A_NODE}"))),
        }
    }
}

/// Which seeds a file is run with: `"0..25"` or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeedsVisitor)
    }
}

struct SeedsVisitor;

impl<'de> Visitor<'de> for SeedsVisitor {
    type Value = Seeds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seeds: a range as \"0..25\", or a list as [1, 2, 3]")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Seeds, E> {
        seeds_of(text).map(Seeds).map_err(E::custom)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Seeds, A::Error> {
        let mut seeds = Vec::new();
        while let Some(seed) = seq.next_element()? {
            seeds.push(seed);
        }
        match seeds.is_empty() {
            true => Err(A::Error::custom("a scenario needs at least one seed")),
            false => Ok(Seeds(seeds)),
        }
    }
}

/// Seeds as a person writes them: `0..25`, `0..=24`, or one number.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn seeds_of(text: &str) -> Result<Vec<u64>, String> {
    if let Ok(seed) = text.parse() {
        return Ok(vec![seed]);
    }
    let range = range_of(text).filter(|(_, unit)| unit.is_empty());
    match range {
        Some((range, _)) if range.is_empty() => Err(format!("no seed lies in `{text}`")),
        Some((range, _)) if range.end - range.start > SEEDS_MAX => {
            Err(format!("`{text}` are more than {SEEDS_MAX} seeds"))
        }
        Some((range, _)) => Ok(range.collect()),
        None => Err(format!(
            "`{text}` are no seeds: write a number or a range, as \"0..25\""
        )),
    }
}

/// One name of `[each]` and the values that it goes through, as they would stand in the file.
pub(crate) fn each_of(value: &toml::Value) -> Result<Vec<String>, String> {
    let values: Vec<String> = match value {
        toml::Value::Array(values) => values.iter().map(ToString::to_string).collect(),
        toml::Value::String(text) => {
            let ranges = text.split(", ").map(points_of);
            ranges.collect::<Result<Vec<_>, _>>()?.concat()
        }
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => return Err(RANGES.to_owned()),
    };
    match values.len() {
        0 => Err("it goes through no value at all".to_owned()),
        many if many > POINTS_MAX => Err(format!("more than {POINTS_MAX} values")),
        _ => Ok(values),
    }
}

/// How values of `[each]` are written.
const RANGES: &str = "write a list, or ranges as \"0..25\", \"0..=24 by 3\" or \
                      \"0ms..9ms by 1ms, 9ms..99ms by 10ms\"";

/// The values of one range.
fn points_of(text: &str) -> Result<Vec<String>, String> {
    let (range, by) = text.split_once(" by ").unwrap_or((text, "1"));
    let (range, unit) = range_of(range).ok_or_else(|| format!("`{text}` is no range: {RANGES}"))?;
    let by = match number_and_unit(by) {
        Some((by, of)) if by > 0 && (of == unit || of.is_empty()) => by,
        Some(_) | None => return Err(format!("`{by}` is no step of `{text}`: {RANGES}")),
    };
    let by = usize::try_from(by).unwrap_or(usize::MAX);
    let quote = if unit.is_empty() { "" } else { "\"" };
    let numbers = range.step_by(by).take(POINTS_MAX + 1);
    Ok(numbers
        .map(|number| format!("{quote}{number}{unit}{quote}"))
        .collect())
}

/// The product of what varies, bounded.
pub(crate) fn points(sizes: impl Iterator<Item = usize>) -> Result<usize, String> {
    let mut points = 1_usize;
    for size in sizes {
        points = points.saturating_mul(size);
    }
    match points {
        many if many > POINTS_MAX => Err(format!(
            "{many} combinations, and {POINTS_MAX} are the most: vary less in one file"
        )),
        points => Ok(points),
    }
}

/// `A..B` or `A..=B`, where both may have the same unit.
fn range_of(text: &str) -> Option<(Range<u64>, &str)> {
    let (from, to) = text.split_once("..")?;
    let (to, inclusive) = match to.strip_prefix('=') {
        Some(to) => (to, 1),
        None => (to, 0),
    };
    let (from, unit) = number_and_unit(from.trim())?;
    let (to, of) = number_and_unit(to.trim())?;
    let fits = of == unit || (from == 0 && unit.is_empty());
    fits.then_some((from..to.checked_add(inclusive)?, of))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// Reads a value from a text.
struct Text<F> {
    wanted: &'static str,
    read: F,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}
