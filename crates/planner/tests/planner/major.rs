//! The guard of major versions: what tags and labels say of a step, and what a
//! plan makes of it. The verdicts themselves are tables of `imgstack_spec`.

use imgstack_planner::{Build, Code, Finding, Known, Severity, StackPlan};
use imgstack_spec::policy::{Order, Policy};
use imgstack_spec::{Follow, MajorUpgrade, Pin};

use crate::support::{REPOSITORY, World, digest, ids, image, platform, said};

/// `pg` runs `tag` and build `a`, and the image follows `wanted` and build `b`.
fn world(tag: &str, wanted: &str) -> World {
    let mut world = World::new('b');
    world.both("pg", &[], &image(tag, 'a'));
    world.build('a', &["linux/amd64"]);
    world.stack.images[0].follow = Follow::Tag(wanted.parse().unwrap());
    let asked = world.inventory.images.values_mut().next().unwrap();
    asked.reference = world.stack.images[0].reference().unwrap();
    world
}

fn label(world: &mut World, digit: char, version: &str) {
    let build = Build {
        platforms: vec![platform("linux/amd64")],
        version: Some(version.to_owned()),
        ..Build::default()
    };
    let builds = &mut world.inventory.builds;
    builds.insert(digest(digit), Known::Known(build));
}

fn guarded(plan: &StackPlan) -> Vec<&Finding> {
    let findings = plan.report.findings.iter();
    findings
        .filter(|it| it.code == Code::MajorUpgrade)
        .collect()
}

#[test]
fn a_step_to_another_major_version_is_planned_only_where_it_is_none() {
    let table: &[(&str, &str, Option<&str>)] = &[
        ("16", "17", Some("16 to 17")),
        ("16", "16", None),
        ("16.4", "16.5", None),
        ("16.4", "17.0", Some("16 to 17")),
        ("v3", "v4", Some("3 to 4")),
        ("16-alpine", "17-alpine", Some("16 to 17")),
        ("16-alpine", "16-bookworm", None),
        ("17", "16", Some("17 to 16")),
        ("20260202", "20260209", None),
        ("latest", "17", None),
        ("16", "latest", None),
    ];
    for (runs, wants, change) in table {
        let plan = world(runs, wants).planned();
        let told = guarded(&plan);
        match change {
            Some(change) => {
                assert_eq!(ids(&plan), [""; 0], "{runs} to {wants}");
                assert!(plan.report.is_blocked());
                assert_eq!(told[0].address.to_string(), "image.pg");
                let start = format!("major version {change} is a migration, not an update: ");
                assert!(told[0].message.starts_with(&start), "{}", told[0].message);
                let blocks: Vec<_> = told[0].blocks.iter().map(ToString::to_string).collect();
                assert_eq!(blocks, ["service.pg"]);
                assert_eq!(told.len(), 2);
            }
            None => {
                assert!(
                    ids(&plan).contains(&"update service.pg".to_owned()),
                    "{runs} to {wants}"
                );
                assert!(told.is_empty(), "{runs} to {wants}: {told:?}");
            }
        }
    }
}

/// A policy that is wide leads over the step, and the guard holds all the same.
#[test]
fn a_policy_that_chooses_another_major_version_is_stopped() {
    let regex = |pattern: &str| Policy::Regex {
        pattern: pattern.parse().unwrap(),
        order: Order::Semver,
    };
    let newest = |pattern: &str| Policy::Newest {
        pattern: pattern.parse().unwrap(),
    };
    let semver = |range: &str| Policy::Semver {
        range: range.parse().unwrap(),
        suffix: None,
    };
    let bare = format!("{REPOSITORY}@{}", digest('a'));
    let table = [
        (semver(">=16"), image("16.4", 'a'), true),
        (regex("(.*)"), image("16.4", 'a'), true),
        (newest(".*"), image("16.4", 'a'), true),
        // A label of the build speaks where no tag does.
        (semver(">=16"), bare.clone(), true),
        (newest(".*"), bare, true),
        (semver("~16"), image("16.4", 'a'), false),
    ];
    for (policy, runs, stops) in table {
        let mut world = World::new('b');
        world.both("pg", &[], &runs);
        world.follows(policy.clone(), false);
        for (digit, hours, version) in [('a', 48, "16.4"), ('b', 1, "17.1"), ('c', 2, "16.5")] {
            world.built(digit, hours);
            if let Some(Known::Known(build)) = world.inventory.builds.get_mut(&digest(digit)) {
                build.version = Some(version.to_owned());
            }
        }
        world.tags(&[("16.4", 'a'), ("16.5", 'c'), ("17.1", 'b')]);
        let plan = world.planned();
        if !stops {
            assert_eq!(ids(&plan), ["update service.pg"], "{policy}");
            continue;
        }
        assert_eq!(ids(&plan), [""; 0], "{policy}: {runs}");
        let told = guarded(&plan);
        assert!(
            told[0]
                .message
                .starts_with("major version 16 to 17 is a migration")
        );
        world.stack.images[0].major_upgrade = MajorUpgrade::Allow;
        assert_eq!(
            ids(&world.planned()),
            ["update service.pg"],
            "{policy}: {runs}"
        );
    }
}

#[test]
fn a_label_speaks_where_a_tag_hides_the_step() {
    let mut world = world("16", "16");
    label(&mut world, 'a', "16.9");
    label(&mut world, 'b', "17.1");
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    assert_eq!(guarded(&plan).len(), 2);
    // A pin by digest goes by the name of the tag, which speaks of another build.
    let mut pinned = World::new('b');
    pinned.both("pg", &[], &image("17", 'a'));
    pinned.pin(Pin::Digest(digest('b')));
    label(&mut pinned, 'a', "17.1");
    label(&mut pinned, 'b', "17.2");
    assert!(guarded(&pinned.planned()).is_empty());
    label(&mut pinned, 'b', "16.9");
    assert_eq!(guarded(&pinned.planned()).len(), 2);
}

/// A pin by digest that says nothing of its version goes through, with a word:
/// what runs does say.
#[test]
fn a_digest_that_names_no_version_is_no_reason_to_stop_but_worth_a_word() {
    let unknown = "note service.pg: whether the pin is of the major version that runs is not \
                   known: no major version is named by what is wanted (a digest, without a \
                   version label)";
    let table: [(&str, Option<Pin>, &[&str]); 4] = [
        ("16", Some(Pin::Digest(digest('b'))), &[unknown]),
        ("16", Some(Pin::Tag("16-abc1234".parse().unwrap())), &[]),
        // Nothing is known on either side, as with every `latest`.
        ("latest", Some(Pin::Digest(digest('b'))), &[]),
        ("16", None, &[]),
    ];
    for (runs, pin, expected) in table {
        let mut world = World::new('b');
        world.both("pg", &[], &image(runs, 'a'));
        world.build('a', &["linux/amd64"]);
        if let Some(pin) = pin.clone() {
            world.pin(pin);
        }
        let plan = world.planned();
        assert!(ids(&plan).contains(&"update service.pg".to_owned()));
        assert_eq!(said(&plan), expected, "{runs}, {pin:?}");
    }
}

#[test]
fn the_same_build_under_a_name_of_another_version_is_no_step() {
    let mut world = world("16", "17");
    world.service("pg").image = image("16", 'b');
    world.service("pg").tasks[0].image = image("16", 'b');
    let plan = world.planned();
    assert!(guarded(&plan).is_empty(), "{:?}", guarded(&plan));
    // As long as one task runs another, it is one.
    world.service("pg").tasks[0].image = image("16", 'a');
    assert_eq!(guarded(&world.planned()).len(), 2);
}

/// What runs, while `ghcr.io/acme/pg:17` is wanted.
#[test]
fn an_image_that_moves_to_another_registry_keeps_its_tags() {
    let table = [
        ("docker.io/library/pg", true),
        ("registry.example.org:5000/mirror/pg", true),
        ("docker.io/library/nginx", false),
    ];
    for (repository, stops) in table {
        let mut world = world("17", "17");
        let runs = format!("{repository}:16@{}", digest('a'));
        world.service("pg").image.clone_from(&runs);
        world.service("pg").tasks[0].image = runs;
        let plan = world.planned();
        assert_eq!(!guarded(&plan).is_empty(), stops, "{repository}");
    }
}

#[test]
fn what_is_allowed_is_done_and_told() {
    let mut world = world("16", "17");
    world.stack.images[0].major_upgrade = MajorUpgrade::Allow;
    let plan = world.planned();
    assert!(ids(&plan).contains(&"update service.pg".to_owned()));
    let told = guarded(&plan);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].severity, Severity::Attention);
    assert_eq!(
        said(&plan),
        ["attention service.pg: goes from major version 16 to 17, which is allowed for image.pg"]
    );
    assert!(told[0].procedure.is_empty());
}

#[test]
fn several_services_are_stopped_with_one_word_on_the_way_to_go() {
    let mut world = world("16", "17");
    world.both("pg-2", &["pg"], &image("16", 'a'));
    world.both("other", &[], &image("17", 'b'));
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    let told = guarded(&plan);
    assert_eq!(told.len(), 3, "one for the image, one for each service");
    let blocks: Vec<_> = told[0].blocks.iter().map(ToString::to_string).collect();
    assert_eq!(blocks, ["service.pg", "service.pg-2"]);
    let procedure = told[0].procedure.join("\n");
    for word in [
        "pg_dumpall",
        "pg_upgrade",
        "Dockerfile",
        "workflow",
        "stack file",
    ] {
        assert!(procedure.contains(word), "{word} is not in:\n{procedure}");
    }
    assert!(
        procedure.contains("`imgstack apply --allow-major pg`"),
        "{procedure}"
    );
    // Who asks for one service hears of one.
    let only = world.planned_with(&["service.pg-2"], imgstack_planner::Only::Everything);
    assert_eq!(guarded(&only)[0].blocks.len(), 1);
}
