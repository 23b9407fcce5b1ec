//! `minimumAge`: a build that is younger waits, and asks for as few dates as
//! can be. It is Monday noon, and the age is one day.

use std::time::Duration;

use imgstack_spec::policy::{
    Age, BuildDate, Policy, Rules, Running, TagList, World, choose, wanted_dates,
};
use jiff::Timestamp;

use super::{at, date_of, dated, names, newest, now, regex, runs, semver, short, tag};

const DAY: Duration = Duration::from_secs(86_400);

fn rules(policy: &Policy) -> Rules<'_> {
    Rules {
        policy,
        minimum_age: Some(DAY),
        allow_downgrade: false,
    }
}

/// `3.3.4=2026-02-01`, or nothing.
fn running(text: &str) -> Option<Running> {
    let (name, date) = text.split_once('=')?;
    Some(runs(name, date_of(date)))
}

/// (what runs, tags with dates, what comes of it)
fn check(policy: &Policy, cases: &[(&str, &str, &str)]) {
    for (runs, tags, expected) in cases {
        let world = (TagList::Complete(names(tags)), dated(tags));
        let running = running(runs);
        let choice = choose(&rules(policy), &at(&world, running.as_ref()));
        assert_eq!(short(&choice), *expected, "{runs}: {policy} of {tags}");
    }
}

#[test]
fn a_young_build_waits_and_the_next_does_not() {
    check(
        &semver("~3.3"),
        &[
            ("", "3.3.5=2026-02-01 3.3.4=2026-01-01", "3.3.5"),
            (
                "",
                "3.3.5=2026-02-09 3.3.4=2026-01-01",
                "3.3.4, 3.3.5 at 2026-02-10T00:00:00Z",
            ),
            (
                "",
                "3.3.6=2026-02-09T11:00:00Z 3.3.5=2026-02-09 3.3.4=2026-01-01",
                "3.3.4, 3.3.6 at 2026-02-10T11:00:00Z",
            ),
            // Old enough to the second.
            ("", "3.3.5=2026-02-08T12:00:00Z", "3.3.5"),
            (
                "",
                "3.3.5=2026-02-08T12:00:01Z",
                "held: 3.3.5 at 2026-02-09T12:00:01Z",
            ),
            // A clock that is ahead.
            (
                "",
                "3.3.5=2026-02-09T13:00:00Z",
                "held: 3.3.5 at 2026-02-10T13:00:00Z",
            ),
            // Young ones out of the range wait for nothing.
            ("", "3.4.0=2026-02-09 3.3.4=2026-01-01", "3.3.4"),
            // Of several young ones the best is told.
            (
                "",
                "3.3.5=2026-02-09 3.3.4=2026-02-09T01:00:00Z",
                "held: 3.3.5 at 2026-02-10T00:00:00Z",
            ),
        ],
    );
}

#[test]
fn what_runs_stays_while_a_better_one_waits() {
    check(
        &semver("~3.3"),
        &[
            (
                "3.3.4=2026-01-01",
                "3.3.5=2026-02-09 3.3.4=2026-01-01",
                "3.3.4, 3.3.5 at 2026-02-10T00:00:00Z",
            ),
            (
                "3.3.3=2025-12-01",
                "3.3.5=2026-02-09 3.3.4=2026-01-01 3.3.3=2025-12-01",
                "3.3.4, 3.3.5 at 2026-02-10T00:00:00Z",
            ),
            // It is gone, and the next is under way: no step down till then.
            (
                "3.3.4=2026-01-01",
                "3.3.5=2026-02-09 3.3.3=2026-01-01",
                "held: 3.3.5 at 2026-02-10T00:00:00Z",
            ),
            (
                "3.3.4=2026-01-01",
                "3.3.5=2026-02-09",
                "held: 3.3.5 at 2026-02-10T00:00:00Z",
            ),
            // Its tag has moved to a young build.
            (
                "3.3.4=2026-01-01",
                "3.3.4=2026-02-09 3.3.3=2026-01-01",
                "held: 3.3.4 at 2026-02-10T00:00:00Z",
            ),
            // It is young itself, and runs already.
            (
                "3.3.5=2026-02-09",
                "3.3.5=2026-02-09 3.3.4=2026-01-01",
                "3.3.5",
            ),
            (
                "3.3.5=2026-02-09",
                "3.3.6=2026-02-09 3.3.5=2026-02-09 3.3.4=2026-01-01",
                "3.3.5, 3.3.6 at 2026-02-10T00:00:00Z",
            ),
            // All that is left is below, young or not.
            (
                "3.3.9=2026-01-01",
                "3.3.5=2026-02-09 3.3.4=2026-01-01",
                "refused: 3.3.9 to 3.3.4",
            ),
            (
                "3.3.9=2026-01-01",
                "3.3.5=2026-02-09",
                "refused: 3.3.9 to 3.3.5",
            ),
        ],
    );
}

#[test]
fn an_age_that_is_not_known_is_not_enough() {
    check(
        &semver("~3.3"),
        &[
            ("", "3.3.5=? 3.3.4=2026-01-01", "unknown"),
            ("", "3.3.5=2026-02-09 3.3.4=?", "unknown"),
            ("3.3.5=?", "3.3.5=?", "unknown"),
            ("3.3.5=?", "3.3.5=2026-02-09 3.3.4=?", "unknown"),
            // Those below are not asked.
            ("", "3.3.5=2026-01-01 3.3.4=?", "3.3.5"),
            ("", "3.3.5 3.3.4=2026-01-01", "unknown"),
            // A build without a date never has an age.
            ("", "3.3.5=none 3.3.4=2026-01-01", "3.3.4"),
            ("", "3.3.5=none 3.3.4=none", "none: 3.3.5 3.3.4"),
            ("", "3.3.5=1970-01-01 3.3.4=2026-01-01", "3.3.4"),
            ("", "3.3.5=9999-12-30 3.3.4=2026-01-01", "3.3.4"),
            (
                "",
                "3.3.5=none 3.3.4=2026-02-09",
                "held: 3.3.4 at 2026-02-10T00:00:00Z",
            ),
            // It may go on running.
            ("3.3.5=none", "3.3.5=none 3.3.4=2026-01-01", "3.3.5"),
            ("3.3.5=1970-01-01", "3.3.5=1970-01-01", "3.3.5"),
            (
                "3.3.5=none",
                "3.3.6=2026-02-09 3.3.5=none",
                "3.3.5, 3.3.6 at 2026-02-10T00:00:00Z",
            ),
        ],
    );
}

#[test]
fn every_policy_has_it() {
    check(
        &regex(r"16-(\d{8})", imgstack_spec::policy::Order::Date),
        &[
            (
                "",
                "16-20260209=2026-02-09 16-20260202=2026-02-02",
                "16-20260202, 16-20260209 at 2026-02-10T00:00:00Z",
            ),
            // The date of the build counts, not the one in the tag.
            (
                "",
                "16-20260209=2026-02-01 16-20260202=2026-02-02",
                "16-20260209",
            ),
        ],
    );
    check(
        &newest("16-.*"),
        &[
            (
                "",
                "16-b=2026-02-09 16-a=2026-02-02",
                "16-a, 16-b at 2026-02-10T00:00:00Z",
            ),
            ("", "16-b=2026-02-09", "held: 16-b at 2026-02-10T00:00:00Z"),
            ("", "16-b=? 16-a=2026-02-02", "unknown"),
            ("16-b=2026-02-09", "16-b=2026-02-09 16-a=2026-02-02", "16-b"),
        ],
    );
}

#[test]
fn only_the_dates_that_matter_are_asked() {
    let policy = semver("~3.3");
    let cases = [
        ("3.3.5 3.3.4 3.3.3", "3.3.5"),
        ("3.3.5=2026-02-01 3.3.4 3.3.3", ""),
        ("3.3.5=2026-02-09 3.3.4 3.3.3", "3.3.4"),
        ("3.3.5=2026-02-09 3.3.4=none 3.3.3", "3.3.3"),
        ("3.3.5=2026-02-09 3.3.4=2026-01-01 3.3.3", ""),
        ("3.3.5=? 3.3.4", ""),
        ("3.4.0 latest", ""),
        ("", ""),
    ];
    for (tags, expected) in cases {
        let world = (TagList::Complete(names(tags)), dated(tags));
        let wanted = wanted_dates(&rules(&policy), &at(&world, None));
        assert_eq!(wanted, super::list(expected), "{tags}");
        let without = super::rules(&policy);
        assert_eq!(wanted_dates(&without, &at(&world, None)), [], "{tags}");
    }
}

/// The way of a caller: asks until nothing is wanted.
#[test]
fn asking_comes_to_an_end() {
    let policy = semver("*");
    let all: Vec<_> = (0..100).map(|patch| tag(&format!("1.0.{patch}"))).collect();
    let tags = TagList::Complete(all);
    let mut dates = std::collections::BTreeMap::new();
    let mut asked = 0;
    loop {
        let world = World {
            tags: &tags,
            dates: &dates,
            leads: &super::NOWHERE,
            running: &[],
            now: now(),
        };
        let wanted = wanted_dates(&rules(&policy), &world);
        if wanted.is_empty() {
            let choice = choose(&rules(&policy), &world);
            assert_eq!(short(&choice), "1.0.75, 1.0.99 at 2026-02-10T12:00:00Z");
            break;
        }
        for tag in wanted {
            asked += 1;
            // One an hour, the last one just now.
            let patch: i64 = tag.as_str()[4..].parse().unwrap();
            let built = now() - Duration::from_secs((99 - patch).unsigned_abs() * 3600);
            dates.insert(tag, BuildDate::At(built));
        }
    }
    assert_eq!(asked, 25);
}

#[test]
fn ages() {
    let until = |text: &str| Age::Waits(text.parse().unwrap());
    let cases = [
        ("2026-02-01", Age::Enough),
        ("2026-02-08T12:00:00Z", Age::Enough),
        ("2026-02-08T12:00:01Z", until("2026-02-09T12:00:01Z")),
        ("2026-02-09T12:00:00Z", until("2026-02-10T12:00:00Z")),
        ("2026-02-10T12:00:00Z", until("2026-02-11T12:00:00Z")),
        ("2026-02-10T12:00:01Z", Age::Undated),
        ("2013-01-01", Age::Enough),
        ("2012-12-31", Age::Undated),
        ("1970-01-01", Age::Undated),
        ("none", Age::Undated),
        ("?", Age::Unknown("the registry does not answer".to_owned())),
    ];
    for (date, expected) in cases {
        assert_eq!(date_of(date).age(DAY, now()), expected, "{date}");
    }
    // Nothing overflows.
    let far = Duration::from_secs(u64::MAX);
    let forever = Age::Waits(Timestamp::MAX);
    assert_eq!(date_of("2026-02-01").age(far, now()), forever);
    let built = BuildDate::At(Timestamp::MAX);
    assert_eq!(built.age(Duration::ZERO, Timestamp::MAX), Age::Enough);
}
