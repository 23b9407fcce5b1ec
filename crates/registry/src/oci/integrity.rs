//! Content is what its digest says, or it is not used.

use imgstack_spec::{Digest, Repository};
use sha2::{Digest as _, Sha256, Sha512};

use super::error::Error;

/// The sha256 digest of a content.
pub(crate) fn sha256(content: &[u8]) -> Option<Digest> {
    hashed("sha256", content)
}

/// Whether a content has that digest.
pub(crate) fn fits(content: &[u8], digest: &Digest) -> bool {
    hashed(digest.algorithm(), content).as_ref() == Some(digest)
}

/// An error when a content does not have that digest.
pub(crate) fn check(
    repository: &Repository,
    expected: &Digest,
    content: &[u8],
) -> Result<(), Error> {
    match hashed(expected.algorithm(), content) {
        Some(actual) if &actual == expected => Ok(()),
        Some(actual) => Err(Error::Integrity {
            repository: repository.clone(),
            expected: expected.clone(),
            actual,
        }),
        None => Err(Error::protocol(
            repository.host(),
            format!("{} cannot be checked", expected.algorithm()),
        )),
    }
}

/// None for an algorithm that is not known here.
fn hashed(algorithm: &str, content: &[u8]) -> Option<Digest> {
    let bytes = match algorithm {
        "sha256" => Sha256::digest(content).to_vec(),
        "sha512" => Sha512::digest(content).to_vec(),
        _ => return None,
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{algorithm}:{hex}").parse().ok()
}
