use super::*;

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz234567";

fn ticket() -> Ticket {
    let grant = Grant {
        owner: NodeId([1; 32]),
        label: Label::truncated("home"),
        ticket: TicketKey([2; 32]),
        name: Label::truncated("laptop"),
        issued: Wall(3),
        expires: Some(Wall(4)),
    };
    Ticket {
        grant: SignedGrant {
            grant,
            signature: Signature::from_bytes(&[5; 64]),
        },
        secret: [6; 32],
        issuer: NodeId([7; 32]),
        addrs: List::truncated(["192.0.2.1:4433".parse().unwrap()]),
    }
}

/// With every part as long as it may be.
fn longest() -> Ticket {
    let mut ticket = ticket();
    ticket.grant.grant.label = Label::truncated(&"l".repeat(NAME_BYTES_MAX));
    ticket.grant.grant.name = Label::truncated(&"n".repeat(NAME_BYTES_MAX));
    ticket.grant.grant.issued = Wall(u64::MAX);
    ticket.grant.grant.expires = Some(Wall(u64::MAX));
    let addr = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
        .parse()
        .unwrap();
    ticket.addrs = List::truncated([addr; ADDRS_MAX]);
    ticket
}

#[test]
fn a_ticket_survives_its_text() {
    for ticket in [ticket(), longest()] {
        let text = ticket.to_string();
        assert!(text.chars().all(|c| ALPHABET.contains(c)), "{text}");
        assert!(text.len() <= TICKET_BYTES_MAX * 2);
        assert_eq!(Ticket::parse(&text), Ok(ticket.clone()));
        assert_eq!(Ticket::parse(&text.to_uppercase()), Ok(ticket.clone()));
        assert_eq!(Ticket::parse(&format!(" \n{text}\t")), Ok(ticket));
    }
}

#[test]
fn a_ticket_with_any_character_mistyped_is_refused() {
    let text = ticket().to_string();
    for at in 0..text.len() {
        for other in ALPHABET.chars().chain(['0', '-', ' ']) {
            let mut damaged = text.clone();
            damaged.replace_range(at..=at, &other.to_string());
            if damaged != text {
                assert_eq!(
                    Ticket::parse(&damaged),
                    Err(TicketError::Damaged),
                    "{at} {other}"
                );
            }
        }
    }
}

#[test]
fn a_ticket_with_a_character_lost_added_or_swapped_is_refused() {
    let text = ticket().to_string();
    for at in 0..text.len() {
        let mut lost = text.clone();
        lost.remove(at);
        assert_eq!(Ticket::parse(&lost), Err(TicketError::Damaged), "{at}");
        let mut added = text.clone();
        added.insert(at, 'q');
        assert_eq!(Ticket::parse(&added), Err(TicketError::Damaged), "{at}");
        let mut swapped = text.clone().into_bytes();
        swapped.swap(at, (at + 1) % text.len());
        let swapped = String::from_utf8(swapped).unwrap();
        if swapped != text {
            assert_eq!(Ticket::parse(&swapped), Err(TicketError::Damaged), "{at}");
        }
    }
}

#[test]
fn a_part_of_a_ticket_is_refused() {
    let text = ticket().to_string();
    for len in 0..text.len() {
        assert_eq!(
            Ticket::parse(&text[..len]),
            Err(TicketError::Damaged),
            "{len}"
        );
    }
    for not in ["é", "ééé", "ab€cd", &"a".repeat(TICKET_BYTES_MAX * 2 + 1)] {
        assert_eq!(Ticket::parse(not), Err(TicketError::Damaged));
    }
}

#[test]
fn a_ticket_of_another_form_is_told_from_a_damaged_one() {
    let body = postcard::to_stdvec(&ticket()).unwrap();
    let of = |version: u8, body: &[u8]| base32::encode_checked(&[&[version], body].concat());
    assert_eq!(Ticket::parse(&of(1, &body)), Ok(ticket()));
    assert_eq!(Ticket::parse(&of(2, &body)), Err(TicketError::Version(2)));
    assert_eq!(
        Ticket::parse(&of(1, &[&body[..], &[0]].concat())),
        Err(TicketError::Damaged)
    );
    assert_eq!(Ticket::parse(&of(1, &body[1..])), Err(TicketError::Damaged));
    assert_eq!(
        Ticket::parse(&base32::encode_checked(&[])),
        Err(TicketError::Damaged)
    );
}

#[test]
fn whatever_the_owner_grants_changes_what_the_owner_signs() {
    let grant = ticket().grant.grant;
    let others = [
        Grant {
            owner: NodeId([9; 32]),
            ..grant.clone()
        },
        Grant {
            label: Label::truncated("work"),
            ..grant.clone()
        },
        Grant {
            ticket: TicketKey([9; 32]),
            ..grant.clone()
        },
        Grant {
            name: Label::truncated("phone"),
            ..grant.clone()
        },
        Grant {
            issued: Wall(9),
            ..grant.clone()
        },
        Grant {
            expires: None,
            ..grant.clone()
        },
    ];
    let joiner = NodeId([8; 32]);
    for other in &others {
        assert_ne!(other.signing_bytes(), grant.signing_bytes(), "{other:?}");
        assert_ne!(
            other.joining_bytes(joiner),
            grant.joining_bytes(joiner),
            "{other:?}"
        );
    }
    assert_ne!(
        grant.joining_bytes(NodeId([9; 32])),
        grant.joining_bytes(joiner)
    );
    assert_ne!(grant.joining_bytes(joiner), grant.signing_bytes());
}

#[test]
fn a_network_belongs_to_its_owner_and_label() {
    let grant = ticket().grant.grant;
    assert_eq!(grant.network(), network_of(NodeId([1; 32]), "home"));
    assert_ne!(grant.network(), network_of(NodeId([2; 32]), "home"));
    assert_ne!(grant.network(), network_of(NodeId([1; 32]), "work"));
}

#[test]
fn a_ticket_never_prints_its_secret() {
    let secret = Ticket {
        secret: [0xab; 32],
        ..ticket()
    };
    let printed = format!("{secret:?}");
    assert!(!printed.contains("171") && !printed.contains("abab") && !printed.contains("secret"));
}
