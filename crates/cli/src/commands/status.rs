//! `imgstack status`

use imgstack_observer::Details;
use imgstack_planner::{Only, Options};

use crate::args::{Output, StatusArgs};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::status::{Status, render};
use crate::{input, world};

pub(crate) async fn run(args: StatusArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    let looking = world::look(&set, Details::Always, Only::Everything, args.width);
    let seen = waiting(printer, looking).await?;
    let stacks = seen
        .iter()
        .map(|seen| (seen.plan(&Options::default()), &seen.inventory));
    let status = Status::of(world::now(), stacks);
    match args.output {
        Output::Human => printer.page(&render(&status))?,
        Output::Json => {
            let text = serde_json::to_string_pretty(&status).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    // What could not be read is not shown as if it were fine.
    let blocked = status.stacks.iter().any(|stack| stack.report.is_blocked());
    Ok(if blocked { Exit::Failed } else { Exit::Done })
}
