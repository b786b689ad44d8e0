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
/// What stands over the rows of a table; the phases stand beside it.
const CORNER: &str = "input";

/// An actor whose first page has other headings, or no whole table of input and phase.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let parts: Vec<&str> = path.split('/').collect();
    if !matches!(parts[..], ["actors", _, "src", "lib.rs"]) {
        return Vec::new();
    }
    let page = text.lines().map_while(|line| line.strip_prefix("//!"));
    let page: Vec<&str> = page.map(str::trim).collect();
    let mut findings: Vec<Finding> = headings(path, &page).into_iter().collect();
    findings.extend(table(path, &page));
    findings
}

fn headings(path: &str, page: &[&str]) -> Option<Finding> {
    let found = page.iter().filter_map(|line| line.strip_prefix("# "));
    let found: Vec<&str> = found.map(str::trim).collect();
    let list = |headings: &[&str]| match headings {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    let what = || {
        let (wanted, found) = (list(&HEADINGS), list(&found));
        format!("the page's headings are {found}; they must be {wanted}")
    };
    (found != HEADINGS).then(|| Finding::on(path, what()))
}

/// What is missing in the page's table, which may come in parts.
fn table(path: &str, page: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rows = 0;
    let mut heads: Option<Vec<&str>> = None;
    for (at, line) in page.iter().enumerate() {
        let Some(cells) = cells(line) else {
            heads = None;
            continue;
        };
        let wrong = match &heads {
            _ if cells.iter().any(|cell| cell.is_empty()) => {
                Some("an empty cell: say what happens, or that nothing does".to_owned())
            }
            None if cells[0] != CORNER || cells.len() < 2 => {
                Some(format!("a table begins with `{CORNER}` and the phases"))
            }
            Some(heads) if heads.len() != cells.len() => {
                let (wanted, found) = (heads.len(), cells.len());
                Some(format!("a row of {found} cells in a table of {wanted}"))
            }
            None | Some(_) => None,
        };
        findings.extend(wrong.map(|what| Finding::at(path, at + 1, what)));
        rows += usize::from(heads.is_some() && !is_rule(&cells));
        heads = heads.or(Some(cells));
    }
    if rows == 0 {
        let what = format!("the page has no table of `{CORNER}` and phase");
        findings.push(Finding::on(path, what));
    }
    findings
}

/// The cells of a table's row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?;
    let row = row.strip_suffix('|').unwrap_or(row);
    Some(row.split('|').map(str::trim).collect())
}

/// Whether this is the rule below the head: "-" alone is a cell in which nothing happens.
fn is_rule(cells: &[&str]) -> bool {
    let mut cells = cells.iter();
    cells.all(|cell| cell.len() >= 3 && cell.chars().all(|c| c == '-'))
}
