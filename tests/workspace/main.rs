//! The shape of the workspace: which room may depend on which (ARCHITECTURE.md).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// (room, rooms it may depend on)
const ROOMS: [(&str, &[&str]); 8] = [
    ("spec", &[]),
    ("planner", &["spec"]),
    ("registry", &["spec"]),
    ("swarm", &["spec"]),
    ("sim", &["spec"]),
    ("observer", &["planner", "registry", "spec", "swarm"]),
    ("executor", &["planner", "registry", "spec", "swarm"]),
    (
        "cli",
        &[
            "executor", "observer", "planner", "registry", "sim", "spec", "swarm",
        ],
    ),
];

/// What makes code impure; none of it may come with the planner.
const IMPURE: [&str; 9] = [
    "bollard",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "reqwest",
    "tokio",
];

/// Words of the standard library and of jiff that do the same. A `Duration` is
/// a number like any other.
const IMPURE_WORDS: &str = r"std::(env|fs|io|net|process|thread)\b|std::time\b(::[^D]|[^:])|(Instant|SystemTime|Timestamp|Zoned)::now";

/// The lines of our code under `folder` that match, without those of `except`.
fn lines(pattern: &str, folder: &str, except: &[&str]) -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/");
    let output = Command::new("grep")
        .args([
            "-rnE",
            pattern,
            "--include=*.rs",
            &format!("{root}{folder}"),
        ])
        .output()
        .unwrap();
    // 1 is "no line"; anything above is a mistake in the call.
    assert!(output.status.code().unwrap() <= 1, "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().map(|line| line.replace(root, ""));
    found
        .filter(|line| !except.iter().any(|file| line.starts_with(file)))
        .collect()
}

/// Every package of the tree with its direct, non-dev dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name_of: BTreeMap<String, String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| {
            let needs = node["deps"].as_array().unwrap().iter();
            let needs = needs.filter(|dep| {
                dep["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            let names = needs.map(|dep| name_of[dep["pkg"].as_str().unwrap()].clone());
            (
                name_of[node["id"].as_str().unwrap()].clone(),
                names.collect(),
            )
        })
        .collect()
}

#[test]
fn rooms_depend_only_on_the_rooms_below() {
    let tree = dependencies();
    let ours: Vec<&String> = tree
        .keys()
        .filter(|name| name.starts_with("imgstack-"))
        .collect();
    assert_eq!(
        ours.len(),
        ROOMS.len() + 1,
        "a room that this test does not know: {ours:?}"
    );
    for (room, allowed) in ROOMS {
        let needs = &tree[&format!("imgstack-{room}")];
        for other in needs
            .iter()
            .filter_map(|name| name.strip_prefix("imgstack-"))
        {
            assert!(allowed.contains(&other), "{room} depends on {other}");
        }
    }
}

/// Invariant 2: planning is pure.
#[test]
fn the_planner_brings_nothing_impure_with_it() {
    let tree = dependencies();
    let mut open = vec!["imgstack-planner".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        assert!(
            !IMPURE.contains(&name.as_str()),
            "the planner depends on {name}"
        );
        if seen.insert(name.clone()) {
            open.extend(tree[&name].iter().cloned());
        }
    }
    assert!(seen.len() > 3, "the tree was not read: {seen:?}");
}

#[test]
fn the_planner_asks_neither_clock_nor_system() {
    assert_eq!(lines(IMPURE_WORDS, "planner/src", &[]), [""; 0]);
    assert!(!lines(r"^use std::", "planner/src", &[]).is_empty());
}

/// Only the cli's printer writes to the terminal (invariant 11); clippy's
/// `print_stdout` and `print_stderr` see to that, unless somebody says
/// otherwise or goes round them.
#[test]
fn nothing_but_the_printer_writes_to_the_terminal() {
    assert_eq!(lines(r"print_std(out|err)", "", &[]), [""; 0]);
    let doors =
        r"std(out|err)\(\)\.(lock|write)|io::std(out|err)\(\)|e?print(ln)?!\(|/dev/(tty|std)";
    assert_eq!(lines(doors, "", &["cli/src/printer.rs"]), [""; 0]);
}
