//! `regex`: (pattern, order, tags, what comes of it).

use imgstack_spec::policy::Order;
use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};

use super::{of, regex};

fn check(cases: &[(&str, Order, &str, &str)]) {
    for (pattern, order, tags, expected) in cases {
        let policy = regex(pattern, *order);
        assert_eq!(
            of(&policy, tags),
            *expected,
            "{pattern} {order:?} of {tags}"
        );
    }
}

#[test]
fn a_pattern_is_for_whole_tags() {
    check(&[
        ("16", Numeric, "16 2016 160 1160", "16"),
        ("1.", Numeric, "16 160 1", "16"),
        ("16-[0-9]+", Alphabetical, "16-1 x16-2 16-3x", "16-1"),
        ("a|ab", Alphabetical, "ab", "ab"),
        ("ab|a", Alphabetical, "a ab abc", "ab"),
        ("^16$", Numeric, "16 160", "16"),
        ("^16-", Numeric, "16-1", "none: 16-1"),
        (".*", Alphabetical, "a b", "b"),
        ("[^-]+", Alphabetical, "a b-c", "a"),
        ("(?i)rc", Alphabetical, "RC rc Rc rC", "rc"),
        (r"\w+", Alphabetical, "a_1 a-1", "a_1"),
        ("x*", Alphabetical, "y", "none: y"),
        // A comment in a pattern ends with it.
        (
            "(?x) 16 - \\d+ # the date",
            Alphabetical,
            "16-1 16-2",
            "16-2",
        ),
        // Case counts.
        ("rc", Alphabetical, "RC", "none: RC"),
    ]);
}

#[test]
fn a_group_marks_what_is_ordered() {
    check(&[
        (
            r"16-(\d{8})",
            Date,
            "16-20260206 16-20260131 17-20260207",
            "16-20260206",
        ),
        (r"16-(?:r|b)(\d+)", Numeric, "16-r9 16-b10", "16-b10"),
        (r"(?P<number>\d+)-.*", Numeric, "2-a 10-b", "10-b"),
        (r".*-(\d+)", Numeric, "z-1 a-2", "a-2"),
        (
            r"(\d+)-[0-9a-f]{7}",
            Numeric,
            "15-abc1234 16-abc1234",
            "16-abc1234",
        ),
        (
            r"release-(.+)",
            Semver,
            "release-1.9.0 release-1.10.0",
            "release-1.10.0",
        ),
        // A group that has no part in the match.
        (r"(\d+)|latest", Numeric, "latest", "none: latest"),
        (r"(\d+)|latest", Numeric, "latest 3", "3"),
        // An empty part.
        (r"16(.*)", Alphabetical, "16 16a", "16a"),
        (r"16(\d*)", Numeric, "16", "none: 16"),
        // The last of a repeated group.
        (r"(?:(\d)-?)+", Numeric, "1-9 2-3", "1-9"),
    ]);
}

#[test]
fn as_versions() {
    check(&[
        (r"pg(.+)", Semver, "pg16.4 pg16.10 pg9.6", "pg16.10"),
        (
            r"(.+)-alpine",
            Semver,
            "16.4-alpine 16.10-alpine 17.0",
            "16.10-alpine",
        ),
        (
            r"v?(\d+\.\d+\.\d+)",
            Semver,
            "v1.2.3 1.2.4 1.2.5-rc.1",
            "1.2.4",
        ),
        // A pattern that lets pre-releases through means them.
        (r"(.*)", Semver, "1.2.3 1.3.0-rc.1", "1.3.0-rc.1"),
        (r"(.*)", Semver, "1.3.0 1.3.0-rc.1", "1.3.0"),
        (r"(.*)", Semver, "1.2.3 20260206 latest", "1.2.3"),
        (r"(.*)", Semver, "latest main", "none: main latest"),
        (r"x(.*)", Semver, "x1.2 x1.2.0", "x1.2.0"),
        (r"[xv]?(.*)", Semver, "x1.2.0 v1.2.0 1.2.0", "1.2.0"),
    ]);
}

#[test]
fn as_numbers() {
    check(&[
        (r"(\d+)", Numeric, "9 10", "10"),
        (r"(\d+)", Numeric, "099 100", "100"),
        (r"(\d+)", Numeric, "007 7", "007"),
        (r"(\d+)", Numeric, "0 00", "0"),
        (r"b(\d+)", Numeric, "b1 b2 b12", "b12"),
        // Of any length.
        (
            r"(\d+)",
            Numeric,
            "18446744073709551615 18446744073709551616",
            "18446744073709551616",
        ),
        (
            r"(\d+)",
            Numeric,
            "99999999999999999999999999999 1",
            "99999999999999999999999999999",
        ),
        // One after another.
        (r"(.+)", Numeric, "20260206.9 20260206.10", "20260206.10"),
        (r"(.+)", Numeric, "1.5 1.25", "1.25"),
        (r"(.+)", Numeric, "1.2 1.2.0", "1.2.0"),
        (r"(.+)", Numeric, "1.2.3.4 1.2.3.5", "1.2.3.5"),
        (r"(.+)", Numeric, "1-2 1-3 1_2", "1-3"),
        (r"(.+)", Numeric, "1.2 1-2 1_2", "1-2"),
        // Not a number.
        (r"(.+)", Numeric, "1a", "none: 1a"),
        (r"(.+)", Numeric, "1..2 1. 0x10 1e9", "none: 1e9 1..2 1."),
        (r"(.+)", Numeric, "latest 3", "3"),
    ]);
}

#[test]
fn as_text() {
    check(&[
        (r".+", Alphabetical, "bookworm bullseye trixie", "trixie"),
        (r".+", Alphabetical, "9 10", "9"),
        (r".+", Alphabetical, "Z a", "a"),
        (r".+", Alphabetical, "a-b a.b a_b aXb", "a_b"),
        (r".+", Alphabetical, "a ab", "ab"),
        (r"x-(.*)-.*", Alphabetical, "x-a-9 x-b-1", "x-b-1"),
        // Equal: the first by name.
        (r"16-.+()", Alphabetical, "16-b 16-a", "16-a"),
    ]);
}

#[test]
fn as_dates() {
    check(&[
        (r".+", Date, "20260206 20260131", "20260206"),
        (r".+", Date, "2026-02-06 2026-01-31", "2026-02-06"),
        (r".+", Date, "2026.02.06 2026.01.31", "2026.02.06"),
        (r".+", Date, "2026_02_06 2026_01_31", "2026_02_06"),
        (r".+", Date, "2026.2.6 2026.1.31", "2026.2.6"),
        (r".+", Date, "2026.02 2026.01", "2026.02"),
        (r".+", Date, "2025-12 2026-1", "2026-1"),
        // All ways of writing are one order.
        (r".+", Date, "20260205 2026-02-06 2026.02.04", "2026-02-06"),
        (r".+", Date, "2026.02 20260131", "2026.02"),
        (r".+", Date, "2026.02 20260202", "20260202"),
        // With a time.
        (
            r".+",
            Date,
            "20260206T0400Z 20260206T0500Z",
            "20260206T0500Z",
        ),
        (r".+", Date, "20260206-0400 20260206-0359", "20260206-0400"),
        (r".+", Date, "20260206.0400 20260206", "20260206.0400"),
        (r".+", Date, "202602060400 202602060401", "202602060401"),
        (
            r".+",
            Date,
            "20260206040000 20260206040001",
            "20260206040001",
        ),
        (
            r".+",
            Date,
            "20260206T040001 20260206T040000",
            "20260206T040001",
        ),
        (
            r".+",
            Date,
            "2026-02-06T04-00-00Z 2026-02-06T05-00-00Z",
            "2026-02-06T05-00-00Z",
        ),
        (
            r".+",
            Date,
            "2026-02-06T0400 2026-02-06T0300",
            "2026-02-06T0400",
        ),
        (
            r".+",
            Date,
            "2026-02-06-04-00 2026-02-06-03-59",
            "2026-02-06-04-00",
        ),
        (r".+", Date, "2024-02-29 2024-02-28", "2024-02-29"),
        (
            r".+",
            Date,
            "20260206t0400z 20260206t0300z",
            "20260206t0400z",
        ),
        // Equal: the first by name.
        (r".+", Date, "20260206 2026-02-06 2026.02.06", "2026-02-06"),
        (
            r"16-(\d{8})(?:-.*)?",
            Date,
            "16-20260206-b 16-20260206-a",
            "16-20260206-a",
        ),
        // No date of the calendar.
        (r".+", Date, "20260230", "none: 20260230"),
        (
            r".+",
            Date,
            "20250229 20261301 20260200",
            "none: 20261301 20260200 20250229",
        ),
        (r".+", Date, "20260206T2500", "none: 20260206T2500"),
        (r".+", Date, "20260206-04", "none: 20260206-04"),
        (r".+", Date, "20260206.1", "none: 20260206.1"),
        (r".+", Date, "2026", "none: 2026"),
        (r".+", Date, "202602", "none: 202602"),
        (r".+", Date, "260206", "none: 260206"),
        (r".+", Date, "2026-006", "none: 2026-006"),
        (
            r".+",
            Date,
            "2026--06 2026-02- 2026.02.",
            "none: 2026.02. 2026-02- 2026--06",
        ),
        (
            r".+",
            Date,
            "2026-02-06-04-00-00-00",
            "none: 2026-02-06-04-00-00-00",
        ),
        (r".+", Date, "Z T TZ z", "none: z Z TZ"),
        (r".+", Date, "19691231 00000101", "none: 19691231 00000101"),
        (r".+", Date, "1234567 abcdefgh", "none: abcdefgh 1234567"),
        (r".+", Date, "latest 20260206 16", "20260206"),
        // Not before it has come; a day for time zones.
        (r".+", Date, "20260208 20260210", "20260210"),
        (r".+", Date, "20260208 20260211", "20260208"),
        (r".+", Date, "20260208 99991231", "20260208"),
        (r".+", Date, "20260210T1200 20260210T1201", "20260210T1200"),
        (r".+", Date, "20270101", "none: 20270101"),
    ]);
}

#[test]
fn the_nearest_are_those_that_match() {
    check(&[
        (
            r"16-(.*)",
            Date,
            "16-a 16-b 16-c 16-d 17",
            "none: 16-d 16-c 16-b",
        ),
        (r"16-(.*)", Date, "17 18 19 20", "none: 20 19 18"),
        (r"16-(.*)", Date, "", "none: "),
    ]);
}
