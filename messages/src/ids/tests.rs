use super::*;

fn id() -> NodeId {
    NodeId(std::array::from_fn(|at| {
        u8::try_from(at * 7 + 1).unwrap_or(255)
    }))
}

fn hex_of(id: NodeId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_form_of_an_id_is_accepted_in_either_case() {
    let printed = id().to_string();
    assert_eq!(printed.len(), 57);
    assert_eq!(printed, printed.to_lowercase());
    for form in [printed.as_str(), &printed[..52], hex_of(id()).as_str()] {
        assert_eq!(form.parse(), Ok(id()), "{form}");
        assert_eq!(form.to_uppercase().parse(), Ok(id()), "{form}");
        assert_eq!(format!(" {form}\n").parse(), Ok(id()), "{form}");
    }
}

#[test]
fn extreme_ids_print_and_parse() {
    for id in [NodeId([0; 32]), NodeId([255; 32])] {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

#[test]
fn the_printed_form_stays_what_it_is() {
    let printed = NodeId([0; 32]).to_string();
    assert_eq!(printed[..52], "a".repeat(52));
    assert_eq!(&printed[52..], "x4vsf");
}

#[test]
fn a_mistyped_character_is_found_by_the_checksum() {
    let printed = id().to_string();
    for at in 0..printed.len() {
        for other in "abcdefghijklmnopqrstuvwxyz234567018=é".chars() {
            let mut damaged = printed.clone();
            damaged.replace_range(at..=at, &other.to_string());
            if damaged != printed {
                assert!(damaged.parse::<NodeId>().is_err(), "{at} {other}");
            }
        }
    }
}

#[test]
fn other_lengths_are_no_ids() {
    let long = id().to_string() + &hex_of(id());
    for len in (0..=long.len()).filter(|len| ![52, 57, 64].contains(len)) {
        assert_eq!(long[..len].parse::<NodeId>(), Err(IdError::Shape), "{len}");
    }
}

#[test]
fn wrong_characters_are_refused() {
    let bad = |text: String| assert_eq!(text.parse::<NodeId>(), Err(IdError::Checksum), "{text}");
    bad("0".repeat(52));
    bad("g".repeat(64));
    bad("+1".repeat(32));
    bad("é".repeat(26));
    bad("é".repeat(32));
    // The last character has four bits too many: they must be zero.
    bad("a".repeat(51) + "b");
}

#[test]
fn ids_of_different_kinds_print_alike_and_short_forms_are_prefixes() {
    let (node, network) = (id(), NetworkId(id().0));
    assert_eq!(node.to_string(), network.to_string());
    assert!(node.to_string().starts_with(&node.short()));
    assert_eq!(format!("{node:?}"), format!("NodeId({})", node.short()));
    assert_eq!(RequestId { boot: 3, n: 14 }.to_string(), "3-14");
}

#[test]
fn a_requests_span_has_the_low_halves_of_its_numbers() {
    for (boot, n, span) in [
        (3, 14, 0x3_0000_000e),
        (1 << 32 | 5, 7 << 32 | 6, 0x5_0000_0006),
        (u64::MAX, u64::MAX, u64::MAX),
        (0, 0, 0),
    ] {
        assert_eq!(RequestId { boot, n }.span(), span);
    }
}

#[test]
fn ids_are_in_the_order_of_their_bytes() {
    for at in 0..32 {
        for (one, other) in [(0, 1), (1, 255), (127, 128), (7, 7)] {
            let (mut low, mut high) = ([9; 32], [9; 32]);
            (low[at], high[at]) = (one, other);
            if at < 31 {
                // What comes later does not count.
                (low[31], high[31]) = if one == other { (3, 4) } else { (4, 3) };
            }
            assert_eq!(NodeId(low).cmp(&NodeId(high)), low.cmp(&high), "byte {at}");
            assert_eq!(NodeId(high).cmp(&NodeId(low)), high.cmp(&low), "byte {at}");
        }
    }
}
