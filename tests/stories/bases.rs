//! Bases: one moves, and everybody who was built upon it is told.

use std::time::{Duration, Instant};

use imgstack_tests::build::{Base, Build, Kind, Note, Pushed};
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use jiff::civil::date;

imgstack_tests::both! {
    a_base_that_moved_is_told_by_each_of_the_four_ways,
    a_base_that_nobody_knows_of_is_unknown_and_holds_nothing_up,
    a_base_whose_registry_never_answers_is_not_waited_for,
    one_head_a_base_however_many_images_are_built_on_it,
    a_build_that_is_overdue_is_told_of,
    a_build_that_waits_has_come,
    a_build_that_a_policy_keeps_is_judged,
    a_build_made_again_with_the_same_content_is_told_and_deployed,
}

/// A story with a base beside its image.
struct Ground(Story);

impl Ground {
    fn new(world: &World, name: &str) -> Self {
        Self(Story::new(world, name))
    }

    /// `registry/stories/NAME/base:16-alpine`
    fn base(&self) -> String {
        format!("{}/base:16-alpine", self.0.repository())
    }

    /// The base as it is built on that day of February.
    async fn push_base(&self, sha: &str, day: i8) -> Pushed {
        let path = format!("{}/base", self.0.path());
        let build = Build {
            major: "16-alpine".to_owned(),
            ..Build::new(&path, Kind::Good, sha, date(2026, 2, day))
        };
        let registry = self.0.world.anonymous();
        Story::push_build(registry, build, None).await
    }

    /// The image as it is built upon the base on that day.
    async fn push(&self, sha: &str, day: i8, base: (&str, &Pushed), note: Note) -> Pushed {
        let (base_sha, pushed) = base;
        let base = Base {
            name: self.base(),
            sha: base_sha.to_owned(),
            digest: pushed.digest.clone(),
            note,
        };
        let build = Build {
            base: Some(base),
            ..Build::new(&self.0.path(), Kind::Good, sha, date(2026, 2, day))
        };
        let registry = self.0.world.anonymous();
        Story::push_build(registry, build, None).await
    }

    /// The spec with the base, and more lines for the image.
    fn spec(&self, more: &str) {
        let image = format!("tag: \"16\"\n      base: {}\n      {more}", self.base());
        self.0.spec_with(&image, &[("pg", "")]);
    }
}

const GITHUB: &str = "build: {context: ., github: {repository: acme/db, workflow: b.yml}}";

/// (how an image says what it is built upon, who is named for it)
const WAYS: [(Note, &str); 5] = [
    (Note::ProvenanceV1, "provenance"),
    (Note::ProvenanceV02, "provenance"),
    (Note::Annotations, "annotations"),
    (Note::Labels, "labels"),
    (Note::Layers, "layers"),
];

async fn a_base_that_moved_is_told_by_each_of_the_four_ways(world: World) {
    for (number, (note, witness)) in WAYS.into_iter().enumerate() {
        let ground = Ground::new(&world, &format!("base-{number}"));
        let story = &ground.0;
        let first = ground.push_base("b000001", 1).await;
        ground.push("9b1d2e7", 2, ("b000001", &first), note).await;
        story.create("pg", &[]);
        ground.spec(GITHUB);
        // A service by a bare tag gets its digest first.
        story.imgstack(&["apply", "--auto-approve"]).expect(0);
        let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
        plan.says(&["No changes."]).never_says(&["image.pg: base"]);

        let second = ground.push_base("b000002", 6).await;
        assert_ne!(second.digest, first.digest);
        for command in [&["plan", "--detailed-exitcode"][..], &["status"]] {
            story.imgstack(command).expect(0).says(&[
                &format!("! image.pg: base {} moved ", ground.base()),
                "the image was built before",
                &format!("(seen by its {witness})"),
                "help: imgstack rebuild pg",
            ]);
        }

        // The rebuild ends it, before it is deployed and afterwards.
        ground.push("abc1234", 9, ("b000002", &second), note).await;
        let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
        plan.never_says(&["image.pg: base"]);
        story.imgstack(&["apply", "--auto-approve"]).expect(0);
        let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
        plan.says(&["No changes."]).never_says(&["image.pg: base"]);
    }
}

async fn a_base_that_nobody_knows_of_is_unknown_and_holds_nothing_up(world: World) {
    let ground = Ground::new(&world, "base-none");
    let story = &ground.0;
    let first = ground.push_base("b000001", 1).await;
    let base = ("b000001", &first);
    ground.push("9b1d2e7", 27, base, Note::Nothing).await;
    story.create("pg", &[]);
    ground.spec(GITHUB);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    ground.push_base("b000002", 6).await;
    let unknown = format!(
        "· image.pg: whether base {} moved since the image was built is not known: ",
        ground.base()
    );
    for command in [&["plan", "--detailed-exitcode"][..], &["status"]] {
        let run = story.imgstack(command).expect(0);
        run.says(&[&unknown, "it has no provenance"])
            .never_says(&["imgstack rebuild"]);
    }
    // A base that is not there at all, and a step to be planned.
    ground.push("abc1234", 28, base, Note::ProvenanceV1).await;
    let elsewhere = format!("{}/nowhere:1", story.repository());
    let image = format!("tag: \"16\"\n      base: {elsewhere}");
    story.spec_with(&image, &[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        &format!("whether base {elsewhere} moved since the image was built is not known"),
        "1 to change",
    ]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
}

/// It takes the question, and keeps it.
async fn a_base_whose_registry_never_answers_is_not_waited_for(world: World) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("{}/acme/base:1", silent.local_addr().unwrap());
    let story = Story::new(&world, "base-silent");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.spec_with(&format!("tag: \"16\"\n      base: {base}"), &[("pg", "")]);
    // The program may have to be built first.
    story.imgstack(&["validate"]).expect(0);
    let begun = Instant::now();
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&[
        &format!("whether base {base} moved"),
        "did not answer within 10 s",
    ]);
    // One request alone is waited for longer.
    assert!(
        begun.elapsed() < Duration::from_secs(19),
        "{:?}",
        begun.elapsed()
    );
}

async fn one_head_a_base_however_many_images_are_built_on_it(world: World) {
    let ground = Ground::new(&world, "base-head");
    let story = &ground.0;
    let first = ground.push_base("b000001", 1).await;
    let base = ("b000001", &first);
    ground.push("9b1d2e7", 2, base, Note::ProvenanceV1).await;
    story.create("pg", &[]);
    let repository = story.repository();
    let image = format!(
        "tag: \"16\"\n      base: {base}\n    - name: again\n      repository: {repository}\n      \
         tag: 16-9b1d2e7\n      base: {base}",
        base = ground.base()
    );
    story.spec_with(&image, &[("pg", "")]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    ground.push_base("b000002", 6).await;
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&["! image.pg: base ", "! image.again: base "]);

    // What digests name is known by now: a run asks where the tags lead.
    let asked = || world.requests("anonymous", &story.path());
    let before = asked().len();
    story.imgstack(&["plan"]).expect(0).says(&["moved"]);
    let mut asked = asked().split_off(before);
    asked.sort();
    let heads = [
        "base/manifests/16-alpine",
        "manifests/16",
        "manifests/16-9b1d2e7",
    ];
    let heads = heads.map(|name| format!("HEAD /v2/{}/{name}", story.path()));
    assert_eq!(asked, heads);
}

async fn a_build_that_is_overdue_is_told_of(world: World) {
    let ground = Ground::new(&world, "overdue");
    let story = &ground.0;
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let overdue = "build: {context: ., schedule: 0 4 * * 1, maximumAge: 1d}";
    story.spec_with(&format!("tag: \"16\"\n      {overdue}"), &[("pg", "")]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    for command in [&["plan", "--detailed-exitcode"][..], &["status"]] {
        story.imgstack(command).expect(0).says(&[
            "! image.pg: the build is ",
            "and `maximumAge` is 1 day: the scheduled build did not come",
            "help: imgstack build pg",
        ]);
    }
    let today = jiff::Zoned::now().date();
    let build = Build::new(
        &story.path(),
        Kind::Good,
        "abc1234",
        today.yesterday().unwrap(),
    );
    Story::push_build(world.anonymous(), build, None).await;
    let young = "build: {context: ., maximumAge: 3d}";
    story.spec_with(&format!("tag: \"16\"\n      {young}"), &[("pg", "")]);
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.never_says(&["maximumAge"]);
}

/// What is followed is old, and the newer build is too young to be.
async fn a_build_that_waits_has_come(world: World) {
    let story = Story::new(&world, "overdue-waits");
    let today = jiff::Zoned::now().date();
    let days = |days: i64| today - jiff::Span::new().days(days);
    story.push_version("3.3.4", "9b1d2e7", days(9)).await;
    story.create_with("pg", &format!("{}:3.3.4", story.repository()), &[]);
    let image = "policy: {semver: \"~3.3\"}\n      minimumAge: 7d\n      \
                 build: {context: ., maximumAge: 8d}";
    story.spec_with(image, &[("pg", "")]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0).says(&[
        "and `maximumAge` is 8 days: no newer one came",
        "help: build it again and push it under a new tag that the policy semver \"~3.3\" chooses",
    ]);
    story.push_version("3.3.5", "abc1234", days(2)).await;
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["`3.3.5` is younger than `minimumAge`, and waits until"])
        .never_says(&["maximumAge"]);
}

/// The tag that runs went, and what is left is below.
async fn a_build_that_a_policy_keeps_is_judged(world: World) {
    let ground = Ground::new(&world, "base-kept");
    let story = &ground.0;
    let first = ground.push_base("b000001", 1).await;
    ground
        .push("9b1d2e7", 2, ("b000001", &first), Note::ProvenanceV1)
        .await;
    story.create_with("pg", &format!("{}:16-9b1d2e7", story.repository()), &[]);
    ground.spec("");
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    ground.push_base("b000002", 6).await;
    let old = Build::new(&story.path(), Kind::Good, "abc1234", date(2026, 1, 1));
    let old = Build {
        major: "edge".to_owned(),
        ..old
    };
    Story::push_build(world.anonymous(), old, None).await;
    let image = format!(
        "policy: {{newest: edge}}\n      base: {}\n      build: {{context: ., maximumAge: 1d}}",
        ground.base()
    );
    story.spec_with(&image, &[("pg", "")]);
    story.imgstack(&["plan"]).expect(1).says(&[
        "is older: what runs stays",
        &format!("! image.pg: base {} moved", ground.base()),
        "! image.pg: the build that runs is ",
    ]);
}

async fn a_build_made_again_with_the_same_content_is_told_and_deployed(world: World) {
    let ground = Ground::new(&world, "same");
    let story = &ground.0;
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.spec(&[("pg", "")]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let again = Build::new(&story.path(), Kind::Good, "9b1d2e7", date(2026, 2, 16));
    let again = Story::push_build(world.anonymous(), again, None).await;
    let same = "the tag `16` moved; rebuilt with the same content: only its digest is new";
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[same]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert!(story.running("pg")[0].ends_with(&again.digest));
    story.push(Kind::Good, "abc1234").await;
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&["the tag `16` moved"])
        .never_says(&["same content"]);
}
