//! `imgstack build`

use tokio_util::sync::CancellationToken;

use crate::args::{BuildArgs, Output};
use crate::build::{self, BuildError, Goal, Job, Outcome, Wish};
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
    let goal = match (args.tag, image.tag()) {
        (Some(trial), _) => Goal::Trial(trial),
        (None, Some(tag)) => Goal::Release(tag),
        (None, None) => return Err(BuildError::NoTag(image.name.clone()).into()),
    };
    let images = set.stacks.iter().flat_map(|stack| &stack.images);
    let siblings: Vec<_> = images
        .filter(|it| it.repository == image.repository)
        .collect();
    let job = Job {
        image,
        goal,
        siblings: &siblings,
        registry: stack.registry(image.repository.host()),
        client: &client,
        wish: Wish {
            push: args.push,
            allow_dirty: args.allow_dirty,
            allow_older: args.allow_older,
        },
        now: world::now(),
    };
    let tell = |it| printer.notice(&progress(&image.name, &it));
    match build::run(&job, &tell, cancel).await {
        Ok(outcome) => {
            let page = Page {
                image,
                goal: &job.goal,
                outcome: &outcome,
                spec: &args.image.spec.file,
            };
            show(&page, args.output, printer)?;
            end(outcome)
        }
        Err(BuildError::Interrupted) => {
            printer.notice(&interrupted(&job.goal));
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

fn interrupted(goal: &Goal<'_>) -> String {
    match goal {
        Goal::Release(tag) => format!("\nInterrupted; `{tag}` was not moved.\n"),
        Goal::Trial(_) => "\nInterrupted.\n".to_owned(),
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
