//! Rollout settings: with an image, alone, and beside a credential.

use std::time::Duration;

use imgstack_planner::{
    Action, AdjustService, Change, SettingsChange, UpdateService, UpdateState, drift,
};
use imgstack_spec::{FailureAction, RolloutSettings, UpdateOrder};

use crate::support::{World, ids, image, said, trouble};

/// `pg`, which asks for `digit`, in a world that wants the build `b`.
fn world(digit: char, rollout: RolloutSettings) -> World {
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", digit));
    world.stack.services[0].rollout = rollout;
    world
}

/// None of them is as `both` makes a service.
fn others() -> RolloutSettings {
    RolloutSettings {
        order: Some(UpdateOrder::StartFirst),
        parallelism: Some(0),
        monitor: Some(Duration::from_secs(30)),
        on_failure: Some(FailureAction::Pause),
    }
}

fn change<T>(from: T, to: T) -> Option<Change<T>> {
    Some(Change { from, to })
}

fn adjustment(world: &World) -> AdjustService {
    let plan = world.planned();
    match plan.steps.as_slice() {
        [step] => match &step.action {
            Action::AdjustService(adjust) => adjust.clone(),
            _ => panic!("{}", step.id),
        },
        _ => panic!("{:?}", ids(&plan)),
    }
}

fn update(world: &World) -> UpdateService {
    let plan = world.planned();
    match plan.steps.as_slice() {
        [step] => match &step.action {
            Action::UpdateService(update) => *update.clone(),
            _ => panic!("{}", step.id),
        },
        _ => panic!("{:?}", ids(&plan)),
    }
}

/// (what the spec asks for, what becomes another, the reason)
#[test]
fn a_setting_that_is_another_one_is_changed_and_no_other() {
    let none = RolloutSettings::default;
    let nothing = SettingsChange::default;
    let order = change(UpdateOrder::StopFirst, UpdateOrder::StartFirst);
    let on_failure = change(FailureAction::Rollback, FailureAction::Pause);
    let cases = [
        (none(), nothing(), None),
        (
            RolloutSettings {
                order: Some(UpdateOrder::StopFirst),
                parallelism: Some(1),
                monitor: Some(Duration::from_secs(5)),
                on_failure: Some(FailureAction::Rollback),
            },
            nothing(),
            None,
        ),
        (
            RolloutSettings {
                order: Some(UpdateOrder::StartFirst),
                ..none()
            },
            SettingsChange {
                order: order.clone(),
                ..nothing()
            },
            Some("the spec asks for another `order`"),
        ),
        (
            RolloutSettings {
                order: Some(UpdateOrder::StopFirst),
                parallelism: Some(3),
                ..none()
            },
            SettingsChange {
                parallelism: change(1, 3),
                ..nothing()
            },
            Some("the spec asks for another `parallelism`"),
        ),
        (
            others(),
            SettingsChange {
                order,
                parallelism: change(1, 0),
                monitor_ms: change(5000, 30_000),
                on_failure,
            },
            Some("the spec asks for another `order`, `parallelism`, `monitor`, `onFailure`"),
        ),
    ];
    for (rollout, settings, reason) in cases {
        // Alone.
        let settled = world('b', rollout.clone());
        let plan = settled.planned();
        let reasons: Vec<&str> = plan
            .steps
            .iter()
            .flat_map(|it| &it.reasons)
            .map(String::as_str)
            .collect();
        assert_eq!(
            reasons,
            reason.into_iter().collect::<Vec<_>>(),
            "{rollout:?}"
        );
        if reason.is_some() {
            assert_eq!(ids(&plan), ["adjust service.pg"]);
            let adjust = adjustment(&settled);
            assert_eq!(adjust.settings, settings);
            assert_eq!(adjust.image, image("16", 'b'));
            assert_eq!(adjust.credential, None);
            let labels: Vec<_> = adjust.labels.keys().collect();
            assert_eq!(labels, ["dev.imgstack.plan"]);
        }
        // With an image, in the same update.
        let update = update(&world('a', rollout));
        assert_eq!(update.settings, settings);
        assert_eq!(update.image.to, image("16", 'b'));
        assert_eq!(said(&plan), [""; 0]);
    }
}

/// The engine rolls an update out by what comes with it.
#[test]
fn what_is_waited_for_is_what_the_update_carries() {
    let kept = update(&world('a', RolloutSettings::default()));
    assert_eq!(kept.order, UpdateOrder::StopFirst);
    assert_eq!(kept.on_failure, FailureAction::Rollback);
    assert_eq!(kept.monitor_ms, 5000);
    let carried = update(&world('a', others()));
    assert_eq!(carried.order, UpdateOrder::StartFirst);
    assert_eq!(carried.on_failure, FailureAction::Pause);
    assert_eq!(carried.monitor_ms, 30_000);
}

/// A second write would find another service than the one that was planned for.
#[test]
fn settings_and_a_credential_are_one_step() {
    let mut both = world('b', others());
    both.credential("f2");
    let plan = both.planned();
    assert_eq!(ids(&plan), ["adjust service.pg"]);
    assert_eq!(
        plan.steps[0].reasons[1],
        "which credential it carries is not known"
    );
    let adjust = adjustment(&both);
    assert_eq!(adjust.credential.unwrap().to_string(), "ghcr.io/acme/pg");
    let carried = &adjust.labels["dev.imgstack.credential"];
    assert_eq!(carried.to.as_deref(), Some("f2"));

    // Where the credential has to wait, the settings have not.
    both.service("pg").tasks[0].as_asked = false;
    let plan = both.planned();
    assert_eq!(ids(&plan), ["adjust service.pg"]);
    assert_eq!(adjustment(&both).credential, None);
    assert!(
        said(&plan)[0].starts_with("blocked service.pg: keeps its credential"),
        "{:?}",
        said(&plan)
    );
}

/// (what is in the way, what is said instead)
#[test]
fn a_service_keeps_its_settings_while_a_write_would_do_more() {
    type Set = fn(&mut World);
    let half_way = "blocked service.pg: keeps its rollout settings: its last update stopped half-way, and any write would go on with it";
    let cases: [(Set, &str); 5] = [
        (|it| it.status("pg", UpdateState::Paused), half_way),
        (|it| it.status("pg", UpdateState::RollbackPaused), half_way),
        (
            |it| it.status("pg", UpdateState::Updating),
            "blocked service.pg: an update is going on: Updating",
        ),
        // The engine would forget what it can go back to.
        (
            |it| it.service("pg").tasks[0].running = false,
            "blocked service.pg: asks for the wanted build, and 0 of 1 tasks run: n1 does not answer the managers",
        ),
        // Whether an image is to go with them is not known.
        (
            |it| it.registry(imgstack_planner::Observed::Unknown(trouble("503"))),
            "blocked service.pg: waits for image.pg",
        ),
    ];
    for (set, words) in cases {
        let mut world = world('b', others());
        set(&mut world);
        let plan = world.planned();
        assert_eq!(ids(&plan), [""; 0], "{words}");
        let said = said(&plan);
        assert!(said.iter().any(|it| it == words), "{said:?}");
    }
}

#[test]
fn other_services_wait_for_no_settings() {
    let mut world = world('b', others());
    world.both("web", &["pg"], &image("16", 'a'));
    let plan = world.planned();
    assert_eq!(ids(&plan), ["adjust service.pg", "update service.web"]);
    assert_eq!(plan.steps[1].after, []);
    // Rotating credentials is another thing.
    let only = imgstack_planner::Only::Credentials;
    assert_eq!(ids(&world.planned_with(&[], only)), [""; 0]);
    assert_eq!(
        ids(&world.planned_with(&["service.web"], imgstack_planner::Only::Everything)),
        ["update service.web"]
    );
}

#[test]
fn a_setting_that_moved_since_is_named() {
    let place = "updateConfig.Order";
    let mut world = world('b', others());
    let order = |world: &mut World, word: &str| {
        let seen = &mut world.service("pg").seen;
        seen.fields.insert(place.to_owned(), word.into());
        seen.spec_digest = format!("digest with {word}");
    };
    order(&mut world, "stop-first");
    let saved = world.planned();
    assert!(drift(&saved, &world.planned()).is_empty());
    order(&mut world, "start-first");
    world.service("pg").update.order = UpdateOrder::StartFirst;
    let [moved] = drift(&saved, &world.planned()).moved.try_into().unwrap();
    assert_eq!(moved.address.to_string(), "service.pg");
    assert_eq!(
        (&*moved.field, &*moved.from, &*moved.to),
        (place, "stop-first", "start-first")
    );
}

#[test]
fn an_altered_setting_does_not_hold() {
    let fresh = world('b', others()).planned();
    let mut saved = fresh.clone();
    let Action::AdjustService(adjust) = &mut saved.steps[0].action else {
        panic!("{}", saved.steps[0].id)
    };
    adjust.settings.parallelism = change(1, 7);
    let [moved] = drift(&saved, &fresh).moved.try_into().unwrap();
    assert_eq!(moved.field, "action.adjustService.settings.parallelism.to");
    assert_eq!((&*moved.from, &*moved.to), ("7", "0"));
    let json = serde_json::to_value(&fresh.steps[0].action).unwrap();
    assert_eq!(
        json["adjustService"]["settings"],
        serde_json::json!({
            "order": {"from": "stop-first", "to": "start-first"},
            "parallelism": {"from": 1, "to": 0},
            "monitorMs": {"from": 5000, "to": 30_000},
            "onFailure": {"from": "rollback", "to": "pause"},
        })
    );
    assert_eq!(
        serde_json::from_value::<Action>(json).unwrap(),
        fresh.steps[0].action
    );
}
