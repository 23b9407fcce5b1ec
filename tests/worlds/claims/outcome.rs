//! What an apply says: what is done is done, what is not begun is untouched,
//! and a failure is the one that it is called.

use std::collections::BTreeMap;

use imgstack_executor::{BackState, Event, Failure, FailureKind, StepOutcome, Whose};
use imgstack_planner::{Action, PullImage, StackPlan, Step, StepId, UpdateService};
use imgstack_spec::ImageRef;
use jiff::SignedDuration;
use serde_json::Value;

use super::{Held, steps_of};
use crate::order;
use crate::tally::shows;
use crate::truth::{self, Truth};
use crate::world::{Applied, World};

/// The label that says which plan has written a service.
const PLAN_LABEL: &str = "dev.imgstack.plan";
/// What services that make nodes pull are called.
const PREPULL: &str = "imgstack-prepull-";

/// One apply, and what was so before and after it.
pub struct Day<'a> {
    pub world: &'a World,
    pub plan: &'a StackPlan,
    pub before: &'a Truth,
    pub applied: &'a Applied,
    pub after: &'a Truth,
    /// A service that somebody else changed at the same time.
    pub meddled: Option<&'a str>,
    /// The manager may have been out of sight or hearing.
    pub trouble: bool,
    /// Answers took their time, so what was said may have been so a while ago.
    pub delayed: bool,
    /// Nodes may fail to pull.
    pub ill: bool,
    /// A node that lost meanwhile what no container of it uses.
    pub pruned: Option<&'a str>,
    /// Somebody asked to stop.
    pub stopped: bool,
}

/// Holds everything that was told against the world.
#[track_caller]
pub fn outcome_is_true(day: &Day<'_>) {
    let outcome = &day.applied.outcome;
    let ids = outcome.steps.iter().map(|(id, _)| id);
    assert!(ids.eq(day.plan.steps.iter().map(|step| &step.id)));
    assert!(day.stopped || !outcome.interrupted, "{outcome:?}");
    let ended: BTreeMap<&StepId, StepOutcome> = outcome
        .steps
        .iter()
        .map(|(id, ended)| (id, *ended))
        .collect();
    nothing_begins_after_a_failure(day);
    for step in &day.plan.steps {
        let ended = ended[&step.id];
        let waits = needs_are_met(day, step);
        assert!(
            waits || ended == StepOutcome::NotStarted,
            "{step:#?} {outcome:#?}"
        );
        match (&step.action, ended) {
            (Action::UpdateService(update), _) => update_is_true(day, step, update, ended),
            (Action::AdjustService(adjust), _) => {
                write_is_true(day, step, adjust.service.as_str(), &adjust.image, ended);
            }
            (Action::RotateCredential(rotate), _) => {
                write_is_true(day, step, rotate.service.as_str(), &rotate.image, ended);
            }
            (Action::PullImage(pull), _) => pull_is_true(day, step, pull, ended),
            (Action::RemoveLeftover(left), StepOutcome::Done) => {
                assert!(!day.after.services.contains_key(left.service.as_str()));
            }
            (Action::RemoveLeftover(_), _) => {}
            (Action::LogIn(_) | Action::RemoveImage(_), _) => panic!("nobody asked: {step:#?}"),
        }
    }
    nothing_is_left_behind(day);
}

/// The first service that fails stops all that are not begun.
#[track_caller]
fn nothing_begins_after_a_failure(day: &Day<'_>) {
    let of_service = |id: &StepId| {
        let mut steps = day.plan.steps.iter();
        steps.any(|step| step.id == *id && step.action.service().is_some())
    };
    let told = day.applied.told.iter();
    let mut rest = told.skip_while(|(event, _)| match event {
        Event::StepFailed { step, .. } => !of_service(step),
        _ => true,
    });
    let begun = |event: &Event| match event {
        Event::StepStarted { step, .. } => of_service(step),
        _ => false,
    };
    let goes_on = rest.any(|(event, _)| begun(event));
    assert!(!goes_on, "{:#?}", self::told(day));
}

/// Whether all that a step needs was done before it was begun.
fn needs_are_met(day: &Day<'_>, step: &Step) -> bool {
    let told = |id: &StepId, end: bool| {
        let mut told = day.applied.told.iter();
        told.position(|(event, _)| match event {
            Event::StepSucceeded { step, .. } => end && step == id,
            Event::StepStarted { step, .. } => !end && step == id,
            _ => false,
        })
    };
    let Some(begun) = told(&step.id, false) else {
        return false;
    };
    let mut after = step.after.iter();
    after.all(|id| told(id, true).is_some_and(|done| done < begun))
}

/// A service that makes nodes pull is gone afterwards, unless it was told that
/// it is not, or nobody could see to it.
#[track_caller]
fn nothing_is_left_behind(day: &Day<'_>) {
    let told = |name: &str| {
        let mut told = day.applied.told.iter();
        told.any(|(event, _)| matches!(event, Event::LeftBehind { service, .. } if service == name))
    };
    for name in day
        .after
        .services
        .keys()
        .filter(|it| it.starts_with(PREPULL))
    {
        let before = day.before.services.contains_key(name);
        assert!(
            before || told(name) || day.trouble,
            "{name} is left: {:#?}",
            self::told(day)
        );
    }
}

/// The events, without what was so.
pub fn told<'a>(day: &'a Day<'_>) -> Vec<&'a Event> {
    day.applied.told.iter().map(|(event, _)| event).collect()
}

/// The truth at the event of a step that `which` chooses.
fn at<'a, T>(
    day: &'a Day<'_>,
    own: &Step,
    which: impl Fn(&'a Event) -> Option<(&'a StepId, T)>,
) -> Option<(T, &'a Truth)> {
    day.applied.told.iter().find_map(|(event, truth)| {
        let (id, it) = which(event)?;
        (*id == own.id).then_some((it, truth))
    })
}

/// What was so when a step was begun.
fn began<'a>(day: &'a Day<'_>, step: &Step) -> &'a Truth {
    let started = at(day, step, |event| match event {
        Event::StepStarted { step, .. } => Some((step, ())),
        _ => None,
    });
    started.expect("it was begun").1
}

/// What was so when it was told that a step is done.
fn done<'a>(day: &'a Day<'_>, step: &Step) -> &'a Truth {
    let succeeded = at(day, step, |event| match event {
        Event::StepSucceeded { step, .. } => Some((step, ())),
        _ => None,
    });
    succeeded.expect("what is done was told").1
}

/// Why a step failed, and what was so then.
fn failed<'a>(day: &'a Day<'_>, step: &Step) -> (&'a Failure, &'a Truth) {
    let failed = at(day, step, |event| match event {
        Event::StepFailed { step, failure, .. } => Some((step, failure.as_ref())),
        _ => None,
    });
    failed.expect("a failure was told")
}

#[track_caller]
fn update_is_true(day: &Day<'_>, step: &Step, update: &UpdateService, ended: StepOutcome) {
    match ended {
        StepOutcome::Done => is_updated(day, step, update),
        StepOutcome::Failed => has_failed(day, step, update),
        StepOutcome::InFlight => {
            assert!(day.trouble || day.stopped, "{update:#?} {:#?}", told(day));
        }
        StepOutcome::NotStarted => is_untouched(day, update.service.as_str()),
        StepOutcome::Stopped => panic!("an update is never half given up: {update:#?}"),
    }
}

#[track_caller]
fn is_updated(day: &Day<'_>, step: &Step, update: &UpdateService) {
    let truth = done(day, step);
    let name = update.service.as_str();
    let there = &truth.services[name];
    let says = format!("{update:#?} {there:#?}");
    // What had moved before it was begun is left to its mover.
    let begun = &began(day, step).services[name].spec;
    assert_eq!(begun, &day.before.services[name].spec, "{says}");
    assert_eq!(there.image(), update.image.to, "{says}");
    assert!(is_ours(day, there), "{says}");
    assert!(["", "completed"].contains(&there.state.as_str()), "{says}");
    for task in truth.reached(there) {
        assert_eq!(task.image, update.image.to, "{says}");
    }
    let good = |task: &&truth::Task| {
        let watched = day.delayed || truth.at.duration_since(task.since) >= there.monitor();
        watched && task.image == update.image.to
    };
    let running = truth.serving(there).filter(good).count();
    assert!(running >= truth.desired(there), "at {}: {says}", truth.at);
    if day.meddled != Some(name) {
        let now = &day.after.services[name];
        assert_eq!(now.image(), update.image.to, "done, and undone: {says}");
    }
}

#[track_caller]
fn has_failed(day: &Day<'_>, step: &Step, update: &UpdateService) {
    let (failure, truth) = failed(day, step);
    let name = update.service.as_str();
    let meddled = day.meddled == Some(name);
    let Some(there) = truth.services.get(name) else {
        assert!(meddled, "{failure:#?}");
        return;
    };
    let says = format!("{failure:#?} {there:#?}");
    // What was so before imgstack began to go back, if it did.
    let turned = going_back(day, step);
    let then = turned.map_or(there, |truth| &truth.services[name]);
    let untouched = then.spec == day.before.services[name].spec;
    let lasted = truth.at.duration_since(began(day, step).at);
    let is_so = match failure.kind {
        FailureKind::Drifted => meddled && !is_ours(day, there),
        FailureKind::Refused => meddled || (untouched && day.trouble),
        FailureKind::RolledBack => untouched || there.state.starts_with("rollback"),
        FailureKind::Paused => ["paused", "rollback_paused"].contains(&then.state.as_str()),
        FailureKind::Unstable => is_ours(day, then) && then.state != "updating",
        FailureKind::Overtaken => meddled,
        FailureKind::TimedOut => lasted >= timeout(update),
        // That is in flight.
        FailureKind::Unknown => false,
        // No world has a probe, or asks who leads.
        FailureKind::ProbeFailed
        | FailureKind::NotReady
        | FailureKind::LeaderMoved
        | FailureKind::LeaderUnknown
        | FailureKind::NotHandedOver => false,
        // Those are of nodes.
        FailureKind::Unreachable
        | FailureKind::PullFailed
        | FailureKind::LoginFailed
        | FailureKind::RemovalFailed => false,
    };
    // Between the look that shows it and the way back an engine may have begun.
    let raced = failure
        .went_back
        .as_ref()
        .is_some_and(|back| back.by == Whose::Engine);
    assert!(is_so || raced || day.delayed, "{says}");
    if let (Some(now), false) = (&failure.now, day.delayed) {
        assert_eq!(now, there.image(), "{says}");
    }
    went_back_is_true(day, step, update, failure, truth);
    is_of_use(failure);
}

/// What was so when imgstack began to bring a service back.
fn going_back<'a>(day: &'a Day<'_>, step: &Step) -> Option<&'a Truth> {
    let began = at(day, step, |event| match event {
        Event::GoingBack { step, .. } => Some((step, ())),
        _ => None,
    });
    began.map(|((), truth)| truth)
}

/// What has failed is back where it was, or it is said why not.
#[track_caller]
fn went_back_is_true(
    day: &Day<'_>,
    step: &Step,
    update: &UpdateService,
    failure: &Failure,
    truth: &Truth,
) {
    let name = update.service.as_str();
    let there = &truth.services[name];
    let before = &day.before.services[name];
    let meddled = day.meddled == Some(name);
    let says = format!("{failure:#?} {there:#?}");
    let Some(back) = &failure.went_back else {
        // Nobody goes back from what is not known to be bad, or is another's.
        let kinds = [
            FailureKind::Drifted,
            FailureKind::Refused,
            FailureKind::Overtaken,
        ];
        assert!(kinds.contains(&failure.kind), "{says}");
        assert!(going_back(day, step).is_none(), "{says}");
        return;
    };
    shows(format!("see {:?} go back: {:?}", back.by, back.state));
    if day.delayed {
        return;
    }
    let is_back = without_credential(&there.spec) == without_credential(&before.spec);
    match back.state {
        BackState::Runs => {
            assert!(is_back || meddled, "{says} {before:#?}");
            let good = |task: &&truth::Task| task.image == there.image();
            let running = truth.serving(there).filter(good).count();
            assert!(running >= truth.desired(there), "{says}");
        }
        BackState::Stuck => {
            // When the time is over, one that has only just come up may not stay.
            let over = going_back(day, step)
                .is_none_or(|begun| truth.at.duration_since(begun.at) >= timeout(update));
            let watch = i64::try_from(update.monitor_ms).unwrap() + 1000;
            let is_new = |task: &truth::Task| {
                truth.at.duration_since(task.since) <= SignedDuration::from_millis(watch)
            };
            let good =
                |task: &&truth::Task| task.image == before.image() && !(over && is_new(task));
            let running = truth.serving(there).filter(good).count();
            let stopped = there.state.ends_with("paused") || there.state.starts_with("rollback");
            let short = running < truth.desired(there);
            assert!(is_back || stopped, "{says}");
            assert!(stopped || short || there.state == "updating", "{says}");
        }
        BackState::UnderWay => assert!(day.stopped || day.trouble || is_back, "{says}"),
        BackState::Overtaken => assert!(meddled, "{says}"),
        BackState::Refused => assert!(day.trouble || meddled, "{says}"),
        // These worlds are carried out without one.
        BackState::Unlocked => panic!("{says}"),
        BackState::Needless => {
            assert!(going_back(day, step).is_none(), "{says}");
            let ran = |task: &truth::Task| task.image == before.image();
            let began = began(day, step);
            let ran = began.running(&began.services[name]).any(ran);
            assert!(!ran, "{says} {:#?}", began.services[name]);
        }
    }
}

/// A way back carries a fresh credential, and its labels say so.
fn without_credential(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(labels) = spec["Labels"].as_object_mut() {
        labels.retain(|label, _| !label.starts_with("dev.imgstack.credential"));
    }
    spec
}

/// A credential or settings are put in, and no task notices.
#[track_caller]
fn write_is_true(day: &Day<'_>, step: &Step, name: &str, image: &str, ended: StepOutcome) {
    match ended {
        StepOutcome::Done => {
            let there = &done(day, step).services[name];
            assert!(
                is_ours(day, there) || day.meddled == Some(name),
                "{there:#?}"
            );
            assert!(there.image() == image || day.meddled == Some(name));
        }
        StepOutcome::Failed => {
            let (failure, truth) = failed(day, step);
            let kinds = [FailureKind::Drifted, FailureKind::Refused];
            assert!(kinds.contains(&failure.kind), "{failure:#?}");
            let there = truth.services.get(name);
            assert!(
                there.is_none_or(|it| !is_ours(day, it)) || day.delayed,
                "{failure:#?}"
            );
            assert!(day.trouble || day.meddled == Some(name), "{failure:#?}");
            is_of_use(failure);
        }
        StepOutcome::InFlight => assert!(day.trouble || day.stopped, "{:#?}", told(day)),
        StepOutcome::NotStarted => is_untouched(day, name),
        StepOutcome::Stopped => panic!("a write is never half given up: {step:#?}"),
    }
}

/// A node that was said to have pulled has the image.
#[track_caller]
fn pull_is_true(day: &Day<'_>, step: &Step, pull: &PullImage, ended: StepOutcome) {
    match ended {
        StepOutcome::Done => {
            let held = &day.applied.held[&step.id];
            // What was pulled may be gone again before anybody hears of it.
            let gone = day.pruned == Some(pull.node.as_str());
            assert!(gone || has_image(held, pull), "{pull:#?} {held:#?}");
        }
        StepOutcome::Failed => {
            let (failure, _) = failed(day, step);
            let kinds = [FailureKind::PullFailed, FailureKind::Unreachable];
            assert!(kinds.contains(&failure.kind), "{failure:#?}");
            assert!(day.trouble || day.ill, "{failure:#?}");
            is_of_use(failure);
        }
        StepOutcome::Stopped => assert!(day.stopped, "{:#?}", told(day)),
        // Nothing of it was to be seen.
        StepOutcome::NotStarted => assert!(day.stopped || day.trouble, "{:#?}", told(day)),
        StepOutcome::InFlight => panic!("a pull is none that goes on without us: {pull:#?}"),
    }
}

fn has_image(held: &Held, pull: &PullImage) -> bool {
    // Docker names images by their familiar names, and this one by its digest.
    let reference = ImageRef {
        tag: None,
        ..pull.reference.clone()
    };
    held[pull.node.as_str()].contains(&reference.familiar())
}

/// A person can do something with it.
#[track_caller]
fn is_of_use(failure: &Failure) {
    assert!(!failure.message.is_empty(), "{failure:#?}");
    let text = format!("{failure:?}");
    assert!(!text.contains(crate::world::SECRET), "{text}");
}

#[track_caller]
fn is_untouched(day: &Day<'_>, name: &str) {
    let now = day.after.services.get(name);
    if day.meddled == Some(name) {
        assert!(now.is_none_or(|now| !is_ours(day, now)), "{now:#?}");
        return;
    }
    assert_eq!(now.unwrap().spec, day.before.services[name].spec, "{name}");
}

/// The plan has left its mark.
fn is_ours(day: &Day<'_>, service: &truth::Service) -> bool {
    service.label(PLAN_LABEL) == Some(day.plan.hash.as_str())
}

fn timeout(update: &UpdateService) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(update.timeout_seconds).unwrap())
}

/// The updates came in the order that the spec asks for, as the world wrote
/// them down: one begins when those before it are completed. `events` are
/// those of the apply.
#[track_caller]
pub fn order_is_kept(day: &Day<'_>, events: &[Value]) {
    let updates = steps_of(day.plan);
    let before = order::before(&day.world.design);
    let mut state: BTreeMap<&str, &str> = BTreeMap::new();
    for event in events {
        let attributes = &event["Actor"]["Attributes"];
        let is_update = event["Type"] == "service" && event["Action"] == "update";
        let Some(name) = attributes["name"].as_str().filter(|_| is_update) else {
            continue;
        };
        if let Some(now) = attributes["updatestate.new"].as_str() {
            state.insert(name, now);
            continue;
        }
        if day.meddled == Some(name) {
            continue;
        }
        let mut written = day
            .plan
            .steps
            .iter()
            .filter_map(|step| step.action.service());
        assert!(
            written.any(|it| it.as_str() == name),
            "{name} was changed, and nobody planned it"
        );
        let earlier = before[name]
            .iter()
            .filter(|it| updates.contains_key(it.as_str()));
        for earlier in earlier.filter(|it| updates.contains_key(name) && day.meddled != Some(it)) {
            let at = state.get(earlier.as_str()).copied();
            let there = &day.before.services[earlier];
            // The engine has nothing to say where it has nothing to replace,
            // which it finds out itself where tasks come and go.
            let silent = updates[earlier.as_str()].restarts.tasks == 0
                || !day.before.is_calm(there, 30)
                || has_no_place(day.after, earlier);
            let done = at == Some("completed") || (silent && at == Some("written"));
            assert!(
                done || was_not_begun(day, name, earlier),
                "{name} began while {earlier} was at {at:?}: {:#?}",
                told(day)
            );
        }
        state.insert(name, "written");
    }
}

/// One that comes before another by the file alone is not waited for when a
/// node that it needs could not pull.
fn was_not_begun(day: &Day<'_>, name: &str, earlier: &str) -> bool {
    let id = StepId::update(&earlier.parse().unwrap());
    let mut steps = day.applied.outcome.steps.iter();
    steps.any(|(step, ended)| *step == id && *ended == StepOutcome::NotStarted)
        && !order::after(&day.world.design)[name].contains(earlier)
}

/// Somebody has taken away all nodes that it could run on.
fn has_no_place(truth: &Truth, name: &str) -> bool {
    let service = truth.services.get(name);
    service.is_none_or(|it| truth.desired(it) == 0)
}
