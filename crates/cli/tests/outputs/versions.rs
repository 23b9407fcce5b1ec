//! Plans of other versions of the program.

use serde_json::{Value, json};

use crate::{Saved, cases};

fn plan(version: &Value) -> Value {
    let (_, plan) = cases::all().remove(1);
    let mut plan = serde_json::to_value(&plan).unwrap();
    plan["formatVersion"] = version.clone();
    plan
}

/// (formatVersion, whether it is shown, words of the refusal)
#[test]
fn a_newer_minor_is_shown_and_a_newer_major_refused() {
    let table = [
        (json!("1.0"), true, ""),
        (json!("1.1"), true, ""),
        (json!("1.27"), true, ""),
        (
            json!("2.0"),
            false,
            "it has the format 2.0, this imgstack reads 1.",
        ),
        (
            json!("0.9"),
            false,
            "it has the format 0.9, this imgstack reads 1.",
        ),
        (json!("1"), false, "`1` is no version of a plan's format"),
        (
            json!("1.x"),
            false,
            "`1.x` is no version of a plan's format",
        ),
        (json!("\u{1b}[2J"), false, r"`\u{1b}[2J` is no version"),
        (json!(1.1), false, "is not a plan that can be read"),
        (json!(null), false, "is not a plan that can be read"),
    ];
    for (version, shown, words) in table {
        let saved = Saved::text(&plan(&version).to_string());
        for output in ["human", "json", "markdown", "html"] {
            let done = saved.run("show", &["-o", output]);
            let error = String::from_utf8(done.stderr).unwrap();
            // The message is folded.
            let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(
                done.status.code(),
                Some(i32::from(!shown)),
                "{version}: {error}"
            );
            assert!(error.contains(words), "{version}: {error}");
            assert_eq!(done.stdout.is_empty(), !shown, "{version} {output}");
        }
    }
}

/// What a later minor has added is passed over when a plan is shown …
#[test]
fn fields_of_a_newer_minor_are_passed_over() {
    let mut later = plan(&json!("1.27"));
    let shown = Saved::text(&later.to_string()).printed("show", "human");
    later["weather"] = json!("fine");
    later["stacks"][0]["steps"][3]["action"]["updateService"]["weather"] = json!({"wind": 3});
    assert_eq!(
        Saved::text(&later.to_string()).printed("show", "human"),
        shown
    );
}

/// … and not when it is to be carried out: it may be what matters.
#[test]
fn a_plan_of_a_newer_minor_is_not_carried_out() {
    let saved = Saved::text(&plan(&json!("1.27")).to_string());
    let done = saved.run("apply", &[]);
    assert_eq!(done.status.code(), Some(1));
    let error = String::from_utf8(done.stderr).unwrap();
    let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        error.contains(
            "was made by imgstack 0.1.0 and has the format 1.27; this one carries out 1."
        ),
        "{error}"
    );
    assert!(error.contains("imgstack plan --out FILE"), "{error}");
}
