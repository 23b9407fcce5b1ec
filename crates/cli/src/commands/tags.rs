//! `imgstack tags`

use crate::args::{Output, TagsArgs};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::tags::{SHOWN, Wish, look};
use crate::views::tags::{Page, render};
use crate::{image, input, world};

pub(crate) async fn run(args: TagsArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.image.spec)?;
    let (stack, image) = image::find(&set, &args.image.name)?;
    let registry = world::registries(stack)?;
    let typed = args
        .limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let wish = Wish {
        all: args.all,
        limit: typed.or((!args.all).then_some(SHOWN)),
        details: args.details,
        journal: true,
    };
    let overview = waiting(printer, look(stack, image, &registry, wish)).await;
    let is_read = overview.is_read();
    let page = Page::of(world::now(), overview);
    match args.output {
        Output::Human => printer.page(&render(&page, wish.all))?,
        Output::Json => {
            let text = serde_json::to_string_pretty(&page).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    // What could not be read is not shown as if it were fine.
    Ok(if is_read { Exit::Done } else { Exit::Failed })
}
