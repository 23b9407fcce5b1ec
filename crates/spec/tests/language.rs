//! The language of specs that are right, and of the page that defines it.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_spec::{
    BuildSource, DEFAULT_ANSWER, DEFAULT_EVERY, FailureAction, Follow, Image, Input, Kind, LastIf,
    LeaderChange, NodeRole, NodeSettings, Pin, Probe, Question, SecretSource, Service, Stack,
    StackSet, UpdateOrder, read,
};

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn stack(text: &str) -> Stack {
    let text = format!("apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\n{text}");
    match read(&[Input::new("imgstack.yaml", text)]) {
        Ok(StackSet { mut stacks }) => stacks.remove(0),
        Err(told) => {
            let told: Vec<_> = told.iter().map(ToString::to_string).collect();
            panic!("{}", told.join("\n"))
        }
    }
}

/// The tag that an image follows.
fn followed(image: &Image) -> String {
    match &image.follow {
        Follow::Tag(tag) => tag.to_string(),
        Follow::Policy { .. } => panic!("{} follows a policy", image.name),
    }
}

#[test]
fn scalars_are_what_they_look_like() {
    let text = "metadata: {name: no}
spec:
  images:
    - {name: 1.10, repository: postgres, tag: 1.10, pin: 007}
    - {name: 'true', repository: index.docker.io/a/b, tag: 1e3}
    - {name: yes, repository: 'localhost:5000/a', tag: 0x10, pin: 'sha256:HEX', purpose: \"For the\\n people\"}
  services:
    - {name: 16, image: 1.10, after: []}
"
    .replace("HEX", HEX);
    let stack = stack(&text);
    assert_eq!(stack.name.as_str(), "no");
    let images: Vec<_> = stack
        .images
        .iter()
        .map(|it| (it.name.to_string(), it.repository.to_string(), followed(it)))
        .collect();
    let own = |(a, b, c): (&str, &str, &str)| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        images,
        [
            ("1.10", "docker.io/library/postgres", "1.10"),
            ("true", "docker.io/a/b", "1e3"),
            ("yes", "localhost:5000/a", "0x10"),
        ]
        .map(own)
    );
    let pins: Vec<_> = stack.images.iter().map(|it| it.pin.clone()).collect();
    assert_eq!(
        pins,
        [
            Some(Pin::Tag("007".parse().unwrap())),
            None,
            Some(Pin::Digest(format!("sha256:{HEX}").parse().unwrap())),
        ]
    );
    assert_eq!(stack.images[2].purpose.as_deref(), Some("For the people"));
    assert_eq!(stack.services[0].name.as_str(), "16");
}

#[test]
fn anchors_aliases_and_merge_keys_save_words() {
    let stack = stack(
        "metadata: {name: a}
spec:
  images:
    - &base
      name: one
      repository: &repository ghcr.io/acme/one
      tag: \"1\"
    - <<: *base
      name: two
      tag: \"2\"
    - <<: [{name: three, purpose: first wins}, {purpose: second}, *base]
    - {name: four, repository: *repository, tag: \"4\"}
  services:
    - {name: a, image: one, rollout: &slow {timeout: 1h}}
    - {name: b, image: two, rollout: *slow}
",
    );
    let images: Vec<_> = stack
        .images
        .iter()
        .map(|it| {
            (
                it.name.as_str(),
                it.reference().unwrap().to_string(),
                it.purpose.as_deref(),
            )
        })
        .collect();
    let own = |(name, reference, purpose): (_, &str, _)| (name, reference.to_owned(), purpose);
    assert_eq!(
        images,
        [
            ("one", "ghcr.io/acme/one:1", None),
            ("two", "ghcr.io/acme/one:2", None),
            ("three", "ghcr.io/acme/one:1", Some("first wins")),
            ("four", "ghcr.io/acme/one:4", None),
        ]
        .map(own)
    );
    let hour = Duration::from_secs(3600);
    assert!(stack.services.iter().all(|it| it.timeout == hour));
}

#[test]
fn registries_are_read() {
    let stack = stack(
        "metadata: {name: a}
spec:
  registries:
    - {host: index.docker.io, username: a, password: {file: /run/a b}}
    - {host: '[::1]:5000', insecure: True}
    - {host: r.example, username: a, password: {command: [pass, show, 1]}, insecure: false}
  images: []
",
    );
    let registries = &stack.registries;
    let hosts: Vec<_> = registries.iter().map(|it| it.host.as_str()).collect();
    assert_eq!(hosts, ["docker.io", "[::1]:5000", "r.example"]);
    let passwords: Vec<_> = registries.iter().map(|it| it.password.clone()).collect();
    let words = ["pass", "show", "1"].map(str::to_owned).to_vec();
    assert_eq!(
        passwords,
        [
            Some(SecretSource::File("/run/a b".into())),
            None,
            Some(SecretSource::Command(words)),
        ]
    );
    let insecure: Vec<_> = registries.iter().map(|it| it.insecure).collect();
    assert_eq!(insecure, [false, true, false]);
}

const NODES: &str = "metadata: {name: a}
spec:
  images: []
  nodes:
    - selector: {role: worker, labels: {zone: a, rack: 7}}
      engine: ssh://root@{hostname}
      login: true
      minimumFreeDisk: 5GiB
    - name: worker-1
      login: false
    - selector: {role: manager}
      engine: tcp://{address}:2376
    - selector: {}
      minimumFreeDisk: 1024
    - name: Odd-One
      engine: unix:///var/run/docker.sock
";

#[test]
fn rules_for_a_node_are_merged() {
    let stack = stack(NODES);
    let labels = |pairs: &[(&str, &str)]| {
        let own = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        own.collect::<BTreeMap<_, _>>()
    };
    let settings = |hostname: &str, role, pairs: &[(&str, &str)]| {
        let settings = stack.node_rule(hostname, role, &labels(pairs)).unwrap();
        let engine = settings.engine.map(|engine| engine.to_string());
        (
            engine.unwrap_or_default(),
            settings.login,
            settings.minimum_free_disk.unwrap().to_string(),
        )
    };
    let is = |engine: &str, login, free: &str| (engine.to_owned(), login, free.to_owned());
    use NodeRole::{Manager, Worker};
    let rack = [("zone", "a"), ("rack", "7"), ("other", "x")];
    let cases = [
        (
            settings("w", Worker, &rack),
            is("ssh://root@{hostname}", true, "5GiB"),
        ),
        // Case makes no difference to values, as in a constraint.
        (
            settings("w", Worker, &[("zone", "A"), ("rack", "7")]),
            is("ssh://root@{hostname}", true, "5GiB"),
        ),
        // A rule by name wins, also with `false`, and leaves the rest.
        (
            settings("worker-1", Worker, &rack),
            is("ssh://root@{hostname}", false, "5GiB"),
        ),
        (
            settings("w", Worker, &[("zone", "a")]),
            is("", false, "1KiB"),
        ),
        (
            settings("w", Worker, &[("Zone", "a"), ("rack", "7")]),
            is("", false, "1KiB"),
        ),
        (
            settings("m", Manager, &rack),
            is("tcp://{address}:2376", false, "1KiB"),
        ),
        // Though it stands last.
        (
            settings("odd-one", Worker, &rack),
            is("unix:///var/run/docker.sock", true, "5GiB"),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_node_without_a_rule_has_none() {
    let text = "metadata: {name: a}\nspec:\n  images: []\n  nodes: [{name: a}]\n";
    let stack = stack(text);
    let rule = |name| stack.node_rule(name, NodeRole::Worker, &BTreeMap::new());
    assert_eq!(rule("a"), Some(NodeSettings::default()));
    assert_eq!(rule("b"), None);
}

/// What is refused is wrong whichever nodes the selectors match.
#[test]
fn logins_are_refused_when_they_cannot_be_right() {
    const SSH: &str = "engine: 'ssh://{hostname}'";
    const TCP: &str = "engine: 'tcp://{hostname}:2376'";
    let cases = [
        ("{name: a, SSH, login: true}", vec![]),
        ("{name: a, TCP, login: true}", vec![Kind::Node]),
        ("{name: a, login: true}", vec![Kind::Node]),
        // Every node may have a rule by name.
        ("{name: a, SSH}, {selector: {}, login: true}", vec![]),
        (
            "{name: a, TCP}, {selector: {}, login: true}",
            vec![Kind::Node, Kind::Node],
        ),
        // The node may be a worker, and the worker in the zone.
        (
            "{name: a, login: true}, {selector: {role: worker}, SSH}",
            vec![],
        ),
        (
            "{selector: {role: worker}, login: true}, {selector: {labels: {z: a}}, SSH}",
            vec![],
        ),
        // No node is both.
        (
            "{selector: {role: worker}, login: true}, {selector: {role: manager}, SSH}",
            vec![Kind::Node],
        ),
        (
            "{selector: {labels: {z: b}}, login: true}, {selector: {labels: {z: a}}, SSH}",
            vec![Kind::Node],
        ),
        // The first selector that gives an engine wins.
        (
            "{selector: {}, TCP}, {selector: {role: worker}, SSH, login: true}",
            vec![Kind::Node],
        ),
        (
            "{selector: {role: worker}, SSH, login: true}, {selector: {}, TCP}",
            vec![],
        ),
        // The node may be in the zone that is not logged in.
        (
            "{selector: {labels: {z: a}}, login: false}, {selector: {}, SSH, login: true}, {name: a, TCP}",
            vec![],
        ),
        (
            "{selector: {labels: {z: a}}, login: true}, {selector: {}, SSH, login: true}, {name: a, TCP}",
            vec![Kind::Node],
        ),
        // Of what is wrong itself nothing is concluded.
        (
            "{name: a b, SSH}, {selector: {}, login: true}",
            vec![Kind::Name],
        ),
        ("{name: a, engine: b, login: true}", vec![Kind::Endpoint]),
    ];
    for (rules, expected) in cases {
        let rules = rules.replace("SSH", SSH).replace("TCP", TCP);
        let text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: a}}\nspec: {{images: [], nodes: [{rules}]}}"
        );
        let told = match read(&[Input::new("a", text)]) {
            Ok(_) => Vec::new(),
            Err(told) => told.iter().map(|it| it.kind()).collect(),
        };
        assert_eq!(told, expected, "{rules}");
    }
}

#[test]
fn defaults_and_what_is_kept() {
    let stack = stack(
        "metadata: {name: a}
spec:
  registries:
    - {host: a.example, warnBeforeExpiry: 30d}
    - {host: b.example}
  images:
    - {name: a, repository: a, tag: b, keep: 3}
    - {name: b, repository: a, tag: b}
",
    );
    let warn: Vec<_> = stack
        .registries
        .iter()
        .map(|it| it.warn_before_expiry)
        .collect();
    assert_eq!(
        warn,
        [30, 14].map(|days| Duration::from_secs(days * 86_400))
    );
    let keep: Vec<_> = stack.images.iter().map(|it| it.keep).collect();
    assert_eq!(keep, [Some(3), None]);
    assert_eq!(stack.nodes, []);
}

#[test]
fn where_builds_come_from() {
    let stack = stack(
        "metadata: {name: a}
spec:
  images:
    - name: whole
      repository: a
      tag: b
      base: postgres:16-alpine
      build:
        context: ../docker
        dockerfile: build/Dockerfile.prod
        github: {repository: acme/web, workflow: build.yaml, ref: release/1}
        schedule: 0  4 * * MON
        maximumAge: 8d
    - {name: least, repository: a, tag: b, build: {context: ., github: {repository: acme/web, workflow: build.yml}}}
    - {name: none, repository: a, tag: b}
",
    );
    let bases: Vec<_> = stack.images.iter().map(|it| it.base.as_ref()).collect();
    let base = bases[0].unwrap();
    assert_eq!(base.to_string(), "docker.io/library/postgres:16-alpine");
    assert_eq!(bases[1..], [None, None]);
    let builds: Vec<_> = stack.images.iter().map(|it| it.build.as_ref()).collect();
    let [Some(whole), Some(least), None] = builds.as_slice() else {
        panic!("{builds:?}")
    };
    let json = serde_json::to_value([whole, least]).unwrap();
    let expected = serde_json::json!([
        {
            "context": "../docker",
            "dockerfile": "build/Dockerfile.prod",
            "github": {"repository": "acme/web", "workflow": "build.yaml", "ref": "release/1"},
            "schedule": "0 4 * * MON",
            "maximumAgeSeconds": 691_200,
        },
        {
            "context": ".",
            "dockerfile": "Dockerfile",
            "github": {"repository": "acme/web", "workflow": "build.yml", "ref": "main"},
            "schedule": null,
            "maximumAgeSeconds": null,
        },
    ]);
    assert_eq!(json, expected);
    let read: Vec<BuildSource> = serde_json::from_value(json).unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), [*whole, *least]);
}

#[test]
fn what_is_followed() {
    let stack = stack(
        "metadata: {name: a}
spec:
  images:
    - {name: tag, repository: a, tag: b, minimumAge: 24h}
    - {name: range, repository: a, policy: {semver: ' ~3.3 '}, allowDowngrade: true}
    - {name: variant, repository: a, policy: {semver: '>=16.2, <17', suffix: -alpine}, minimumAge: 7d}
    - {name: date, repository: a, policy: {regex: '16-(\\d{8})', order: date}, allowDowngrade: false}
    - {name: newest, repository: a, policy: {newest: 16-.*}, pin: 16-abc1234}
    - {name: held, repository: a, policy: {newest: 16}, pin: 'sha256:HEX'}
"
        .replace("HEX", HEX)
        .as_str(),
    );
    let images = &stack.images;
    let follow: Vec<_> = images.iter().map(|it| &it.follow).collect();
    let json = serde_json::to_value(&follow).unwrap();
    let policy = |policy: serde_json::Value, allow: bool| serde_json::json!({"policy": {"policy": policy, "allowDowngrade": allow}});
    let expected = serde_json::json!([
        {"tag": "b"},
        policy(serde_json::json!({"semver": {"range": "~3.3", "suffix": null}}), true),
        policy(serde_json::json!({"semver": {"range": ">=16.2, <17", "suffix": "-alpine"}}), false),
        policy(serde_json::json!({"regex": {"pattern": r"16-(\d{8})", "order": "date"}}), false),
        policy(serde_json::json!({"newest": {"pattern": "16-.*"}}), false),
        policy(serde_json::json!({"newest": {"pattern": "16"}}), false),
    ]);
    assert_eq!(json, expected);
    let read: Vec<Follow> = serde_json::from_value(json).unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), follow);

    let hours: Vec<_> = images
        .iter()
        .map(|it| it.minimum_age.map(|age| age.as_secs() / 3600))
        .collect();
    assert_eq!(hours, [Some(24), None, Some(168), None, None, None]);
    // A pin wins over both, and nothing is left to choose.
    let asked: Vec<_> = images
        .iter()
        .map(|it| it.reference().map(|it| it.to_string()))
        .collect();
    let asked: Vec<_> = asked.iter().map(Option::as_deref).collect();
    let held = format!("docker.io/library/a@sha256:{HEX}");
    let pinned = Some("docker.io/library/a:16-abc1234");
    let tag = Some("docker.io/library/a:b");
    assert_eq!(asked, [tag, None, None, None, pinned, Some(held.as_str())]);
    let chosen = images.iter().map(|it| it.rules().is_some());
    assert_eq!(
        chosen.collect::<Vec<_>>(),
        [false, true, true, true, false, false]
    );
    let rules = images[2].rules().unwrap();
    assert_eq!(rules.minimum_age, images[2].minimum_age);
    assert!(images[1].rules().unwrap().allow_downgrade);
}

#[test]
fn settings_of_a_rollout() {
    let stack = stack(
        "metadata: {name: a}
spec:
  images: [{name: a, repository: a, tag: b}]
  services:
    - name: all
      image: a
      rollout: {order: start-first, parallelism: 0, monitor: 1m30s, onFailure: rollback, timeout: 1h}
    - {name: one, image: a, rollout: {onFailure: continue}}
    - {name: time, image: a, rollout: {timeout: 1h}}
    - {name: none, image: a}
",
    );
    let json = serde_json::to_value(&stack.services).unwrap();
    let settings: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.get("rollout"))
        .collect();
    let all = serde_json::json!({
        "order": "start-first", "parallelism": 0, "monitorSeconds": 90, "onFailure": "rollback",
    });
    let one = serde_json::json!({"onFailure": "continue"});
    assert_eq!(settings, [Some(&all), Some(&one), None, None]);
    let read: Vec<Service> = serde_json::from_value(json).unwrap();
    assert_eq!(read, stack.services);
    let empty: Vec<_> = read.iter().map(|it| it.rollout.is_empty()).collect();
    assert_eq!(empty, [false, false, true, true]);
    for (word, order) in UpdateOrder::NAMES {
        assert_eq!(order.word(), word);
    }
    for (word, action) in FailureAction::NAMES {
        assert_eq!(action.word(), word);
    }
}

#[test]
fn line_ends_and_marks_make_no_difference() {
    let text = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata:
  name: a
spec:
  images:
    - name: a
      purpose: >
        folded
        text
      repository: a
      tag: b
";
    let plain = read(&[Input::new("a", text)]).unwrap();
    let windows = text.replace('\n', "\r\n");
    assert_eq!(read(&[Input::new("a", windows)]).unwrap(), plain);
    let marked = format!("\u{feff}{text}");
    assert_eq!(read(&[Input::new("a", marked)]).unwrap(), plain);
    let json = serde_json::to_string(&plain).unwrap();
    assert_eq!(serde_json::from_str::<StackSet>(&json).unwrap(), plain);
}

/// The whole language.
const PAGE: &str = include_str!("language.yaml");

#[test]
fn every_key_of_the_page_is_read() {
    let stack = read(&[Input::new("language.yaml", PAGE)])
        .unwrap()
        .stacks
        .remove(0);
    let json = serde_json::to_value(&stack.services[0]).unwrap();
    let expected = serde_json::json!({
        "probe": {
            "question": {"http": "http://{task.address}:8008/readiness"},
            "everyMs": 3_000, "forMs": 30_000, "timeoutMs": 4_000,
        },
        "lastIf": {
            "question": {"http": "http://{task.address}:8008/primary"},
            "timeoutMs": 4_000,
            "onChange": "stop",
            "before": ["patronictl", "switchover", "--candidate", "pg-{task.slot}", "--force"],
        },
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&json[key], value);
    }
    let read: Service = serde_json::from_value(json).unwrap();
    // The folder of the spec is the reader's.
    assert_eq!(
        (&read.probe, &read.last_if),
        (&stack.services[0].probe, &stack.services[0].last_if)
    );
}

#[test]
fn what_is_asked_of_tasks() {
    let stack = stack(
        r#"metadata: {name: a}
spec:
  images: [{name: a, repository: a, tag: b}]
  services:
    - {name: a, image: a, rollout: {probe: {tcp: "{node.address}:500{task.slot}"}}}
    - {name: b, image: a, rollout: {probe: {exec: [pg_isready, -q]}, lastIf: {exec: [leads]}}}
    - {name: c, image: a, rollout: {lastIf: {tcp: "[fd00::1]:80"}, beforeLast: {exec: [go]}}}
    - {name: d, image: a, rollout: {lastIf: {http: "http://{node.hostname}?a"}, onLeaderChange: stop}}
"#,
    );
    let words = |words: &[&str]| words.iter().map(|it| it.parse().unwrap()).collect();
    let probe = |question| Probe {
        question,
        every: DEFAULT_EVERY,
        hold: Duration::ZERO,
        timeout: DEFAULT_ANSWER,
    };
    let last_if = |question, on_change, before| LastIf {
        question,
        timeout: DEFAULT_ANSWER,
        on_change,
        before,
    };
    let [a, b, c, d] = stack.services.as_slice() else {
        panic!()
    };
    let address = "{node.address}:500{task.slot}".parse().unwrap();
    assert_eq!(a.probe, Some(probe(Question::Tcp(address))));
    assert_eq!(a.last_if, None);
    let exec = Question::Exec(words(&["pg_isready", "-q"]));
    assert_eq!(b.probe, Some(probe(exec)));
    let leads = Question::Exec(words(&["leads"]));
    assert_eq!(b.last_if, Some(last_if(leads, LeaderChange::Replan, None)));
    assert_eq!(c.probe, None);
    let v6 = Question::Tcp("[fd00::1]:80".parse().unwrap());
    let go = Some(words(&["go"]));
    assert_eq!(c.last_if, Some(last_if(v6, LeaderChange::Replan, go)));
    let http = Question::Http("http://{node.hostname}?a".parse().unwrap());
    assert_eq!(d.last_if, Some(last_if(http, LeaderChange::Stop, None)));
}

#[test]
fn a_stack_file_is_found_from_the_folder_of_the_spec() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("imgstack.yaml");
    let text = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: a}
spec:
  images: [{name: a, repository: a, tag: b}]
  services:
    - {name: s_a, image: a, stackFile: {path: deploy/stack.yml, service: a}}
    - {name: s_b, image: a, stackFile: {path: /srv/stack.yml, service: b.1}}
    - {name: s_c, image: a}
";
    std::fs::write(&file, text).unwrap();
    let inputs = imgstack_spec::load(std::slice::from_ref(&file), std::io::empty());
    assert_eq!(inputs[0].file(), Some(file.as_path()));
    assert_eq!(inputs[0].text(), Some(text));
    let stack = read(&inputs).unwrap().stacks.remove(0);
    let files: Vec<_> = stack
        .services
        .iter()
        .map(|it| {
            Some((
                it.stack_file.as_ref()?.file(),
                &*it.stack_file.as_ref()?.service,
            ))
        })
        .collect();
    let inside = folder.path().join("deploy/stack.yml");
    assert_eq!(
        files,
        [
            Some((inside, "a")),
            Some(("/srv/stack.yml".into(), "b.1")),
            None
        ]
    );
    // A saved plan is the same wherever it is made.
    let json = serde_json::to_value(&stack.services[0].stack_file).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"path": "deploy/stack.yml", "service": "a"})
    );
    // What nobody can write to.
    assert_eq!(Input::new("<stdin>", "a: b").file(), None);
}
