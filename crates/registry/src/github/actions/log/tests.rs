//! Which lines of a log are the last words.

use super::*;

const LOG: &str = "\u{feff}2026-02-09T04:00:05.1000000Z ##[group]Run actions/checkout@v5
2026-02-09T04:00:05.2000000Z ##[endgroup]
2026-02-09T04:00:09.0000000Z Cloned
2026-02-09T04:00:15.0000000Z ##[group]Build and push
2026-02-09T04:00:15.1000000Z ##[endgroup]
2026-02-09T04:00:16.0000000Z \u{1b}[36;1m#5 RUN pip install patroni==9\u{1b}[0m
2026-02-09T04:00:17.0000000Z
2026-02-09T04:00:18.0000000Z ERROR: \u{1b}[31mno such\u{1b}[39;49m version
2026-02-09T04:00:18.9000000Z ##[error]Process completed with exit code 1.
2026-02-09T04:00:18.9500000Z Post job cleanup.
2026-02-09T04:00:20.0000000Z Cleaning up orphan processes
";

fn step(from: &str, to: Option<&str>) -> RunStep {
    serde_json::from_value(serde_json::json!({
        "number": 2,
        "name": "Build and push",
        "status": "completed",
        "conclusion": "failure",
        "started_at": format!("2026-02-09T{from}Z"),
        "completed_at": to.map(|to| format!("2026-02-09T{to}Z")),
    }))
    .unwrap()
}

#[test]
fn what_the_failed_step_wrote_last() {
    let failed = step("04:00:15", Some("04:00:18"));
    let error = "Process completed with exit code 1.";
    let version = "ERROR: no such version";
    let pip = "#5 RUN pip install patroni==9";
    let all = vec![
        "Run actions/checkout@v5",
        "Cloned",
        "Build and push",
        pip,
        version,
        error,
    ];
    let table = [
        (LOG, Some(failed.clone()), 2, vec![version, error]),
        (
            LOG,
            Some(failed.clone()),
            9,
            vec!["Build and push", pip, version, error],
        ),
        // No error in it: the end of the step is what there is.
        (
            LOG,
            Some(step("04:00:05", Some("04:00:09"))),
            1,
            vec!["Cloned"],
        ),
        // Times that say nothing: the whole log, up to its last error.
        (LOG, None, 99, all.clone()),
        (LOG, Some(step("04:00:15", None)), 99, all.clone()),
        (LOG, Some(step("05:00:00", Some("05:00:01"))), 99, all),
        (LOG, Some(failed.clone()), 0, vec![]),
        ("", Some(failed.clone()), 9, vec![]),
        (
            "no time\n##[warning]old\n\n",
            Some(failed),
            9,
            vec!["no time", "old"],
        ),
    ];
    for (log, step, count, expected) in table {
        assert_eq!(last_words(log, step.as_ref(), count), expected, "{count}");
    }
}

#[test]
fn colours_are_taken_away_and_nothing_else() {
    let table = [
        ("\u{1b}[1;31mred\u{1b}[0m", "red"),
        ("\u{1b}[2Kline", "line"),
        ("cut \u{1b}[", "cut "),
        ("cut \u{1b}[1", "cut "),
        ("\u{1b}[1ü", "ü"),
        ("a [b] ##[c", "a [b] ##[c"),
    ];
    for (text, plain) in table {
        assert_eq!(without_colours(text), plain);
    }
}
