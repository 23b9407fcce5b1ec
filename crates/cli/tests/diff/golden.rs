//! Changes of one spec, with what is told of each: `golden/NAME.yaml` against
//! `golden/old.yaml` becomes `golden/NAME.txt`, `.json`, `.md` and `.html`.
//!
//! After a change, `UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test diff golden`
//! writes them anew; read them before committing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::markup::{check_html, check_markdown};
use crate::run::imgstack;

/// How a case ends with `--detailed-exitcode`.
const MEANING: i32 = 2;
const NO_MEANING: i32 = 0;

const CASES: [(&str, i32); 15] = [
    ("pinned", MEANING),
    ("pinned-by-digest", MEANING),
    ("major", MEANING),
    ("major-allowed", MEANING),
    ("policy", MEANING),
    ("service-added", MEANING),
    ("service-removed", MEANING),
    ("reordered", MEANING),
    ("rollout", MEANING),
    ("nodes-and-registries", MEANING),
    ("renamed", MEANING),
    ("builds-removed", MEANING),
    ("other-cluster", MEANING),
    ("two-stacks", MEANING),
    ("comments", NO_MEANING),
];

const FORMS: [(&str, &str); 4] = [
    ("human", "txt"),
    ("json", "json"),
    ("markdown", "md"),
    ("html", "html"),
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/diff/golden"))
}

#[test]
fn every_change_is_told_as_agreed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut otherwise = Vec::new();
    for (name, code) in CASES {
        for (form, end) in FORMS {
            let new = format!("{name}.yaml");
            let args = ["diff", "old.yaml", &new, "--detailed-exitcode", "-o", form];
            let told = imgstack(folder(), &args).ends(code).stdout;
            match form {
                "markdown" => check_markdown(&told, name),
                "html" => check_html(&told, name),
                _ => {}
            }
            let told = without_style(told);
            let golden = folder().join(format!("{name}.{end}"));
            if update {
                fs::write(&golden, &told).unwrap();
            } else if fs::read_to_string(&golden).unwrap_or_default() != told {
                otherwise.push(format!("{}:\n{told}", golden.display()));
            }
        }
    }
    assert!(
        otherwise.is_empty(),
        "told otherwise (to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test diff golden):\n\n{}",
        otherwise.join("\n")
    );
}

/// How pages look is told by the pages of plans.
fn without_style(told: String) -> String {
    let Some((before, rest)) = told.split_once("<style>\n") else {
        return told;
    };
    let (_, after) = rest.split_once("</style>\n").unwrap();
    format!("{before}{after}")
}

#[test]
fn no_golden_file_is_left_over() {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let ends = FORMS.map(|(_, end)| end);
    let expected = CASES.iter().flat_map(|(name, _)| {
        let ends = ends.iter().chain(&["yaml"]);
        ends.map(move |end| format!("{name}.{end}"))
    });
    let expected: BTreeSet<String> = expected.chain(["old.yaml".to_owned()]).collect();
    assert_eq!(names, expected);
}

/// What was added is told as removed the other way round, and nothing is lost.
#[test]
fn the_way_back_names_the_same_fields() {
    let fields = |old: &str, new: &str| {
        let told = imgstack(folder(), &["diff", old, new, "-o", "json"]).ends(0);
        let document: Value = serde_json::from_str(&told.stdout).unwrap();
        let changes = document["changes"].as_array().unwrap().clone();
        let named = changes.into_iter().map(|it| {
            let action = match it["action"].as_str().unwrap() {
                "change" => "change",
                _ => "add or remove",
            };
            format!("{} {} {action}", it["address"], it["field"])
        });
        named.collect::<BTreeSet<String>>()
    };
    for (name, _) in CASES {
        let new = format!("{name}.yaml");
        assert_eq!(fields("old.yaml", &new), fields(&new, "old.yaml"), "{name}");
    }
}
