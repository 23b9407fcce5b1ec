//! Making nodes pull through the manager alone, and jobs.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::seen;
use crate::stage::{Stage, pause, until};
use crate::task::Task;

imgstack_tests::both! {
    every_node_pulls_once_and_its_task_fails_to_start,
    nothing_is_left_of_a_prepull,
    a_prepull_of_what_is_not_there_is_rejected_once_a_node,
    a_prepull_goes_where_its_constraints_let_it,
    a_global_job_that_fails_storms,
    a_global_job_that_ends_well_runs_once_a_node,
    a_job_runs_again_with_every_update,
}

/// All its tasks are over, and none of them is followed.
fn over(tasks: &[Task]) -> bool {
    tasks.iter().all(|task| task.desired() == "shutdown")
}

/// A job that ends with this code.
fn job(stage: &Stage, image: &str, mode: &Value) -> Value {
    json!({
        "Name": stage.name("job"),
        "TaskTemplate": {
            "ContainerSpec": {"Image": image},
            "RestartPolicy": {"Condition": "none"},
        },
        "Mode": mode,
    })
}

async fn every_node_pulls_once_and_its_task_fails_to_start(world: World) {
    let stage = Stage::new(&world, "prepull").await;
    let image = stage.build(Kind::Good, "old").await;
    for node in 1..=3 {
        let reply = stage
            .engine(node)
            .get(&format!("/images/{image}/json"))
            .await;
        reply.expect(404);
    }
    let service = stage.create(&stage.prepull("pre", &image)).await;
    let all_over =
        |tasks: &[Task]| tasks.len() == 3 && tasks.iter().all(|task| task.desired() == "shutdown");
    let tasks = service.sees("three tasks to be over", all_over).await;
    for task in &tasks {
        assert_eq!((task.state(), task.message()), ("failed", "starting"));
        assert_eq!(task.image(), image);
        assert_eq!((task.slot(), task.exit_code()), (None, Some(127)));
        assert!(
            task.err().starts_with("starting container failed: "),
            "{}",
            task.err()
        );
        assert!(
            task.err().contains(
                "\"/imgstack-prepull\": stat /imgstack-prepull: no such file or directory"
            )
        );
    }
    let mut nodes: Vec<&str> = tasks.iter().map(Task::node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(nodes.len(), 3, "{}", seen(&tasks));
    let digest = image.split_once('@').unwrap().1;
    for node in 1..=3 {
        let reply = stage
            .engine(node)
            .get(&format!("/images/{image}/json"))
            .await;
        let present = reply.expect(200).json();
        let expected = format!("{}@{digest}", stage.story.repository());
        assert_eq!(present["RepoDigests"], json!([expected]), "{present}");
        assert_eq!(present["RepoTags"], json!([]), "{present}");
    }
    service.rests("a pre-pull that is over").await;
}

async fn nothing_is_left_of_a_prepull(world: World) {
    let stage = Stage::new(&world, "preleft").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.create(&stage.prepull("pre", &image)).await;
    service
        .sees("three tasks to be over", |tasks| {
            tasks.len() == 3 && over(tasks)
        })
        .await;
    let path = format!("/services/{}", service.id);
    stage.manager.delete(&path).await.expect(200);
    let filter = json!({"label": [format!("com.docker.swarm.service.id={}", service.id)]});
    let list = format!(
        "/containers/json?all=1&{}",
        crate::stage::parameter("filters", &filter.to_string())
    );
    for node in 1..=3 {
        until("the containers to be gone", async || {
            let reply = stage.engine(node).get(&list).await.expect(200);
            match reply.json().as_array().is_some_and(Vec::is_empty) {
                true => Ok(()),
                false => Err(reply.text()),
            }
        })
        .await;
        // The image stays.
        stage
            .engine(node)
            .get(&format!("/images/{image}/json"))
            .await
            .expect(200);
    }
}

async fn a_prepull_of_what_is_not_there_is_rejected_once_a_node(world: World) {
    let stage = Stage::new(&world, "prelost").await;
    let image = format!("{}:16@sha256:{}", stage.story.repository(), "0".repeat(64));
    let service = stage.create(&stage.prepull("pre", &image)).await;
    let tasks = service
        .sees("three tasks to be over", |tasks| {
            tasks.len() == 3 && over(tasks)
        })
        .await;
    for task in &tasks {
        assert_eq!((task.state(), task.message()), ("rejected", "preparing"));
        assert_eq!(task.err(), format!("No such image: {image}"));
        assert_eq!(task.container(), "");
    }
    service.rests("a pre-pull that is over").await;
}

async fn a_prepull_goes_where_its_constraints_let_it(world: World) {
    let stage = Stage::new(&world, "prewhere").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.prepull("pre", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.role==worker"]});
    let service = stage.create(&spec).await;
    let tasks = service
        .sees("two tasks to be over", |tasks| {
            tasks.len() == 2 && over(tasks)
        })
        .await;
    let manager = stage.node_id(1).await;
    assert!(tasks.iter().all(|task| task.node() != manager));
    // Its rest are the nodes that the constraints left out.
    service
        .change(|spec| spec["TaskTemplate"]["Placement"] = json!({}))
        .await;
    let tasks = service
        .sees("a third one", |tasks| {
            tasks.iter().any(|it| it.node() == manager)
        })
        .await;
    assert_eq!(
        tasks.iter().filter(|task| task.node() == manager).count(),
        1,
        "{}",
        seen(&tasks)
    );
    // What nothing fits has no task at all.
    let mut spec = stage.prepull("nowhere", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.hostname==nowhere"]});
    let service = stage.create(&spec).await;
    pause(500).await;
    assert_eq!(service.tasks().await.len(), 0);
}

async fn a_global_job_that_fails_storms(world: World) {
    let stage = Stage::new(&world, "storm").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.prepull("job", &image);
    spec["Mode"] = json!({"GlobalJob": {}});
    let service = stage.create_job(&spec).await;
    // Three would do; the restart condition is `none`.
    let tasks = service
        .sees("a dozen tasks", |tasks| tasks.len() >= 12)
        .await;
    assert!(tasks.iter().filter(|task| task.state() == "failed").count() >= 6);
    assert!(
        tasks
            .iter()
            .all(|task| ["complete", "shutdown"].contains(&task.desired())),
        "{}",
        seen(&tasks)
    );
}

async fn a_global_job_that_ends_well_runs_once_a_node(world: World) {
    let stage = Stage::new(&world, "globaljob").await;
    let image = stage.build(Kind::Ending, "old").await;
    let service = stage
        .create_job(&job(&stage, &image, &json!({"GlobalJob": {}})))
        .await;
    let complete =
        |tasks: &[Task]| tasks.len() == 3 && tasks.iter().all(|task| task.state() == "complete");
    let tasks = service.sees("three tasks to be complete", complete).await;
    for task in &tasks {
        assert_eq!(
            (task.desired(), task.message(), task.exit_code()),
            ("complete", "finished", Some(0))
        );
    }
    service.rests("a job that is done").await;
    let read = service.read().await;
    assert_eq!(read["JobStatus"]["JobIteration"], json!({}));
    assert!(read["JobStatus"]["LastExecution"].is_string());
}

async fn a_job_runs_again_with_every_update(world: World) {
    let stage = Stage::new(&world, "job").await;
    let image = stage.build(Kind::Ending, "old").await;
    let mode = json!({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}});
    let service = stage.create_job(&job(&stage, &image, &mode)).await;
    let complete = |count: usize| {
        move |tasks: &[Task]| {
            tasks.len() == count && tasks.iter().all(|task| task.state() == "complete")
        }
    };
    let tasks = service.sees("two tasks to be complete", complete(2)).await;
    assert!(tasks[1].created() >= tasks[0].since(), "{}", seen(&tasks));
    assert_eq!(tasks[0].0["JobIteration"], json!({}));
    // The first slot is the zeroth, and a zero is not said.
    assert_eq!((tasks[0].slot(), tasks[1].slot()), (None, Some(1)));
    assert_eq!(service.read().await["Spec"]["Mode"], mode);
    // A label is enough.
    service
        .change(|spec| spec["Labels"] = json!({"a": "1"}))
        .await;
    let tasks = service.sees("four tasks to be complete", complete(4)).await;
    assert_eq!(tasks[3].0["JobIteration"], json!({"Index": 1}));
    let read = service.read().await;
    assert_eq!(read["JobStatus"]["JobIteration"], json!({"Index": 1}));
    assert_eq!(read.get("UpdateStatus"), None);
}
