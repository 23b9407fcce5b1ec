//! Where a host is really asked, if not at its own address.
//!
//! `IMGSTACK_ENDPOINTS=ghcr.io=http://127.0.0.1:4000,api.github.com=…` sends
//! the requests for a host to a port of this machine: to a simulated world, or
//! through a tunnel. Loopback alone is allowed, since credentials go there.

use std::collections::BTreeMap;

use imgstack_spec::RegistryHost;
use reqwest::Url;

use super::transport::authority;

/// Where GitHub's API is.
const GITHUB: &str = "api.github.com";

/// Hosts that are asked elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<String, Url>);

/// Why a list of endpoints cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry} {reason}")]
pub struct EndpointsError {
    /// Which one, in words. A URL may hold a password, so none is repeated.
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
        let entries = entries.enumerate();
        let entries = entries.map(|(index, text)| entry(index + 1, text));
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// With GitHub's API asked at that URL, as `GITHUB_API_URL` names it: a
    /// company has a server of its own. What is said for GitHub already stays.
    ///
    /// # Errors
    /// It is no URL, or tokens would go there without TLS.
    pub fn with_github(mut self, url: &str) -> Result<Self, EndpointsError> {
        let error = |reason| EndpointsError {
            entry: "the URL of GitHub's API".to_owned(),
            reason,
        };
        let mut url: Url = url.parse().map_err(|_| error("is not a URL"))?;
        let near = RegistryHost::new(&authority(&url)).is_loopback();
        match url.scheme() {
            "https" => {}
            "http" if near => {}
            _ => return Err(error("is not https")),
        }
        if url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(error("has more than an address and a path"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        if url.as_str() != format!("https://{GITHUB}/") {
            self.0.entry(GITHUB.to_owned()).or_insert(url);
        }
        Ok(self)
    }

    /// Whether requests to that host go elsewhere.
    #[must_use]
    pub fn moves(&self, host: &RegistryHost) -> bool {
        self.of(host).is_some()
    }

    /// Where a host is asked instead; ends with a slash.
    pub(crate) fn of(&self, host: &RegistryHost) -> Option<&Url> {
        self.0.get(host.as_str())
    }
}

fn entry(number: usize, text: &str) -> Result<(String, Url), EndpointsError> {
    let form = "is not of the form HOST=URL";
    let (host, url) = text.split_once('=').ok_or_else(|| EndpointsError {
        entry: format!("entry {number} in {}", Endpoints::VARIABLE),
        reason: form,
    })?;
    let error = |reason| EndpointsError {
        entry: match host.parse::<RegistryHost>() {
            Ok(host) => format!("the entry for `{host}` in {}", Endpoints::VARIABLE),
            Err(_) => format!("entry {number} in {}", Endpoints::VARIABLE),
        },
        reason,
    };
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

    #[test]
    fn github_may_be_at_a_company() {
        let table = [
            ("https://api.github.com", None),
            ("https://api.github.com/", None),
            (
                "https://ghe.acme.test/api/v3",
                Some("https://ghe.acme.test/api/v3/"),
            ),
            ("http://127.0.0.1:4000", Some("http://127.0.0.1:4000/")),
        ];
        for (url, expected) in table {
            let endpoints = Endpoints::default().with_github(url).unwrap();
            let found = endpoints.of(&RegistryHost::new(GITHUB)).map(Url::as_str);
            assert_eq!(found, expected, "{url}");
        }
        for bad in [
            "",
            "ghe.acme.test",
            "http://ghe.acme.test/api/v3",
            "https://me:hunter2@ghe.acme.test",
            "https://ghe.acme.test/?a=b",
        ] {
            let error = Endpoints::default()
                .with_github(bad)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        // Who stands in for GitHub goes on to.
        let text = "api.github.com=http://127.0.0.1:4000";
        let standing = Endpoints::parse(text).unwrap();
        let both = standing.clone().with_github("https://ghe.acme.test/api/v3");
        assert_eq!(both.unwrap(), standing);
    }

    #[test]
    fn an_error_names_the_entry_and_no_password() {
        for (bad, entry) in [
            (
                "ghcr.io=http://me:hunter2@127.0.0.1:4000",
                "the entry for `ghcr.io`",
            ),
            (
                "a.test=http://127.0.0.1:1,http://me:hunter2@127.0.0.1",
                "entry 2",
            ),
            ("http://me:hunter2@127.0.0.1?a=b", "entry 1"),
        ] {
            let error = Endpoints::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(entry), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
