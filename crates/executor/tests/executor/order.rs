//! Services in their order: what is independent goes side by side, what comes
//! after something waits for it, and the first failure stops what is not begun.

use imgstack_executor::{Event, StepOutcome};
use imgstack_planner::{Step, StepId};
use serde_json::json;

use crate::support::{
    Told, World, new, planned_spec, says, service, spec, task, with_error, with_status,
};

/// A world in which each of these services converges, `looks` looks after its
/// update. The plan has them in no order.
fn converging(names: &[&str], looks: usize) -> World {
    let mut world = World::planned(names);
    for step in &mut world.plan.steps {
        step.follows.clear();
    }
    let mut tasks = Vec::new();
    for name in names {
        let before = service(7, &spec(name));
        let after = service(8, &planned_spec(name));
        let updating = with_status(after.clone(), "updating", "update in progress");
        let mut faces = vec![before.clone(), before];
        faces.extend(vec![updating; looks]);
        faces.push(with_status(after, "completed", "update completed"));
        let path = format!("GET /services/id-{name}").leak();
        world.engine.on(path, &says(&faces));
        let mut running = task(&format!("t-{name}"), &new(), "running");
        running["ServiceID"] = json!(format!("id-{name}"));
        tasks.push(running);
    }
    world.tasks(&[tasks]);
    world
}

fn step<'a>(world: &'a mut World, name: &str) -> &'a mut Step {
    let id = id(name);
    let mut steps = world.plan.steps.iter_mut();
    steps.find(|step| step.id == id).unwrap()
}

fn id(name: &str) -> StepId {
    StepId::update(&name.parse().unwrap())
}

/// What began and what ended, such as `+a +b -a -b`; `!a` has failed.
fn course(told: &Told) -> String {
    let name = |step: &StepId| step.to_string().replace("update service.", "");
    let course = told.events.iter().filter_map(|event| match event {
        Event::StepStarted { step, .. } => Some(format!("+{}", name(step))),
        Event::StepSucceeded { step, .. } => Some(format!("-{}", name(step))),
        Event::StepFailed { step, .. } => Some(format!("!{}", name(step))),
        _ => None,
    });
    course.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn independent_services_go_side_by_side_and_what_comes_after_them_waits() {
    let mut world = converging(&["a", "b", "c"], 1);
    step(&mut world, "c").after = vec![id("a"), id("b")];
    let told = world.apply().await;
    assert!(told.outcome.is_complete(), "{:?}", told.events);
    let course = course(&told);
    assert!(course.starts_with("+a +b -"), "{course}");
    assert!(course.ends_with(" +c -c"), "{course}");
}

#[tokio::test]
async fn what_follows_by_the_file_alone_waits_too() {
    let mut world = converging(&["a", "b"], 1);
    step(&mut world, "b").follows = vec![id("a")];
    assert_eq!(course(&world.apply().await), "+a -a +b -b");
}

#[tokio::test]
async fn no_more_go_at_once_than_may() {
    let mut world = converging(&["a", "b", "c"], 1);
    world.width = 2;
    let told = world.apply().await;
    assert!(told.outcome.is_complete(), "{:?}", told.events);
    let (mut now, mut most) = (0_usize, 0);
    for event in &told.events {
        match event {
            Event::StepStarted { .. } => now += 1,
            Event::StepSucceeded { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    assert_eq!(most, 2);
    world.width = 1;
    let mut world = converging(&["a", "b"], 1);
    world.width = 1;
    assert_eq!(course(&world.apply().await), "+a -a +b -b");
}

/// What is under way is waited for to its end, and nothing else begins.
#[tokio::test]
async fn the_first_failure_stops_what_is_not_begun() {
    let mut world = converging(&["a", "b", "c", "d"], 3);
    world.width = 2;
    step(&mut world, "d").after = vec![id("b")];
    let before = service(7, &spec("a"));
    let stuck = with_status(service(8, &planned_spec("a")), "rollback_paused", "no");
    world.engine.on(
        "GET /services/id-a",
        &says(&[before.clone(), before, stuck]),
    );
    let mut failed = with_error(task("t-a", &new(), "failed"), "task: non-zero exit (1)", 1);
    failed["ServiceID"] = json!("id-a");
    let mut running = task("t-b", &new(), "running");
    running["ServiceID"] = json!("id-b");
    world.tasks(&[vec![failed, running]]);
    let told = world.apply().await;
    assert_eq!(course(&told), "+a +b !a -b");
    use StepOutcome::{Done, Failed, NotStarted};
    assert_eq!(told.steps(), [Failed, Done, NotStarted, NotStarted]);
    assert_eq!(world.sent().len(), 2);
}

/// A service goes back for as long as that takes: it has failed from when the
/// engine said so.
#[tokio::test]
async fn nothing_begins_while_another_one_goes_back() {
    for state in ["paused", "rollback_started"] {
        let mut world = converging(&["a", "b", "c"], 1);
        world.width = 2;
        world.update(|update| (update.monitor_ms, update.timeout_seconds) = (1_500, 60));
        let before = service(7, &spec("a"));
        let bad = with_status(service(8, &planned_spec("a")), state, "no");
        let back = match state {
            "paused" => service(9, &spec("a")),
            _ => with_status(service(9, &spec("a")), "rollback_completed", "done"),
        };
        let mut faces = vec![before.clone(), before];
        faces.extend(vec![bad; if state == "paused" { 2 } else { 4 }]);
        faces.push(back);
        world.engine.on("GET /services/id-a", &says(&faces));
        let mut old = task("t-a", &crate::support::old(), "running");
        old["ServiceID"] = json!("id-a");
        let mut running = task("t-b", &new(), "running");
        running["ServiceID"] = json!("id-b");
        world.tasks(&[vec![old, running]]);
        let told = world.apply().await;
        assert_eq!(course(&told), "+a +b -b !a", "{state}");
        assert_eq!(told.steps()[2], StepOutcome::NotStarted);
    }
}

/// A node that it needs has failed: nobody else waits for it.
#[tokio::test]
async fn what_can_never_begin_holds_up_only_what_is_after_it() {
    let mut world = converging(&["a", "b", "c"], 0);
    step(&mut world, "a").after = vec![id("nothing")];
    step(&mut world, "b").follows = vec![id("a")];
    step(&mut world, "c").after = vec![id("a")];
    let told = world.apply().await;
    assert_eq!(course(&told), "+b -b");
    use StepOutcome::{Done, NotStarted};
    assert_eq!(told.steps(), [NotStarted, Done, NotStarted]);
}

#[tokio::test]
async fn nothing_begins_once_somebody_asked_to_stop() {
    let mut world = converging(&["a", "b", "c"], 1);
    step(&mut world, "c").after = vec![id("a"), id("b")];
    world.cancel_at = Some("step_succeeded");
    let told = world.apply().await;
    assert!(told.outcome.interrupted);
    assert_eq!(told.steps()[2], StepOutcome::NotStarted);
}
