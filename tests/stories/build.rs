//! A build made by hand, by the engine of a node.

use std::path::Path;
use std::process::Command;

use imgstack_tests::story::{Run, Story};
use imgstack_tests::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

imgstack_tests::lab! {
    each_commit_has_three_tags_and_a_plan_follows_the_one_that_moves,
    a_publisher_pushes_and_a_reader_is_told_before_anything_is_built,
}

const DOCKERFILE: &str = "FROM scratch\nCOPY busybox VERSION /bin/\n\
                          CMD [\"/bin/busybox\", \"tail\", \"-f\", \"/dev/null\"]\n";

/// A folder of the story's as a repository of git's, with what is built in it.
struct Source<'s>(&'s Story);

impl Source<'_> {
    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@test"])
            .args(args)
            .current_dir(self.0.dir())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn begin(&self) {
        let folder = self.0.file("docker");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy("/bin/busybox", folder.join("busybox")).unwrap();
        std::fs::write(folder.join("Dockerfile"), DOCKERFILE).unwrap();
        self.git(&["init", "--quiet"]);
    }

    /// A change and its commit, as seven digits.
    fn commit(&self, text: &str) -> String {
        std::fs::write(self.0.file("docker/VERSION"), text).unwrap();
        self.git(&["add", "docker"]);
        self.git(&["commit", "--quiet", "-m", text]);
        self.git(&["rev-parse", "HEAD"])[..7].to_owned()
    }
}

/// A story that builds where node 1 does.
fn story(world: &World, name: &str, registry: &str) -> Story {
    let mut story = Story::in_registry(world, name, registry);
    story.set("DOCKER_HOST", &world.endpoint());
    Source(&story).begin();
    story
}

fn spec(story: &Story, credential: &str, services: &[(&str, &str)]) {
    let host = &story.registry;
    let registry = format!("- {{host: \"{host}\", insecure: true{credential}}}");
    let image = "tag: \"16\"\n      build: {context: docker}";
    story.spec_full(&story.world.endpoint(), &registry, image, services);
}

/// What a tag leads to, as the registry has it.
async fn digest(story: &Story, tag: &str) -> Option<String> {
    let url = format!(
        "http://{}/v2/{}/manifests/{tag}",
        story.registry,
        story.path()
    );
    let types = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
    // Another story may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let answer = client
        .head(url)
        .header("accept", types)
        .send()
        .await
        .unwrap();
    let digest = answer.headers().get("docker-content-digest")?;
    Some(digest.to_str().unwrap().to_owned())
}

/// The digest and the tags of a build, as it was told.
fn told(run: &Run) -> (String, Vec<String>) {
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let tags = document["tags"].as_array().unwrap();
    assert!(
        tags.iter().all(|tag| tag["state"] == "pushed"),
        "{document}"
    );
    let name = |tag: &Value| tag["tag"].as_str().unwrap().to_owned();
    let digest = document["digest"].as_str().unwrap().to_owned();
    (digest, tags.iter().map(name).collect())
}

fn day(time: Timestamp) -> String {
    time.strftime("16-%Y%m%d").to_string()
}

/// The engine keeps what it has built.
fn forget(story: &Story, tags: &[String]) {
    let names: Vec<_> = tags
        .iter()
        .map(|tag| format!("{}:{tag}", story.repository()))
        .collect();
    let args = ["image", "rm", "--force"].into_iter();
    let args: Vec<&str> = args.chain(names.iter().map(String::as_str)).collect();
    story.world.docker(&args);
}

async fn each_commit_has_three_tags_and_a_plan_follows_the_one_that_moves(world: World) {
    let mut story = story(&world, "make", world.anonymous());
    spec(&story, "", &[("pg", "")]);
    let first = Source(&story).commit("1.0");
    // A day has one build, and the first was yesterday's.
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    story.set("SOURCE_DATE_EPOCH", &yesterday.as_second().to_string());
    let run = story.imgstack(&["build", "pg", "-o", "json"]).expect(0);
    let (old, tags) = told(&run);
    let by_first = [format!("16-{first}"), day(yesterday), "16".to_owned()];
    assert_eq!(tags, by_first);
    for tag in &by_first {
        assert_eq!(digest(&story, tag).await.as_ref(), Some(&old), "{tag}");
    }
    story.create("pg", &[]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    let second = Source(&story).commit("1.1");
    story.set("SOURCE_DATE_EPOCH", "");
    let today = day(Timestamp::now());
    let run = story.imgstack(&["build", "pg"]).expect(0);
    run.says(&[&format!("16-{second}"), &today, "imgstack plan"]);
    let new = digest(&story, "16").await.unwrap();
    assert_ne!(new, old);
    for tag in [&format!("16-{second}"), &today] {
        assert_eq!(digest(&story, tag).await.as_ref(), Some(&new), "{tag}");
    }
    for tag in &by_first[..2] {
        assert_eq!(digest(&story, tag).await.as_ref(), Some(&old), "{tag}");
    }

    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[&first, &second, "built 1 day ago", "1 to change"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let running = story.running("pg");
    assert_eq!(running, [format!("{}:16@{new}", story.repository())]);

    let tags = story.imgstack(&["tags", "pg", "-o", "json"]).expect(0);
    let document: Value = serde_json::from_str(&tags.stdout).unwrap();
    let builds = document["image"]["builds"]["known"].as_array().unwrap();
    let shown: Vec<_> = builds.iter().map(|build| &build["digest"]).collect();
    assert_eq!(shown, [new.as_str(), old.as_str()]);
    assert_eq!(builds[0]["runs"][0]["service"], story.service("pg"));
    assert_eq!(builds[1]["runs"], Value::Array(Vec::new()), "{document:#}");
    forget(&story, &[by_first[0].clone(), format!("16-{second}")]);
}

async fn a_publisher_pushes_and_a_reader_is_told_before_anything_is_built(world: World) {
    let mut story = story(&world, "make-private", world.private());
    let commit = Source(&story).commit("1.0");
    story.set("LAB_PASSWORD", &world.password("robot"));
    spec(
        &story,
        ", username: robot, password: {env: LAB_PASSWORD}",
        &[("pg", "")],
    );
    let refused = story.imgstack(&["build", "pg"]).expect(1);
    refused
        .says(&["no permission to push", "`write:packages`"])
        .never_says(&["Step 1/", &world.password("robot")]);
    story.set("LAB_PASSWORD", &world.password("publisher"));
    spec(
        &story,
        ", username: publisher, password: {env: LAB_PASSWORD}",
        &[("pg", "")],
    );
    let made = story
        .imgstack(&["build", "pg", "--tag", "16-trial"])
        .expect(0);
    made.says(&["Step 1/", "Pushed 16-trial"])
        .never_says(&[&world.password("publisher"), &format!("16-{commit}")]);
    assert!(
        !Path::new(&story.file(".docker")).exists(),
        "docker's own settings were written"
    );
    forget(&story, &["16-trial".to_owned()]);
}
