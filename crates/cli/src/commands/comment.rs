//! `imgstack comment`

use crate::args::CommentArgs;
use crate::exit::Exit;
use crate::patience::{GITHUB, waiting_for};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::review::{Place, Posted, drafts, post, write_summary};
use crate::{saved, views};

pub(crate) async fn run(args: CommentArgs, printer: Printer) -> Result<Exit, Problem> {
    let drafts = drafts(&saved::read(&args.plan)?);
    // First, and so also where a comment is not allowed.
    write_summary(&drafts)?;
    let mut posted = Posted::default();
    let posting = async {
        let place = Place::find(&args.pull).await?;
        post(place, &drafts, !args.no_labels, &mut posted).await
    };
    let outcome = waiting_for(GITHUB, printer, posting).await;
    // How far it came, also when it failed.
    printer.page(&views::comment::render(&posted))?;
    outcome?;
    Ok(Exit::Done)
}
