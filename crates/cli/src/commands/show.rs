//! `imgstack show`

use crate::args::ShowArgs;
use crate::commands::plan;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::saved;

pub(crate) fn run(args: &ShowArgs, printer: Printer) -> Result<Exit, Problem> {
    plan::show(&saved::read(&args.plan)?, args.output, printer)?;
    Ok(Exit::Done)
}
