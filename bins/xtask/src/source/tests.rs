use super::*;

fn check(text: &str, expected: &[(&str, &str)]) {
    let found = lines(text);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|line| (line.code.trim(), line.comment.trim()))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn comments_and_code_of_a_line_are_told_apart() {
    check("let a = 1; // why", &[("let a = 1;", "why")]);
    check("/// doc\nfn f() {}", &[("", "/ doc"), ("fn f() {}", "")]);
    check("a /* b /* c */ d */ e", &[("a  e", "b  c  d")]);
    check("a /* b\nc */ d", &[("a", "b"), ("d", "c")]);
}

#[test]
fn strings_lose_their_content_and_hide_comment_marks() {
    check(
        r#"let a = "// no \" comment"; b"#,
        &[(r#"let a = ""; b"#, "")],
    );
    check(
        "let a = r#\"// \"no\" /*\"#; b",
        &[("let a = r#\"\"#; b", "")],
    );
    check("let a = br\"// no\"; b", &[("let a = br\"\"; b", "")]);
    check(
        "let a = \"one\\\ntwo\"; // c",
        &[("let a = \"", ""), ("\";", "c")],
    );
}

#[test]
fn quotes_of_characters_and_lifetimes_open_no_string() {
    check("let a = '\"'; // c", &[("let a = '';", "c")]);
    check(r"let a = '\''; // c", &[("let a = '';", "c")]);
    check(r"let a = '\\'; // c", &[("let a = '';", "c")]);
    check("let a = '{'; // c", &[("let a = '';", "c")]);
    check(
        "fn f<'a>(x: &'a str) {} // c",
        &[("fn f<'a>(x: &'a str) {}", "c")],
    );
    check("let a = 'é'; // c", &[("let a = '';", "c")]);
}

#[test]
fn raw_identifiers_are_code() {
    check("let r#type = for_r; // c", &[("let r#type = for_r;", "c")]);
}

#[test]
fn items_under_a_test_attribute_are_no_production_code() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nfn f() {}\n#[cfg(test)]\nmod inner {\n\
                fn g(x: [u8; 2]) { h(); }\n}\nfn k() {}";
    let found = production(&lines(text));
    let found: Vec<&str> = found.iter().map(|line| line.trim()).collect();
    assert_eq!(
        found,
        ["use a;", "", "", "fn f() {}", "", "", "", "", "fn k() {}"]
    );
}
