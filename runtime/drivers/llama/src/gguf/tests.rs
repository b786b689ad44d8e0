use super::forge::{CONTEXT, Forge, Random, TEMPLATE, Value};
use super::{GgufError, Header, read_header};
use std::io::Read;

/// Counts what is read, and refuses to be read past its end.
struct Counted<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // A buffer is allocated before it is filled: none may be larger than the file.
        assert!(
            buffer.len() <= self.bytes.len().max(8 * 1024),
            "{} bytes asked",
            buffer.len()
        );
        let left = &self.bytes[self.read..];
        let take = left.len().min(buffer.len());
        buffer[..take].copy_from_slice(&left[..take]);
        self.read += take;
        Ok(take)
    }
}

fn read(bytes: &[u8]) -> Result<Header, GgufError> {
    let counted = Counted { bytes, read: 0 };
    read_header(counted, bytes.len() as u64)
}

/// The sentence with which a file is refused.
fn refused(forge: &Forge) -> String {
    read(&forge.bytes()).unwrap_err().to_string()
}

fn check_refused(cases: Vec<(&str, Forge)>) {
    for (sentence, forge) in cases {
        let why = refused(&forge);
        assert!(why.contains(sentence), "expected '{sentence}' in '{why}'");
    }
}

fn changed(change: impl FnOnce(&mut Forge)) -> Forge {
    let mut forge = Forge::tiny(1);
    change(&mut forge);
    forge
}

#[test]
fn a_whole_file_says_what_it_is() {
    let forge = Forge::tiny(1);
    let header = read(&forge.bytes()).unwrap();
    assert_eq!(header.architecture, "llama");
    assert_eq!(header.name.as_deref(), Some("tiny"));
    assert_eq!(header.context_length, CONTEXT);
    assert_eq!(header.chat_template.as_deref(), Some(TEMPLATE));
    assert_eq!(header.tensors, forge.tensors.len());
    assert_eq!(
        read(&changed(|forge| forge.version = 2).bytes()).unwrap(),
        header
    );
}

#[test]
fn a_key_that_is_wrong_is_refused_with_a_sentence() {
    let cases: Vec<(&str, Forge)> = vec![
        ("version is 1", changed(|forge| forge.version = 1)),
        ("version is 4", changed(|forge| forge.version = 4)),
        (
            "big-endian",
            changed(|forge| forge.version = 3_u32.swap_bytes()),
        ),
        (
            "stands in it twice",
            changed(|forge| forge.pairs.push(forge.pairs[3].clone())),
        ),
        (
            "another type",
            changed(|forge| forge.set("general.architecture", Value::U32(1))),
        ),
        (
            "which architecture",
            changed(|forge| forge.pairs.retain(|pair| !pair.0.contains("arch"))),
        ),
        (
            "no 'llama.context_length'",
            changed(|forge| {
                forge.pairs.retain(|pair| !pair.0.contains("context"));
            }),
        ),
        (
            "holds no token",
            changed(|forge| forge.set("llama.context_length", Value::U32(0))),
        ),
        (
            "alignment of 24",
            changed(|forge| forge.set("general.alignment", Value::U32(24))),
        ),
        (
            "alignment of 0",
            changed(|forge| forge.set("general.alignment", Value::U32(0))),
        ),
        (
            "several parts",
            changed(|forge| forge.set("split.count", Value::U16(2))),
        ),
    ];
    check_refused(cases);
}

#[test]
fn a_tensor_that_is_wrong_is_refused_with_a_sentence() {
    let cases: Vec<(&str, Forge)> = vec![
        ("no tensors", changed(|forge| forge.tensors.clear())),
        (
            "stands in it twice",
            changed(|forge| forge.tensors[1].name = "token_embd.weight".into()),
        ),
        (
            "longer than 63",
            changed(|forge| forge.tensors[1].name = "x".repeat(64)),
        ),
        (
            "0 dimensions",
            changed(|forge| forge.tensors[1].shape.clear()),
        ),
        (
            "5 dimensions",
            changed(|forge| forge.tensors[1].shape = vec![1; 5]),
        ),
        (
            "no real size",
            changed(|forge| forge.tensors[1].shape = vec![0, 4]),
        ),
        (
            "no real size",
            changed(|forge| forge.tensors[1].shape = vec![1 << 40; 4]),
        ),
        ("unknown type 4", changed(|forge| forge.tensors[1].kind = 4)),
        (
            "whole number of blocks",
            changed(|forge| {
                forge.tensors[2].shape = vec![33];
                forge.tensors[2].kind = 8;
            }),
        ),
        (
            "begins at 64",
            changed(|forge| forge.tensors[1].offset = Some(64)),
        ),
        (
            "begins at 18446744073709551584",
            changed(|forge| {
                forge.tensors[1].offset = Some(u64::MAX - 31);
            }),
        ),
        (
            "does not fit",
            changed(|forge| forge.tensors[1].shape = vec![1 << 20, 1 << 20]),
        ),
        (
            "longer than 262144",
            changed(|forge| {
                forge.set("tokenizer.chat_template", Value::Text("x".repeat(300_000)));
            }),
        ),
    ];
    check_refused(cases);
}

#[test]
fn values_that_lie_about_their_length_are_refused() {
    let head = |count: u64| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.push(b'k');
        bytes
    };
    let with = |parts: &[&[u8]]| {
        let mut bytes = head(1);
        parts.iter().for_each(|part| bytes.extend(*part));
        bytes.resize(bytes.len() + 200, 0);
        read(&bytes).unwrap_err().to_string()
    };
    let (text, array, wide) = (
        8_u32.to_le_bytes(),
        9_u32.to_le_bytes(),
        11_u32.to_le_bytes(),
    );
    let (huge, many) = (u64::MAX.to_le_bytes(), (1_u64 << 21).to_le_bytes());
    assert!(with(&[&text, &huge]).contains("is longer than"));
    assert!(with(&[&text, &1_000_u64.to_le_bytes()]).contains("ends inside"));
    assert!(with(&[&array, &wide, &huge]).contains("cannot hold"));
    assert!(with(&[&array, &wide, &many]).contains("cannot hold"));
    assert!(with(&[&array, &array, &huge]).contains("array of arrays"));
    assert!(with(&[&13_u32.to_le_bytes()]).contains("of type 13"));
    assert!(with(&[&7_u32.to_le_bytes(), &[2]]).contains("true or false"));
    assert!(
        read(&head(1 << 60))
            .unwrap_err()
            .to_string()
            .contains("cannot hold")
    );
    assert!(
        read(&head(u64::MAX))
            .unwrap_err()
            .to_string()
            .contains("cannot hold")
    );
    assert_eq!(read(b"PK\x03\x04 and more"), Err(GgufError::NotGguf));
    assert_eq!(read(b""), Err(GgufError::Truncated));
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let forge = Forge::tiny(1);
    let bytes = forge.bytes();
    let data = forge.tensors.iter().map(|tensor| tensor.data.len());
    let header = bytes.len() - data.sum::<usize>();
    // One byte of a tensor is as good as the next; all of the header is read.
    let ends = (0..header).chain((header..bytes.len()).step_by(61));
    for end in ends.chain([bytes.len() - 1]) {
        assert!(
            read(&bytes[..end]).is_err(),
            "{end} of {} bytes were taken",
            bytes.len()
        );
    }
}

#[test]
fn flipped_bytes_never_panic_and_never_read_past_the_file() {
    let whole = Forge::tiny(1).bytes();
    let header = whole.len()
        - Forge::tiny(1)
            .tensors
            .iter()
            .map(|t| t.data.len())
            .sum::<usize>();
    let mut random = Random(7);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(header);
            bytes[at] = match random.below(4) {
                0 => 0xFF,
                1 => 0,
                2 => bytes[at] ^ (1 << random.below(8)),
                _ => u8::try_from(random.below(256)).unwrap(),
            };
        }
        if random.below(4) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        refused += usize::from(read(&bytes).is_err());
    }
    assert!(
        refused > 5_000,
        "only {refused} of 20,000 broken files were refused"
    );
}
