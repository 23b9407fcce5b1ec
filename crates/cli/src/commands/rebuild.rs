//! `imgstack rebuild`

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::args::{ApplyOutput, RebuildArgs};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::rebuild::{Event, Outcome, Rebuild, Report};
use crate::views::events;
use crate::views::rebuild::{RebuildView, document, failure, last_line, result};
use crate::{image, input};

pub(crate) async fn run(
    args: RebuildArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let set = input::stacks(&args.image.spec)?;
    let (stack, image) = image::find(&set, &args.image.name)?;
    let rebuild = tokio::select! {
        rebuild = waiting(printer, Rebuild::prepare(stack, image)) => rebuild?,
        () = cancel.cancelled() => {
            printer.notice("\nInterrupted; nothing was started.\n");
            return Ok(Exit::Interrupted);
        }
    };
    let view = Mutex::new(RebuildView::new(printer, &image.name));
    let tell = |event: Event| match args.output {
        // Progress is for people, whatever is printed for programs.
        ApplyOutput::Human | ApplyOutput::Json => lock(&view).show(&event),
        ApplyOutput::Ndjson => {
            // A reader that went away does not stop the run.
            let _ = printer.data(&events::line(&event));
        }
    };
    let report = tokio::select! {
        report = rebuild.run(!args.no_follow, cancel, &tell) => report,
        never = heartbeat(&view) => match never {},
    };
    drop(view);
    let report = report?;
    show(&report, args.output, printer)?;
    Ok(exit(&report.outcome))
}

/// Keeps a person told while the run takes its time.
async fn heartbeat(view: &Mutex<RebuildView>) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lock(view).beat();
    }
}

fn show(report: &Report, output: ApplyOutput, printer: Printer) -> Result<(), Problem> {
    match output {
        ApplyOutput::Human => match failure(report) {
            Some(text) => printer.notice(&text),
            None => printer.page(&result(report))?,
        },
        ApplyOutput::Json => printer.data(&document(report)?)?,
        ApplyOutput::Ndjson => printer.data(&last_line(report))?,
    }
    Ok(())
}

fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Built { .. }
        | Outcome::Unchanged { .. }
        | Outcome::Doubtful { .. }
        | Outcome::Succeeded
        | Outcome::Started => Exit::Done,
        Outcome::Failed { .. } | Outcome::Unread { .. } => Exit::Failed,
        Outcome::Interrupted { .. } => Exit::Interrupted,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A view that panicked half-way still shows what it can.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
