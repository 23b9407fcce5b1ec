//! The parts of a page that tell of one stack.

use std::fmt::Write;

use imgstack_planner::{Held, Severity};

use super::escape::{escaped, prose};
use crate::views::graph::svg;
use crate::views::outline::{
    FindingTold, Grid, ImageTold, Mark, Part, ServiceRow, StepTold, TextTold, counted, held_words,
};

pub(super) fn stack(out: &mut String, part: &Part, several: bool, number: usize) {
    out.push_str("<article>\n");
    if several {
        let _ = writeln!(out, "<h2>stack {}</h2>", escaped(&part.stack));
    }
    facts(out, part);
    findings(out, part);
    services(out, part);
    order(out, part, number);
    grid(out, &part.grid);
    images(out, part);
    steps(out, part);
    out.push_str("</article>\n");
}

fn facts(out: &mut String, part: &Part) {
    out.push_str("<dl class=\"facts\">");
    for (what, value) in &part.facts {
        let _ = write!(
            out,
            "<div><dt>{what}</dt><dd><code>{}</code></dd></div>",
            escaped(value)
        );
    }
    out.push_str("</dl>\n");
}

fn services(out: &mut String, part: &Part) {
    if part.services.is_empty() && part.unchanged == 0 {
        return;
    }
    out.push_str("<section>\n<h3>Services</h3>\n");
    if !part.services.is_empty() {
        out.push_str(
            "<table class=\"services\">\n<thead><tr><th>service</th><th>image</th>\
             <th>build</th><th>what happens</th></tr></thead>\n<tbody>\n",
        );
        part.services.iter().for_each(|row| service(out, row));
        out.push_str("</tbody>\n</table>\n");
    }
    match part.unchanged {
        0 => {}
        1 => out.push_str("<p class=\"quiet\">1 service stays as it is.</p>\n"),
        count => {
            let _ = writeln!(
                out,
                "<p class=\"quiet\">{count} services stay as they are.</p>"
            );
        }
    }
    out.push_str("</section>\n");
}

fn service(out: &mut String, row: &ServiceRow) {
    let build = row.build.as_ref().map(|(from, to)| {
        format!(
            "<code>{}</code> <span class=\"to\">→</span> <code>{}</code>",
            escaped(from),
            escaped(to)
        )
    });
    let _ = writeln!(
        out,
        "<tr><td>{} <code>{}</code></td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
        badge(row.mark, row.verb),
        escaped(&row.name),
        escaped(&row.image),
        build.unwrap_or_default(),
        prose(&row.effect)
    );
}

fn badge(mark: Mark, verb: &str) -> String {
    let (class, sign) = (mark.class(), mark.sign());
    format!("<span class=\"mark {class}\">{sign} {verb}</span>")
}

fn order(out: &mut String, part: &Part, number: usize) {
    if part.order.nodes.is_empty() {
        return;
    }
    let title = format!("The order of doing in the stack {}", part.stack);
    let _ = write!(
        out,
        "<section>\n<h3>Order</h3>\n<div class=\"scroll\" tabindex=\"0\">\n{}</div>\n\
         <p class=\"quiet\">An arrow leads to what waits for the other's success; along a \
         dashed one it only comes afterwards.</p>\n</section>\n",
        svg::render(&part.order, &title, number)
    );
}

fn grid(out: &mut String, grid: &Grid) {
    if grid.rows.is_empty() || grid.nodes.is_empty() {
        return;
    }
    out.push_str(
        "<section>\n<h3>Builds on nodes</h3>\n<div class=\"scroll\" tabindex=\"0\">\n\
         <table class=\"grid\">\n<thead><tr><th>build</th>",
    );
    for node in &grid.nodes {
        let _ = write!(out, "<th>{}</th>", escaped(node));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &grid.rows {
        let wanted = if row.wanted { " <em>wanted</em>" } else { "" };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}{wanted}<br><code>{}</code></th>",
            escaped(&row.image),
            escaped(&row.build)
        );
        for cell in &row.cells {
            out.push_str(&held(*cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n</section>\n");
}

fn held(cell: Option<Held>) -> String {
    let Some(held) = cell else {
        return "<td class=\"none\" title=\"has nothing to do with it\">·</td>".to_owned();
    };
    let (class, sign) = match held {
        Held::Holds => ("holds", "●"),
        Held::Pulls => ("pulls", "+"),
        Held::Goes => ("goes", "−"),
        Held::Lacks => ("lacks", "○"),
        Held::Unknown => ("unknown", "?"),
    };
    format!(
        "<td class=\"{class}\"><span aria-hidden=\"true\">{sign}</span> {}</td>",
        held_words(held)
    )
}

fn images(out: &mut String, part: &Part) {
    if part.images.is_empty() {
        return;
    }
    out.push_str("<section>\n<h3>Images</h3>\n");
    part.images.iter().for_each(|it| image(out, it));
    out.push_str("</section>\n");
}

fn image(out: &mut String, image: &ImageTold) {
    let _ = write!(
        out,
        "<div class=\"image\">\n<h4><code>{}</code></h4>\n<p><code>{}</code></p>\n",
        escaped(&image.address),
        escaped(&image.reference)
    );
    if let Some(purpose) = &image.purpose {
        let _ = writeln!(out, "<p class=\"quiet\">{}</p>", escaped(purpose));
    }
    out.push_str("<dl>");
    for (build, services) in &image.runs {
        let _ = write!(
            out,
            "<div><dt>runs</dt><dd>{}<br><span class=\"quiet\">on {}</span></dd></div>",
            escaped(build),
            escaped(&services.join(", "))
        );
    }
    let class = if image.known { "" } else { " class=\"bad\"" };
    let _ = write!(
        out,
        "<div><dt>wants</dt><dd{class}>{}</dd></div></dl>\n</div>\n",
        escaped(&image.wants)
    );
}

fn findings(out: &mut String, part: &Part) {
    if part.findings.is_empty() {
        return;
    }
    let title = counted(part.findings.len(), "finding");
    let _ = writeln!(out, "<section>\n<h3>{title}</h3>\n<ul class=\"findings\">");
    part.findings.iter().for_each(|it| finding(out, it));
    out.push_str("</ul>\n</section>\n");
}

fn finding(out: &mut String, finding: &FindingTold) {
    let (class, word) = match finding.severity {
        Severity::Blocked => ("blocked", "blocked"),
        Severity::Attention => ("change", "attention"),
        Severity::Note => ("plain", "note"),
    };
    let _ = write!(
        out,
        "<li><span class=\"mark {class}\">{word}</span> <code>{}</code>: {}",
        escaped(&finding.about),
        prose(&finding.message)
    );
    if let Some(hint) = &finding.hint {
        let _ = write!(out, "<p class=\"help\">help: {}</p>", prose(hint));
    }
    if !finding.procedure.is_empty() {
        out.push_str("<ol>");
        for step in &finding.procedure {
            let _ = write!(out, "<li>{}</li>", prose(step));
        }
        out.push_str("</ol>");
    }
    out.push_str("</li>\n");
}

fn steps(out: &mut String, part: &Part) {
    if part.steps.is_empty() {
        return;
    }
    let title = part.are.heading(part.steps.len());
    let _ = writeln!(out, "<section>\n<h3>{title}</h3>\n<ol class=\"steps\">");
    part.steps.iter().for_each(|it| step(out, it));
    out.push_str("</ol>\n</section>\n");
}

fn step(out: &mut String, step: &StepTold) {
    let _ = writeln!(
        out,
        "<li>{} <code>{}</code> {}",
        badge(step.mark, step.verb),
        escaped(&step.address),
        prose(&step.detail)
    );
    if !step.reasons.is_empty() {
        let _ = writeln!(out, "<p class=\"quiet\">{}</p>", prose(&step.reasons));
    }
    let is_plain = step.fields.is_empty() && step.gates.is_empty() && step.labels.is_empty();
    if !is_plain {
        out.push_str("<dl>");
        for field in &step.fields {
            let _ = write!(
                out,
                "<div><dt>{}</dt><dd><del>{}</del> <span class=\"to\">→</span> <ins>{}</ins></dd></div>",
                escaped(&field.name),
                escaped(&field.from),
                escaped(&field.to)
            );
        }
        for (name, words) in &step.gates {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", prose(words));
        }
        if !step.labels.is_empty() {
            let labels: Vec<String> = step.labels.iter().map(|it| escaped(it)).collect();
            let _ = write!(
                out,
                "<div><dt>labels</dt><dd>{}</dd></div>",
                labels.join("<br>")
            );
        }
        out.push_str("</dl>");
    }
    out.push_str("</li>\n");
}

/// The diffs of files, line by line.
pub(super) fn texts(out: &mut String, texts: &[TextTold]) {
    for text in texts {
        let _ = write!(
            out,
            "<section>\n<h3><code>{}</code></h3>\n<div class=\"scroll\" tabindex=\"0\"><pre>",
            escaped(&text.name)
        );
        for line in &text.lines {
            let class = match line.as_bytes().first() {
                Some(b'+') => "add",
                Some(b'-') => "destroy",
                Some(b'@') => "plain",
                Some(_) | None => "",
            };
            let line = escaped(line);
            let _ = match class {
                "" => writeln!(out, "{line}"),
                class => writeln!(out, "<span class=\"{class}\">{line}</span>"),
            };
        }
        out.push_str("</pre></div>\n</section>\n");
    }
}
