//! `imgstack auth check` and `imgstack auth rotate`

use imgstack_observer::Details;
use imgstack_planner::{Only, Options, check_targets};
use tokio_util::sync::CancellationToken;

use crate::args::{Auth, AuthCheckArgs, AuthRotateArgs, Output};
use crate::commands::apply::{self, Doing};
use crate::commands::plan;
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::auth::{AuthReport, render};
use crate::views::typed::SpecWords;
use crate::{input, world};

pub(crate) async fn run(
    auth: Auth,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    match auth {
        Auth::Check(args) => tokio::select! {
            result = check(args, printer) => result,
            () = cancel.cancelled() => Ok(Exit::Interrupted),
        },
        Auth::Rotate(args) => rotate(args, printer, cancel).await,
    }
}

async fn check(args: AuthCheckArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    let options = Options {
        only: Only::Credentials,
        ..Options::default()
    };
    let looking = world::look(&set, Details::WhereNeeded, options.only, args.width);
    let seen = waiting(printer, looking).await?;
    let stacks = seen
        .iter()
        .map(|seen| (seen.plan(&options), &seen.inventory));
    let report = AuthReport::of(world::now(), stacks);
    match args.output {
        Output::Human => printer.page(&render(&report))?,
        Output::Json => {
            let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    Ok(if report.is_good() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// An apply of nothing but credentials.
async fn rotate(
    args: AuthRotateArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let approved = args.doing.auto_approve;
    apply::may_ask(args.doing.output, approved)?;
    let set = input::stacks(&args.spec)?;
    check_targets(&args.making.target, &set)?;
    let doing = Doing {
        command: "imgstack auth rotate",
        spec: SpecWords::typed(&args.spec.file),
        how: args.doing,
        width: args.making.width,
        approved,
        printer,
        cancel,
    };
    let options = Options {
        targets: args.making.target,
        only: Only::Credentials,
        ..Options::default()
    };
    let make = async |connected| {
        let making = plan::make(connected, options, args.making.width, &args.spec);
        let made = waiting(printer, making).await?;
        apply::introduce(&made.0, args.doing.output, printer)?;
        Ok(made)
    };
    apply::proceed(&set, make, &doing).await
}
