//! Random sets of stacks: few names and few values, so that two of them have
//! much in common.

use imgstack_spec::StackSet;
use serde_json::{Map, Value, json};

/// Numbers from a seed, always the same ones.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }

    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next()).unwrap() % most
    }

    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())].clone()
    }
}

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A set. The JSON is a saved plan's form of it.
pub fn set(dice: &mut Dice) -> StackSet {
    let count = 1 + dice.below(3);
    let mut stacks: Vec<Value> = (0..count).map(|_| json!(null)).collect();
    let mut names = shuffled(dice, &["a", "b", "c"]);
    let mut images = shuffled(dice, &["i1", "i2", "i3", "i4"]);
    let mut services = shuffled(dice, &["s1", "s2", "s3", "s4", "s5", "s6"]);
    for stack in &mut stacks {
        *stack = one(dice, names.pop().unwrap(), &mut images, &mut services);
    }
    serde_json::from_value(json!({"stacks": stacks})).unwrap()
}

fn shuffled(dice: &mut Dice, names: &[&'static str]) -> Vec<&'static str> {
    let mut left = names.to_vec();
    let mut out = Vec::new();
    while !left.is_empty() {
        out.push(left.remove(dice.below(left.len())));
    }
    out
}

fn one(
    dice: &mut Dice,
    name: &str,
    images: &mut Vec<&'static str>,
    services: &mut Vec<&'static str>,
) -> Value {
    let own: Vec<&str> = (0..dice.below(3)).filter_map(|_| images.pop()).collect();
    let mut made: Vec<Value> = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    if !own.is_empty() {
        for _ in 0..dice.below(4) {
            let Some(name) = services.pop() else { break };
            let image = own[dice.below(own.len())];
            made.push(service(dice, name, image, &known));
            known.push(name);
        }
    }
    let registries: Vec<Value> = ["ghcr.io", "r.test:5000"]
        .into_iter()
        .filter(|_| dice.once_in(2))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|host| registry(dice, host))
        .collect();
    json!({
        "name": name,
        "endpoint": dice.pick(&[Value::Null, json!("ssh://root@m1"), json!("ssh://root@m2")]),
        "registries": registries,
        "images": own.into_iter().map(|name| image(dice, name)).collect::<Vec<_>>(),
        "nodes": nodes(dice),
        "services": made,
    })
}

fn registry(dice: &mut Dice, host: &str) -> Value {
    json!({
        "host": host,
        "username": dice.pick(&[Value::Null, json!("u"), json!("v")]),
        "password": dice.pick(&[
            Value::Null, json!({"env": "A"}), json!({"file": "/a"}),
            json!({"command": ["pass", "a b"]}), json!({"command": ["pass", "a", "b"]}),
        ]),
        "insecure": dice.once_in(3),
        "warnBeforeExpirySeconds": dice.pick(&[json!(1_209_600), json!(86_400)]),
    })
}

fn image(dice: &mut Dice, name: &str) -> Value {
    json!({
        "name": name,
        "purpose": dice.pick(&[Value::Null, json!("p"), json!("q")]),
        "repository": dice.pick(&[json!("ghcr.io/acme/a"), json!("ghcr.io/acme/b")]),
        "follow": dice.pick(&[
            json!({"tag": "16"}), json!({"tag": "17"}), json!({"tag": "latest"}),
            policy(json!({"semver": {"range": "~3.3", "suffix": null}}), false),
            policy(json!({"semver": {"range": "~3.3", "suffix": "-alpine"}}), true),
            policy(json!({"semver": {"range": "^4", "suffix": null}}), false),
            policy(json!({"regex": {"pattern": "^a-(.*)$", "order": "numeric"}}), false),
            policy(json!({"newest": {"pattern": "^a-(.*)$"}}), false),
        ]),
        "minimumAgeSeconds": dice.pick(&[Value::Null, json!(3600), json!(86_400)]),
        "pin": dice.pick(&[
            Value::Null, Value::Null, json!({"tag": "16-abc1234"}), json!({"tag": "17-abc1234"}),
            json!({"digest": DIGEST}),
        ]),
        "base": dice.pick(&[Value::Null, json!("docker.io/library/postgres:16")]),
        "build": build(dice),
        "majorUpgrade": dice.pick(&[json!("block"), json!("allow")]),
        "keep": dice.pick(&[Value::Null, json!(2), json!(3)]),
    })
}

fn policy(policy: Value, allow: bool) -> Value {
    json!({"policy": {"policy": policy, "allowDowngrade": allow}})
}

fn build(dice: &mut Dice) -> Value {
    if dice.once_in(2) {
        return Value::Null;
    }
    let github = json!({
        "repository": "acme/web",
        "workflow": dice.pick(&[json!("a.yml"), json!("b.yml")]),
        "ref": dice.pick(&[json!("main"), json!("next")]),
    });
    json!({
        "context": dice.pick(&[json!("."), json!("docker")]),
        "dockerfile": dice.pick(&[json!("Dockerfile"), json!("Other")]),
        "github": dice.pick(&[Value::Null, github]),
        "schedule": dice.pick(&[Value::Null, json!("0 4 * * 1")]),
        "maximumAgeSeconds": dice.pick(&[Value::Null, json!(86_400)]),
    })
}

/// A name stands once, as reading sees to.
fn nodes(dice: &mut Dice) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for _ in 0..dice.below(4) {
        let rule = rule(dice);
        let is_named = rule["which"].get("name").is_some();
        if !is_named || rules.iter().all(|it| it["which"] != rule["which"]) {
            rules.push(rule);
        }
    }
    rules
}

fn rule(dice: &mut Dice) -> Value {
    json!({
        "which": dice.pick(&[
            json!({"name": "n1"}), json!({"name": "n2"}),
            json!({"selector": {"role": null, "labels": {}}}),
            json!({"selector": {"role": "worker", "labels": {"zone": "a"}}}),
        ]),
        "engine": dice.pick(&[Value::Null, json!("ssh://root@{hostname}")]),
        "login": dice.pick(&[Value::Null, json!(true), json!(false)]),
        "minimumFreeDiskBytes": dice.pick(&[Value::Null, json!(1024), json!(5_368_709_120_u64)]),
    })
}

fn service(dice: &mut Dice, name: &str, image: &str, before: &[&str]) -> Value {
    let after: Vec<&&str> = before.iter().filter(|_| dice.once_in(4)).collect();
    let mut service = Map::new();
    service.insert("name".to_owned(), json!(name));
    service.insert("image".to_owned(), json!(image));
    service.insert("after".to_owned(), json!(after));
    service.insert(
        "timeoutSeconds".to_owned(),
        dice.pick(&[json!(600), json!(60)]),
    );
    let mut rollout = Map::new();
    for (key, values) in [
        ("order", [json!("stop-first"), json!("start-first")]),
        ("parallelism", [json!(0), json!(2)]),
        ("monitorSeconds", [json!(5), json!(30)]),
        ("onFailure", [json!("pause"), json!("rollback")]),
    ] {
        if dice.once_in(3) {
            rollout.insert(key.to_owned(), dice.pick(&values));
        }
    }
    service.insert("rollout".to_owned(), Value::Object(rollout));
    let question = dice.pick(&[
        json!({"http": "http://{task.address}:8008/ready"}),
        json!({"tcp": "{task.address}:5432"}),
        json!({"exec": ["pg_isready", "-q"]}),
    ]);
    if dice.once_in(3) {
        let times = [json!(5000), json!(2000)];
        let probe = json!({
            "question": question, "everyMs": dice.pick(&times),
            "forMs": dice.pick(&[json!(0), json!(30_000)]), "timeoutMs": dice.pick(&times),
        });
        service.insert("probe".to_owned(), probe);
    }
    if dice.once_in(3) {
        let mut last = json!({
            "question": question, "timeoutMs": dice.pick(&[json!(5000), json!(1000)]),
            "onChange": dice.pick(&[json!("replan"), json!("stop")]),
        });
        if dice.once_in(2) {
            last["before"] = json!(["patronictl", "switchover"]);
        }
        service.insert("lastIf".to_owned(), last);
    }
    if dice.once_in(3) {
        let file = json!({"path": dice.pick(&[json!("a.yml"), json!("b.yml")]), "service": name});
        service.insert("stackFile".to_owned(), file);
    }
    Value::Object(service)
}
