//! `imgstack schema`

use crate::args::{Described, SchemaArgs};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;

pub(crate) fn run(args: &SchemaArgs, printer: Printer) -> Result<Exit, Problem> {
    let text = match args.of {
        Described::Spec => imgstack_spec::schema_text(),
        Described::Plan => imgstack_planner::schema_text(),
    };
    printer.data(&text)?;
    Ok(Exit::Done)
}
