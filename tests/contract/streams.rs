//! Logs and events, as they come.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::stage::{ON_2, Stage, parameter, until};
use crate::task::Task;

/// What is to come comes within that, also on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(60);

imgstack_tests::both! {
    logs_come_in_frames,
    a_log_is_followed_from_task_to_task_and_has_no_end,
    events_tell_of_a_rollout,
    events_of_a_node_tell_of_its_containers,
}

/// The frames of a log: the stream and the text of each.
fn frames(mut bytes: &[u8]) -> Vec<(u8, String)> {
    let mut frames = Vec::new();
    while bytes.len() >= 8 {
        assert_eq!(bytes[1..4], [0, 0, 0]);
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let text = String::from_utf8_lossy(&bytes[8..8 + length]).into_owned();
        frames.push((bytes[0], text));
        bytes = &bytes[8 + length..];
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:?}");
    frames
}

async fn logs_come_in_frames(world: World) {
    let stage = Stage::new(&world, "logs").await;
    let image = stage.build(Kind::Dying, "bad").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
    let service = stage.create(&spec).await;
    let over = |tasks: &[Task]| tasks.first().is_some_and(|it| it.state() == "failed");
    let task = service.sees("it to have failed", over).await.remove(0);
    let ask = async |query: &str| {
        let path = format!("/tasks/{}/logs?{query}", task.id());
        stage.manager.get(&path).await
    };
    let both = ask("stdout=1&stderr=1").await.expect(200);
    // Engines of this age do not say what it is.
    assert_eq!(both.header("content-type"), "");
    let fatal = "FATAL: data directory has wrong ownership\n";
    let mut lines = frames(&both.body);
    lines.sort();
    let expected = [
        (1, format!("build {} starts\n", stage.sha("bad"))),
        (1, "opening the database\n".to_owned()),
        (2, fatal.to_owned()),
    ];
    assert_eq!(lines, expected);
    assert_eq!(frames(&ask("stderr=1").await.body), [(2, fatal.to_owned())]);
    // The last lines of all are taken before those of one stream.
    for (tail, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)] {
        let mut kept = 0;
        for stream in ["stdout=1", "stderr=1"] {
            let body = ask(&format!("{stream}&tail={tail}")).await.body;
            kept += frames(&body).len();
        }
        assert_eq!(kept, expected, "the last {tail}");
    }
    let dated = frames(&ask("stderr=1&timestamps=1").await.body).remove(0).1;
    let (date, text) = dated.split_once(' ').unwrap();
    assert_eq!(text, fatal);
    assert!(date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    assert_eq!(date.len(), "2026-02-09T04:00:00.000000000Z".len());
    let detailed = frames(&ask("stderr=1&details=1").await.body).remove(0).1;
    let expected = format!(
        "com.docker.swarm.node.id={},com.docker.swarm.service.id={},com.docker.swarm.task.id={} {fatal}",
        task.node(),
        service.id,
        task.id()
    );
    assert_eq!(detailed, expected);
    let path = format!("/services/{}/logs?stderr=1", stage.name("web"));
    let of_service = stage.manager.get(&path).await.expect(200);
    assert_eq!(frames(&of_service.body), [(2, fatal.to_owned())]);
    let table = [
        ("", "Bad parameters: you must choose at least one stream"),
        ("stdout=1&tail=-1", "negative tail values not supported"),
        (
            "stdout=1&tail=x",
            "tail value must be a positive integer or \"all\"",
        ),
    ];
    for (query, words) in table {
        ask(query).await.refuses(500, words);
    }
}

/// What comes next of a log that is followed.
async fn next_frames(answer: &mut Response) -> Vec<(u8, String)> {
    let chunk = timeout(PATIENCE, answer.chunk()).await;
    let chunk = chunk.unwrap_or_else(|_| panic!("nothing more within {PATIENCE:?}"));
    let chunk = chunk.unwrap();
    frames(&chunk.unwrap_or_else(|| panic!("the log has ended")))
}

/// Nothing more is said, and it is not over.
async fn is_quiet_and_open(answer: &mut Response) {
    let more = timeout(Duration::from_millis(1500), answer.chunk()).await;
    assert!(more.is_err(), "{more:?}");
}

async fn a_log_is_followed_from_task_to_task_and_has_no_end(world: World) {
    let stage = Stage::new(&world, "follow").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let path = format!("/services/{}/logs?stdout=1&follow=1", service.id);
    let mut of_service = stage.manager.open(&path).await;
    let line = [(1, format!("build {} runs\n", stage.sha("old")))];
    assert_eq!(next_frames(&mut of_service).await, line);
    let first = service.runs(1).await.remove(0);
    let path = format!("/tasks/{}/logs?stdout=1&follow=1", first.id());
    let mut of_task = stage.manager.open(&path).await;
    assert_eq!(next_frames(&mut of_task).await, line);
    is_quiet_and_open(&mut of_service).await;
    // The next task's lines come, too; what was asked of one task is not over
    // with it.
    service
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    assert_eq!(next_frames(&mut of_service).await, line);
    service.ends("completed").await;
    is_quiet_and_open(&mut of_task).await;
    // Nor is it when the service has gone: who follows hangs up.
    let path = format!("/services/{}", service.id);
    stage.manager.delete(&path).await.expect(200);
    let filters = json!({"name": [stage.name("web")]});
    until("the tasks to be gone", async || {
        match stage.list("tasks", filters.clone()).await.len() {
            0 => Ok(()),
            left => Err(format!("{left} are left")),
        }
    })
    .await;
    is_quiet_and_open(&mut of_service).await;
    is_quiet_and_open(&mut of_task).await;
}

/// Events as they come, up to one of which something holds.
async fn heard(answer: &mut Response, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    let mut bytes = Vec::new();
    while !events.last().is_some_and(&last) {
        let chunk = timeout(PATIENCE, answer.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("no more events after {events:#?}"));
        bytes.extend_from_slice(&chunk.unwrap().unwrap());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            events.push(serde_json::from_slice(&line).unwrap());
        }
    }
    events
}

/// What happened to what, and what is said of it beside its name.
fn told(events: &[Value]) -> Vec<(String, Value)> {
    let told = events.iter().map(|event| {
        let word = |field: &str| event[field].as_str().unwrap().to_owned();
        let mut attributes = event["Actor"]["Attributes"].clone();
        attributes.as_object_mut().unwrap().remove("name");
        (format!("{} {}", word("Type"), word("Action")), attributes)
    });
    told.collect()
}

async fn events_tell_of_a_rollout(world: World) {
    let stage = Stage::new(&world, "events").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let name = stage.name("web");
    let filters = json!({"type": ["service", "config"], "scope": ["swarm"]});
    let path = format!("/events?{}", parameter("filters", &filters.to_string()));
    let mut answer = stage.manager.open(&path).await;
    let service = stage.running("web", &old, 1).await;
    service.roll_to(&new).await;
    service.ends("completed").await;
    let config = json!({"Name": name, "Data": "aGVsbG8="});
    let config = stage
        .manager
        .post("/configs/create", &config)
        .await
        .expect(201)
        .json();
    stage
        .manager
        .delete(&format!("/configs/{}", config["ID"].as_str().unwrap()))
        .await
        .expect(204);
    stage
        .manager
        .delete(&format!("/services/{}", service.id))
        .await
        .expect(200);
    let last = |event: &Value| {
        event["Type"] == "service"
            && event["Action"] == "remove"
            && event["Actor"]["ID"] == service.id
    };
    let mut events = heard(&mut answer, last).await;
    // Others may be at work.
    events.retain(|event| event["Actor"]["Attributes"]["name"] == name);
    let says = |what: &str, attributes: Value| (what.to_owned(), attributes);
    let expected = [
        says("service create", json!({})),
        says(
            "service update",
            json!({"image.old": old, "image.new": new}),
        ),
        says("service update", json!({"updatestate.new": "updating"})),
        says(
            "service update",
            json!({"updatestate.old": "updating", "updatestate.new": "completed"}),
        ),
        says("config create", json!({})),
        says("config remove", json!({})),
        says("service remove", json!({})),
    ];
    assert_eq!(told(&events), expected);
    let event = &events[0];
    assert_eq!(
        (&event["scope"], &event["Actor"]["ID"]),
        (&json!("swarm"), &json!(service.id))
    );
    assert_eq!(
        event["timeNano"].as_i64().unwrap() / 1_000_000_000,
        event["time"].as_i64().unwrap()
    );
    // What is past is told to whoever asks for it, up to an end. On a busy
    // node an engine does not remember much.
    let last = events.last().unwrap();
    let seconds = last["time"].as_i64().unwrap();
    let filters = json!({"type": ["service"], "service": [name]}).to_string();
    let path = format!(
        "/events?since={seconds}&until={}&{}",
        seconds + 1,
        parameter("filters", &filters)
    );
    let again = stage.manager.get(&path).await.expect(200).text();
    let again = again.lines().last().unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(again).unwrap(), *last);
}

async fn events_of_a_node_tell_of_its_containers(world: World) {
    let stage = Stage::new(&world, "nodeevents").await;
    let image = stage.build(Kind::Dying, "bad").await;
    let filters = json!({"type": ["container"], "event": ["create", "start", "die", "destroy"]});
    let path = format!("/events?{}", parameter("filters", &filters.to_string()));
    let mut answer = stage.engine(2).open(&path).await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
    let service = stage.create(&spec).await;
    let over = |tasks: &[Task]| tasks.first().is_some_and(|it| it.state() == "failed");
    let task = service.sees("it to have failed", over).await.remove(0);
    stage
        .manager
        .delete(&format!("/services/{}", service.id))
        .await
        .expect(200);
    let ours =
        |event: &Value| event["Actor"]["Attributes"]["com.docker.swarm.task.id"] == task.id();
    let mut events = heard(&mut answer, |event| {
        ours(event) && event["Action"] == "destroy"
    })
    .await;
    events.retain(ours);
    let actions: Vec<&str> = events
        .iter()
        .map(|it| it["Action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["create", "start", "die", "destroy"]);
    let died = &events[2];
    assert_eq!(died["Actor"]["Attributes"]["exitCode"], "1");
    assert_eq!(died["Actor"]["Attributes"]["image"], image.as_str());
    assert_eq!(died["Actor"]["ID"], task.container());
    assert_eq!(
        (&died["scope"], &died["from"], &died["status"]),
        (&json!("local"), &json!(image), &json!("die"))
    );
}
