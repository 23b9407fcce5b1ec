//! Draws what the engine knows of a service: much of it means nothing to
//! imgstack, and must come through an update as it was.

use serde_json::{Map, Value, json};

use super::Dice;
use crate::claims::Settings;

const SECOND: u64 = 1_000_000_000;

/// A service's spec without a name and an image.
pub fn service(dice: &mut Dice) -> Value {
    let mut spec = json!({
        "Labels": labels(dice),
        "TaskTemplate": template(dice),
        "Mode": mode(dice),
    });
    if dice.chance(90) {
        spec["UpdateConfig"] = update(dice);
    }
    if dice.chance(60) {
        spec["RollbackConfig"] = update(dice);
        spec["RollbackConfig"]["FailureAction"] = json!("pause");
    }
    if dice.chance(30) {
        spec["EndpointSpec"] = json!({"Mode": "dnsrr"});
    }
    if dice.chance(20) {
        spec["FieldOfTomorrow"] = json!({"Deep": [1, 2.5, null, {"z": 1, "a": ""}]});
    }
    spec
}

fn mode(dice: &mut Dice) -> Value {
    let replicas = dice.weighted(&[(5, 0), (40, 1), (30, 2), (15, 3), (10, 4)]);
    dice.weighted(&[
        (66, json!({"Replicated": {"Replicas": replicas}})),
        (30, json!({"Global": {}})),
        (
            4,
            json!({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}),
        ),
    ])
}

fn update(dice: &mut Dice) -> Value {
    let short = u64::from(dice.0.u32(200..3000)) * 1_000_000;
    let monitor = dice.weighted(&[(30, 0), (70, short)]);
    let mut config = json!({
        "Parallelism": dice.pick(&[0, 1, 1, 1, 2]),
        "FailureAction": dice.weighted(&[(30, "pause"), (20, "continue"), (50, "rollback")]),
        "Monitor": monitor,
        "MaxFailureRatio": dice.pick(&[0.0, 0.0, 0.3]),
        "Order": dice.weighted(&[(70, "stop-first"), (30, "start-first")]),
    });
    if dice.chance(25) {
        config["Delay"] = json!(u64::from(dice.0.u32(100..1500)) * 1_000_000);
    }
    if dice.chance(10) {
        for field in ["Parallelism", "Monitor", "FailureAction", "Order"] {
            drop_sometimes(dice, &mut config, field);
        }
    }
    config
}

/// What the spec says of it: mostly nothing.
pub fn rollout(dice: &mut Dice) -> Settings {
    let mut settings = Settings::new();
    if !dice.chance(35) {
        return settings;
    }
    let drawn = [
        ("Order", json!(dice.pick(&["stop-first", "start-first"]))),
        ("Parallelism", json!(dice.pick(&[0, 1, 2]))),
        ("Monitor", json!(dice.pick(&[1, 2, 3]) * SECOND)),
        (
            "FailureAction",
            json!(dice.pick(&["pause", "continue", "rollback", "rollback"])),
        ),
    ];
    for (key, value) in drawn {
        if dice.chance(50) {
            settings.insert(key, value);
        }
    }
    settings
}

fn drop_sometimes(dice: &mut Dice, object: &mut Value, field: &str) {
    if let (true, Some(fields)) = (dice.chance(50), object.as_object_mut()) {
        fields.remove(field);
    }
}

fn labels(dice: &mut Dice) -> Value {
    let mut labels = Map::new();
    let mut put = |key: &str, value: &str| {
        labels.insert(key.to_owned(), json!(value));
    };
    if dice.chance(60) {
        put("com.docker.stack.namespace", "acme");
        put("com.docker.stack.image", "acme/app:16");
    }
    if dice.chance(30) {
        put(
            "traefik.http.routers.web.rule",
            "Host(`a.test`) && Path(\"/ü\")",
        );
    }
    if dice.chance(25) {
        put("dev.imgstack.stack", dice.pick(&["drawn", "another"]));
        put("dev.imgstack.image", dice.pick(&["image-0", "image-1"]));
        put("dev.imgstack.plan", &"0".repeat(64));
    }
    Value::Object(labels)
}

fn template(dice: &mut Dice) -> Value {
    let mut template = json!({
        "ContainerSpec": container(dice),
        "ForceUpdate": dice.pick(&[0, 0, 0, 7]),
        "Runtime": "container",
    });
    if dice.chance(60) {
        template["Placement"] = placement(dice);
    }
    if dice.chance(60) {
        template["RestartPolicy"] = json!({
            "Condition": dice.weighted(&[(80, "any"), (12, "on-failure"), (8, "none")]),
            "Delay": u64::from(dice.0.u32(2..7)) * SECOND,
            "MaxAttempts": dice.pick(&[0, 0, 0, 3]),
        });
    }
    if dice.chance(30) {
        template["Resources"] = json!({
            "Limits": {"MemoryBytes": 1 << 30, "Pids": 100},
            // Now and then more than any node has.
            "Reservations": {"NanoCPUs": dice.weighted(&[(95, 100_000_000_u64), (5, 100 * SECOND)])},
        });
    }
    if dice.chance(20) {
        template["LogDriver"] = json!({"Name": "json-file", "Options": {"max-size": "10m"}});
    }
    template
}

fn placement(dice: &mut Dice) -> Value {
    let mut placement = json!({});
    if dice.chance(50) {
        let constraints = dice.weighted(&[
            (35, json!(["node.role==worker"])),
            (15, json!(["node.role == manager"])),
            (20, json!(["node.labels.zone==a"])),
            (
                15,
                json!(["node.labels.zone != b", "node.platform.os==linux"]),
            ),
            (10, json!(["node.hostname!=node-2"])),
            (5, json!(["node.labels.zone==nowhere"])),
        ]);
        placement["Constraints"] = constraints;
    }
    if dice.chance(40) {
        placement["Platforms"] = dice.weighted(&[
            (50, json!([{"Architecture": "amd64", "OS": "linux"}])),
            (
                45,
                json!([{"Architecture": "amd64", "OS": "linux"}, {"Architecture": "arm64", "OS": "linux"}]),
            ),
            (5, json!([{"OS": "linux"}])),
        ]);
    }
    if dice.chance(20) {
        placement["Preferences"] = json!([{"Spread": {"SpreadDescriptor": "node.labels.zone"}}]);
    }
    if dice.chance(5) {
        placement["MaxReplicas"] = json!(2);
    }
    placement
}

fn container(dice: &mut Dice) -> Value {
    let mut container = json!({"Isolation": "default"});
    if dice.chance(40) {
        container["Env"] = json!(["PASSWORD=hunter2", "DEBUG", "EMPTY="]);
    }
    if dice.chance(40) {
        container["Healthcheck"] = json!({
            "Test": dice.pick(&[json!(["CMD-SHELL", "true"]), json!(["NONE"])]),
            "Interval": 5 * SECOND, "Retries": 3,
        });
    }
    if dice.chance(30) {
        container["Mounts"] = json!([
            {"Type": "volume", "Source": "data", "Target": "/data",
             "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"o": "x"}}}},
            {"Type": "cluster", "Source": "c", "Target": "/c", "ClusterOptions": {}},
        ]);
    }
    if dice.chance(30) {
        container["Privileges"] = json!({"CredentialSpec": null, "NoNewPrivileges": false});
        container["StopGracePeriod"] = json!(10 * SECOND);
        container["DNSConfig"] = json!({});
        container["Sysctls"] = json!({"net.core.somaxconn": "1024"});
    }
    if dice.chance(15) {
        container["Args"] = json!(["--flag", "ü\n\t", ""]);
        container["FieldOfTomorrow"] = json!([{"N": 18_446_744_073_709_551_615_u64}, -1, 1e300]);
    }
    container
}
