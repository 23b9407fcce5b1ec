//! `imgstack validate`

use crate::args::{SpecArgs, ValidateArgs};
use crate::exit::Exit;
use crate::input;
use crate::printer::Printer;
use crate::problem::Problem;

pub(crate) fn run(args: ValidateArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&SpecArgs {
        file: if args.paths.is_empty() {
            args.spec.file
        } else {
            args.paths
        },
    })?;
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    };
    for stack in &set.stacks {
        printer.page(&format!(
            "Success! stack {} is valid: {}, {}.\n",
            stack.name,
            count(stack.images.len(), "image"),
            count(stack.services.len(), "service"),
        ))?;
    }
    Ok(Exit::Done)
}
