use super::*;

const FRAME: &str = "/// A frame.\nstruct Frame {\n    a: u16,\n    b: [u8; 4],\n}\n\
                     const CONTEXT: &str = \"frame v1\";\n";

fn hash_of(text: &str) -> String {
    let file = File {
        path: format!("{FOLDER}frame.rs"),
        text: Some(text.to_owned()),
    };
    digest(&[&file]).unwrap()
}

#[test]
fn a_change_of_the_code_changes_the_hash() {
    let hash = hash_of(FRAME);
    assert_ne!(hash, hash_of(&FRAME.replace("u16", "u32")));
    assert_ne!(hash, hash_of(&FRAME.replace("    a: u16,\n", "")));
    assert_ne!(hash, hash_of(&FRAME.replace("[u8; 4]", "[u8; 5]")));
}

#[test]
fn a_change_of_a_signed_context_changes_the_hash() {
    assert_ne!(
        hash_of(FRAME),
        hash_of(&FRAME.replace("frame v1", "frame v2"))
    );
}

#[test]
fn comments_and_layout_do_not_change_the_hash() {
    let hash = hash_of(FRAME);
    assert_eq!(
        hash,
        hash_of(&FRAME.replace("A frame.", "What a frame is."))
    );
    assert_eq!(
        hash,
        hash_of(&FRAME.replace("    a: u16,\n", "  a:\n  u16 ,\n"))
    );
}

#[test]
fn a_renamed_source_changes_the_hash() {
    let file = |name: &str| File {
        path: format!("{FOLDER}{name}"),
        text: Some(FRAME.to_owned()),
    };
    let (one, other) = (file("frame.rs"), file("framing.rs"));
    assert_ne!(digest(&[&one]).unwrap(), digest(&[&other]).unwrap());
}

#[test]
fn the_wire_is_its_folder_and_what_its_frames_are_made_of_without_tests() {
    assert!(is_wire("messages/src/wire/v1/control.rs"));
    assert!(is_wire("messages/src/record.rs"));
    assert!(is_wire("messages/src/time.rs"));
    assert!(!is_wire("messages/src/wire/v1/tests.rs"));
    assert!(!is_wire("messages/src/wire/v1/tests/golden.rs"));
    assert!(!is_wire("messages/src/router.rs"));
}

#[test]
fn a_page_with_another_hash_or_none_asks_to_be_updated() {
    let page = with_hash("# Protocol\n", "0a1b");
    assert!(check(&page, "0a1b").is_empty());
    let stale = check(&page, "0a1c");
    assert!(stale[0].to_string().contains("update the page, then run"));
    let none = check("# Protocol\n", "0a1b");
    assert!(none[0].to_string().contains("no line with the digest"));
}

#[test]
fn writing_the_hash_replaces_the_last_line_and_nothing_else() {
    let once = with_hash("# Protocol\n\nText.\n", "0a1b");
    assert_eq!(once, format!("# Protocol\n\nText.\n\n{MARK}0a1b`\n"));
    assert_eq!(with_hash(&once, "0a1b"), once);
    assert_eq!(with_hash(&once, "0a1c"), once.replace("0a1b", "0a1c"));
}
