//! `imgstack`: the images of a Docker Swarm, as one YAML file says.
//!
//! Arguments in, exit code out. What a command does is in `commands`, what it
//! shows in `views`; all else is in the crates below this one.

mod args;
mod build;
mod commands;
mod commit;
mod demo;
mod diff;
mod exit;
mod generate;
mod holds;
mod image;
mod input;
mod interrupt;
mod patience;
mod pins;
mod printer;
mod problem;
mod rebuild;
mod review;
mod saved;
mod tags;
mod views;
mod world;

use std::io;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::args::Command;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;

fn main() -> ExitCode {
    let printer = Printer;
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli.command, printer) {
        Ok(exit) => exit.into(),
        Err(problem) => {
            printer.notice(&problem.render(printer.coloured_notices()));
            Exit::Failed.into()
        }
    }
}

/// Help and version are results; anything else is an error of the caller's.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() {
        Exit::Failed
    } else {
        Exit::Done
    };
    // Without a stdout or stderr there is nobody to tell.
    let _ = error.print();
    exit.into()
}

fn dispatch(command: Command, printer: Printer) -> Result<Exit, Problem> {
    match command {
        Command::Schema(args) => commands::schema::run(&args, printer),
        Command::Validate(args) => commands::validate::run(args, printer),
        Command::Generate(what) => commands::generate::run(&what, printer),
        Command::Graph(args) => commands::graph::run(&args, printer),
        Command::Show(args) => commands::show::run(&args, printer),
        Command::Comment(args) => online(async |_| commands::comment::run(args, printer).await),
        Command::Plan(args) => {
            online(async |cancel| until(cancel, commands::plan::run(args, printer)).await)
        }
        Command::Diff(args) => {
            online(async |cancel| until(cancel, commands::diff::run(args, printer)).await)
        }
        Command::Status(args) => {
            online(async |cancel| until(cancel, commands::status::run(args, printer)).await)
        }
        Command::Tags(args) => {
            online(async |cancel| until(cancel, commands::tags::run(args, printer)).await)
        }
        Command::History(args) => {
            online(async |cancel| until(cancel, commands::history::run(args, printer)).await)
        }
        Command::Unlock(args) => {
            online(async |cancel| commands::unlock::run(args, printer, cancel).await)
        }
        Command::Pin(args) => {
            online(async |cancel| until(cancel, commands::pin::pin(args, printer)).await)
        }
        Command::Unpin(args) => {
            online(async |cancel| until(cancel, commands::pin::unpin(args, printer)).await)
        }
        Command::Rollback(args) => {
            online(async |cancel| until(cancel, commands::pin::rollback(args, printer)).await)
        }
        Command::Demo(args) => run(interrupt::watch_to_the_end, async |cancel| {
            commands::demo::run(&args, printer, cancel).await
        }),
        Command::Build(args) => run(interrupt::watch_to_the_end, async |cancel| {
            commands::build::run(args, printer, cancel).await
        }),
        // These know how to stop in the middle of a change.
        Command::Auth(auth) => {
            online(async |cancel| commands::auth::run(auth, printer, cancel).await)
        }
        Command::Rebuild(args) => {
            online(async |cancel| commands::rebuild::run(args, printer, cancel).await)
        }
        Command::Apply(args) => {
            online(async |cancel| commands::apply::run(args, printer, cancel).await)
        }
    }
}

/// Runs a command that talks to the world.
fn online(
    command: impl AsyncFnOnce(&CancellationToken) -> Result<Exit, Problem>,
) -> Result<Exit, Problem> {
    run(interrupt::watch, command)
}

fn run(
    watch: fn() -> io::Result<CancellationToken>,
    command: impl AsyncFnOnce(&CancellationToken) -> Result<Exit, Problem>,
) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async { command(&watch()?).await });
    // A read of the terminal that nobody waits for any more must not hold the
    // program back.
    runtime.shutdown_background();
    result
}

/// For what changes nothing and may stop anywhere.
async fn until(
    cancel: &CancellationToken,
    command: impl Future<Output = Result<Exit, Problem>>,
) -> Result<Exit, Problem> {
    tokio::select! {
        result = command => result,
        () = cancel.cancelled() => Ok(Exit::Interrupted),
    }
}
