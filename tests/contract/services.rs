//! Services: taken, changed, found and removed.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::seen;
use crate::stage::{SECOND, Stage, parameter, until};

imgstack_tests::both! {
    a_spec_comes_back_as_it_was_sent,
    what_a_spec_leaves_open_is_filled_in,
    what_cannot_be_a_service_is_refused,
    a_name_is_taken_in_any_case_and_found_in_its_own,
    an_update_names_the_version_that_it_changes,
    what_an_update_cannot_change_is_refused,
    a_no_op_destroys_the_way_back_and_clears_the_status,
    the_updater_moves_the_version_by_itself,
    a_rollback_that_is_asked_for_swaps_the_specs,
    an_update_keeps_what_it_does_not_speak_of,
    what_is_scaled_down_goes,
    a_removed_service_takes_its_tasks_with_it,
}

async fn a_spec_comes_back_as_it_was_sent(world: World) {
    let stage = Stage::new(&world, "asis").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["Labels"] = json!({"com.docker.stack.namespace": "prod"});
    let container = &mut spec["TaskTemplate"]["ContainerSpec"];
    container["Labels"] = json!({"team": "a"});
    container["Env"] = json!(["A=1"]);
    container["Hostname"] = json!("h");
    container["Init"] = json!(true);
    container["Mounts"] = json!([{"Type": "tmpfs", "Target": "/x"}]);
    container["Healthcheck"] = json!({"Test": ["CMD", "true"], "Interval": SECOND});
    let template = &mut spec["TaskTemplate"];
    template["Resources"] = json!({"Limits": {"MemoryBytes": 100_000_000}});
    template["LogDriver"] = json!({"Name": "json-file", "Options": {"max-size": "1m"}});
    template["Placement"] = json!({
        "Constraints": ["node.hostname!=nowhere"],
        "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
    });
    spec["EndpointSpec"] = json!({"Mode": "dnsrr"});
    spec["UpdateConfig"]["Delay"] = json!(5);
    let service = stage.create(&spec).await;
    let read = service.read().await;
    assert_eq!(read["Spec"], spec);
    assert_eq!(read["CreatedAt"], read["UpdatedAt"]);
    let absent = ["PreviousSpec", "UpdateStatus", "JobStatus", "ServiceStatus"];
    for field in absent {
        assert_eq!(read.get(field), None, "{field}");
    }
    // Tasks are made from the template, which has its runtime from the service.
    let mut template = spec["TaskTemplate"].clone();
    template.as_object_mut().unwrap().remove("Runtime");
    let tasks = service.sees("a task", |tasks| tasks.len() == 1).await;
    assert_eq!(tasks[0].0["Spec"], template);
    service.runs(1).await;
    // Without ports and networks nothing is allocated for it.
    let endpoint = service.read().await["Endpoint"].clone();
    assert_eq!(endpoint, json!({"Spec": {}}));
}

async fn what_a_spec_leaves_open_is_filled_in(world: World) {
    let stage = Stage::new(&world, "open").await;
    let image = stage.build(Kind::Good, "old").await;
    let name = stage.name("web");
    let sent = json!({
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Command": [], "Env": null},
            "RestartPolicy": {"Delay": SECOND},
        },
        "UpdateConfig": {},
        "RollbackConfig": {"FailureAction": "continue"},
    });
    let service = stage.create(&sent).await;
    let read = service.read().await;
    let config = |action: &str| json!({"Parallelism": 0, "FailureAction": action, "MaxFailureRatio": 0, "Order": "stop-first"});
    let expected = json!({
        "Name": name,
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Isolation": "default"},
            "RestartPolicy": {"Condition": "any", "Delay": SECOND, "MaxAttempts": 0},
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": config("pause"),
        "RollbackConfig": config("continue"),
    });
    assert_eq!(read["Spec"], expected);
    assert_eq!(read["Endpoint"], json!({"Spec": {}}));
}

async fn what_cannot_be_a_service_is_refused(world: World) {
    let stage = Stage::new(&world, "cannot").await;
    let name = stage.name("web");
    let image = format!("{}:16", stage.story.repository());
    let of =
        |image: &str| json!({"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": image}}});
    let with = |field: &str, value: Value| {
        let mut spec = of(&image);
        let pointer = format!("/{field}");
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        spec.pointer_mut(parent).unwrap()[last] = value;
        spec
    };
    let config = json!([{"ConfigID": "nope", "ConfigName": "lost", "File": {"Name": "/x", "UID": "0", "GID": "0", "Mode": 292}}]);
    let table = [
        (
            with("Name", json!("no name")),
            400,
            "name must be valid as a DNS name component",
        ),
        (
            json!({"Name": name}),
            400,
            "mismatched Runtime and *Spec fields",
        ),
        (
            json!({"Name": name, "TaskTemplate": {"ContainerSpec": {}}}),
            400,
            "ContainerSpec: image reference must be provided",
        ),
        (of("BAD IMAGE"), 400, "is not a valid repository/tag"),
        (
            with("TaskTemplate/ContainerSpec/Configs", config),
            400,
            "config not found: lost",
        ),
        (
            with("TaskTemplate/Networks", json!([{"Target": "nowhere"}])),
            500,
            "network nowhere not found",
        ),
        (
            with(
                "TaskTemplate/Resources",
                json!({"Limits": {"MemoryBytes": 1_000_000}}),
            ),
            400,
            "invalid memory value 1000000: Must be at least 4MiB",
        ),
        (
            with("UpdateConfig", json!({"FailureAction": "shrug"})),
            400,
            "unrecognized update failure action shrug",
        ),
        (
            with("Mode", json!({"Replicated": {}, "Global": {}})),
            400,
            "must specify only one service mode",
        ),
    ];
    for (spec, status, words) in table {
        let reply = stage.post("/services/create", &spec, None).await;
        reply.refuses(status, words);
    }
    let odd = with(
        "TaskTemplate/Placement",
        json!({"Constraints": ["rubbish"]}),
    );
    let reply = stage.post("/services/create", &odd, None).await;
    reply.refuses(500, "constraint expected one operator from ==, !=");
}

async fn a_name_is_taken_in_any_case_and_found_in_its_own(world: World) {
    let stage = Stage::new(&world, "names").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.create(&stage.spec("Web", &image)).await;
    for name in ["Web", "web"] {
        let reply = stage
            .post("/services/create", &stage.spec(name, &image), None)
            .await;
        let words = format!(
            "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service {} already exists",
            stage.name(name)
        );
        reply.refuses(409, &words);
    }
    let whole = stage.name("Web");
    let found = [whole.as_str(), &service.id, &service.id[..12]];
    for what in found {
        let reply = stage.manager.get(&format!("/services/{what}")).await;
        assert_eq!(reply.expect(200).json()["ID"], service.id, "{what}");
    }
    for what in [stage.name("web"), stage.name("We"), "nowhere".to_owned()] {
        let words = format!("service {what} not found");
        let reply = stage.manager.get(&format!("/services/{what}")).await;
        reply.refuses(404, &words);
        let reply = stage.manager.delete(&format!("/services/{what}")).await;
        reply.refuses(404, &words);
    }
    let table = [
        (json!({"name": [stage.name("W")]}), 1),
        (json!({"name": [stage.name("w")]}), 0),
        (json!({"name": ["Web"]}), 0),
        (json!({"id": [service.id[..12]]}), 1),
        (json!({"name": [whole], "mode": ["replicated"]}), 1),
        (json!({"name": [whole], "mode": ["global"]}), 0),
        (json!({"name": [whole], "label": ["a"]}), 0),
    ];
    for (filters, expected) in table {
        let found = stage.list("services", filters.clone()).await;
        assert_eq!(found.len(), expected, "{filters}");
    }
    let unknown = parameter("filters", &json!({"nmae": ["web"]}).to_string());
    for kind in ["services", "tasks", "nodes", "configs"] {
        let reply = stage.manager.get(&format!("/{kind}?{unknown}")).await;
        reply.refuses(400, "nvalid filter 'nmae'");
    }
    let lost = parameter("filters", &json!({"service": ["nowhere"]}).to_string());
    let reply = stage.manager.get(&format!("/tasks?{lost}")).await;
    reply.refuses(404, "service nowhere not found");
}

async fn an_update_names_the_version_that_it_changes(world: World) {
    let stage = Stage::new(&world, "cas").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let before = service.read().await;
    let version = before["Version"]["Index"].as_u64().unwrap();
    let mut spec = before["Spec"].clone();
    spec["Labels"] = json!({"a": "1"});
    let stale = "rpc error: code = Unknown desc = update out of sequence";
    for wrong in [version - 1, version + 1, 0] {
        service.send(wrong, &spec, "").await.refuses(500, stale);
    }
    assert_eq!(
        service.read().await,
        before,
        "a refused update changed something"
    );
    service.send(version, &spec, "").await.expect(200);
    service.send(version, &spec, "").await.refuses(500, stale);
    let after = service.read().await;
    assert!(after["Version"]["Index"].as_u64().unwrap() > version);
    assert_eq!(after["Spec"], spec);
    assert_eq!(after["PreviousSpec"], before["Spec"]);
    assert_eq!(after["CreatedAt"], before["CreatedAt"]);
    let odd = format!("/services/{}/update?version=x", service.id);
    let reply = stage.post(&odd, &spec, None).await;
    reply.refuses(400, "invalid service version 'x'");
}

async fn what_an_update_cannot_change_is_refused(world: World) {
    let stage = Stage::new(&world, "fixed").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let (spec, version) = (service.spec().await, service.version().await);
    let with = |field: &str, value: Value| {
        let mut spec = spec.clone();
        spec[field] = value;
        spec
    };
    let table = [
        (
            with("Name", json!(stage.name("other"))),
            "",
            501,
            "renaming services is not supported",
        ),
        (
            with("Mode", json!({"Global": {}})),
            "",
            501,
            "service mode change is not allowed",
        ),
        (
            spec.clone(),
            "&rollback=previous",
            400,
            "does not have a previous spec",
        ),
        (
            spec.clone(),
            "&rollback=back",
            500,
            "unrecognized rollback option back",
        ),
        (
            spec.clone(),
            "&registryAuthFrom=nobody",
            500,
            "unsupported registryAuthFrom value",
        ),
    ];
    for (spec, query, status, words) in table {
        service
            .send(version, &spec, query)
            .await
            .refuses(status, words);
    }
    assert_eq!(service.version().await, version);
    let reply = stage
        .post("/services/nowhere/update?version=1", &spec, None)
        .await;
    reply.refuses(404, "service nowhere not found");
}

async fn a_no_op_destroys_the_way_back_and_clears_the_status(world: World) {
    let stage = Stage::new(&world, "noop").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let service = stage.running("web", &old, 1).await;
    service.roll_to(&new).await;
    service.ends("completed").await;
    let before = service.read().await;
    assert_eq!(
        before["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        old
    );
    let version = before["Version"]["Index"].as_u64().unwrap();
    service.send(version, &before["Spec"], "").await.expect(200);
    let after = service.read().await;
    assert_eq!(after["PreviousSpec"], before["Spec"]);
    assert_eq!(after.get("UpdateStatus"), None);
    service.rests("a no-op").await;
    assert_eq!(service.status().await, Value::Null);
}

async fn the_updater_moves_the_version_by_itself(world: World) {
    let stage = Stage::new(&world, "moves").await;
    let old = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &old, 1).await;
    let version = service.version().await;
    let mut spec = service.spec().await;
    spec["TaskTemplate"]["ForceUpdate"] = json!(1);
    service.send(version, &spec, "").await.expect(200);
    service.ends("updating").await;
    let updating = service.version().await;
    service.ends("completed").await;
    let completed = service.read().await;
    assert!(version < updating, "{version} {updating}");
    assert!(updating < completed["Version"]["Index"].as_u64().unwrap());
    assert_eq!(completed["Spec"], spec);
    assert!(completed["UpdatedAt"].as_str() > completed["CreatedAt"].as_str());
    let stale = service.send(updating, &spec, "").await;
    stale.refuses(500, "update out of sequence");
}

async fn a_rollback_that_is_asked_for_swaps_the_specs(world: World) {
    let stage = Stage::new(&world, "back").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let service = stage.running("web", &old, 1).await;
    service.roll_to(&new).await;
    service.ends("completed").await;
    let before = service.read().await;
    service.roll_back().await;
    let status = service.ends("rollback_started").await;
    assert_eq!(status["Message"], "manually requested rollback");
    assert_eq!(status.get("CompletedAt"), None);
    let status = service.ends("rollback_completed").await;
    assert_eq!(status["Message"], "rollback completed");
    assert!(status["CompletedAt"].as_str() > status["StartedAt"].as_str());
    let after = service.read().await;
    assert_eq!(after["Spec"], before["PreviousSpec"]);
    assert_eq!(after["PreviousSpec"], before["Spec"]);
    assert_eq!(service.runs(1).await[0].image(), old);
    // And once more, which is forth again.
    service.roll_back().await;
    service.ends("rollback_completed").await;
    assert_eq!(service.runs(1).await[0].image(), new);
}

async fn an_update_keeps_what_it_does_not_speak_of(world: World) {
    let stage = Stage::new(&world, "keeps").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let task = service.runs(1).await[0].id().to_owned();
    // Where nothing was dirty there is no status, however long one waits.
    let label = |spec: &mut Value| spec["Labels"] = json!({"a": "1"});
    let monitor = |spec: &mut Value| spec["UpdateConfig"]["Monitor"] = json!(2 * SECOND);
    let changes: [&dyn Fn(&mut Value); 2] = [&label, &monitor];
    for change in changes {
        service.change(change).await;
        service.rests("what concerns no task").await;
        assert_eq!(service.status().await, Value::Null);
    }
    assert_eq!(service.runs(1).await[0].id(), task);
    service
        .change(|spec| spec["Mode"]["Replicated"]["Replicas"] = json!(2))
        .await;
    let tasks = service.runs(2).await;
    assert_eq!(tasks[0].id(), task);
    assert_eq!(tasks[1].slot(), Some(2));
    assert_eq!(service.status().await, Value::Null);
}

async fn what_is_scaled_down_goes(world: World) {
    let stage = Stage::new(&world, "scale").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let scale = async |replicas: usize| {
        service
            .change(|spec| spec["Mode"]["Replicated"]["Replicas"] = json!(replicas))
            .await;
    };
    let mut given_up = 0;
    // They do not take long to go, and whoever looks may come too late.
    for _ in 0..10 {
        scale(3).await;
        let before = service.runs(3).await;
        scale(1).await;
        // They leave no history behind.
        let left = service
            .sees("two tasks to be gone", |tasks| {
                for task in tasks.iter().filter(|it| !it.runs()) {
                    assert_eq!(task.desired(), "remove", "{}", seen(tasks));
                    given_up += 1;
                }
                tasks.len() == 1
            })
            .await;
        // The one that is left was not touched.
        assert!(left[0].runs(), "{}", seen(&left));
        assert!(before.iter().any(|it| it.id() == left[0].id()));
        if given_up > 0 {
            break;
        }
    }
    // The simulation's containers take no time to stop.
    let takes_time = matches!(world, World::Lab(_));
    assert!(
        given_up > 0 || !takes_time,
        "nobody was seen to be given up"
    );
    scale(0).await;
    service.sees("no task", <[_]>::is_empty).await;
    assert_eq!(service.status().await, Value::Null);
}

async fn a_removed_service_takes_its_tasks_with_it(world: World) {
    let stage = Stage::new(&world, "removed").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let task = service.runs(1).await.remove(0);
    let counts = stage
        .manager
        .get(&format!(
            "/services?status=true&{}",
            parameter("filters", &json!({"id": [service.id]}).to_string())
        ))
        .await;
    let counts = counts.json()[0]["ServiceStatus"].clone();
    let expected = json!({"RunningTasks": 1, "DesiredTasks": 1, "CompletedTasks": 0});
    assert_eq!(counts, expected);
    let path = format!("/services/{}", stage.name("web"));
    let reply = stage.manager.delete(&path).await.expect(200);
    assert_eq!(reply.text(), "");
    stage.manager.get(&path).await.expect(404);
    until("the task to be gone", async || {
        let reply = stage.manager.get(&format!("/tasks/{}", task.id())).await;
        match reply.status {
            404 => Ok(()),
            _ => Err(reply.text()),
        }
    })
    .await;
    // The name is free.
    stage.create(&stage.spec("web", &image)).await;
}
