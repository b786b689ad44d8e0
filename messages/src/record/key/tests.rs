use super::*;
use crate::{Label, NetworkId, RecordClass, Stamp};

fn key(of: &str) -> RecordKey {
    RecordKey::of(Kind::PROMPT, NodeId([1; 32]), of)
}

fn place(nibbles: &[u8]) -> Prefix {
    let below = |at: Prefix, nibble: &u8| at.child(*nibble);
    nibbles.iter().fold(Prefix::ROOT, below)
}

fn encoded(depth: u8, path: u64) -> Vec<u8> {
    postcard::to_stdvec(&(depth, path)).unwrap()
}

#[test]
fn a_register_is_named_by_kind_author_and_id() {
    let of = RecordKey::of(Kind::PROMPT, NodeId([1; 32]), "a");
    assert_eq!(key("a"), of);
    let others = [
        RecordKey::of(Kind::SESSION_CATALOG, NodeId([1; 32]), "a"),
        RecordKey::of(Kind::PROMPT, NodeId([2; 32]), "a"),
        key("b"),
        key(""),
    ];
    for other in others {
        assert_ne!(other, of);
    }
    let record = Record {
        network: NetworkId([9; 32]),
        class: RecordClass::Gated,
        kind: Kind::PROMPT,
        author: NodeId([1; 32]),
        id: Label::truncated("a"),
        stamp: Stamp(1),
        value: None,
    };
    assert_eq!(record.key(), of, "whatever else it says");
}

#[test]
fn the_name_of_a_register_stays_what_it_is() {
    let author = NodeId(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let key = RecordKey::of(Kind::SESSION_CATALOG, author, "notes");
    assert_eq!(Digest(key.0).to_string(), GOLDEN);
    assert_eq!(postcard::to_stdvec(&key).unwrap(), key.0);
    // The digest of section 2.2 of the page: little endian, each part behind its length.
    let parts: [&[u8]; 3] = [&[3, 0], &author.0, b"notes"];
    assert_eq!(Digest::of("mesh-node record key v1", &parts).0, key.0);
}

#[test]
fn half_bytes_are_counted_from_the_first_ones_upper_half() {
    let key = RecordKey(std::array::from_fn(|at| {
        u8::try_from(at * 0x11 % 256).unwrap()
    }));
    assert_eq!(key.0[..3], [0x00, 0x11, 0x22]);
    let mut counted = key;
    counted.0[..3].copy_from_slice(&[0x12, 0x34, 0x5f]);
    let halves: Vec<usize> = (0..6).map(|depth| counted.nibble(depth)).collect();
    assert_eq!(halves, [1, 2, 3, 4, 5, 15]);
    assert_eq!(RecordKey([0xff; 32]).nibble(63), 15);
    assert_eq!(RecordKey([0xff; 32]).nibble(64), 0, "below the last");
    let at = place(&[1, 2, 3, 15]);
    let halves: Vec<usize> = (0..4).map(|depth| at.nibble(depth)).collect();
    assert_eq!(halves, [1, 2, 3, 15]);
    assert_eq!(at.nibble(4), 0);
    assert_eq!(format!("{at:?}"), "Prefix(123f)");
}

#[test]
fn a_place_holds_the_keys_that_begin_so_and_no_others() {
    assert_eq!(
        Prefix::ROOT.range(),
        (RecordKey([0; 32]), RecordKey([0xff; 32]))
    );
    for depth in 0..=Prefix::DEPTH_MAX {
        let half_bytes = &[0xa, 0xb, 0, 0xf, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0xe, 0xf];
        let at = place(&half_bytes[..usize::from(depth)]);
        assert_eq!(at.depth(), depth);
        let (least, greatest) = at.range();
        assert!(least < greatest);
        for key in [least, greatest] {
            for above in 0..depth {
                assert_eq!(key.nibble(above), at.nibble(above));
            }
            let rest = if key == least { 0 } else { 15 };
            for below in depth..64 {
                assert_eq!(key.nibble(below), rest, "half byte {below} of {at:?}");
            }
        }
    }
}

#[test]
fn below_a_place_are_sixteen_that_share_its_keys() {
    let at = place(&[7, 7]);
    let mut least = at.range().0;
    for nibble in 0..16 {
        let below = at.child(nibble);
        assert_eq!((below.depth(), below.nibble(2)), (3, usize::from(nibble)));
        assert_eq!(below.range().0, least, "one after the other");
        let mut after = below.range().1;
        for byte in after.0.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        least = after;
    }
    assert_eq!(at.child(16), at.child(0), "of a byte its lower half");
    let lowest = place(&[3; 16]);
    assert_eq!(lowest.child(9), lowest, "there is nothing below");
}

#[test]
fn a_place_is_its_depth_and_its_path_and_comes_back() {
    for (at, depth, path) in [
        (Prefix::ROOT, 0, 0),
        (place(&[0]), 1, 0),
        (place(&[0xf]), 1, 0xf << 60),
        (place(&[1, 0, 2]), 3, 0x102 << 52),
        (place(&[0xf; 15]), 15, u64::MAX << 4),
        (place(&[0xf; 16]), 16, u64::MAX),
    ] {
        let bytes = postcard::to_stdvec(&at).unwrap();
        assert_eq!(bytes, encoded(depth, path), "{at:?}");
        assert_eq!(postcard::from_bytes::<Prefix>(&bytes), Ok(at));
    }
    assert_eq!(
        encoded(1, 0),
        [1, 0],
        "a byte, and a number of seven bits a byte"
    );
}

#[test]
fn half_bytes_below_the_depth_and_depths_below_the_tree_are_no_place() {
    for depth in 0..=255 {
        for bit in 0..64 {
            let path = 1_u64 << bit;
            let used = depth <= Prefix::DEPTH_MAX && 64 - bit <= 4 * u32::from(depth);
            let read = postcard::from_bytes::<Prefix>(&encoded(depth, path));
            assert_eq!(read.is_ok(), used, "bit {bit} at depth {depth}");
            assert_eq!(Prefix::try_from((depth, path)).is_ok(), used);
        }
        let root_like = Prefix::try_from((depth, 0));
        assert_eq!(root_like.is_ok(), depth <= Prefix::DEPTH_MAX);
    }
}

/// Of the kind 3, the author 00 01 … 1f and the id `notes`.
const GOLDEN: &str = "317fc31680d773a35bb871034c015084af8f1ad81c68b0796bba44559a0d0463";
