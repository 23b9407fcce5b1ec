//! What a node does with a task: pulls, starts, watches and stops.

use jiff::{SignedDuration, Timestamp};

use super::due::{Due, Id};
use super::events::attributes;
use super::state::TaskState;
use super::task::Container;
use super::{Cluster, LogLine};
use crate::{Behaviour, Image, PullError};

/// The entrypoint of the pre-pull service: no image has it.
const PREPULL: &str = "/imgstack-prepull";

impl Cluster {
    /// Asks the task's agent for its next step; those asked for before are void.
    pub(super) fn next_step(&mut self, id: &Id, millis: u32) {
        let at = self.soon(millis);
        self.step_at(id, at);
    }

    fn step_at(&mut self, id: &Id, at: Timestamp) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.epoch += 1;
        let (task, epoch) = (id.clone(), task.epoch);
        self.queue.push(at, Due::Step { task, epoch });
    }

    /// The agent of the task's node takes its next step.
    pub(super) fn step(&mut self, id: &Id, epoch: u64) {
        let Some(task) = self.tasks.get(id).filter(|task| task.epoch == epoch) else {
            return;
        };
        if task.state.is_over() {
            if task.desired == TaskState::Remove {
                self.forget(id);
            }
            return;
        }
        let Some(node) = &task.node else {
            // Nobody has it yet, so nobody has to be told.
            if !task.desired.is_to_run() {
                self.set_state(id, TaskState::Shutdown, "shutdown", None);
            }
            return;
        };
        if !self.nodes.get(node).is_some_and(|node| node.reachable) {
            return;
        }
        if !task.desired.is_to_run() {
            return self.stop(id);
        }
        match task.state {
            TaskState::New | TaskState::Pending => {}
            TaskState::Assigned => {
                self.set_state(id, TaskState::Accepted, "accepted", None);
                self.next_step(id, 6);
            }
            TaskState::Accepted => self.prepare(id),
            TaskState::Preparing => {}
            TaskState::Ready if task.desired >= TaskState::Running => {
                self.set_state(id, TaskState::Starting, "starting", None);
                self.next_step(id, 60);
            }
            TaskState::Ready => {}
            TaskState::Starting => self.start(id),
            TaskState::Running => self.end_by_itself(id),
            _ => {}
        }
    }

    fn prepare(&mut self, id: &Id) {
        self.set_state(id, TaskState::Preparing, "preparing", None);
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let Some(node) = task.node.clone() else {
            return;
        };
        let reference = super::spec::image(&task.template).to_owned();
        let auth = task.auth.clone();
        // What a digest names is there or not: nobody is asked.
        if let Some(image) = self.present(&node, &reference)
            && !(self.asks_first(&node) && self.is_refused(&node, &reference, id))
        {
            return self.prepared(id, image);
        }
        let _ = self.pull(&node, &reference, auth.as_deref(), Some(id));
    }

    /// Engines 29.6 ask the registry even for what they have.
    fn asks_first(&self, node: &Id) -> bool {
        let version = self
            .nodes
            .get(node)
            .map(|node| node.setup.engine_version.as_str());
        version.is_some_and(|version| version.starts_with("29.6."))
    }

    fn is_refused(&mut self, node: &Id, reference: &str, id: &Id) -> bool {
        let auth = self.tasks.get(id).and_then(|task| task.auth.clone());
        let pulled = self.pull(node, reference, auth.as_deref(), None);
        matches!(pulled, Some((Err(PullError::Denied(_)), _)))
    }

    /// A pull that the task has waited for has ended.
    pub(super) fn pulled(&mut self, id: &Id, outcome: &Result<(), String>) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        if task.state != TaskState::Preparing || !task.desired.is_to_run() {
            return;
        }
        let Some(node) = task.node.clone() else {
            return;
        };
        let reference = super::spec::image(&task.template).to_owned();
        let denied =
            matches!(outcome, Err(why) if why.contains("denied") || why.contains("unauthorized"));
        let local = self.local(&node, &reference);
        match (outcome, local) {
            (_, Some(image)) if !(denied && self.asks_first(&node)) => self.prepared(id, image),
            (Err(why), _) => {
                let err = self.pull_words(&node, &reference, why);
                self.set_state(id, TaskState::Rejected, "preparing", Some(err));
            }
            (Ok(()), _) => {
                let err = format!("No such image: {reference}");
                self.set_state(id, TaskState::Rejected, "preparing", Some(err));
            }
        }
    }

    /// Engines before 29.6 say only that the image is not there.
    fn pull_words(&self, node: &Id, reference: &str, why: &str) -> String {
        match self.is_before(node, (29, 6)) {
            false => why.to_owned(),
            true => format!("No such image: {reference}"),
        }
    }

    /// Whether the node's engine is older than this.
    fn is_before(&self, node: &Id, version: (u64, u64)) -> bool {
        let own = self
            .nodes
            .get(node)
            .map_or("", |node| &node.setup.engine_version);
        let mut numbers = own.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < version
    }

    fn prepared(&mut self, id: &Id, image: Image) {
        let container = format!("{}{}", self.identifier(), self.identifier());
        let hex: String = container
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let pid = self.rng.u32(1000..60_000);
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.image = Some(image);
        task.container = Some(Container {
            id: hex.chars().take(64).collect(),
            pid,
            exit_code: None,
            removed: false,
        });
        self.tell_container(id, "create", None);
        self.set_state(id, TaskState::Ready, "ready", None);
        self.next_step(id, 6);
    }

    fn behaviour(&self, id: &Id) -> Behaviour {
        let image = self.tasks.get(id).and_then(|task| task.image.as_ref());
        image.map(Image::behaviour).unwrap_or_default()
    }

    fn has_healthcheck(&self, id: &Id) -> bool {
        let Some(task) = self.tasks.get(id) else {
            return false;
        };
        let own = &task.template["ContainerSpec"]["Healthcheck"]["Test"];
        let image = task
            .image
            .as_ref()
            .map(|image| &image.config["config"]["Healthcheck"]["Test"]);
        let test = match own.as_array() {
            Some(test) if !test.is_empty() => Some(test),
            _ => image.and_then(|test| test.as_array()),
        };
        test.is_some_and(|test| test.first().is_some_and(|word| word != "NONE"))
    }

    /// The container starts, and with a healthcheck is waited for.
    fn start(&mut self, id: &Id) {
        let now = self.now;
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let entrypoint = &task.template["ContainerSpec"]["Command"][0];
        if entrypoint == PREPULL {
            return self.fail_to_start(id);
        }
        let behaviour = self.behaviour(id);
        let first = self.tasks.get(id).is_some_and(|task| task.log.is_empty());
        let started = self.tasks.get(id).map_or(now, |task| task.since);
        if first && let Some(task) = self.tasks.get_mut(id) {
            let line = |stderr: bool| {
                move |text: &String| LogLine {
                    at: now,
                    stderr,
                    text: text.clone(),
                }
            };
            task.log.extend(behaviour.stdout.iter().map(line(false)));
            task.log.extend(behaviour.stderr.iter().map(line(true)));
        }
        let after = |millis: u64| {
            SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX / 4))
        };
        if self.has_healthcheck(id) {
            let known =
                started + after(behaviour.health_after_ms) + SignedDuration::from_millis(100);
            let ends = behaviour
                .ends_after_ms
                .map(|millis| started + after(millis));
            if let Some(ends) = ends.filter(|ends| *ends <= known) {
                if now >= ends {
                    return self.end_container(id, behaviour.exit_code, None);
                }
                return self.step_at(id, ends);
            }
            if now < known {
                return self.step_at(id, known);
            }
            if behaviour.unhealthy {
                // What does not end when it is told to is killed.
                let code = if behaviour.exit_code == 0 {
                    137
                } else {
                    behaviour.exit_code
                };
                return self.end_container(id, code, Some("dockerexec: unhealthy container"));
            }
        }
        self.tell_container(id, "start", None);
        self.set_state(id, TaskState::Running, "started", None);
        if let Some(millis) = behaviour.ends_after_ms {
            self.step_at(id, now + after(millis));
        }
    }

    /// There is no such program in the image.
    fn fail_to_start(&mut self, id: &Id) {
        let node = self.tasks.get(id).and_then(|task| task.node.as_ref());
        let old = node.is_some_and(|node| self.is_before(node, (23, 0)));
        let whose = match old {
            true => "",
            false => "failed to create task for container: ",
        };
        let err = format!(
            "starting container failed: {whose}failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"{PREPULL}\": stat {PREPULL}: no such file or directory: unknown"
        );
        if let Some(task) = self.tasks.get_mut(id)
            && let Some(container) = &mut task.container
        {
            container.exit_code = Some(127);
        }
        self.set_state(id, TaskState::Failed, "starting", Some(err));
    }

    fn end_by_itself(&mut self, id: &Id) {
        let behaviour = self.behaviour(id);
        let since = self.tasks.get(id).map(|task| task.since);
        let (Some(millis), Some(since)) = (behaviour.ends_after_ms, since) else {
            return;
        };
        let ends =
            since + SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX / 4));
        if self.now >= ends {
            self.end_container(id, behaviour.exit_code, None);
        }
    }

    /// The container ends by itself.
    pub(super) fn end_container(&mut self, id: &Id, exit_code: i64, why: Option<&str>) {
        if let Some(task) = self.tasks.get_mut(id)
            && let Some(container) = &mut task.container
        {
            container.exit_code = Some(exit_code);
        }
        self.tell_container(id, "die", Some(exit_code));
        if exit_code == 0 {
            return self.set_state(id, TaskState::Complete, "finished", None);
        }
        let err = match why {
            None => format!("task: non-zero exit ({exit_code})"),
            Some(why) => format!("task: non-zero exit ({exit_code}): {why}"),
        };
        // One that is ended for its health has not come to run.
        let message = if why.is_some() { "starting" } else { "started" };
        self.set_state(id, TaskState::Failed, message, Some(err));
    }

    /// The container is told to end. What traps no signal does at once.
    fn stop(&mut self, id: &Id) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let ran = task.container.is_some();
        if let Some(container) = &mut task.container {
            container.exit_code = Some(0);
        }
        if ran {
            self.tell_container(id, "die", Some(0));
        }
        self.set_state(id, TaskState::Shutdown, "shutdown", None);
    }

    pub(super) fn tell_container(&mut self, id: &Id, action: &str, exit_code: Option<i64>) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (Some(node), Some(container)) = (task.node.clone(), &task.container) else {
            return;
        };
        let mut told = attributes([
            ("image", super::spec::image(&task.template).to_owned()),
            ("name", task.name()),
            ("com.docker.swarm.task.id", task.id.to_string()),
            ("com.docker.swarm.service.id", task.service.to_string()),
            ("com.docker.swarm.service.name", task.service_name.clone()),
            ("com.docker.swarm.node.id", node.to_string()),
        ]);
        if let Some(code) = exit_code {
            told.insert("exitCode".to_owned(), code.to_string().into());
        }
        let container = container.id.clone();
        self.tell_local(&node, ("container", action), &container, told);
    }
}
