//! `imgstack build`

use std::path::PathBuf;

use imgstack_spec::Image;
use tokio_util::sync::CancellationToken;

use crate::args::{BuildArgs, Output};
use crate::build::{self, BuildError, Job, Outcome, Wish};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::build::{document, progress, render};
use crate::{input, world};

pub(crate) async fn run(
    args: BuildArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let set = input::stacks(&args.image.spec)?;
    let (stack, image) = input::image(&set, &args.image.name)?;
    let client = world::registries(stack)?;
    let job = Job {
        image,
        registry: stack.registry(image.repository.host()),
        client: &client,
        wish: Wish {
            push: args.push,
            trial: args.tag,
            allow_dirty: args.allow_dirty,
        },
        now: world::now(),
    };
    let tell = |it| printer.notice(&progress(&image.name, &it));
    match build::run(&job, &tell, cancel).await {
        Ok(outcome) => finish(image, outcome, args.output, &args.image.spec.file, printer),
        Err(BuildError::Interrupted) => {
            let tag = &image.tag;
            printer.notice(&format!("\nInterrupted; `{tag}` was not moved.\n"));
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

fn finish(
    image: &Image,
    outcome: Outcome,
    output: Output,
    spec: &[PathBuf],
    printer: Printer,
) -> Result<Exit, Problem> {
    match output {
        Output::Human => printer.page(&render(image, &outcome, spec))?,
        Output::Json => {
            let document = document(image, &outcome);
            let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    match outcome.failure {
        None => Ok(Exit::Done),
        Some(BuildError::Interrupted) => Ok(Exit::Interrupted),
        Some(error) => Err(error.into()),
    }
}
