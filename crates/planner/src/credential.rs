//! Credentials: what is to be said of them, and which services carry another.
//!
//! The Swarm keeps the credential that came with the last update of a service
//! and never tells it; its nodes pull with that one, however old it is. So the
//! labels of a service say which it is, by its fingerprint, and until when it
//! is good.

use std::collections::BTreeMap;

use imgstack_spec::{
    Address, DEFAULT_WARN_BEFORE_EXPIRY, Image, RegistryHost, Repository, Service, Stack,
};
use jiff::{SignedDuration, Timestamp};

use crate::inventory::{Acceptance, ObservedCredential, ObservedService};
use crate::report::{Code, Finding, Severity};
use crate::service::{finding, must_not_be_touched, observed, would_go_on};
use crate::step::{Change, RotateCredential};
use crate::target::Scope;
use crate::{Inventory, Known, Observed};

/// The fingerprint of the credential that a service carries.
pub(crate) const CREDENTIAL_LABEL: &str = "dev.imgstack.credential";
/// Until when that credential is good.
const EXPIRES_LABEL: &str = "dev.imgstack.credential-expires";
/// The labels of a service that speak of the credential that it carries.
pub const CREDENTIAL_LABELS: [&str; 2] = [CREDENTIAL_LABEL, EXPIRES_LABEL];

/// What the labels of a service say once an update of it has carried the
/// credential for that repository; a label without a value goes.
pub(crate) fn labels(
    repository: &Repository,
    observed: &ObservedService,
    inventory: &Inventory,
) -> BTreeMap<String, Option<String>> {
    let Some(credential) = inventory.credentials.get(repository.host()) else {
        return BTreeMap::new();
    };
    match credential.accepted.get(repository) {
        Some(Acceptance::Accepted) => of(credential, observed),
        // Such an update takes the stored one away.
        Some(Acceptance::Refused(_)) => of_nobody(),
        Some(Acceptance::NotNeeded | Acceptance::Unknown(_)) | None => BTreeMap::new(),
    }
}

fn of(
    credential: &ObservedCredential,
    observed: &ObservedService,
) -> BTreeMap<String, Option<String>> {
    let fingerprint = &credential.fingerprint;
    let mut labels = BTreeMap::from([(CREDENTIAL_LABEL.to_owned(), Some(fingerprint.clone()))]);
    let same = observed.labels.get(CREDENTIAL_LABEL) == Some(fingerprint);
    let expires = match credential.expires {
        Known::Known(expires) => expires.map(|it| it.to_string()),
        // What was known of it once still holds.
        Known::Unknown(_) if same => return labels,
        Known::Unknown(_) => None,
    };
    labels.insert(EXPIRES_LABEL.to_owned(), expires);
    labels
}

fn of_nobody() -> BTreeMap<String, Option<String>> {
    CREDENTIAL_LABELS
        .map(|label| (label.to_owned(), None))
        .into()
}

/// The labels among `wanted` that the service does not have like that.
pub(crate) fn changes(
    wanted: BTreeMap<String, Option<String>>,
    observed: &ObservedService,
) -> BTreeMap<String, Change<Option<String>>> {
    let changes = wanted.into_iter().map(|(key, to)| {
        let from = observed.labels.get(&key).cloned();
        (key, Change { from, to })
    });
    changes
        .filter(|(_, change)| change.from != change.to)
        .collect()
}

/// What puts the credential into a service which carries another, and why.
///
/// Only a credential that the spec names is put in by itself: with everybody's
/// own, two people would undo each other's plans. `forced` asks for it anyway.
pub(crate) fn rotation(
    stack: &Stack,
    image: &Image,
    service: &Service,
    inventory: &Inventory,
    forced: bool,
) -> Option<(RotateCredential, String)> {
    let observed = observed(inventory, &service.name)?;
    let host = image.repository.host();
    let credential = inventory.credentials.get(host)?;
    let carried = observed.labels.get(CREDENTIAL_LABEL);
    if !credential.is_accepted_for(&image.repository) || carried == Some(&credential.fingerprint) {
        return None;
    }
    let ends: Option<Timestamp> = observed
        .labels
        .get(EXPIRES_LABEL)
        .and_then(|date| date.parse().ok());
    let soon = ends.is_some_and(|ends| is_near(ends, host, stack, inventory));
    if !(forced || credential.named_by_spec || soon) {
        return None;
    }
    let rotate = RotateCredential {
        service: service.name.clone(),
        repository: image.repository.clone(),
        image: observed.image.clone(),
        labels: changes(of(credential, observed), observed),
    };
    let reason = match (carried, ends) {
        (None, _) => "which credential it carries is not known".to_owned(),
        (Some(_), Some(ends)) => format!(
            "carries another credential than {}, which {}",
            credential.source,
            end(ends, inventory.observed_at)
        ),
        (Some(_), None) => format!("carries another credential than {}", credential.source),
    };
    Some((rotate, reason))
}

/// Images whose registry lets nobody in with the credential that was found, or
/// for which none could be looked up: a rotation that was asked for and cannot
/// be done. A credential that is not needed is not missed.
pub(crate) fn not_usable(scope: Scope<'_>, inventory: &Inventory) -> Vec<Finding> {
    let unusable = scope.images().filter_map(|image| {
        let host = image.repository.host();
        let trouble = match inventory.credentials.get(host) {
            Some(credential) => match credential.accepted.get(&image.repository)? {
                Acceptance::Accepted | Acceptance::NotNeeded => return None,
                Acceptance::Refused(trouble) | Acceptance::Unknown(trouble) => trouble,
            },
            None => {
                let asked = inventory.images.get(&image.name)?;
                match &asked.digest {
                    Observed::Present(_) | Observed::Absent(_) => return None,
                    // The registry has told its tags, though the policy
                    // chooses none of them.
                    Observed::Unknown(_) if asked.has_all_tags() => return None,
                    Observed::Unknown(trouble) => trouble,
                }
            }
        };
        let users = scope.stack.services.iter();
        let users = users.filter(|service| service.image == image.name);
        Some(Finding {
            hint: trouble.hint.clone(),
            blocks: users.map(|it| Address::Service(it.name.clone())).collect(),
            ..finding(
                Severity::Blocked,
                Code::NotRotated,
                &Address::Registry(host.clone()),
                trouble.why.clone(),
            )
        })
    });
    unusable.collect()
}

/// Why the service must not get another credential now.
pub(crate) fn in_the_way(service: &Service, inventory: &Inventory) -> Option<Finding> {
    let address = Address::Service(service.name.clone());
    let observed = observed(inventory, &service.name)?;
    if let Some(blocked) = must_not_be_touched(&service.name, observed) {
        return Some(blocked);
    }
    let not_now = |(why, hint): (&str, String)| Finding {
        hint: Some(hint),
        ..finding(
            Severity::Blocked,
            Code::NotRotated,
            &address,
            format!("keeps its credential: {why}"),
        )
    };
    if let Some(half_way) = would_go_on(service, observed) {
        return Some(not_now(half_way));
    }
    // The Swarm overlooks other rules of placement in tasks that run, and another
    // credential; both together it takes for a change.
    let name = &service.name;
    observed.tasks.iter().any(|task| !task.as_asked).then(|| {
        not_now((
            "its tasks are not what it asks for now, and a write would restart them",
            format!("restart them when it suits: docker service update --force {name}; then: imgstack auth rotate"),
        ))
    })
}

/// What is to be said of the credentials for the images of the scope.
pub(crate) fn report(scope: Scope<'_>, inventory: &Inventory) -> Vec<Finding> {
    let credentials = inventory.credentials.iter();
    credentials
        .filter(|(host, _)| scope.images().any(|image| image.repository.host() == *host))
        .flat_map(|(host, credential)| one(host, credential, scope.stack, inventory))
        .collect()
}

fn one(
    host: &RegistryHost,
    credential: &ObservedCredential,
    stack: &Stack,
    inventory: &Inventory,
) -> Vec<Finding> {
    let say = |code, message: String, hint: Option<String>| Finding {
        hint,
        ..finding(
            Severity::Attention,
            code,
            &Address::Registry(host.clone()),
            message,
        )
    };
    let concerns = credential.concerns.iter();
    let mut findings: Vec<Finding> = concerns
        .map(|it| say(Code::CredentialConcern, it.why.clone(), it.hint.clone()))
        .collect();
    if let Known::Known(Some(ends)) = credential.expires
        && is_near(ends, host, stack, inventory)
    {
        findings.push(say(
            Code::CredentialExpires,
            format!(
                "the credential from {} {}",
                credential.source,
                end(ends, inventory.observed_at)
            ),
            Some("put a new one in its place, then: imgstack auth rotate".to_owned()),
        ));
    }
    findings
}

fn is_near(ends: Timestamp, host: &RegistryHost, stack: &Stack, inventory: &Inventory) -> bool {
    let before = stack
        .registry(host)
        .map_or(DEFAULT_WARN_BEFORE_EXPIRY, |it| it.warn_before_expiry);
    let before = SignedDuration::try_from(before).unwrap_or(SignedDuration::MAX);
    ends.duration_since(inventory.observed_at) <= before
}

/// "expires in 9 days, on 2026-12-03", "expired on 2026-11-03".
fn end(ends: Timestamp, now: Timestamp) -> String {
    let date = ends.strftime("%Y-%m-%d");
    let hours = ends.duration_since(now).as_hours();
    match hours {
        _ if ends <= now => format!("expired on {date}"),
        0 => format!("expires within the hour, at {}", ends.strftime("%H:%M UTC")),
        1..48 => format!("expires in {hours} h, on {date}"),
        _ => format!("expires in {} days, on {date}", hours / 24),
    }
}
