//! What a difference means: (what is replaced in the older spec, by what, and
//! the changes that are told).

use imgstack_planner::spec_diff::{Change, changes};
use imgstack_spec::{Input, StackSet, read};

const SPEC: &str = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: shop}
spec:
  swarm: {endpoint: 'ssh://root@m1'}
  registries:
    - {host: ghcr.io, username: acme, password: {env: PAT}}
  images:
    - name: db
      repository: ghcr.io/acme/db
      tag: '16'
      keep: 3
      build: {context: docker}
    - name: web
      repository: ghcr.io/acme/web
      policy: {semver: '~3.3'}
      minimumAge: 24h
  nodes:
    - {name: n1, engine: 'ssh://root@n1', login: true}
    - {selector: {role: worker}, minimumFreeDisk: 5GiB}
    - {selector: {}, engine: 'ssh://root@{hostname}'}
  services:
    - {name: db_1, image: db, after: [db_2, db_3]}
    - {name: db_2, image: db}
    - {name: db_3, image: db}
    - {name: web_a, image: web, rollout: {parallelism: 1}}
";

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn set(text: &str) -> StackSet {
    read(&[Input::new("imgstack.yaml", text.replace("DIGEST", DIGEST))]).unwrap_or_else(|told| {
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", told.join("\n"))
    })
}

fn told(change: &Change) -> String {
    let field = change.field.as_deref().unwrap_or("-");
    format!(
        "{} {field} [{}] {}",
        change.address,
        change.effect.words(),
        change.message
    )
}

fn check(cases: &[(&str, &str, &[&str])]) {
    let mut wrong = Vec::new();
    for (from, to, expected) in cases {
        assert!(SPEC.contains(from), "{from}");
        let (old, new) = (set(SPEC), set(&SPEC.replacen(from, to, 1)));
        let told: Vec<_> = changes(&old, &new).iter().map(told).collect();
        if told != *expected {
            wrong.push(format!("{from} -> {to}\n{told:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn builds() {
    check(&[
        ("tag: '16'", "tag: '16-alpine'", &[]),
    ]);
}
