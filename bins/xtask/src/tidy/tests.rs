use super::*;

/// The file with this path and text breaks exactly the rules whose findings hold these words.
fn check(path: &str, text: &str, expected: &[&str]) {
    let file = File {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    };
    let exists = |path: &str| path == "docs/GLOSSARY.md" || path == "README.md";
    let found: Vec<String> = look(&file, &exists)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found.len(), expected.len(), "{path}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "`{found}` does not say `{expected}`"
        );
    }
}

#[test]
fn a_file_of_501_lines_is_too_long_and_one_of_500_is_not() {
    check("a/src/a.rs", &"x\n".repeat(500), &[]);
    check("a/src/a.rs", &"x\n".repeat(501), &["a.rs: 501 lines"]);
    check("docs/a.md", &"x\n".repeat(501), &[]);
}

#[test]
fn a_line_of_101_characters_is_too_long_unless_it_holds_a_url() {
    check("a.rs", &"é".repeat(100), &[]);
    check(
        "a.rs",
        &format!("x\n{}\n", "é".repeat(101)),
        &["a.rs:2: 101 characters"],
    );
    check("a.rs", &format!("// https://{}", "x".repeat(101)), &[]);
}

#[test]
fn a_line_of_101_characters_is_too_long_in_a_script_too() {
    let long = format!("x\n{}\n", "x".repeat(101));
    for path in ["tools/a.sh", ".ci/run", "Makefile"] {
        check(path, &"x".repeat(100), &[]);
        check(path, &long, &["2: 101 characters"]);
        check(path, &"x\n".repeat(501), &[]);
    }
    for path in ["tools/a.py", "Cargo.toml", "docs/a.md"] {
        check(path, &long, &[]);
    }
}

#[test]
fn white_space_before_a_line_end_is_found() {
    check("a.rs", "x\ny \n", &["a.rs:2: the line ends in white space"]);
    check("a.toml", "x\t\n", &["a.toml:1:"]);
    check("a.md", "x\r\n", &["a.md:1:"]);
    check("golden/a.txt", "x \n", &[]);
}

#[test]
fn module_names_that_say_nothing_are_found() {
    check("a/src/utils.rs", "", &["`utils` says nothing"]);
    check("a/src/common/frame.rs", "", &["`common` says nothing"]);
    check("a/src/miscount.rs", "", &[]);
}

#[test]
fn paths_of_one_machine_are_found_in_every_text() {
    for folder in [
        "/ho-me/ann/x",
        "/ro-ot/.cargo",
        "/wo-rk/main",
        "/Use-rs/ann",
    ] {
        let folder = folder.replace('-', "");
        check(
            "a.json",
            &format!("see {folder}"),
            &["a path of one machine"],
        );
        check(
            "a.rs",
            &format!("const A: &str = \"{folder}\";"),
            &["a path of one machine"],
        );
    }
    let inner = "https://example.org/wo-rk/a target/wo-rk/b ../ho-me/c $X/ro-ot/".replace('-', "");
    check("a.md", &inner, &[]);
}

#[test]
fn reminders_are_found_in_comments_and_scripts_and_not_in_strings() {
    for mark in ["FIX-ME", "TO-DO", "XX-X"].map(|mark| mark.replace('-', "")) {
        check(
            "a.rs",
            &format!("// {mark}: later"),
            &["do it, or open an issue"],
        );
        check(
            "a.rs",
            &format!("/* {mark}(ann) */"),
            &["do it, or open an issue"],
        );
        check(
            "a.sh",
            &format!("# {mark} later"),
            &["do it, or open an issue"],
        );
        check(
            "Makefile",
            &format!("# {mark} later"),
            &["do it, or open an issue"],
        );
        check("a.rs", &format!("let a = \"{mark}\";"), &[]);
        check("a.rs", &format!("// {mark}S"), &[]);
    }
}

#[test]
fn unfinished_code_and_unrun_tests_are_found() {
    check("a.rs", "fn f() { todo!() }", &["`todo!`: unfinished"]);
    check(
        "a.rs",
        "fn f() { unimplemented! (\"x\") }",
        &["`unimplemented!`: unfinished"],
    );
    check(
        "a.rs",
        "#[test]\n# [ignore = \"slow\"]\nfn f() {}",
        &["a.rs:2: `#[ignore`"],
    );
    check(
        "a.rs",
        "#[should_panic(expected = \"x\")]",
        &["any panic passes it"],
    );
    check("a.rs", "let a = \"todo!()\"; // `todo!` is a macro", &[]);
    check("a.rs", "not_todo!()", &[]);
}

#[test]
fn comments_that_tell_history_are_found_across_lines() {
    check("a.rs", "// It no longer waits.", &["a.rs:1: `no longer`"]);
    check(
        "a.rs",
        "/// It waits, as it\n/// Previously did not.",
        &["a.rs:2: `previously`"],
    );
    check(
        "a.rs",
        "//! This was\n//! removed in May.",
        &["a.rs:1: `was removed`"],
    );
    check("a.rs", "x(); // a legacy form", &["a.rs:1: `legacy`"]);
    check("a.rs", "// It used to wait.", &["`used to`"]);
    check("a.rs", "// It used\nlet to = 1; // to wait", &[]);
    check("a.rs", "// The key is used to sign. The legacyform.", &[]);
    check("a.rs", "let a = \"no longer\";", &[]);
}

/// The table of a page, in which one input tells nothing in one phase.
const TABLE: &str = "\
| input | idle | busy |
//! |-------|------|------|
//! | job   | -    | no   |";

#[test]
fn an_actors_page_has_exactly_the_six_headings_in_order() {
    let page = |headings: &[&str]| {
        let lines: Vec<String> = headings
            .iter()
            .map(|one| format!("//! # {one}\n//!\n"))
            .collect();
        let lines = lines.concat();
        format!("//! An actor.\n//!\n//! {TABLE}\n//!\n{lines}\nmod a;\n")
    };
    let all = [
        "Role",
        "Inputs",
        "Output",
        "Invariants",
        "Failure",
        "After restart",
    ];
    let path = "actors/router/src/lib.rs";
    check(path, &page(&all), &[]);
    check(path, &page(&all[..5]), &["they must be Role, Inputs"]);
    check(
        path,
        &page(&[&all[..], &["Table"]].concat()),
        &["they must be"],
    );
    check(
        path,
        &format!("//! Whom we choose.\n//!\n//! {TABLE}\n"),
        &["headings are none"],
    );
    check("actors/router/src/table.rs", "//! A table.\n", &[]);
}

#[test]
fn an_actors_page_has_its_table_of_input_and_phase_without_an_empty_cell() {
    let page = |table: &str| {
        let headings = "# Role\n//! # Inputs\n//! # Output";
        let rest = "# Invariants\n//! # Failure\n//! # After restart";
        format!("//! An actor.\n//! {headings}\n//!\n//! {table}\n//!\n//! {rest}\nmod a;\n")
    };
    let path = "actors/router/src/lib.rs";
    check(path, &page(TABLE), &[]);
    check(path, &page(&format!("{TABLE}\n//!\n//! {TABLE}")), &[]);
    check(path, &page("In words."), &["no table of `input` and phase"]);
    let head = TABLE.lines().take(2).collect::<Vec<_>>().join("\n");
    check(path, &page(&head), &["no table of `input` and phase"]);

    let planted = |from: &str, to: &str, expected: &[&str]| {
        let table = TABLE.replace(from, to);
        assert_ne!(table, TABLE, "{from}");
        check(path, &page(&table), expected);
    };
    planted("| -    |", "|      |", &["lib.rs:8: an empty cell"]);
    planted("| job   |", "|       |", &["lib.rs:8: an empty cell"]);
    planted("| no   |", "|      |", &["lib.rs:8: an empty cell"]);
    planted("| busy |", "|      |", &["lib.rs:6: an empty cell"]);
    planted("| no   |", "|", &["a row of 2 cells in a table of 3"]);
    planted(
        "| input",
        "| letter",
        &["begins with `input` and the phases"],
    );
    check("actors/router/src/table.rs", "//! | letter |  |\n", &[]);
}

/// In a crate with this manifest, this source's findings hold these words.
fn check_example(manifest: &str, source: &str, expected: &[&str]) {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    };
    let files = [
        file("Cargo.toml", "[workspace]\n"),
        file("a/Cargo.toml", manifest),
        file("a/src/a.rs", source),
        file("ab/Cargo.toml", "[lib]\n"),
        file("ab/src/a.rs", "/// ```\n/// run();\n/// ```\n"),
    ];
    let found = look_at_all(&files, &|_| true);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{source}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "`{found}` does not say `{expected}`"
        );
    }
}

#[test]
fn an_example_in_a_crate_that_runs_none_is_found() {
    let off = "[package]\nname = \"a\"\n\n[lib]\ndoctest = false\n\n[lints]\nworkspace = true\n";
    for tags in [
        "",
        "rust",
        "no_run",
        "should_panic",
        "compile_fail",
        "rust,no_run",
    ] {
        let source = format!("/// One:\n/// ```{tags}\n/// run();\n/// ```\n");
        let what =
            "a/src/a.rs:2: an example that nobody runs: take `doctest = false` out of a/Cargo";
        check_example(off, &source, &[what]);
        check_example(off, &source.replace("///", "    //!"), &[what]);
        check_example(&off.replace("false", "true"), &source, &[]);
        check_example(&off.replace("[lib]", "[[bin]]"), &source, &[]);
    }
}

#[test]
fn a_picture_or_a_plain_comment_is_no_example() {
    let off = "[lib]\ndoctest = false # It has none.\n";
    let picture = "//! ```text\n//! a -> b\n//! ```\n\n";
    check_example(off, picture, &[]);
    check_example(off, "// ```\nlet a = \"\n/// ```\n\";\n", &[]);
    let second = format!("{picture}/// ```\n/// run();\n/// ```\nfn f() {{}}\n");
    check_example(off, &second, &["a/src/a.rs:5: an example"]);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    check(
        "docs/A.md",
        "[g](GLOSSARY.md#link), [r](../README.md), [x](#here)",
        &[],
    );
    check(
        "docs/A.md",
        "[g](/docs/GLOSSARY.md \"words\") [w](https://example.org/x.md)",
        &[],
    );
    check(
        "docs/A.md",
        "x\n[g](NONE.md)",
        &["docs/A.md:2: the link to `NONE.md`"],
    );
    check(
        "docs/A.md",
        "[a](GLOSSARY.md) [b](../../README.md)",
        &["../../README.md"],
    );
    check("docs/A.md", "[g]: NONE.md", &["NONE.md"]);
    check("docs/A.md", "```\n[g](NONE.md)\n```\n`[g](NONE.md)`", &[]);
}

#[test]
fn pure_sources_name_no_clock_runtime_or_unordered_map() {
    let path = "actors/router/src/table.rs";
    check(
        path,
        "let now = std::time::Instant::now();",
        &["`Instant` in a pure crate"],
    );
    check(
        path,
        "use std::collections::{BTreeMap, HashMap};",
        &["`HashMap` in a pure crate"],
    );
    check(path, "pub async fn f() {}", &["`async` in a pure crate"]);
    check(path, "tokio::select! {}", &["`tokio` in a pure crate"]);
    check(
        path,
        "tracing::error!(\"lost\");",
        &["`tracing` in a pure crate"],
    );
    check(
        path,
        "eprintln!(\"lost\");",
        &["`eprintln` in a pure crate"],
    );
    check(path, "dbg!(lost);", &["`dbg` in a pure crate"]);
    check(
        path,
        "/// No `HashMap`, no tokio.\nlet a = \"tokio\"; let instant = 1;",
        &[],
    );
    check(
        "runtime/kernel/src/a.rs",
        "use ractor::Actor;",
        &["`ractor`"],
    );
    check("runtime/host/src/a.rs", "use ractor::Actor;", &[]);
}

#[test]
fn pure_sources_reach_nothing_outside_of_the_program() {
    let path = "messages/src/a.rs";
    check(
        path,
        "let a = std::env::var(\"A\");",
        &["`std::env` in a pure crate"],
    );
    check(path, "use std::{fmt, fs::File, net};", &["`std::fs`"]);
    check(
        path,
        "use std::{fmt::{Debug, env}, process};",
        &["`std::process`"],
    );
    check(path, "use std::env as outside;", &["`std::env`"]);
    check(path, "use std::fmt; let fs = 1; let env = 2;", &[]);
}

#[test]
fn tests_of_pure_crates_may_be_impure() {
    let text = "use std::time::Instant;";
    check("messages/src/wire/v1/tests.rs", text, &[]);
    check("messages/src/wire/v1/tests/golden.rs", text, &[]);
    let text = "#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
    check("messages/src/a.rs", text, &[]);
    let text = format!("{text}use std::collections::HashSet;\n");
    check("messages/src/a.rs", &text, &["a.rs:5: `HashSet`"]);
}

#[test]
fn bytes_that_are_no_text_are_left_alone() {
    let file = File {
        path: "assets/model.gguf".to_owned(),
        text: None,
    };
    assert!(look(&file, &|_| false).is_empty());
}
