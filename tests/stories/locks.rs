//! Two people at once, and one whose machine died: the lock in the cluster.

use std::time::{Duration, Instant};

use imgstack_tests::build::{Kind, Pushed};
use imgstack_tests::story::{Run, Started, Story};
use imgstack_tests::world::{World, wait_until};
use serde_json::Value;

imgstack_tests::both! {
    two_applies_at_once_are_one_after_the_other_or_one_is_refused,
    an_apply_that_was_killed_stops_the_next_one_for_a_minute_at_most,
    unlock_spares_the_living_and_by_force_stops_them,
    an_apply_that_a_person_does_not_answer_holds_the_lock_until_it_ends,
}

/// What a lock may stand without a heartbeat.
const STALE: Duration = Duration::from_secs(60);

fn image(story: &Story, build: &Pushed) -> String {
    format!("{}:16@{}", story.repository(), build.digest)
}

/// The releases as `history -o json` has them, the newest first.
fn releases(story: &Story) -> Vec<Value> {
    let run = story.imgstack(&["history", "-o", "json"]).expect(0);
    let history: Value = serde_json::from_str(&run.stdout).unwrap();
    history["stacks"][0]["releases"].as_array().unwrap().clone()
}

fn results(story: &Story) -> Vec<String> {
    let result = |release: &Value| release["result"].as_str().unwrap().to_owned();
    releases(story).iter().map(result).collect()
}

/// Ten times two people want other builds than the one that runs: in the first
/// five the second waits, in the others it is refused. All services run what one
/// of the two plans says, whole.
async fn two_applies_at_once_are_one_after_the_other_or_one_is_refused(world: World) {
    let story = Story::new(&world, "atonce");
    let mut plans = Vec::new();
    for sha in ["9b1d2e7", "abc1234", "c0ffee0"] {
        let build = story.push(Kind::Good, sha).await;
        let lines = format!("tag: \"16\"\n      pin: \"{}\"", build.digest);
        story.spec_with(&lines, &[("pg-1", ""), ("pg-2", "")]);
        let file = format!("{sha}.yaml");
        std::fs::copy(story.file("imgstack.yaml"), story.file(&file)).unwrap();
        plans.push((file, build.digest));
    }
    for name in ["pg-1", "pg-2"] {
        story.create(name, &[]);
    }
    for round in 0..10 {
        if round == 5 {
            // Longer than it takes to see that somebody lives.
            let slow = ["--update-monitor", "6s"];
            story.update("pg-1", &slow);
            story.update("pg-2", &slow);
        }
        let now = running(&story);
        let others: Vec<_> = plans.iter().filter(|(_, it)| !now.ends_with(it)).collect();
        let (runs, digests): (Vec<Started>, Vec<&String>) = others
            .into_iter()
            .map(|(file, digest)| {
                let wait: &[&str] = if round < 5 {
                    &["--lock-timeout", "3m"]
                } else {
                    &[]
                };
                let args = ["apply", "--auto-approve", "-f", file];
                (story.start(&[&args, wait].concat()), digest)
            })
            .unzip();
        let runs: Vec<Run> = runs.into_iter().map(Started::wait).collect();
        let (done, refused): (Vec<&Run>, Vec<&Run>) =
            runs.iter().partition(|run| run.code == Some(0));
        assert_eq!(refused.len(), usize::from(round >= 5), "{round}: {runs:?}");
        for run in done {
            run.says(&["Apply complete! Resources:", "2 changed"]);
        }
        for run in refused {
            run.says(&["is locked", "runs `imgstack apply`", "nothing was done"]);
            run.says(&["--lock-timeout", "imgstack unlock --force"]);
        }
        let now = running(&story);
        let is_whole = digests.iter().any(|digest| now.ends_with(*digest));
        assert!(is_whole, "{round}: {now}, {digests:?}");
    }
    // Every release is told, and they left no lock.
    assert_eq!(results(&story), ["done"; 15]);
    let configs = story.configs();
    assert_eq!(configs.len(), 15, "{configs:?}");
}

/// The image that both services run.
#[track_caller]
fn running(story: &Story) -> String {
    let [mut one, two] = ["pg-1", "pg-2"].map(|name| story.running(name));
    assert_eq!((one.len(), &one), (1, &two));
    one.remove(0)
}

/// A rollout of two services, stopped in its middle: the first takes its time.
async fn in_mid_rollout(world: &World, name: &str) -> (Story, Pushed) {
    let story = Story::new(world, name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg-1", &["--update-monitor", "12s"]);
    story.create("pg-2", &[]);
    let new = story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg-1", ""), ("pg-2", "")]);
    (story, new)
}

fn wait_for_the_first(story: &Story, new: &Pushed) {
    let image = image(story, new);
    wait_until(
        "the first service to be in flight",
        Duration::from_secs(60),
        || {
            story.inspect("pg-1")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
                == image.as_str()
        },
    );
}

async fn an_apply_that_was_killed_stops_the_next_one_for_a_minute_at_most(world: World) {
    let (story, new) = in_mid_rollout(&world, "killed").await;
    let killed = story.start(&["apply", "--auto-approve"]);
    wait_for_the_first(&story, &new);
    assert_eq!(results(&story), ["under_way"]);
    killed.signal("KILL");
    let began = Instant::now();
    assert_eq!(killed.wait().code, None);
    let next = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    next.says(&["is locked", "was taken over", "Apply complete!"]);
    // The rest is the rollout itself.
    assert!(
        began.elapsed() < STALE + Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(results(&story), ["done", "killed"]);
    assert_eq!(story.running("pg-2"), [image(&story, &new)]);
    story
        .imgstack(&["history"])
        .expect(0)
        .says(&["killed", "done"]);
    story
        .imgstack(&["history", "1"])
        .expect(0)
        .says(&["not known"]);
    story
        .imgstack(&["unlock"])
        .expect(0)
        .says(&["is not locked"]);
}

async fn unlock_spares_the_living_and_by_force_stops_them(world: World) {
    let (story, new) = in_mid_rollout(&world, "forced").await;
    let untouched = story.inspect("pg-2")["Version"].clone();
    let apply = story.start(&["apply", "--auto-approve"]);
    wait_for_the_first(&story, &new);
    // Who only looks is in nobody's way.
    let plan = story.imgstack(&["plan"]);
    plan.says(&["Plan: "]).never_says(&["is locked"]);
    let refused = story.imgstack(&["unlock"]).expect(1);
    refused.says(&["is locked", "runs `imgstack apply`", "lives"]);
    let forced = story.imgstack(&["unlock", "--force"]).expect(0);
    forced.says(&["is removed", "runs `imgstack apply`"]);
    let apply = apply.wait().expect(1);
    apply.says(&[
        "was lost: somebody removed the lock; nothing further is begun",
        "Apply failed.",
        &format!("done         service.{}", story.service("pg-1")),
        &format!("not started  service.{}", story.service("pg-2")),
    ]);
    assert_eq!(story.inspect("pg-2")["Version"], untouched);
    assert_eq!(results(&story), ["lock_lost"]);
    // Nothing stands in the way of the next one.
    let next = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    next.never_says(&["is locked"]);
    assert_eq!(results(&story), ["done", "lock_lost"]);
}

/// What is asked about is what is done: nobody changes it meanwhile.
async fn an_apply_that_a_person_does_not_answer_holds_the_lock_until_it_ends(world: World) {
    let (story, _) = in_mid_rollout(&world, "asked").await;
    let mut asking = story.start_attended(&["apply"]);
    asking.hear("Enter a value: ");
    let refused = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    refused.says(&["is locked", "nothing was done"]);
    let rotate = ["auth", "rotate", "--auto-approve"];
    story.imgstack(&rotate).expect(1).says(&["is locked"]);
    asking.signal("INT");
    asking.wait().expect(130).says(&["nothing was done"]);
    assert_eq!(story.configs(), [""; 0], "neither a lock nor a release");
}
