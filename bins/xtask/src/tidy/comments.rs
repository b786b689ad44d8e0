//! What a comment may not be: a reminder of unfinished work, or a story about earlier code.

use crate::finding::Finding;
use crate::source::{self, Line};

/// Reminders of unfinished work. In halves, so that this file does not hold them.
const MARKS: [(&str, &str); 3] = [("FIX", "ME"), ("TO", "DO"), ("XX", "X")];
/// Code that stands for unfinished work, without the white space.
const STUBS: [(&str, &str); 4] = [
    ("todo!", "unfinished code"),
    ("unimplemented!", "unfinished code"),
    ("#[ignore", "a test that nobody runs"),
    ("#[should_panic", "any panic passes it: assert the outcome"),
];
/// Words that tell what the code was.
const HISTORY: [&str; 12] = [
    "no longer",
    "previously",
    "formerly",
    "was removed",
    "were removed",
    "has been removed",
    "was renamed",
    "instead of the old",
    "now uses",
    "now does",
    "backwards compatibility",
    "legacy",
];
/// Tells what the code was, unless it follows a form of `be`: "is used to sign".
const USED_TO: &str = "used to";
const FORMS_OF_BE: [&str; 8] = ["is", "are", "be", "been", "being", "was", "were", "not"];

/// Reminders and stubs in a Rust source.
pub(super) fn marks(path: &str, lines: &[Line]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        findings.extend(mark(path, at + 1, &line.comment));
        let code: String = line.code.split_whitespace().collect();
        for (stub, why) in STUBS {
            let found = code
                .match_indices(stub)
                .any(|(at, _)| starts_word(&code, at));
            findings.extend(found.then(|| Finding::at(path, at + 1, format!("`{stub}`: {why}"))));
        }
    }
    findings
}

/// Reminders anywhere in a text.
pub(super) fn marks_in_text(path: &str, text: &str) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .flat_map(|(at, line)| mark(path, at + 1, line))
        .collect()
}

fn mark(path: &str, at: usize, text: &str) -> Option<Finding> {
    let found = source::words(text).find(|word| {
        MARKS
            .iter()
            .any(|(head, tail)| word.strip_prefix(head) == Some(*tail))
    })?;
    Some(Finding::at(
        path,
        at,
        format!("`{found}`: do it, or open an issue"),
    ))
}

/// Comments that tell what the code was. Phrases are found across line breaks.
pub(super) fn history(path: &str, lines: &[Line]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut block = Block::default();
    for (at, line) in lines.iter().enumerate() {
        if line.comment.is_empty() || !line.code.trim().is_empty() {
            findings.extend(block.told(path));
        }
        block.add(at + 1, &line.comment);
    }
    findings.extend(block.told(path));
    findings
}

/// Comment lines that follow each other.
#[derive(Default)]
struct Block {
    text: String,
    /// Where in the text each line begins, and its number.
    starts: Vec<(usize, usize)>,
}

impl Block {
    fn add(&mut self, number: usize, comment: &str) {
        let comment = comment.trim_start_matches(['/', '!']).trim();
        if !comment.is_empty() {
            self.starts.push((self.text.len(), number));
            self.text.push_str(&comment.to_lowercase());
            self.text.push(' ');
        }
    }

    /// What the block tells of the past; empties it.
    fn told(&mut self, path: &str) -> Vec<Finding> {
        let Self { text, starts } = std::mem::take(self);
        let phrases = HISTORY.iter().flat_map(|phrase| places(&text, phrase));
        let used = places(&text, USED_TO).filter(|(at, _)| !follows_be(&text[..*at]));
        let mut found: Vec<(usize, &str)> = phrases.chain(used).collect();
        found.sort_unstable();
        let number = |at| {
            let after = starts.partition_point(|(start, _)| *start <= at);
            starts
                .get(after.saturating_sub(1))
                .map_or(1, |(_, number)| *number)
        };
        let what = |phrase| format!("`{phrase}`: say what the code does; the log tells history");
        found
            .iter()
            .map(|(at, phrase)| Finding::at(path, number(*at), what(phrase)))
            .collect()
    }
}

fn places<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.match_indices(phrase).filter(move |(at, _)| {
        let ends = !text[at + phrase.len()..].starts_with(char::is_alphanumeric);
        starts_word(text, *at) && ends
    })
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn follows_be(before: &str) -> bool {
    source::words(before)
        .last()
        .is_some_and(|word| FORMS_OF_BE.contains(&word))
}
