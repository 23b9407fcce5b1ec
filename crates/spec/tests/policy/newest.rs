//! `newest`: (pattern, tags with the dates of their builds, what comes of it).

use imgstack_spec::policy::{TagList, choose, wanted_dates};

use super::{at, dated, names, newest, rules, short};

fn check(cases: &[(&str, &str, &str)]) {
    for (pattern, tags, expected) in cases {
        let policy = newest(pattern);
        let world = (TagList::Complete(names(tags)), dated(tags));
        let choice = choose(&rules(&policy), &at(&world, None));
        assert_eq!(short(&choice), *expected, "{pattern} of {tags}");
    }
}

#[test]
fn the_date_of_the_build_decides() {
    check(&[
        (".*", "a=2026-02-01 b=2026-01-01", "a"),
        (".*", "a=2026-01-01 b=2026-02-01", "b"),
        (".*", "a=2026-02-01T04:00:00Z b=2026-02-01T05:00:00Z", "b"),
        (
            ".*",
            "a=2026-02-01T05:00:00+02:00 b=2026-02-01T04:00:00Z",
            "b",
        ),
        (
            "16-[0-9a-f]{7}",
            "16-abc1234=2026-01-01 16-def5678=2026-02-01",
            "16-def5678",
        ),
        (
            "16-[0-9a-f]{7}",
            "16-abc1234=2026-01-01 17-def5678=2026-02-01",
            "16-abc1234",
        ),
        (
            "16-[0-9a-f]{7}",
            "16=2026-02-01 16-abc1234=2026-01-01",
            "16-abc1234",
        ),
        (
            "16-.*",
            "16-20260206=2026-01-01 16-20260101=2026-02-01",
            "16-20260101",
        ),
        // One build by two tags: the first by name.
        (
            ".*",
            "16-abc1234=2026-02-01 16-20260201=2026-02-01",
            "16-20260201",
        ),
        (
            ".*",
            "16-b=2026-02-01 16-a=2026-02-01 16-c=2026-01-01",
            "16-a",
        ),
        // What does not match is not asked, and its date does not matter.
        ("16-.*", "16-a=2026-01-01 17-b=?", "16-a"),
        ("16-.*", "16-a=2026-01-01 17-b", "16-a"),
        ("18", "16=2026-01-01 17=2026-01-01", "none: 17 16"),
    ]);
}

#[test]
fn what_has_no_credible_date_is_not_the_newest() {
    check(&[
        (".*", "a=none b=2026-01-01", "b"),
        (".*", "a=none b=none", "none: b a"),
        // Reproducible builds.
        (".*", "a=1970-01-01 b=2026-01-01", "b"),
        (".*", "a=1980-01-01T00:00:01Z", "none: a"),
        (".*", "a=2012-12-31T23:59:59Z b=2013-01-01", "b"),
        (".*", "a=0001-01-01", "none: a"),
        // From the future, by more than clocks differ.
        (".*", "a=2026-02-10T12:00:00Z b=2026-02-01", "a"),
        (".*", "a=2026-02-10T12:00:01Z b=2026-02-01", "b"),
        (".*", "a=9999-12-30 b=2026-02-01", "b"),
    ]);
}

#[test]
fn a_date_that_is_not_known_could_be_the_newest() {
    check(&[
        (".*", "a=? b=2026-01-01", "unknown"),
        (".*", "a=2026-02-09 b=?", "unknown"),
        (".*", "a=?", "unknown"),
        (".*", "a b=2026-01-01", "unknown"),
        (".*", "a=? b", "unknown"),
    ]);
}

#[test]
fn dates_are_asked_of_candidates_alone() {
    let cases = [
        ("16-.*", "16-a 16-b 17-c latest", "16-a 16-b"),
        ("16-.*", "16-a=2026-01-01 16-b 17-c latest", "16-b"),
        ("16-.*", "16-a=none 16-b=2026-01-01 17", ""),
        ("16-.*", "16-b 16-a 16-b", "16-a 16-b"),
        (".*", "a a.sig a.att a.sbom", "a"),
        ("16-.*", "17", ""),
        // The answer is known to be unknown already.
        ("16-.*", "16-a=? 16-b", ""),
    ];
    for (pattern, tags, expected) in cases {
        let policy = newest(pattern);
        let world = (TagList::Complete(names(tags)), dated(tags));
        let wanted = wanted_dates(&rules(&policy), &at(&world, None));
        assert_eq!(wanted, super::list(expected), "{pattern} of {tags}");
    }
}
