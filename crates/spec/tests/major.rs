//! The guard of major versions, in tables: what runs, what is wanted, the
//! verdict. A build is written `TAG`, `TAG LABEL` or `@ LABEL`, where `@` stands
//! for a digest without a tag.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use imgstack_spec::major::{Facts, Files, Verdict, judge, procedure};
use imgstack_spec::{ImageName, Tag};

fn verdict(runs: &str, wants: &str) -> Verdict {
    let (runs_tag, runs_label) = parts(runs);
    let (wants_tag, wants_label) = parts(wants);
    let runs = Facts {
        tag: runs_tag.as_ref(),
        version: runs_label,
    };
    let wants = Facts {
        tag: wants_tag.as_ref(),
        version: wants_label,
    };
    judge(runs, wants)
}

fn parts(text: &str) -> (Option<Tag>, Option<&str>) {
    let (name, label) = match text.split_once(' ') {
        Some((name, label)) => (name, Some(label)),
        None => (text, None),
    };
    let tag = (name != "@").then(|| name.parse().unwrap());
    (tag, label)
}

fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::SameMajor { .. } => "same".to_owned(),
        Verdict::Upgrade { from, to, .. } => format!("up {from} {to}"),
        Verdict::Downgrade { from, to, .. } => format!("down {from} {to}"),
        Verdict::Unknown { .. } => "unknown".to_owned(),
    }
}

/// Each row is also judged the other way round.
fn check(cases: &[(&str, &str, &str)]) {
    for (runs, wants, expected) in cases {
        assert_eq!(short(&verdict(runs, wants)), *expected, "{runs} to {wants}");
        let back = match *expected.split(' ').collect::<Vec<_>>().as_slice() {
            ["up", from, to] => format!("down {to} {from}"),
            ["down", from, to] => format!("up {to} {from}"),
            _ => (*expected).to_owned(),
        };
        assert_eq!(short(&verdict(wants, runs)), back, "{wants} to {runs}");
    }
}

#[test]
fn tags_that_name_versions() {
    check(&[
        ("16", "16", "same"),
        ("16", "17", "up 16 17"),
        ("16.4", "16.5", "same"),
        ("16.4", "17.0", "up 16 17"),
        ("16", "16.1", "same"),
        ("16.1", "17", "up 16 17"),
        ("16.4.1", "16.4.2", "same"),
        ("9", "10", "up 9 10"),
        ("9.6", "10.1", "up 9 10"),
        ("0.9", "0.10", "same"),
        ("0.9", "1.0", "up 0 1"),
        ("1.2.3.4", "1.3", "same"),
        ("16", "18", "up 16 18"),
        // A leading v.
        ("v3", "v4", "up 3 4"),
        ("v3.1", "v3.2", "same"),
        ("V3", "v4", "up 3 4"),
        ("3", "v4", "up 3 4"),
        ("v3", "3.9", "same"),
        // A word before it.
        ("pg16", "pg17", "up 16 17"),
        ("pg16", "pg16.4", "same"),
        ("pg-16", "pg-17", "up 16 17"),
        ("16", "pg17", "up 16 17"),
        ("release-16", "release-17", "up 16 17"),
        ("release-v16.2", "release-v17.0", "up 16 17"),
        ("bookworm-16", "trixie-17", "up 16 17"),
        ("php8.2-apache", "php8.3-apache", "same"),
        // A word behind it.
        ("16-alpine", "17-alpine", "up 16 17"),
        ("16-alpine", "16-bookworm", "same"),
        ("16-alpine3.20", "16-alpine4.0", "same"),
        ("16.4-alpine3.20", "17.0-alpine3.20", "up 16 17"),
        ("16", "17-alpine", "up 16 17"),
        // Builds.
        ("16-abc1234", "17-abc1234", "up 16 17"),
        ("16-abc1234", "16-def5678", "same"),
        ("16-1234567", "16-7654321", "same"),
        ("16-20260206", "16-20260213", "same"),
        ("16-20260206", "17-20260206", "up 16 17"),
        ("16", "16-20260206", "same"),
        ("16-20260206", "16-abc1234", "same"),
        ("16.4.0-debian-12-r3", "16.4.0-debian-13-r4", "same"),
        ("16.4-ls100", "16.4-ls101", "same"),
        // Pre-releases.
        ("16.4", "17rc1", "up 16 17"),
        ("17beta1", "17rc1", "same"),
        ("17-rc1", "17-rc2", "same"),
        ("17.0-beta.1", "18.0-beta.1", "up 17 18"),
        // A product named by a year.
        ("2019-latest", "2022-latest", "up 2019 2022"),
        ("2022-CU10", "2022-CU11", "same"),
        ("2022", "2025", "up 2022 2025"),
        // An extension's version, and the one of the data.
        ("2.14.2-pg16", "2.14.2-pg17", "up 16 17"),
        ("2.14.2-pg16", "2.15.0-pg16", "same"),
        ("2.14.2-pg16", "3.0.0-pg16", "up 2 3"),
        ("2.14.2-pg16", "3.0.0-pg17", "up 16 17"),
        ("0.8-pg-16", "0.8-pg-17", "up 16 17"),
        ("0.8-pg-v16", "0.8-pg-v17", "up 16 17"),
        ("1.0-mysql8.0", "1.0-mysql8.4", "same"),
        // … behind what names no version.
        ("20260206-pg16", "20260213-pg17", "up 16 17"),
        ("20260206-pg16", "20260213-pg16", "same"),
        ("abc1234-pg16", "def5678-pg17", "up 16 17"),
        ("sha-1234567-pg16", "sha-7654321-pg17", "up 16 17"),
        ("build-41-pg16", "build-42-pg17", "up 16 17"),
        // What it is built on comes first, and is not what counts …
        ("ubi8-15.4-0", "ubi8-16.0-0", "up 15 16"),
        ("ubi8-15.4-0", "ubi9-15.5-0", "same"),
        ("ubuntu22.04-16", "ubuntu24.04-17", "up 16 17"),
        ("debian-12-16.4", "debian-12-17.0", "up 16 17"),
        ("alpine3.20-16", "alpine4.0-16", "same"),
        ("alpine3.20-pg16", "alpine3.20-pg17", "up 16 17"),
        // … unless it is all that is named.
        ("alpine3.20", "alpine4.0", "up 3 4"),
        ("ubi8-abc1234", "ubi9-def5678", "up 8 9"),
        ("ubi8-20260206", "ubi9-20260213", "up 8 9"),
        // A machine is no version.
        ("amd64-16", "amd64-17", "up 16 17"),
        ("amd64-16", "arm64v8-16", "same"),
        ("x86_64-16", "x86_64-17", "up 16 17"),
        ("linux-s390x-16", "linux-x64-17", "up 16 17"),
        ("16-amd64", "17-arm64", "up 16 17"),
    ]);
}

#[test]
fn tags_that_name_none() {
    check(&[
        ("latest", "latest", "unknown"),
        ("latest", "16", "unknown"),
        ("latest", "stable", "unknown"),
        ("bookworm", "trixie", "unknown"),
        ("bookworm-20260206", "bookworm-20260213", "unknown"),
        // Dates.
        ("20260206", "20270101", "unknown"),
        ("20260206", "16", "unknown"),
        ("202602060400", "202702060400", "unknown"),
        ("20260206040000", "20270206040000", "unknown"),
        // Calendar versions.
        ("2026.02", "2026.03", "unknown"),
        ("2026.12", "2027.01", "unknown"),
        ("2026.2", "2027.1", "unknown"),
        ("2026.02.06", "2027.02.06", "unknown"),
        ("2026-02", "2027-02", "unknown"),
        ("2026-02-06", "2027-02-06", "unknown"),
        ("v2026.02", "v2027.02", "unknown"),
        ("2026.02-alpine", "2027.02-alpine", "unknown"),
        // Commits.
        ("1234567", "7654321", "unknown"),
        ("abc1234", "def5678", "unknown"),
        ("12e4567", "22e4567", "unknown"),
        ("a123456", "a234567", "unknown"),
        ("sha-1234567", "sha-7654321", "unknown"),
        ("main-abc1234", "main-def5678", "unknown"),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "16", "unknown"),
        ("99999999", "99999998", "unknown"),
        // Counters.
        ("build-41", "build-42", "unknown"),
        ("build41", "build42", "unknown"),
        ("b41", "b42", "unknown"),
        ("r4", "r5", "unknown"),
        ("main-41", "main-42", "unknown"),
        ("pr-12", "pr-13", "unknown"),
        ("build-v41", "build-v42", "unknown"),
        ("rc1", "rc2", "unknown"),
        ("123456", "123457", "unknown"),
        // Neither of these is a number by itself.
        ("3rd", "4th", "unknown"),
        ("x86_64", "arm64v8", "unknown"),
        ("_", "__", "unknown"),
        ("v", "v.", "unknown"),
        ("99999", "100000", "unknown"),
    ]);
}

#[test]
fn labels() {
    check(&[
        // Without a tag that names one, the label does.
        ("latest 16.4", "latest 17.0", "up 16 17"),
        ("latest 16.4", "latest 16.5", "same"),
        ("latest v16.4", "latest PostgreSQL 17.0", "up 16 17"),
        (
            "latest 16.4 (Debian 16.4-1.pgdg120+1)",
            "latest 17.0-1",
            "up 16 17",
        ),
        ("20260206 16.4", "20270101 17.0", "up 16 17"),
        ("20260206 16.4", "20270101 16.9", "same"),
        ("abc1234 16.4", "def5678 17.0", "up 16 17"),
        ("latest main", "latest main", "unknown"),
        ("latest 2026.2.1", "latest 2027.1.0", "unknown"),
        ("latest 16.4", "latest", "unknown"),
        ("latest 16.4", "latest 2026.2", "unknown"),
        // A digest by itself.
        ("@ 16.4", "@ 17.0", "up 16 17"),
        ("@ 16.4", "@ 16.5", "same"),
        ("@", "@", "unknown"),
        ("@ 16.4", "@", "unknown"),
        ("@ main", "@ main", "unknown"),
        ("16", "@ 17.0", "up 16 17"),
        ("16 16.4", "@ 17.0", "up 16 17"),
        ("16 16.4", "@ 16.5", "same"),
        ("16", "@", "unknown"),
        // A tag on one side, a label on the other.
        ("16", "latest 17.0", "up 16 17"),
        ("16", "latest 16.9", "same"),
        ("16", "20260206 17.0", "up 16 17"),
        ("latest 16.4", "17", "up 16 17"),
        // The tag stays, and what it names calls itself otherwise.
        ("16 16.4", "16 17.0", "up 16 17"),
        ("16 16.4", "16-abc1234 17.0", "up 16 17"),
        ("16-abc1234 16.4", "16-def5678 16.5", "same"),
        ("16 17.0", "16 17.1", "same"),
        // The tag goes, whatever the label says.
        ("16 16.4", "17 17.0", "up 16 17"),
        ("16 1.0", "17 1.0", "up 16 17"),
        ("16 2.0", "17 1.0", "up 16 17"),
        ("16 16.4", "17 15.0", "up 16 17"),
        ("16", "17 16.4", "up 16 17"),
        ("16 24.04", "17 22.04", "up 16 17"),
        // A label of the base, which is inherited, has no say beside a tag …
        ("16 22.04", "16 24.04", "same"),
        ("16-abc1234 22.04", "16-def5678 24.04", "same"),
        ("v3 12", "v3 13", "same"),
        // … and the say alone.
        ("latest 22.04", "latest 24.04", "up 22 24"),
        // Of the data.
        ("2.14-pg16 16.4", "2.14-pg16 17.0", "up 16 17"),
        ("2.14-pg16 2.14", "2.15-pg16 2.15", "same"),
        // Hostile ones.
        ("16 \u{1b}[31m17", "16 99999999999999999999", "same"),
        ("latest 99999999999999999999", "latest 1", "unknown"),
        ("latest  ", "latest \n", "unknown"),
        ("latest ٣", "latest ٤", "unknown"),
    ]);
    let long = format!("latest 1{}", " ".repeat(200) + "7");
    check(&[("latest 16.4", &long, "unknown")]);
}

#[test]
fn reasons() {
    let cases = [
        ("16", "17", "`16` runs and `17` is wanted"),
        (
            "16-abc1234 16.4",
            "16-def5678",
            "`16-abc1234` runs and `16-def5678` is wanted",
        ),
        (
            "16 16.4",
            "16 17.0",
            "what runs calls itself 16.4, and what is wanted 17.0",
        ),
        ("latest 16.4", "17", "16.4 runs and 17 is wanted"),
        (
            "latest 16.4\u{1b}[31m`",
            "latest 17.0\r\n",
            "what runs calls itself 16.4[31m, and what is wanted 17.0",
        ),
        (
            "latest",
            "latest",
            "no major version is named by what runs (`latest`, without a version label) nor by what is wanted (`latest`, without a version label)",
        ),
        (
            "16",
            "bookworm main",
            "no major version is named by what is wanted (`bookworm`, with a version label that names none)",
        ),
        (
            "20260206",
            "16",
            "no major version is named by what runs (`20260206`, a date, without a version label)",
        ),
        (
            "abc1234",
            "16",
            "no major version is named by what runs (`abc1234`, a commit, without a version label)",
        ),
        (
            "@",
            "@ main",
            "no major version is named by what runs (a digest, without a version label) nor by what is wanted (a digest, with a version label that names none)",
        ),
    ];
    for (runs, wants, expected) in cases {
        assert_eq!(verdict(runs, wants).why(), expected, "{runs} to {wants}");
    }
}

#[test]
fn the_procedure_of_a_migration() {
    let image: ImageName = "patroni-postgres".parse().unwrap();
    let steps = |runs, wants, files| procedure(&verdict(runs, wants), &image, files);
    let files = Files {
        dockerfile: Some("docker/Dockerfile"),
        workflow: Some("build-patroni-postgres.yml"),
        stack_files: &["postgres-ha-stack.yml"],
    };
    assert_eq!(
        steps("16", "17", files).unwrap(),
        [
            "Plan the migration of the data: as a rule 17 does not read what 16 has written. Choose a dump and a restore (for PostgreSQL `pg_dumpall`) or an upgrade in place (`pg_upgrade`), take a backup, and try it on a copy.",
            "Write a Dockerfile for 17 beside `docker/Dockerfile`, on a base of version 17.",
            "Let the workflow `build-patroni-postgres.yml` build it and push tags of 17; those of 16 stay as they are.",
            "Write the tag of 17 into the stack file `postgres-ha-stack.yml`, and into the spec under `tag`, `policy` or `pin`.",
            "Migrate the data, then run `imgstack apply --allow-major patroni-postgres`, or set `majorUpgrade: allow` for the image until it is done.",
        ]
    );
    let bare = steps("16", "17", Files::default()).unwrap();
    assert_eq!(
        bare[1..4],
        [
            "Write a Dockerfile for 17 beside the one of 16, on a base of version 17.",
            "Let the workflow build it and push tags of 17; those of 16 stay as they are.",
            "Write the tag of 17 into the stack file, and into the spec under `tag`, `policy` or `pin`.",
        ]
    );
    let back = steps("17", "16", files).unwrap();
    assert_eq!(
        back,
        [
            "Plan the way back of the data: as a rule 16 does not read what 17 has written. Take a backup, and restore into 16 a dump that it reads; what was written since an older backup is not in that backup.",
            "See that a build of 16 is still in the registry: `imgstack tags patroni-postgres` lists them.",
            "Write the tag of 16 into the stack file `postgres-ha-stack.yml`, and into the spec under `tag`, `policy` or `pin`.",
            "Restore the data, then run `imgstack apply --allow-major patroni-postgres`, or set `majorUpgrade: allow` for the image until it is done.",
        ]
    );
    assert_eq!(steps("16", "16.1", files), None);
    assert_eq!(steps("latest", "latest", files), None);
}
