//! `imgstack generate`

use crate::args::{CloudInitArgs, Generate, ReviewActionArgs, WorkflowArgs};
use crate::exit::Exit;
use crate::generate::review_action::{self, Choices};
use crate::generate::{cloud_init, workflow};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::{image, input};

pub(crate) fn run(what: &Generate, printer: Printer) -> Result<Exit, Problem> {
    match what {
        Generate::CloudInit(args) => cloud_init(args, printer),
        Generate::Workflow(args) => workflow(args, printer),
        Generate::ReviewAction(args) => review_action(args, printer),
    }
}

fn cloud_init(args: &CloudInitArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    printer.data(&cloud_init::cloud_config(&set, &args.secret_file)?)?;
    Ok(Exit::Done)
}

fn review_action(args: &ReviewActionArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    let choices = Choices {
        action: &args.action,
        branch: args.branch.as_str(),
        root: args.root.as_deref(),
        runner: args.runner.as_deref(),
    };
    let named = input::named(&args.spec);
    printer.data(&review_action::review_action(&set, &named, &choices)?)?;
    Ok(Exit::Done)
}

fn workflow(args: &WorkflowArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.image.spec)?;
    let (stack, image) = image::find(&set, &args.image.name)?;
    let tag = image
        .tag()
        .ok_or_else(|| workflow::WorkflowError::NoTag(image.name.clone()))?;
    let root = args.root.as_deref();
    printer.data(&workflow::workflow(stack, image, tag, root)?)?;
    Ok(Exit::Done)
}
