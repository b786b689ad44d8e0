//! The text pipeline alone: what comes out depends on the bytes, not on how they are cut.

use crate::text::{Fed, Pipeline};
use kernel::Entropy;

/// What comes out of these tokens, and whether a stop string ended it.
fn run(tokens: &[&[u8]], stops: &[&str]) -> (String, Fed) {
    let mut pipeline = Pipeline::new(stops.iter().copied());
    let mut out = String::new();
    for token in tokens {
        let before = out.len();
        if pipeline.feed(token, &mut out) == Fed::Stopped {
            return (out, Fed::Stopped);
        }
        pipeline.invariants();
        assert!(
            out.is_char_boundary(before),
            "text that was out has changed"
        );
    }
    pipeline.finish(&mut out);
    (out, Fed::More)
}

fn check(tokens: &[&[u8]], stops: &[&str], expected: &str, fed: Fed) {
    assert_eq!(
        run(tokens, stops),
        (expected.to_owned(), fed),
        "{tokens:?} {stops:?}"
    );
}

/// What must come out, by a simpler road: all bytes at once, every end of a stop string tried from
/// the front.
fn model(bytes: &[u8], stops: &[&str]) -> (String, Fed) {
    // Half a character at the end is not sent: only what can never be one is replaced.
    let whole = match bytes.utf8_chunks().last() {
        Some(last)
            if std::str::from_utf8(last.invalid()).is_err_and(|e| e.error_len().is_none()) =>
        {
            &bytes[..bytes.len() - last.invalid().len()]
        }
        _ => bytes,
    };
    let text = String::from_utf8_lossy(whole).into_owned();
    for (at, c) in text.char_indices() {
        let so_far = &text[..at + c.len_utf8()];
        let ended = stops
            .iter()
            .filter(|stop| !stop.is_empty() && so_far.ends_with(*stop));
        if let Some(stop) = ended.max_by_key(|stop| stop.len()) {
            return (so_far[..so_far.len() - stop.len()].to_owned(), Fed::Stopped);
        }
    }
    (text, Fed::More)
}

#[test]
fn a_character_in_two_tokens_waits_for_its_end() {
    let mut pipeline = Pipeline::new([]);
    let mut out = String::new();
    pipeline.feed(b"caf\xc3", &mut out);
    assert_eq!(out, "caf");
    pipeline.feed(b"\xa9 ", &mut out);
    assert_eq!(out, "café ");
}

#[test]
fn bytes_that_can_never_be_a_character_are_replaced() {
    check(&[b"a\xff", b"b"], &[], "a\u{FFFD}b", Fed::More);
    check(&[b"\xe2\x82", b"A"], &[], "\u{FFFD}A", Fed::More);
    check(&[b"\xf0", b"\x9f", b"\x8c", b"\x90"], &[], "🌐", Fed::More);
    check(&[b"\x80\x80"], &[], "\u{FFFD}\u{FFFD}", Fed::More);
}

#[test]
fn half_a_character_at_the_end_is_not_sent() {
    check(&[b"a", b"\xf0\x9f\x8c"], &[], "a", Fed::More);
}

#[test]
fn a_stop_string_ends_the_text_before_it() {
    check(&[b"one STOP two"], &["STOP"], "one ", Fed::Stopped);
    check(&[b"one ST", b"OP two"], &["STOP"], "one ", Fed::Stopped);
    check(&[b"S", b"T", b"O", b"P"], &["STOP"], "", Fed::Stopped);
}

#[test]
fn what_only_looks_like_a_stop_string_is_sent() {
    check(&[b"STO", b"NE"], &["STOP"], "STONE", Fed::More);
    check(&[b"STO"], &["STOP"], "STO", Fed::More);
    check(&[b"SSTO", b"STOP"], &["STOP"], "SSTO", Fed::Stopped);
    check(&[b"aab", b"aabaac"], &["aabaac"], "aab", Fed::Stopped);
}

#[test]
fn text_is_held_back_while_a_stop_string_may_come_and_no_longer() {
    let mut pipeline = Pipeline::new(["\n\nUser:"]);
    let mut out = String::new();
    pipeline.feed(b"hello\n", &mut out);
    assert_eq!(out, "hello");
    pipeline.feed(b"\nUs", &mut out);
    assert_eq!(out, "hello");
    pipeline.feed(b"e it", &mut out);
    assert_eq!(out, "hello\n\nUse it");
}

#[test]
fn of_several_stop_strings_the_one_that_is_complete_first_ends_the_text() {
    check(&[b"x abcd"], &["abcd", "bc"], "x a", Fed::Stopped);
    check(&[b"x abc"], &["bc", "abc"], "x ", Fed::Stopped);
    check(&[b"x abcd"], &["abce", "cd"], "x ab", Fed::Stopped);
    check(&[b"x"], &["", "x"], "", Fed::Stopped);
}

#[test]
fn a_stop_string_may_have_its_seam_inside_a_character() {
    check(
        &[b"caf\xc3", b"\xa9 au lait"],
        &["é a"],
        "caf",
        Fed::Stopped,
    );
    check(
        &[b"caf\xc3", b"\xa9", b" au lait"],
        &["é a"],
        "caf",
        Fed::Stopped,
    );
    check(&[b"caf\xc3"], &["é"], "caf", Fed::More);
}

#[test]
fn nothing_of_the_text_is_printed() {
    let mut pipeline = Pipeline::new(["secret"]);
    pipeline.feed(b"secre", &mut String::new());
    assert!(!format!("{pipeline:?}").contains("secre"));
}

/// Bytes that like to make stop strings, and characters, and halves of both.
fn draw_bytes(entropy: &mut Entropy, len: u64) -> Vec<u8> {
    const ALPHABET: [&[u8]; 10] = [
        b"a",
        b"a",
        b"b",
        b"ab",
        "é".as_bytes(),
        "🌐".as_bytes(),
        b"\xff",
        b"\xc3",
        b"\xe2\x82",
        b"c",
    ];
    let pieces = (0..len).map(|_| ALPHABET[usize::try_from(entropy.below(10)).unwrap()]);
    pieces.flatten().copied().collect()
}

fn cut<'a>(entropy: &mut Entropy, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut tokens = Vec::new();
    while !bytes.is_empty() {
        let len = usize::try_from(entropy.below(5)).unwrap().min(bytes.len());
        let (token, rest) = bytes.split_at(len);
        tokens.push(token);
        bytes = rest;
    }
    tokens
}

#[test]
fn however_the_bytes_are_cut_the_text_is_the_same() {
    const STOPS: [&[&str]; 6] = [
        &[],
        &["aba"],
        &["éa", "b🌐"],
        &["aab", "ab", "abab"],
        &["\u{FFFD}b"],
        &["caca", "acac"],
    ];
    let mut entropy = Entropy::from_number(11);
    let (mut stopped, mut whole) = (0, 0);
    for _ in 0..20_000 {
        let len = 1 + entropy.below(12);
        let bytes = draw_bytes(&mut entropy, len);
        let stops = STOPS[usize::try_from(entropy.below(6)).unwrap()];
        let expected = model(&bytes, stops);
        let tokens = cut(&mut entropy, &bytes);
        assert_eq!(
            run(&tokens, stops),
            expected,
            "{bytes:?} cut as {tokens:?}, {stops:?}"
        );
        match expected.1 {
            Fed::Stopped => stopped += 1,
            Fed::More => whole += 1,
        }
    }
    assert!(
        stopped > 1_000 && whole > 1_000,
        "{stopped} stopped, {whole} did not"
    );
}
