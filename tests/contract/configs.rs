//! Configs, which imgstack locks with, and secrets.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use imgstack_tests::build::Kind;
use imgstack_tests::wire::Reply;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::stage::Stage;

imgstack_tests::both! {
    a_name_is_taken_once_in_whatever_case,
    data_is_read_back_and_a_secret_is_not,
    only_labels_change_and_only_from_the_version_that_is_named,
    a_name_filters_by_its_beginning,
    what_is_used_is_not_removed,
    a_removal_asks_for_no_version,
    a_label_may_be_long,
    what_cannot_be_a_config_is_refused,
}

fn encoded(data: &str) -> String {
    BASE64_STANDARD.encode(data)
}

async fn create(stage: &Stage, kind: &str, name: &str, labels: Value) -> Reply {
    let spec = json!({"Name": stage.name(name), "Data": encoded("hello"), "Labels": labels});
    stage.manager.post(&format!("/{kind}/create"), &spec).await
}

async fn created(stage: &Stage, kind: &str, name: &str, labels: Value) -> String {
    let reply = create(stage, kind, name, labels).await.expect(201);
    reply.json()["ID"].as_str().unwrap().to_owned()
}

async fn config(stage: &Stage, what: &str) -> Reply {
    stage.manager.get(&format!("/configs/{what}")).await
}

async fn a_name_is_taken_once_in_whatever_case(world: World) {
    let stage = Stage::new(&world, "configname").await;
    for (kind, word) in [("configs", "config"), ("secrets", "secret")] {
        let id = created(&stage, kind, "Lock", json!({})).await;
        for name in ["Lock", "lock", "LOCK"] {
            let words = format!(
                "rpc error: code = AlreadyExists desc = {word} {} already exists",
                stage.name(name)
            );
            create(&stage, kind, name, json!({}))
                .await
                .refuses(409, &words);
        }
        // It is found in any case, too, by name or by the beginning of its ID.
        for what in [stage.name("Lock"), stage.name("lock"), id[..10].to_owned()] {
            let reply = stage.manager.get(&format!("/{kind}/{what}")).await;
            assert_eq!(reply.expect(200).json()["ID"], id, "{what}");
        }
        let reply = stage.manager.get(&format!("/{kind}/nothing")).await;
        reply.refuses(404, &format!("{word} nothing not found"));
        let found = stage
            .list(kind, json!({"name": [stage.name("Lock")]}))
            .await;
        assert_eq!(found.len(), 1, "a refused one was made");
    }
}

async fn data_is_read_back_and_a_secret_is_not(world: World) {
    let stage = Stage::new(&world, "data").await;
    let labels = json!({"a": "1"});
    let id = created(&stage, "configs", "lock", labels.clone()).await;
    let read = config(&stage, &id).await.expect(200).json();
    let spec = json!({"Name": stage.name("lock"), "Labels": labels, "Data": encoded("hello")});
    assert_eq!(read["Spec"], spec);
    assert_eq!(read["CreatedAt"], read["UpdatedAt"]);
    let list = stage.list("configs", json!({"id": [id]})).await;
    assert_eq!(list, [read]);
    let secret = created(&stage, "secrets", "lock", Value::Null).await;
    let reply = stage.manager.get(&format!("/secrets/{secret}")).await;
    let spec = json!({"Name": stage.name("lock"), "Labels": {}});
    assert_eq!(reply.expect(200).json()["Spec"], spec);
}

async fn only_labels_change_and_only_from_the_version_that_is_named(world: World) {
    let stage = Stage::new(&world, "labels").await;
    let id = created(
        &stage,
        "configs",
        "lock",
        json!({"holder": "a", "beat": "1"}),
    )
    .await;
    let before = config(&stage, &id).await.json();
    let version = before["Version"]["Index"].as_u64().unwrap();
    let update = async |version: u64, spec: Value| {
        let path = format!("/configs/{id}/update?version={version}");
        stage.manager.post(&path, &spec).await
    };
    let name = stage.name("lock");
    let stale = "rpc error: code = Unknown desc = update out of sequence";
    let with = |field: &str, value: Value| {
        let mut spec = before["Spec"].clone();
        spec[field] = value;
        spec
    };
    let beats = with("Labels", json!({"holder": "a", "beat": "2"}));
    for wrong in [version - 1, version + 1] {
        update(wrong, beats.clone()).await.refuses(500, stale);
    }
    let only = "rpc error: code = InvalidArgument desc = only updates to Labels are allowed";
    let refused = [
        with("Data", json!(encoded("other"))),
        with("Name", json!(stage.name("other"))),
        json!({"Labels": {"holder": "b"}}),
    ];
    for spec in refused {
        update(version, spec).await.refuses(400, only);
    }
    assert_eq!(config(&stage, &id).await.json(), before);
    assert_eq!(update(version, beats.clone()).await.expect(200).text(), "");
    let after = config(&stage, &id).await.json();
    assert_eq!(after["Spec"], beats);
    assert_eq!(after["CreatedAt"], before["CreatedAt"]);
    let next = after["Version"]["Index"].as_u64().unwrap();
    assert!(next > version);
    update(version, beats).await.refuses(500, stale);
    // The data need not be sent again; labels that are not sent go.
    update(next, json!({"Name": name})).await.expect(200);
    let bare = config(&stage, &id).await.json();
    assert_eq!(bare["Spec"]["Labels"], json!({}));
    assert_eq!(bare["Spec"]["Data"], before["Spec"]["Data"]);
    let path = "/configs/nothing/update?version=1";
    let reply = stage.manager.post(path, &json!({"Name": "nothing"})).await;
    reply.refuses(404, "config nothing not found");
}

async fn a_name_filters_by_its_beginning(world: World) {
    let stage = Stage::new(&world, "filters").await;
    let id = created(&stage, "configs", "Lock.pg", json!({"kind": "lock"})).await;
    created(
        &stage,
        "configs",
        "lock.pg-2",
        json!({"kind": "journal", "of": "pg"}),
    )
    .await;
    let name = |name: &str| stage.name(name);
    let table = [
        (json!({"name": [name("lock.pg")]}), 2),
        (json!({"name": [name("LOCK.PG-")]}), 1),
        (json!({"name": ["lock.pg"]}), 0),
        (json!({"name": [name("Lock.pg"), name("lock.pg-2")]}), 2),
        (json!({"name": [name("")], "label": ["kind=lock"]}), 1),
        (json!({"name": [name("")], "label": ["kind"]}), 2),
        (
            json!({"name": [name("")], "label": ["kind=journal", "of=pg"]}),
            1,
        ),
        (
            json!({"name": [name("")], "label": ["kind=lock", "of=pg"]}),
            0,
        ),
        (json!({"id": [id[..12]]}), 1),
        (json!({"name": {name("lock.pg-2"): true}}), 1),
    ];
    for (filters, expected) in table {
        let found = stage.list("configs", filters.clone()).await;
        assert_eq!(found.len(), expected, "{filters}");
    }
}

async fn what_is_used_is_not_removed(world: World) {
    let stage = Stage::new(&world, "used").await;
    let image = stage.build(Kind::Good, "old").await;
    let id = created(&stage, "configs", "lock", json!({})).await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["ContainerSpec"]["Configs"] = json!([{
        "ConfigID": id, "ConfigName": stage.name("lock"),
        "File": {"Name": "/etc/lock", "UID": "0", "GID": "0", "Mode": 292},
    }]);
    let service = stage.create(&spec).await;
    let words = format!(
        "rpc error: code = InvalidArgument desc = config '{}' is in use by the following service: {}",
        stage.name("lock"),
        stage.name("web")
    );
    let path = format!("/configs/{id}");
    stage.manager.delete(&path).await.refuses(400, &words);
    let service = format!("/services/{}", service.id);
    stage.manager.delete(&service).await.expect(200);
    assert_eq!(stage.manager.delete(&path).await.expect(204).text(), "");
}

async fn a_removal_asks_for_no_version(world: World) {
    let stage = Stage::new(&world, "removal").await;
    // Whoever removes by name may hit the lock of another.
    let first = created(&stage, "configs", "lock", json!({})).await;
    let by_name = format!("/configs/{}", stage.name("LOCK"));
    stage.manager.delete(&by_name).await.expect(204);
    let second = created(&stage, "configs", "lock", json!({})).await;
    assert_ne!(first, second);
    let path = |id: &str| format!("/configs/{id}");
    let words = format!("config {first} not found");
    stage
        .manager
        .delete(&path(&first))
        .await
        .refuses(404, &words);
    config(&stage, &second).await.expect(200);
    stage.manager.delete(&path(&second)).await.expect(204);
    config(&stage, &second).await.expect(404);
}

/// How a release ended stands in a label of its page.
async fn a_label_may_be_long(world: World) {
    let stage = Stage::new(&world, "longlabel").await;
    let id = created(&stage, "configs", "page", json!({"kind": "page"})).await;
    let read = config(&stage, &id).await.json();
    let version = read["Version"]["Index"].as_u64().unwrap();
    let long = "ü\"".repeat(100_000);
    let spec = json!({"Name": stage.name("page"), "Labels": {"kind": "page", "end": long}});
    let path = format!("/configs/{id}/update?version={version}");
    stage.manager.post(&path, &spec).await.expect(200);
    let read = config(&stage, &id).await.json();
    assert_eq!(read["Spec"]["Labels"], spec["Labels"]);
}

async fn what_cannot_be_a_config_is_refused(world: World) {
    let stage = Stage::new(&world, "noconfig").await;
    let invalid = "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]";
    let name = stage.name("lock");
    let long = "x".repeat(65);
    let data = |length: usize| encoded(&"x".repeat(length));
    let bounds = "data must be larger than 0 and less than";
    let table = [
        ("configs", json!({"Name": "a b", "Data": data(1)}), invalid),
        (
            "configs",
            json!({"Name": "-lock", "Data": data(1)}),
            invalid,
        ),
        ("configs", json!({"Name": long, "Data": data(1)}), invalid),
        ("configs", json!({"Data": data(1)}), "name must be provided"),
        ("configs", json!({"Name": name, "Data": ""}), bounds),
        (
            "configs",
            json!({"Name": name, "Data": data(1_024_000)}),
            "config data must be larger than 0 and less than 1024000 bytes",
        ),
        (
            "secrets",
            json!({"Name": name, "Data": data(512_000)}),
            "secret data must be larger than 0 and less than 512000 bytes",
        ),
        (
            "configs",
            json!({"Name": name, "Data": "%%%"}),
            "illegal base64 data",
        ),
    ];
    for (kind, spec, words) in table {
        let reply = stage.manager.post(&format!("/{kind}/create"), &spec).await;
        reply.refuses(400, words);
    }
    for (kind, length) in [("configs", 1_023_999), ("secrets", 511_999)] {
        let spec = json!({"Name": name, "Data": data(length)});
        let reply = stage.manager.post(&format!("/{kind}/create"), &spec).await;
        reply.expect(201);
    }
}
