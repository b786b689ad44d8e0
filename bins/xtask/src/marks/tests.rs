//! Planted marks and lists.

use super::{compare, find, format, marks_of};
use crate::workspace::File;
use std::collections::BTreeMap;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    }
}

fn marks(names: &[&str]) -> BTreeMap<String, String> {
    let pair = |name: &&str| ((*name).to_owned(), "actors/a/src/lib.rs".to_owned());
    names.iter().map(pair).collect()
}

#[test]
fn marks_are_found_over_several_lines_and_not_in_comments() {
    let text = "fn f() {\n    kernel::sometimes!(true, \"a: one\");\n    \
        kernel::sometimes!(\n        matches!(x, Some(_)),\n        \"a: two\"\n    );\n    \
        // kernel::sometimes!(true, \"a: three\");\n}\n";
    let found = marks_of(text);
    let wanted = [
        (2, Some("a: one".to_owned())),
        (3, Some("a: two".to_owned())),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_name_that_stands_twice_is_found() {
    let text = "fn f() { kernel::sometimes!(true, \"a: one\"); }";
    let files = [
        file("actors/a/src/lib.rs", text),
        file("actors/b/src/lib.rs", text),
    ];
    let (marks, findings) = find(&files);
    assert_eq!((marks.len(), findings.len()), (1, 1));
    assert!(
        findings[0]
            .to_string()
            .contains("stands in actors/a/src/lib.rs too")
    );
}

#[test]
fn marks_of_tests_and_of_the_macro_itself_do_not_count() {
    let text = "fn f() { crate::sometimes!(true, \"a: one\"); }";
    let files = [
        file("runtime/kernel/src/marks.rs", text),
        file("actors/a/src/tests/b.rs", text),
        file("actors/a/src/tests.rs", text),
    ];
    assert!(find(&files).0.is_empty());
}

#[test]
fn a_list_that_lacks_a_mark_or_has_one_too_many_is_found() {
    let findings = compare(
        &marks(&["a: one", "a: two"]),
        "# Marks.\na: two\na: three\tnobody\n",
    );
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("`a: one` is not listed"));
    assert!(said[1].contains("no source has the mark `a: three`"));
}

#[test]
fn writing_keeps_reasons_and_the_head() {
    let written = format(
        &marks(&["a: one", "a: two"]),
        "# Marks.\na: three\na: two\tnobody\n",
    );
    assert_eq!(written, "# Marks.\na: one\na: two\tnobody\n");
}
