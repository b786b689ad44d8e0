//! What verifies, and what does not.

use super::*;
use crate::{
    IntroductionFault, TicketFault, ed25519, verify_credential, verify_introduction,
    verify_revocation, verify_ticket,
};

#[test]
fn a_ticket_admits_whoever_joined_with_it_and_nobody_else() {
    let made = join(&ticket(100, None), node(PEER));
    assert_eq!(
        verify_credential(&ed25519, network(), node(PEER), &made, WALL),
        Ok(None)
    );
    let other = verify_credential(&ed25519, network(), node(4), &made, WALL);
    assert_eq!(
        other,
        Err(Deny::BadCredential),
        "a credential names its node"
    );
    let elsewhere = verify_credential(&ed25519, NetworkId([0; 32]), node(PEER), &made, WALL);
    assert_eq!(elsewhere, Err(Deny::BadCredential), "and its network");
}

#[test]
fn a_grant_is_worth_nothing_without_the_owners_signature() {
    let mut forged = ticket(100, None);
    forged.grant.signature = sign(PEER, &forged.grant.grant.signing_bytes());
    let made = join(&forged, node(PEER));
    let verdict = verify_credential(&ed25519, network(), node(PEER), &made, WALL);
    assert_eq!(verdict, Err(Deny::BadCredential));
    assert_eq!(
        verify_ticket(&ed25519, &forged, WALL),
        Err(TicketFault::Forged)
    );
}

#[test]
fn a_grant_of_another_owner_with_the_same_label_opens_another_network() {
    let mut foreign = ticket(100, None);
    foreign.grant.grant.owner = node(PEER);
    foreign.grant.signature = sign(PEER, &foreign.grant.grant.signing_bytes());
    let made = join(&foreign, node(4));
    assert_eq!(
        verify_credential(&ed25519, network(), node(4), &made, WALL),
        Err(Deny::BadCredential)
    );
}

#[test]
fn a_ticket_without_its_secret_admits_nobody() {
    let mut stolen = ticket(100, None);
    stolen.secret = [101; 32];
    let made = join(&stolen, node(PEER));
    let verdict = verify_credential(&ed25519, network(), node(PEER), &made, WALL);
    assert_eq!(verdict, Err(Deny::BadCredential));
    assert_eq!(
        verify_ticket(&ed25519, &stolen, WALL),
        Err(TicketFault::WrongSecret)
    );
}

#[test]
fn a_membership_ends_with_its_tickets_time() {
    let end = WALL + Micros::from_secs(60);
    let short = ticket(100, Some(end));
    let made = join(&short, node(PEER));
    assert_eq!(
        verify_credential(&ed25519, network(), node(PEER), &made, WALL),
        Ok(Some(end))
    );
    let verdict = verify_credential(&ed25519, network(), node(PEER), &made, end);
    assert_eq!(verdict, Err(Deny::Expired));
    assert_eq!(verify_ticket(&ed25519, &short, WALL), Ok(()));
    assert_eq!(
        verify_ticket(&ed25519, &short, end),
        Err(TicketFault::Expired)
    );
}

#[test]
fn a_ticket_survives_being_written_and_read() {
    let text = ticket(100, None).to_string();
    assert_eq!(
        verify_ticket(&ed25519, &Ticket::parse(&text).unwrap(), WALL),
        Ok(())
    );
}

#[test]
fn only_the_owner_is_the_owner() {
    let owner = credential(OWNER);
    assert_eq!(
        verify_credential(&ed25519, network(), node(OWNER), &owner, WALL),
        Ok(None)
    );
    let other = verify_credential(&ed25519, network(), node(PEER), &owner, WALL);
    assert_eq!(other, Err(Deny::BadCredential));
}

#[test]
fn each_fault_of_an_introduction_is_found() {
    let verify =
        |entry: &Introduction| verify_introduction(&ed25519, network(), entry, WALL).map(|_| ());
    assert_eq!(verify(&advert(PEER, 1)), Ok(()));
    let changed = |change: fn(&mut Record)| {
        let mut record = advert(PEER, 1).record.record;
        change(&mut record);
        introduction(PEER, record)
    };
    let not_adverts: [fn(&mut Record); 5] = [
        |record| record.network = NetworkId([0; 32]),
        |record| record.kind = Kind::REVOCATION,
        |record| record.class = RecordClass::Gated,
        |record| record.id = Label::truncated("x"),
        |record| record.value = None,
    ];
    for change in not_adverts {
        assert_eq!(
            verify(&changed(change)),
            Err(IntroductionFault::NotAnAdvert)
        );
    }
    let garbage = changed(|record| record.value = Some(bytes::Bytes::from_static(&[255; 9])));
    assert_eq!(verify(&garbage), Err(IntroductionFault::Malformed));
    let ahead = changed(|record| record.stamp = Stamp(u64::MAX));
    assert_eq!(verify(&ahead), Ok(()));
    let mut forged = advert(PEER, 1);
    forged.record.record.stamp = Stamp(2);
    assert_eq!(verify(&forged), Err(IntroductionFault::Forged));
    let mut stranger = advert(PEER, 1);
    stranger.credential = credential(4);
    let why = IntroductionFault::NotAMember(Deny::BadCredential);
    assert_eq!(verify(&stranger), Err(why));
}

#[test]
fn only_the_owner_revokes_and_nothing_takes_it_back() {
    let verify =
        |record: &SignedRecord| verify_revocation(&ed25519, network(), node(OWNER), record);
    assert_eq!(verify(&revocation(100)), Some(ticket_key(100)));
    let changed = |by: u8, change: fn(&mut Record)| {
        let mut record = revocation(100).record;
        change(&mut record);
        let signature = sign(by, &record.signing_bytes());
        SignedRecord { record, signature }
    };
    assert_eq!(verify(&changed(PEER, |_| {})), None, "another signer");
    assert_eq!(
        verify(&changed(PEER, |record| record.author = node(PEER))),
        None,
        "an author"
    );
    assert_eq!(
        verify(&changed(OWNER, |record| record.value = None)),
        None,
        "a deletion"
    );
    assert_eq!(
        verify(&changed(OWNER, |record| record.id = Label::default())),
        None,
        "no ticket"
    );
    let foreign = changed(OWNER, |record| record.network = NetworkId([0; 32]));
    assert_eq!(verify(&foreign), None, "another network");
}
