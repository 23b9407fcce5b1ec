//! Tokens as Distribution verifies them: ES256, with the certificate in `x5c`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;

use super::TokenServerError;
use super::rights::Access;

/// What a token says.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) service: &'a str,
    pub(super) account: Option<&'a str>,
    /// Seconds from now.
    pub(super) expires_in: u64,
    pub(super) granted: &'a [Access],
}

pub(super) struct Signer {
    key: EcdsaKeyPair,
    /// Base64 of the certificate's DER.
    certificate: String,
    random: SystemRandom,
}

impl Signer {
    pub(super) fn read(key: &Path, certificate: &Path) -> Result<Self, TokenServerError> {
        let failed = |path: &Path, reason: String| TokenServerError::Key {
            path: path.to_owned(),
            reason,
        };
        let random = SystemRandom::new();
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_file(key)
            .map_err(|error| failed(key, error.to_string()))?;
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            pkcs8.secret_pkcs8_der(),
            &random,
        )
        .map_err(|error| failed(key, error.to_string()))?;
        let der = CertificateDer::from_pem_file(certificate)
            .map_err(|error| failed(certificate, error.to_string()))?;
        Ok(Self {
            key: pair,
            certificate: STANDARD.encode(der),
            random,
        })
    }

    pub(super) fn token(&self, claims: &Claims<'_>) -> Result<String, String> {
        let now = jiff::Timestamp::now().as_second();
        let lifetime = i64::try_from(claims.expires_in).unwrap_or(i64::MAX);
        let mut id = [0; 16];
        self.random
            .fill(&mut id)
            .map_err(|_| "no random bytes".to_owned())?;
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let payload = json!({
            "iss": claims.issuer,
            "sub": claims.account.unwrap_or_default(),
            "aud": claims.service,
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(lifetime),
            "jti": URL_SAFE_NO_PAD.encode(id),
            "access": claims.granted,
        });
        let signed = format!("{}.{}", encoded(&header), encoded(&payload));
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| "cannot sign".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn encoded(value: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
