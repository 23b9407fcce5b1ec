//! The outline of a plan.

use std::collections::{BTreeMap, BTreeSet};

use anstream::adapter::strip_str;
use imgstack_planner::{
    Action, Effect, Finding, Plan, PlannedImage, Severity, StackPlan, Step, StepId,
};
use imgstack_spec::{Address, NodeName};
use jiff::Timestamp;

use super::{
    Banner, BannerKind, FindingTold, Grid, GridRow, ImageTold, Mark, Order, Outline, Part,
    ServiceRow, StepTold, StepsAre,
};
use crate::views::plan::{
    build_words, closing_words, reference_words, shown_images, together, wanted,
};
use crate::views::steps::{detail, effect, fields, gates, image, labels, named};
use crate::views::style::{inline, short};

/// The outline of a plan.
pub(crate) fn of_plan(plan: &Plan) -> Outline {
    let closing = closing_words(plan, "below");
    let summary = match closing.blocked {
        Some(blocked) => format!("{} {blocked}", closing.words),
        None => closing.words,
    };
    Outline {
        title: "imgstack plan".to_owned(),
        summary,
        banners: [removed(plan), blocked(plan)]
            .into_iter()
            .flatten()
            .collect(),
        stacks: plan
            .stacks
            .iter()
            .map(|stack| part(stack, plan.created_at))
            .collect(),
        texts: Vec::new(),
        origin: origin(plan),
    }
}

/// The order of the steps of each stack.
pub(crate) fn orders(plan: &Plan) -> Vec<(String, Order)> {
    let stacks = plan.stacks.iter();
    let orders = stacks.map(|stack| {
        let order = Order::of_steps(&steps(stack));
        (stack.stack.name.to_string(), order)
    });
    orders.collect()
}

fn origin(plan: &Plan) -> String {
    let commit = plan.commit.as_ref().map(|commit| {
        let dirty = if commit.dirty { ", not committed" } else { "" };
        let id = inline(&commit.id);
        format!(
            " of commit {}{dirty}",
            id.chars().take(12).collect::<String>()
        )
    });
    format!(
        "Made by imgstack {} at {}{}.",
        inline(&plan.imgstack_version),
        plan.created_at,
        commit.unwrap_or_default()
    )
}

fn removed(plan: &Plan) -> Option<Banner> {
    let steps = plan.stacks.iter().flat_map(|stack| &stack.steps);
    let names: Vec<String> = steps
        .filter(|step| step.action.effect() == Effect::Destroy)
        .map(|step| named(&step.id))
        .collect();
    let words = match names.len() {
        0 => return None,
        1 => "1 thing is removed".to_owned(),
        count => format!("{count} things are removed"),
    };
    Some(Banner {
        kind: BannerKind::Removed,
        words,
        names,
    })
}

fn blocked(plan: &Plan) -> Option<Banner> {
    let names: BTreeSet<String> = plan
        .stacks
        .iter()
        .flat_map(|stack| blockers(stack).into_keys())
        .map(ToString::to_string)
        .collect();
    let words = match names.len() {
        0 => return None,
        1 => "1 thing is blocked".to_owned(),
        count => format!("{count} things are blocked"),
    };
    Some(Banner {
        kind: BannerKind::Blocked,
        words,
        names: names.into_iter().collect(),
    })
}

/// What is blocked, each with the finding that says why.
fn blockers(stack: &StackPlan) -> BTreeMap<&Address, &Finding> {
    let findings = stack.report.findings.iter();
    let blocked = findings.filter(|it| it.severity == Severity::Blocked);
    let mut all = BTreeMap::new();
    for finding in blocked {
        // What is blocked by it, and itself where that is nothing else.
        let own = finding.blocks.is_empty().then_some(&finding.address);
        for address in finding.blocks.iter().chain(own) {
            all.entry(address).or_insert(finding);
        }
    }
    all
}

pub(super) fn part(stack: &StackPlan, now: Timestamp) -> Part {
    let steps = steps(stack);
    let services = services(stack);
    Part {
        stack: stack.stack.name.to_string(),
        facts: facts(stack),
        unchanged: stack.seen.len().saturating_sub(services.len()),
        services,
        images: shown_images(stack)
            .into_iter()
            .map(|image| image_told(image, now))
            .collect(),
        order: Order::of_steps(&steps),
        steps,
        are: StepsAre::Steps,
        grid: grid(stack),
        findings: together(&stack.report.findings)
            .into_iter()
            .map(|(about, finding)| finding_told(about, finding))
            .collect(),
    }
}

fn facts(stack: &StackPlan) -> Vec<(&'static str, String)> {
    let mut facts = vec![("cluster", inline(&stack.endpoint))];
    if !stack.targets.is_empty() {
        let targets: Vec<String> = stack.targets.iter().map(ToString::to_string).collect();
        facts.push(("only", targets.join(", ")));
    }
    facts.push(("hash", inline(&stack.hash)));
    facts
}

/// The services that something becomes of, in the order of doing, then those
/// that are blocked.
fn services(stack: &StackPlan) -> Vec<ServiceRow> {
    let mut rows = Vec::new();
    let blockers = blockers(stack);
    let mut told = BTreeSet::new();
    for step in &stack.steps {
        let Some(name) = step.action.service() else {
            continue;
        };
        told.insert(name);
        let known = stack.stack.service(name);
        rows.push(ServiceRow {
            name: name.to_string(),
            image: known.map(|it| it.image.to_string()).unwrap_or_default(),
            mark: step.action.effect().into(),
            verb: step.action.verb(),
            build: build(&step.action),
            effect: effect_of(&step.action),
        });
    }
    for service in &stack.stack.services {
        let address = Address::Service(service.name.clone());
        let Some(finding) = blockers.get(&address) else {
            continue;
        };
        if told.contains(&service.name) {
            continue;
        }
        rows.push(ServiceRow {
            name: service.name.to_string(),
            image: service.image.to_string(),
            mark: Mark::Blocked,
            verb: "blocked",
            build: None,
            effect: inline(&finding.message),
        });
    }
    rows
}

fn build(action: &Action) -> Option<(String, String)> {
    match action {
        Action::UpdateService(update) if update.image.from != update.image.to => {
            Some((image(&update.image.from), image(&update.image.to)))
        }
        Action::UpdateService(_)
        | Action::AdjustService(_)
        | Action::RotateCredential(_)
        | Action::LogIn(_)
        | Action::PullImage(_)
        | Action::RemoveImage(_)
        | Action::RemoveLeftover(_) => None,
    }
}

fn effect_of(action: &Action) -> String {
    match action {
        Action::UpdateService(update) => effect(update),
        Action::AdjustService(_)
        | Action::RotateCredential(_)
        | Action::LogIn(_)
        | Action::PullImage(_)
        | Action::RemoveImage(_)
        | Action::RemoveLeftover(_) => "restarts nothing".to_owned(),
    }
}

fn image_told(image: &PlannedImage, now: Timestamp) -> ImageTold {
    let runs = image.runs.iter().map(|running| {
        let services = running.services.iter().map(ToString::to_string);
        (build_words(running, now), services.collect())
    });
    ImageTold {
        address: image.address.to_string(),
        reference: reference_words(image).join(" "),
        purpose: image.purpose.as_deref().map(inline),
        runs: runs.collect(),
        // Without its colours.
        wants: strip_str(&wanted(image, now)).to_string(),
        known: image.wants.present().is_some() || image.keeps_several(),
    }
}

fn steps(stack: &StackPlan) -> Vec<StepTold> {
    let places: BTreeMap<&StepId, usize> = stack
        .steps
        .iter()
        .enumerate()
        .map(|(place, step)| (&step.id, place))
        .collect();
    let placed = |ids: &[StepId]| {
        let places = ids.iter().filter_map(|id| places.get(id).copied());
        places.collect::<Vec<usize>>()
    };
    let told = stack.steps.iter().map(|step| StepTold {
        mark: step.action.effect().into(),
        verb: step.action.verb(),
        address: step.address.to_string(),
        what: what(step),
        detail: detail(step, stack)
            .iter()
            .map(|word| word.trim())
            .collect::<Vec<_>>()
            .join(" "),
        reasons: inline(&step.reasons.join("; ")),
        fields: fields(&step.action),
        gates: gates(&step.action)
            .into_iter()
            .map(|(name, words)| (name, words.join(" ")))
            .collect(),
        labels: labels(&step.action),
        after: placed(&step.after),
        follows: placed(&step.follows),
        on_node: matches!(step.address, Address::Node(_)),
    });
    told.collect()
}

/// What it does, wherever.
fn what(step: &Step) -> String {
    match &step.action {
        Action::PullImage(pull) => match pull.reference.digest.as_ref().filter(|_| pull.kept) {
            Some(digest) => format!("image.{}@{}", pull.image, short(digest)),
            None => format!("image.{}", pull.image),
        },
        Action::LogIn(login) => format!("registry.{}", login.registry),
        Action::RemoveImage(remove) => {
            let name = remove.repository.path().rsplit('/').next();
            format!("…/{}@{}", name.unwrap_or_default(), short(&remove.digest))
        }
        Action::UpdateService(_)
        | Action::AdjustService(_)
        | Action::RotateCredential(_)
        | Action::RemoveLeftover(_) => step.address.to_string(),
    }
}

fn grid(stack: &StackPlan) -> Grid {
    let holdings = &stack.holdings;
    let nodes: BTreeSet<&NodeName> = holdings.iter().flat_map(|it| it.nodes.keys()).collect();
    let rows = holdings.iter().map(|holding| GridRow {
        image: holding.image.to_string(),
        build: short(&holding.digest),
        wanted: holding.wanted,
        cells: nodes
            .iter()
            .map(|node| holding.nodes.get(*node).copied())
            .collect(),
    });
    Grid {
        rows: rows.collect(),
        nodes: nodes.iter().map(ToString::to_string).collect(),
    }
}

fn finding_told(about: String, finding: &Finding) -> FindingTold {
    FindingTold {
        severity: finding.severity,
        about,
        message: inline(&finding.message),
        hint: finding.hint.as_deref().map(inline),
        procedure: finding.procedure.iter().map(|step| inline(step)).collect(),
    }
}
