use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
/// The standard's own examples: recorded, and not.
const EXAMPLES: [&str; 2] = [
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
];

#[track_caller]
fn check(header: &str, printed: Option<&str>) {
    let read = TraceContext::parse(header).map(|context| context.to_string());
    assert_eq!(read.as_deref(), printed, "{header:?}");
}

#[test]
fn the_standards_examples_are_read_and_printed_as_they_are() {
    for example in EXAMPLES {
        check(example, Some(example));
    }
    let read = TraceContext::parse(EXAMPLES[0]).unwrap();
    assert_eq!(
        (read.trace_id().to_string(), read.parent_id().to_string()),
        (TRACE.to_owned(), SPAN.to_owned())
    );
    assert_eq!(
        format!("{read:?}"),
        format!("TraceContext({})", EXAMPLES[0])
    );
}

#[test]
fn a_later_version_is_read_by_the_fields_that_this_one_has() {
    let sampled = Some(EXAMPLES[0]);
    for version in ["01", "cc", "fe"] {
        let ids = format!("{version}-{TRACE}-{SPAN}");
        check(&format!("{ids}-01"), sampled);
        check(&format!("{ids}-01-"), sampled);
        check(&format!("{ids}-01-what-the-future-will-be-like"), sampled);
        // What its other flags mean is unknown.
        check(&format!("{ids}-ff"), sampled);
        check(&format!("{ids}-fe"), Some(EXAMPLES[1]));
        check(&format!("{ids}-01.more"), None);
        check(&format!("{ids}-0100"), None);
        check(&format!("{ids}-"), None);
        check(&ids, None);
    }
}

#[test]
fn flags_that_nobody_defined_are_not_passed_on() {
    for flags in 0..=u8::MAX {
        let printed = format!("00-{TRACE}-{SPAN}-{:02x}", flags & 3);
        check(&format!("00-{TRACE}-{SPAN}-{flags:02x}"), Some(&printed));
    }
}

#[test]
fn what_is_malformed_is_no_context() {
    let upper = TRACE.to_uppercase();
    for header in [
        String::new(),
        "x".to_owned(),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("FE-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("000-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{upper}-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}{SPAN}--01"),
        format!("00_{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}_{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}_01"),
        format!(" 00-{TRACE}-{SPAN}-01"),
        format!("00-{}é-{SPAN}-01", &TRACE[2..]),
        "é".repeat(28),
    ] {
        check(&header, None);
    }
}

#[test]
fn no_byte_of_the_header_is_beside_the_point() {
    for at in 0..HEADER_BYTES {
        for other in b"0123456789abcdefABCDEF- \x7f" {
            let mut bytes = EXAMPLES[0].as_bytes().to_vec();
            bytes[at] = *other;
            let text = String::from_utf8(bytes).unwrap();
            let Some(read) = TraceContext::parse(&text) else {
                continue;
            };
            // Whatever is read is said again, but for the version and the flags.
            assert_eq!(text[3..52], read.to_string()[3..52], "{text}");
            check(&read.to_string(), Some(&read.to_string()));
        }
        check(&EXAMPLES[0][..at], None);
    }
}

#[test]
fn a_context_is_25_bytes_without_a_length_and_ids_of_zeros_are_refused() {
    let context = TraceContext::new([0x4b; 16], [0xf0; 8], 1).unwrap();
    let bytes = [&[0x4b; 16][..], &[0xf0; 8], &[1]].concat();
    assert_eq!(postcard::to_stdvec(&context).unwrap(), bytes);
    assert_eq!(postcard::from_bytes(&bytes), Ok(context));
    for len in 0..bytes.len() {
        assert!(postcard::from_bytes::<TraceContext>(&bytes[..len]).is_err());
    }
    for zeros in [0..16, 16..24] {
        let mut bytes = bytes.clone();
        bytes[zeros].fill(0);
        assert!(postcard::from_bytes::<TraceContext>(&bytes).is_err());
    }
    assert_eq!(TraceContext::new([0; 16], [1; 8], 1), None);
    assert_eq!(TraceContext::new([1; 16], [0; 8], 1), None);
}

#[test]
fn whatever_is_drawn_a_context_has_ids_and_another_span_leaves_the_trace_as_it_is() {
    for (drawn, span, printed) in [
        (
            [0, 0],
            0,
            "00-00000000000000000000000000000001-0000000000000001-00",
        ),
        (
            [0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736],
            0x00f0_67aa_0ba9_02b7,
            EXAMPLES[1],
        ),
    ] {
        let context = TraceContext::begin(drawn, span);
        assert_eq!(context.to_string(), printed);
        assert_eq!(TraceContext::parse(printed), Some(context));
    }
    let given = TraceContext::parse(EXAMPLES[0]).unwrap();
    for (span, printed) in [
        (0, "0000000000000001"),
        (1 << 32 | 9, "0000000100000009"),
        (u64::MAX, "ffffffffffffffff"),
    ] {
        let under = given.under(span);
        assert_eq!(under.to_string(), format!("00-{TRACE}-{printed}-01"));
        assert_eq!(under.under(0x00f0_67aa_0ba9_02b7), given);
    }
}
