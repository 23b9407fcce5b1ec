//! Every way an update goes and ends.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::service::{Service, seen};
use crate::stage::{SECOND, Stage};
use crate::task::Task;

imgstack_tests::both! {
    one_after_the_other_and_the_old_one_stops_first,
    the_new_one_starts_first_if_that_is_the_order,
    as_many_at_once_as_it_says_and_zero_is_all,
    the_delay_is_waited_for_after_the_last_one_too,
    a_dying_build_pauses_and_what_is_under_way_is_finished,
    an_unhealthy_build_pauses,
    a_paused_update_goes_on_with_the_next_one,
    going_on_after_a_failure_ends_completed,
    some_failures_are_allowed,
    a_dying_build_is_rolled_back_and_nothing_is_left_to_go_back_to,
    started_first_the_old_ones_are_never_touched_by_a_rollback,
    a_rollback_that_fails_is_paused,
    a_paused_update_is_rolled_back_by_hand,
    an_update_in_the_middle_of_one_takes_its_place,
    a_build_that_is_not_there_pauses,
}

/// How often what was late is tried again.
const ROUNDS: usize = 6;

/// The tasks of an image, the oldest first.
fn of<'a>(tasks: &'a [Task], image: &str) -> Vec<&'a Task> {
    tasks.iter().filter(|task| task.image() == image).collect()
}

fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

/// How long after its last task came to run an update was completed, in
/// seconds.
fn watched_for(status: &Value, tasks: &[Task]) -> f64 {
    let completed: jiff::Timestamp = status["CompletedAt"].as_str().unwrap().parse().unwrap();
    let last = tasks.iter().map(Task::since).max().unwrap();
    seconds(completed.duration_since(last))
}

async fn failure(stage: &Stage, kind: Kind, replicas: usize, action: &str) -> (String, String) {
    let old = stage.build(Kind::Good, "old").await;
    let bad = stage.build(kind, "bad").await;
    let mut spec = stage.spec("web", &old);
    spec["Mode"]["Replicated"]["Replicas"] = json!(replicas);
    spec["UpdateConfig"]["FailureAction"] = json!(action);
    if action != "continue" {
        // On a busy machine the end of a task is heard of late.
        spec["UpdateConfig"]["Monitor"] = json!(10 * SECOND);
    }
    stage.create(&spec).await.runs(replicas).await;
    (old, bad)
}

fn web(stage: &Stage) -> Service<'_> {
    let id = stage.name("web");
    Service { stage, id }
}

async fn one_after_the_other_and_the_old_one_stops_first(world: World) {
    let stage = Stage::new(&world, "stopfirst").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let service = stage.running("web", &old, 2).await;
    service.roll_to(&new).await;
    let status = service.ends("updating").await;
    assert_eq!(status["Message"], "update in progress");
    assert_eq!(status.get("CompletedAt"), None);
    let started = status["StartedAt"].clone();
    let status = service.ends("completed").await;
    assert_eq!(status["Message"], "update completed");
    assert_eq!(status["StartedAt"], started);
    let tasks = service.tasks().await;
    let (olds, news) = (of(&tasks, &old), of(&tasks, &new));
    assert_eq!((olds.len(), news.len()), (2, 2), "{}", seen(&tasks));
    for task in &olds {
        assert_eq!((task.state(), task.desired()), ("shutdown", "shutdown"));
        let mut replaced = news.iter().filter(|it| it.slot() == task.slot());
        let new = replaced.next().unwrap();
        // The same container place: it is not started while the old one runs.
        assert!(new.since() >= task.since(), "{}", seen(&tasks));
    }
    assert!(news.iter().all(|task| task.runs()));
    let gap = seconds(news[1].made_after(news[0]));
    assert!(gap > -0.1, "the second began before the first ran: {gap}");
    // How long at most is told where the delay is.
    let watched = watched_for(&status, &service.runs(2).await);
    assert!(watched >= 0.9, "{watched}");
}

async fn the_new_one_starts_first_if_that_is_the_order(world: World) {
    let stage = Stage::new(&world, "startfirst").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let mut spec = stage.spec("web", &old);
    spec["UpdateConfig"]["Order"] = json!("start-first");
    let service = stage.create(&spec).await;
    service.runs(1).await;
    service.roll_to(&new).await;
    service.ends("completed").await;
    let stopped = |tasks: &[Task]| of(tasks, &old)[0].state() == "shutdown";
    let tasks = service.sees("the old one to stop", stopped).await;
    let (before, after) = (of(&tasks, &old)[0], of(&tasks, &new)[0]);
    assert!(after.since() <= before.since(), "{}", seen(&tasks));
}

async fn as_many_at_once_as_it_says_and_zero_is_all(world: World) {
    let stage = Stage::new(&world, "parallel").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 4).await;
    for (force, parallelism) in [(1, 2), (2, 0)] {
        service
            .change(|spec| {
                spec["TaskTemplate"]["ForceUpdate"] = json!(force);
                spec["UpdateConfig"]["Parallelism"] = json!(parallelism);
            })
            .await;
        service.ends("completed").await;
        let tasks = service.runs(4).await;
        let made: Vec<jiff::Timestamp> = tasks.iter().map(Task::created).collect();
        let ran: jiff::Timestamp = *tasks.iter().map(Task::since).min().as_ref().unwrap();
        let at_once = made.iter().filter(|made| **made < ran).count();
        let expected = if parallelism == 0 { 4 } else { parallelism };
        assert_eq!(at_once, expected, "{}", seen(&tasks));
    }
}

async fn the_delay_is_waited_for_after_the_last_one_too(world: World) {
    let stage = Stage::new(&world, "delay").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 2).await;
    // After the last one the delay, then as long as is watched; and that is
    // never less than a second more than the delay.
    let mut force = 0;
    for (delay, monitor, expected) in [(2, 1, 5.0), (1, 2, 3.0)] {
        #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
        let pause = delay as f64;
        // A machine with much to do is late, and never early: never may it be
        // too early, and it is in time at least once.
        let mut late = Vec::new();
        while late.len() < ROUNDS {
            force += 1;
            service
                .change(|spec| {
                    spec["TaskTemplate"]["ForceUpdate"] = json!(force);
                    spec["UpdateConfig"]["Delay"] = json!(delay * SECOND);
                    spec["UpdateConfig"]["Monitor"] = json!(monitor * SECOND);
                })
                .await;
            let status = service.ends("completed").await;
            let tasks = service.runs(2).await;
            let gap = seconds(tasks[1].made_after(&tasks[0])) - pause;
            let watched = watched_for(&status, &tasks) - expected;
            assert!(gap >= -0.1 && watched >= -0.2, "{gap} {watched}");
            if gap < 1.5 && watched < 1.5 {
                break;
            }
            late.push((gap, watched));
        }
        assert!(
            late.len() < ROUNDS,
            "late by {late:?} with {delay} {monitor}"
        );
    }
}

async fn a_dying_build_pauses_and_what_is_under_way_is_finished(world: World) {
    let stage = Stage::new(&world, "pauses").await;
    let (old, bad) = failure(&stage, Kind::Dying, 4, "pause").await;
    let service = web(&stage);
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
            spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
            spec["UpdateConfig"]["Parallelism"] = json!(2);
            // The workers stay where they are until the first has failed.
            spec["UpdateConfig"]["Delay"] = json!(20 * SECOND);
        })
        .await;
    let status = service.ends("paused").await;
    assert_eq!(status.get("CompletedAt"), None);
    let both_over = |tasks: &[Task]| {
        let news = of(tasks, &bad);
        let over = |task: &&Task| (task.state(), task.desired()) == ("failed", "shutdown");
        news.len() == 2 && news.iter().all(over)
    };
    let tasks = service
        .sees("both new ones to have failed", both_over)
        .await;
    let news = of(&tasks, &bad);
    let blamed = status["Message"].as_str().unwrap();
    let id = blamed.strip_prefix("update paused due to failure or early termination of task ");
    assert!(news.iter().any(|task| Some(task.id()) == id), "{blamed}");
    for task in news {
        assert_eq!(task.err(), "task: non-zero exit (1)");
        assert_eq!((task.exit_code(), task.message()), (Some(1), "started"));
    }
    service.rests("a paused update").await;
    assert_eq!(of(&service.runs(2).await, &old).len(), 2);
    assert_eq!(service.status().await, status);
    assert!(service.read().await["PreviousSpec"].is_object());
}

async fn an_unhealthy_build_pauses(world: World) {
    let stage = Stage::new(&world, "unhealthy").await;
    let (_, bad) = failure(&stage, Kind::Unhealthy, 1, "pause").await;
    let service = web(&stage);
    service.roll_to(&bad).await;
    service.ends("paused").await;
    let tasks = service.tasks().await;
    let task = of(&tasks, &bad)[0];
    // It never ran: a task with a healthcheck runs once it is healthy.
    assert_eq!(task.state(), "failed");
    assert_eq!(
        task.err(),
        "task: non-zero exit (143): dockerexec: unhealthy container"
    );
    let took = seconds(task.since().duration_since(task.created()));
    assert!(took >= 1.0, "{took}");
}

async fn a_paused_update_goes_on_with_the_next_one(world: World) {
    let stage = Stage::new(&world, "goeson").await;
    let (old, bad) = failure(&stage, Kind::Dying, 2, "pause").await;
    let service = web(&stage);
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
            spec["UpdateConfig"]["Delay"] = json!(20 * SECOND);
        })
        .await;
    let paused = service.ends("paused").await;
    // Forward to what ran before: the one that was not touched stays.
    let kept = of(&service.tasks().await, &old)
        .into_iter()
        .find(|task| task.runs())
        .unwrap()
        .id()
        .to_owned();
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(old);
            spec["UpdateConfig"]["Delay"] = json!(0);
            spec["UpdateConfig"]["Monitor"] = json!(SECOND);
        })
        .await;
    let status = service.ends("completed").await;
    assert!(status["StartedAt"].as_str() > paused["StartedAt"].as_str());
    let tasks = service.runs(2).await;
    assert!(
        tasks.iter().any(|task| task.id() == kept),
        "{}",
        seen(&tasks)
    );
}

async fn going_on_after_a_failure_ends_completed(world: World) {
    let stage = Stage::new(&world, "continues").await;
    let (old, bad) = failure(&stage, Kind::Dying, 2, "continue").await;
    let service = web(&stage);
    service.roll_to(&bad).await;
    service.ends("completed").await;
    let stopped = |tasks: &[Task]| {
        let olds = of(tasks, &old);
        olds.len() == 2 && olds.iter().all(|task| task.state() == "shutdown")
    };
    service.sees("the old ones to stop", stopped).await;
    // Each place has failed, and is tried again.
    let tried_again = |tasks: &[Task]| {
        [1, 2].iter().all(|slot| {
            let mut news = of(tasks, &bad);
            news.retain(|task| task.slot() == Some(*slot));
            news.len() > 1 && news[0].state() == "failed"
        })
    };
    service
        .sees("both places to be tried again", tried_again)
        .await;
    // Which does not change how it ended.
    assert_eq!(service.status().await["State"], "completed");
}

async fn some_failures_are_allowed(world: World) {
    let stage = Stage::new(&world, "ratio").await;
    let (_, bad) = failure(&stage, Kind::Dying, 2, "pause").await;
    let service = web(&stage);
    // Half of two are one; the second is one too many.
    // A failure is judged when the updater comes to look at it, so it has to
    // be watched for as long as the next task may take.
    for (force, ratio, monitor, end) in [(1, 0.5, 30, "paused"), (2, 1.0, 1, "completed")] {
        service
            .change(|spec| {
                spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
                spec["TaskTemplate"]["ForceUpdate"] = json!(force);
                spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
                spec["UpdateConfig"]["Monitor"] = json!(monitor * SECOND);
                spec["UpdateConfig"]["MaxFailureRatio"] = json!(ratio);
            })
            .await;
        service.ends(end).await;
        let both_failed = |tasks: &[Task]| {
            let tried = tasks
                .iter()
                .filter(|task| task.0["Spec"]["ForceUpdate"] == force);
            let states: Vec<&str> = tried.map(Task::state).collect();
            states == ["failed", "failed"]
        };
        service.sees("both to have failed", both_failed).await;
    }
}

async fn a_dying_build_is_rolled_back_and_nothing_is_left_to_go_back_to(world: World) {
    let stage = Stage::new(&world, "rolledback").await;
    let (old, bad) = failure(&stage, Kind::Dying, 2, "rollback").await;
    let service = web(&stage);
    service
        .change(|spec| spec["RollbackConfig"]["Monitor"] = json!(3 * SECOND))
        .await;
    let before = service.spec().await;
    service.roll_to(&bad).await;
    let status = service
        .ends_in(&["rollback_started", "rollback_completed"])
        .await;
    // It may be over before anybody has looked.
    if status["State"] == "rollback_started" {
        let message = status["Message"].as_str().unwrap();
        let words = "update rolled back due to failure or early termination of task ";
        assert!(message.starts_with(words), "{message}");
        assert_eq!(status.get("CompletedAt"), None);
    }
    let status = service.ends("rollback_completed").await;
    assert_eq!(status["Message"], "rollback completed");
    // It began with the update, not with the way back.
    let started: jiff::Timestamp = status["StartedAt"].as_str().unwrap().parse().unwrap();
    let tasks = service.tasks().await;
    assert!(started <= of(&tasks, &bad)[0].created(), "{}", seen(&tasks));
    assert!(status["CompletedAt"].as_str() > status["StartedAt"].as_str());
    let after = service.read().await;
    assert_eq!(after["Spec"], before);
    assert_eq!(after.get("PreviousSpec"), None);
    let tasks = service.runs(2).await;
    assert_eq!(of(&tasks, &old).len(), 2);
    let version = service.version().await;
    let reply = service.send(version, &before, "&rollback=previous").await;
    reply.refuses(400, "does not have a previous spec");
}

async fn started_first_the_old_ones_are_never_touched_by_a_rollback(world: World) {
    let stage = Stage::new(&world, "untouched").await;
    // Never running, the new one gives no reason to stop the old one.
    let (_, bad) = failure(&stage, Kind::Unhealthy, 2, "rollback").await;
    let service = web(&stage);
    let ids = async || -> Vec<String> {
        let tasks = service.runs(2).await;
        tasks.iter().map(|task| task.id().to_owned()).collect()
    };
    let before = ids().await;
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(bad);
            spec["UpdateConfig"]["Order"] = json!("start-first");
            spec["UpdateConfig"]["Delay"] = json!(20 * SECOND);
        })
        .await;
    service.ends("rollback_completed").await;
    assert_eq!(ids().await, before);
    // What was to follow the failed one is given up.
    let given_up = |tasks: &[Task]| {
        let news = of(tasks, &bad);
        !news.is_empty() && news.iter().all(|task| task.desired() == "shutdown")
    };
    service.sees("the new ones to be given up", given_up).await;
}

async fn a_rollback_that_fails_is_paused(world: World) {
    let stage = Stage::new(&world, "rbpaused").await;
    let bad = stage.build(Kind::Dying, "bad").await;
    let good = stage.build(Kind::Good, "new").await;
    let mut spec = stage.spec("web", &bad);
    spec["TaskTemplate"]["RestartPolicy"]["Delay"] = json!(60 * SECOND);
    spec["RollbackConfig"]["Monitor"] = json!(10 * SECOND);
    let service = stage.create(&spec).await;
    let failed = |tasks: &[Task]| tasks.len() > 1;
    service.sees("one to have failed", failed).await;
    service.roll_to(&good).await;
    service.ends("completed").await;
    service.roll_back().await;
    let status = service.ends("rollback_paused").await;
    let message = status["Message"].as_str().unwrap();
    let words = "update paused due to failure or early termination of task ";
    assert!(message.starts_with(words), "{message}");
    assert_eq!(status.get("CompletedAt"), None);
    assert_eq!(service.spec().await, spec);
    let held_back = |tasks: &[Task]| tasks.last().is_some_and(|it| it.desired() == "ready");
    service
        .sees("the next one to be held back", held_back)
        .await;
    service.rests("a rollback that is paused").await;
    assert_eq!(service.status().await, status);
}

async fn a_paused_update_is_rolled_back_by_hand(world: World) {
    let stage = Stage::new(&world, "byhand").await;
    let (old, bad) = failure(&stage, Kind::Dying, 1, "pause").await;
    let service = web(&stage);
    let before = service.spec().await;
    service.roll_to(&bad).await;
    service.ends("paused").await;
    service.roll_back().await;
    service.ends("rollback_completed").await;
    let after = service.read().await;
    assert_eq!(after["Spec"], before);
    assert_eq!(
        after["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        bad
    );
    assert_eq!(service.runs(1).await[0].image(), old);
}

async fn an_update_in_the_middle_of_one_takes_its_place(world: World) {
    let stage = Stage::new(&world, "middle").await;
    let [first, second, third] = ["old", "new", "newer"];
    let first = stage.build(Kind::Good, first).await;
    let second = stage.build(Kind::Good, second).await;
    let third = stage.build(Kind::Good, third).await;
    let service = stage.running("web", &first, 2).await;
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(second);
            spec["UpdateConfig"]["Delay"] = json!(60 * SECOND);
        })
        .await;
    service
        .sees("one to be replaced", |tasks| {
            of(tasks, &second).iter().any(|task| task.runs())
        })
        .await;
    let started = service.status().await["StartedAt"].clone();
    service
        .change(|spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(third);
            spec["UpdateConfig"]["Delay"] = json!(0);
        })
        .await;
    let status = service.ends("completed").await;
    assert!(status["StartedAt"].as_str() > started.as_str());
    assert_eq!(of(&service.runs(2).await, &third).len(), 2);
    let tasks = service.tasks().await;
    assert_eq!(of(&tasks, &second).len(), 1, "{}", seen(&tasks));
    let previous = service.read().await["PreviousSpec"].clone();
    assert_eq!(previous["TaskTemplate"]["ContainerSpec"]["Image"], second);
}

async fn a_build_that_is_not_there_pauses(world: World) {
    let stage = Stage::new(&world, "notthere").await;
    let old = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &old, 1).await;
    let image = format!("{}:none", stage.story.repository());
    service.roll_to(&image).await;
    let status = service.ends("paused").await;
    let tasks = service.tasks().await;
    let lost = of(&tasks, &image)[0];
    assert_eq!(lost.state(), "rejected");
    assert!(status["Message"].as_str().unwrap().ends_with(lost.id()));
    // It was given up before its image was looked for.
    assert_eq!(of(&tasks, &old)[0].desired(), "shutdown");
}
