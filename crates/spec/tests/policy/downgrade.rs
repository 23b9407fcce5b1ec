//! No step down, whatever vanished: (what runs, tags, what comes of it, and
//! with `allowDowngrade`).

use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};
use imgstack_spec::policy::{BuildDate, Policy, Rules, Running, TagList, World, choose};

use super::{at, date_of, dated, names, newest, regex, semver, short, tag};

fn check(policy: &Policy, cases: &[(&str, &str, &str, &str)]) {
    for (runs, tags, expected, allowed) in cases {
        let (name, date) = runs.split_once('=').unwrap_or((runs, "none"));
        let running = Running {
            tag: tag(name),
            built: date_of(date),
        };
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
            // What is no version has no place in the order.
            ("latest", "3.3.5 latest", "3.3.5", "3.3.5"),
            (
                "16-abc1234",
                "3.3.5",
                "refused: 16-abc1234 to 3.3.5",
                "3.3.5",
            ),
            ("abc1234", "3.3.5", "3.3.5", "3.3.5"),
            ("20260206", "3.3.5", "3.3.5", "3.3.5"),
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
            // Not of this pattern: nothing to compare with.
            ("17-20260206", "16-20260131", "16-20260131", "16-20260131"),
            ("16", "16 16-20260131", "16-20260131", "16-20260131"),
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
            // It was never dated: nothing to compare with.
            ("16-b=none", "16-a=2026-01-01", "16-a", "16-a"),
            ("16-b=1970-01-01", "16-a=2026-01-01", "16-a", "16-a"),
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
    let running = Running {
        tag: tag("3.3.5"),
        built: BuildDate::None,
    };
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
        // What has no place in the order says nothing.
        (&versions, "latest 3.3.4", "3.3.4", "3.3.4"),
        (
            &versions,
            "3.3.5 latest",
            "3.3.4",
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
            "refused: 16-c to 16-b",
        ),
    ];
    for (policy, runs, tags, expected) in cases {
        let running = runs.split_whitespace().map(|it| {
            let (name, date) = it.split_once('=').unwrap_or((it, "none"));
            Running {
                tag: tag(name),
                built: date_of(date),
            }
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
