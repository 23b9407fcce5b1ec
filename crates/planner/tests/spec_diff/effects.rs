//! What a difference means: what is replaced in the older spec, by what, and in
//! `effects.txt` what is told of that.
//!
//! `UPDATE_GOLDEN=1 cargo test -p imgstack-planner --test spec_diff` writes it
//! anew; read it before committing.

use std::fmt::Write as _;

use imgstack_planner::spec_diff::{Change, Effect, changes};
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

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spec_diff/effects.txt");

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

/// (a part of the spec, what stands there in the newer one)
const CASES: [&[(&str, &str)]; 51] = [
    &[("tag: '16'", "tag: '16-alpine'")],
    &[("tag: '16'", "tag: '17'")],
    &[("tag: '16'", "tag: '15'")],
    &[("tag: '16'", "tag: '17'\n      majorUpgrade: allow")],
    &[("tag: '16'", "tag: latest")],
    &[("tag: '16'", "tag: '16'\n      pin: 16-abc1234")],
    &[("tag: '16'", "tag: '16'\n      pin: DIGEST")],
    &[("tag: '16'", "tag: '17'\n      pin: 16-abc1234")],
    &[("tag: '16'", "tag: '16'\n      pin: '16'")],
    &[("tag: '16'", "tag: '16'\n      majorUpgrade: allow")],
    &[("tag: '16'", "policy: {semver: '^16'}")],
    &[("tag: '16'", "policy: {semver: '>=17, <18'}")],
    &[("ghcr.io/acme/db", "ghcr.io/acme/db-next")],
    &[("~3.3", "~3.4")],
    &[("~3.3", "^4")],
    &[(
        "policy: {semver: '~3.3'}",
        "policy: {semver: '~3.3'}\n      allowDowngrade: true",
    )],
    &[("policy: {semver: '~3.3'}", "tag: '4'")],
    &[("24h", "48h")],
    &[("24h", "1h")],
    &[("      minimumAge: 24h\n", "")],
    &[("keep: 3", "keep: 2")],
    &[("keep: 3", "keep: 4")],
    &[("      keep: 3\n", "")],
    &[(
        "after: [db_2, db_3]}\n    - {name: db_2, image: db}\n    - {name: db_3, image: db}\n",
        "after: [db_2]}\n    - {name: db_2, image: db}\n",
    )],
    &[("after: [db_2, db_3]", "after: [db_3, db_2]")],
    &[("after: [db_2, db_3]", "after: [db_2]")],
    &[(
        "    - {name: db_2, image: db}\n    - {name: db_3, image: db}\n",
        "    - {name: db_3, image: db}\n    - {name: db_2, image: db}\n",
    )],
    &[(
        "    - {name: web_a",
        "    - {name: web_b, image: web}\n    - {name: web_a",
    )],
    &[("web_a, image: web", "web_a, image: db")],
    &[
        ("- name: web\n", "- name: site\n"),
        ("image: web", "image: site"),
    ],
    &[
        ("web_a, image: web", "web_a, image: site"),
        (
            "    - name: web\n",
            "    - {name: site, repository: ghcr.io/acme/web, policy: {semver: '~3.3'}}\n    - name: web\n",
        ),
    ],
    &[
        ("web_a, image: web", "web_a, image: site"),
        (
            "    - name: web\n",
            "    - {name: site, repository: ghcr.io/acme/web, policy: {semver: '~3.3'}, minimumAge: 48h}\n    - name: web\n",
        ),
    ],
    &[(
        "parallelism: 1",
        "parallelism: 2, onFailure: rollback, timeout: 10m, order: start-first",
    )],
    &[(
        "rollout: {parallelism: 1}",
        "stackFile: {path: a.yml, service: web}",
    )],
    &[(
        "rollout: {parallelism: 1}",
        "rollout: {parallelism: 1, timeout: 20m}",
    )],
    &[("name: shop", "name: market")],
    &[("m1", "m2")],
    &[("  swarm: {endpoint: 'ssh://root@m1'}\n", "")],
    &[("{env: PAT}", "{file: /run/pat}")],
    &[(
        "    - {host: ghcr.io, username: acme, password: {env: PAT}}\n",
        "    - {host: ghcr.io}\n    - {host: r.test, insecure: true}\n",
    )],
    &[(
        "    - {host: ghcr.io, username: acme, password: {env: PAT}}\n",
        "    - {host: r.test, warnBeforeExpiry: 7d}\n",
    )],
    &[("login: true", "login: false")],
    &[("root@n1", "admin@n1")],
    &[(
        "    - {name: n1, engine: 'ssh://root@n1', login: true}\n",
        "",
    )],
    &[("name: n1", "name: n2")],
    &[("5GiB", "6GiB")],
    &[(
        "    - {selector: {role: worker}, minimumFreeDisk: 5GiB}\n    - {selector: {}, engine: 'ssh://root@{hostname}'}\n",
        "    - {selector: {}, engine: 'ssh://root@{hostname}'}\n    - {selector: {role: worker}, minimumFreeDisk: 5GiB}\n",
    )],
    &[(
        "build: {context: docker}",
        "build: {context: docker, schedule: '0 4 * * 1', maximumAge: 8d}\n      base: postgres:16\n      purpose: the database",
    )],
    // Another image, of which more is known than its name.
    &[
        ("web_a, image: web", "web_a, image: db"),
        ("tag: '16'", "tag: '16'\n      pin: DIGEST"),
    ],
    &[
        ("web_a, image: web", "web_a, image: four"),
        (
            "    - name: web\n",
            "    - {name: four, repository: ghcr.io/acme/web, tag: '4'}\n    - name: web\n",
        ),
    ],
    &[
        ("web_a, image: web", "web_a, image: four"),
        (
            "    - name: web\n",
            "    - {name: four, repository: ghcr.io/acme/web, tag: '4', majorUpgrade: allow}\n    - name: web\n",
        ),
    ],
];

#[test]
fn every_effect_is_told_as_agreed() {
    let mut all = String::new();
    for case in CASES {
        let mut text = SPEC.to_owned();
        for (from, to) in case {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let what: Vec<_> = case
            .iter()
            .map(|(from, to)| format!("{from:?} -> {to:?}"))
            .collect();
        let _ = writeln!(all, "{}", what.join(", "));
        let changes = changes(&set(SPEC), &set(&text));
        if changes.is_empty() {
            let _ = writeln!(all, "    nothing");
        }
        for change in &changes {
            let _ = writeln!(all, "    {}", told(change));
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &all).unwrap();
    }
    let agreed = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    for (told, agreed) in all.lines().zip(agreed.lines()) {
        assert_eq!(
            told, agreed,
            "to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-planner --test spec_diff"
        );
    }
    assert_eq!(all, agreed);
}

/// Every kind of effect is one that some difference has.
#[test]
fn every_kind_of_effect_is_told() {
    let told = std::fs::read_to_string(GOLDEN).unwrap();
    for effect in Effect::ALL {
        assert!(
            told.contains(&format!("[{}]", effect.words())),
            "{effect:?}"
        );
    }
}
