//! Manners of tagging that are met in the wild, each with the policies that
//! people would write for it.

use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};
use imgstack_spec::policy::Policy;

use super::{of, regex, semver};

fn check(tags: &str, cases: &[(Policy, &str)]) {
    for (policy, expected) in cases {
        assert_eq!(of(policy, tags), *expected, "{policy}");
    }
}

/// A tag for a line of development, and two for each of its builds.
#[test]
fn three_tags_of_a_build() {
    let tags = "16 16-9b1d2e7 16-20260202 16-abc1234 16-20260209 \
                17 17-0c0ffee 17-20260209 17-1234567";
    check(
        tags,
        &[
            (semver("~16"), "16"),
            (semver(">=16"), "17"),
            (regex(r"16-(\d{8})", Date), "16-20260209"),
            (regex(r"1[67]-(\d{8})", Date), "16-20260209"),
            (regex(r"(\d+)-\d{8}", Numeric), "17-20260209"),
            (regex(r"(\d+-\d{8})", Numeric), "17-20260209"),
            (regex(r"16-([0-9a-f]{7})", Alphabetical), "16-abc1234"),
            // A commit of digits alone is no date.
            (regex(r"17-(\d{7,8})", Date), "17-20260209"),
            (regex(r"17-(\d{7})", Date), "none: 17-1234567"),
        ],
    );
}

/// PostgreSQL: two numbers, variants, and pre-releases without a hyphen.
#[test]
fn a_database_with_variants() {
    let tags = "latest alpine bookworm 16 16.3 16.4 16.10 16-alpine 16.4-alpine 16.10-alpine \
                16.10-alpine3.21 16.10-bookworm 17 17.0 17rc1 18beta2 18beta2-alpine 9.6.24";
    check(
        tags,
        &[
            (semver("~16"), "16.10"),
            (semver("~16.4"), "16.4"),
            (semver("=16.10"), "16.10"),
            (semver("*"), "17.0"),
            (semver("<10"), "9.6.24"),
            (semver("~16 -alpine"), "16.10-alpine"),
            (semver("<=16.4 -alpine"), "16.4-alpine"),
            (semver("~16 -alpine3.21"), "16.10-alpine3.21"),
            (
                semver("~17 -alpine"),
                "none: 16.10-alpine 16.4-alpine 16-alpine",
            ),
            // The pre-releases of this one are no versions by the grammar.
            (semver(">=18.0.0-beta.1"), "none: 17.0 17 16.10"),
            (regex(r"18beta(\d+)", Numeric), "18beta2"),
            (regex(r"(\d+\.\d+)-alpine", Semver), "16.10-alpine"),
            (regex(r"(\d+\.\d+)-bookworm", Semver), "16.10-bookworm"),
        ],
    );
}

/// A proxy: a leading v, lines by one and two numbers, names of releases.
#[test]
fn a_leading_v_and_names() {
    let tags = "latest chevrotin comte v2 v2.11 v2.11.18 v3 v3.3 v3.3.1 v3.3.2 v3.3.10 v3.4.0-rc1 \
                v3.4.0-rc2 v3.4.0-ea.1 3.3 3.3.10 v3.3.10-windowsservercore-ltsc2022";
    check(
        tags,
        &[
            (semver("~3.3"), "3.3.10"),
            (semver("^3"), "3.3.10"),
            (semver("~3.3, <3.3.10"), "v3.3.2"),
            (semver("~2"), "v2.11.18"),
            (semver(">=3.4.0-rc.0"), "v3.4.0-rc2"),
            (
                semver(">=3.4.0-rc3"),
                "none: v3.4.0-rc2 v3.4.0-rc1 v3.4.0-ea.1",
            ),
            (semver(">=3.4.0-rc"), "v3.4.0-rc2"),
            (semver(">=3.4.0-ea.1"), "v3.4.0-rc2"),
            (semver("=3.4.0-ea.1"), "v3.4.0-ea.1"),
            (
                semver("~3.3 -windowsservercore-ltsc2022"),
                "v3.3.10-windowsservercore-ltsc2022",
            ),
            (regex(r"v(\d+\.\d+\.\d+)", Semver), "v3.3.10"),
            (regex(r"[a-z]{3,}", Alphabetical), "latest"),
        ],
    );
}

/// An object store: releases named by their minute.
#[test]
fn releases_named_by_their_minute() {
    let tags = "latest edge RELEASE.2025-01-20T14-49-07Z RELEASE.2025-02-03T21-03-04Z \
                RELEASE.2025-02-03T21-03-04Z.fips RELEASE.2024-12-31T23-59-59Z";
    check(
        tags,
        &[
            (
                regex(r"RELEASE\.(.*Z)", Date),
                "RELEASE.2025-02-03T21-03-04Z",
            ),
            (
                regex(r"RELEASE\.(.*Z)\.fips", Date),
                "RELEASE.2025-02-03T21-03-04Z.fips",
            ),
            (
                regex(r"RELEASE\.(2025-01.*)", Date),
                "RELEASE.2025-01-20T14-49-07Z",
            ),
            (
                regex(r"RELEASE\.(.*)", Alphabetical),
                "RELEASE.2025-02-03T21-03-04Z.fips",
            ),
            (
                semver("*"),
                "none: latest edge RELEASE.2025-02-03T21-03-04Z.fips",
            ),
        ],
    );
}

/// A home automation: calendar versions, betas without a hyphen.
#[test]
fn calendar_versions() {
    let tags = "latest stable beta dev 2025.12 2025.12.5 2026.1 2026.1.3 2026.1.10 2026.2.0b3 \
                2026.2.0.dev20260109";
    check(
        tags,
        &[
            (semver("*"), "2026.1.10"),
            (semver("~2025.12"), "2025.12.5"),
            (semver("<2026"), "2025.12.5"),
            (regex(r"(\d+\.\d+\.\d+)", Numeric), "2026.1.10"),
            (regex(r"(\d+\.\d+)", Date), "2026.1"),
            (regex(r"2026\.2\.0b(\d+)", Numeric), "2026.2.0b3"),
            (regex(r"2026\.2\.0\.dev(\d+)", Date), "2026.2.0.dev20260109"),
        ],
    );
}

/// A distribution: years and months, code names with the day of the build.
#[test]
fn code_names_and_days() {
    let tags = "latest rolling 22.04 24.04 24.10 25.04 jammy noble jammy-20251208 noble-20251213 \
                noble-20260113 noble-20260210.1 trixie-20260202-slim trixie-20260119-slim";
    check(
        tags,
        &[
            (semver("~24.4"), "24.04"),
            (semver("~24"), "24.10"),
            (semver("*"), "25.04"),
            (regex(r"noble-(\d{8})", Date), "noble-20260113"),
            (regex(r"noble-([\d.]+)", Numeric), "noble-20260210.1"),
            (regex(r"trixie-(\d{8})-slim", Date), "trixie-20260202-slim"),
            (regex(r"(\d\d\.04)", Numeric), "25.04"),
            (regex(r"[a-z]+", Alphabetical), "rolling"),
        ],
    );
}

/// A packager: revisions of the package behind the version.
#[test]
fn revisions_of_a_package() {
    let tags = "16.4.0 16.4.0-debian-12-r3 16.4.0-debian-12-r14 16.3.0-debian-12-r20 \
                version-16.4-r1 16.4-ls9 16.4-ls100 16.5-ls1";
    check(
        tags,
        &[
            (semver("~16"), "16.4.0"),
            (
                regex(r"16\.4\.0-debian-12-r(\d+)", Numeric),
                "16.4.0-debian-12-r14",
            ),
            (
                regex(r"16\.\d+\.0-debian-12-r(\d+)", Numeric),
                "16.3.0-debian-12-r20",
            ),
            (regex(r"16\.4-ls(\d+)", Numeric), "16.4-ls100"),
            (regex(r"(16\.\d+)-ls\d+", Semver), "16.5-ls1"),
            (semver("~16 -ls1"), "16.5-ls1"),
            (semver("~16.4 -ls9"), "16.4-ls9"),
        ],
    );
}

/// A pipeline: counters, branches and commits.
#[test]
fn counters_and_commits() {
    let tags = "main main-41 main-42 main-100 pr-7 pr-12 sha-abc1234 sha-1234567 1234567 \
                b9e0f1a 20260206.9 20260206.10 20260206-abc1234 nightly-20260206 nightly-20260205";
    check(
        tags,
        &[
            (regex(r"main-(\d+)", Numeric), "main-100"),
            (regex(r"main-(\d+)", Alphabetical), "main-42"),
            (regex(r"pr-(\d+)", Numeric), "pr-12"),
            (regex(r"(\d{8}\.\d+)", Numeric), "20260206.10"),
            (regex(r"(\d{8}\.\d+)", Alphabetical), "20260206.9"),
            (regex(r"(\d{8})-[0-9a-f]{7}", Date), "20260206-abc1234"),
            (regex(r"nightly-(.*)", Date), "nightly-20260206"),
            (semver("*"), "none: sha-abc1234 sha-1234567 pr-7"),
        ],
    );
}
