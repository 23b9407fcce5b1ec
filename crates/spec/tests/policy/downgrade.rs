//! No step down, whatever vanished: (what runs, tags, what comes of it, and
//! with `allowDowngrade`).

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};
use imgstack_spec::policy::{
    BuildDate, Policy, Rules, Running, TagList, World, choose, wanted_dates, wanted_leads,
};
use imgstack_spec::{Digest, Tag};

use super::{at, date_of, dated, names, newest, regex, semver, short, tag};

fn check(policy: &Policy, cases: &[(&str, &str, &str, &str)]) {
    for (runs, tags, expected, allowed) in cases {
        let (name, date) = runs.split_once('=').unwrap_or((runs, "none"));
        let running = super::runs(name, date_of(date));
        let world = (TagList::Complete(names(tags)), dated(tags));
        for (allow_downgrade, expected) in [(false, expected), (true, allowed)] {
            let rules = Rules {
                policy,
                minimum_age: None,
                allow_downgrade,
            };
            let choice = choose(&rules, &at(&world, Some(&running)));
            assert_eq!(
                short(&choice),
                *expected,
                "{runs}: {policy} of {tags}, allowed: {allow_downgrade}"
            );
        }
    }
}

#[test]
fn of_versions() {
    check(
        &semver("~3.3"),
        &[
            ("3.3.4", "3.3.4 3.3.5", "3.3.5", "3.3.5"),
            ("3.3.5", "3.3.4 3.3.5", "3.3.5", "3.3.5"),
            // Its tag vanished.
            ("3.3.5", "3.3.4 3.3.3", "refused: 3.3.5 to 3.3.4", "3.3.4"),
            ("v3.3.5", "3.3.4", "refused: v3.3.5 to 3.3.4", "3.3.4"),
            ("3.3.5", "3.3.4 3.3.6", "3.3.6", "3.3.6"),
            ("3.3.5", "3.3.4 latest", "refused: 3.3.5 to 3.3.4", "3.3.4"),
            ("3.3.5", "latest", "none: latest", "none: latest"),
            ("3.3.5", "3.4.0", "none: 3.4.0", "none: 3.4.0"),
            ("3.3.5", "", "none: ", "none: "),
            // Its tag is there, and out of the range.
            ("3.4.0", "3.3.9 3.4.0", "refused: 3.4.0 to 3.3.9", "3.3.9"),
            ("17.1", "3.3.9 17.1", "refused: 17.1 to 3.3.9", "3.3.9"),
            ("2.0.0", "2.0.0 3.3.1", "3.3.1", "3.3.1"),
            // A pre-release is above the versions before it, below its own.
            (
                "3.4.0-rc.1",
                "3.3.9 3.4.0-rc.1",
                "refused: 3.4.0-rc.1 to 3.3.9",
                "3.3.9",
            ),
            ("3.3.9-rc.1", "3.3.9 3.3.9-rc.1", "3.3.9", "3.3.9"),
            // So is a variant.
            (
                "3.3.9-alpine",
                "3.3.8 3.3.9-alpine",
                "refused: 3.3.9-alpine to 3.3.8",
                "3.3.8",
            ),
            ("3.3.9-alpine", "3.3.9", "3.3.9", "3.3.9"),
            // What is equal stays.
            ("v3.3.5", "3.3.5 v3.3.5", "v3.3.5", "v3.3.5"),
            ("3.3", "3.3 3.3.0", "3.3", "3.3"),
            ("3.3.5_b", "3.3.5_a 3.3.5_b", "3.3.5_b", "3.3.5_b"),
            ("v3.3.5", "3.3.5", "3.3.5", "3.3.5"),
            // What is no version has no place in the order, and no date here.
            ("latest", "3.3.5 latest", "unknown", "3.3.5"),
            (
                "16-abc1234",
                "3.3.5",
                "refused: 16-abc1234 to 3.3.5",
                "3.3.5",
            ),
            ("abc1234", "3.3.5", "unknown", "3.3.5"),
            ("20260206", "3.3.5", "unknown", "3.3.5"),
        ],
    );
    check(
        &semver("^16 -alpine"),
        &[
            (
                "16.4-alpine",
                "16.3-alpine 16.9",
                "refused: 16.4-alpine to 16.3-alpine",
                "16.3-alpine",
            ),
            (
                "16.4",
                "16.3-alpine",
                "refused: 16.4 to 16.3-alpine",
                "16.3-alpine",
            ),
            ("16.4", "16.4-alpine", "16.4-alpine", "16.4-alpine"),
            (
                "17-alpine",
                "16.9-alpine 17-alpine",
                "refused: 17-alpine to 16.9-alpine",
                "16.9-alpine",
            ),
        ],
    );
}

#[test]
fn of_what_a_pattern_finds() {
    check(
        &regex(r"16-(\d{8})", Date),
        &[
            (
                "16-20260206",
                "16-20260131",
                "refused: 16-20260206 to 16-20260131",
                "16-20260131",
            ),
            ("16-20260206", "16-20260207", "16-20260207", "16-20260207"),
            (
                "16-20260206",
                "16-20260206 16-20260131",
                "16-20260206",
                "16-20260206",
            ),
            // Not of this pattern: nothing to compare with but the date.
            ("17-20260206", "16-20260131", "unknown", "16-20260131"),
            ("16", "16 16-20260131", "unknown", "16-20260131"),
            (
                "16=2026-02-01",
                "16 16-20260131=2026-01-31",
                "refused: 16 to 16-20260131",
                "16-20260131",
            ),
            (
                "16=2026-01-01",
                "16 16-20260131=2026-01-31",
                "16-20260131",
                "16-20260131",
            ),
        ],
    );
    check(
        &regex(r"b(\d+)", Numeric),
        &[
            ("b10", "b9", "refused: b10 to b9", "b9"),
            ("b9", "b10", "b10", "b10"),
            ("b010", "b10 b9", "b10", "b10"),
        ],
    );
    check(
        &regex(r"(.*)-x", Alphabetical),
        &[
            ("b-x", "a-x", "refused: b-x to a-x", "a-x"),
            ("a-x", "b-x", "b-x", "b-x"),
        ],
    );
    check(
        &regex(r"pg(.*)", Semver),
        &[
            ("pg16.4", "pg16.3", "refused: pg16.4 to pg16.3", "pg16.3"),
            ("pg9.6", "pg16.3", "pg16.3", "pg16.3"),
        ],
    );
    // What cannot be told apart does not change for its name.
    check(
        &regex(r"(\d+)-[0-9a-f]{7}", Numeric),
        &[
            (
                "16-def5678",
                "16-abc1234 16-def5678",
                "16-def5678",
                "16-def5678",
            ),
            ("16-def5678", "16-abc1234", "16-abc1234", "16-abc1234"),
        ],
    );
}

#[test]
fn of_builds() {
    check(
        &newest("16-.*"),
        &[
            (
                "16-a=2026-01-01",
                "16-a=2026-01-01 16-b=2026-02-01",
                "16-b",
                "16-b",
            ),
            // Its tag vanished.
            (
                "16-b=2026-02-01",
                "16-a=2026-01-01",
                "refused: 16-b to 16-a",
                "16-a",
            ),
            (
                "16-b=2026-02-01",
                "16-a=2026-01-01 16-c=2026-02-02",
                "16-c",
                "16-c",
            ),
            // Its tag was put on an older build.
            (
                "16-b=2026-02-01",
                "16-a=2026-01-01 16-b=2026-01-15",
                "refused: 16-b to 16-b",
                "16-b",
            ),
            // When it was built is not known: it could be newer.
            ("16-b=?", "16-a=2026-01-01", "unknown", "16-a"),
            (
                "16-b=?",
                "16-a=2026-01-01 16-b=2026-02-01",
                "unknown",
                "16-b",
            ),
            // Nor is it of one that was never dated.
            ("16-b=none", "16-a=2026-01-01", "unknown", "16-a"),
            ("16-b=1970-01-01", "16-a=2026-01-01", "unknown", "16-a"),
            // Also when it does not match.
            (
                "latest=2026-02-01",
                "16-a=2026-01-01",
                "refused: latest to 16-a",
                "16-a",
            ),
            // Equal: what runs.
            (
                "16-b=2026-02-01",
                "16-a=2026-02-01 16-b=2026-02-01",
                "16-b",
                "16-b",
            ),
        ],
    );
}

/// A page of the list failed: what came of it is old.
#[test]
fn an_incomplete_list_is_unknown() {
    let cut = TagList::Incomplete("page 37 of the list: 503".to_owned());
    let world = (cut, dated("16-a=2026-01-01"));
    let running = super::runs("3.3.5", BuildDate::None);
    for policy in [semver("*"), regex(".*", Alphabetical), newest(".*")] {
        for running in [None, Some(&running)] {
            for allow_downgrade in [false, true] {
                let rules = Rules {
                    policy: &policy,
                    minimum_age: None,
                    allow_downgrade,
                };
                let choice = choose(&rules, &at(&world, running));
                assert_eq!(short(&choice), "unknown", "{policy}");
                assert_eq!(
                    super::why(&choice),
                    "the list of tags is incomplete: page 37 of the list: 503"
                );
            }
        }
    }
}

/// Not all services run the same, after a rollout that stopped half-way or by
/// hand: (what runs, tags, what comes of it). None of them goes down.
#[test]
fn of_several_that_run_the_highest_counts() {
    let versions = semver("~3.3");
    let builds = newest("16-.*");
    let cases = [
        (&versions, "3.3.4 3.3.5", "3.3.4 3.3.5 3.3.6", "3.3.6"),
        (&versions, "3.3.4 3.3.5", "3.3.4 3.3.5", "3.3.5"),
        (&versions, "3.3.4 3.3.5", "3.3.4", "refused: 3.3.5 to 3.3.4"),
        (&versions, "3.3.5 3.3.4", "3.3.4", "refused: 3.3.5 to 3.3.4"),
        // What has no place in the order could be above all.
        (&versions, "latest 3.3.4", "3.3.4", "unknown"),
        (
            &versions,
            "latest=2026-01-01 3.3.4",
            "3.3.4=2026-01-02",
            "3.3.4",
        ),
        (
            &versions,
            "latest=2026-01-03 3.3.4",
            "3.3.4=2026-01-02",
            "refused: latest to 3.3.4",
        ),
        (
            &versions,
            "3.3.5 latest=2026-01-01",
            "3.3.4=2026-01-02",
            "refused: 3.3.5 to 3.3.4",
        ),
        // One of them is a name of the best.
        (&versions, "3.3.4 v3.3.5", "3.3.5 v3.3.5", "v3.3.5"),
        (
            &builds,
            "16-a=2026-01-01 16-c=2026-01-03",
            "16-b=2026-01-02",
            "refused: 16-c to 16-b",
        ),
        (
            &builds,
            "16-a=2026-01-01 16-b=2026-01-02",
            "16-b=2026-01-02",
            "16-b",
        ),
        // It could be the newest.
        (
            &builds,
            "16-a=2026-01-01 16-x=?",
            "16-b=2026-01-02",
            "unknown",
        ),
        (
            &builds,
            "16-x=none 16-c=2026-01-03",
            "16-b=2026-01-02",
            "unknown",
        ),
    ];
    for (policy, runs, tags, expected) in cases {
        let running = runs.split_whitespace().map(|it| {
            let (name, date) = it.split_once('=').unwrap_or((it, "none"));
            super::runs(name, date_of(date))
        });
        let running: Vec<_> = running.collect();
        let observed = (TagList::Complete(names(tags)), dated(tags));
        let world = World {
            running: &running,
            ..at(&observed, None)
        };
        let choice = choose(&super::rules(policy), &world);
        assert_eq!(short(&choice), expected, "{runs}: {policy}");
    }
}

fn digest(letter: &str) -> Digest {
    format!("sha256:{}", letter.repeat(64)).parse().unwrap()
}

/// `3.3.4@a=2026-01-01`: a tag, the build it leads to, when that was built. `@?`
/// where that is not known, and nothing where nobody asked.
fn led(text: &str) -> BTreeMap<Tag, Option<Digest>> {
    let tags = text.split_whitespace().filter_map(|it| {
        let (name, rest) = it.split_once('@')?;
        let letter = rest.split('=').next()?;
        Some((tag(name), (letter != "?").then(|| digest(letter))))
    });
    tags.collect()
}

/// The tags and dates of such a text.
fn plain(text: &str) -> String {
    let tags = text.split_whitespace().map(|it| match it.split_once('@') {
        None => it.to_owned(),
        Some((name, rest)) => match rest.split_once('=') {
            None => name.to_owned(),
            Some((_, date)) => format!("{name}={date}"),
        },
    });
    tags.collect::<Vec<_>>().join(" ")
}

/// What runs by a digest alone, or by a tag of another kind: (what runs, tags
/// with where they lead, what comes of it).
fn check_led(policy: &Policy, minimum_age: Option<Duration>, cases: &[(&str, &str, &str)]) {
    for (runs, tags, expected) in cases {
        let (name, rest) = runs.split_once('@').unwrap();
        let (letter, date) = rest.split_once('=').unwrap_or((rest, "?"));
        let running = Running {
            tag: (!name.is_empty()).then(|| tag(name)),
            digest: Some(digest(letter)),
            built: date_of(date),
        };
        let (leads, tags) = (led(tags), plain(tags));
        let world = (TagList::Complete(names(&tags)), dated(&tags));
        let world = World {
            leads: &leads,
            ..at(&world, Some(&running))
        };
        let rules = Rules {
            policy,
            minimum_age,
            allow_downgrade: false,
        };
        let choice = short(&choose(&rules, &world));
        assert_eq!(choice, *expected, "{runs}: {policy} of {tags}");
    }
}

#[test]
fn of_what_runs_without_a_tag_that_speaks_of_it() {
    let name = "sha256:aaaaaaaaaaaa…";
    check_led(
        &semver("~3.3"),
        None,
        &[
            // A tag leads to it: it stands where that does, whatever the dates.
            ("@a", "3.3.5@a", "3.3.5"),
            ("@a=2026-02-01", "3.3.4@a 3.3.5@b=2026-01-01", "3.3.5"),
            ("latest@a=2026-02-01", "3.3.4@a 3.3.5@b", "3.3.5"),
            // Also one that is out of the range.
            (
                "@a=2026-01-01",
                "17.1@a 3.3.5@b=2026-02-01",
                &format!("refused: {name} to 3.3.5"),
            ),
            ("@a=2026-02-01", "2.1@a 3.3.5@b=2026-01-01", "3.3.5"),
            // None does: the later build is the better one.
            ("@a=2026-01-01", "3.3.4@c 3.3.5@b=2026-01-02", "3.3.5"),
            ("@a=2026-01-02", "3.3.4@c 3.3.5@b=2026-01-02", "3.3.5"),
            (
                "@a=2026-01-03",
                "3.3.4@c 3.3.5@b=2026-01-02",
                &format!("refused: {name} to 3.3.5"),
            ),
            (
                "latest@a=2026-01-03",
                "3.3.5@b=2026-01-02",
                "refused: latest to 3.3.5",
            ),
            // Where a tag leads is not known, so it may be this one's, or not.
            (
                "@a=2026-01-03",
                "3.3.4@? 3.3.5@b=2026-01-02",
                &format!("refused: {name} to 3.3.5"),
            ),
            // Nor are dates.
            ("@a=?", "3.3.5@b=2026-01-02", "unknown"),
            ("@a=none", "3.3.5@b=2026-01-02", "unknown"),
            ("@a=2026-01-01", "3.3.5@b=none", "unknown"),
            ("@a=2026-01-01", "3.3.5@b=?", "unknown"),
            ("@a=2026-01-01", "3.3.5@b=9999-12-30", "unknown"),
            // Nobody asked.
            ("@a=2026-01-01", "3.3.5=2026-01-02", "unknown"),
            ("@a=2026-01-01", "3.3.5@b", "unknown"),
            ("@a=2026-01-01", "3.3.4 3.3.5@b=2026-01-02", "unknown"),
            // Of equal ones the name of what runs stays.
            ("@a", "3.3.5@b v3.3.5@a", "v3.3.5"),
        ],
    );
    check_led(
        &regex(r"16-(\d{8})", Date),
        None,
        &[
            ("16@a", "16@b 16-20260131@a", "16-20260131"),
            ("16@a", "16-20260131@b 16-20260101@a", "16-20260131"),
            (
                "@a=2026-02-01",
                "16-20260131@b=2026-01-31",
                &format!("refused: {name} to 16-20260131"),
            ),
        ],
    );
    check_led(
        &newest("16-.*"),
        None,
        &[
            ("@a=2026-02-01", "16-a@a=2026-02-01", "16-a"),
            ("@a=2026-01-01", "16-b=2026-02-01", "16-b"),
            (
                "@a=2026-02-01",
                "16-b=2026-01-01",
                &format!("refused: {name} to 16-b"),
            ),
            ("@a=?", "16-b=2026-01-01", "unknown"),
            (
                "@a=2026-02-01",
                "16-b@b=2026-02-01 16-c@a=2026-02-01",
                "16-c",
            ),
        ],
    );
}

/// What runs by its digest is the build that would have to wait.
#[test]
fn of_a_young_build_that_runs_without_a_tag() {
    let day = Some(Duration::from_secs(86_400));
    let tags = "3.3.5@a=2026-02-09 3.3.4@b=2026-01-01";
    for policy in [semver("~3.3"), regex("(.*)", Semver), newest(".*")] {
        check_led(&policy, day, &[("@a=2026-02-09", tags, "3.3.5")]);
        // Its tags are gone: what is left is below.
        let gone = "refused: sha256:aaaaaaaaaaaa… to 3.3.4";
        let case = ("@a=2026-02-09", "3.3.4@b=2026-01-01", gone);
        check_led(&policy, day, &[case]);
        let waits = "3.3.6@c=2026-02-09T01:00:00Z 3.3.4@b=2026-01-01";
        let held = "held: 3.3.6 at 2026-02-10T01:00:00Z";
        check_led(&policy, day, &[("@a=2026-02-09", waits, held)]);
    }
}

/// (what runs, tags with where they lead, of which it is asked where they lead,
/// and whose dates)
#[test]
fn no_more_is_asked_than_what_places_what_runs() {
    let many: Vec<String> = (0..99).map(|patch| format!("3.3.{patch}")).collect();
    let many = format!("3.3.99@b {}", many.join(" "));
    let cases = [
        // What its tag places needs nothing.
        ("3.3.4@a", "3.3.4 3.3.5", 0, 0),
        ("3.4.0@a", "3.3.4 3.3.5", 0, 0),
        // The best, and then the others at once.
        ("@a", "3.3.4 3.3.5 latest", 1, 0),
        ("@a", "3.3.4 3.3.5@a latest", 0, 0),
        ("@a", "3.2.0 3.3.3 3.3.4 3.3.5@b latest", 3, 0),
        ("latest@a", "3.3.3 3.3.4 3.3.5@b latest", 2, 0),
        ("@a", "3.3.3@? 3.3.4@a 3.3.5@b", 0, 0),
        ("@a", &many, 31, 0),
        // In vain: the date of the best.
        ("@a=2026-01-01", "3.3.3@? 3.3.4@c 3.3.5@b", 0, 1),
        ("@a=2026-01-01", "3.3.4@c 3.3.5@b=2026-01-01", 0, 0),
        ("@a=?", "3.3.4@c 3.3.5@b", 0, 0),
    ];
    for (runs, tags, expected_leads, expected_dates) in cases {
        let (name, rest) = runs.split_once('@').unwrap();
        let (letter, date) = rest.split_once('=').unwrap_or((rest, "?"));
        let running = Running {
            tag: (!name.is_empty()).then(|| tag(name)),
            digest: Some(digest(letter)),
            built: date_of(date),
        };
        let leads = led(tags);
        let world = (TagList::Complete(names(&plain(tags))), dated(&plain(tags)));
        let world = World {
            leads: &leads,
            ..at(&world, Some(&running))
        };
        let policy = semver("~3.3");
        let rules = super::rules(&policy);
        let counts = (
            wanted_leads(&rules, &world).len(),
            wanted_dates(&rules, &world).len(),
        );
        assert_eq!(counts, (expected_leads, expected_dates), "{runs} of {tags}");
        // Who allows it to go down needs none of it.
        let allowed = Rules {
            allow_downgrade: true,
            ..rules
        };
        assert_eq!(wanted_leads(&allowed, &world), [], "{runs} of {tags}");
        assert_eq!(wanted_dates(&allowed, &world), [], "{runs} of {tags}");
    }
}
