//! `imgstack schema`

use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;

pub(crate) fn run(printer: Printer) -> Result<Exit, Problem> {
    printer.data(&imgstack_spec::schema_text())?;
    Ok(Exit::Done)
}
