//! A plan for people: a function of the plan alone (invariant 5).

use std::collections::BTreeSet;
use std::fmt::Write;

use imgstack_planner::{
    Action, Build, Code, Finding, Observed, Plan, PlannedImage, Report, RunningBuild, Severity,
    StackPlan, Step,
};
use imgstack_spec::Address;
use jiff::Timestamp;

use super::fold::{beside, listed, prose};
use super::steps::steps;
use super::style::{BAD, BOLD, DIM, GOOD, WARN, ago, inline, paint, short};

/// So many services are named where several have the same said of them.
const NAMED: usize = 3;

/// Renders a plan.
pub(crate) fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let several = plan.stacks.len() > 1;
    for stack in &plan.stacks {
        if several {
            heading(&mut out, stack);
        }
        images(&mut out, stack, plan.created_at);
        steps(&mut out, stack);
        findings(&mut out, &stack.report);
    }
    closing(&mut out, plan);
    out
}

fn heading(out: &mut String, stack: &StackPlan) {
    let title = paint(BOLD, format!("stack {}", stack.stack.name));
    let _ = writeln!(out, "{}\n", beside(&title, &listed(&stack.endpoint), 4));
}

fn images(out: &mut String, stack: &StackPlan, now: Timestamp) {
    for image in shown_images(stack) {
        one_image(out, image, now);
    }
}

/// Images that have something to be said about: all others run what they should.
pub(super) fn shown_images(stack: &StackPlan) -> Vec<&PlannedImage> {
    let steps = stack.steps.iter();
    let moving = steps.filter_map(|step| moved(stack, step));
    let findings = stack.report.findings.iter();
    let held = findings.filter_map(|finding| held(stack, finding));
    let told: BTreeSet<Address> = moving.chain(held).collect();
    let images = stack.images.iter();
    images
        .filter(|image| told.contains(&image.address) || image.wants.present().is_none())
        .collect()
}

/// The image that a step brings somewhere.
fn moved(stack: &StackPlan, step: &Step) -> Option<Address> {
    let image = match &step.action {
        Action::UpdateService(update) => &stack.stack.service(&update.service)?.image,
        Action::PullImage(pull) => &pull.image,
        Action::LogIn(_)
        | Action::AdjustService(_)
        | Action::RotateCredential(_)
        | Action::RemoveImage(_)
        | Action::RemoveLeftover(_) => return None,
    };
    Some(Address::Image(image.clone()))
}

/// The image whose build has failed, or may have.
fn held(stack: &StackPlan, finding: &Finding) -> Option<Address> {
    match (&finding.address, finding.code) {
        (Address::Service(name), Code::FailedBefore | Code::JournalPageUnread) => {
            let service = stack.stack.service(name)?;
            Some(Address::Image(service.image.clone()))
        }
        _ => None,
    }
}

fn one_image(out: &mut String, image: &PlannedImage, now: Timestamp) {
    image_heading(out, image);
    for running in &image.runs {
        let _ = writeln!(out, "    runs   {}", running_build(running, image, now));
    }
    let _ = writeln!(out, "    wants  {}\n", wanted(image, now));
}

/// The build that an image wants.
pub(crate) fn wanted(image: &PlannedImage, now: Timestamp) -> String {
    match &image.wants {
        Observed::Present(digest) => {
            format!("{}{}", short(digest), facts(image.build.as_ref(), now))
        }
        Observed::Absent(_) => paint(BAD, "absent"),
        Observed::Unknown(_) if image.keeps_several() => "what each service runs".to_owned(),
        Observed::Unknown(_) => paint(BAD, "unknown"),
    }
}

/// What an image is called, where it is, and what it is for.
pub(crate) fn image_heading(out: &mut String, image: &PlannedImage) {
    let name = paint(BOLD, &image.address);
    let _ = writeln!(out, "{}", beside(&name, &reference_words(image), 4));
    if let Some(purpose) = &image.purpose {
        let _ = writeln!(out, "    {}", paint(DIM, inline(purpose)));
    }
}

/// Where an image is, and what it follows there.
pub(super) fn reference_words(image: &PlannedImage) -> Vec<String> {
    let pinned = if image.pinned { "   pinned" } else { "" };
    match &image.policy {
        None => vec![format!("{}{pinned}", image.reference)],
        Some(policy) => {
            let tag = image.reference.tag.as_ref();
            let tag = tag.map(|tag| format!(" → {tag}")).unwrap_or_default();
            let policy = inline(&policy.written());
            vec![
                image.reference.repository.to_string(),
                format!("(policy {policy}{tag})"),
            ]
        }
    }
}

fn running_build(running: &RunningBuild, image: &PlannedImage, now: Timestamp) -> String {
    let what = build_words(running, now);
    if image.runs.len() == 1 {
        return what;
    }
    let services: Vec<_> = running.services.iter().map(ToString::to_string).collect();
    // Eleven: below the digest.
    beside(&what, &listed(&format!("on {}", services.join(", "))), 11)
}

/// Which build tasks run.
pub(super) fn build_words(running: &RunningBuild, now: Timestamp) -> String {
    match &running.digest {
        Some(digest) => format!("{}{}", short(digest), facts(running.build.as_ref(), now)),
        None => format!(
            "{}   a tag: which build is not known",
            inline(&running.image)
        ),
    }
}

/// The words on a build: version, commit, age.
fn facts(build: Option<&Build>, now: Timestamp) -> String {
    let Some(build) = build else {
        return String::new();
    };
    let mut text = String::new();
    for word in [&build.version, &build.revision].into_iter().flatten() {
        // A full commit hash is shortened as git does.
        let hash = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let _ = write!(text, "  {}", inline(if hash { &word[..7] } else { word }));
    }
    if let Some(created) = build.created {
        let _ = write!(text, "   built {}", ago(created, now));
    }
    text
}

/// What blocks, waits or wants attention.
pub(crate) fn findings(out: &mut String, report: &Report) {
    for (about, finding) in together(&report.findings) {
        let (sign, style) = match finding.severity {
            Severity::Blocked => ("! blocked ", BAD),
            Severity::Attention => ("! ", WARN),
            Severity::Note => ("· ", DIM),
        };
        let sign = paint(style, sign);
        let text = format!("  {sign}{about}: {}", inline(&finding.message));
        let _ = writeln!(out, "{}", prose(&text, 6));
        if let Some(hint) = &finding.hint {
            let _ = writeln!(
                out,
                "{}",
                prose(&format!("      help: {}", inline(hint)), 12)
            );
        }
        for (number, step) in (1..).zip(&finding.procedure) {
            let text = format!("      {number}. {}", inline(step));
            let _ = writeln!(out, "{}", prose(&text, 9));
        }
    }
    if !report.findings.is_empty() {
        out.push('\n');
    }
}

/// The findings with what they are about. What is the same for many services, such
/// as a build that goes by another name, is said once for all of them.
pub(super) fn together(findings: &[Finding]) -> Vec<(String, &Finding)> {
    let is_same = |one: &Finding, other: &Finding| {
        let is_shared = matches!(
            one.code,
            Code::OtherName | Code::FailedBefore | Code::JournalUnknown | Code::JournalPageUnread
        );
        is_shared && one.code == other.code && one.message == other.message
    };
    let mut told: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        match told.iter_mut().find(|it| is_same(it[0], finding)) {
            Some(same) => same.push(finding),
            None => told.push(vec![finding]),
        }
    }
    let told = told.into_iter().map(|same| {
        let names: Vec<String> = same.iter().map(|it| it.address.to_string()).collect();
        let (first, rest) = names.split_at(names.len().min(NAMED));
        let about = match rest.len() {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        };
        (about, same[0])
    });
    told.collect()
}

fn closing(out: &mut String, plan: &Plan) {
    let Closing { words, blocked } = closing_words(plan, "above");
    match words.strip_prefix("Plan:") {
        Some(counts) => {
            let _ = write!(out, "{}{counts}", paint(BOLD, "Plan:"));
        }
        None => {
            let _ = write!(out, "{}", paint(GOOD, &words));
        }
    }
    if let Some(blocked) = blocked {
        let _ = write!(out, " {}", paint(BAD, blocked));
    }
    out.push('\n');
}

/// The last words on a plan.
pub(super) struct Closing {
    /// "Plan: 1 to add, …", or why there is nothing to do.
    pub(super) words: String,
    /// "2 blocked."
    pub(super) blocked: Option<String>,
}

/// The findings are told `place` of these words: "above".
pub(super) fn closing_words(plan: &Plan, place: &str) -> Closing {
    if plan.is_empty() && !plan.is_blocked() {
        let says = |code: Code| {
            let mut findings = plan.stacks.iter().flat_map(|it| &it.report.findings);
            findings.any(|it| it.code == code)
        };
        let words = if says(Code::NodePaused) {
            format!("No changes can be made, and one is wanted: see {place}.")
        } else if says(Code::Held) {
            format!("No changes now. What waits is named {place}.")
        } else {
            "No changes. Your infrastructure matches the configuration.".to_owned()
        };
        return Closing {
            words,
            blocked: None,
        };
    }
    let counts = plan.summary();
    Closing {
        words: format!(
            "Plan: {} to add, {} to change, {} to destroy.",
            counts.add, counts.change, counts.destroy
        ),
        // What is blocked may have no service yet.
        blocked: plan.is_blocked().then(|| match blocked(plan) {
            0 => format!("Blocked, see {place}."),
            count => format!("{count} blocked."),
        }),
    }
}

/// How many services cannot be planned.
fn blocked(plan: &Plan) -> usize {
    let findings = plan.stacks.iter().flat_map(|stack| &stack.report.findings);
    let blocked = findings.filter(|finding| finding.severity == Severity::Blocked);
    let services: BTreeSet<&Address> = blocked
        .flat_map(|finding| finding.blocks.iter().chain([&finding.address]))
        .filter(|address| matches!(address, Address::Service(_)))
        .collect();
    services.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: Code, service: &str, message: &str) -> Finding {
        Finding {
            severity: Severity::Note,
            code,
            address: format!("service.{service}").parse().unwrap(),
            message: message.to_owned(),
            hint: None,
            procedure: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// (the services with the same name of a build, what is told)
    #[test]
    fn another_name_is_told_once() {
        let table: [(&[&str], &str); 4] = [
            (&["a"], "  · service.a: runs as `16`"),
            (&["a", "b"], "  · service.a, service.b: runs as `16`"),
            (
                &["a", "b", "c"],
                "  · service.a, service.b, service.c: runs as `16`",
            ),
            (
                &["a", "b", "c", "d", "e"],
                "  · service.a, service.b, service.c and 2 more: runs as `16`",
            ),
        ];
        for (services, expected) in table {
            let same = services
                .iter()
                .map(|it| finding(Code::OtherName, it, "runs as `16`"));
            let others = [
                finding(Code::OtherName, "x", "runs as `17`"),
                finding(Code::NotRunning, "a", "waits"),
                finding(Code::NotRunning, "b", "waits"),
            ];
            let report = Report {
                findings: same.chain(others).collect(),
            };
            let mut out = String::new();
            findings(&mut out, &report);
            let out = anstream::adapter::strip_str(&out).to_string();
            let lines: Vec<&str> = out.lines().collect();
            let rest = [
                "  · service.x: runs as `17`",
                "  · service.a: waits",
                "  · service.b: waits",
                "",
            ];
            assert_eq!(lines[0], expected);
            assert_eq!(lines[1..], rest);
        }
    }
}
