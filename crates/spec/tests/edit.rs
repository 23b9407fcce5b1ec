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
use std::time::{Duration, Instant};

use imgstack_spec::edit::{
    Edit, EditError, set_pin, set_stack_image, set_stack_images, stack_image,
};
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
const CASES: [(&str, &[Change]); 51] = [
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
        &[
            Unpin("web"),
            Unpin("db"),
            Unpin("cache"),
            Unpin("queue"),
            Unpin("last"),
        ],
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
    ("refused-override", &[Unpin("web-next")]),
    ("refused-comment-in-brackets", &[Unpin("web")]),
    ("refused-comment-on-the-dash", &[Unpin("web")]),
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
                let diff = edit.diff("shop.yaml");
                assert!(!diff.is_empty(), "{name}");
                shown += &diff;
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
        let golden = after.map(|text| ("after.yaml", text));
        for (end, text) in golden.into_iter().chain([("txt", shown)]) {
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

#[test]
fn what_stands_in_a_stack_file_is_read() {
    let text = "\u{feff}x: &x {image: 'postgres:16'}
services:
  a: {<<: *x}
  b: {extends: a}
  c: {image: \"${R:-ghcr.io}/acme/c:${T-1}\"}
  d: {image: acme/d:$T}
  e: {image: acme/e:!}
";
    // The service; its text, what is deployed, where it stands, who shares it.
    let cases = [
        (
            "a",
            "postgres:16",
            "docker.io/library/postgres:16",
            (1, 15),
            &["b"][..],
        ),
        (
            "b",
            "postgres:16",
            "docker.io/library/postgres:16",
            (1, 15),
            &["a"],
        ),
        (
            "c",
            "${R:-ghcr.io}/acme/c:${T-1}",
            "ghcr.io/acme/c:1",
            (5, 14),
            &[],
        ),
        (
            "d",
            "acme/d:$T",
            "`$T` is set where the stack is deployed",
            (6, 14),
            &[],
        ),
        (
            "e",
            "acme/e:!",
            "`!` is not a tag, which is made of letters, digits, `_`, `.` and `-` and does not begin with `.` or `-`",
            (7, 14),
            &[],
        ),
    ];
    for (service, written, deployed, (line, column), shared_with) in cases {
        let image = stack_image(text, service).unwrap();
        assert_eq!(image.text, written);
        let meant = image
            .image
            .map_or_else(|error| error.to_string(), |it| it.to_string());
        assert_eq!(meant, deployed);
        assert_eq!(
            (image.stretch.start.line, image.stretch.start.column),
            (line, column)
        );
        assert!(text[image.stretch.bytes].contains(written));
        assert_eq!(image.shared_with, shared_with);
    }
    let variables = stack_image(text, "c").unwrap().variables;
    assert_eq!(variables, ["R", "T"]);
    assert!(stack_image(text, "f").is_err());
}

#[test]
fn an_edit_tells_where_it_is() {
    let text = "\u{feff}services:\r\n  ü: {image: 'a:1'} # b\r\n";
    let edit = set_stack_image(text, "ü", &"a:10".parse().unwrap()).unwrap();
    let [change] = edit.changes() else {
        panic!("{edit:?}")
    };
    let places = [&change.before, &change.after].map(|stretch| {
        let place = |place: imgstack_spec::edit::Place| (place.line, place.column);
        (
            stretch.bytes.clone(),
            place(stretch.start),
            place(stretch.end),
        )
    });
    assert_eq!(
        places,
        [(28..33, (2, 14), (2, 19)), (28..34, (2, 14), (2, 20))]
    );
    // A line is the line, without its indentation and its break.
    let text =
        "kind: ImageStack\nmetadata: {name: shop}\nspec:\n  images:\n  - name: a\n    tag: b\n";
    let edit = make(text, &Hold("a", "c")).unwrap();
    let [change] = edit.changes() else {
        panic!("{edit:?}")
    };
    assert_eq!(&edit.text()[change.after.bytes.clone()], "pin: c");
    assert_eq!((change.after.start.line, change.after.start.column), (7, 5));
    assert!(change.before.bytes.is_empty());
}

#[test]
fn what_says_so_already_is_not_touched() {
    let cases = [
        ("image: postgres:16", "docker.io/library/postgres:16"),
        (
            "image: \"index.docker.io/library/postgres:16\"",
            "postgres:16",
        ),
        ("image: ${R:-ghcr.io}/a/b:1", "ghcr.io/a/b:1"),
    ];
    for (line, image) in cases {
        let text = format!("services:\n  a:\n    {line}\n");
        let edit = set_stack_image(&text, "a", &image.parse().unwrap()).unwrap();
        assert!(edit.is_empty(), "{line}");
        assert_eq!(
            (edit.text(), edit.diff("a.yml")),
            (text.as_str(), String::new())
        );
    }
    let text = "kind: ImageStack\nmetadata: {name: shop}\nspec:\n  images:\n  - &a {name: a, tag: t, pin: 16}\n  - {<<: *a, name: b}\n  - {name: c, tag: t}\n";
    for change in [Hold("a", "16"), Hold("b", "16"), Unpin("c")] {
        assert!(make(text, &change).unwrap().is_empty());
    }
    // It has none of its own, and yet it has one.
    assert!(make(text, &Unpin("b")).is_err());
}

#[test]
fn no_message_shows_what_a_terminal_obeys_or_a_secret() {
    let texts = [
        "services:\n  a: {image: \"x/y:$T\\e[31m ghp_0123456789abcdef\"}\n",
        "services:\n  a: {extends: {file: \"\\e[31m ghp_0123456789abcdef\"}}\n",
        "services:\n  a: &a {image: x, b: ghp_0123456789abcdef}\n  \"\\e[31m ghp_0123456789abcdef\": *a\n",
    ];
    for text in texts {
        let error = set_stack_image(text, "a", &"x/y:1".parse().unwrap()).unwrap_err();
        for told in [error.to_string(), error.hint()] {
            assert!(!told.contains('\u{1b}') && !told.contains("ghp_"), "{told}");
        }
    }
    let text = "services: {a: {image: x}} # hunter2\n";
    let edit = set_stack_image(text, "a", &"x/y:1".parse().unwrap()).unwrap();
    assert!(!format!("{edit:?}").contains("hunter2"));
}

/// Long for what these are, short for a person on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_nobody_writes_is_refused_at_once() {
    let bomb: String = (1..30)
        .map(|at| format!("a{at}: &a{at} [*a{0}, *a{0}, *a{0}]\n", at - 1))
        .collect();
    let merges: String = (1..30)
        .map(|at| format!("a{at}: &a{at} {{<<: [*a{0}, *a{0}]}}\n", at - 1))
        .collect();
    let chain: String = (1..20_000)
        .map(|at| format!("a{at}: &a{at} [*a{}]\n", at - 1))
        .collect();
    let many: String = (0..40_000)
        .map(|at| format!("  s{at}: {{<<: *a0}}\n"))
        .collect();
    let extends: String = (1..20_000)
        .map(|at| format!("  s{at}: {{extends: s{}}}\n", at - 1))
        .collect();
    let texts = [
        format!("a0: &a0 [x]\n{bomb}"),
        format!("a0: &a0 {{x: y}}\n{merges}services: {{<<: *a29}}\n"),
        format!("a0: &a0 [x]\n{chain}"),
        format!("a0: &a0 {{{}}}\nservices:\n{many}", "x: y, ".repeat(10_000)),
        format!("services:\n  s0: {{}}\n{extends}"),
        "services: &a {a: *a}\n".to_owned(),
        "[".repeat(100_000),
        format!("services: {{a: {{image: {}}}}}", "${A".repeat(100_000)),
        format!(
            "services: {{a: {{image: \"{}\"}}}}",
            "${A:-".repeat(100_000)
        ),
        "x".repeat(2 << 20),
    ];
    for text in texts {
        let start = Instant::now();
        let image = "x:1".parse().unwrap();
        for service in ["a", "s19999"] {
            let told = set_stack_image(&text, service, &image)
                .unwrap_err()
                .to_string();
            assert!(told.len() < 1000, "{told}");
        }
        assert!(make(&text, &Hold("a", "b")).is_err());
        let took = start.elapsed();
        assert!(took < PATIENCE, "{took:?}: {text:.40}");
    }
}
