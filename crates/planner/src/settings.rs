//! Rollout settings: what of a service's `UpdateConfig` the spec has otherwise.
//!
//! The engine rolls an update out by the settings that come with it, so they
//! travel with the image. Where the image stays they are a step of their own,
//! which restarts nothing.

use imgstack_spec::{Address, RolloutSettings, Service};

use crate::inventory::{ObservedService, UpdateSettings};
use crate::report::{Code, Finding, Severity};
use crate::service::{finding, would_go_on};
use crate::step::{Action, AdjustService, Change, RotateCredential, SettingsChange, Step};

/// The settings as an update of the service leaves them.
pub(crate) fn wanted(spec: &RolloutSettings, has: &UpdateSettings) -> UpdateSettings {
    let monitor = spec
        .monitor
        .map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
    UpdateSettings {
        parallelism: spec.parallelism.unwrap_or(has.parallelism),
        order: spec.order.unwrap_or(has.order),
        monitor_ms: monitor.unwrap_or(has.monitor_ms),
        on_failure: spec.on_failure.unwrap_or(has.on_failure),
    }
}

/// What differs between the settings of a service and those that it is to have.
pub(crate) fn changes(spec: &RolloutSettings, has: &UpdateSettings) -> SettingsChange {
    let wanted = wanted(spec, has);
    SettingsChange {
        order: change(has.order, wanted.order),
        parallelism: change(has.parallelism, wanted.parallelism),
        monitor_ms: change(has.monitor_ms, wanted.monitor_ms),
        on_failure: change(has.on_failure, wanted.on_failure),
    }
}

fn change<T: PartialEq>(from: T, to: T) -> Option<Change<T>> {
    (from != to).then_some(Change { from, to })
}

/// Why the service must not get other settings now.
pub(crate) fn in_the_way(service: &Service, observed: &ObservedService) -> Option<Finding> {
    let (why, hint) = would_go_on(service, observed)?;
    let address = Address::Service(service.name.clone());
    let message = format!("keeps its rollout settings: {why}");
    Some(Finding {
        hint: Some(hint),
        ..finding(Severity::Blocked, Code::NotAdjusted, &address, message)
    })
}

/// The step that gives a service its settings, and the credential that is due
/// at the same time: after a second write the service would no longer be the
/// one that was planned for.
pub(crate) fn adjust(
    service: &Service,
    observed: &ObservedService,
    settings: SettingsChange,
    rotation: Option<(RotateCredential, String)>,
) -> Step {
    let mut reasons = vec![reason(&settings)];
    let (credential, labels) = match rotation {
        Some((rotate, reason)) => {
            reasons.push(reason);
            (Some(rotate.repository), rotate.labels)
        }
        None => Default::default(),
    };
    let action = Action::AdjustService(AdjustService {
        service: service.name.clone(),
        image: observed.image.clone(),
        settings,
        credential,
        labels,
    });
    Step::new(action, Vec::new(), reasons)
}

fn reason(settings: &SettingsChange) -> String {
    let keys = [
        ("order", settings.order.is_some()),
        ("parallelism", settings.parallelism.is_some()),
        ("monitor", settings.monitor_ms.is_some()),
        ("onFailure", settings.on_failure.is_some()),
    ];
    let keys = keys.iter().filter(|(_, differs)| *differs);
    let keys: Vec<String> = keys.map(|(key, _)| format!("`{key}`")).collect();
    format!("the spec asks for another {}", keys.join(", "))
}
