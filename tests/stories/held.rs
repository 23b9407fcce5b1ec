//! A build that failed is not tried again by itself, nor on the next service.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use serde_json::Value;

imgstack_tests::both! {
    a_failed_build_is_held_from_all_services_of_its_image_until_another_comes,
}

const SERVICES: [&str; 3] = ["pg-1", "pg-2", "pg-3"];

fn versions(story: &Story) -> [Value; 3] {
    SERVICES.map(|it| story.inspect(it)["Version"].clone())
}

async fn a_failed_build_is_held_from_all_services_of_its_image_until_another_comes(world: World) {
    let story = Story::new(&world, "held");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    for service in SERVICES {
        story.create(service, &[]);
    }
    let services = SERVICES.map(|it| (it, ""));
    story.spec(&services);
    let bad = story.push(Kind::Dying, "bad0bad").await;
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    story.imgstack(&["apply", "--auto-approve"]).expect(1);

    let first = story.service("pg-1");
    let failed = format!("blocked service.{first}: the wanted build failed on 20");
    let others = [story.service("pg-2"), story.service("pg-3")];
    let elsewhere = format!(
        "blocked service.{}, service.{}: the wanted build failed at service.{first} on 20",
        others[0], others[1]
    );
    let held = [
        failed,
        "UTC in release 1 (".to_owned(),
        "non-zero exit (1)), held".to_owned(),
        elsewhere,
        "try it again: imgstack apply --retry-failed".to_owned(),
    ];
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let before = versions(&story);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(1);
    plan.says(&held).says(&["0 to change", "3 blocked"]);
    // The next run of the night does nothing, however often it comes.
    for _ in 0..2 {
        let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
        apply.says(&held).never_says(&["Apply failed"]);
    }
    // Nor does a plan that was saved before.
    let stale = story.imgstack(&["apply", "p.json"]).expect(1);
    stale.says(&["stale", "blocked: the wanted build failed on"]);
    assert_eq!(versions(&story), before);
    assert_eq!(story.configs().len(), 1);
    let tags = story.imgstack(&["tags", "pg"]).expect(0);
    tags.says(&[
        &format!("UTC (service.{first})"),
        &format!("good: {first} since 20"),
    ]);

    // Whoever wants it gets it: the first service alone, since it fails again.
    let again = ["--retry-failed"];
    let plan = story.imgstack(&[&["plan"], &again[..]].concat()).expect(0);
    plan.says(&["and is tried again (--retry-failed)", "3 to change"]);
    let apply = [&["apply", "--auto-approve"], &again[..]].concat();
    story.imgstack(&apply).expect(1).says(&[
        "went back to the previous spec",
        "non-zero exit (1)",
        &format!("not started  service.{}", story.service("pg-2")),
    ]);
    let plan = story.imgstack(&["plan"]).expect(1);
    plan.says(&["in release 2 ("]);
    let image = |digest: &str| format!("{}:16@{digest}", story.repository());
    for service in SERVICES {
        assert_eq!(story.running(service), [image(&good.digest)]);
    }
    assert_eq!(versions(&story)[1..], before[1..]);

    // Another build goes through by itself.
    let mended = story.push(Kind::Good, "abc1234").await;
    assert_ne!(mended.digest, bad.digest);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    for service in SERVICES {
        assert_eq!(story.running(service), [image(&mended.digest)]);
    }
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["No changes."]);
    // And the failed one stays held, also for who pins it.
    let pin = story.imgstack(&["pin", "pg", &bad.digest]).expect(1);
    pin.says(&["the wanted build failed on", "--retry-failed"]);
}
