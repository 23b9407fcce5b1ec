//! What the world recorded of an apply is what the plan predicted: these
//! services, these fields, these tasks, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_executor::StepOutcome;
use imgstack_planner::{Action, Change, SettingsChange, StepId, UpdateService};
use serde_json::Value;

use crate::claims::{Day, steps, steps_of, with_settings};
use crate::truth::{self, Truth};

/// Compares every service before and after.
#[track_caller]
pub fn are_those_planned(day: &Day<'_>) {
    let planned = steps_of(day.plan);
    // Tasks of a bad build come and go whether or not there is a plan.
    let sound = day.world.design.is_sound();
    for (name, before) in &day.before.services {
        if !planned.contains_key(name.as_str()) {
            let after = &day.after.services[name];
            let rotated = rotated(day, name);
            let adjusted = adjusted(day, name);
            // Tasks that do not run yet are made anew for another credential,
            // and the engine goes back with it when they fail.
            let went_back = rotated.is_some() && after.state.starts_with("rollback");
            let expected = match went_back {
                true => before.spec.clone(),
                false => {
                    let adjusted = adjusted.map(|it| with_settings(&before.spec, it));
                    with_labels(adjusted.as_ref().unwrap_or(&before.spec), rotated)
                }
            };
            assert_eq!(text(&after.spec), text(&expected), "nobody planned it");
            if sound && day.before.is_calm(before, 30) {
                assert_eq!(after.tasks, before.tasks, "{name}: nobody planned it");
            }
        }
    }
    for update in steps(day.plan).filter(|it| is_done(day, &StepId::update(&it.service))) {
        let name = update.service.as_str();
        let (before, after) = (&day.before.services[name], &day.after.services[name]);
        fields(update, before, after);
        platforms(day, update, before, after);
        if sound && day.before.is_calm(before, 30) {
            tasks(day.before, update, before, after);
        }
    }
}

/// Exactly the fields that were named have changed: all other bytes are the
/// same.
#[track_caller]
fn fields(update: &UpdateService, before: &truth::Service, after: &truth::Service) {
    let mut expected = before.spec.clone();
    expected["TaskTemplate"]["ContainerSpec"]["Image"] = update.image.to.clone().into();
    expected = with_labels(&expected, Some(&update.labels));
    if update.platforms.is_some() {
        let now = after.spec["TaskTemplate"]["Placement"]["Platforms"].clone();
        expected["TaskTemplate"]["Placement"]["Platforms"] = now;
    }
    expected = with_settings(&expected, &update.settings);
    assert_eq!(text(&after.spec), text(&expected));
}

fn is_done(day: &Day<'_>, id: &StepId) -> bool {
    let mut steps = day.applied.outcome.steps.iter();
    steps.any(|(step, ended)| step == id && *ended == StepOutcome::Done)
}

/// The labels of a service that was given a credential or settings.
fn rotated<'a>(day: &'a Day<'_>, name: &str) -> Option<&'a Labels> {
    day.plan.steps.iter().find_map(|step| match &step.action {
        Action::RotateCredential(rotate) if rotate.service.as_str() == name => {
            is_done(day, &step.id).then_some(&rotate.labels)
        }
        Action::AdjustService(adjust) if adjust.service.as_str() == name => {
            is_done(day, &step.id).then_some(&adjust.labels)
        }
        _ => None,
    })
}

/// The settings that a service was given without an image.
fn adjusted<'a>(day: &'a Day<'_>, name: &str) -> Option<&'a SettingsChange> {
    day.plan.steps.iter().find_map(|step| match &step.action {
        Action::AdjustService(adjust) if adjust.service.as_str() == name => {
            is_done(day, &step.id).then_some(&adjust.settings)
        }
        _ => None,
    })
}

type Labels = BTreeMap<String, Change<Option<String>>>;

#[track_caller]
fn with_labels(spec: &Value, labels: Option<&Labels>) -> Value {
    let mut spec = spec.clone();
    for (label, change) in labels.into_iter().flatten() {
        assert!(label.starts_with("dev.imgstack."), "{label}");
        assert_eq!(
            spec["Labels"][label].as_str(),
            change.from.as_deref(),
            "{label}"
        );
        match (&change.to, spec["Labels"].as_object_mut()) {
            (None, Some(all)) => drop(all.remove(label)),
            (to, _) => spec["Labels"][label] = to.clone().into(),
        }
    }
    spec
}

/// Platforms that were written down are those of the build.
#[track_caller]
fn platforms(
    day: &Day<'_>,
    update: &UpdateService,
    before: &truth::Service,
    after: &truth::Service,
) {
    let design = &day.world.design;
    let mut services = design.services.iter();
    let service = services
        .find(|it| it.name == update.service.as_str())
        .unwrap();
    let build = &design.images[service.image].builds[design.wanted(service.image).unwrap()];
    let of_build = build.architectures.iter().map(|it| format!("linux/{it}"));
    let follows = !before.platforms().is_empty() && update.image.from != update.image.to;
    let expected: BTreeSet<String> = match follows {
        true => of_build.collect(),
        false => before.platforms(),
    };
    assert_eq!(after.platforms(), expected, "{update:#?}");
    let told = update.platforms.is_some();
    assert_eq!(
        told,
        follows && before.platforms() != expected,
        "{update:#?}"
    );
}

/// As many tasks were replaced as was said, and on those nodes.
#[track_caller]
fn tasks(truth: &Truth, update: &UpdateService, before: &truth::Service, after: &truth::Service) {
    let still = |task: &truth::Task| after.tasks.iter().any(|it| it.id == task.id);
    let gone: Vec<&truth::Task> = before.tasks.iter().filter(|task| !still(task)).collect();
    let nodes: BTreeSet<&str> = gone
        .iter()
        .filter_map(|task| task.node.as_deref())
        .collect();
    let says = format!("{update:#?} {before:#?} {after:#?} {:#?}", truth.nodes);
    assert_eq!(gone.len() as u64, update.restarts.tasks, "{says}");
    assert!(
        update.restarts.nodes.iter().map(|it| it.as_str()).eq(nodes),
        "{says}"
    );
    let was = |task: &&truth::Task| before.tasks.iter().any(|it| it.id == task.id);
    let new = after.tasks.iter().filter(|task| !was(task)).count();
    // A start-first update that was paused leaves two tasks in one place.
    let doubled = before.tasks.len() > truth.desired(before);
    assert!(doubled || new == gone.len(), "{says}");
}

fn text(value: &Value) -> String {
    value.to_string()
}
