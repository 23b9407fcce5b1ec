//! What is known of the credentials for the registries of a stack.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use imgstack_planner::{Acceptance, Known, ObservedCredential, ObservedImage, Trouble};
use imgstack_registry::github::Expiry;
use imgstack_registry::oci::{Access, Checked, Client, CredentialCheck};
use imgstack_spec::{ImageName, ImageRef, RegistryHost, Stack};

/// Looks at the credential of every registry. The registries have been asked
/// for their images before, so this costs them no request; `cluster` is what
/// fingerprints are salted with.
pub(crate) async fn check(
    stack: &Stack,
    images: &BTreeMap<ImageName, ObservedImage>,
    cluster: &str,
    registry: &Client,
) -> BTreeMap<RegistryHost, ObservedCredential> {
    let images: Vec<ImageRef> = images.values().map(|it| it.reference.clone()).collect();
    let hosts: BTreeSet<&RegistryHost> = images.iter().map(|it| it.repository.host()).collect();
    let checks = hosts
        .into_iter()
        .map(|host| registry.check(host, &images, cluster));
    let checks = join_all(checks).await.into_iter();
    checks.filter_map(|check| observed(stack, check)).collect()
}

/// None without a credential; that its source could not be read has made the
/// images unknown, and is said there.
fn observed(stack: &Stack, check: CredentialCheck) -> Option<(RegistryHost, ObservedCredential)> {
    let credential = check.credential.ok().flatten()?;
    let named = stack.registry(&check.host);
    let accepted = check
        .access
        .into_iter()
        .map(|(repository, access)| (repository, acceptance(access)));
    let observed = ObservedCredential {
        named_by_spec: named.is_some_and(|it| it.password.is_some()),
        fingerprint: credential.fingerprint.to_string(),
        kind: credential.kind.map(|kind| kind.to_string()),
        expires: expires(&credential),
        scopes: credential.scopes().map(|it| it.iter().cloned().collect()),
        concerns: concerns(&credential),
        accepted: accepted.collect(),
        username: credential.username,
        source: credential.source,
    };
    Some((check.host, observed))
}

fn expires(credential: &Checked) -> Known<Option<jiff::Timestamp>> {
    match credential.expiry() {
        Expiry::At(end) => Known::Known(Some(end)),
        Expiry::NoneKnown => Known::Known(None),
        Expiry::Unknown(why) => Known::Unknown(Trouble::new(why)),
    }
}

fn concerns(credential: &Checked) -> Vec<Trouble> {
    let concerns = credential.concerns().into_iter();
    concerns
        .map(|concern| Trouble {
            why: concern.to_string(),
            hint: Some(concern.hint()),
        })
        .collect()
}

fn acceptance(access: Access) -> Acceptance {
    let trouble = |error: imgstack_registry::oci::Error| Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    };
    match access {
        Access::Accepted => Acceptance::Accepted,
        Access::NotNeeded => Acceptance::NotNeeded,
        Access::Rejected { cause, .. } | Access::Missing(cause) => {
            Acceptance::Refused(trouble(cause))
        }
        Access::Unknown(cause) => Acceptance::Unknown(trouble(cause)),
    }
}
