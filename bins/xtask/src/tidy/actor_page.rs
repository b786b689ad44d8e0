//! Every actor begins with the same page.

use crate::finding::Finding;

/// The headings of an actor's page, in order.
const HEADINGS: [&str; 6] = [
    "Role",
    "Inputs",
    "Output",
    "Invariants",
    "Failure",
    "After restart",
];

/// An actor whose first page has other headings.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let parts: Vec<&str> = path.split('/').collect();
    if !matches!(parts[..], ["actors", _, "src", "lib.rs"]) {
        return Vec::new();
    }
    let page = text.lines().map_while(|line| line.strip_prefix("//!"));
    let found: Vec<&str> = page
        .filter_map(|line| line.strip_prefix(" # "))
        .map(str::trim)
        .collect();
    if found == HEADINGS {
        return Vec::new();
    }
    let list = |headings: &[&str]| match headings {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    let (wanted, found) = (list(&HEADINGS), list(&found));
    vec![Finding::on(
        path,
        format!("the page's headings are {found}; they must be {wanted}"),
    )]
}
