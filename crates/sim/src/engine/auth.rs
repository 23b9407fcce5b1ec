//! `X-Registry-Auth`: the credential that a client lends to a call.
//!
//! Engines write it URL-safe; some clients use the standard alphabet, with or
//! without padding. All are read. An identity token counts as a password:
//! nothing here logs in by itself.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use serde::Deserialize;

use crate::swarm::ApiError;
use crate::{Asked, Credential};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    username: String,
    password: String,
    auth: String,
    identitytoken: String,
    registrytoken: String,
}

/// The credential of a request; None if it carries none, or an empty one.
pub(super) fn credential(asked: &Asked) -> Result<Option<Credential>, ApiError> {
    let Some(header) = asked.header("x-registry-auth") else {
        return Ok(None);
    };
    decode(header.trim())
}

/// As [`credential`], where a malformed one counts as none: pulling is one of
/// the calls that always took it so.
pub(super) fn credential_if_any(asked: &Asked) -> Option<Credential> {
    credential(asked).ok().flatten()
}

fn decode(header: &str) -> Result<Option<Credential>, ApiError> {
    if header.is_empty() {
        return Ok(None);
    }
    let malformed = |why: &str| ApiError {
        status: 400,
        message: format!("invalid X-Registry-Auth header: {why}"),
    };
    let bytes = bytes_of(header).ok_or_else(|| malformed("must be a valid base64url-encoded"))?;
    let wire: Wire =
        serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
    let (mut username, mut password) = (wire.username, wire.password);
    if username.is_empty()
        && let Some(pair) = bytes_of(&wire.auth).and_then(|pair| String::from_utf8(pair).ok())
        && let Some((user, word)) = pair.split_once(':')
    {
        (username, password) = (user.to_owned(), word.to_owned());
    }
    for token in [wire.identitytoken, wire.registrytoken] {
        if password.is_empty() {
            password = token;
        }
    }
    if username.is_empty() && password.is_empty() {
        return Ok(None);
    }
    Ok(Some(Credential {
        username,
        password: SecretString::from(password),
    }))
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let alphabets = [URL_SAFE, STANDARD];
    let mut decoded = alphabets
        .iter()
        .map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text));
    decoded.find_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn every_alphabet_is_read() {
        // Encodes to text with `+` and `/` in the standard alphabet.
        let json = r#"{"username":"ann","password":"~~~???>>>"}"#;
        for text in [
            BASE64_STANDARD.encode(json),
            BASE64_URL_SAFE.encode(json),
            BASE64_URL_SAFE_NO_PAD.encode(json),
        ] {
            let read = decode(&text).unwrap().unwrap();
            assert_eq!(read.username, "ann");
            assert_eq!(read.password.expose_secret(), "~~~???>>>");
        }
    }

    #[test]
    fn other_shapes() {
        let pair = BASE64_STANDARD.encode("bob:secret");
        let read = |json: &str| decode(&BASE64_URL_SAFE.encode(json));
        let bob = read(&format!(r#"{{"auth":"{pair}"}}"#)).unwrap().unwrap();
        assert_eq!(bob.username, "bob");
        assert!(read("{}").unwrap().is_none());
        assert!(decode("").unwrap().is_none());
        assert_eq!(read("[1").unwrap_err().status, 400);
        assert_eq!(decode("%%%").unwrap_err().status, 400);
    }
}
