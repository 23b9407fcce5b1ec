//! Tasks that come to nothing, and what they say of it.

use imgstack_tests::build::Kind;
use imgstack_tests::wire::Wire;
use imgstack_tests::world::World;
use serde_json::json;

use crate::service::seen;
use crate::stage::{ON_2, ON_3, SECOND, Stage, auth};
use crate::task::Task;

imgstack_tests::both! {
    a_missing_image_is_told_as_such_whatever_the_cause,
    a_private_image_takes_a_credential_that_may_read_it,
    a_credential_that_comes_later_heals,
    a_dying_container_is_followed_by_another_after_the_delay,
    what_is_rejected_while_it_is_held_back_is_followed_after_the_delay,
    only_so_many_attempts_are_made,
    a_container_that_ends_well_is_followed_as_its_condition_says,
    an_unhealthy_container_is_replaced,
    what_finds_no_node_waits_and_says_why,
    a_tag_without_a_digest_is_pulled,
}

fn first_is(state: &'static str) -> impl Fn(&[Task]) -> bool {
    move |tasks| tasks.first().is_some_and(|task| task.state() == state)
}

async fn a_missing_image_is_told_as_such_whatever_the_cause(world: World) {
    let stage = Stage::new(&world, "missing").await;
    stage.build(Kind::Good, "old").await;
    let repository = stage.story.repository();
    let table = [
        format!("{repository}:none"),
        format!("{repository}:16@sha256:{}", "0".repeat(64)),
        format!("{repository}-none:16"),
        // Nobody listens there.
        format!(
            "{}:1/nobody/there:16",
            stage.story.registry.split(':').next().unwrap()
        ),
    ];
    for (number, image) in table.iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), image);
        spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
        let service = stage.create(&spec).await;
        let tasks = service
            .sees("a task to be rejected", first_is("rejected"))
            .await;
        assert_eq!(tasks[0].err(), format!("No such image: {image}"));
        assert_eq!(tasks[0].message(), "preparing");
        // There is no container, and its code is none.
        assert_eq!(tasks[0].container(), "");
        service
            .sees("it to be given up", |tasks| {
                tasks[0].desired() == "shutdown"
            })
            .await;
        assert_eq!(service.tasks().await.len(), 1);
        assert_eq!(service.status().await, json!(null));
    }
}

async fn a_private_image_takes_a_credential_that_may_read_it(world: World) {
    let stage = Stage::new(&world, "private").await;
    let path = stage.story.path();
    let pushed = stage
        .story
        .push_private(&path, Kind::Good, &stage.sha("old"))
        .await;
    let image = format!("{}/{path}:16@{}", stage.world().private(), pushed.digest);
    let table = [
        ("nobody", None, "rejected"),
        ("wrong", Some(auth("robot", "wrong")), "rejected"),
        ("limited", Some(stage.auth("limited")), "rejected"),
        ("robot", Some(stage.auth("robot")), "running"),
    ];
    for (name, auth, state) in table {
        let mut spec = stage.spec(name, &image);
        spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
        spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
        let service = stage.create_with(&spec, auth.as_deref()).await;
        let tasks = service.sees(name, first_is(state)).await;
        let expected = match state {
            "rejected" => format!("No such image: {image}"),
            _ => String::new(),
        };
        assert_eq!(tasks[0].err(), expected, "{name}");
    }
    // What a digest names and is there is not asked for again.
    let mut spec = stage.spec("present", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    stage.create(&spec).await.runs(1).await;
}

async fn a_credential_that_comes_later_heals(world: World) {
    let stage = Stage::new(&world, "later").await;
    let path = stage.story.path();
    let pushed = stage
        .story
        .push_private(&path, Kind::Good, &stage.sha("old"))
        .await;
    let image = format!("{}/{path}:16@{}", stage.world().private(), pushed.digest);
    let service = stage.on_node_2("web", &image).await;
    service
        .sees("a task to be rejected", first_is("rejected"))
        .await;
    let robot = stage.auth("robot");
    service.change_with(Some(&robot), |_| {}).await;
    assert_eq!(service.runs(1).await[0].node(), stage.node_id(2).await);
    // An update without one keeps the one that is there: the next node has not
    // got the image, and pulls it with that.
    let held = stage.engine(3).get(&format!("/images/{image}/json")).await;
    held.expect(404);
    service
        .change(|spec| spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_3]}))
        .await;
    service.ends("completed").await;
    assert_eq!(service.runs(1).await[0].node(), stage.node_id(3).await);
}

async fn a_dying_container_is_followed_by_another_after_the_delay(world: World) {
    let stage = Stage::new(&world, "dying").await;
    let image = stage.build(Kind::Dying, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["RestartPolicy"]["Delay"] = json!(5 * SECOND);
    let service = stage.create(&spec).await;
    // The next one is made at once and held back.
    let held = |tasks: &[Task]| tasks.len() == 2 && tasks[1].desired() == "ready";
    service.sees("one that is held back", held).await;
    let two =
        |tasks: &[Task]| tasks.len() >= 2 && tasks[..2].iter().all(|task| task.state() == "failed");
    let tasks = service.sees("two to have failed", two).await;
    for task in &tasks[..2] {
        assert_eq!(task.err(), "task: non-zero exit (1)");
        assert_eq!((task.message(), task.exit_code()), ("started", Some(1)));
        assert_eq!((task.slot(), task.image()), (Some(1), image.as_str()));
    }
    // A machine with much to do is late, and yet far from the delay.
    let made = tasks[1].made_after(&tasks[0]).as_secs_f64();
    assert!((-0.1..4.0).contains(&made), "{made} {}", seen(&tasks));
    let failed = tasks[1].since().duration_since(tasks[0].since());
    let failed = failed.as_secs_f64();
    assert!(failed >= 4.9, "{failed} {}", seen(&tasks));
    let held = |tasks: &[Task]| tasks.len() == 3 && tasks[2].desired() == "ready";
    service.sees("another that is held back", held).await;
}

async fn what_is_rejected_while_it_is_held_back_is_followed_after_the_delay(world: World) {
    let stage = Stage::new(&world, "held").await;
    stage.build(Kind::Good, "old").await;
    let missing = format!("{}:16@sha256:{}", stage.story.repository(), "0".repeat(64));
    let mut spec = stage.spec("web", &missing);
    spec["TaskTemplate"]["RestartPolicy"]["Delay"] = json!(3 * SECOND);
    let service = stage.create(&spec).await;
    let held = |tasks: &[Task]| {
        let second = tasks.get(1);
        second.is_some_and(|it| it.state() == "rejected" && it.desired() == "ready")
    };
    service
        .sees("one that is held back and rejected", held)
        .await;
    let three = |tasks: &[Task]| tasks.len() >= 3;
    let tasks = service.sees("a third", three).await;
    let apart = tasks[2].created().duration_since(tasks[1].created());
    let apart = apart.as_secs_f64();
    assert!(apart >= 2.5, "{apart} {}", seen(&tasks));
}

async fn only_so_many_attempts_are_made(world: World) {
    let stage = Stage::new(&world, "attempts").await;
    let image = stage.build(Kind::Dying, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["RestartPolicy"] =
        json!({"Condition": "any", "Delay": SECOND / 5, "MaxAttempts": 2});
    let service = stage.create(&spec).await;
    let spent = |tasks: &[Task]| {
        tasks.len() == 3
            && tasks
                .iter()
                .all(|it| it.state() == "failed" && it.desired() == "shutdown")
    };
    service.sees("three to have failed", spent).await;
    service.rests("a place that has been given up").await;
}

async fn a_container_that_ends_well_is_followed_as_its_condition_says(world: World) {
    let stage = Stage::new(&world, "condition").await;
    let image = stage.build(Kind::Ending, "old").await;
    for (condition, follows) in [("any", true), ("on-failure", false), ("none", false)] {
        let mut spec = stage.spec(&format!("web-{condition}"), &image);
        spec["TaskTemplate"]["RestartPolicy"] =
            json!({"Condition": condition, "Delay": SECOND / 5});
        let service = stage.create(&spec).await;
        let tasks = service
            .sees("one to be complete", first_is("complete"))
            .await;
        assert_eq!((tasks[0].message(), tasks[0].err()), ("finished", ""));
        if follows {
            service.sees("another", |tasks| tasks.len() > 1).await;
        } else {
            service
                .sees("it to be given up", |tasks| {
                    tasks[0].desired() == "shutdown"
                })
                .await;
            service.rests(condition).await;
        }
    }
}

async fn an_unhealthy_container_is_replaced(world: World) {
    let stage = Stage::new(&world, "sick").await;
    let image = stage.build(Kind::Unhealthy, "old").await;
    let service = stage.create(&stage.spec("web", &image)).await;
    let tasks = service.sees("one to have failed", first_is("failed")).await;
    assert_eq!(
        tasks[0].err(),
        "task: non-zero exit (143): dockerexec: unhealthy container"
    );
    assert_eq!(tasks[0].message(), "starting");
    assert_eq!(tasks[0].exit_code(), Some(143));
    service.sees("another", |tasks| tasks.len() > 1).await;
}

async fn what_finds_no_node_waits_and_says_why(world: World) {
    let stage = Stage::new(&world, "nonode").await;
    let image = stage.build(Kind::Good, "old").await;
    let table = [
        (
            json!({"Constraints": ["node.hostname==nowhere"]}),
            "scheduling constraints not satisfied on 3 nodes",
        ),
        (
            json!({"Platforms": [{"OS": "plan9", "Architecture": "amd64"}]}),
            "unsupported platform on 3 nodes",
        ),
    ];
    for (number, (placement, why)) in table.into_iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), &image);
        spec["TaskTemplate"]["Placement"] = placement;
        let service = stage.create(&spec).await;
        let why = format!("no suitable node ({why})");
        let waits = |tasks: &[Task]| tasks.len() == 1 && tasks[0].err() == why;
        let tasks = service.sees("a task to wait", waits).await;
        assert_eq!(
            (tasks[0].state(), tasks[0].desired()),
            ("pending", "running")
        );
        assert_eq!(tasks[0].message(), "pending task scheduling");
        assert_eq!(tasks[0].node(), "");
        service.rests("a task that waits").await;
    }
    let mut spec = stage.spec("memory", &image);
    spec["TaskTemplate"]["Resources"] = json!({"Reservations": {"MemoryBytes": 1_i64 << 50}});
    let service = stage.create(&spec).await;
    let why = "no suitable node (insufficient resources on 3 nodes)";
    let tasks = service
        .sees("a task to wait", |tasks| {
            tasks.len() == 1 && tasks[0].err() != ""
        })
        .await;
    assert_eq!(tasks[0].err(), why);
}

async fn a_tag_without_a_digest_is_pulled(world: World) {
    let stage = Stage::new(&world, "bare").await;
    stage.build(Kind::Good, "old").await;
    let image = format!("{}:16", stage.story.repository());
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    let service = stage.create(&spec).await;
    assert_eq!(service.runs(1).await[0].image(), image);
    let present = async || {
        let reply = stage.engine(2).get(&format!("/images/{image}/json")).await;
        reply.expect(200).json()
    };
    let before = present().await;
    assert_eq!(before["RepoTags"], json!([image]));
    // The tag moves: the same spec pulls another image.
    let new = stage.build(Kind::Good, "new").await;
    service
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    service.ends("completed").await;
    let after = present().await;
    assert_ne!(after["Id"], before["Id"]);
    // When the registry has lost it, the local one is taken, and a node that
    // has none has nothing to run.
    let registry = Wire::host(&stage.story.registry);
    let shelf = format!("/v2/{}/manifests", stage.story.path());
    let (_, digest) = new.split_once('@').unwrap();
    registry
        .delete(&format!("{shelf}/{digest}"))
        .await
        .expect(202);
    registry.get(&format!("{shelf}/16")).await.expect(404);
    service
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(2))
        .await;
    service.ends("completed").await;
    let task = service.runs(1).await.remove(0);
    assert_eq!(
        (task.image(), &task.0["Spec"]["ForceUpdate"]),
        (image.as_str(), &json!(2))
    );
    assert_eq!(present().await["Id"], after["Id"]);
    spec["Name"] = json!(stage.name("elsewhere"));
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_3]});
    let elsewhere = stage.create(&spec).await;
    let tasks = elsewhere
        .sees("a task to be rejected", first_is("rejected"))
        .await;
    assert_eq!(tasks[0].err(), format!("No such image: {image}"));
}
