//! Past applies, as the journal has them.

mod page;

use std::collections::BTreeMap;
use std::fmt::Write;

use imgstack_executor::StepOutcome;
use imgstack_executor::journal::{
    Commit, FailedBuild, ImageChange, LeaderMove, LeftOut, Release, ReleaseResult, StepFailure,
    Unreadable,
};
use imgstack_planner::{FORMAT_VERSION, SettingsChange, StepId};
use imgstack_spec::{Address, ImageRef, ServiceName, StackName};
use imgstack_swarm::PreviousSpec;
use jiff::Timestamp;
use serde::Serialize;

use super::fold::prose;
use super::style::{BAD, BOLD, GOOD, WARN, ago, inline, paint, shortest};
use super::table::Table;

/// The releases of all stacks: what `-o json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct History {
    format_version: &'static str,
    /// When it was read.
    at: Timestamp,
    stacks: Vec<StackHistory>,
}

/// The releases of a stack, the newest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackHistory {
    stack: StackName,
    releases: Vec<ReleaseView>,
    /// Releases that this imgstack cannot read, and why.
    unreadable: Vec<UnreadableView>,
}

#[derive(Debug, Serialize)]
struct UnreadableView {
    number: u64,
    why: String,
}

/// A release.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseView {
    number: u64,
    result: Shown,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    owner: String,
    host: String,
    command: String,
    imgstack_version: String,
    /// The commit of the folder of the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    /// Digest of the stack as it was read from the spec.
    spec_digest: String,
    /// Identifies the plan, as the label `dev.imgstack.plan` of services does.
    plan: String,
    /// What changed, in one line.
    changed: String,
    /// How many steps the plan had; a huge one is not listed whole.
    step_count: usize,
    steps: Vec<StepView>,
    failures: Vec<StepFailure>,
    /// Builds that services could not run.
    failed_builds: Vec<FailedBuild>,
    /// When another service led than the plan said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaders: Vec<LeaderMove>,
    /// The fields that imgstack changes, as they were before.
    previous: BTreeMap<ServiceName, PreviousSpec>,
    left_out: LeftOut,
}

/// A step, and what became of it; nothing, if the release has no end.
#[derive(Debug, Serialize)]
struct StepView {
    id: StepId,
    address: Address,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageChange>,
    /// Rollout settings that changed.
    #[serde(skip_serializing_if = "SettingsChange::is_empty")]
    settings: SettingsChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<StepOutcome>,
    reasons: Vec<String>,
}

/// How a release ended, or why it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    /// Every step is done.
    Done,
    /// A step failed.
    Failed,
    /// Somebody asked to stop.
    Interrupted,
    /// The lock was lost on the way.
    LockLost,
    /// Its process has the lock.
    UnderWay,
    /// Its process was killed, or could not write the end.
    Killed,
}

impl History {
    pub(crate) fn of(at: Timestamp, stacks: Vec<StackHistory>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            at,
            stacks,
        }
    }

    /// The releases of that number; None if no stack has one.
    pub(crate) fn only(mut self, number: u64) -> Option<Self> {
        for stack in &mut self.stacks {
            stack.releases.retain(|release| release.number == number);
            stack.unreadable.retain(|page| page.number == number);
        }
        let has = |it: &StackHistory| !it.releases.is_empty() || !it.unreadable.is_empty();
        self.stacks.retain(has);
        (!self.stacks.is_empty()).then_some(self)
    }

    /// A line a release.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        for stack in &self.stacks {
            let _ = writeln!(out, "{}", paint(BOLD, format!("stack {}", stack.stack)));
            if stack.releases.is_empty() && stack.unreadable.is_empty() {
                let _ = writeln!(out, "    no release yet");
                continue;
            }
            let mut table = Table::new(["n", "when", "who", "commit", "result", "changed"]);
            for release in &stack.releases {
                table.row([
                    release.number.to_string(),
                    ago(release.started_at, self.at),
                    inline(&format!("{}@{}", release.owner, release.host)),
                    short_commit(release.commit.as_ref()),
                    release.result.painted(),
                    release.changed.clone(),
                ]);
            }
            if !stack.releases.is_empty() {
                out.push_str(&table.render());
            }
            unreadable(&mut out, stack);
        }
        out
    }

    /// Everything about each release.
    pub(crate) fn pages(&self) -> String {
        let mut out = String::new();
        for stack in &self.stacks {
            for release in &stack.releases {
                page::page(&mut out, &stack.stack, release, self.at);
            }
            unreadable(&mut out, stack);
        }
        out
    }
}

fn unreadable(out: &mut String, stack: &StackHistory) {
    for page in &stack.unreadable {
        let text = format!(
            "  {} release {} of the stack {} cannot be read: {}",
            paint(WARN, "!"),
            page.number,
            stack.stack,
            inline(&page.why)
        );
        let _ = writeln!(out, "{}", prose(&text, 4));
    }
}

/// Seven digits, and a sign when more was there than the commit.
fn short_commit(commit: Option<&Commit>) -> String {
    let Some(commit) = commit else {
        return "-".to_owned();
    };
    let dirty = if commit.dirty { "+" } else { "" };
    inline(&format!(
        "{}{dirty}",
        commit.id.get(..7).unwrap_or(&commit.id)
    ))
}

impl Shown {
    fn painted(self) -> String {
        match self {
            Self::Done => paint(GOOD, "done"),
            Self::Failed => paint(BAD, "failed"),
            Self::Interrupted => paint(WARN, "interrupted"),
            Self::LockLost => paint(BAD, "lock lost"),
            Self::UnderWay => paint(WARN, "under way"),
            Self::Killed => paint(BAD, "killed"),
        }
    }
}

impl StackHistory {
    /// `lock` tells whose the lock is now: a release without an end that has it
    /// is under way.
    pub(crate) fn of(
        stack: &StackName,
        releases: &[Release],
        unreadable: &[Unreadable],
        lock: Option<&str>,
    ) -> Self {
        let unreadable = unreadable.iter().map(|page| UnreadableView {
            number: page.number,
            why: page.why.clone(),
        });
        Self {
            stack: stack.clone(),
            releases: releases.iter().map(|it| view(it, lock)).collect(),
            unreadable: unreadable.collect(),
        }
    }
}

fn view(release: &Release, lock: Option<&str>) -> ReleaseView {
    let (begun, ending) = (&release.begun, release.ending.as_ref());
    let steps = begun.steps.iter().map(|step| StepView {
        id: step.id.clone(),
        address: step.address.clone(),
        action: step.action.clone(),
        image: step.image.clone(),
        settings: step.settings.clone(),
        outcome: release.outcome(step.place),
        reasons: step.reasons.clone(),
    });
    ReleaseView {
        number: begun.number,
        result: shown(release, lock),
        started_at: begun.started_at,
        ended_at: ending.map(|it| it.ended_at),
        owner: begun.occasion.owner.clone(),
        host: begun.occasion.host.clone(),
        command: begun.occasion.command.clone(),
        imgstack_version: begun.occasion.imgstack_version.clone(),
        commit: begun.occasion.commit.clone(),
        spec_digest: begun.spec_digest.clone(),
        plan: begun.plan.clone(),
        changed: changed(release),
        step_count: begun.step_count,
        steps: steps.collect(),
        failures: ending.map(|it| it.failures.clone()).unwrap_or_default(),
        failed_builds: ending
            .map(|it| it.failed_builds.clone())
            .unwrap_or_default(),
        leaders: ending.map(|it| it.leaders.clone()).unwrap_or_default(),
        previous: begun.previous.clone(),
        left_out: begun.left_out.clone(),
    }
}

fn shown(release: &Release, lock: Option<&str>) -> Shown {
    match release.ending.as_ref().map(|it| it.result) {
        Some(ReleaseResult::Done) => Shown::Done,
        Some(ReleaseResult::Failed) => Shown::Failed,
        Some(ReleaseResult::Interrupted) => Shown::Interrupted,
        Some(ReleaseResult::LockLost) => Shown::LockLost,
        None if lock == Some(&release.begun.lock) => Shown::UnderWay,
        None => Shown::Killed,
    }
}

/// The tag and the beginning of the digest: `16 9f31c0a2b4d6…`
fn build(image: &str) -> String {
    let Ok(ImageRef { tag, digest, .. }) = image.parse() else {
        return image.to_owned();
    };
    let tag = tag.map(|tag| tag.to_string());
    let digest = digest.as_ref().map(shortest);
    let parts: Vec<String> = [tag, digest].into_iter().flatten().collect();
    parts.join(" ")
}

/// What a release was to change, in one line: services by name, all else by
/// number.
fn changed(release: &Release) -> String {
    let mut parts = Vec::new();
    let mut updates = release.updates();
    if let Some((first, _)) = updates.next() {
        let more = match updates.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        parts.push(format!("{}{more} to {}", first.service, build(&first.to)));
    }
    let steps = &release.begun.steps;
    let count = |action: &str| steps.iter().filter(|step| step.action == action).count();
    for (action, one, many) in [
        ("adjust", "service's settings", "services' settings"),
        ("rotate", "credential", "credentials"),
        ("login", "login", "logins"),
        ("pull", "pull", "pulls"),
        ("remove", "removal", "removals"),
    ] {
        match count(action) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        }
    }
    match release.begun.left_out.steps {
        0 => {}
        steps => parts.push(format!("{steps} more")),
    }
    inline(&parts.join(", "))
}

#[cfg(test)]
mod tests {
    use imgstack_executor::journal::PlannedStep;
    use serde_json::json;

    use super::*;

    fn image(digit: &str) -> String {
        format!("ghcr.io/acme/web:1@sha256:{}", digit.repeat(64))
    }

    /// A release of four steps, of which there was room for three.
    fn release(number: u64, lock: &str, ending: Option<serde_json::Value>) -> Release {
        let begun = json!({
            "formatVersion": "1.0",
            "stack": "shop",
            "number": number,
            "startedAt": "2026-08-01T10:00:00Z",
            "occasion": {
                "owner": "root", "host": "ci-1", "command": "imgstack apply",
                "imgstackVersion": "0.1.0",
                "commit": {"id": "abc1234def5678", "dirty": true},
            },
            "lock": lock,
            "specDigest": format!("sha256:{}", "c".repeat(64)),
            "plan": "9f2c9f2c9f2c9f2c",
            "stepCount": 4,
            "steps": [
                {"place": 0, "id": "pull node.host-1 image.web", "address": "node.host-1", "action": "pull"},
                {
                    "place": 2, "id": "update service.web", "address": "service.web", "action": "update",
                    "image": {"service": "web", "from": image("a"), "to": image("b")},
                },
                {
                    "place": 3, "id": "adjust service.api", "address": "service.api", "action": "adjust",
                    "settings": {
                        "parallelism": {"from": 1, "to": 0},
                        "monitorMs": {"from": 5000, "to": 1500},
                    },
                },
            ],
            "previous": {},
            "leftOut": {"reasons": true, "steps": 1, "previous": 1},
        });
        Release {
            begun: serde_json::from_value(begun).unwrap(),
            ending: ending.map(|it| serde_json::from_value(it).unwrap()),
        }
    }

    fn failed() -> serde_json::Value {
        json!({
            "endedAt": "2026-08-01T10:01:02Z",
            "result": "failed",
            "outcomes": [["done", 2], ["failed", 1], ["not_started", 1]],
            "leaders": [{
                "at": "2026-08-01T10:00:40Z", "image": "image.web", "leader": "service.b",
                "was": "service.a", "left": ["service.c", "service.b"],
            }],
            "failures": [{
                "step": "update service.web", "kind": "rolled_back",
                "message": "the new build failed\nApply complete!",
                "tasks": [{"task": "web.1", "node": "host-1", "state": "failed", "error": "task: non-zero exit (1)"}],
            }],
        })
    }

    fn history(releases: &[Release], lock: Option<&str>) -> History {
        let stack = "shop".parse().unwrap();
        let unreadable = [Unreadable {
            number: 2,
            why: "it has the format 2.0".to_owned(),
        }];
        let at = "2026-08-01T10:03:00Z".parse().unwrap();
        History::of(
            at,
            vec![StackHistory::of(&stack, releases, &unreadable, lock)],
        )
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_release_without_an_end_is_under_way_or_was_killed() {
        let releases = [
            release(5, "t5", None),
            release(4, "t4", None),
            release(3, "t3", Some(failed())),
        ];
        let table = plain(&history(&releases, Some("t5")).table());
        assert_eq!(
            table,
            "\
stack shop
    n  when           who        commit    result     changed
    5  3 minutes ago  root@ci-1  abc1234+  under way  web to 1 bbbbbbbbbbbb…, 1 service's settings, 1 pull, 1 more
    4  3 minutes ago  root@ci-1  abc1234+  killed     web to 1 bbbbbbbbbbbb…, 1 service's settings, 1 pull, 1 more
    3  3 minutes ago  root@ci-1  abc1234+  failed     web to 1 bbbbbbbbbbbb…, 1 service's settings, 1 pull, 1 more
  ! release 2 of the stack shop cannot be read: it has the format 2.0
"
        );
        let table = plain(&history(&releases, None).table());
        assert_eq!(table.matches("killed").count(), 2, "{table}");
    }

    #[test]
    fn no_kind_of_step_is_left_out_of_the_line() {
        let table: [(&[&str], &str); 7] = [
            (&["adjust"], "1 service's settings"),
            (&["adjust", "adjust"], "2 services' settings"),
            (&["rotate"], "1 credential"),
            (&["login", "login"], "2 logins"),
            (&["pull"], "1 pull"),
            (&["remove", "remove"], "2 removals"),
            (&["remove", "adjust"], "1 service's settings, 1 removal"),
        ];
        for (actions, expected) in table {
            let mut release = release(3, "t3", None);
            let step = release.begun.steps[0].clone();
            let steps = actions.iter().map(|action| PlannedStep {
                action: (*action).to_owned(),
                ..step.clone()
            });
            release.begun.steps = steps.collect();
            release.begun.left_out = LeftOut::default();
            assert_eq!(changed(&release), expected, "{actions:?}");
        }
    }

    #[test]
    fn a_page_tells_each_step_and_why_it_failed() {
        let releases = [release(3, "t3", Some(failed()))];
        let history = history(&releases, None).only(3).unwrap();
        assert_eq!(
            plain(&history.pages()),
            "\
release 3 of the stack shop: failed
    who      root@ci-1, `imgstack apply` of imgstack 0.1.0
    when     2026-08-01 10:00:00Z, 3 minutes ago; took 1m2s
    commit   abc1234def5678, and more
    spec     sha256:cccccccccccc…
    plan     9f2c9f2c9f2c

  done         pull    node.host-1 image.web
  failed       update  service.web
                      …/web:1@sha256:aaaaaaaaaaaa…
                   -> …/web:1@sha256:bbbbbbbbbbbb…
  not started  adjust  service.api
                      update_config.parallelism  1 -> 0 (all at once)
                      update_config.monitor  5s -> 1500ms
  … and 1 more, for which there was no room

image.web: service.b leads now, not service.a; left of its group, in this order:
  service.c, service.b

Error: service.web: the new build failed Apply complete!
  web.1 on host-1 failed: task: non-zero exit (1)
"
        );
        assert!(history.only(4).is_none());
    }
}
