//! What a check has to say.

use std::fmt;

/// One violation: where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    place: String,
    line: Option<usize>,
    what: String,
}

impl Finding {
    /// About a file or a crate as a whole.
    pub(crate) fn on(place: &str, what: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    /// About one line, counted from 1.
    pub(crate) fn at(place: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line: Some(line),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

/// The result of one check.
#[derive(Debug)]
pub(crate) struct Report {
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// What was looked at, in one line.
    pub(crate) summary: String,
}
