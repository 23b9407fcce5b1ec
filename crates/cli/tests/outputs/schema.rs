//! Plans against the schema that is checked in.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use imgstack_planner::{Known, Options, plan};

use crate::cases;
use crate::world::{World, whole};

struct Schema {
    schemas: Schemas,
    plan: SchemaIndex,
}

impl Schema {
    fn checked_in() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../imgstack.plan.schema.json");
        let text = std::fs::read_to_string(path).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("plan.json", schema).unwrap();
        let plan = compiler.compile("plan.json", &mut schemas).unwrap();
        Self { schemas, plan }
    }

    fn told(&self, plan: &Value) -> Result<(), String> {
        let told = self.schemas.validate(plan, self.plan);
        told.map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn every_plan_is_as_the_schema_says() {
    let schema = Schema::checked_in();
    for (case, plan) in cases::all() {
        let told = schema.told(&serde_json::to_value(&plan).unwrap());
        assert_eq!(told, Ok(()), "{case}");
    }
}

/// What a service is asked, and the rest that only some plans have.
#[test]
fn a_plan_with_questions_is_as_the_schema_says() {
    const SPEC: &str = "metadata: {name: ha}
spec:
  images:
    - {name: db, repository: ghcr.io/acme/db, tag: '16'}
  services:
    - name: db_1
      image: db
      stackFile: {path: a.yml, service: db}
      rollout:
        probe: {http: 'http://{node.hostname}:8008/ready', for: 3s}
        lastIf: {exec: [leads, '{task.slot}']}
        onLeaderChange: stop
        beforeLast: {exec: [hand-over]}
    - name: db_2
      image: db
      rollout: {probe: {tcp: 'db:5432'}, lastIf: {exec: [leads]}}
";
    let mut world = World::new(SPEC, &["n1", "n2"]);
    world.moved("db", 'b').built('b', "16.2", 1);
    for (name, node, leads) in [("db_1", "n1", true), ("db_2", "n2", false)] {
        world.runs(name, "16", 'a', &[node]);
        let leaders = &mut world.inventory.leaders;
        leaders.insert(name.parse().unwrap(), Known::Known(leads));
    }
    let options = Options {
        targets: vec!["image.db".parse().unwrap()],
        retry_failed: true,
        ..Options::default()
    };
    let made = plan(&world.stack, &world.inventory, &options);
    let value = serde_json::to_value(whole(vec![made])).unwrap();
    let update = &value["stacks"][0]["steps"][3]["action"]["updateService"];
    assert!(update["probe"].is_object(), "{value:#}");
    assert!(update["leader"].is_object(), "{value:#}");
    assert_eq!(value["stacks"][0]["retryFailed"], json!(true));
    let schema = Schema::checked_in();
    assert_eq!(schema.told(&value), Ok(()));
    let mut wrong = value;
    wrong["stacks"][0]["steps"][3]["action"]["updateService"]["probe"]["everyMs"] = json!("2s");
    assert!(schema.told(&wrong).is_err());
}

/// (where, what is put there, whether it is still a plan)
#[test]
fn the_schema_tells_plans_from_what_is_none() {
    let schema = Schema::checked_in();
    let (_, plan) = cases::all().remove(1);
    let plan = serde_json::to_value(&plan).unwrap();
    let step = "/stacks/0/steps/3";
    let table = [
        ("/formatVersion", json!("1.99"), true),
        ("/formatVersion", json!("2.0"), false),
        ("/formatVersion", json!(1.1), false),
        ("/createdAt", json!("yesterday"), false),
        ("/stacks", json!({}), false),
        ("/stacks/0/hash", json!(null), false),
        (
            "/stacks/0/report/findings",
            json!([{"severity": "bad"}]),
            false,
        ),
        (
            "/stacks/0/holdings/0/nodes",
            json!({"n1": "perhaps"}),
            false,
        ),
        (
            "/stacks/0/stack/services/0/timeoutSeconds",
            json!("10m"),
            false,
        ),
        (step, json!({}), false),
        (
            &format!("{step}/action"),
            json!({"somethingElse": {}}),
            false,
        ),
        (
            &format!("{step}/action/updateService/monitorMs"),
            json!(-1),
            false,
        ),
        (
            &format!("{step}/action/updateService/onFailure"),
            json!("explode"),
            false,
        ),
        (
            &format!("{step}/action/updateService/image"),
            json!({"from": "a"}),
            false,
        ),
    ];
    for (place, value, valid) in table {
        let mut changed = plan.clone();
        *changed
            .pointer_mut(place)
            .unwrap_or_else(|| panic!("{place}")) = value.clone();
        let told = schema.told(&changed);
        assert_eq!(told.is_ok(), valid, "{place} {value}: {told:?}");
    }
    // What a later minor version adds.
    let mut later = plan;
    later["weather"] = json!("fine");
    later["stacks"][0]["steps"][3]["action"]["updateService"]["weather"] = json!({"wind": 3});
    assert_eq!(schema.told(&later), Ok(()));
}

#[test]
fn the_program_prints_the_schema() {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(["schema", "plan"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(done.stdout).unwrap(),
        imgstack_planner::schema_text()
    );
}
