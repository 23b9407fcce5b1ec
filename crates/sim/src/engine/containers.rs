//! `/containers`: the containers of a node's tasks. Nobody makes others.

use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request, not_found, ok};
use super::attachments::Member;
use super::call::Call;
use super::filters::Filters;
use super::{programs, tasks};
use crate::swarm::{ApiError, NodeContainer};
use crate::{Image, Program};

const STATES: [&str; 7] = [
    "created",
    "restarting",
    "running",
    "removing",
    "paused",
    "exited",
    "dead",
];

/// A task's container, with what that is called.
pub(super) struct Container {
    task: Value,
    id: String,
    name: String,
    service: String,
    image: Option<Image>,
}

/// `/containers…`
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, ["json"]) => list(call),
        (&Method::POST, ["prune"]) => prune(call),
        (&Method::GET, [container, "json"]) => {
            let found = find(call, container)?;
            let mut inspected = found.inspected();
            let networks = call.engines.networks();
            inspected["NetworkSettings"]["Networks"] = match found.runs() {
                true => found.member().networks(&networks, call.hostname),
                false => json!({}),
            };
            Ok(ok(&inspected))
        }
        (&Method::POST, [container, "exec"]) => programs::create(call, container),
        _ => Err(call.no_such_page()),
    }
}

/// A container by ID, name, or the beginning of an ID.
pub(super) fn find(call: &Call<'_>, name: &str) -> Result<Container, ApiError> {
    let found = of_node(call).into_iter().find(|it| it.is_called(name));
    found.ok_or_else(|| not_found(format!("No such container: {name}")))
}

/// Those of the node that run.
pub(super) fn running(call: &Call<'_>) -> Vec<Container> {
    let mut all = of_node(call);
    all.retain(Container::runs);
    all
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["ancestor", "id", "label", "name", "status"])?;
    let unknown = |state: &&String| !STATES.contains(&state.as_str());
    if let Some(state) = filters.get("status").iter().find(unknown) {
        return Err(bad_request(format!(
            "invalid filter 'status={state}': invalid value for container state ({state})"
        )));
    }
    // A filter of states looks at all of them by itself.
    let all = call.flag("all") || !filters.get("status").is_empty();
    let now = call.now();
    let containers = of_node(call);
    let wanted = containers
        .iter()
        .filter(|it| (all || it.state() == "running") && it.is_wanted(&filters));
    let summaries: Vec<Value> = wanted.map(|it| it.summary(now)).collect();
    Ok(ok(&summaries))
}

fn prune(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["label"])?;
    let wanted = |it: &NodeContainer| Container::of(it.clone()).is_wanted(&filters);
    let gone = call
        .engines
        .with(|cluster, now| cluster.prune_containers(now, call.hostname, wanted));
    // As in Go, a list of nothing is null. Nobody writes to a container here.
    let gone = (!gone.is_empty()).then_some(gone);
    Ok(ok(&json!({"ContainersDeleted": gone, "SpaceReclaimed": 0})))
}

/// As `/system/df` lists them: all, with what they take.
pub(super) fn sized(call: &Call<'_>) -> Vec<Value> {
    let now = call.now();
    let containers = of_node(call);
    let summaries = containers.iter().map(|container| {
        let mut summary = container.summary(now);
        let size = container.image.as_ref().map_or(0, |image| image.size);
        summary["SizeRootFs"] = json!(size);
        summary
    });
    summaries.collect()
}

/// Newest first, as docker has them.
fn of_node(call: &Call<'_>) -> Vec<Container> {
    let hostname = call.hostname;
    let mut all = call
        .engines
        .read(|cluster| cluster.node_containers(hostname));
    all.sort_by(|one, other| text(&other.task["CreatedAt"]).cmp(text(&one.task["CreatedAt"])));
    all.into_iter().map(Container::of).collect()
}

impl Container {
    fn of(it: NodeContainer) -> Self {
        Self {
            id: container_id(&it.task).to_owned(),
            name: tasks::name(&it.task, &it.service),
            service: it.service,
            image: it.image,
            task: it.task,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn runs(&self) -> bool {
        self.state() == "running"
    }

    /// What its image says of the programs in it.
    pub(super) fn programs(&self) -> Vec<Program> {
        let behaviour = self.image.as_ref().map(Image::behaviour);
        behaviour.unwrap_or_default().programs
    }

    pub(super) fn member(&self) -> Member<'_> {
        Member {
            id: &self.id,
            name: &self.name,
            spec: &self.task["Spec"],
        }
    }

    fn is_called(&self, name: &str) -> bool {
        let by_id = name.len() >= 3 && self.id.starts_with(name);
        by_id || self.name == name.trim_start_matches('/')
    }

    fn is_wanted(&self, filters: &Filters) -> bool {
        let image = self.reference();
        let ancestors = filters.get("ancestor");
        let names = filters.get("name");
        filters.exact("status", self.state())
            && filters.prefix("id", &self.id)
            && filters.labels("label", &self.labels())
            && (names.is_empty() || names.iter().any(|name| self.name.contains(name.as_str())))
            && (ancestors.is_empty() || ancestors.iter().any(|name| is_of(image, name)))
    }

    fn reference(&self) -> &str {
        text(&self.task["Spec"]["ContainerSpec"]["Image"])
    }

    fn exit_code(&self) -> i64 {
        let status = &self.task["Status"]["ContainerStatus"];
        status["ExitCode"].as_i64().unwrap_or_default()
    }

    /// What the engine calls the state of the task's process.
    fn state(&self) -> &'static str {
        match text(&self.task["Status"]["State"]) {
            // A container that is not healthy yet runs all the same.
            "starting" | "running" => "running",
            "complete" | "shutdown" | "failed" | "remove" | "orphaned" => "exited",
            _ => "created",
        }
    }

    fn image_id(&self) -> &str {
        self.image.as_ref().map_or("", |image| &image.id)
    }

    /// The image's, and over them the task's.
    fn labels(&self) -> Value {
        let config = self.image.as_ref().map(|image| &image.config["config"]);
        let of_image = config.and_then(|config| config["Labels"].as_object());
        let mut labels = json!(of_image.cloned().unwrap_or_default());
        let own = self.task["Spec"]["ContainerSpec"]["Labels"].as_object();
        for (key, value) in own.into_iter().flatten() {
            labels[key] = value.clone();
        }
        labels["com.docker.swarm.node.id"] = self.task["NodeID"].clone();
        labels["com.docker.swarm.service.id"] = self.task["ServiceID"].clone();
        labels["com.docker.swarm.service.name"] = json!(self.service);
        labels["com.docker.swarm.task"] = json!("");
        labels["com.docker.swarm.task.id"] = self.task["ID"].clone();
        labels["com.docker.swarm.task.name"] = json!(self.name);
        labels
    }

    fn command(&self) -> Vec<&str> {
        let spec = &self.task["Spec"]["ContainerSpec"];
        let words = ["Command", "Args"].map(|field| spec[field].as_array());
        let words = words.into_iter().flatten().flatten();
        words.filter_map(Value::as_str).collect()
    }

    fn date(&self, value: &Value) -> Timestamp {
        text(value).parse().unwrap_or_default()
    }

    fn summary(&self, now: Timestamp) -> Value {
        let created = self.date(&self.task["CreatedAt"]);
        let since = self.date(&self.task["Status"]["Timestamp"]);
        let ago = ago(now.duration_since(since).as_secs());
        let status = match self.state() {
            "running" => format!("Up {ago}"),
            "exited" => format!("Exited ({}) {ago} ago", self.exit_code()),
            _ => "Created".to_owned(),
        };
        json!({
            "Id": self.id,
            "Names": [format!("/{}", self.name)],
            "Image": self.reference(),
            "ImageID": self.image_id(),
            "Command": self.command().join(" "),
            "Created": created.as_second(),
            "Ports": [],
            "Labels": self.labels(),
            "State": self.state(),
            "Status": status,
        })
    }

    fn inspected(&self) -> Value {
        let (state, since) = (self.state(), &self.task["Status"]["Timestamp"]);
        let pid = &self.task["Status"]["ContainerStatus"]["PID"];
        let never = json!("0001-01-01T00:00:00Z");
        let (started, finished) = match state {
            "running" => (since, &never),
            // When it was started is not kept; that it was, is.
            "exited" => (&self.task["CreatedAt"], since),
            _ => (&never, &never),
        };
        let config = &self.task["Spec"]["ContainerSpec"];
        let command = self.command();
        json!({
            "Id": self.id,
            "Created": self.task["CreatedAt"],
            "Path": command.first(),
            "Args": command.get(1..),
            "State": {
                "Status": state,
                "Running": state == "running",
                "Paused": false,
                "Restarting": false,
                "OOMKilled": false,
                "Dead": false,
                "Pid": if state == "running" { pid.clone() } else { json!(0) },
                "ExitCode": self.exit_code(),
                "Error": text(&self.task["Status"]["Err"]),
                "StartedAt": started,
                "FinishedAt": finished,
            },
            "Image": self.image_id(),
            "Name": format!("/{}", self.name),
            "RestartCount": 0,
            "Config": {
                "Image": self.reference(),
                "Env": config["Env"],
                "Entrypoint": config["Command"],
                "Cmd": config["Args"],
                "Labels": self.labels(),
            },
        })
    }
}

fn container_id(task: &Value) -> &str {
    text(&task["Status"]["ContainerStatus"]["ContainerID"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether an image is the one that is named, with or without tag and digest.
fn is_of(image: &str, name: &str) -> bool {
    let undigested = image.split('@').next().unwrap_or_default();
    [image, undigested, super::events::without_tag(image)].contains(&name)
}

/// As docker's client words a period.
fn ago(seconds: i64) -> String {
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{} minutes", seconds / 60),
        3600..7200 => "About an hour".to_owned(),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: &str) -> Container {
        Container {
            task: json!({
                "ID": "t1", "ServiceID": "s1", "NodeID": "n1", "Slot": 1,
                "CreatedAt": "2026-02-09T04:00:00Z",
                "Spec": {"ContainerSpec": {
                    "Image": "ghcr.io/acme/db:16@sha256:00", "Labels": {"team": "a"}, "Args": ["run", "it"],
                }},
                "Status": {
                    "State": state, "Timestamp": "2026-02-09T04:00:10Z",
                    "ContainerStatus": {"ContainerID": "abcdef", "PID": 7, "ExitCode": 3},
                },
            }),
            id: "abcdef".to_owned(),
            name: "db.1.t1".to_owned(),
            service: "db".to_owned(),
            image: None,
        }
    }

    #[test]
    fn a_tasks_container_is_told_as_an_engine_tells_it() {
        let now = "2026-02-09T04:02:30Z".parse().unwrap();
        let running = container("running").summary(now);
        assert_eq!(running["Status"], "Up 2 minutes");
        assert_eq!(running["Names"], json!(["/db.1.t1"]));
        assert_eq!(running["Labels"]["com.docker.swarm.service.name"], "db");
        assert_eq!(running["Labels"]["team"], "a");
        assert_eq!(running["Command"], "run it");
        let failed = container("failed");
        assert_eq!(failed.summary(now)["Status"], "Exited (3) 2 minutes ago");
        let state = &failed.inspected()["State"];
        assert_eq!((&state["ExitCode"], &state["Pid"]), (&json!(3), &json!(0)));
        assert_eq!(state["FinishedAt"], "2026-02-09T04:00:10Z");
        assert_eq!(container("preparing").state(), "created");
    }

    #[test]
    fn containers_are_found_by_label_state_and_image() {
        let table = [
            (r#"{"label":["com.docker.swarm.task.id=t1"]}"#, true),
            (r#"{"label":["team=b"]}"#, false),
            (r#"{"status":["exited","running"]}"#, true),
            (r#"{"status":["exited"]}"#, false),
            (r#"{"ancestor":["ghcr.io/acme/db"]}"#, true),
            (r#"{"ancestor":["ghcr.io/acme/db:16"]}"#, true),
            (r#"{"ancestor":["ghcr.io/acme/db:17"]}"#, false),
            (r#"{"name":["b.1"]}"#, true),
            (r#"{"id":["bc"]}"#, false),
        ];
        for (filters, expected) in table {
            let read = Filters::read(Some(filters), &[]).unwrap();
            assert_eq!(container("running").is_wanted(&read), expected, "{filters}");
        }
        assert!(container("running").is_called("/db.1.t1"));
        assert!(container("running").is_called("abc"));
        assert!(!container("running").is_called("b"));
    }
}
