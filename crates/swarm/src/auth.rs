//! The credential that a service's nodes will pull with.

use std::fmt;

use reqwest::header::{HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

/// A credential as a service update carries it. The Swarm stores it with the
/// service, and each task's node pulls with it; an update without one keeps the
/// one that is stored.
#[derive(Clone)]
pub struct RegistryAuth(HeaderValue);

impl RegistryAuth {
    /// Takes the value of `X-Registry-Auth`: JSON in URL-safe base64.
    ///
    /// # Errors
    /// When it is not the value of any header, and so no base64.
    pub fn encoded(header: &SecretString) -> Result<Self, InvalidHeaderValue> {
        let mut header = HeaderValue::from_str(header.expose_secret())?;
        // No Debug shows it, and HTTP/2 does not index it.
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Takes the stored credential away: nodes pull as anybody does. As docker's
    /// own client says it: an empty object.
    #[must_use]
    pub fn nobody() -> Self {
        Self(HeaderValue::from_static("e30="))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryAuth(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::RegistryAuth;

    #[test]
    fn nothing_shows_the_secret() {
        let auth = RegistryAuth::encoded(&"aHVudGVyMg==".into()).unwrap();
        assert_eq!(format!("{auth:?}"), "RegistryAuth(…)");
        assert_eq!(format!("{:?}", auth.header()), "Sensitive");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert!(RegistryAuth::encoded(&"a\nb".into()).is_err());
    }
}
