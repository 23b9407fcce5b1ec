//! The steps of a plan, as people read them.

use std::fmt::Write;
use std::time::Duration;

use imgstack_planner::{
    Action, Change, Effect, LogIn, PullImage, RemoveImage, SettingsChange, StackPlan, Step, StepId,
    UpdateService, Via,
};
use imgstack_spec::{
    ByteSize, Digest, FailureAction, ImageRef, Platform, Probe, Question, TaskTemplate,
};

use super::fold::{beside, listed, pieces, prose};
use super::leader;
use super::style::{BAD, BOLD, CHANGE, DIM, GOOD, inline, paint, short};

/// Where what does not fit beside an address begins: below it.
const BELOW: usize = 13;

/// Renders the steps of a stack.
pub(crate) fn steps(out: &mut String, stack: &StackPlan) {
    let mut last_reason: Option<&[String]> = None;
    for step in &stack.steps {
        // What holds for a whole run of nodes is said once.
        if last_reason != Some(&*step.reasons) || step.action.service().is_some() {
            let reasons = inline(&step.reasons.join("; "));
            let reasons = prose(&format!("  # {}: {reasons}", step.address), 6);
            let _ = writeln!(out, "{}", paint(DIM, reasons));
        }
        last_reason = Some(&step.reasons);
        let (sign, verb) = (sign(step.action.effect()), step.action.verb());
        let head = format!("  {sign} {verb:<8} {}", paint(BOLD, padded(step, stack)));
        let _ = writeln!(
            out,
            "{}",
            beside(head.trim_end(), &detail(step, stack), BELOW)
        );
        for (name, words) in gates(&step.action) {
            let _ = writeln!(
                out,
                "{}",
                pieces(&format!("        {name:<9}  "), &words, 16)
            );
        }
        changes(out, &step.action);
        if step.action.service().is_some() {
            let lead = format!("      {} labels     ", paint(CHANGE, "~"));
            let _ = writeln!(out, "{}", pieces(&lead, &labels(&step.action), 19));
        }
    }
    if !stack.steps.is_empty() {
        out.push('\n');
    }
}

fn sign(effect: Effect) -> String {
    match effect {
        Effect::Add => paint(GOOD, "+"),
        Effect::Change => paint(CHANGE, "~"),
        Effect::Destroy => paint(BAD, "-"),
    }
}

/// A step without its verb, its digests short: `service.web`,
/// `node.docker-infra-1 image.web`.
pub(crate) fn named(step: &StepId) -> String {
    let text = step.to_string();
    let words = text
        .split(' ')
        .skip(1)
        .map(|word| match word.split_once('@') {
            Some((name, digest)) => match digest.parse::<Digest>() {
                Ok(digest) => format!("{name}@{}", short(&digest)),
                Err(_) => word.to_owned(),
            },
            None => word.to_owned(),
        });
    inline(&words.collect::<Vec<_>>().join(" "))
}

/// Addresses of nodes stand in a column.
fn padded(step: &Step, stack: &StackPlan) -> String {
    let address = step.address.to_string();
    if step.action.service().is_some() {
        return address;
    }
    let nodes = stack
        .steps
        .iter()
        .filter(|it| it.action.service().is_none());
    let width = nodes.map(|it| it.address.to_string().chars().count()).max();
    format!("{address:<0$}", width.unwrap_or_default())
}

/// What is to be said beside a step.
pub(super) fn detail(step: &Step, stack: &StackPlan) -> Vec<String> {
    match &step.action {
        Action::UpdateService(update) => {
            listed(&format!("{}{}", effect(update), turn(step, stack)))
        }
        Action::AdjustService(_) | Action::RotateCredential(_) => {
            vec!["restarts nothing".to_owned()]
        }
        Action::PullImage(pull) => pull_detail(pull, stack),
        Action::LogIn(LogIn {
            registry, username, ..
        }) => vec![format!("{registry} as {}", inline(username))],
        Action::RemoveImage(RemoveImage {
            repository,
            digest,
            tags,
            bytes,
            ..
        }) => {
            let size = ByteSize::new(*bytes).rounded();
            let name = repository.path().rsplit('/').next().unwrap_or_default();
            let mut words = vec![format!("…/{name}@{} ", short(digest))];
            words.extend(tags.iter().map(|tag| format!("{tag} ")));
            words.push(size);
            words
        }
        Action::RemoveLeftover(_) => Vec::new(),
    }
}

fn pull_detail(pull: &PullImage, stack: &StackPlan) -> Vec<String> {
    let mut words = Vec::new();
    if stack.images.len() > 1 {
        words.push(format!("image.{} ", pull.image));
    }
    // Not the one that is shown as wanted.
    let kept = pull.reference.digest.as_ref().filter(|_| pull.kept);
    words.extend(kept.map(|digest| format!("{} ", short(digest))));
    words.push(pull.bytes.map_or_else(
        || "size not known".to_owned(),
        |bytes| ByteSize::new(bytes).rounded(),
    ));
    if pull.via == Via::Manager {
        words.push(" through the manager".to_owned());
    }
    words
}

/// What the engine will do: "restarts 1 task on docker-infra-2, stop-first".
pub(crate) fn effect(update: &UpdateService) -> String {
    if update.restarts.tasks == 0 {
        return "restarts nothing".to_owned();
    }
    let order = update.order.word();
    let failure = match update.on_failure {
        FailureAction::Rollback => ", on failure it goes back (rollback)",
        FailureAction::Pause => ", on failure it stops there, and imgstack goes back (pause)",
        FailureAction::Continue => ", on failure it goes on, and imgstack goes back (continue)",
    };
    format!("restarts {}, {order}{failure}", update.restarts)
}

/// What comes before a service, or what it begins with; that nodes come first
/// goes without saying.
fn turn(step: &Step, stack: &StackPlan) -> String {
    let before = before(step);
    if !before.is_empty() {
        return format!(", after {}", before.join(", "));
    }
    let others = stack.steps.iter().filter(|it| {
        let is_update = matches!(it.action, Action::UpdateService(_));
        is_update && it.id != step.id && self::before(it).is_empty()
    });
    let others: Vec<String> = others.map(|it| it.address.to_string()).collect();
    match others.as_slice() {
        [] => String::new(),
        [one, two, rest @ ..] if rest.len() > 1 => {
            format!(", side by side with {one}, {two} and {} more", rest.len())
        }
        others => format!(", side by side with {}", others.join(", ")),
    }
}

/// The services that come before a step.
fn before(step: &Step) -> Vec<String> {
    let before = step.after.iter().chain(&step.follows);
    let services = before.filter_map(|id| {
        let id = id.to_string();
        Some(id.strip_prefix("update ")?.to_owned())
    });
    services.collect()
}

/// A field of a service, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// In docker's words, or in those of a stack file.
    pub(super) name: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// What a step changes of a service, its labels aside.
pub(super) fn fields(action: &Action) -> Vec<Field> {
    match action {
        Action::UpdateService(update) => update_fields(update),
        Action::AdjustService(adjust) => settings(&adjust.settings),
        Action::RotateCredential(_)
        | Action::LogIn(_)
        | Action::PullImage(_)
        | Action::RemoveImage(_)
        | Action::RemoveLeftover(_) => Vec::new(),
    }
}

fn update_fields(update: &UpdateService) -> Vec<Field> {
    let mut fields = Vec::new();
    if update.image.from != update.image.to {
        fields.push(Field {
            name: "image".to_owned(),
            from: image(&update.image.from),
            to: image(&update.image.to),
        });
    }
    if let Some(platforms) = &update.platforms {
        let list = |list: &[Platform]| {
            let names: Vec<_> = list.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        fields.push(Field {
            name: "platforms".to_owned(),
            from: list(&platforms.from),
            to: list(&platforms.to),
        });
    }
    fields.extend(settings(&update.settings));
    fields
}

/// What an update waits for, before it and after it, each by its name.
pub(super) fn gates(action: &Action) -> Vec<(&'static str, Vec<String>)> {
    let Action::UpdateService(update) = action else {
        return Vec::new();
    };
    let mut gates = Vec::new();
    if let Some(first) = leader::first(update) {
        gates.push(("first", first));
    }
    if let Some(stops) = leader::stops(update) {
        gates.push(("leader", stops));
    }
    if let Some(probe) = &update.probe {
        gates.push(("probe", gate(probe)));
    }
    gates
}

/// What is asked of each task before the service counts as rolled out.
fn gate(probe: &Probe) -> Vec<String> {
    let question = match &probe.question {
        Question::Http(url) => format!("GET {}", url.as_str()),
        Question::Tcp(to) => format!("a connection to {}", to.as_str()),
        Question::Exec(command) => {
            let words: Vec<&str> = command.iter().map(TaskTemplate::as_str).collect();
            format!("`{}` in the task", words.join(" "))
        }
    };
    let every = millis(probe.every);
    let hold = match probe.hold.is_zero() {
        true => format!("must say yes once, asked every {every}"),
        false => format!("must hold for {}, asked every {every}", millis(probe.hold)),
    };
    vec![inline(&question), hold]
}

fn millis(duration: Duration) -> String {
    time(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Rollout settings, in the words of a stack file.
pub(super) fn settings(settings: &SettingsChange) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut field = |key: &str, from: String, to: String| {
        let name = format!("update_config.{key}");
        fields.push(Field { name, from, to });
    };
    if let Some(Change { from, to }) = &settings.order {
        field("order", from.word().to_owned(), to.word().to_owned());
    }
    if let Some(Change { from, to }) = &settings.parallelism {
        field("parallelism", at_once(*from), at_once(*to));
    }
    if let Some(Change { from, to }) = &settings.monitor_ms {
        field("monitor", time(*from), time(*to));
    }
    if let Some(Change { from, to }) = &settings.on_failure {
        field(
            "failure_action",
            from.word().to_owned(),
            to.word().to_owned(),
        );
    }
    fields
}

/// From what to what: below each other if that does not fit beside.
fn changes(out: &mut String, action: &Action) {
    let change = paint(CHANGE, "~");
    for Field { name, from, to } in fields(action) {
        // The first two names stand in a column.
        let lead = format!("      {change} {name:<9}  ");
        let line = pieces(&lead, &[from, format!("-> {to}")], 16);
        let _ = writeln!(out, "{line}");
    }
}

fn at_once(tasks: u64) -> String {
    match tasks {
        0 => "0 (all at once)".to_owned(),
        tasks => tasks.to_string(),
    }
}

/// `90s`, or `1500ms` for what is no whole second.
fn time(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}s", milliseconds / 1000),
        _ => format!("{milliseconds}ms"),
    }
}

/// The labels that a step sets on a service.
pub(super) fn labels(action: &Action) -> Vec<String> {
    let labels = match action {
        Action::UpdateService(update) => &update.labels,
        Action::AdjustService(adjust) => &adjust.labels,
        Action::RotateCredential(rotate) => &rotate.labels,
        Action::LogIn(_)
        | Action::PullImage(_)
        | Action::RemoveImage(_)
        | Action::RemoveLeftover(_) => return Vec::new(),
    };
    let labels = labels.iter().map(|(label, value)| {
        let to = value.to.as_deref().unwrap_or("(none)");
        inline(&format!("{label}={}", abbreviated(label, to)))
    });
    labels.collect()
}

/// The hash of a plan is long and says nothing to a person.
fn abbreviated<'a>(label: &str, value: &'a str) -> &'a str {
    if label == "dev.imgstack.plan" {
        value.get(..12).unwrap_or(value)
    } else {
        value
    }
}

/// `…/patroni-postgres:16@sha256:9f31c0a2b4d6…`; anything else as it is.
pub(super) fn image(text: &str) -> String {
    let Ok(reference) = text.parse::<ImageRef>() else {
        return inline(text);
    };
    let name = reference
        .repository
        .path()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let tag = reference
        .tag
        .as_ref()
        .map(|tag| format!(":{tag}"))
        .unwrap_or_default();
    let digest = reference
        .digest
        .as_ref()
        .map(|digest| format!("@{}", short(digest)));
    format!("…/{name}{tag}{}", digest.unwrap_or_default())
}
