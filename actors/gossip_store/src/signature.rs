//! Whether a signature is its author's.

use ed25519_dalek::{Signature, VerifyingKey};
use kernel::Signed;

/// Keys and signatures with more than one reading are none.
pub(crate) fn ed25519(signed: &Signed<'_>) -> bool {
    let signature = Signature::from_bytes(&signed.signature.to_bytes());
    let key = VerifyingKey::from_bytes(signed.key);
    key.is_ok_and(|key| key.verify_strict(signed.bytes, &signature).is_ok())
}
