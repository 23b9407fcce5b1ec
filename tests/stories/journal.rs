//! What was done stays known: the journal in the cluster.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::{World, wait_until};
use serde_json::Value;

imgstack_tests::both! {
    every_release_is_told_with_what_became_of_it,
}

/// What a container has in its variables.
const PASSWORD: &str = "correct-horse-battery";

async fn every_release_is_told_with_what_became_of_it(world: World) {
    let story = Story::new(&world, "history");
    let first = story.push(Kind::Good, "9b1d2e7").await;
    let variable = format!("PASSWORD={PASSWORD}");
    story.create("pg-1", &["--env", &variable]);
    story.create("pg-2", &["--env", &variable]);
    story.spec(&[("pg-1", ""), ("pg-2", "")]);
    story
        .imgstack(&["history"])
        .expect(0)
        .says(&["no release yet"]);
    // With nothing to do there is none.
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    story
        .imgstack(&["history"])
        .expect(0)
        .says(&["no release yet"]);
    let second = story.push(Kind::Good, "abc1234").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let bad = story.push(Kind::Dying, "bad0bad").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(1);
    interrupted(&story).await;

    let table = story.imgstack(&["history"]).expect(0);
    table.says(&["somebody@", "interrupted", "failed", "done"]);
    let changed = format!("{} and 1 more to", story.service("pg-1"));
    table.says(&[&changed]);
    let page = story.imgstack(&["history", "2"]).expect(0);
    page.says(&[
        "release 2 of the stack",
        "`imgstack apply`",
        "went back to the previous spec",
        "non-zero exit (1)",
        "failed",
        "not started",
    ]);
    let missing = story.imgstack(&["history", "9"]).expect(1);
    missing.says(&["has no release 9", "imgstack history"]);

    let run = story.imgstack(&["history", "-o", "json"]).expect(0);
    let history: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(history["formatVersion"], "1.0");
    let releases = history["stacks"][0]["releases"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = releases
        .iter()
        .map(|release| (&release["number"], &release["result"]))
        .collect();
    let expected = [(3, "interrupted"), (2, "failed"), (1, "done")];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((number, result), expected) in told.into_iter().zip(expected) {
        assert_eq!((number, result), (&expected.0.into(), &expected.1.into()));
    }
    let failed = releases[1]["failedBuilds"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["service"], story.service("pg-1"));
    assert_eq!(failed[0]["digest"], bad.digest);
    let previous = |release: usize| {
        let service = &releases[release]["previous"][story.service("pg-1")];
        let image = &service["spec"]["TaskTemplate"]["ContainerSpec"]["Image"];
        image.as_str().unwrap().to_owned()
    };
    assert!(previous(2).ends_with(&first.digest));
    assert!(previous(1).ends_with(&second.digest));
    nothing_more_is_kept(&story);
}

/// A release that somebody stops in its middle.
async fn interrupted(story: &Story) {
    let good = story.push(Kind::Good, "c0ffee0").await;
    // Long enough to be interrupted in.
    story.update("pg-1", &["--update-monitor", "20s"]);
    let apply = story.start(&["apply", "--auto-approve"]);
    let image = format!("{}:16@{}", story.repository(), good.digest);
    wait_until(
        "the service to be in flight",
        Duration::from_secs(40),
        || {
            story.inspect("pg-1")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
                == image.as_str()
        },
    );
    apply.signal("INT");
    apply.wait().expect(130);
}

/// The pages hold neither what variables hold nor what containers wrote.
#[track_caller]
fn nothing_more_is_kept(story: &Story) {
    let pages = story.configs();
    assert_eq!(pages.len(), 3, "{pages:?}");
    for page in pages {
        let text = story.world.docker(&["config", "inspect", &page]);
        let config: Vec<Value> = serde_json::from_str(&text).unwrap();
        let data = config[0]["Spec"]["Data"].as_str().unwrap();
        let data = String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap();
        assert!(data.contains("\"previous\""), "{data}");
        for secret in [PASSWORD, "FATAL: data directory"] {
            assert!(!data.contains(secret), "{page}: {data}");
            assert!(!text.contains(secret), "{page}: {text}");
        }
    }
}
