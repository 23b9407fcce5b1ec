//! A service is patched, never rewritten (invariant 9).

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use serde_json::Value;

imgstack_tests::both! {
    every_field_but_the_planned_ones_is_identical_after_an_apply,
}

/// Takes out of a spec what imgstack means to change.
fn without_planned(mut spec: Value) -> Value {
    let template = &mut spec["TaskTemplate"];
    template["ContainerSpec"]["Image"] = Value::Null;
    if let Some(placement) = template["Placement"].as_object_mut() {
        placement.remove("Platforms");
    }
    if let Some(labels) = spec["Labels"].as_object_mut() {
        labels.retain(|key, _| !key.starts_with("dev.imgstack."));
    }
    spec
}

async fn every_field_but_the_planned_ones_is_identical_after_an_apply(world: World) {
    let story = Story::new(&world, "rich");
    story.push(Kind::Good, "9b1d2e7").await;
    let secret = story.service("password");
    let config = story.service("settings");
    let file = story.file("text");
    std::fs::write(&file, "hunter2").unwrap();
    let file = file.display().to_string();
    story.world.docker(&["secret", "create", &secret, &file]);
    story.world.docker(&["config", "create", &config, &file]);
    let options = format!(
        "--health-cmd|cat /etc/build|--health-interval|1s|--health-retries|5|--health-start-period|2s\
         |--secret|source={secret},target=pw,uid=7,gid=8,mode=0400\
         |--config|source={config},target=/etc/settings,mode=0444\
         |--mount|type=volume,source={name}-data,target=/data,volume-label=a=b,volume-nocopy\
         |--mount|type=tmpfs,target=/scratch,tmpfs-size=1048576,tmpfs-mode=1770\
         |--mount|type=bind,source=/tmp,target=/host,readonly,bind-propagation=rprivate\
         |--ulimit|nofile=1024:2048|--cap-add|NET_ADMIN|--cap-drop|MKNOD\
         |--sysctl|net.ipv4.ip_unprivileged_port_start=80|--init|--read-only\
         |--host|db:10.0.0.9|--dns|10.77.0.1|--dns-option|ndots:2|--dns-search|lab\
         |--limit-cpu|0.5|--limit-memory|64M|--limit-pids|100|--reserve-cpu|0.1|--reserve-memory|8M\
         |--update-delay|100ms|--update-order|start-first|--update-max-failure-ratio|0.25\
         |--rollback-parallelism|2|--rollback-delay|1s|--rollback-order|stop-first|--rollback-failure-action|continue\
         |--placement-pref|spread=node.labels.zone|--constraint|node.platform.os==linux\
         |--log-driver|json-file|--log-opt|max-size=1m|--log-opt|tag=x\
         |--publish|mode=host,target=8008,published=18{port:03}|--endpoint-mode|dnsrr\
         |--label|team=db|--label|com.example.token=s3cret|--container-label|role=replica\
         |--env|PGPASSWORD=hunter2|--env|LANG=C.UTF-8|--hostname|pg-{{{{.Task.Slot}}}}\
         |--user|0:0|--workdir|/|--stop-signal|SIGTERM|--restart-condition|any\
         |--restart-delay|2s|--restart-window|10s|--restart-max-attempts|9|--tty=false|--isolation|default",
        name = story.name,
        port = std::process::id() % 1000,
    );
    let options: Vec<&str> = options.split('|').map(str::trim).collect();
    story.create("pg", &options);
    let before = story.inspect("pg")["Spec"].clone();

    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    let plan = story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    // The plan holds nothing that could be secret.
    let saved = std::fs::read_to_string(story.file("p.json")).unwrap();
    for secret in ["hunter2", "s3cret"] {
        assert!(!saved.contains(secret), "{secret} is in the plan");
        plan.never_says(&[secret]);
    }
    story.imgstack(&["apply", "p.json"]).expect(0);

    let after = story.inspect("pg")["Spec"].clone();
    assert_ne!(
        after["TaskTemplate"]["ContainerSpec"]["Image"],
        before["TaskTemplate"]["ContainerSpec"]["Image"]
    );
    assert_eq!(after["Labels"]["dev.imgstack.image"], "pg");
    similar_asserts(&without_planned(before), &without_planned(after));
    drop(story.imgstack(&["plan", "--detailed-exitcode"]).expect(0));
}

/// Equality with a message that shows where.
fn similar_asserts(before: &Value, after: &Value) {
    let text = |value| serde_json::to_string_pretty(value).unwrap();
    let (before, after) = (text(before), text(after));
    for (line, (old, new)) in before.lines().zip(after.lines()).enumerate() {
        assert_eq!(old, new, "line {line} of:\n{after}");
    }
    assert_eq!(before.lines().count(), after.lines().count());
}
