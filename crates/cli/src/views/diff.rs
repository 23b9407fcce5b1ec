//! What a change of the spec means, for people: a function of the document
//! alone.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::Style;
use imgstack_planner::StepId;
use imgstack_planner::spec_diff::{Act, Beyond, Change, Effect, SpecDiff, TextDiff};

use super::fold::{pieces, prose};
use super::plan::findings;
use super::steps::{named, steps};
use super::style::{BAD, BOLD, CHANGE, DIM, GOOD, WARN, inline, paint};

/// More of a value says nothing more to a person.
const LONGEST: usize = 160;
/// Where what is said of a field begins.
const BELOW: usize = 6;

/// Renders a comparison.
pub(crate) fn render(diff: &SpecDiff) -> String {
    let mut out = String::new();
    let stacks: BTreeSet<_> = diff.changes.iter().map(|it| &it.stack).collect();
    let mut stack = None;
    for (_, changes) in diff.things() {
        let own = &changes[0].stack;
        if stacks.len() > 1 && stack != Some(own) {
            let _ = writeln!(out, "{}\n", paint(BOLD, format!("stack {own}")));
        }
        stack = Some(own);
        thing(&mut out, changes);
        out.push('\n');
    }
    texts(&mut out, &diff.texts);
    live(&mut out, diff.live.as_deref());
    closing(&mut out, diff);
    out
}

/// Everything that changed of one thing.
fn thing(out: &mut String, changes: &[Change]) {
    let address = paint(BOLD, inline(&changes[0].address.to_string()));
    let whole = changes.iter().find(|it| it.field.is_none());
    let sign = sign(whole.map_or(Act::Change, |it| it.action));
    let _ = writeln!(out, "{sign} {address}");
    if let Some(whole) = whole {
        let width = whole.says.iter().map(|it| it.field.len()).max();
        for said in &whole.says {
            let field = format!("    {:<1$}  ", said.field, width.unwrap_or_default());
            let _ = writeln!(out, "{}", pieces(&field, &[cut(&said.value)], 8));
        }
        effect(out, whole);
    }
    let fields: Vec<_> = changes.iter().filter(|it| it.field.is_some()).collect();
    for (at, change) in fields.iter().enumerate() {
        field(out, change);
        // What is the same of several is said once, of the last.
        let next = fields.get(at + 1);
        if next.is_none_or(|next| next.message != change.message) {
            effect(out, change);
        }
    }
}

fn sign(action: Act) -> String {
    match action {
        Act::Add => paint(GOOD, "+"),
        Act::Change => paint(CHANGE, "~"),
        Act::Remove => paint(BAD, "-"),
    }
}

fn field(out: &mut String, change: &Change) {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "(none)".to_owned(), cut);
    let field = change.field.as_deref().unwrap_or_default();
    let (from, to) = (value(&change.from), format!("-> {}", value(&change.to)));
    let _ = writeln!(out, "{}", pieces(&format!("    {field}  "), &[from, to], 8));
}

fn effect(out: &mut String, change: &Change) {
    let indent = " ".repeat(BELOW);
    let text = prose(&format!("{indent}# {}", inline(&change.message)), BELOW + 2);
    let _ = writeln!(out, "{}", paint(style(change.effect), text));
}

fn style(effect: Effect) -> Style {
    match effect {
        Effect::Blocked => BAD,
        Effect::OtherCluster | Effect::Restarts | Effect::Held | Effect::Removes => WARN,
        Effect::Managed | Effect::Unmanaged | Effect::NoRestart => DIM,
    }
}

/// A value on one line, and not longer than anybody reads.
pub(super) fn cut(value: &str) -> String {
    let value = inline(value);
    match value.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value,
    }
}

/// What a file is called: as it is now, if it still is.
pub(super) fn text_name(text: &TextDiff) -> String {
    let name = text.to.as_ref().or(text.from.as_ref());
    inline(name.map(String::as_str).unwrap_or_default())
}

fn texts(out: &mut String, texts: &[TextDiff]) {
    for text in texts {
        if text.diff.is_empty() {
            let _ = writeln!(
                out,
                "{}: only line ends differ, or what may be a secret\n",
                text_name(text)
            );
        } else {
            let _ = writeln!(out, "{}\n", text.diff.trim_end());
        }
    }
}

fn live(out: &mut String, beyond: Option<&[Beyond]>) {
    let Some(beyond) = beyond else { return };
    for Beyond { plan, gone, .. } in beyond {
        let title = format!(
            "The plan of {}, less the plan of the older spec",
            plan.stack.name
        );
        let _ = writeln!(out, "{}\n", paint(BOLD, title));
        let is_empty = plan.steps.is_empty() && gone.is_empty();
        if is_empty && plan.report.findings.is_empty() {
            let _ = writeln!(out, "  nothing: both are the same\n");
        }
        steps(out, plan);
        for step in gone {
            let _ = writeln!(
                out,
                "  {}",
                paint(DIM, format!("no more: {}", gone_words(step)))
            );
        }
        if !gone.is_empty() {
            out.push('\n');
        }
        findings(out, &plan.report);
    }
}

/// A step that is no more: `update service.web`.
pub(super) fn gone_words(step: &StepId) -> String {
    let text = step.to_string();
    let verb = text.split(' ').next().unwrap_or_default();
    format!("{} {}", inline(verb), named(step))
}

/// The last words on a comparison.
pub(super) struct Closing {
    /// What there is.
    pub(super) words: String,
    /// "2 blocked."
    pub(super) blocked: Option<String>,
}

pub(super) fn closing_words(diff: &SpecDiff) -> Closing {
    if diff.is_empty() {
        let words = match (diff.text_differs, diff.texts.is_empty()) {
            (false, _) => "No changes: the texts are the same.",
            (true, false) => "No changes in meaning.",
            (true, true) => "No changes in meaning. The texts differ: --text shows where.",
        };
        return Closing {
            words: words.to_owned(),
            blocked: None,
        };
    }
    let counts = diff.summary();
    let restarts = match counts.restarts {
        0 => String::new(),
        1 => " Restarts 1 service.".to_owned(),
        services => format!(" Restarts {services} services."),
    };
    Closing {
        words: format!(
            "Diff: {} added, {} changed, {} removed.{restarts}",
            counts.added, counts.changed, counts.removed
        ),
        blocked: (counts.blocked > 0).then(|| format!("{} blocked.", counts.blocked)),
    }
}

fn closing(out: &mut String, diff: &SpecDiff) {
    let Closing { words, blocked } = closing_words(diff);
    match words.strip_prefix("Diff:") {
        Some(counts) => {
            let _ = write!(out, "{}{counts}", paint(BOLD, "Diff:"));
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
