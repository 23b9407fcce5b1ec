//! `imgstack diff`

use std::path::Path;

use imgstack_planner::spec_diff::{Beyond, FORMAT_VERSION, SpecDiff, changes};

use crate::args::{DiffArgs, PlanOutput};
use crate::diff::{self, Sides};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::typed::{files, quoted};
use crate::views::{html, markdown, outline};
use crate::{input, views};

/// What is compared with if nothing is named: so what is not committed shows.
const LAST_COMMIT: &str = "HEAD";

pub(crate) async fn run(args: DiffArgs, printer: Printer) -> Result<Exit, Problem> {
    let sides = sides(&args).await?;
    let (old, new) = (sides.old.set()?, sides.new.set()?);
    let live = match args.live {
        true => Some(waiting(printer, diff::beyond(&old, &new, args.width)).await?),
        false => None,
    };
    let whole = typed(&args);
    let changes = changes(&old, &new);
    let texts = diff::texts(&sides);
    let diff = SpecDiff {
        format_version: FORMAT_VERSION.to_owned(),
        imgstack_version: env!("CARGO_PKG_VERSION").to_owned(),
        old: sides.old.words,
        new: sides.new.words,
        text_differs: !texts.is_empty(),
        texts: match args.text || !changes.is_empty() {
            true => texts,
            false => Vec::new(),
        },
        changes,
        live,
    };
    match args.output {
        PlanOutput::Human => printer.page(&views::diff::render(&diff))?,
        PlanOutput::Json => printer.data(&to_json(&diff)?)?,
        PlanOutput::Markdown => {
            let outline = outline::of_diff(&diff);
            printer.data(&markdown::render(&outline, markdown::COMMENT, &whole))?;
        }
        PlanOutput::Html => printer.data(&html::render(&outline::of_diff(&diff)))?,
    }
    Ok(exit(&diff, args.detailed_exitcode))
}

async fn sides(args: &DiffArgs) -> Result<Sides, Problem> {
    if let (Some(old), Some(new)) = (&args.old, &args.new) {
        return Ok(diff::two(old, new)?);
    }
    let rev = args.base.as_deref().unwrap_or(LAST_COMMIT);
    Ok(diff::since(rev, &input::named(&args.spec)).await?)
}

/// The command, for who wants to see all that a comment has no room for.
fn typed(args: &DiffArgs) -> String {
    let path = |path: &Path| quoted(&path.to_string_lossy());
    if let (Some(old), Some(new)) = (&args.old, &args.new) {
        return format!("imgstack diff {} {}", path(old), path(new));
    }
    let rev = quoted(args.base.as_deref().unwrap_or(LAST_COMMIT));
    format!("imgstack diff --base {rev}{}", files(&args.spec.file))
}

fn to_json(diff: &SpecDiff) -> Result<String, Problem> {
    let mut text = serde_json::to_string_pretty(diff).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// As for a plan: what the cluster does not let through is an error, where it
/// was asked.
fn exit(diff: &SpecDiff, detailed: bool) -> Exit {
    let live = diff.live.as_deref().unwrap_or_default();
    if live.iter().any(|it| it.plan.report.is_blocked()) {
        Exit::Failed
    } else if detailed && !(diff.is_empty() && live.iter().all(Beyond::is_empty)) {
        Exit::Changes
    } else {
        Exit::Done
    }
}
