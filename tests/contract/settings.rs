//! How an update is rolled out: by which settings, and what they touch.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::{Service, seen};
use crate::stage::{SECOND, Stage};
use crate::task::Task;

imgstack_tests::both! {
    settings_alone_restart_nothing_and_are_kept_as_they_are_written,
    an_update_that_carries_settings_goes_by_them,
    a_rollback_takes_the_settings_back_too,
    without_settings_it_is_one_at_a_time_and_with_some_all_at_once,
}

/// Sets one of `UpdateConfig`.
async fn set(service: &Service<'_>, key: &str, value: Value) {
    service
        .change(|spec| spec["UpdateConfig"][key] = value.clone())
        .await;
}

async fn settings_alone_restart_nothing_and_are_kept_as_they_are_written(world: World) {
    let stage = Stage::new(&world, "settings").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 2).await;
    let before = service.tasks().await;
    let changes = [
        ("Order", json!("start-first")),
        ("Parallelism", json!(0)),
        ("Monitor", json!(30 * SECOND)),
        ("FailureAction", json!("rollback")),
    ];
    for (key, value) in changes {
        let old = service.spec().await;
        set(&service, key, value.clone()).await;
        service.rests(key).await;
        let read = service.read().await;
        let mut expected = old.clone();
        expected["UpdateConfig"][key] = value;
        assert_eq!(read["Spec"], expected, "{key}");
        // Nothing had to be done, and the way back leads to other settings.
        assert_eq!(read.get("UpdateStatus"), None, "{key}");
        assert_eq!(read["PreviousSpec"], old, "{key}");
    }
    let ids = |tasks: &[Task]| -> Vec<String> {
        let ids = tasks.iter();
        ids.map(|it| it.id().to_owned()).collect()
    };
    let after = service.tasks().await;
    assert_eq!(ids(&after), ids(&before), "{}", seen(&after));
}

/// Not by those that the service had before.
async fn an_update_that_carries_settings_goes_by_them(world: World) {
    let stage = Stage::new(&world, "carries").await;
    let old = stage.build(Kind::Good, "old").await;
    let bad = stage.build(Kind::Dying, "bad").await;
    // What is asked for with the bad build, how that ends, and what is kept.
    let cases = [
        ("pause", "rollback", "rollback_completed", "pause"),
        ("rollback", "pause", "paused", "pause"),
        ("rollback", "continue", "completed", "continue"),
    ];
    let mut services = Vec::new();
    for (number, (had, ..)) in cases.iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), &old);
        spec["UpdateConfig"]["FailureAction"] = json!(had);
        spec["UpdateConfig"]["Monitor"] = json!(10 * SECOND);
        services.push(stage.create(&spec).await);
    }
    for (service, (_, asked, ..)) in services.iter().zip(cases) {
        service.runs(1).await;
        service
            .change(|spec| {
                spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
                spec["UpdateConfig"]["FailureAction"] = json!(asked);
            })
            .await;
    }
    for (service, (had, asked, state, kept)) in services.iter().zip(cases) {
        service.ends(state).await;
        let spec = service.spec().await;
        let action = &spec["UpdateConfig"]["FailureAction"];
        assert_eq!(action, kept, "{had} and {asked}");
    }
}

/// The previous spec is the whole of it.
async fn a_rollback_takes_the_settings_back_too(world: World) {
    let stage = Stage::new(&world, "takesback").await;
    let old = stage.build(Kind::Good, "old").await;
    let bad = stage.build(Kind::Dying, "bad").await;
    let mut spec = stage.spec("web", &old);
    spec["UpdateConfig"]["Monitor"] = json!(10 * SECOND);
    let service = stage.create(&spec).await;
    service.runs(1).await;
    let before = service.spec().await;
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
            spec["UpdateConfig"]["FailureAction"] = json!("rollback");
            spec["UpdateConfig"]["Order"] = json!("start-first");
        })
        .await;
    service.ends("rollback_completed").await;
    assert_eq!(service.spec().await, before);
    service.runs(1).await;
}

/// Go's zero: who writes one setting of a service without any writes that, too.
async fn without_settings_it_is_one_at_a_time_and_with_some_all_at_once(world: World) {
    let stage = Stage::new(&world, "without").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["Mode"]["Replicated"]["Replicas"] = json!(3);
    spec.as_object_mut().unwrap().remove("UpdateConfig");
    let service = stage.create(&spec).await;
    service.runs(3).await;
    assert_eq!(service.spec().await.get("UpdateConfig"), None);
    let some = json!({"Order": "stop-first", "Monitor": SECOND});
    for (force, settings, expected) in [(1, None, 1), (2, Some(some), 3)] {
        service
            .change(|spec| {
                spec["TaskTemplate"]["ForceUpdate"] = json!(force);
                if let Some(settings) = &settings {
                    spec["UpdateConfig"] = settings.clone();
                }
            })
            .await;
        service.ends("completed").await;
        let tasks = service.runs(3).await;
        let ran = tasks.iter().map(Task::since).min().unwrap();
        let at_once = tasks.iter().filter(|it| it.created() < ran).count();
        assert_eq!(at_once, expected, "{}", seen(&tasks));
    }
    assert_eq!(service.spec().await["UpdateConfig"]["Parallelism"], 0);
}
