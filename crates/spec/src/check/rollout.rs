//! `rollout` of a service.

use std::time::Duration;

use super::duration;
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::Rollout;
use crate::model::{DEFAULT_TIMEOUT, FailureAction, RolloutSettings, UpdateOrder};
use crate::near::nearest;
use crate::section::{At, Context};

/// The settings of the service, and how long it may take to converge.
pub(super) fn read(rollout: &Rollout, context: &mut Context<'_>) -> (RolloutSettings, Duration) {
    let order = rollout.order.as_ref();
    let order = order.and_then(|it| word(&it.0, "order", &UpdateOrder::NAMES, context));
    let on_failure = rollout.on_failure.as_ref();
    let on_failure =
        on_failure.and_then(|it| word(&it.0, "onFailure", &FailureAction::NAMES, context));
    let monitor = rollout.monitor.as_ref();
    let monitor = monitor.and_then(|text| duration(&text.0, context));
    let timeout = match &rollout.timeout {
        Some(text) => duration(&text.0, context),
        None => Some(DEFAULT_TIMEOUT),
    };
    if let (Some(monitor), Some(timeout)) = (monitor, timeout) {
        ends_in_time(rollout, monitor, timeout, context);
    }
    let settings = RolloutSettings {
        order,
        parallelism: rollout.parallelism.as_ref().map(|it| u64::from(it.0.value)),
        monitor,
        on_failure,
    };
    (settings, timeout.unwrap_or(DEFAULT_TIMEOUT))
}

/// One of the engine's words.
fn word<T: Copy>(
    text: &At<String>,
    key: &str,
    names: &[(&'static str, T)],
    context: &mut Context<'_>,
) -> Option<T> {
    let mut known = names.iter();
    if let Some((_, meant)) = known.find(|(name, _)| *name == text.value) {
        return Some(*meant);
    }
    let message = format!("{} is nothing that `{key}` can be", quoted(&text.value));
    let finding = Finding::new(Kind::Rollout, message).at(text.span, "not known");
    let words = names.iter().map(|(name, _)| *name);
    context
        .findings
        .push(match nearest(&text.value, words.clone()) {
            near @ Some(_) => finding.did_you_mean(near),
            None => {
                let words: Vec<_> = words.map(|word| format!("`{key}: {word}`")).collect();
                finding.help(format!("write one of {}", words.join(", ")))
            }
        });
    None
}

/// A service that is watched for longer than it may take never gets there.
fn ends_in_time(
    rollout: &Rollout,
    monitor: Duration,
    timeout: Duration,
    context: &mut Context<'_>,
) {
    let Some(text) = rollout.monitor.as_ref().filter(|_| monitor >= timeout) else {
        return;
    };
    let message = "a task is watched for as long as the whole rollout may take";
    let finding = Finding::new(Kind::Rollout, message).at(text.0.span, "never over in time");
    context.findings.push(match &rollout.timeout {
        Some(timeout) => finding
            .at(timeout.0.span, "the whole rollout")
            .help("write a shorter `monitor`, or a longer `timeout`"),
        None => finding.help("write a shorter `monitor`, or a `timeout` above its default, `10m`"),
    });
}
