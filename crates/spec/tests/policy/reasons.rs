//! What a person reads: (what runs, tags, the reason).

use std::time::Duration;

use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};
use imgstack_spec::policy::{Order, Policy, Rules, TagList, choose};

use super::{at, date_of, dated, names, newest, regex, semver, why};

/// (the policy as the spec has it, and as messages name it)
#[test]
fn what_a_policy_is_called() {
    let cases = [
        (semver("~3.3"), r#"semver "~3.3""#, "`~3.3`"),
        (
            semver(">=16.2, <17 -alpine"),
            r#"semver ">=16.2, <17" suffix "-alpine""#,
            "`>=16.2, <17` with `-alpine`",
        ),
        (
            regex(r"16-(\d{8})", Date),
            r#"regex "16-(\d{8})" order date"#,
            r"`16-(\d{8})`",
        ),
        (newest("16-.*"), r#"newest "16-.*""#, "`16-.*`"),
    ];
    for (policy, written, named) in cases {
        assert_eq!((&*policy.written(), &*policy.to_string()), (written, named));
    }
    for (name, order) in Order::NAMES {
        assert_eq!(order.name(), name);
    }
}

fn check(policy: &Policy, minimum_age: Option<Duration>, cases: &[(&str, &str, &str)]) {
    for (runs, tags, expected) in cases {
        let running = runs
            .split_once('=')
            .map(|(name, date)| super::runs(name, date_of(date)));
        let world = (TagList::Complete(names(tags)), dated(tags));
        let rules = Rules {
            policy,
            minimum_age,
            allow_downgrade: false,
        };
        let choice = choose(&rules, &at(&world, running.as_ref()));
        assert_eq!(why(&choice), *expected, "{runs}: {policy} of {tags}");
    }
}

#[test]
fn of_a_range() {
    check(
        &semver("~3.3"),
        None,
        &[
            ("", "3.3.1", "the only tag in `~3.3`"),
            (
                "",
                "3.3.1 3.3.2 3.4.0",
                "the highest version of 2 tags in `~3.3`",
            ),
            (
                "",
                "3.3.1 v3.3.1",
                "the highest version of 2 tags in `~3.3`; `v3.3.1` is equal to it",
            ),
            (
                "",
                "3.3.1 v3.3.1 V3.3.1 3.3.1_b",
                "the highest version of 4 tags in `~3.3`; `3.3.1_b` and 2 more are equal to it",
            ),
            (
                "3.3.5=none",
                "3.3.4 3.3.3",
                "`3.3.5` runs, which the repository no longer has; `3.3.4`, the highest version of 2 tags in `~3.3`, is older",
            ),
            (
                "17.1=none",
                "3.3.4 17.1",
                "`17.1` runs; `3.3.4`, the only tag in `~3.3`, is older",
            ),
            ("", "", "the repository has no tags"),
            ("", "latest", "of one tag, none is a version"),
            ("", "latest main", "of 2 tags, none is a version"),
            ("", "3.4.0 latest", "of one version, none is in `~3.3`"),
            ("", "3.4.0 3.5.0", "of 2 versions, none is in `~3.3`"),
            (
                "",
                "3.3.1-rc.1 3.4.0",
                "of 2 versions, none is in `~3.3`; `3.3.1-rc.1` is a pre-release or a variant: the range can name the one, `suffix` the other",
            ),
            (
                "",
                "3.3.1-alpine",
                "of one version, none is in `~3.3`; `3.3.1-alpine` is a pre-release or a variant: the range can name the one, `suffix` the other",
            ),
        ],
    );
    check(
        &semver("~3.3 -alpine"),
        None,
        &[
            (
                "",
                "3.3.1 3.3.2",
                "of 2 tags, none is a version with `-alpine`",
            ),
            ("", "3.3.1-alpine", "the only tag in `~3.3` with `-alpine`"),
        ],
    );
}

#[test]
fn of_a_pattern() {
    let cases = [
        (Semver, "the highest version of 2 tags that match `(.*)`"),
        (Numeric, "the highest number of 2 tags that match `(.*)`"),
        (Alphabetical, "the last by name of 2 tags that match `(.*)`"),
        (Date, "the latest date of 2 tags that match `(.*)`"),
    ];
    for (order, expected) in cases {
        check(
            &regex("(.*)", order),
            None,
            &[("", "2025.11 2025.12", expected)],
        );
    }
    check(
        &regex(r"16-(.*)", Date),
        None,
        &[
            ("", "17 18", "of 2 tags, none matches `16-(.*)`"),
            (
                "",
                "16-a",
                "one tag matches `16-(.*)`, and what it finds there is no date",
            ),
            (
                "",
                "16-a 16-b 17",
                "2 tags match `16-(.*)`, and what it finds there is no date",
            ),
            (
                "",
                "16-20270101 16-a",
                "2 tags match `16-(.*)`, and no date there has come yet",
            ),
            ("", "16-20260101 17", "the only tag that matches `16-(.*)`"),
        ],
    );
}

#[test]
fn of_dates() {
    check(
        &newest("16-.*"),
        None,
        &[
            (
                "",
                "16-a=2026-01-01 16-b=2026-02-01",
                "the newest build of 2 tags that match `16-.*`",
            ),
            ("", "17=2026-01-01", "of one tag, none matches `16-.*`"),
            (
                "",
                "16-a=none",
                "one tag matches `16-.*`, and none says when it was built",
            ),
            (
                "",
                "16-a=?",
                "when `16-a` was built is not known: the registry does not answer",
            ),
            (
                "16-b=?",
                "16-a=2026-01-01",
                "when `16-b`, which runs, was built is not known: the registry does not answer",
            ),
            (
                "",
                "16-a 16-b",
                "the build dates of 2 tags were not asked for",
            ),
        ],
    );
    check(
        &semver("~3.3"),
        Some(Duration::from_secs(86_400)),
        &[
            (
                "",
                "3.3.5=2026-02-09 3.3.4=2026-02-01 3.3.3=2026-02-01",
                "the highest version of 3 tags in `~3.3` that is old enough",
            ),
            (
                "",
                "3.3.5=2026-02-09 3.3.4=2026-02-09",
                "`3.3.5`, the highest version of 2 tags in `~3.3`, is too young",
            ),
            (
                "",
                "3.3.5=none 3.3.4=none",
                "2 tags match `~3.3`, and none says when it was built, which `minimumAge` needs",
            ),
            (
                "",
                "3.3.5=?",
                "when `3.3.5` was built is not known: the registry does not answer",
            ),
        ],
    );
}
