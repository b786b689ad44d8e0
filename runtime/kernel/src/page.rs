//! What ties the table of an actor's spec page to all that the actor may be told.

/// Says which rows of a spec page a value has: as a function of the value, and as the list of all
/// rows that are named. For the tests of spec pages: a variant that is new does not compile before
/// it is given a row, and the test compares the list with the page.
///
/// ```
/// kernel::page_rows!(rows_of, ROWS, Option<u8> {
///     Some(0) => ["zero"],
///     Some(_) => ["some", "some, again"],
///     None => ["none"],
/// });
/// assert_eq!(rows_of(&Some(7)), ["some", "some, again"]);
/// assert_eq!(ROWS, ["zero", "some", "some, again", "none"]);
/// ```
#[macro_export]
macro_rules! page_rows {
    ($seen:vis $name:ident, $all:ident, $of:ty {
        $($told:pat => [$($row:literal),+ $(,)?]),+ $(,)?
    }) => {
        $seen fn $name(told: &$of) -> &'static [&'static str] {
            match told {
                $($told => &[$($row),+]),+
            }
        }
        $seen const $all: &[&str] = &[$($($row),+),+];
    };
}
