//! Versions of container packages: the manifests of the registry.

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::GitHub;
use super::access::Token;
use super::dates::written;
use super::reply::{Page, Reply, refuse};
use super::store::State;
use super::views::id_of;
use crate::Asked;
use crate::registry::{Registry, Version};

impl GitHub {
    /// `/{users|orgs}/{owner}/packages/container/{name}/versions`
    pub(super) fn versions(
        &self,
        state: &State,
        asked: &Asked,
        base: &str,
        caller: Option<&Token>,
        (kind, owner): (&str, &str),
        encoded: &str,
    ) -> Result<Reply, Reply> {
        if asked.method != Method::GET {
            return Err(refuse(404, "Not Found"));
        }
        let token = caller.ok_or_else(|| refuse(401, "Requires authentication"))?;
        token.reads_packages()?;
        // A name that is not encoded is another path, and so leads nowhere.
        let name = percent_decode_str(encoded).decode_utf8_lossy();
        let organization = state.members.contains_key(owner);
        let path = format!("{owner}/{name}").to_lowercase();
        let registry = self.0.packages.as_ref();
        let versions = registry.and_then(|registry| registry.versions(&path));
        let reads = state.belongs(&token.login, owner)
            || registry.is_some_and(|registry: &Registry| registry.is_public(&path));
        let versions = versions.filter(|_| reads && organization == (kind == "orgs"));
        let versions = versions.ok_or_else(|| refuse(404, "Package not found."))?;
        let encoded = utf8_percent_encode(&name, NON_ALPHANUMERIC).to_string();
        let place = format!("{kind}/{owner}/packages/container");
        let row = |version: &Version| -> Value {
            let (id, pushed) = (id_of(&version.digest), written(version.pushed));
            json!({
                "id": id,
                "name": version.digest,
                "url": format!("{base}/{place}/{encoded}/versions/{id}"),
                "html_url": format!("https://github.com/{place}/{encoded}/{id}"),
                "package_html_url": format!("https://github.com/{place}/package/{encoded}"),
                "created_at": pushed,
                "updated_at": pushed,
                "metadata": {"package_type": "container", "container": {"tags": version.tags}},
            })
        };
        let rows = versions.iter().map(row).collect();
        Ok(Page::of(asked, base, rows).reply(None))
    }
}
