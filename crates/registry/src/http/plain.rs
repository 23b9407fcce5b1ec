//! Where plain http may be spoken.
//!
//! A registry on loopback may always be asked in plain http, another one when
//! the spec says `insecure: true`. That holds for what such a registry points
//! to, too (its token server, its storage), but a registry on loopback cannot
//! send anybody over the network in plain http. Such registries are asked in
//! plain http first; one that turns out to speak TLS is then asked in https,
//! with its certificate checked. All others are asked in https, and nowhere
//! else.

use imgstack_spec::{Registry, RegistryHost};
use reqwest::Url;

use super::transport::authority;

/// Whether and where a registry may make us speak plain http.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    /// Nowhere.
    Never,
    /// On this machine.
    Loopback,
    /// The spec allows it.
    Insecure,
}

impl PlainHttp {
    /// What holds for a registry.
    pub(crate) fn of(host: &RegistryHost, spec: Option<&Registry>) -> Self {
        if spec.is_some_and(|registry| registry.insecure) {
            Self::Insecure
        } else if host.is_loopback() {
            Self::Loopback
        } else {
            Self::Never
        }
    }

    /// Whether a URL that the registry named may be asked.
    pub(crate) fn allows(self, url: &Url) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => match self {
                Self::Never => false,
                Self::Loopback => RegistryHost::new(&authority(url)).is_loopback(),
                Self::Insecure => true,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_plain_http_is_allowed() {
        use PlainHttp::{Insecure, Loopback, Never};
        let table = [
            (Never, "https://a.test/x", true),
            (Never, "http://a.test/x", false),
            (Never, "http://127.0.0.1:5000/x", false),
            (Loopback, "http://127.0.0.1:5000/x", true),
            (Loopback, "http://[::1]:5000/x", true),
            (Loopback, "http://localhost/x", true),
            (Loopback, "http://a.test/x", false),
            (Loopback, "https://a.test/x", true),
            (Insecure, "http://a.test:5002/x", true),
            (Insecure, "file:///etc/passwd", false),
        ];
        for (plain, url, expected) in table {
            assert_eq!(
                plain.allows(&url.parse().unwrap()),
                expected,
                "{plain:?} {url}"
            );
        }
    }
}
