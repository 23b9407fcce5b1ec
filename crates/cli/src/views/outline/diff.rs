//! The outline of a comparison of two specs.

use std::collections::BTreeMap;

use imgstack_planner::Severity;
use imgstack_planner::spec_diff::{Act, Beyond, Change, Effect, SpecDiff, TextDiff};
use imgstack_spec::ServiceName;

use super::plan::part as plan_part;
use super::{
    Banner, BannerKind, Field, FindingTold, Grid, Mark, Order, Outline, Part, ServiceRow, StepTold,
    StepsAre, TextTold,
};
use crate::views::diff::{closing_words, cut, gone_words, text_name};
use crate::views::style::inline;

/// The outline of a comparison.
pub(crate) fn of_diff(diff: &SpecDiff) -> Outline {
    let closing = closing_words(diff);
    Outline {
        title: "imgstack diff".to_owned(),
        summary: match closing.blocked {
            Some(blocked) => format!("{} {blocked}", closing.words),
            None => closing.words,
        },
        banners: banners(diff),
        stacks: stacks(diff),
        texts: diff.texts.iter().map(text).collect(),
        origin: format!(
            "Made by imgstack {}: {} against {}.",
            inline(&diff.imgstack_version),
            inline(&diff.new),
            inline(&diff.old)
        ),
    }
}

fn banners(diff: &SpecDiff) -> Vec<Banner> {
    let banner = |kind, words: &str, is_it: &dyn Fn(&Change) -> bool| {
        let mut names: Vec<String> = Vec::new();
        for change in diff.changes.iter().filter(|it| is_it(it)) {
            let name = change.address.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        (!names.is_empty()).then(|| Banner {
            kind,
            words: words.to_owned(),
            names,
        })
    };
    let of = |effect| move |it: &Change| it.effect == effect;
    let banners = [
        banner(
            BannerKind::Removed,
            "managed no more, and nothing is removed",
            &|it| it.action == Act::Remove,
        ),
        banner(
            BannerKind::Removed,
            "older builds go from nodes",
            &of(Effect::Removes),
        ),
        banner(
            BannerKind::Removed,
            "another cluster may be meant",
            &of(Effect::OtherCluster),
        ),
        banner(
            BannerKind::Blocked,
            "blocked: another major version",
            &of(Effect::Blocked),
        ),
    ];
    banners.into_iter().flatten().collect()
}

fn stacks(diff: &SpecDiff) -> Vec<Part> {
    let groups = diff.changes.chunk_by(|one, next| one.stack == next.stack);
    let mut parts: Vec<Part> = groups.map(|changes| part(diff, changes)).collect();
    for beyond in diff.live.iter().flatten() {
        parts.push(live(beyond));
    }
    parts
}

fn part(diff: &SpecDiff, changes: &[Change]) -> Part {
    Part {
        stack: changes[0].stack.to_string(),
        facts: vec![("older", inline(&diff.old)), ("newer", inline(&diff.new))],
        services: services(changes),
        unchanged: 0,
        images: Vec::new(),
        steps: changes.iter().map(change).collect(),
        are: StepsAre::Changes,
        order: Order::default(),
        grid: Grid::default(),
        findings: Vec::new(),
    }
}

/// Each service that something becomes of, by the gravest.
fn services(changes: &[Change]) -> Vec<ServiceRow> {
    let mut gravest: BTreeMap<&ServiceName, &Change> = BTreeMap::new();
    let mut order: Vec<&ServiceName> = Vec::new();
    for change in changes {
        for service in &change.services {
            match gravest.get(service) {
                Some(known) if known.effect <= change.effect => {}
                Some(_) => {
                    gravest.insert(service, change);
                }
                None => {
                    order.push(service);
                    gravest.insert(service, change);
                }
            }
        }
    }
    let rows = order.into_iter().filter_map(|service| {
        let change = gravest.get(service)?;
        let (mark, verb) = becomes(change);
        Some(ServiceRow {
            name: service.to_string(),
            image: image(change),
            mark,
            verb,
            build: build(change),
            effect: effect(change, service),
        })
    });
    rows.collect()
}

/// What becomes of a service by a change.
fn becomes(change: &Change) -> (Mark, &'static str) {
    match change.effect {
        Effect::Blocked => (Mark::Blocked, "blocked"),
        Effect::Managed => (Mark::Add, "manage"),
        Effect::Unmanaged => (Mark::Destroy, "let go"),
        Effect::Restarts => (Mark::Change, "restart"),
        Effect::Held => (Mark::Change, "hold"),
        Effect::OtherCluster | Effect::Removes | Effect::NoRestart => (Mark::Change, "adjust"),
    }
}

/// What is said of the build, before and after.
fn build(change: &Change) -> Option<(String, String)> {
    const OF_BUILDS: [&str; 5] = ["repository", "tag", "policy", "pin", "image"];
    let field = change.field.as_deref()?;
    let told = fields(change).into_iter().next()?;
    OF_BUILDS.contains(&field).then_some((told.from, told.to))
}

/// The image that a change is of, or that the new service has.
fn image(change: &Change) -> String {
    let address = change.address.to_string();
    match address.strip_prefix("image.") {
        Some(image) => image.to_owned(),
        None => {
            let said = change.says.iter().find(|it| it.field == "image");
            said.map(|it| it.value.clone()).unwrap_or_default()
        }
    }
}

/// What is said of all services of an image is said once, with the image.
fn effect(change: &Change, service: &ServiceName) -> String {
    let address = change.address.to_string();
    match address == format!("service.{service}") {
        true => inline(&change.message),
        false => format!(
            "{}: `{}` of {address}",
            change.effect.words(),
            change.field.as_deref().unwrap_or_default()
        ),
    }
}

fn change(change: &Change) -> StepTold {
    let (mark, verb) = match (change.effect, change.action) {
        (Effect::Blocked, _) => (Mark::Blocked, "blocked"),
        (_, Act::Add) => (Mark::Add, "add"),
        (_, Act::Change) => (Mark::Change, "change"),
        (_, Act::Remove) => (Mark::Destroy, "remove"),
    };
    StepTold {
        mark,
        verb,
        address: inline(&change.address.to_string()),
        what: String::new(),
        detail: inline(&change.message),
        reasons: String::new(),
        fields: fields(change),
        gates: Vec::new(),
        labels: Vec::new(),
        after: Vec::new(),
        follows: Vec::new(),
        on_node: false,
    }
}

fn fields(change: &Change) -> Vec<Field> {
    const NONE: &str = "(none)";
    let value = |value: Option<&String>| value.map_or_else(|| NONE.to_owned(), |it| cut(it));
    let own = change.field.iter().map(|name| Field {
        name: name.clone(),
        from: value(change.from.as_ref()),
        to: value(change.to.as_ref()),
    });
    let said = change.says.iter().map(|said| {
        let (there, none) = (cut(&said.value), NONE.to_owned());
        let (from, to) = match change.action {
            Act::Remove => (there, none),
            Act::Add | Act::Change => (none, there),
        };
        Field {
            name: said.field.clone(),
            from,
            to,
        }
    });
    own.chain(said).collect()
}

/// What the cluster's plan has beyond that of the older spec.
fn live(beyond: &Beyond) -> Part {
    let Beyond {
        observed_at,
        plan,
        gone,
    } = beyond;
    let mut part = plan_part(plan, *observed_at);
    part.stack = format!("{}, in the cluster as it is now", part.stack);
    // Of the whole plan, which this is a part of.
    part.facts.retain(|(what, _)| *what != "hash");
    part.unchanged = 0;
    part.grid = Grid::default();
    part.findings.extend(gone.iter().map(|step| FindingTold {
        severity: Severity::Note,
        about: gone_words(step),
        message: "is of the older spec, and is not to be done any more".to_owned(),
        hint: None,
        procedure: Vec::new(),
    }));
    part
}

fn text(text: &TextDiff) -> TextTold {
    let lines = match text.diff.is_empty() {
        true => vec!["only line ends differ, or what may be a secret".to_owned()],
        false => text.diff.lines().map(str::to_owned).collect(),
    };
    TextTold {
        name: text_name(text),
        lines,
    }
}
