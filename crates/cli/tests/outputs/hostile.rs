//! Words from outside that want to be more than words, in every place of a plan
//! that has words from outside.

use serde_json::Value;

use crate::markup::{check_html, check_markdown};
use crate::{Saved, cases};

/// What a tag, a task's error, a hint or a label could be made of.
const HOSTILE: [&str; 26] = [
    "```\n</details>\n# title",
    "`",
    "``` ` ``",
    "</details><details open>",
    "</summary>",
    "<script>alert(1)</script>",
    "</style><script>x</script>",
    "</svg><script>x</script>",
    "\"]; click s0 \"javascript:x\"",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "<img src=x onerror=alert(1)>",
    "<!-- imgstack -->",
    "]]>",
    "| a | b |\n|---|---|",
    "a\\|b",
    "@team/ops and @everyone",
    "fixes #123, owner/name#4, GH-12",
    "![x](https://evil.example/x.png) [y](javascript:x)",
    "https://evil.example/ www.evil.example",
    "1. one\n- two\n> three\n=====",
    "$\\frac{a}{b}$ :smile: ~~x~~ **x** __x__",
    "\u{202e}txt.exe\u{2066} \u{200f}",
    "\u{1b}[31m\u{0}\u{7}\u{9b}x",
    "&lt;b&gt; &#64;ops %%{init: {}}%%",
    "é💥\u{2028}日本\u{0301}",
];

/// Cases that have every kind of step and finding between them.
const RICH: [&str; 4] = [
    "a-major-upgrade",
    "credentials",
    "through-the-manager",
    "two-stacks",
];

/// Puts the words into every text that is not a name which is checked when it
/// is read. Returns how many there were.
fn poison(value: &mut Value, key: &str, words: &str) -> usize {
    const FREE: [&str; 16] = [
        "message",
        "hint",
        "why",
        "endpoint",
        "purpose",
        "hash",
        "id",
        "from",
        "to",
        "image",
        "username",
        "version",
        "revision",
        "imgstackVersion",
        "credential",
        "spec_digest",
    ];
    match value {
        Value::String(text) if FREE.contains(&key) => {
            *text = words.to_owned();
            1
        }
        Value::Array(items) if matches!(key, "reasons" | "procedure") => {
            *items = vec![words.into(), words.into()];
            1
        }
        Value::Array(items) => items.iter_mut().map(|it| poison(it, key, words)).sum(),
        Value::Object(map) => map
            .iter_mut()
            .map(|(key, value)| poison(value, key, words))
            .sum(),
        _ => 0,
    }
}

/// The plan with the words wherever it can still be read with them.
fn poisoned(plan: &Value, words: &str) -> (Value, usize) {
    let mut plan = plan.clone();
    let mut count = 0;
    for (field, value) in plan.as_object_mut().unwrap() {
        if field == "imgstackVersion" {
            count += poison(value, field, words);
        }
    }
    for stack in plan["stacks"].as_array_mut().unwrap() {
        // The spec in it is checked when it is read.
        for field in ["report", "endpoint", "hash"] {
            count += poison(&mut stack[field], field, words);
        }
        for image in stack["images"].as_array_mut().unwrap() {
            for field in ["purpose", "build"] {
                if let Some(value) = image.get_mut(field) {
                    count += poison(value, field, words);
                }
            }
            for run in image["runs"].as_array_mut().unwrap() {
                count += poison(run, "", words);
            }
        }
        for step in stack["steps"].as_array_mut().unwrap() {
            count += poison(&mut step["reasons"], "reasons", words);
            for (action, value) in step["action"].as_object_mut().unwrap() {
                if matches!(
                    action.as_str(),
                    "updateService" | "adjustService" | "rotateCredential"
                ) {
                    count += poison(&mut value["labels"], "", words);
                }
                if action == "updateService" {
                    count += poison(&mut value["image"], "", words);
                }
                if action == "logIn" {
                    count += poison(&mut value["username"], "username", words);
                }
            }
        }
    }
    (plan, count)
}

#[test]
fn no_word_from_outside_is_more_than_a_word() {
    let mut places = 0;
    let cases = cases::all().into_iter();
    for (case, plan) in cases.filter(|(case, _)| RICH.contains(case)) {
        let plan = serde_json::to_value(&plan).unwrap();
        // All of one case's words at once would take the room from one another.
        for words in HOSTILE {
            let (plan, count) = poisoned(&plan, words);
            places += count;
            let saved = Saved::text(&plan.to_string());
            let what = format!("{case} with {words:?}");
            let page = saved.printed("show", "html");
            check_html(&page, &what);
            assert!(
                !page.contains("<script") && !page.contains("<img"),
                "{what}"
            );
            check_markdown(&saved.printed("show", "markdown"), &what);
            check_html(&saved.printed("graph", "svg"), &what);
        }
    }
    assert!(places > 1000, "{places} places");
}

/// A word that is as long as a comment takes the room of its own place only.
#[test]
fn a_very_long_word_takes_nobody_elses_room() {
    let long = "x|`".repeat(40_000);
    for (case, plan) in cases::all() {
        let (plan, _) = poisoned(&serde_json::to_value(&plan).unwrap(), &long);
        let saved = Saved::text(&plan.to_string());
        let comment = saved.printed("show", "markdown");
        check_markdown(&comment, case);
        check_html(&saved.printed("show", "html"), case);
        let step = &plan["stacks"][0]["steps"][0]["address"];
        if let Some(address) = step.as_str().filter(|it| it.starts_with("service.")) {
            let name = address.split_once('.').unwrap().1;
            assert!(comment.contains(name), "{case}: {name}");
        }
    }
}
