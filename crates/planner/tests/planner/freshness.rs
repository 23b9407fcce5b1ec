//! Bases that moved, builds that did not come, builds that came with nothing new.

use std::time::Duration;

use imgstack_planner::{
    BaseState, Code, Evidence, Finding, Freshness, Known, LastRun, MovedBase, Observed, Only,
    PlatformContent, RunState, Severity, freshest,
};
use imgstack_spec::policy::Policy;
use imgstack_spec::{BuildSource, Digest, GitHubWorkflow, Pin};
use jiff::Timestamp;

use crate::support::{World, digest, image, platform, said, trouble};

/// It is the 9th at six.
fn february(day: i8, hour: i8) -> Timestamp {
    format!("2026-02-{day:02}T{hour:02}:00:00Z")
        .parse()
        .unwrap()
}

fn moved(made: Option<Timestamp>) -> BaseState {
    BaseState::Moved(MovedBase {
        how: Evidence::Provenance,
        from: Some(digest('1')),
        to: digest('2'),
        made,
    })
}

/// `pg` runs the wanted build, which was made on the 2nd at four.
fn settled() -> World {
    let mut world = World::new('a');
    world.both("pg", &[], &image("16", 'a'));
    world.stack.images[0].base = Some("postgres:16-alpine".parse().unwrap());
    world
}

fn fresh(world: &mut World, created: Known<Option<Timestamp>>, base: Option<BaseState>) {
    let name = world.stack.images[0].name.clone();
    let freshness = Freshness {
        created,
        base,
        last_run: None,
    };
    world.inventory.freshness.insert(name, freshness);
}

fn built(schedule: Option<&str>, maximum_age: Option<Duration>, github: bool) -> BuildSource {
    BuildSource {
        context: "docker".into(),
        dockerfile: "Dockerfile".into(),
        github: github.then(|| GitHubWorkflow {
            repository: "acme/db".parse().unwrap(),
            workflow: "build.yml".parse().unwrap(),
            reference: "main".parse().unwrap(),
        }),
        schedule: schedule.map(|it| it.parse().unwrap()),
        maximum_age,
        spec_folder: "".into(),
    }
}

/// The only finding; nothing is to be done.
fn only(world: &World) -> Finding {
    let plan = world.planned();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(!plan.report.is_blocked());
    let [finding] = plan.report.findings.as_slice() else {
        panic!("{:?}", said(&plan))
    };
    assert_eq!(finding.address.to_string(), "image.pg");
    assert!(finding.blocks.is_empty());
    finding.clone()
}

/// (when the image was made, when the base's present build was, what is said)
#[test]
fn a_base_that_moved_is_told_with_the_ages() {
    let made = |day, hour| Some(february(day, hour));
    let table = [
        (
            made(2, 4),
            made(6, 4),
            "moved 3 days ago; the image was built before, 7 days ago",
        ),
        (
            made(8, 3),
            made(9, 5),
            "moved 1 hour ago; the image was built before, 27 hours ago",
        ),
        (
            made(9, 5),
            Some("2026-02-09T05:58:30Z".parse().unwrap()),
            "moved 1 minute ago; the image was built before, 1 hour ago",
        ),
        (
            made(9, 5),
            Some("2026-02-09T05:59:30Z".parse().unwrap()),
            "moved less than a minute ago; the image was built before, 1 hour ago",
        ),
        // Dates that do not fit: only the order is sure.
        (
            made(2, 4),
            made(1, 4),
            "moved since the image was built, 7 days ago",
        ),
        (
            made(2, 4),
            made(2, 4),
            "moved since the image was built, 7 days ago",
        ),
        (
            made(2, 4),
            made(10, 4),
            "moved since the image was built, 7 days ago",
        ),
        (
            made(2, 4),
            None,
            "moved since the image was built, 7 days ago",
        ),
        (made(10, 4), made(11, 4), "moved since the image was built"),
        (None, made(6, 4), "moved since the image was built"),
        (None, None, "moved since the image was built"),
    ];
    for (created, made, words) in table {
        let mut world = settled();
        fresh(&mut world, Known::Known(created), Some(moved(made)));
        let finding = only(&world);
        let expected = format!("base postgres:16-alpine {words} (seen by its provenance)");
        assert_eq!(finding.message, expected);
        assert_eq!(finding.code, Code::BaseMoved);
        assert_eq!(finding.severity, Severity::Attention);
    }
    // An age that cannot be read takes nothing away.
    let mut world = settled();
    let unknown = Known::Unknown(trouble("the registry is down"));
    fresh(&mut world, unknown, Some(moved(Some(february(6, 4)))));
    assert!(
        only(&world)
            .message
            .contains("moved since the image was built")
    );
}

#[test]
fn the_command_is_the_one_that_makes_a_newer_build() {
    let cases = [
        (Some(built(None, None, true)), None, "imgstack rebuild pg"),
        (Some(built(None, None, false)), None, "imgstack build pg"),
        (None, None, "build it again and push it"),
        (
            Some(built(None, None, true)),
            Some(Pin::Digest(digest('a'))),
            "the build is pinned: a newer one comes once `pin` goes from the spec",
        ),
    ];
    for (build, pin, hint) in cases {
        let mut world = settled();
        let severity = match &pin {
            Some(_) => Severity::Note,
            None => Severity::Attention,
        };
        world.stack.images[0].build = build;
        if let Some(pin) = pin {
            world.pin(pin);
        }
        fresh(&mut world, Known::Known(None), Some(moved(None)));
        let finding = only(&world);
        assert_eq!(finding.hint.as_deref(), Some(hint));
        assert_eq!(finding.severity, severity, "{hint}");
    }
}

fn versions() -> Policy {
    Policy::Semver {
        range: "~3.3".parse().unwrap(),
        suffix: None,
    }
}

/// There is no tag that `imgstack build` alone would move.
#[test]
fn the_command_names_a_new_tag_where_a_policy_chooses() {
    let by_hand = "build it again and push it under a new tag that the policy semver \"~3.3\" \
                   chooses";
    for (github, hint) in [(true, "imgstack rebuild pg"), (false, by_hand)] {
        let mut world = World::new('a');
        world.both("pg", &[], &image("3.3.4", 'a'));
        world.stack.images[0].base = Some("postgres:16-alpine".parse().unwrap());
        world.stack.images[0].build = Some(built(None, None, github));
        world.follows(versions(), false);
        world.tags(&[("3.3.4", 'a')]);
        fresh(&mut world, Known::Known(None), Some(moved(None)));
        assert_eq!(only(&world).hint.as_deref(), Some(hint));
    }
}

/// (what runs, the tags, the build that is judged, and as what), with a day to
/// wait. The builds: `b` is an hour old, the others are nine days old.
#[test]
fn the_newest_build_that_is_known_is_judged() {
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, char)],
        Option<Known<Digest>>,
        &'a str,
    );
    let known = |digit| Some(Known::Known(digest(digit)));
    let bare = Known::Unknown(trouble("`3.3.5` runs without a digest"));
    let (by_digest, by_tag) = (image("3.3.5", 'a'), "ghcr.io/acme/pg:3.3.5");
    let table: [Case<'_>; 7] = [
        (&by_digest, &[("3.3.5", 'a')], known('a'), "the build"),
        (&by_digest, &[("3.3.6", 'c')], known('c'), "the build"),
        // It is there, and waits.
        (
            &by_digest,
            &[("3.3.5", 'a'), ("3.3.6", 'b')],
            known('b'),
            "the build that waits",
        ),
        (
            &by_digest,
            &[("3.3.6", 'b')],
            known('b'),
            "the build that waits",
        ),
        // What is left is below.
        (
            &by_digest,
            &[("3.3.4", 'c')],
            known('a'),
            "the build that runs",
        ),
        (by_tag, &[("3.3.4", 'c')], Some(bare), "the build that runs"),
        // That is said in other words.
        (&by_digest, &[], None, ""),
    ];
    for (runs, tags, expected, words) in table {
        let mut world = World::new('c');
        world.both("pg", &[], runs);
        world.follows(versions(), false);
        world.minimum_age(24);
        for (digit, hours) in [('a', 9 * 24), ('b', 1), ('c', 9 * 24)] {
            world.built(digit, hours);
        }
        world.tags(tags);
        let judged = freshest(&world.stack, &world.stack.images[0], &world.inventory);
        assert_eq!(judged, expected, "{runs} {tags:?}");
        let most = Some(Duration::from_secs(8 * 24 * 3600));
        world.stack.images[0].build = Some(built(None, most, true));
        let Some(judged) = judged else {
            fresh(&mut world, Known::Known(Some(february(1, 4))), None);
            assert!(!said(&world.planned()).join(" ").contains("maximumAge"));
            continue;
        };
        let (created, finding) = match judged {
            Known::Known(_) => (
                Known::Known(Some(february(1, 4))),
                format!(
                    "attention image.pg: {words} is 8 days and 2 hours old, and `maximumAge` is 8 days: no newer one came"
                ),
            ),
            Known::Unknown(trouble) => (
                Known::Unknown(trouble.clone()),
                format!(
                    "note image.pg: whether {words} is older than `maximumAge` is not known: {}",
                    trouble.why
                ),
            ),
        };
        fresh(&mut world, created, None);
        let said = said(&world.planned());
        assert!(said.contains(&finding), "{said:?}");
    }
}

#[test]
fn only_a_base_that_has_not_moved_is_passed_over() {
    let mut world = settled();
    let created = Known::Known(Some(february(2, 4)));
    for how in [
        Evidence::Provenance,
        Evidence::Annotations,
        Evidence::Labels,
        Evidence::Layers,
    ] {
        fresh(&mut world, created.clone(), Some(BaseState::Current(how)));
        assert!(world.planned().report.findings.is_empty());
    }
    let unknown = BaseState::Unknown(trouble("it has no provenance"));
    fresh(&mut world, created, Some(unknown));
    let finding = only(&world);
    assert_eq!(
        finding.message,
        "whether base postgres:16-alpine moved since the image was built is not known: it has no provenance"
    );
    assert_eq!(
        (finding.severity, finding.code),
        (Severity::Note, Code::BaseUnknown)
    );
}

#[test]
fn a_base_holds_nothing_up() {
    let states = [
        moved(Some(february(6, 4))),
        BaseState::Unknown(trouble("docker.io did not answer")),
    ];
    for state in states {
        let mut world = settled();
        world.registry(Observed::Present(digest('b')));
        world.build('b', &["linux/amd64"]);
        let before = world.planned();
        fresh(&mut world, Known::Known(Some(february(2, 4))), Some(state));
        let plan = world.planned();
        assert_eq!(plan.steps, before.steps);
        assert_eq!(
            plan.hash, before.hash,
            "words are not what a plan is bound to"
        );
        assert_eq!(plan.report.findings.len(), before.report.findings.len() + 1);
    }
}

#[test]
fn other_targets_hear_nothing_of_it() {
    let mut world = settled();
    fresh(&mut world, Known::Known(None), Some(moved(None)));
    for (targets, only, count) in [
        (&["image.pg"][..], Only::Everything, 1),
        (&["service.pg"], Only::Everything, 1),
        (&[], Only::Credentials, 0),
    ] {
        let plan = world.planned_with(targets, only);
        assert_eq!(plan.report.findings.len(), count, "{targets:?} {only:?}");
    }
}

/// (made on the 2nd at that hour … it is the 9th at six; the greatest age in
/// hours; the schedule; what is said)
#[test]
fn a_build_that_is_overdue_is_told_of() {
    let monday = Some("0 4 * * 1");
    let day = 24;
    let table = [
        (Some(february(2, 6)), 7 * day, monday, None),
        (Some(february(9, 7)), 7 * day, monday, None),
        (
            Some(february(2, 4)),
            5 * day,
            monday,
            Some(
                "the build is 7 days old, and `maximumAge` is 5 days: the scheduled build did not come",
            ),
        ),
        (
            Some(february(2, 4)),
            7 * day,
            None,
            Some(
                "the build is 7 days and 2 hours old, and `maximumAge` is 7 days: no newer one came",
            ),
        ),
        (
            Some(february(8, 5)),
            24,
            None,
            Some("the build is 25 hours old, and `maximumAge` is 1 day: no newer one came"),
        ),
        (
            Some("2026-02-09T04:59:00Z".parse().unwrap()),
            1,
            None,
            Some(
                "the build is 1 hour and 1 minute old, and `maximumAge` is 1 hour: no newer one came",
            ),
        ),
        (
            Some("2026-02-09T04:59:59Z".parse().unwrap()),
            1,
            None,
            Some(
                "the build is just over 1 hour old, and `maximumAge` is 1 hour: no newer one came",
            ),
        ),
        (
            None,
            7 * day,
            monday,
            Some("whether the build is older than `maximumAge` is not known: it has no date"),
        ),
    ];
    for (created, hours, schedule, expected) in table {
        let mut world = settled();
        world.stack.images[0].base = None;
        let most = Duration::from_secs(hours * 3600);
        world.stack.images[0].build = Some(built(schedule, Some(most), true));
        fresh(&mut world, Known::Known(created), None);
        let Some(expected) = expected else {
            assert!(world.planned().report.findings.is_empty(), "{created:?}");
            continue;
        };
        let finding = only(&world);
        assert_eq!(finding.message, expected);
        let (severity, code, hint) = match created {
            Some(_) => (
                Severity::Attention,
                Code::BuildOverdue,
                Some("imgstack rebuild pg"),
            ),
            None => (Severity::Note, Code::BuildAgeUnknown, None),
        };
        assert_eq!((finding.severity, finding.code), (severity, code));
        assert_eq!(finding.hint.as_deref(), hint);
    }
}

/// (the last run of the workflow, what is said of it)
#[test]
fn an_overdue_build_is_told_with_the_last_run() {
    let run = |state| {
        Known::Known(Some(LastRun {
            state,
            at: february(9, 4),
            url: "https://github.com/acme/db/actions/runs/7".to_owned(),
        }))
    };
    let link = "https://github.com/acme/db/actions/runs/7";
    let ended = |how: &str| RunState::Ended(how.to_owned());
    let table = [
        (
            Some(run(ended("failed"))),
            format!("; the last run of build.yml failed, 2 hours ago: {link}"),
        ),
        (
            Some(run(ended("timed out"))),
            format!("; the last run of build.yml timed out, 2 hours ago: {link}"),
        ),
        (
            Some(run(RunState::Succeeded)),
            format!("; the last run of build.yml succeeded 2 hours ago, all the same: {link}"),
        ),
        (
            Some(run(RunState::GoingOn)),
            format!("; a run of build.yml has been going on for 2 hours: {link}"),
        ),
        (
            Some(Known::Known(None)),
            "; build.yml has not run yet".to_owned(),
        ),
        (
            Some(Known::Unknown(trouble("no token"))),
            "; what became of the last run of build.yml is not known: no token".to_owned(),
        ),
        (None, String::new()),
    ];
    for (last_run, words) in table {
        let mut world = settled();
        world.stack.images[0].base = None;
        let most = Duration::from_secs(24 * 3600);
        world.stack.images[0].build = Some(built(Some("0 4 * * 1"), Some(most), true));
        fresh(&mut world, Known::Known(Some(february(2, 4))), None);
        let freshness = world.inventory.freshness.values_mut().next().unwrap();
        freshness.last_run = last_run;
        let expected = format!(
            "the build is 7 days old, and `maximumAge` is 1 day: the scheduled build did not come{words}"
        );
        assert_eq!(only(&world).message, expected);
    }
}

#[test]
fn an_age_that_cannot_be_read_is_no_age() {
    let mut world = settled();
    world.stack.images[0].base = None;
    let most = Duration::from_secs(3600);
    world.stack.images[0].build = Some(built(None, Some(most), false));
    fresh(
        &mut world,
        Known::Unknown(trouble("the registry is down")),
        None,
    );
    let finding = only(&world);
    assert_eq!(
        finding.message,
        "whether the build is older than `maximumAge` is not known: the registry is down"
    );
    assert_eq!(finding.severity, Severity::Note);
    // Without a greatest age nobody asked.
    world.stack.images[0].build = Some(built(None, None, false));
    assert!(world.planned().report.findings.is_empty());
}

/// (the contents of what runs and of what is wanted, by platform, and whether
/// they are the same)
#[test]
fn a_build_with_nothing_new_is_deployed_and_told_of() {
    type Contents<'a> = &'a [(&'a str, char)];
    let (amd, arm) = ("linux/amd64", "linux/arm64");
    let table: [(Contents<'_>, Contents<'_>, bool); 7] = [
        (&[(amd, '1')], &[(amd, '1')], true),
        (&[(amd, '1'), (arm, '2')], &[(amd, '1'), (arm, '2')], true),
        (&[(amd, '1')], &[(amd, '2')], false),
        (&[(amd, '1'), (arm, '2')], &[(amd, '1'), (arm, '3')], false),
        (&[(amd, '1')], &[(amd, '1'), (arm, '2')], false),
        (&[(amd, '1')], &[], false),
        (&[], &[], false),
    ];
    for (runs, wants, same) in table {
        let mut world = World::new('b');
        world.both("pg", &[], &image("16", 'a'));
        for (digit, contents) in [('a', runs), ('b', wants)] {
            world.build(digit, &[amd, arm]);
            let Some(Known::Known(build)) = world.inventory.builds.get_mut(&digest(digit)) else {
                unreachable!()
            };
            let contents = contents.iter().map(|(name, content)| PlatformContent {
                platform: platform(name),
                content: digest(*content),
            });
            build.contents = contents.collect();
        }
        let plan = world.planned();
        let mut reasons = vec!["the tag `16` moved"];
        if same {
            reasons.push("rebuilt with the same content: only its digest is new");
        }
        assert_eq!(plan.steps[0].reasons, reasons, "{runs:?} {wants:?}");

        // One task with something else, and it is not the same.
        let other = image("16", 'c');
        world.service("pg").tasks[0].image = other;
        let plan = world.planned();
        assert!(
            !plan.steps[0]
                .reasons
                .iter()
                .any(|it| it.contains("same content"))
        );
    }
}
