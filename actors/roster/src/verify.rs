//! Who belongs, as anybody can verify it offline: pure functions over keys, grants and records.

use ed25519_dalek::{Signature as Ed25519, SigningKey, VerifyingKey};
use kernel::Signed;
use messages::wire::latest::{Deny, Introduction};
use messages::{
    Capabilities, Credential, Kind, NetworkId, NodeId, RecordClass, SignedGrant, SignedRecord,
    Ticket, TicketKey, Wall, network_of,
};

/// Why a ticket opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketFault {
    /// The owner did not sign its grant.
    #[error("the ticket's signature is not its owner's: ask for a new ticket")]
    Forged,
    /// Its secret is not the one that the grant names.
    #[error("the ticket's secret does not fit its grant: ask for a new ticket")]
    WrongSecret,
    /// Its time is over.
    #[error("the ticket has expired: ask for a new one")]
    Expired,
}

/// Why an introduction is skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntroductionFault {
    /// Not a public Capabilities record of this network with a value.
    #[error("not an advert of this network")]
    NotAnAdvert,
    /// Its value is no list of fields.
    #[error("the record's value cannot be read")]
    Malformed,
    /// Its author did not sign it.
    #[error("the record's signature is not its author's")]
    Forged,
    /// Its author is no member.
    #[error("the author is no member: {0}")]
    NotAMember(Deny),
}

/// How signatures are checked: [`ed25519`], or something that remembers its answers.
pub type Check<'a> = &'a dyn Fn(&Signed<'_>) -> bool;

/// Whether a signature is that of the holder of its key over its bytes. Keys and signatures with
/// more than one reading are none.
#[must_use]
pub fn ed25519(signed: &Signed<'_>) -> bool {
    let signature = Ed25519::from_bytes(&signed.signature.to_bytes());
    VerifyingKey::from_bytes(signed.key)
        .is_ok_and(|key| key.verify_strict(signed.bytes, &signature).is_ok())
}

/// Whether the owner signed the grant.
#[must_use]
pub fn verify_grant(check: Check<'_>, signed: &SignedGrant) -> bool {
    check(&Signed {
        key: &signed.grant.owner.0,
        bytes: &signed.grant.signing_bytes(),
        signature: &signed.signature,
    })
}

/// Whether the author signed the record.
#[must_use]
pub fn verify_record(check: Check<'_>, signed: &SignedRecord) -> bool {
    check(&Signed {
        key: &signed.record.author.0,
        bytes: &signed.record.signing_bytes(),
        signature: &signed.signature,
    })
}

/// Whether a ticket opens its network at this wall time. Whether it was revoked, its network
/// knows.
///
/// # Errors
/// [`TicketFault`], with what to do.
pub fn verify_ticket(check: Check<'_>, ticket: &Ticket, now: Wall) -> Result<(), TicketFault> {
    let grant = &ticket.grant.grant;
    let key = SigningKey::from_bytes(&ticket.secret)
        .verifying_key()
        .to_bytes();
    if !verify_grant(check, &ticket.grant) {
        return Err(TicketFault::Forged);
    }
    if key != grant.ticket.0 {
        return Err(TicketFault::WrongSecret);
    }
    match grant.expires {
        Some(expires) if expires <= now => Err(TicketFault::Expired),
        Some(_) | None => Ok(()),
    }
}

/// Whether a credential makes `peer` a member of `network` at this wall time, and until when.
/// Revocation is looked up apart.
///
/// # Errors
/// What the peer is told.
pub fn verify_credential(
    check: Check<'_>,
    network: NetworkId,
    peer: NodeId,
    credential: &Credential,
    now: Wall,
) -> Result<Option<Wall>, Deny> {
    let (signed, joined) = match credential {
        Credential::Owner { label } if network_of(peer, label) == network => return Ok(None),
        Credential::Owner { .. } => return Err(Deny::BadCredential),
        Credential::Ticket { grant, joined } => (grant, joined),
    };
    // The network's id is a digest of owner and label: no other owner comes to it.
    let grant = &signed.grant;
    let belongs = grant.network() == network
        && verify_grant(check, signed)
        && check(&Signed {
            key: &grant.ticket.0,
            bytes: &grant.joining_bytes(peer),
            signature: joined,
        });
    match grant.expires {
        _ if !belongs => Err(Deny::BadCredential),
        Some(expires) if expires <= now => Err(Deny::Expired),
        expires => Ok(expires),
    }
}

/// What a member says of itself, if all of the introduction holds: the record's frame, its value,
/// its author's signature and its author's membership. The cheapest test comes first.
///
/// # Errors
/// [`IntroductionFault`]: it is skipped and counted.
pub fn verify_introduction(
    check: Check<'_>,
    network: NetworkId,
    entry: &Introduction,
    now: Wall,
) -> Result<Capabilities, IntroductionFault> {
    let record = &entry.record.record;
    let value = match &record.value {
        Some(value)
            if record.network == network
                && record.kind == Kind::CAPABILITIES
                && record.class == RecordClass::Public
                && record.id.is_empty() =>
        {
            value
        }
        Some(_) | None => return Err(IntroductionFault::NotAnAdvert),
    };
    let said = Capabilities::decode(value).map_err(|_| IntroductionFault::Malformed)?;
    if !verify_record(check, &entry.record) {
        return Err(IntroductionFault::Forged);
    }
    verify_credential(check, network, record.author, &entry.credential, now)
        .map_err(IntroductionFault::NotAMember)?;
    Ok(said)
}

/// The ticket that a record withdraws, if its network's owner signed it.
#[must_use]
pub fn verify_revocation(
    check: Check<'_>,
    network: NetworkId,
    owner: NodeId,
    signed: &SignedRecord,
) -> Option<TicketKey> {
    let ticket = revoked_ticket(network, owner, signed)?;
    verify_record(check, signed).then_some(ticket)
}

/// The ticket that a record names as withdrawn; its signature is not looked at.
pub(crate) fn revoked_ticket(
    network: NetworkId,
    owner: NodeId,
    signed: &SignedRecord,
) -> Option<TicketKey> {
    let record = &signed.record;
    let fits = record.network == network
        && record.kind == Kind::REVOCATION
        && record.class == RecordClass::Public
        && record.author == owner
        // A revocation cannot be withdrawn: its register has no deletion.
        && record.value.as_ref().is_some_and(|value| value.is_empty());
    fits.then(|| record.id.parse().ok()).flatten()
}
