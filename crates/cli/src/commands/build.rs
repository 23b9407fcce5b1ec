//! `imgstack build`

use tokio_util::sync::CancellationToken;

use crate::args::{BuildArgs, Output};
use crate::build::{self, BuildError, Job, Outcome, Wish};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::build::{Page, progress};
use crate::{image, input, world};

pub(crate) async fn run(
    args: BuildArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let set = input::stacks(&args.image.spec)?;
    let (stack, image) = image::find(&set, &args.image.name)?;
    let client = world::registries(stack)?;
    let tag = image
        .tag()
        .ok_or_else(|| BuildError::NoTag(image.name.clone()))?;
    let job = Job {
        image,
        tag,
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
        Ok(outcome) => {
            let page = Page {
                image,
                tag,
                outcome: &outcome,
                spec: &args.image.spec.file,
            };
            show(&page, args.output, printer)?;
            end(outcome)
        }
        Err(BuildError::Interrupted) => {
            printer.notice(&format!("\nInterrupted; `{tag}` was not moved.\n"));
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

fn show(page: &Page<'_>, output: Output, printer: Printer) -> Result<(), Problem> {
    match output {
        Output::Human => printer.page(&page.render())?,
        Output::Json => {
            let document = page.document();
            let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    Ok(())
}

fn end(outcome: Outcome) -> Result<Exit, Problem> {
    match outcome.failure {
        None => Ok(Exit::Done),
        Some(BuildError::Interrupted) => Ok(Exit::Interrupted),
        Some(error) => Err(error.into()),
    }
}
