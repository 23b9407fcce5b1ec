//! The cluster of the story: PostgreSQL with Patroni on three nodes, from an
//! image that GitHub Actions builds and GHCR keeps.

use std::sync::{Arc, Mutex, PoisonError};

use imgstack_sim::github::{GitHub, Repository, Script, Step, Token, Workflow};
use imgstack_sim::registry::{Build, Manner, Registry, Settings, User};
use imgstack_sim::swarm::{ApiError, NodeSetup, Role};
use imgstack_sim::{Behaviour, Clock, Credential, Layout};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(super) const OWNER: &str = "thorstenhornung1";
/// Looks like a classic token, as GHCR wants one. Opens nothing but the
/// simulated GitHub and its registry.
pub(super) const TOKEN: &str = "ghp_simulated";
/// The manager.
pub(super) const MANAGER: &str = "docker-infra-1";
/// Where the image goes missing.
pub(super) const INCIDENT: &str = "docker-infra-2";
pub(super) const SERVICES: [&str; 3] = [
    "postgres_postgres-1",
    "postgres_postgres-2",
    "postgres_postgres-3",
];

const CODE: &str = "swarm-stacks";
const WORKFLOW: &str = "build-patroni-postgres.yml";
const IMAGE: &str = "thorstenhornung1/swarm-stacks/patroni-postgres";
const TAG: &str = "16";
/// In nanoseconds, as the Engine API counts.
const SECOND: u64 = 1_000_000_000;

/// How old what runs at first is.
const FIRST_BUILD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a build will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    /// Its container ends at once, and says why.
    Dying,
}

/// The registry and the repository that its image is built from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    clock: Clock,
    registry: Registry,
    github: GitHub,
    /// What the Dockerfile on `main` makes.
    kind: Arc<Mutex<Kind>>,
}

/// Lays the cluster out as it is when the story begins.
pub(super) fn lay_out(now: Timestamp) -> Result<(Layout, Source), ApiError> {
    let mut layout = Layout::new(now, FIRST_BUILD, 1);
    for number in 1..=SERVICES.len() {
        layout.add_node(NodeSetup {
            hostname: format!("docker-infra-{number}"),
            role: if number == 1 {
                Role::Manager
            } else {
                Role::Worker
            },
            address: format!("10.0.0.1{number}"),
            ..NodeSetup::default()
        });
    }
    let registry = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
    registry.add_user(User::reader(OWNER, TOKEN, OWNER));
    let source = Source {
        clock: layout.server().clock,
        github: layout.add_github(Some(&registry)),
        registry,
        kind: Arc::new(Mutex::new(Kind::Good)),
    };
    source.set_up();
    let digest = source.build(Kind::Good, "9b1d2e7", layout.date());
    for (number, name) in (1..).zip(SERVICES) {
        let auth = Credential {
            username: OWNER.to_owned(),
            password: TOKEN.into(),
        };
        layout.add_service(service(name, number, &digest), Some(auth))?;
    }
    layout.pass(FIRST_BUILD);
    Ok((layout, source))
}

/// A service as `docker stack deploy` makes it: one replica, tied to the node
/// that has its data.
fn service(name: &str, number: usize, digest: &str) -> Value {
    let config = json!({
        "Parallelism": 1, "Order": "stop-first", "FailureAction": "rollback",
        "Monitor": SECOND, "MaxFailureRatio": 0,
    });
    let back = json!({
        "Parallelism": 1, "Order": "stop-first", "FailureAction": "pause",
        "Monitor": SECOND, "MaxFailureRatio": 0,
    });
    json!({
        "Name": name,
        "Labels": {
            "com.docker.stack.image": format!("ghcr.io/{IMAGE}:{TAG}"),
            "com.docker.stack.namespace": "postgres",
        },
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": format!("ghcr.io/{IMAGE}:{TAG}@{digest}"),
                "Hostname": format!("postgres-{number}"),
                "Env": [format!("PATRONI_NAME=postgres-{number}")],
                "Mounts": [{
                    "Type": "volume",
                    "Source": format!("postgres_data-{number}"),
                    "Target": "/var/lib/postgresql/data",
                }],
            },
            "RestartPolicy": {"Condition": "any", "Delay": 5 * SECOND},
            "Placement": {
                "Constraints": [format!("node.hostname==docker-infra-{number}")],
                "Platforms": [
                    {"Architecture": "amd64", "OS": "linux"},
                    {"Architecture": "arm64", "OS": "linux"},
                ],
            },
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": config,
        "RollbackConfig": back,
    })
}

impl Source {
    /// The repository with its workflow, which builds what is on `main`.
    fn set_up(&self) {
        let mut steps = vec![Step::new("Build", 1), Step::new("Push", 1)];
        for step in &mut steps {
            step.log = vec![format!("{} patroni-postgres", step.name)];
        }
        let mut script = Script::new("build", steps);
        script.queued = std::time::Duration::from_secs(1);
        let source = self.clone();
        let script = script.then(move |run| {
            let sha = run.sha.get(..7).unwrap_or(&run.sha);
            let kind = *source.kind.lock().unwrap_or_else(PoisonError::into_inner);
            source.push(kind, sha, source.clock.now());
        });
        let workflow = Workflow::new("Build patroni-postgres", script);
        let repository = Repository::new(OWNER, CODE).with(WORKFLOW, workflow);
        self.github.add_repository(repository);
        let scopes = ["repo", "read:packages"];
        self.github.add_token(Token::classic(OWNER, TOKEN, &scopes));
    }

    /// Somebody changes the Dockerfile and it is built at that date; returns
    /// what the tag leads to.
    pub(super) fn build(&self, kind: Kind, sha: &str, at: Timestamp) -> String {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner) = kind;
        let commit = format!("{sha:0<40}");
        self.github.set_head(OWNER, CODE, "main", &commit);
        self.push(kind, sha, at)
    }

    /// The reference that services have which run the build of that commit.
    pub(super) fn reference(&self, sha: &str) -> Option<String> {
        let digest = self.registry.digest(IMAGE, &format!("{TAG}-{sha}"))?;
        Some(format!("ghcr.io/{IMAGE}:{TAG}@{digest}"))
    }

    fn push(&self, kind: Kind, sha: &str, at: Timestamp) -> String {
        let build = Build {
            version: Some(TAG.to_owned()),
            source: Some(format!("https://github.com/{OWNER}/{CODE}")),
            behaviour: behaviour(kind),
            ..Build::new(IMAGE, sha, at)
        };
        let date = at.strftime("%Y%m%d");
        let audit = [format!("{TAG}-{sha}"), format!("{TAG}-{date}")];
        // Those never move.
        let free = audit
            .iter()
            .filter(|tag| self.registry.digest(IMAGE, tag).is_none());
        let tags: Vec<&str> = free.map(String::as_str).chain([TAG]).collect();
        self.registry.push_build(&build, &tags).digest
    }
}

/// What a container of it does.
fn behaviour(kind: Kind) -> Behaviour {
    match kind {
        Kind::Good => Behaviour {
            health_after_ms: 500,
            ..Behaviour::default()
        },
        // What Patroni says when it is installed without its [etcd3].
        Kind::Dying => Behaviour {
            ends_after_ms: Some(300),
            exit_code: 1,
            stderr: vec![
                "Can not find suitable configuration of distributed configuration store".to_owned(),
                "Available implementations: kubernetes".to_owned(),
            ],
            ..Behaviour::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_workflow_builds_what_is_on_main() {
        let (_layout, source) = lay_out("2026-02-09T06:00:00Z".parse().unwrap()).unwrap();
        let first = source.reference("9b1d2e7");
        assert!(first.is_some());
        let run = source
            .github
            .start((OWNER, CODE), WORKFLOW, "schedule", "main");
        assert!(run.is_some());
        tokio::time::sleep(Duration::from_secs(10)).await;
        let again = source.reference("20260209");
        assert!(
            again.is_some() && again != first,
            "the same commit, a week later"
        );
        assert_eq!(source.reference("9b1d2e7"), first, "its tag never moves");
    }
}
