//! One service of a contract's.

use imgstack_tests::wire::Reply;
use serde_json::{Value, json};

use crate::stage::{Stage, pause, until};
use crate::task::Task;

/// A service that was created.
pub struct Service<'a> {
    pub stage: &'a Stage,
    pub id: String,
}

impl Service<'_> {
    /// As it is now.
    pub async fn read(&self) -> Value {
        let path = format!("/services/{}", self.id);
        self.stage.manager.get(&path).await.expect(200).json()
    }

    pub async fn spec(&self) -> Value {
        self.read().await["Spec"].clone()
    }

    pub async fn version(&self) -> u64 {
        self.read().await["Version"]["Index"].as_u64().unwrap()
    }

    /// `UpdateStatus`; null without one.
    pub async fn status(&self) -> Value {
        self.read().await["UpdateStatus"].clone()
    }

    /// All its tasks, the oldest first.
    pub async fn tasks(&self) -> Vec<Task> {
        let list = self.stage.list("tasks", json!({"service": [self.id]}));
        let mut tasks: Vec<Task> = list.await.into_iter().map(Task).collect();
        tasks.sort_by_key(Task::created);
        tasks
    }

    /// Sends an update, however it ends.
    pub async fn send(&self, version: u64, spec: &Value, query: &str) -> Reply {
        let path = format!("/services/{}/update?version={version}{query}", self.id);
        self.stage.post(&path, spec, None).await
    }

    /// Changes the spec as it is now.
    pub async fn change(&self, change: impl Fn(&mut Value)) {
        self.change_with(None, change).await;
    }

    /// Changes the spec, and the credential.
    pub async fn change_with(&self, auth: Option<&str>, change: impl Fn(&mut Value)) {
        // The updater may write in between, as with everybody who changes
        // services.
        let describe = format!("an update of {} to be taken", self.id);
        until(&describe, async || {
            let service = self.read().await;
            let mut spec = service["Spec"].clone();
            change(&mut spec);
            let path = format!(
                "/services/{}/update?version={}",
                self.id, service["Version"]["Index"]
            );
            let reply = self.stage.post(&path, &spec, auth).await;
            if reply.message().contains("update out of sequence") {
                return Err(reply.message());
            }
            reply.expect(200);
            Ok(())
        })
        .await;
    }

    /// Changes the image.
    pub async fn roll_to(&self, image: &str) {
        self.change(|spec| spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image))
            .await;
    }

    /// Goes back to the previous spec, as `docker service rollback` does.
    pub async fn roll_back(&self) {
        let service = self.read().await;
        let version = service["Version"]["Index"].as_u64().unwrap();
        let reply = self
            .send(version, &service["Spec"], "&rollback=previous")
            .await;
        reply.expect(200);
    }

    /// Waits until exactly so many tasks run as they are meant to.
    pub async fn runs(&self, wanted: usize) -> Vec<Task> {
        until(&format!("{wanted} tasks to run"), async || {
            let tasks = self.tasks().await;
            let running: Vec<Task> = tasks.iter().filter(|task| task.runs()).cloned().collect();
            match running.len() == wanted {
                true => Ok(running),
                false => Err(seen(&tasks)),
            }
        })
        .await
    }

    /// Waits until an update has come to that, and returns its status.
    pub async fn ends(&self, state: &str) -> Value {
        self.ends_in(&[state]).await
    }

    /// Waits until an update has come to one of those, and returns its status.
    pub async fn ends_in(&self, states: &[&str]) -> Value {
        until(
            &format!("the update to be {}", states.join(" or ")),
            async || {
                let status = self.status().await;
                match states.iter().any(|state| status["State"] == *state) {
                    true => Ok(status),
                    false => Err(format!("{status} {}", seen(&self.tasks().await))),
                }
            },
        )
        .await
    }

    /// Waits for tasks of which something holds.
    pub async fn sees(&self, what: &str, mut holds: impl FnMut(&[Task]) -> bool) -> Vec<Task> {
        until(what, async || {
            let tasks = self.tasks().await;
            match holds(&tasks) {
                true => Ok(tasks),
                false => Err(seen(&tasks)),
            }
        })
        .await
    }

    /// Fails the test if within a second a task is made, or one is given up.
    pub async fn rests(&self, what: &str) {
        let before = self.tasks().await;
        let ids = |tasks: &[Task]| -> Vec<(String, String)> {
            let ids = tasks.iter();
            ids.map(|it| (it.id().to_owned(), it.desired().to_owned()))
                .collect()
        };
        pause(1000).await;
        let after = self.tasks().await;
        assert_eq!(ids(&before), ids(&after), "{what}: {}", seen(&after));
    }
}

/// Tasks in a few words, for whoever reads of a failure.
pub fn seen(tasks: &[Task]) -> String {
    let lines = tasks.iter().map(|task| {
        let Task(json) = task;
        format!(
            "\n  {} slot {} on {:.4} made {} wants {} is {} since {} {}",
            &task.id()[..6],
            json["Slot"],
            task.node(),
            task.created(),
            task.desired(),
            task.state(),
            task.since(),
            task.err()
        )
    });
    lines.collect()
}
