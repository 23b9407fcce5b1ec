//! Where a host is really asked, if not at its own address.
//!
//! `IMGSTACK_ENDPOINTS=ghcr.io=http://127.0.0.1:4000,api.github.com=…` sends
//! the requests for a host to a port of this machine: to a simulated world, or
//! through a tunnel. Loopback alone is allowed, since credentials go there.

use std::collections::BTreeMap;

use imgstack_spec::RegistryHost;
use reqwest::Url;

use super::transport::authority;

/// Hosts that are asked elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<String, Url>);

/// Why a list of endpoints cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` in {variable} {reason}", variable = Endpoints::VARIABLE)]
pub struct EndpointsError {
    entry: String,
    reason: &'static str,
}

impl Endpoints {
    /// The environment variable.
    pub const VARIABLE: &str = "IMGSTACK_ENDPOINTS";

    /// Reads `host=url,host=url`.
    ///
    /// # Errors
    /// An entry is not of that form, or leads away from this machine.
    pub fn parse(text: &str) -> Result<Self, EndpointsError> {
        let entries = text.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        entries.map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Where a host is asked instead; ends with a slash.
    pub(crate) fn of(&self, host: &RegistryHost) -> Option<&Url> {
        self.0.get(host.as_str())
    }
}

fn entry(text: &str) -> Result<(String, Url), EndpointsError> {
    let error = |reason| EndpointsError {
        entry: text.to_owned(),
        reason,
    };
    let form = "is not of the form HOST=URL";
    let (host, url) = text.split_once('=').ok_or_else(|| error(form))?;
    let url: Url = url.parse().map_err(|_| error(form))?;
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(error(form));
    }
    if !RegistryHost::new(&authority(&url)).is_loopback() {
        return Err(error(
            "is not an address of this machine, such as 127.0.0.1",
        ));
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(error("has more than a scheme, an address and a port"));
    }
    Ok((host.to_owned(), url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_alone_may_stand_in_for_a_host() {
        let good =
            Endpoints::parse("ghcr.io=http://127.0.0.1:4000, a.test=https://[::1]/,").unwrap();
        let of = |host| good.of(&RegistryHost::new(host)).map(Url::as_str);
        assert_eq!(of("ghcr.io"), Some("http://127.0.0.1:4000/"));
        assert_eq!(of("a.test"), Some("https://[::1]/"));
        assert_eq!(of("docker.io"), None);
        for bad in [
            "ghcr.io",
            "ghcr.io=",
            "ghcr.io=127.0.0.1:4000",
            "=http://127.0.0.1:4000",
            "ghcr.io=http://evil.test:4000",
            "ghcr.io=http://127.0.0.1.evil.test",
            "ghcr.io=http://127.0.0.1:4000/v2/",
            "ghcr.io=http://me:secret@127.0.0.1:4000",
            "ghcr.io=file:///etc/passwd",
        ] {
            assert!(Endpoints::parse(bad).is_err(), "{bad}");
        }
    }
}
