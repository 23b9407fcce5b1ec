//! `imgstack demo`

use tokio_util::sync::CancellationToken;

use crate::args::DemoArgs;
use crate::demo::{Stage, keep, walk};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;

pub(crate) async fn run(
    args: &DemoArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let stage = Stage::set().await?;
    let exit = match args.keep {
        false => walk(&stage, printer, cancel).await,
        true => keep(&stage, printer, cancel).await,
    };
    drop(stage);
    if let Ok(Exit::Interrupted) = exit {
        printer.notice("\nInterrupted; the simulated world is gone.\n");
    }
    exit
}
