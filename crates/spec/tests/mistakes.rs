//! Mistaken specs, each with what a person is told about it.
//!
//! `mistakes/NAME.yaml`, or the files of the folder `mistakes/NAME/`, is read
//! as one set; `mistakes/NAME.txt` is the diagnostic. After a change of words,
//! `UPDATE_GOLDEN=1 cargo test -p imgstack-spec --test mistakes` writes the
//! texts anew; read them before committing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use imgstack_spec::{Diagnostics, Input, Kind, read};
use miette::{GraphicalReportHandler, GraphicalTheme};

/// The diagnostics as a terminal of a hundred columns without colour shows them.
fn render(diagnostics: &Diagnostics) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut text = String::new();
    for mistake in diagnostics {
        text.push_str("Error: ");
        handler.render_report(&mut text, mistake).unwrap();
        text.push('\n');
    }
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned() + "\n"
}

/// The cases, each with its inputs, named without the folder of the tests.
fn cases() -> Vec<(PathBuf, Vec<Input>)> {
    let mut cases: Vec<_> = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes"))
        .into_iter()
        .filter(|path| path.is_dir() || path.extension().is_some_and(|it| it == "yaml"))
        .map(|path| {
            let files = if path.is_dir() {
                entries(&path)
            } else {
                vec![path.clone()]
            };
            let inputs = files.iter().map(|file| {
                let name = file.file_name().unwrap().to_str().unwrap();
                Input::new(name, fs::read(file).unwrap())
            });
            (path, inputs.collect())
        })
        .collect();
    cases.sort_by(|(a, _), (b, _)| a.cmp(b));
    cases
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_mistake_is_told_as_agreed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let cases = cases();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut different = Vec::new();
    for (path, inputs) in cases {
        let told = match read(&inputs) {
            Ok(stacks) => panic!("{} is read as {stacks:#?}", path.display()),
            Err(diagnostics) => render(&diagnostics),
        };
        let golden = path.with_extension("txt");
        if update {
            fs::write(&golden, told).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != told {
            different.push(format!("{}:\n{told}", golden.display()));
        }
    }
    assert!(
        different.is_empty(),
        "told otherwise (to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-spec --test mistakes):\n\n{}",
        different.join("\n")
    );
}

#[test]
fn every_rule_has_a_case() {
    let told: BTreeSet<Kind> = cases()
        .iter()
        .filter_map(|(_, inputs)| read(inputs).err())
        .flat_map(|diagnostics| diagnostics.iter().map(|it| it.kind()).collect::<Vec<_>>())
        .collect();
    // What cannot be read is no file of this folder; `load` has its own tests.
    let missing: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| **kind != Kind::Unreadable && !told.contains(kind))
        .collect();
    assert!(missing.is_empty(), "no mistaken spec for {missing:?}");
}

/// For the programs that hand it on.
#[test]
fn the_diagnostics_are_a_report() {
    let diagnostics = read(&[]).unwrap_err();
    let report = miette::Report::new(diagnostics);
    assert_eq!(report.to_string(), "the spec has a mistake");
}

/// The secrets in the cases all contain this word.
const SECRET: &str = "hunter2";

#[test]
fn no_diagnostic_shows_a_secret() {
    let mut with_secret = 0;
    for (path, inputs) in cases() {
        // The debug form of bytes is their numbers.
        let bytes = format!("{:?}", SECRET.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        with_secret += usize::from(format!("{inputs:?}").contains(bytes));
        let Err(diagnostics) = read(&inputs) else {
            continue;
        };
        let mut json = String::new();
        let handler = miette::JSONReportHandler::new();
        handler.render_report(&mut json, &diagnostics).unwrap();
        let shown = [
            render(&diagnostics),
            format!("{diagnostics:?}"),
            format!("{diagnostics:#?}"),
            json,
        ];
        for text in shown {
            assert!(!text.contains(SECRET), "{}", path.display());
        }
    }
    assert!(with_secret >= 7, "only {with_secret} cases have a secret");
}
