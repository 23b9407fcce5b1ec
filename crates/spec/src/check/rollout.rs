//! `rollout` of a service.

use std::time::Duration;

use super::{duration, gate};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{DurationText, Rollout, RolloutKeys};
use crate::model::{DEFAULT_TIMEOUT, FailureAction, LastIf, Probe, RolloutSettings, UpdateOrder};
use crate::near::nearest;
use crate::section::{At, Context};

/// What `rollout` says of a service.
pub(super) struct Checked {
    pub(super) settings: RolloutSettings,
    /// How long it may take to converge.
    pub(super) timeout: Duration,
    pub(super) probe: Option<Probe>,
    pub(super) last_if: Option<LastIf>,
}

/// What holds where nothing is said.
impl Default for Checked {
    fn default() -> Self {
        Self {
            settings: RolloutSettings::default(),
            timeout: DEFAULT_TIMEOUT,
            probe: None,
            last_if: None,
        }
    }
}

pub(super) fn read(Rollout(rollout): &Rollout, context: &mut Context<'_>) -> Checked {
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
    let message = "a task is watched for as long as the whole rollout may take";
    let limit = Limit { rollout, timeout };
    limit.check(
        "monitor",
        rollout.monitor.as_ref(),
        monitor,
        message,
        context,
    );
    let probe = rollout.probe.as_ref();
    let probe = probe.and_then(|probe| gate::probe(probe, &limit, context));
    let last_if = gate::last_if(rollout, &limit, context);
    Checked {
        settings: RolloutSettings {
            order,
            parallelism: rollout.parallelism.as_ref().map(|it| u64::from(it.0.value)),
            monitor,
            on_failure,
        },
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        probe,
        last_if,
    }
}

/// One of the language's words.
pub(super) fn word<T: Copy>(
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

/// How long the whole rollout may take.
pub(super) struct Limit<'d> {
    rollout: &'d RolloutKeys,
    /// None: not readable, which has been told.
    timeout: Option<Duration>,
}

impl Limit<'_> {
    /// What takes as long as the whole rollout may take never gets there. `key`
    /// is what a message calls it.
    pub(super) fn check(
        &self,
        key: &str,
        text: Option<&DurationText>,
        value: Option<Duration>,
        message: &str,
        context: &mut Context<'_>,
    ) {
        let (Some(text), Some(value), Some(timeout)) = (text, value, self.timeout) else {
            return;
        };
        if value < timeout {
            return;
        }
        let finding = Finding::new(Kind::Rollout, message).at(text.0.span, "never over in time");
        context.findings.push(match &self.rollout.timeout {
            Some(timeout) => finding
                .at(timeout.0.span, "the whole rollout")
                .help(format!("write a shorter `{key}`, or a longer `timeout`")),
            None => finding.help(format!(
                "write a shorter `{key}`, or a `timeout` above its default, `10m`"
            )),
        });
    }
}
