//! Lists that are long, in disorder, or made to mislead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ::semver as semver_reader;
use imgstack_spec::Tag;
use imgstack_spec::policy::Order::{Alphabetical, Date, Numeric, Semver};
use imgstack_spec::policy::{
    BuildDate, Choice, Policy, Rules, Running, TagList, World, choose, is_attachment,
};
use proptest::prelude::*;

use super::{list, newest, now, of, regex, rules, semver, short, tag};

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn attachments() {
    let cases = [
        ("sha256-HEX", true),
        ("sha256-HEX.sig", true),
        ("sha256-HEX.att", true),
        ("sha256-HEX.sbom", true),
        ("sha256-HEX.cosign", true),
        ("sha256-HEX-1", true),
        ("sha512-HEX", true),
        ("1.2.3.sig", true),
        ("1.2.3.att", true),
        ("latest.sbom", true),
        ("sha256-9f86d08", false),
        ("sha256-zzz", false),
        ("sha-abc1234", false),
        ("HEX", false),
        ("1.2.3", false),
        ("sig", false),
        ("1.2.3-sig", false),
        ("1.2.3.sigx", false),
        ("v1.2.3.Sig", false),
    ];
    for (text, expected) in cases {
        let tag = tag(&text.replace("HEX", HEX));
        assert_eq!(is_attachment(&tag), expected, "{text}");
    }
}

#[test]
fn attachments_are_never_candidates() {
    let tags = format!("sha256-{HEX} sha256-{HEX}.sig b.sig b.att b.sbom a");
    let dates: BTreeMap<_, _> = list(&tags)
        .into_iter()
        .map(|tag| (tag, BuildDate::At(now())))
        .collect();
    let list = TagList::Complete(list(&tags));
    for policy in [regex(".*", Alphabetical), newest(".*")] {
        let world = World {
            tags: &list,
            dates: &dates,
            leads: &super::NOWHERE,
            running: &[],
            now: now(),
        };
        assert_eq!(short(&choose(&rules(&policy), &world)), "a", "{policy}");
    }
    let only = format!("sha256-{HEX} sha256-{HEX}.sig");
    assert_eq!(of(&regex(".*", Alphabetical), &only), "none: ");
}

#[test]
fn tags_made_to_mislead() {
    let digits = "9".repeat(128);
    let long = format!("1.{}", "9".repeat(126));
    let parts = "1.".repeat(63) + "1";
    let pre = format!("1.0.0-{}", "9".repeat(122));
    let cases = [
        // Numbers that do not fit.
        (semver("*"), digits.as_str(), "1.0.0"),
        (semver("*"), "99999999999999999999.0.0", "1.0.0"),
        (semver("*"), "1.99999999999999999999.0", "1.0.0"),
        (semver("*"), long.as_str(), "1.0.0"),
        (semver("*"), parts.as_str(), "1.0.0"),
        (semver(">=1.0.0-0"), pre.as_str(), "1.0.0"),
        // What looks like numbers.
        (semver("*"), "0x10 1e9 1_000 ._ _ __ v v. -", "1.0.0"),
        (semver("*"), "1.0.0.0 1.0. 1..0 01 001", "1.0.0"),
        // Higher than anything, and a date.
        (semver("*"), "99991231 2147483648", "1.0.0"),
        (regex(r"(.*)", Date), "99991231", "20260101"),
        (regex(r"(.*)", Date), digits.as_str(), "20260101"),
        // Long numbers do compare, and quickly.
        (regex(r"(\d+)", Numeric), digits.as_str(), digits.as_str()),
        (regex(r"(.+)", Numeric), parts.as_str(), "20260101"),
        (regex(r"(.+)", Semver), "1.0.0-zzz 1.0.0-~", "1.0.0"),
    ];
    for (policy, hostile, expected) in cases {
        // What no registry could list is not in the list.
        let hostile = hostile
            .split(' ')
            .filter(|text| text.parse::<Tag>().is_ok());
        let hostile: Vec<_> = hostile.collect();
        let tags = format!("1.0.0 20260101 {}", hostile.join(" "));
        assert_eq!(of(&policy, &tags), expected, "{policy} of {tags}");
    }
}

/// 50 pages of 100 tags, each build by its three tags.
fn many() -> Vec<Tag> {
    let builds = (0..1666u32).flat_map(|build| {
        let (minor, patch) = (build / 100, build % 100);
        let day = build % 28 + 1;
        [
            format!("3.{minor}.{patch}"),
            format!("3.{minor}-{:07x}", build.wrapping_mul(2_654_435_761) >> 4),
            format!("3.{minor}-2025{:02}{day:02}", build / 28 % 12 + 1),
        ]
    });
    let mut tags: Vec<_> = builds.map(|text| tag(&text)).collect();
    tags.extend(list("latest main"));
    tags
}

#[test]
fn five_thousand_tags() {
    let tags = many();
    assert_eq!(tags.len(), 5000);
    let dates = tags.iter().enumerate().map(|(at, tag)| {
        let age = Duration::from_secs(60 * (tags.len() - at) as u64);
        (tag.clone(), BuildDate::At(now() - age))
    });
    let dates: BTreeMap<_, _> = dates.collect();
    let list = TagList::Complete(tags);
    let cases = [
        (semver("*"), "3.16.65"),
        (semver("~3.9"), "3.9.99"),
        (semver("^4"), "none: 3.16.65 3.16.64 3.16.63"),
        (regex(r"3\.\d+-(\d{8})", Date), "3.10-20251228"),
        (regex(r"3\.(\d+)\..*", Numeric), "3.16.0"),
        (newest(".*"), "main"),
        (newest(r"3\.9-[0-9a-f]{7}"), "3.9-6a7be1b"),
    ];
    for (policy, expected) in cases {
        let world = World {
            tags: &list,
            dates: &dates,
            leads: &super::NOWHERE,
            running: &[],
            now: now(),
        };
        let before = Instant::now();
        let choice = short(&choose(&rules(&policy), &world));
        let took = before.elapsed();
        assert_eq!(choice, expected, "{policy}");
        // A few milliseconds; a quadratic walk would take a minute.
        assert!(took < Duration::from_secs(5), "{policy} took {took:?}");
    }
}

/// Patterns that other engines take for ever on.
#[test]
fn no_pattern_takes_long() {
    let tags = (0..5000).map(|at| tag(&format!("{}{at:04}", "a".repeat(124))));
    let list = TagList::Complete(tags.collect());
    let patterns = [
        "(?:a+)+b",
        "(?:a|a)*b",
        "(?:a*)*c",
        "(?:a?){100}a{100}b",
        "(?:.*a){30}b",
        "(?:[ab]{0,9}){0,20}c",
        r"(.*)(?:.*)(?:.*)(?:.*)x",
    ];
    for pattern in patterns {
        let policy = regex(pattern, Alphabetical);
        let world = World {
            tags: &list,
            dates: &BTreeMap::new(),
            leads: &super::NOWHERE,
            running: &[],
            now: now(),
        };
        let before = Instant::now();
        let choice = choose(&rules(&policy), &world);
        let took = before.elapsed();
        assert!(matches!(choice, Choice::NoMatch { .. }), "{pattern}");
        assert!(took < Duration::from_secs(30), "{pattern} took {took:?}");
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(semver("*")),
        Just(semver("~1.2")),
        Just(semver(">=1.2.0-a")),
        Just(semver("* -x")),
        Just(regex("(.*)", Semver)),
        Just(regex(".*-(.*)", Numeric)),
        Just(regex("(.*)-.*|.*", Alphabetical)),
        Just(regex("(.*)", Date)),
        Just(newest(".*1.*")),
    ]
}

fn some_tag() -> impl Strategy<Value = Tag> {
    let text = prop_oneof![
        4 => "v?[0-3](\\.[0-3]){0,3}(-(a|rc\\.1|x|1|20260206))?(_b)?",
        1 => "2026[.-]?0[12][.-]?0[1-9]",
        1 => "[A-Za-z0-9_][A-Za-z0-9._-]{0,12}",
    ];
    text.prop_map(|text| tag(&text))
}

fn some_date() -> impl Strategy<Value = BuildDate> {
    prop_oneof![
        6 => (0..60u64).prop_map(|days| BuildDate::At(now() - Duration::from_secs(days * 86_400))),
        1 => Just(BuildDate::None),
        1 => Just(BuildDate::Unknown("asked in vain".to_owned())),
    ]
}

proptest! {
    /// The order of the list and duplicates have no influence; what is chosen is
    /// in the list, without leave never below what runs, and chosen again once
    /// it runs.
    #[test]
    fn a_choice_depends_on_nothing_but_its_facts(
        policy in policies(),
        dated in prop::collection::vec((some_tag(), some_date()), 0..12),
        mut again in Just(()).prop_perturb(|(), mut random| {
            std::iter::repeat_with(move || random.random::<u64>())
        }),
        runs in prop::collection::vec((some_tag(), some_date()), 0..4),
        aged in any::<bool>(),
        allow_downgrade in any::<bool>(),
    ) {
        let dates: BTreeMap<_, _> = dated.iter().cloned().collect();
        let runs = runs.into_iter().map(|(tag, built)| Running { tag: Some(tag), digest: None, built });
        let running: Vec<_> = runs.collect();
        let rules = Rules {
            policy: &policy,
            minimum_age: aged.then_some(Duration::from_secs(7 * 86_400)),
            allow_downgrade,
        };
        let of = |tags: Vec<Tag>| {
            let tags = TagList::Complete(tags);
            let world = World { tags: &tags, dates: &dates, leads: &super::NOWHERE, running: &running, now: now() };
            choose(&rules, &world)
        };
        let tags: Vec<_> = dated.iter().map(|(tag, _)| tag.clone()).collect();
        let choice = of(tags.clone());
        let mut mixed: Vec<_> = tags.iter().chain(&tags).cloned().collect();
        mixed.sort_by_cached_key(|_| again.next());
        prop_assert_eq!(&choice, &of(mixed));
        let refused = matches!(choice, Choice::Downgrade { .. });
        prop_assert!(!(refused && allow_downgrade));
        let Choice::Chosen { tag, .. } = &choice else {
            return Ok(());
        };
        prop_assert!(tags.contains(tag));
        let ranges = matches!(policy, Policy::Semver { suffix: None, .. });
        for running in running.iter().filter(|_| ranges && !allow_downgrade) {
            let from = running.tag.as_ref().and_then(strict);
            if let (Some(from), Some(to)) = (from, strict(tag)) {
                prop_assert!(from.cmp_precedence(&to).is_le(), "{} to {}", running, tag);
            }
        }
        let settled = Running { tag: Some(tag.clone()), digest: None, built: dates[tag].clone() };
        let list = TagList::Complete(tags.clone());
        let world = World { tags: &list, dates: &dates, leads: &super::NOWHERE, running: std::slice::from_ref(&settled), now: now() };
        match choose(&rules, &world) {
            Choice::Chosen { tag: again, .. } => prop_assert_eq!(tag, &again),
            other => prop_assert!(false, "{:?} after {}", other, tag),
        }
    }
}

/// A version by another reader than ours, where the tag is one to the letter.
fn strict(tag: &Tag) -> Option<semver_reader::Version> {
    let text = tag.as_str().trim_start_matches('v').replace('_', "+");
    semver_reader::Version::parse(&text).ok()
}
