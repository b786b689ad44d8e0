//! Marks: places that a campaign of simulated runs must come to.
//!
//! A test that passes says nothing of a branch that it never took. [`sometimes!`](crate::sometimes)
//! stands at limits, shed policies, retries and rare branches; the simulated world asks afterwards
//! which of them were [`seen`]. The feature `marks` turns them on. Without it the condition is not
//! even evaluated and nothing is compiled, so a node pays nothing and behaves the same.
//!
//! What is recorded belongs to the thread: a world runs on one, and tests run beside each other.
//! No machine reads it, so a turn remains a function of its input.

/// Whether marks are recorded in this build.
pub const ON: bool = cfg!(feature = "marks");

#[cfg(feature = "marks")]
mod recorded {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    thread_local! {
        static SEEN: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Counts a mark. For [`sometimes!`](crate::sometimes) alone.
    pub fn reached(name: &'static str) {
        SEEN.with_borrow_mut(|seen| *seen.entry(name).or_default() += 1);
    }

    /// Forgets what this thread has seen.
    pub fn reset() {
        SEEN.with_borrow_mut(BTreeMap::clear);
    }

    /// The marks that this thread came to since [`reset`], and how often.
    #[must_use]
    pub fn seen() -> BTreeMap<&'static str, u64> {
        SEEN.with_borrow(Clone::clone)
    }
}

#[cfg(feature = "marks")]
pub use recorded::{reached, reset, seen};

/// Nothing, in a build without marks.
#[cfg(not(feature = "marks"))]
pub const fn reached(_: &'static str) {}

/// Marks a place that some run of a campaign must come to with this condition holding.
///
/// ```
/// let waiting = 3;
/// kernel::sometimes!(waiting > 2, "example: three wait");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $name:literal) => {
        if $crate::marks::ON && $condition {
            $crate::marks::reached($name);
        }
    };
}

#[cfg(all(test, feature = "marks"))]
mod tests;
