//! Edits, each with the file before, and after with the diff, or the refusal.
//!
//! `edit/NAME.before.yaml` becomes `edit/NAME.after.yaml`, and `edit/NAME.txt`
//! is what a person is shown: the diff, or what is in the way. After a change,
//! `UPDATE_GOLDEN=1 cargo test -p imgstack-spec --test edit` writes them anew;
//! read them before committing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use imgstack_spec::edit::{Edit, EditError, set_pin, set_stack_images};
use imgstack_spec::{Pin, StackName};

enum Change {
    /// The pin of an image of the stack `shop`.
    Pin(&'static str, &'static str),
    Unpin(&'static str),
    /// The image of services.
    Image(&'static [&'static str], &'static str),
}
use Change::{Image, Pin as Hold, Unpin};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const WITH_DIGEST: &str = "ghcr.io/acme/web:1.4.2@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The cases, each with the changes that are made one after another.
const CASES: [(&str, &[Change]); 48] = [
    ("pin-added", &[Hold("web", "16-abc1234")]),
    ("pin-changed", &[Hold("web", DIGEST)]),
    ("pin-becomes-quoted", &[Hold("web", "1234567")]),
    ("pin-removed", &[Unpin("web"), Unpin("db")]),
    ("pin-removed-from-the-dash", &[Unpin("web")]),
    ("crlf-and-mark", &[Hold("web", "main-1")]),
    ("crlf-without-a-last-break", &[Hold("web", "main-1")]),
    ("removed-without-a-last-break", &[Unpin("web")]),
    (
        "brackets-on-one-line",
        &[Hold("web", "16"), Hold("db", DIGEST)],
    ),
    (
        "brackets-on-lines",
        &[Hold("web", "main-1"), Hold("db", "2026-02-06")],
    ),
    (
        "brackets-removed",
        &[Unpin("web"), Unpin("db"), Unpin("cache")],
    ),
    ("json", &[Hold("web", "main-1")]),
    ("below-a-policy", &[Hold("web", "3.3.1")]),
    ("documents", &[Hold("web", "main-1")]),
    (
        "odd-indentation",
        &[Hold("web", "main-1"), Hold("db", "main-1")],
    ),
    ("pin-without-a-value", &[Hold("web", "main-1")]),
    ("pin-is-a-block", &[Hold("web", "main-2")]),
    ("a-question-mark", &[Hold("web", "main-1")]),
    ("pin-overrides", &[Hold("web", "main-3")]),
    ("refused-shared", &[Hold("web", "main-1")]),
    ("refused-alias", &[Hold("db", "main-2")]),
    ("refused-merged", &[Hold("db", "main-2")]),
    ("refused-list", &[Hold("web", "main-1")]),
    ("refused-no-place", &[Unpin("web")]),
    ("refused-twice", &[Hold("web", "main-1")]),
    ("refused-key-twice", &[Hold("web", "main-1")]),
    ("refused-syntax", &[Hold("web", "main-1")]),
    ("refused-unknown", &[Hold("wbe", "main-1")]),
    (
        "stack",
        &[
            Image(&["web"], "ghcr.io/acme/web:1.4.2"),
            Image(&["db"], "postgres:17"),
        ],
    ),
    (
        "stack-of-secret-names",
        &[Image(&["auth", "passwords"], "ghcr.io/acme/auth:2")],
    ),
    ("stack-crlf", &[Image(&["web"], WITH_DIGEST)]),
    ("stack-variables", &[Image(&["web", "next"], WITH_DIGEST)]),
    (
        "stack-anchor",
        &[Image(
            &["postgres-3", "postgres-1", "postgres-2"],
            "ghcr.io/acme/patroni:16-1",
        )],
    ),
    ("stack-alias", &[Image(&["web"], "ghcr.io/acme/web:2")]),
    (
        "stack-override",
        &[
            Image(&["web"], "ghcr.io/acme/web:3"),
            Image(&["base"], "ghcr.io/acme/other:1"),
        ],
    ),
    (
        "stack-extends",
        &[Image(&["web", "worker", "base"], "ghcr.io/acme/web:2")],
    ),
    ("stack-tags", &[Image(&["web"], "ghcr.io/acme/web:2")]),
    ("stack-block", &[Image(&["web"], "[::1]:5000/web:2")]),
    (
        "refused-stack-anchor",
        &[Image(&["postgres-1"], "ghcr.io/acme/patroni:17")],
    ),
    (
        "refused-stack-label",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-variable",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-repository",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-extends",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-other-file",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-service",
        &[Image(&["Web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-no-image",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-mapping",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
    (
        "refused-stack-twice",
        &[Image(&["web"], "ghcr.io/acme/web:2")],
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edit")
}

fn make(text: &str, change: &Change) -> Result<Edit, EditError> {
    let stack: StackName = "shop".parse().unwrap();
    match change {
        Hold(image, pin) => {
            let pin = match pin.contains(':') {
                true => Pin::Digest(pin.parse().unwrap()),
                false => Pin::Tag(pin.parse().unwrap()),
            };
            set_pin(text, &stack, &image.parse().unwrap(), Some(&pin))
        }
        Unpin(image) => set_pin(text, &stack, &image.parse().unwrap(), None),
        Image(services, image) => set_stack_images(text, services, &image.parse().unwrap()),
    }
}

/// The text after all changes, if one is made, and what a person is shown.
fn outcome(name: &str, before: &str, changes: &[Change]) -> (Option<String>, String) {
    let mut text = before.to_owned();
    let mut shown = String::new();
    for change in changes {
        match make(&text, change) {
            Ok(edit) => {
                assert_eq!(edit.before(), text);
                assert!(!edit.is_empty(), "{name} changes nothing");
                assert!(
                    make(edit.text(), change).unwrap().is_empty(),
                    "{name} twice"
                );
                shown += &edit.diff("shop.yaml");
                text = edit.into_text();
            }
            Err(error) => {
                let place = match error.place() {
                    Some(place) => format!("shop.yaml:{}:{}", place.line, place.column),
                    None => "shop.yaml".to_owned(),
                };
                shown += &format!("{place}: {error}\n  {}\n", error.hint());
            }
        }
    }
    ((text != before).then_some(text), shown)
}

#[test]
fn every_edit_is_as_agreed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for (name, changes) in CASES {
        let path = |end| folder().join(format!("{name}.{end}"));
        let before = fs::read_to_string(path("before.yaml")).unwrap();
        let (after, shown) = outcome(name, &before, changes);
        assert_eq!(
            after.is_none(),
            name.starts_with("refused"),
            "{name}: {shown}"
        );
        assert!(!shown.contains("hunter2"), "{name}:\n{shown}");
        let golden = [("after.yaml", after.unwrap_or_default()), ("txt", shown)];
        for (end, text) in golden.into_iter().filter(|(_, text)| !text.is_empty()) {
            if update {
                fs::write(path(end), text).unwrap();
            } else if fs::read_to_string(path(end)).unwrap_or_default() != text {
                different.push(format!("{name}.{end}:\n{text}"));
            }
        }
    }
    assert!(
        different.is_empty(),
        "otherwise than agreed (to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-spec --test edit):\n\n{}",
        different.join("\n")
    );
}

#[test]
fn every_file_is_a_case() {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<String> = files
        .filter_map(|name| Some(name.to_str()?.split_once('.')?.0.to_owned()))
        .filter(|name| !name.is_empty())
        .collect();
    let cases: BTreeSet<String> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, cases);
}
