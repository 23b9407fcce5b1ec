//! The sections of one stack, in their order, each with how much it matters.

use std::fmt::Write;

use imgstack_planner::{Held, Severity};

use super::escape::{code, code_in_html, text};
use super::shape::Section;
use crate::views::graph::mermaid;
use crate::views::outline::{
    FindingTold, Grid, ImageTold, Part, ServiceRow, StepTold, TextTold, counted, first_of,
    held_words,
};
use crate::views::style::visible;

/// So many nodes and edges GitHub draws without complaint, and a person reads.
const DRAWN: usize = 80;
const EDGES: usize = 200;
/// So many hosts are named in a cell.
const HOSTS: usize = 4;

/// What is kept the longest has the smallest.
mod rank {
    pub(super) const HEADING: u8 = 0;
    pub(super) const BLOCKED: u8 = 1;
    pub(super) const SERVICES: u8 = 2;
    pub(super) const ORDER: u8 = 3;
    pub(super) const FINDINGS: u8 = 4;
    pub(super) const NODES: u8 = 5;
    pub(super) const IMAGES: u8 = 6;
    pub(super) const STEPS: u8 = 7;
    pub(super) const TEXTS: u8 = 8;
}

pub(super) fn of(part: &Part, several: bool) -> Vec<Section> {
    let blocked: Vec<&FindingTold> = part
        .findings
        .iter()
        .filter(|it| it.severity == Severity::Blocked)
        .collect();
    let others: Vec<&FindingTold> = part
        .findings
        .iter()
        .filter(|it| it.severity != Severity::Blocked)
        .collect();
    let sections = [
        several.then(|| heading(part)),
        findings(&blocked, "blocked findings", rank::BLOCKED, false),
        services(part),
        order(part),
        findings(&others, "findings", rank::FINDINGS, true),
        steps(part),
        nodes(&part.grid),
        images(part),
        Some(facts(part)),
    ];
    let sections = sections.into_iter().flatten();
    sections
        .map(|section| match several {
            // Where it is left out, whose it was.
            true => Section {
                name: format!("{} of {}", section.name, code(&part.stack)),
                ..section
            },
            false => section,
        })
        .collect()
}

fn heading(part: &Part) -> Section {
    Section {
        name: "heading".to_owned(),
        rank: rank::HEADING,
        open: String::new(),
        close: String::new(),
        items: vec![format!("#### stack {}\n\n", code(&part.stack))],
        divisible: false,
    }
}

fn facts(part: &Part) -> Section {
    let facts = part.facts.iter();
    let facts: Vec<String> = facts
        .map(|(what, value)| format!("{what} {}", code(value)))
        .collect();
    Section {
        name: "facts".to_owned(),
        rank: rank::HEADING,
        open: String::new(),
        close: String::new(),
        items: vec![format!("<sub>{}</sub>\n\n", facts.join(" · "))],
        divisible: false,
    }
}

/// A section that is folded: its title, what stands in it.
fn folded(name: &str, rank: u8, title: &str, head: &str, items: Vec<String>) -> Option<Section> {
    (!items.is_empty()).then(|| Section {
        name: name.to_owned(),
        rank,
        open: format!("<details><summary>{title}</summary>\n\n{head}"),
        close: "\n</details>\n\n".to_owned(),
        items,
        divisible: true,
    })
}

fn services(part: &Part) -> Option<Section> {
    let unchanged = match part.unchanged {
        0 => String::new(),
        count => format!("{} stay as they are.\n\n", counted(count, "service"))
            .replace("1 service stay as they are", "1 service stays as it is"),
    };
    if part.services.is_empty() {
        return (!unchanged.is_empty()).then(|| Section {
            name: "services".to_owned(),
            rank: rank::SERVICES,
            open: String::new(),
            close: String::new(),
            items: vec![unchanged],
            divisible: false,
        });
    }
    Some(Section {
        name: "services".to_owned(),
        rank: rank::SERVICES,
        open: "| | service | image | build | what happens |\n|---|---|---|---|---|\n".to_owned(),
        close: format!("\n{unchanged}"),
        items: part.services.iter().map(service).collect(),
        divisible: true,
    })
}

fn service(row: &ServiceRow) -> String {
    let build = row.build.as_ref();
    let build = build.map(|(from, to)| format!("{} → {}", code(from), code(to)));
    format!(
        "| {} {} | {} | {} | {} | {} |\n",
        row.mark.sign(),
        row.verb,
        code(&row.name),
        code(&row.image),
        build.unwrap_or_default(),
        text(&row.effect)
    )
}

/// The diff of a file, whole or not at all.
pub(super) fn difference(told: &TextTold) -> Option<Section> {
    let lines: Vec<String> = told.lines.iter().map(|line| visible(line)).collect();
    // Longer than all that stands in it, so that nothing in it closes it.
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`'));
    let longest = runs.map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    let item = format!("{fence}diff\n{}\n{fence}\n", lines.join("\n"));
    let name = format!("the diff of {}", code(&told.name));
    let title = format!("The diff of {}", code_in_html(&told.name));
    let section = folded(&name, rank::TEXTS, &title, "", vec![item])?;
    Some(Section {
        divisible: false,
        ..section
    })
}

/// The picture, whole or not at all.
fn order(part: &Part) -> Option<Section> {
    let order = &part.order;
    if order.nodes.len() < 2 {
        return None;
    }
    let drawn = order.nodes.len() <= DRAWN && order.edges.len() <= EDGES;
    let item = match drawn {
        true => format!("```mermaid\n{}```\n", mermaid::render(order)),
        false => format!(
            "{} are too many for a picture here. Drawn they are by {}.\n",
            counted(part.steps.len(), "step"),
            code("imgstack graph PLAN -o svg")
        ),
    };
    let section = folded("the order", rank::ORDER, "The order", "", vec![item])?;
    Some(Section {
        divisible: false,
        ..section
    })
}

fn findings(list: &[&FindingTold], name: &str, rank: u8, fold: bool) -> Option<Section> {
    let items: Vec<String> = list.iter().map(|it| finding(it)).collect();
    match fold {
        true => folded(name, rank, &counted(items.len(), "finding"), "", items),
        false if items.is_empty() => None,
        false => Some(Section {
            name: name.to_owned(),
            rank,
            open: String::new(),
            close: "\n".to_owned(),
            items,
            divisible: true,
        }),
    }
}

fn finding(finding: &FindingTold) -> String {
    let lead = match finding.severity {
        Severity::Blocked => "**blocked** ",
        Severity::Attention => "**!** ",
        Severity::Note => "· ",
    };
    let mut out = format!(
        "- {lead}{}: {}\n",
        code(&finding.about),
        text(&finding.message)
    );
    if let Some(hint) = &finding.hint {
        let _ = writeln!(out, "  - help: {}", text(hint));
    }
    for (number, step) in (1..).zip(&finding.procedure) {
        let _ = writeln!(out, "  - step {number}: {}", text(step));
    }
    out
}

fn steps(part: &Part) -> Option<Section> {
    let items = (1..).zip(&part.steps).map(|(number, it)| step(number, it));
    let title = part.are.counted(part.steps.len());
    folded(part.are.name(), rank::STEPS, &title, "", items.collect())
}

fn step(number: usize, step: &StepTold) -> String {
    let mut out = format!(
        "- **{number}** `{} {}` {}",
        step.mark.sign(),
        step.verb,
        code(&step.address)
    );
    if !step.detail.is_empty() {
        let _ = write!(out, " {}", text(&step.detail));
    }
    out.push('\n');
    if !step.reasons.is_empty() {
        let _ = writeln!(out, "  - why: {}", text(&step.reasons));
    }
    for field in &step.fields {
        let (from, to) = (code(&field.from), code(&field.to));
        let _ = writeln!(out, "  - {}: {from} → {to}", code(&field.name));
    }
    for (name, words) in &step.gates {
        let _ = writeln!(out, "  - {name}: {}", text(words));
    }
    for label in &step.labels {
        let _ = writeln!(out, "  - label {}", code(label));
    }
    out
}

/// A column for each state, since a comment has no room for one for each node.
fn nodes(grid: &Grid) -> Option<Section> {
    const STATES: [Held; 5] = [
        Held::Holds,
        Held::Pulls,
        Held::Goes,
        Held::Lacks,
        Held::Unknown,
    ];
    let shown: Vec<Held> = STATES
        .into_iter()
        .filter(|state| {
            let mut cells = grid.rows.iter().flat_map(|row| &row.cells);
            cells.any(|cell| *cell == Some(*state))
        })
        .collect();
    let words: Vec<&str> = shown.iter().map(|state| held_words(*state)).collect();
    let head = format!(
        "| image | build | {} |\n|---|---|{}\n",
        words.join(" | "),
        "---|".repeat(shown.len())
    );
    let rows = grid.rows.iter().map(|row| {
        let wanted = if row.wanted { " wanted" } else { "" };
        let mut out = format!("| {} | {}{wanted} |", code(&row.image), code(&row.build));
        for state in &shown {
            let cells = grid.nodes.iter().zip(&row.cells);
            let hosts = cells.filter(|(_, cell)| **cell == Some(*state));
            let hosts: Vec<String> = hosts.map(|(host, _)| code(host)).collect();
            let _ = write!(out, " {} |", first_of(&hosts, HOSTS));
        }
        out.push('\n');
        out
    });
    folded(
        "builds on nodes",
        rank::NODES,
        "Which node holds which build",
        &head,
        rows.collect(),
    )
}

fn images(part: &Part) -> Option<Section> {
    let items = part.images.iter().map(image).collect();
    folded(
        "images",
        rank::IMAGES,
        &counted(part.images.len(), "image"),
        "",
        items,
    )
}

fn image(image: &ImageTold) -> String {
    let mut out = format!("- {} {}\n", code(&image.address), text(&image.reference));
    if let Some(purpose) = &image.purpose {
        let _ = writeln!(out, "  - for {}", text(purpose));
    }
    for (build, services) in &image.runs {
        let _ = writeln!(
            out,
            "  - runs {} on {}",
            text(build),
            text(&first_of(services, HOSTS))
        );
    }
    let _ = writeln!(out, "  - wants {}", text(&image.wants));
    out
}
