//! Tells two credentials apart without holding either.
//!
//! A service carries the credential that its nodes pull with, and nobody can
//! read it back. So that a plan can say "this one still carries the old token",
//! the fingerprint of the credential stands beside it, in a label that everybody
//! may read who may look at the service. Hence:
//!
//! - It is *slow* (PBKDF2 with HMAC-SHA256): a token of GitHub's cannot be
//!   guessed anyway, but at other registries people choose passwords, and each
//!   guess at one from its label shall cost as much as making the label did.
//! - It is *salted* with the registry, the account and what the caller gives,
//!   which is the cluster's ID: one table of guesses serves for one cluster
//!   alone, and nobody sees that two clusters share a password.
//! - It is *short*: two credentials that follow each other differ in it, and it
//!   fits where people read it.

use std::fmt;
use std::num::NonZeroU32;

use imgstack_spec::RegistryHost;
use ring::pbkdf2;
use secrecy::ExposeSecret;

use super::credential::{Credential, Identity};

/// Some tens of milliseconds: each is paid once a run for a credential, and
/// once for every guess.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99_999);
const BYTES: usize = 8;

/// What stands for a credential where everybody may read: 16 hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a credential for a registry. Takes a while: not to
    /// be called where others wait.
    #[must_use]
    pub fn of(credential: &Credential, host: &RegistryHost, salt: &str) -> Self {
        let (kind, username, secret) = match credential.identity() {
            Identity::Password { username, password } => ("password", username.as_str(), password),
            Identity::IdentityToken(token) => ("token", "", token),
        };
        let mut salted = Vec::new();
        for part in ["imgstack", kind, host.as_str(), username, salt] {
            // With its length, so that no two lists of parts are one text.
            salted.extend_from_slice(&(part.len() as u64).to_be_bytes());
            salted.extend_from_slice(part.as_bytes());
        }
        let mut derived = [0; BYTES];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ROUNDS,
            &salted,
            secret.expose_secret().as_bytes(),
            &mut derived,
        );
        Self(derived.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use secrecy::SecretString;

    use super::*;

    fn password(username: &str, password: &str) -> Credential {
        let identity = Identity::Password {
            username: username.to_owned(),
            password: SecretString::from(password.to_owned()),
        };
        Credential::new(identity, "a test")
    }

    fn of(credential: &Credential, host: &str, salt: &str) -> Fingerprint {
        Fingerprint::of(credential, &RegistryHost::new(host), salt)
    }

    /// It is written into labels: another way of making it, and every service
    /// seems to carry an old credential.
    #[test]
    fn it_is_the_same_for_ever() {
        let made = of(&password("me", "hunter2"), "ghcr.io", "cluster-1");
        // python3: hashlib.pbkdf2_hmac("sha256", b"hunter2", salt, 100000, 8)
        // with each of imgstack, password, ghcr.io, me, cluster-1 behind its
        // length in eight bytes.
        assert_eq!(made.as_str(), "bc6b6450cd58f516");
    }

    #[test]
    fn whatever_differs_shows_and_where_it_was_read_does_not() {
        let token = Identity::IdentityToken(SecretString::from("s3cret"));
        let all = [
            of(&password("me", "s3cret"), "a.test", "1"),
            of(&password("me", "s3cret2"), "a.test", "1"),
            of(&password("you", "s3cret"), "a.test", "1"),
            of(&password("me", "s3cret"), "b.test", "1"),
            of(&password("me", "s3cret"), "a.test", "2"),
            of(&password("me1", "s3cret"), "a.test", ""),
            of(&password("", "s3cret"), "a.test", "1"),
            of(&Credential::new(token, "a test"), "a.test", "1"),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let identity = password("me", "s3cret").identity().clone();
        let elsewhere = Credential::new(identity, "somewhere else");
        assert_eq!(of(&elsewhere, "a.test", "1"), all[0]);
        for made in &all {
            assert_eq!(made.as_str().len(), 2 * BYTES);
        }
    }

    /// A guess must cost something, and a run must not.
    #[test]
    fn it_takes_a_while() {
        let started = Instant::now();
        let _ = of(&password("me", "s3cret"), "a.test", "1");
        let took = started.elapsed();
        assert!(took.as_millis() >= 2, "{took:?}");
    }
}
