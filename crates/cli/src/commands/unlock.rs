//! `imgstack unlock`

use imgstack_executor::lock::{Holder, LockError, Pace, unlock};
use tokio_util::sync::CancellationToken;

use crate::args::UnlockArgs;
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::lock;
use crate::views::typed::SpecWords;
use crate::{input, world};

pub(crate) async fn run(
    args: UnlockArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    let connected = tokio::select! {
        connected = waiting(printer, world::connect_all(&set)) => connected?,
        () = cancel.cancelled() => return Ok(Exit::Interrupted),
    };
    for connected in connected {
        let stack = &connected.stack.name;
        let manager = connected.manager.as_ref();
        let manager = manager.map_err(|trouble| Problem::Manager {
            stack: stack.clone(),
            trouble: trouble.clone(),
        })?;
        let watching = |who: &Holder| printer.notice(&lock::watched(stack, who, world::now()));
        let pace = Pace::default();
        match unlock(manager, stack, args.force, pace, cancel, &watching).await {
            Ok(unlocked) => printer.page(&lock::unlocked(stack, &unlocked, world::now()))?,
            Err(LockError::Interrupted) => return Ok(Exit::Interrupted),
            Err(error) => return Err(Problem::Lock(error, SpecWords::typed(&args.spec.file))),
        }
    }
    Ok(Exit::Done)
}
