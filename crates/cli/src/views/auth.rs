//! The credentials: where they were read, whether registries take them, until
//! when, and which services carry them.

use std::collections::BTreeMap;
use std::fmt::Write;

use imgstack_planner::{
    Acceptance, Action, FORMAT_VERSION, Inventory, Known, Observed, ObservedCredential, Report,
    StackPlan, Trouble,
};
use imgstack_spec::policy::TagList;
use imgstack_spec::{RegistryHost, Repository, ServiceName};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::{beside, listed};
use super::plan::findings;
use super::style::{BAD, BOLD, DIM, GOOD, WARN, inline, paint, until};
use super::table::Table;

/// The label that tells which credential a service carries.
const CARRIED: &str = "dev.imgstack.credential";

/// What `auth check` shows, and prints as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthReport {
    format_version: &'static str,
    created_at: Timestamp,
    stacks: Vec<StackAuth>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StackAuth {
    name: String,
    endpoint: String,
    registries: Vec<RegistryAuth>,
    /// Services that `auth rotate` would change.
    to_rotate: usize,
    report: Report,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistryAuth {
    host: RegistryHost,
    /// None: whoever asks is nobody.
    credential: Option<ObservedCredential>,
    /// What the registry makes of whoever asks, for each repository.
    access: BTreeMap<Repository, Acceptance>,
    /// What each service of the stack with an image from there carries.
    services: BTreeMap<ServiceName, Carries>,
}

/// Which credential a service carries, by its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Carries {
    /// The one that was found now.
    This,
    /// Another one.
    Another,
    /// It was not imgstack that gave it one.
    Unknown,
}

impl AuthReport {
    pub(crate) fn of<'a>(
        created_at: Timestamp,
        stacks: impl Iterator<Item = (StackPlan, &'a Inventory)>,
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            created_at,
            stacks: stacks
                .map(|(plan, inventory)| stack(plan, inventory))
                .collect(),
        }
    }

    /// Whether every registry lets its credential in, or needs none.
    pub(crate) fn is_good(&self) -> bool {
        self.stacks.iter().all(|stack| {
            let mut access = stack.registries.iter().flat_map(|it| it.access.values());
            !stack.report.is_blocked()
                && access.all(|it| matches!(it, Acceptance::Accepted | Acceptance::NotNeeded))
        })
    }
}

fn stack(plan: StackPlan, inventory: &Inventory) -> StackAuth {
    let mut hosts: Vec<&RegistryHost> = Vec::new();
    for image in &plan.stack.images {
        if !hosts.contains(&image.repository.host()) {
            hosts.push(image.repository.host());
        }
    }
    let registries = hosts
        .into_iter()
        .map(|host| registry(host, &plan, inventory));
    let rotations = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::RotateCredential(_)));
    StackAuth {
        name: plan.stack.name.to_string(),
        endpoint: plan.endpoint.clone(),
        registries: registries.collect(),
        to_rotate: rotations.count(),
        report: plan.report,
    }
}

fn registry(host: &RegistryHost, plan: &StackPlan, inventory: &Inventory) -> RegistryAuth {
    let credential = inventory.credentials.get(host).cloned();
    let access = match &credential {
        Some(credential) => credential.accepted.clone(),
        None => anonymous(host, plan, inventory),
    };
    let mut services = BTreeMap::new();
    if let Known::Known(observed) = &inventory.services {
        for service in &plan.stack.services {
            let image = plan.stack.image(&service.image);
            let here = image.is_some_and(|image| image.repository.host() == host);
            let Some(found) = observed.get(&service.name).filter(|_| here) else {
                continue;
            };
            let carried = found.labels.get(CARRIED);
            let carries = match (carried, &credential) {
                (None, _) => Carries::Unknown,
                (Some(label), Some(own)) if *label == own.fingerprint => Carries::This,
                (Some(_), _) => Carries::Another,
            };
            services.insert(service.name.clone(), carries);
        }
    }
    RegistryAuth {
        host: host.clone(),
        credential,
        access,
        services,
    }
}

/// What became of asking without a credential.
fn anonymous(
    host: &RegistryHost,
    plan: &StackPlan,
    inventory: &Inventory,
) -> BTreeMap<Repository, Acceptance> {
    let images = plan
        .stack
        .images
        .iter()
        .filter(|image| image.repository.host() == host);
    images
        .filter_map(|image| {
            let observed = inventory.images.get(&image.name)?;
            let acceptance = match (&observed.digest, &observed.tags) {
                (Observed::Present(_), _) => Acceptance::NotNeeded,
                (_, Some(tags)) => match &tags.list {
                    // Whatever a policy makes of them.
                    TagList::Complete(_) => Acceptance::NotNeeded,
                    TagList::Incomplete(why) => Acceptance::Unknown(Trouble {
                        why: why.clone(),
                        hint: tags.hint.clone(),
                    }),
                },
                (Observed::Absent(trouble) | Observed::Unknown(trouble), None) => {
                    Acceptance::Unknown(trouble.clone())
                }
            };
            Some((image.repository.clone(), acceptance))
        })
        .collect()
}

/// Renders the tables.
pub(crate) fn render(report: &AuthReport) -> String {
    let mut out = String::new();
    for stack in &report.stacks {
        let title = paint(BOLD, format!("stack {}", stack.name));
        let _ = writeln!(out, "{}\n", beside(&title, &listed(&stack.endpoint), 4));
        let head = [
            "REGISTRY",
            "CREDENTIAL",
            "SOURCE",
            "ACCEPTED",
            "SCOPES",
            "EXPIRES",
            "CARRIED BY",
        ];
        let mut table = Table::new(head);
        for registry in &stack.registries {
            table.row(row(registry, report.created_at));
        }
        out.push_str(&table.render());
        out.push('\n');
        findings(&mut out, &stack.report);
        if stack.to_rotate > 0 {
            let what = match stack.to_rotate {
                1 => "1 service carries another credential".to_owned(),
                n => format!("{n} services carry another credential"),
            };
            let _ = writeln!(
                out,
                "{what}; to change that without a restart: imgstack auth rotate\n"
            );
        }
    }
    out
}

fn row(registry: &RegistryAuth, now: Timestamp) -> [String; 7] {
    let none = || paint(DIM, "–");
    let (who, source, scopes, expires) = match &registry.credential {
        None => (paint(DIM, "none"), none(), none(), none()),
        Some(credential) => (
            who(credential),
            inline(&credential.source),
            credential
                .scopes
                .as_ref()
                .map_or_else(none, |it| scopes(it)),
            match &credential.expires {
                Known::Known(Some(end)) if *end <= now => paint(BAD, until(*end, now)),
                Known::Known(Some(end)) => until(*end, now),
                Known::Known(None) => "no end known".to_owned(),
                Known::Unknown(_) => paint(DIM, "not known"),
            },
        ),
    };
    [
        registry.host.to_string(),
        who,
        source,
        accepted(&registry.access),
        scopes,
        expires,
        carried(&registry.services),
    ]
}

fn who(credential: &ObservedCredential) -> String {
    let name = credential.username.as_deref().unwrap_or("a token");
    match &credential.kind {
        Some(kind) => format!("{}, {kind}", inline(name)),
        None => inline(name),
    }
}

fn scopes(scopes: &[String]) -> String {
    match scopes.is_empty() {
        true => paint(WARN, "none"),
        false => inline(&scopes.join(" ")),
    }
}

fn accepted(access: &BTreeMap<Repository, Acceptance>) -> String {
    let count = |wanted: fn(&Acceptance) -> bool| access.values().filter(|it| wanted(it)).count();
    let refused = count(|it| matches!(it, Acceptance::Refused(_)));
    let unknown = count(|it| matches!(it, Acceptance::Unknown(_)));
    let all = access.len();
    match (refused, unknown) {
        (0, 0) if access.values().all(|it| *it == Acceptance::NotNeeded) => "not needed".to_owned(),
        (0, 0) => paint(GOOD, "yes"),
        (0, _) => paint(WARN, "not known"),
        (refused, _) if refused == all => paint(BAD, "no"),
        (refused, _) => paint(BAD, format!("not for {refused} of {all}")),
    }
}

fn carried(services: &BTreeMap<ServiceName, Carries>) -> String {
    let count = |wanted: Carries| services.values().filter(|it| **it == wanted).count();
    let (this, other, unknown) = (
        count(Carries::This),
        count(Carries::Another),
        count(Carries::Unknown),
    );
    let mut text = format!("{this} of {}", services.len());
    if other > 0 {
        let _ = write!(text, ", {}", paint(WARN, format!("{other} another")));
    }
    if unknown > 0 {
        let _ = write!(text, ", {unknown} not known");
    }
    text
}
