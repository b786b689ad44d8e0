use super::*;

fn advert(n: u8) -> ModelAdvert {
    ModelAdvert {
        model: ModelId([n; 32]),
        name: Label::truncated("tiny"),
        compute: Compute {
            digest: Digest([n; 32]),
            splice: true,
        },
        context: 4_096,
    }
}

fn names<const MAX: usize>(names: &[&str]) -> List<Label<NAME_BYTES_MAX>, MAX> {
    List::truncated(names.iter().map(|name| Label::truncated(name)))
}

/// Every field differs from its default.
fn whole() -> Capabilities {
    Capabilities {
        llms: List::truncated([advert(1), advert(2)]),
        asr: names(&["ears"]),
        diarize: true,
        hardware: names(&["8 cores", "32 GiB"]),
        inputs: names(&["text"]),
        outputs: names(&["text", "audio"]),
        accepting: Accepting::Limited,
        app_version: Label::truncated("0.1.0"),
        features: names(&["x"]),
        addrs: List::truncated(["10.0.0.1:7".parse().unwrap(), "[::1]:8".parse().unwrap()]),
    }
}

/// The same with one field left at its default.
fn without(tag: u8) -> Capabilities {
    let (mut left, empty) = (whole(), Capabilities::default());
    match tag {
        1 => left.llms = empty.llms,
        2 => left.asr = empty.asr,
        3 => left.diarize = empty.diarize,
        4 => left.hardware = empty.hardware,
        5 => left.inputs = empty.inputs,
        6 => left.outputs = empty.outputs,
        7 => left.accepting = empty.accepting,
        8 => left.app_version = empty.app_version,
        9 => left.features = empty.features,
        10 => left.addrs = empty.addrs,
        other => panic!("no such field: {other}"),
    }
    left
}

/// The fields of a value, as tag and body.
fn fields(value: &[u8]) -> Vec<(u8, Bytes)> {
    let fields: Vec<Field> = postcard::from_bytes(value).unwrap();
    fields
        .into_iter()
        .map(|field| (field.tag, field.body))
        .collect()
}

#[track_caller]
fn check(fields: &[(u8, Bytes)], expected: &Capabilities) {
    let value = postcard::to_stdvec(fields).unwrap();
    assert_eq!(Capabilities::decode(&value).as_ref(), Ok(expected));
}

#[test]
fn a_record_value_comes_back_as_it_was() {
    assert_eq!(
        Capabilities::decode(&whole().encode().unwrap()),
        Ok(whole())
    );
    let empty = Capabilities::default();
    assert_eq!(Capabilities::decode(&empty.encode().unwrap()), Ok(empty));
}

#[test]
fn the_bytes_of_an_advert_stay_what_they_are() {
    let small = Capabilities {
        diarize: true,
        accepting: Accepting::Busy,
        ..Default::default()
    };
    let bytes = small.encode().unwrap();
    let golden = [
        10, 1, 1, 0, 2, 1, 0, 3, 1, 1, 4, 1, 0, 5, 1, 0, 6, 1, 0, 7, 1, 2, 8, 1, 0, 9, 1, 0, 10, 1,
        0,
    ];
    assert_eq!(bytes[..], golden);
}

#[test]
fn a_field_that_is_missing_leaves_its_default_and_the_rest_survives() {
    for tag in 1..=10 {
        let mut fields = fields(&whole().encode().unwrap());
        fields.retain(|(found, _)| *found != tag);
        assert_eq!(fields.len(), 9);
        check(&fields, &without(tag));
    }
    check(&[], &Capabilities::default());
}

#[test]
fn a_field_that_cannot_be_read_becomes_its_default_and_the_rest_survives() {
    for tag in 1..=10 {
        for damage in [cut, lengthen, fill] {
            let mut fields = fields(&whole().encode().unwrap());
            for (_, body) in fields.iter_mut().filter(|(found, _)| *found == tag) {
                *body = damage(body);
            }
            check(&fields, &without(tag));
        }
    }
}

/// Too short for what it announces.
fn cut(body: &Bytes) -> Bytes {
    body.slice(..body.len() - 1)
}

/// With a byte left over.
fn lengthen(body: &Bytes) -> Bytes {
    Bytes::from([body, &[0][..]].concat())
}

/// Out of every range.
fn fill(_: &Bytes) -> Bytes {
    Bytes::from_static(&[0xff; 12])
}

#[test]
fn a_field_over_its_limit_becomes_its_default_and_the_rest_survives() {
    let mut fields = fields(&whole().encode().unwrap());
    let many = vec![""; MODELS_MAX + 1];
    fields[1].1 = Bytes::from(postcard::to_stdvec(&many).unwrap());
    check(&fields, &without(2));
    fields[1].1 = Bytes::from(postcard::to_stdvec(&many[1..]).unwrap());
    let expected = Capabilities {
        asr: names(&many[1..]),
        ..whole()
    };
    check(&fields, &expected);
}

#[test]
fn fields_of_a_later_version_are_passed_over() {
    let mut fields = fields(&whole().encode().unwrap());
    fields.insert(0, (0, Bytes::from_static(b"?")));
    fields.insert(5, (200, Bytes::new()));
    fields.push((11, Bytes::from_static(&[0xff; 40])));
    check(&fields, &whole());
}

#[test]
fn a_value_that_is_no_list_of_fields_is_refused() {
    let bytes = whole().encode().unwrap();
    for len in 0..bytes.len() {
        assert_eq!(
            Capabilities::decode(&bytes[..len]),
            Err(RecordError::Malformed)
        );
    }
    let many: Vec<(u8, Bytes)> = vec![(99, Bytes::new()); FIELDS_MAX + 1];
    let many = postcard::to_stdvec(&many).unwrap();
    assert_eq!(Capabilities::decode(&many), Err(RecordError::Malformed));
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Capabilities::decode(&longer), Err(RecordError::Malformed));
}

#[test]
fn a_value_over_its_limit_is_neither_written_nor_read() {
    let llms = List::truncated((0..64).map(advert));
    let large = Capabilities { llms, ..whole() };
    let most = CAPABILITIES_BYTES_MAX;
    let encoded = large.encode();
    assert!(matches!(encoded, Err(RecordError::TooLarge(len, of)) if len > most && of == most));
    let bytes = [0; CAPABILITIES_BYTES_MAX + 1];
    assert_eq!(
        Capabilities::decode(&bytes),
        Err(RecordError::TooLarge(bytes.len(), CAPABILITIES_BYTES_MAX))
    );
}

#[test]
fn whatever_is_signed_changes_what_is_signed() {
    let record = Record {
        network: NetworkId([1; 32]),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: NodeId([2; 32]),
        id: Label::truncated("a"),
        stamp: Stamp(3),
        value: Some(Bytes::new()),
    };
    let others = [
        Record {
            network: NetworkId([9; 32]),
            ..record.clone()
        },
        Record {
            class: RecordClass::Gated,
            ..record.clone()
        },
        Record {
            kind: Kind::REVOCATION,
            ..record.clone()
        },
        Record {
            author: NodeId([9; 32]),
            ..record.clone()
        },
        Record {
            id: Label::truncated("b"),
            ..record.clone()
        },
        Record {
            stamp: Stamp(4),
            ..record.clone()
        },
        Record {
            value: Some(Bytes::from_static(b"v")),
            ..record.clone()
        },
        Record {
            value: None,
            ..record.clone()
        },
    ];
    for other in &others {
        assert_ne!(other.signing_bytes(), record.signing_bytes(), "{other:?}");
    }
    assert_eq!(record.clone().signing_bytes(), record.signing_bytes());
}

#[test]
fn a_signature_is_its_64_bytes() {
    let bytes: [u8; 64] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    assert_eq!(Signature::from_bytes(&bytes).to_bytes(), bytes);
    let encoded = postcard::to_stdvec(&Signature::from_bytes(&bytes)).unwrap();
    assert_eq!(encoded, bytes);
}
