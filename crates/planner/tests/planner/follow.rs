//! What an image follows: a policy, and builds that wait until they are old
//! enough.

use imgstack_planner::{
    Action, Build, Drift, Known, Observed, StackPlan, UpdateService, drift, running_builds,
    undated, unled,
};
use imgstack_spec::policy::{Order, Policy, TagList};
use imgstack_spec::{Pin, Tag};

use crate::support::{REPOSITORY, World, digest, ids, image, said, trouble};

fn semver(range: &str) -> Policy {
    Policy::Semver {
        range: range.parse().unwrap(),
        suffix: None,
    }
}

fn newest(pattern: &str) -> Policy {
    Policy::Newest {
        pattern: pattern.parse().unwrap(),
    }
}

/// `pg-1` runs `image`; the image follows `~3.3`.
fn world(running: &str) -> World {
    let mut world = World::new('b');
    world.both("pg-1", &[], running);
    world.follows(semver("~3.3"), false);
    world
}

fn update(plan: &StackPlan) -> (&UpdateService, String) {
    let updates = plan.steps.iter().filter_map(|step| match &step.action {
        Action::UpdateService(update) => Some((&**update, step.reasons.join("; "))),
        _ => None,
    });
    let mut updates: Vec<_> = updates.collect();
    assert_eq!(updates.len(), 1, "{:?}, {:?}", ids(plan), said(plan));
    updates.remove(0)
}

fn hint(plan: &StackPlan) -> &str {
    plan.report.findings[0].hint.as_deref().unwrap()
}

/// (what runs, the tags, what it moves to and why)
#[test]
fn a_service_moves_to_the_tag_that_the_policy_chooses() {
    let policy = "the policy semver \"~3.3\" chooses `3.3.4`";
    let two = format!("{policy}: the highest version of 2 tags in `~3.3`");
    let only = format!("{policy}: the only tag in `~3.3`");
    let both: &[(&str, char)] = &[("3.3.3", 'a'), ("3.3.4", 'b'), ("4.0.0", 'f')];
    let cases = [
        (image("3.3.3", 'a'), both, &*two),
        (image("3.3.3", 'a'), &[("3.3.4", 'b')], &*only),
        (image("latest", 'a'), &[("3.3.4", 'b')], &*only),
        (format!("{REPOSITORY}@{}", digest('a')), both, &*two),
        // The tag is the same, and leads elsewhere.
        (image("3.3.4", 'a'), both, "the tag `3.3.4` moved"),
        (
            format!("{REPOSITORY}:3.3.4"),
            both,
            "runs a tag without a digest: which build that is differs from node to node",
        ),
    ];
    for (running, tags, reason) in cases {
        let mut world = world(&running);
        // Where the tag that runs is no version, the dates are compared.
        world.built('a', 48);
        world.built('b', 2);
        world.tags(tags);
        let plan = world.planned();
        let (update, reasons) = update(&plan);
        assert_eq!(update.image.to, image("3.3.4", 'b'), "{running}");
        assert_eq!(reasons, reason, "{running}");
        let shown = &plan.images[0];
        assert_eq!(shown.reference.to_string(), format!("{REPOSITORY}:3.3.4"));
        assert_eq!(shown.wants, Observed::Present(digest('b')));
        assert_eq!(shown.policy, Some(semver("~3.3")));
    }
    let mut world = world(&image("3.3.4", 'b'));
    world.tags(both);
    let plan = world.planned();
    assert_eq!((ids(&plan), said(&plan)), (Vec::new(), Vec::new()));
}

/// (what runs, the tags, what is said, what to do): nothing is done.
#[test]
fn where_the_policy_leads_nowhere_nothing_is_done_and_it_is_said() {
    let gone = "blocked image.pg: `3.3.5` runs, which the repository no longer has; `3.3.4`, the \
                highest version of 2 tags in `~3.3`, is older: what runs stays";
    let there = "blocked image.pg: `3.4.0` runs; `3.3.4`, the only tag in `~3.3`, is older: what \
                 runs stays";
    let none = "blocked image.pg: the policy semver \"~3.3\" chooses no tag: of one version, none \
                is in `~3.3`";
    let empty = "blocked image.pg: the policy semver \"~3.3\" chooses no tag: the repository has \
                 no tags";
    let allow = "to go down from `3.3.5` to `3.3.4`, write `allowDowngrade: true` for image.pg in \
                 the spec";
    let other = allow.replace("3.3.5", "3.4.0");
    let cases: [(_, &[(&str, char)], _, _); 4] = [
        ("3.3.5", &[("3.3.3", 'c'), ("3.3.4", 'b')], gone, allow),
        ("3.4.0", &[("3.3.4", 'b'), ("3.4.0", 'a')], there, &other),
        (
            "3.3.5",
            &[("3.4.0", 'c'), ("x", 'c')],
            none,
            "the nearest is `3.4.0`",
        ),
        (
            "3.3.5",
            &[],
            empty,
            "push a build, or look whether the repository is the right one",
        ),
    ];
    for (running, tags, expected, help) in cases {
        let mut world = world(&image(running, 'a'));
        world.tags(tags);
        let plan = world.planned();
        assert_eq!(ids(&plan), Vec::<String>::new());
        assert_eq!(said(&plan)[0], expected);
        assert_eq!(hint(&plan), help);
        let service = "service.pg-1".parse().unwrap();
        assert_eq!(plan.report.findings[0].blocks, [service], "{running}");
    }
    // And with `allowDowngrade` it goes down.
    let mut world = world(&image("3.3.5", 'a'));
    world.follows(semver("~3.3"), true);
    world.tags(&[("3.3.4", 'b')]);
    assert_eq!(update(&world.planned()).0.image.to, image("3.3.4", 'b'));
}

/// What a pin by digest leaves behind has no tag, and a tag of before the policy
/// none that it orders: (what runs, the policy, what was built later, the tags,
/// what it moves to, what is said). The builds: `a` runs.
#[test]
fn no_service_goes_down_when_a_pin_or_a_tag_becomes_a_policy() {
    let by_date = || Policy::Regex {
        pattern: r"16-(\d{8})".parse().unwrap(),
        order: Order::Date,
    };
    let bare = format!("{REPOSITORY}@{}", digest('a'));
    let old: &[(&str, char)] = &[("16-20260202", 'b')];
    let both: &[(&str, char)] = &[("16-20260202", 'b'), ("16-20260209", 'a')];
    let versions: &[(&str, char)] = &[("16.1", 'b'), ("16.2", 'a')];
    let policies = [
        (newest("16-.*"), old, both),
        (by_date(), old, both),
        (semver("^16"), &[("16.1", 'b')], versions),
    ];
    for (policy, gone, there) in policies {
        let is_version = matches!(policy, Policy::Semver { .. });
        for running in [bare.clone(), image("latest", 'a')] {
            let mut world = World::new('b');
            world.both("pg-1", &[], &running);
            world.follows(policy.clone(), false);
            world.built('a', 2);
            world.built('b', 7 * 24);
            let (down, best) = match is_version {
                true => ("16.1", "16.2"),
                false => ("16-20260202", "16-20260209"),
            };
            // Its build is under a tag: that is followed, and nothing restarts.
            world.tags(there);
            let plan = world.planned();
            assert_eq!(ids(&plan), Vec::<String>::new(), "{policy}: {running}");
            assert!(!plan.report.is_blocked(), "{policy}: {running}");
            assert_eq!(plan.images[0].reference.tag, Some(best.parse().unwrap()));
            // It is under none any more.
            world.tags(gone);
            let plan = world.planned();
            assert_eq!(ids(&plan), Vec::<String>::new(), "{policy}: {running}");
            let said = said(&plan).remove(0);
            let name = match running == bare {
                true => "`sha256:aaaaaaaaaaaa…` runs; ",
                false => "`latest` runs, which the repository no longer has; ",
            };
            let start = format!("blocked image.pg: {name}`{down}`, the only tag ");
            assert!(said.starts_with(&start), "{said}");
            assert!(hint(&plan).ends_with("write `allowDowngrade: true` for image.pg in the spec"));
            // A later build is a step up.
            world.built('b', 1);
            world.tags(gone);
            assert_eq!(update(&world.planned()).0.image.to, image(down, 'b'));
            // Nobody knows when it was built, or what it is.
            world.built('b', 7 * 24);
            let unknown = Known::Unknown(trouble("503"));
            world.inventory.builds.insert(digest('a'), unknown);
            world.tags(gone);
            let plan = world.planned();
            assert_eq!(ids(&plan), Vec::<String>::new(), "{policy}: {running}");
            assert!(plan.report.is_blocked());
            assert!(hint(&plan).starts_with("if it may be followed by an older one"));
            world.follows(policy.clone(), true);
            world.tags(gone);
            assert_eq!(update(&world.planned()).0.image.to, image(down, 'b'));
        }
    }
}

/// Not all services run the same. None goes down, whichever it is.
#[test]
fn of_several_services_the_highest_is_not_gone_below() {
    for (one, other) in [("3.3.4", "3.3.5"), ("3.3.5", "3.3.4")] {
        let mut world = world(&image(one, 'a'));
        world.both("pg-2", &[], &image(other, 'c'));
        world.tags(&[("3.3.4", 'b')]);
        let plan = world.planned();
        assert_eq!(ids(&plan), Vec::<String>::new(), "{one} and {other}");
        assert!(plan.report.is_blocked());
        world.tags(&[("3.3.4", 'b'), ("3.3.6", 'f')]);
        assert_eq!(
            ids(&world.planned()),
            ["update service.pg-1", "update service.pg-2"]
        );
    }
    // A task that is left on a build counts as well.
    let mut world = world(&image("3.3.4", 'a'));
    world.service("pg-1").tasks[0].image = image("3.3.5", 'c');
    world.tags(&[("3.3.4", 'b')]);
    assert!(world.planned().report.is_blocked());
}

/// Unknown is not absent (invariant 3), nor an older tag.
#[test]
fn what_is_not_known_is_not_guessed() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, &str); 5] = [
        (
            "a page failed",
            |it| it.list(TagList::Incomplete("503 for a page".to_owned())),
            "which tag to follow is not known: the list of tags is incomplete: 503 for a page",
        ),
        (
            "nobody asked where it leads",
            |it| it.list(TagList::Complete(vec!["3.3.9".parse().unwrap()])),
            "which tag to follow is not known: where `3.3.9` leads was not asked for",
        ),
        (
            "another tag was asked for",
            |it| {
                it.tags(&[("3.3.4", 'b')]);
                let pg = it.inventory.images.values_mut().next().unwrap();
                let list = ["3.3.4", "3.3.9"].map(|tag| tag.parse().unwrap());
                pg.tags.as_mut().unwrap().list = TagList::Complete(list.to_vec());
            },
            "which tag to follow is not known: where `3.3.9` leads was not asked for",
        ),
        (
            "no answer where it leads",
            |it| {
                it.tags(&[("3.3.4", 'b')]);
                it.registry(Observed::Unknown(trouble("connection refused")));
            },
            "connection refused",
        ),
        (
            "its tag went meanwhile",
            |it| {
                it.tags(&[("3.3.4", 'b')]);
                it.registry(Observed::Absent(trouble("no tag `3.3.4`")));
            },
            "no tag `3.3.4`",
        ),
    ];
    for (what, change, expected) in cases {
        // Also what would be up to date is blocked: nobody knows.
        for running in [image("3.3.3", 'a'), image("3.3.4", 'b')] {
            let mut world = world(&running);
            change(&mut world);
            let plan = world.planned();
            assert_eq!(ids(&plan), Vec::<String>::new(), "{what}");
            assert_eq!(
                said(&plan),
                [
                    format!("blocked image.pg: {expected}"),
                    "blocked service.pg-1: waits for image.pg".to_owned()
                ],
                "{what}"
            );
        }
    }
}

/// (how long ago the build was built, what comes of it)
#[test]
fn a_tag_that_names_a_young_build_waits() {
    let help = "to move at once, take `minimumAge` out of the spec for now";
    for (hours, waits) in [
        (0, Some("2026-02-10 06:00 UTC")),
        (23, Some("2026-02-09 07:00 UTC")),
        (24, None),
        (900, None),
    ] {
        let mut world = World::new('b');
        world.both("pg-1", &[], &image("16", 'a'));
        world.minimum_age(24);
        world.built('b', hours);
        let plan = world.planned();
        let Some(until) = waits else {
            assert_eq!(update(&plan).1, "the tag `16` moved", "{hours}");
            assert_eq!(said(&plan), Vec::<String>::new());
            continue;
        };
        assert_eq!(ids(&plan), Vec::<String>::new(), "{hours}");
        assert_eq!(
            said(&plan),
            [format!(
                "note image.pg: the build that `16` names is younger than `minimumAge`: what \
                 runs stays until {until}"
            )]
        );
        assert_eq!(hint(&plan), help);
        assert!(!plan.report.is_blocked());
        assert_eq!(plan.images[0].wants, Observed::Present(digest('b')));
        // What runs it has nothing to wait for, and nothing is said.
        world.service("pg-1").image = image("16", 'b');
        world.service("pg-1").tasks[0].image = image("16", 'b');
        let plan = world.planned();
        assert_eq!((ids(&plan), said(&plan)), (Vec::new(), Vec::new()));
    }
}

/// (what runs by a bare tag, what is said of the service): nothing holds it.
#[test]
fn a_bare_tag_is_not_fine_while_a_build_waits() {
    let words = |tag: &str| {
        format!(
            "attention service.pg-1: runs a tag without a digest: a restart takes what `{tag}` \
             means then"
        )
    };
    let cases = [
        (format!("{REPOSITORY}:16"), Some(words("16"))),
        (format!("{REPOSITORY}:16.1"), Some(words("16.1"))),
        (REPOSITORY.to_owned(), Some(words("latest"))),
        ("postgres:16-alpine".to_owned(), Some(words("16-alpine"))),
        (image("16", 'a'), None),
        (format!("postgres@{}", digest('a')), None),
    ];
    for (running, expected) in cases {
        let mut world = World::new('b');
        world.both("pg-1", &[], &running);
        world.minimum_age(24);
        world.built('b', 1);
        let plan = world.planned();
        assert_eq!(ids(&plan), Vec::<String>::new(), "{running}");
        let mut told = said(&plan);
        told.retain(|it| it.contains("service.pg-1"));
        assert_eq!(told, Vec::from_iter(expected.clone()), "{running}");
        if expected.is_some() {
            let help = "write `pin:` with its tag or digest for image.pg in the spec";
            assert!(hint(&plan).ends_with(help), "{}", hint(&plan));
        }
        // Once it need not wait, it comes to have one.
        world.built('b', 25);
        assert_eq!(ids(&world.planned()), ["update service.pg-1"]);
    }
}

/// A minute that is told is one at which it goes.
#[test]
fn the_time_that_is_told_is_rounded_up() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.minimum_age(24);
    world.built('b', 0);
    if let Some(Known::Known(build)) = world.inventory.builds.get_mut(&digest('b')) {
        build.created = Some("2026-02-09T05:59:00.5Z".parse().unwrap());
    }
    assert!(said(&world.planned())[0].ends_with("until 2026-02-10 06:00 UTC"));
    world.inventory.observed_at = "2026-02-10T05:59:00Z".parse().unwrap();
    assert_eq!(ids(&world.planned()), Vec::<String>::new());
    world.inventory.observed_at = "2026-02-10T06:00:00Z".parse().unwrap();
    assert_eq!(ids(&world.planned()), ["update service.pg-1"]);
}

/// (what is known of the build, what is said)
#[test]
fn an_age_that_cannot_be_told_is_not_enough() {
    let undated = "the wanted build does not say when it was built, which `minimumAge` needs";
    let unknown = "when the wanted build was built is not known";
    let old = Build {
        created: Some("1970-01-01T00:00:00Z".parse().unwrap()),
        ..Build::default()
    };
    let cases = [
        (Some(Known::Known(Build::default())), undated.to_owned()),
        (Some(Known::Known(old)), undated.to_owned()),
        (
            Some(Known::Unknown(trouble("503"))),
            format!("{unknown}: 503"),
        ),
        (None, format!("{unknown}: it was not asked for")),
    ];
    for (build, expected) in cases {
        let mut world = World::new('b');
        world.both("pg-1", &[], &image("16", 'a'));
        world.minimum_age(24);
        match build {
            Some(build) => world.inventory.builds.insert(digest('b'), build),
            None => world.inventory.builds.remove(&digest('b')),
        };
        let plan = world.planned();
        assert_eq!(ids(&plan), Vec::<String>::new());
        assert_eq!(said(&plan), [format!("blocked service.pg-1: {expected}")]);
        // Whatever it is, a service that runs it may go on.
        world.service("pg-1").image = image("16", 'b');
        world.service("pg-1").tasks[0].image = image("16", 'b');
        assert_eq!(said(&world.planned()), Vec::<String>::new());
    }
}

/// (what runs, the tags, what moves, what is said), with a day to wait. The
/// builds: `b` is an hour old, `a` and `e` are days old.
#[test]
fn a_policy_waits_for_a_build_that_is_too_young() {
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, char)],
        Option<&'a str>,
        Option<&'a str>,
    );
    let waits = "note image.pg: `3.3.5` is younger than `minimumAge`, and waits until 2026-02-10 \
                 05:00 UTC";
    let held = "note image.pg: `3.3.5`, the highest version of 2 tags in `~3.3`, is too young: \
                what runs stays until 2026-02-10 05:00 UTC";
    let table: [Case<'_>; 5] = [
        // What runs stays.
        (
            "3.3.4=a",
            &[("3.3.4", 'a'), ("3.3.5", 'b')],
            None,
            Some(waits),
        ),
        // An older one that is better than what runs goes before it.
        (
            "3.3.3=e",
            &[("3.3.4", 'a'), ("3.3.5", 'b')],
            Some("3.3.4=a"),
            Some(waits),
        ),
        // What runs vanished, and what is left is below: nothing goes down.
        (
            "3.3.4=e",
            &[("3.3.3", 'a'), ("3.3.5", 'b')],
            None,
            Some(held),
        ),
        // It runs already.
        ("3.3.5=b", &[("3.3.4", 'a'), ("3.3.5", 'b')], None, None),
        // The same tag, and another build of it.
        (
            "3.3.4=e",
            &[("3.3.4", 'a'), ("3.3.5", 'b')],
            Some("3.3.4=a"),
            Some(waits),
        ),
    ];
    let full = |text: &str| {
        let (tag, digit) = text.split_once('=').unwrap();
        image(tag, digit.chars().next().unwrap())
    };
    for (runs, tags, moves, expected) in table {
        let mut world = world(&full(runs));
        world.minimum_age(24);
        for (digit, hours) in [('a', 100), ('b', 1), ('e', 100)] {
            world.built(digit, hours);
        }
        world.tags(tags);
        let plan = world.planned();
        match moves {
            Some(to) => assert_eq!(update(&plan).0.image.to, full(to), "{runs}"),
            None => assert_eq!(ids(&plan), Vec::<String>::new(), "{runs}"),
        }
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(said(&plan), expected, "{runs}");
        if !expected.is_empty() {
            let help = "to move at once, hold it for now: `pin: 3.3.5`";
            assert_eq!(hint(&plan), help, "{runs}");
        }
        assert!(!plan.report.is_blocked(), "{runs}");
    }
}

/// Somebody has put one service on the young build by hand.
#[test]
fn one_that_runs_a_young_build_draws_nobody_after_it() {
    let mut world = world(&image("3.3.5", 'b'));
    world.both("pg-2", &[], &image("3.3.4", 'a'));
    world.minimum_age(24);
    world.built('a', 100);
    world.built('b', 1);
    world.tags(&[("3.3.4", 'a'), ("3.3.5", 'b')]);
    let plan = world.planned();
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert_eq!(
        said(&plan),
        [
            "note image.pg: the build that `3.3.5` names is younger than `minimumAge`: what runs \
             stays until 2026-02-10 05:00 UTC"
        ]
    );
    world.built('b', 24);
    world.tags(&[("3.3.4", 'a'), ("3.3.5", 'b')]);
    assert_eq!(ids(&world.planned()), ["update service.pg-2"]);
}

#[test]
fn a_pin_wins_over_policy_and_age() {
    let mut world = world(&image("3.3.5", 'a'));
    world.minimum_age(24);
    world.built('b', 0);
    world.tags(&[]);
    world.pin(Pin::Tag("3.3.1".parse().unwrap()));
    world.registry(Observed::Present(digest('b')));
    let plan = world.planned();
    let (step, reasons) = update(&plan);
    assert_eq!(step.image.to, image("3.3.1", 'b'));
    assert_eq!(reasons, "the spec pins `3.3.1`");
    assert_eq!((said(&plan), &plan.images[0].policy), (Vec::new(), &None));

    // A digest alone: there is no tag to go by.
    world.pin(Pin::Digest(digest('b')));
    let by_digest = format!("{REPOSITORY}@{}", digest('b'));
    assert_eq!(update(&world.planned()).0.image.to, by_digest);
    world.service("pg-1").image = image("3.3.1", 'b');
    world.service("pg-1").tasks[0].image = image("3.3.1", 'b');
    assert_eq!(said(&world.planned()), Vec::<String>::new());
}

/// A build that waits is no reason to let what runs go.
#[test]
fn what_runs_is_looked_after_while_another_build_waits() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.minimum_age(24);
    world.built('a', 100);
    world.built('b', 1);
    world.allows("pg-1", &["n1", "n2"]);
    world.holds("n1", &[('a', 7)]);
    world.holds("n2", &[]);
    let plan = world.planned();
    let pull = format!("pull node.n2 image.pg@{}", digest('a'));
    assert_eq!(ids(&plan), [&*pull]);
    let Action::PullImage(action) = &plan.steps[0].action else {
        panic!("no pull")
    };
    assert_eq!(action.reference.to_string(), image("16", 'a'));
    assert_eq!(
        plan.steps[0].reasons,
        ["does not hold the image; a restart there would fail without the registry"]
    );
    // Another service keeps another build, and the node needs both.
    world.both("pg-2", &[], &image("16", 'c'));
    world.built('c', 200);
    world.allows("pg-2", &["n2"]);
    let both = [pull, format!("pull node.n2 image.pg@{}", digest('c'))];
    assert_eq!(ids(&world.planned()), both);
    // One that takes no tasks is told of once.
    world.observed_node("n2").ready = false;
    let plan = world.planned();
    let down = said(&plan).into_iter().filter(|it| it.contains("is down"));
    assert_eq!(down.count(), 1);
    world.observed_node("n2").ready = true;
    // Tasks that were left behind come to the build that the service keeps.
    world.holds("n2", &[('a', 7), ('c', 7)]);
    world.service("pg-1").tasks[0].image = image("16", 'f');
    let plan = world.planned();
    assert_eq!(ids(&plan), ["update service.pg-1"]);
    assert_eq!(update(&plan).0.image.to, image("16", 'a'));
}

/// What a policy refuses to leave is kept on nodes, too, with its elders.
#[test]
fn nothing_is_removed_while_it_is_not_known_what_follows() {
    let mut world = world(&image("3.3.5", 'a'));
    world.stack.images[0].keep = Some(1);
    world.allows("pg-1", &["n1"]);
    world.holds("n1", &[('a', 2), ('c', 5)]);
    world.tags(&[("3.3.4", 'b')]);
    let plan = world.planned();
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert_eq!(plan.images[0].wants, Observed::Present(digest('a')));
    assert_eq!(plan.images[0].reference.tag, None);
    world.tags(&[("3.3.5", 'a')]);
    let removal = format!("remove node.n1 {REPOSITORY}@{}", digest('c'));
    assert_eq!(ids(&world.planned()), [removal]);
}

/// Credentials are put in whatever waits.
#[test]
fn a_service_that_waits_gets_its_credential() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.minimum_age(24);
    world.built('b', 1);
    world.credential("new");
    assert_eq!(ids(&world.planned()), ["rotate service.pg-1"]);
}

/// A running build that its registry no longer has still has a date: that of
/// the node which holds it.
#[test]
fn the_newest_build_needs_the_date_of_what_runs() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16-old", 'a'));
    world.follows(newest("16-.*"), false);
    world.built('b', 48);
    let gone = Known::Unknown(trouble("the manifest was deleted"));
    world.inventory.builds.insert(digest('a'), gone);
    let running = running_builds(&world.stack, &world.stack.images[0], &world.inventory);
    assert_eq!(running.into_iter().collect::<Vec<_>>(), [digest('a')]);

    world.tags(&[("16-new", 'b')]);
    let plan = world.planned();
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert_eq!(
        said(&plan)[0],
        "blocked image.pg: which tag to follow is not known: when `16-old`, which runs, was \
         built is not known: the manifest was deleted"
    );
    assert!(hint(&plan).contains("`allowDowngrade: true` for image.pg"));

    for (days, moves) in [(5, true), (1, false)] {
        world.holds("n1", &[('a', days)]);
        world.tags(&[("16-new", 'b')]);
        let plan = world.planned();
        assert_eq!(plan.steps.len(), usize::from(moves), "{days}");
        assert_eq!(plan.report.is_blocked(), !moves, "{days}");
    }
}

/// Only what a choice turns on is asked for.
#[test]
fn dates_are_asked_for_where_they_are_needed() {
    let mut world = world(&image("3.3.3", 'a'));
    let list = ["3.3.3", "3.3.4", "3.4.0", "latest"].map(|tag| tag.parse().unwrap());
    let wanted = |world: &World| -> Vec<Tag> {
        undated(&world.stack, &world.stack.images[0], &world.inventory)
    };
    let running = |world: &World| {
        running_builds(&world.stack, &world.stack.images[0], &world.inventory).len()
    };
    world.list(TagList::Complete(list.to_vec()));
    assert_eq!((wanted(&world), running(&world)), (Vec::new(), 0));
    let names = |world: &World| -> Vec<Tag> {
        unled(&world.stack, &world.stack.images[0], &world.inventory)
    };
    assert_eq!(names(&world), Vec::new());
    // By a digest alone, it is one of the tags, or is compared by its date.
    let image = std::mem::replace(
        &mut world.service("pg-1").image,
        format!("{REPOSITORY}@{}", digest('a')),
    );
    assert_eq!((wanted(&world), running(&world)), (Vec::new(), 1));
    assert_eq!(names(&world), ["3.3.4".parse().unwrap()]);
    world.service("pg-1").image = image;
    // With an age, the best alone at first.
    world.minimum_age(24);
    assert_eq!((wanted(&world).len(), running(&world)), (1, 1));
    assert_eq!(wanted(&world)[0].as_str(), "3.3.4");
    let order = Order::Semver;
    let pattern = ".*".parse().unwrap();
    world.follows(Policy::Regex { pattern, order }, false);
    assert_eq!(wanted(&world)[0].as_str(), "3.4.0");
    world.stack.images[0].minimum_age = None;
    assert_eq!((wanted(&world), running(&world)), (Vec::new(), 0));
    world.follows(newest(r"3\..*"), false);
    assert_eq!((wanted(&world).len(), running(&world)), (3, 1));
    // One of which nothing can be known is no reason to ask again.
    let pg = world.inventory.images.values_mut().next().unwrap();
    let digests = &mut pg.tags.as_mut().unwrap().digests;
    for tag in ["3.3.3", "3.3.4", "3.4.0"] {
        digests.insert(tag.parse().unwrap(), Observed::Unknown(trouble("503")));
    }
    assert_eq!(wanted(&world), Vec::new());
    let said = said(&world.planned());
    assert!(
        said[0].ends_with("when `3.3.3` was built is not known: 503"),
        "{said:?}"
    );
    // A pin leaves nothing to choose.
    world.pin(Pin::Digest(digest('a')));
    assert_eq!((wanted(&world), running(&world)), (Vec::new(), 0));
}

fn moved(drift: &Drift) -> Vec<String> {
    let moved = drift.moved.iter();
    moved
        .map(|it| format!("{} {}: {} -> {}", it.address, it.field, it.from, it.to))
        .collect()
}

#[test]
fn a_saved_plan_is_stale_when_the_policy_comes_to_another_tag() {
    let mut world = world(&image("3.3.3", 'a'));
    world.tags(&[("3.3.4", 'b')]);
    let saved = world.planned();
    world.tags(&[("3.3.4", 'b'), ("3.3.5", 'c')]);
    let (b, c) = (digest('b'), digest('c'));
    assert_eq!(
        moved(&drift(&saved, &world.planned())),
        [format!("image.pg {REPOSITORY}: 3.3.4@{b} -> 3.3.5@{c}")]
    );
    // Another tag that is better and not the plan's: the same build.
    world.tags(&[("3.3.4", 'b'), ("3.3.5", 'b')]);
    assert_eq!(
        moved(&drift(&saved, &world.planned())),
        [format!(
            "service.pg-1 action.updateService.image.to: {} -> {}",
            image("3.3.4", 'b'),
            image("3.3.5", 'b')
        )]
    );
    // The tag that was chosen went.
    world.tags(&[]);
    let gone = moved(&drift(&saved, &world.planned()));
    assert_eq!(
        gone,
        [format!(
            "image.pg {REPOSITORY}: 3.3.4@{b} -> absent (the repository has no tags)"
        )]
    );
    world.list(TagList::Incomplete("503".to_owned()));
    let blind = drift(&saved, &world.planned());
    assert_eq!((blind.moved.len(), blind.unknown.len()), (0, 1));
    // Nothing moved, and time alone has.
    world.tags(&[("3.3.4", 'b')]);
    assert!(drift(&saved, &world.planned()).is_empty());
}

/// The policy comes to nothing that services could move to: that is known.
#[test]
fn a_saved_plan_is_stale_when_services_keep_what_they_run() {
    let mut world = world(&image("3.3.3", 'a'));
    world.both("pg-2", &[], &image("3.3.4", 'c'));
    world.tags(&[("3.3.5", 'b')]);
    let saved = world.planned();
    let b = digest('b');
    world.tags(&[("3.3.2", 'e')]);
    let several = world.planned();
    assert!(several.images[0].keeps_several());
    let back = drift(&saved, &several);
    assert_eq!(back.unknown, []);
    assert_eq!(
        moved(&back),
        [format!(
            "image.pg {REPOSITORY}: 3.3.5@{b} -> what each service runs"
        )]
    );
    assert!(drift(&several, &world.planned()).is_empty());
    world.list(TagList::Incomplete("503".to_owned()));
    let blind = drift(&several, &world.planned());
    assert_eq!((blind.moved.len(), blind.unknown.len()), (0, 1));
    let unknown = world.planned();
    assert!(!unknown.images[0].kept);
    world.tags(&[("3.3.2", 'e')]);
    assert_eq!(
        moved(&drift(&unknown, &world.planned())),
        [format!(
            "image.pg {REPOSITORY}: unknown (the list of tags is incomplete: 503) -> what each service runs"
        )]
    );
    world.tags(&[("3.3.5", 'b')]);
    assert_eq!(
        moved(&drift(&several, &world.planned())),
        [format!(
            "image.pg {REPOSITORY}: what each service runs -> 3.3.5@{b}"
        )]
    );
    // All keep the same one.
    let image = image("3.3.4", 'c');
    world.service("pg-1").tasks[0].image.clone_from(&image);
    world.service("pg-1").image = image;
    world.tags(&[("3.3.2", 'e')]);
    let plan = world.planned();
    assert!(plan.images[0].kept && !plan.images[0].keeps_several());
    assert_eq!(plan.images[0].wants, Observed::Present(digest('c')));
}

/// A plan that let a build wait is none to apply once it has waited.
#[test]
fn a_plan_that_waits_is_stale_when_the_time_has_come() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.minimum_age(24);
    world.built('b', 1);
    let saved = world.planned();
    world.inventory.observed_at = "2026-02-10T06:00:00Z".parse().unwrap();
    assert_eq!(
        moved(&drift(&saved, &world.planned())),
        ["service.pg-1 tasks: nothing to do -> 1 task on n1"]
    );
}
