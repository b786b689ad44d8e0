use super::*;

fn package(license: Option<&str>, source: Option<&str>, folder: Option<&str>) -> Package {
    Package {
        name: "some".to_owned(),
        version: "1.0.0".to_owned(),
        license: license.map(str::to_owned),
        source: source.map(str::to_owned),
        folder: folder.map(str::to_owned),
        dependencies: Vec::new(),
    }
}

fn check_licence(license: &str, expected: Option<&str>) {
    let found = check(&package(Some(license), Some(REGISTRY), None));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    match (&found[..], expected) {
        ([], None) => {}
        ([found], Some(expected)) => assert!(found.contains(expected), "{license}: {found}"),
        _ => panic!("{license}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn one_allowed_choice_is_enough() {
    check_licence("MIT", None);
    check_licence("GPL-3.0-only OR MIT", None);
    check_licence("Unlicense OR MIT", None);
    check_licence("Unlicense/MIT", None);
    check_licence("MIT OR Apache-2.0 OR LGPL-2.1-or-later", None);
    check_licence("Unlicense", Some("no allowed choice"));
    check_licence("GPL-3.0-only OR AGPL-3.0-only", Some("no allowed choice"));
}

#[test]
fn all_parts_of_a_conjunction_bind() {
    check_licence("Apache-2.0 AND ISC", None);
    check_licence("MIT AND GPL-2.0-only", Some("no allowed choice"));
    check_licence("(MIT OR Apache-2.0) AND Unicode-3.0", None);
    check_licence("(MIT OR Apache-2.0) AND OpenSSL", Some("no allowed choice"));
    check_licence("MIT AND (GPL-2.0-only OR (ISC AND Zlib))", None);
}

#[test]
fn and_binds_more_than_or() {
    check_licence("MIT OR ISC AND GPL-2.0-only", None);
    check_licence(
        "GPL-2.0-only AND ISC OR GPL-3.0-only AND MIT",
        Some("no allowed choice"),
    );
}

#[test]
fn an_exception_is_part_of_its_licence() {
    check_licence("Apache-2.0 WITH LLVM-exception", None);
    check_licence(
        "GPL-2.0-only WITH Classpath-exception-2.0",
        Some("no allowed choice"),
    );
    check_licence("MIT WITH LLVM-exception", Some("no allowed choice"));
}

#[test]
fn malformed_expressions_are_found() {
    for text in [
        "",
        "MIT OR",
        "AND MIT",
        "(MIT",
        "MIT)",
        "MIT ISC",
        "MIT WITH",
        "()",
        "MIT AND OR",
    ] {
        check_licence(text, Some("malformed"));
    }
    let deep = format!("{}MIT{}", "(".repeat(99), ")".repeat(99));
    check_licence(&deep, Some("malformed"));
}

#[test]
fn an_expression_prints_so_that_it_reads_back_the_same() {
    for text in [
        "MIT",
        "MIT OR ISC AND Zlib",
        "(MIT OR ISC) AND Apache-2.0 WITH LLVM-exception",
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(
            Expression::parse(&expression.to_string()).unwrap(),
            expression
        );
    }
}

#[test]
fn a_package_without_a_licence_is_found() {
    let found = check(&package(None, Some(REGISTRY), None));
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .to_string()
            .contains("some 1.0.0: it declares no licence")
    );
}

#[test]
fn packages_come_from_the_registry_or_from_the_workspace() {
    let ours = check(&package(Some("MIT"), None, Some("messages")));
    assert!(ours.is_empty());
    let git = check(&package(
        Some("MIT"),
        Some("git+https://example.org/some"),
        None,
    ));
    assert!(git[0].to_string().contains("not from crates.io"));
    let outside = check(&package(Some("MIT"), None, None));
    assert!(outside[0].to_string().contains("outside of the workspace"));
}

#[test]
fn the_texts_of_both_own_licences_are_there() {
    assert!(missing_texts(&|path| path.starts_with("LICENSE-")).is_empty());
    let found = missing_texts(&|path| path == "LICENSE-MIT");
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("LICENSE-APACHE: "));
    let none = missing_texts(&|_| false);
    assert_eq!(none.len(), 2);
}

#[test]
fn cargo_deny_allows_the_same_licences() {
    let deny = include_str!("../../../../deny.toml");
    let start = deny.find("allow = [").unwrap();
    let list = deny[start..].split(']').next().unwrap();
    let list: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(list, ALLOWED);
}
