//! A run without its draws, as a file.

use super::act::Act;
use super::plan::Plan;
use serde::{Deserialize, Serialize};

/// The mesh of a seed and what happened to it: a run that outlives what later versions draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// What failed, for people.
    #[serde(default)]
    pub fails: Vec<String>,
    /// The mesh. Its workload and its mix draw nothing here; what faults the mix had says how long
    /// engines are waited for in the end.
    pub plan: Plan,
    /// What happens, in order.
    pub acts: Vec<Act>,
}

impl Schedule {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence with the line that is no schedule.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of its file.
    ///
    /// # Errors
    /// A number has no place in a file.
    pub fn text(&self) -> Result<String, String> {
        toml::to_string_pretty(self).map_err(|error| error.to_string())
    }
}
