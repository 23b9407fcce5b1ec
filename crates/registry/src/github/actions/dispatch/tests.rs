//! Which of the runs is the one that was started.

use super::*;

const OURS: &str = "imgstack-0123456789ab";
const OTHERS: &str = "imgstack-ba9876543210";

/// Numbers and titles.
type Runs<'a> = &'a [(u64, &'a str)];

fn run(id: u64, title: &str) -> Run {
    serde_json::from_value(json!({
        "id": id,
        "run_number": id,
        "display_title": title,
        "event": "workflow_dispatch",
        "status": "queued",
        "conclusion": null,
        "head_sha": "0123456789abcdef",
        "created_at": "2026-02-09T04:00:00Z",
        "updated_at": "2026-02-09T04:00:00Z",
        "html_url": format!("https://github.com/acme/web/actions/runs/{id}"),
    }))
    .unwrap()
}

#[test]
fn the_run_of_a_start_among_others() {
    let ours = format!("Build web ({OURS})");
    let (ours, others) = (ours.as_str(), format!("Build web ({OTHERS})"));
    // Titles from the newest, the first of which is run 9; the newest run
    // before the start is 5. With the mark, and without.
    let table: [(Runs<'_>, &str, &str); 11] = [
        (&[(5, "Build"), (4, "Build")], "none", "none"),
        (&[], "none", "none"),
        (&[(7, ours), (5, "Build")], "mark 7", "none"),
        (&[(7, "Build"), (5, "Build")], "time 7", "time 7"),
        (&[(9, "Build"), (7, ours)], "mark 7", "time 9"),
        (&[(9, "Build"), (7, "Build")], "several", "several"),
        (&[(9, &others), (7, "Build")], "time 7", "time 7"),
        (&[(9, &others)], "none", "none"),
        // A mark that is as old as that is a coincidence.
        (&[(5, ours)], "none", "none"),
        (&[(7, "Build imgstack-web")], "time 7", "time 7"),
        (&[(7, "imgstack-0123456789abcd")], "mark 7", "time 7"),
    ];
    for (runs, marked, unmarked) in table {
        for (mark, expected) in [(Some(OURS), marked), (None, unmarked)] {
            let start = Unseen {
                mark: mark.map(str::to_owned),
                before: Some(serde_json::from_value(json!(5)).unwrap()),
                lost: None,
            };
            let runs = runs.iter().map(|(id, title)| run(*id, title)).collect();
            let found = match found(&start, runs) {
                Found::ByMark(run) => format!("mark {}", run.id),
                Found::ByTime(run) => format!("time {}", run.id),
                Found::Several => "several".to_owned(),
                Found::None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{mark:?}");
        }
    }
}

#[test]
fn when_time_alone_will_do() {
    let soon = Duration::from_secs(3);
    let table = [
        (None, None, soon, true),
        (None, Some("lost"), soon, true),
        (Some(OURS), None, soon, false),
        (Some(OURS), None, MARKED, true),
        (Some(OURS), Some("lost"), MARKED, false),
    ];
    for (mark, lost, after, expected) in table {
        let start = Unseen {
            mark: mark.map(str::to_owned),
            before: None,
            lost: lost.map(str::to_owned),
        };
        assert_eq!(start.goes_by_time(after), expected, "{mark:?} {lost:?}");
    }
}
