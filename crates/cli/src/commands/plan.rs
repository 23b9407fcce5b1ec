//! `imgstack plan`

use imgstack_observer::Details;
use imgstack_planner::{Options, Plan, check_target_nodes, check_targets};

use crate::args::{PlanArgs, PlanOutput, SpecArgs, WidthArgs};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::{html, markdown, outline};
use crate::world::{self, Connected, Seen};
use crate::{commit, image, input, saved, views};

/// What shows all of a plan of which a comment has no room for a part.
const WHOLE: &str = "imgstack show PLAN -o html";

pub(crate) async fn run(args: PlanArgs, printer: Printer) -> Result<Exit, Problem> {
    let mut set = input::stacks(&args.spec)?;
    image::allow_major(&mut set, &args.allow.allow_major)?;
    check_targets(&args.making.target, &set)?;
    let options = Options {
        targets: args.making.target,
        retry_failed: args.allow.retry_failed,
        ..Options::default()
    };
    let making = async {
        let connected = world::connect_all(&set).await?;
        let made = make(connected, options, args.making.width, &args.spec).await;
        made.map(|(plan, _)| plan)
    };
    let plan = waiting(printer, making).await?;
    show(&plan, args.output, printer)?;
    if let Some(path) = &args.out {
        saved::write(&plan, path)?;
        let path = path.display();
        let next = match plan.is_empty() {
            true => "There is nothing in it to be done.".to_owned(),
            false => format!(
                "To do exactly this: imgstack apply {path}\nIts hash is {}",
                plan.hash
            ),
        };
        printer.notice(&format!("\nSaved the plan to {path}. {next}\n"));
    }
    Ok(exit(&plan, args.detailed_exitcode))
}

/// Observes and plans. That the targets are in the spec was checked.
pub(crate) async fn make(
    connected: Vec<Connected>,
    options: Options,
    width: WidthArgs,
    spec: &SpecArgs,
) -> Result<(Plan, Vec<Seen>), Problem> {
    let looking = world::observe_all(connected, Details::WhereNeeded, options.only, width);
    let (seen, commit) = tokio::join!(looking, commit::of(spec));
    let inventories: Vec<_> = seen.iter().map(|seen| &seen.inventory).collect();
    check_target_nodes(&options.targets, &inventories)?;
    let plan = Plan {
        commit,
        ..world::plan_all(&seen, &options)
    };
    Ok((plan, seen))
}

/// Prints a plan.
pub(crate) fn show(plan: &Plan, output: PlanOutput, printer: Printer) -> Result<(), Problem> {
    match output {
        PlanOutput::Human => printer.page(&views::plan::render(plan))?,
        PlanOutput::Json => printer.data(&saved::to_json(plan)?)?,
        PlanOutput::Markdown => {
            let outline = outline::of_plan(plan);
            printer.data(&markdown::render(&outline, markdown::COMMENT, WHOLE))?;
        }
        PlanOutput::Html => printer.data(&html::render(&outline::of_plan(plan)))?,
    }
    Ok(())
}

/// What the spec asks for and cannot be planned is an error, whatever else is
/// planned: a script must not take it for "up to date".
fn exit(plan: &Plan, detailed: bool) -> Exit {
    if plan.is_blocked() {
        Exit::Failed
    } else if detailed && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    }
}
