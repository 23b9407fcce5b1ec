//! The plans whose every output is a golden file.

use imgstack_planner::{
    Availability, FailedBuild, Known, LoginState, Observed, Only, Plan, UnreadRelease, UpdateState,
    UpdateStatus,
};

use crate::world::{World, digest, trouble, whole};

const NODES: [&str; 3] = ["docker-infra-1", "docker-infra-2", "docker-infra-3"];

/// Three databases of one image, the first of the file last.
const POSTGRES: &str = r#"
metadata: {name: postgres-ha}
spec:
  images:
    - name: patroni
      repository: ghcr.io/acme/patroni
      tag: "16"
      purpose: the database under everything
      keep: 1
  nodes:
    - selector: {}
      engine: "ssh://root@{hostname}"
      login: true
  services:
    - {name: postgres_postgres-1, image: patroni, after: [postgres_postgres-2, postgres_postgres-3]}
    - {name: postgres_postgres-2, image: patroni}
    - {name: postgres_postgres-3, image: patroni}
"#;

/// Two images that have nothing to do with one another.
const SHOP: &str = r#"
metadata: {name: shop}
spec:
  images:
    - {name: web, repository: ghcr.io/acme/web, tag: stable}
    - {name: jobs, repository: ghcr.io/acme/jobs, tag: stable}
  services:
    - name: shop_web
      image: web
      rollout: {order: start-first, parallelism: 2, monitor: 30s, onFailure: rollback}
    - {name: shop_jobs, image: jobs}
    - {name: shop_admin, image: web, after: [shop_web]}
"#;

/// A database with a leader, and a shop one of whose builds has failed.
const GATES: &str = r#"
metadata: {name: gates}
spec:
  images:
    - {name: patroni, repository: ghcr.io/acme/patroni, tag: "16"}
    - {name: web, repository: ghcr.io/acme/web, tag: stable}
    - {name: jobs, repository: ghcr.io/acme/jobs, tag: stable}
  services:
    - name: pg_1
      image: patroni
      rollout: &replica
        probe: {http: "http://{task.address}:8008/readiness", every: 5s, for: 30s}
        lastIf: {http: "http://{task.address}:8008/primary"}
        beforeLast: {exec: [patronictl, switchover, --force]}
        onLeaderChange: stop
    - name: pg_2
      image: patroni
      after: [pg_1]
      rollout: *replica
    - {name: pg_3, image: patroni, rollout: *replica}
    - name: shop_web
      image: web
      rollout: {probe: {tcp: "{task.address}:80"}}
    - {name: shop_admin, image: web}
    - name: shop_jobs
      image: jobs
      rollout: {probe: {exec: [jobs, ready], timeout: 1m}}
"#;

/// (name, the plan)
pub fn all() -> Vec<(&'static str, Plan)> {
    vec![
        ("up-to-date", one(&up_to_date())),
        ("a-tag-moved", one(&tag_moved())),
        ("old-builds-go", one(&old_builds())),
        ("blocked", one(&blocked())),
        ("a-major-upgrade", one(&major())),
        ("swarm-unknown", one(&swarm_unknown())),
        ("registry-unknown", one(&registry_unknown())),
        ("settings-alone", one(&settings())),
        (
            "credentials",
            whole(vec![credentials().planned(Only::Credentials)]),
        ),
        ("through-the-manager", one(&through_the_manager())),
        ("two-stacks", two_stacks()),
        ("stopped-half-way", one(&stopped())),
        ("many-nodes", one(&many_nodes())),
        ("gates", one(&gates())),
    ]
}

fn one(world: &World) -> Plan {
    whole(vec![world.planned(Only::Everything)])
}

/// Everything runs the build `b`.
fn up_to_date() -> World {
    let mut world = World::new(POSTGRES, &NODES);
    world.moved("patroni", 'b').built('b', "16-b", 1);
    for (number, node) in (1..).zip(NODES) {
        world.runs(&format!("postgres_postgres-{number}"), "16", 'b', &[node]);
        world.hold("patroni", &[node], &[('b', 1)]);
    }
    world
}

/// From the build `a` to `b`.
fn tag_moved() -> World {
    let mut world = World::new(POSTGRES, &NODES);
    world
        .moved("patroni", 'b')
        .built('b', "16-b", 1)
        .built('a', "16-a", 8);
    for (number, node) in (1..).zip(NODES) {
        world.runs(&format!("postgres_postgres-{number}"), "16", 'a', &[node]);
        world.hold("patroni", &[node], &[('a', 8)]);
    }
    world
}

fn old_builds() -> World {
    let mut world = tag_moved();
    world.hold("patroni", &NODES[..2], &[('a', 8), ('c', 20), ('d', 30)]);
    world.leftover("imgstack-pull-0a1b2c");
    world
}

/// One service is not there, so another waits in vain; a third is free.
fn blocked() -> World {
    let mut world = World::new(SHOP, &NODES);
    world
        .moved("web", 'b')
        .moved("jobs", 'd')
        .built('b', "2", 1)
        .built('d', "9", 1);
    world.runs("shop_jobs", "stable", 'c', &[NODES[0]]);
    world.runs("shop_admin", "stable", 'a', &[NODES[1]]);
    world
}

/// The next PostgreSQL under the same tag.
fn major() -> World {
    let mut world = tag_moved();
    world.built('b', "17.1", 1).built('a', "16.9", 8);
    world
}

fn swarm_unknown() -> World {
    let mut world = up_to_date();
    let silence = trouble(
        "no answer from ssh://root@m1 within 10s",
        "is the machine up? then: imgstack plan",
    );
    world.inventory.services = Known::Unknown(silence.clone());
    world.inventory.nodes = Known::Unknown(silence.clone());
    world.inventory.cluster = Known::Unknown(silence);
    world
}

fn registry_unknown() -> World {
    let mut world = tag_moved();
    let answer = trouble("ghcr.io answered 503 three times", "try again later");
    world.wants("patroni", Observed::Unknown(answer));
    world
}

fn settings() -> World {
    let mut world = World::new(SHOP, &NODES);
    world
        .moved("web", 'b')
        .moved("jobs", 'd')
        .built('b', "2", 1)
        .built('d', "9", 1);
    world.runs("shop_web", "stable", 'b', &NODES);
    world.runs("shop_admin", "stable", 'b', &[NODES[1]]);
    world.runs("shop_jobs", "stable", 'd', &[NODES[0]]);
    world.hold("web", &NODES, &[('b', 1)]);
    world
}

fn credentials() -> World {
    let mut world = up_to_date();
    world.credential("patroni", "f2");
    world.login(NODES[0], LoginState::None);
    world.login(NODES[1], LoginState::Other);
    world.login(NODES[2], LoginState::Same);
    world
}

fn through_the_manager() -> World {
    let mut world = tag_moved();
    world.node(NODES[0]).engine = None;
    let silence = trouble("connection refused", "start it: systemctl start docker");
    world.node(NODES[1]).engine = Some(Known::Unknown(silence));
    world.node(NODES[2]).availability = Availability::Drain;
    world
}

fn two_stacks() -> Plan {
    let (first, mut second) = (old_builds(), settings());
    second.moved("jobs", 'e').built('e', "10", 0);
    let stacks = [first, second];
    whole(
        stacks
            .iter()
            .map(|it| it.planned(Only::Everything))
            .collect(),
    )
}

fn stopped() -> World {
    let mut world = up_to_date();
    let status = UpdateStatus {
        state: UpdateState::RollbackCompleted,
        message: "update rolled back due to failure of task x1".to_owned(),
    };
    world.service("postgres_postgres-2").update_status = Some(status);
    world
}

fn many_nodes() -> World {
    let nodes: Vec<String> = (1..=14).map(|it| format!("worker-{it:02}")).collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut world = World::new(SHOP, &nodes);
    world
        .moved("web", 'b')
        .moved("jobs", 'd')
        .built('b', "2", 1)
        .built('d', "9", 1);
    world.runs("shop_web", "stable", 'a', &nodes);
    world.runs("shop_admin", "stable", 'a', &nodes[..2]);
    world.runs("shop_jobs", "stable", 'c', &nodes[2..5]);
    world.hold("web", &nodes[..6], &[('b', 1)]);
    world
}

/// The first replica of the file leads, and another names it in its `after`. The
/// build of `web` has failed; that of `jobs` may have, in a release that nobody
/// can read.
fn gates() -> World {
    let mut world = World::new(GATES, &NODES);
    world.moved("patroni", 'b').built('b', "16-b", 0);
    for (number, node) in (1..).zip(NODES) {
        let name = format!("pg_{number}");
        world.runs(&name, "16", 'a', &[node]);
        world.hold("patroni", &[node], &[('a', 8), ('b', 1)]);
        let leads = Known::Known(number == 1);
        world.inventory.leaders.insert(name.parse().unwrap(), leads);
    }
    world.moved("web", 'd').built('d', "2", 1);
    world.runs("shop_web", "stable", 'c', &NODES[..2]);
    world.runs("shop_admin", "stable", 'c', &NODES[2..]);
    world.hold("web", &NODES, &[('c', 20)]);
    world.moved("jobs", 'f').built('f', "9", 5);
    world.runs("shop_jobs", "stable", 'e', &NODES[..1]);
    world.hold("jobs", &NODES, &[('e', 20)]);
    let history = world.history();
    let failed = history.services.entry("shop_web".parse().unwrap());
    failed.or_default().failed.push(FailedBuild {
        digest: digest('d'),
        image: format!("ghcr.io/acme/web:stable@{}", digest('d')),
        at: "2026-02-08T21:04:00Z".parse().unwrap(),
        release: 10,
        cause: "probe: connection refused".to_owned(),
    });
    history.unreadable.push(UnreadRelease {
        number: 9,
        why: "it has the format 2.0".to_owned(),
    });
    world
}
