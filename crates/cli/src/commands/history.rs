//! `imgstack history`

use imgstack_executor::journal::{Journal, Release};
use imgstack_executor::lock::standing;

use crate::args::{HistoryArgs, Output};
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::history::{History, StackHistory};
use crate::world::Connected;
use crate::{input, world};

pub(crate) async fn run(args: HistoryArgs, printer: Printer) -> Result<Exit, Problem> {
    let set = input::stacks(&args.spec)?;
    let reading = async {
        let mut stacks = Vec::with_capacity(set.stacks.len());
        for connected in world::connect_all(&set).await? {
            stacks.push(read(&connected).await?);
        }
        Ok::<_, Problem>(stacks)
    };
    let mut history = History::of(world::now(), waiting(printer, reading).await?);
    if let Some(number) = args.number {
        history = history.only(number).ok_or(Problem::NoRelease(number))?;
    }
    match args.output {
        Output::Human if args.number.is_some() => printer.page(&history.pages())?,
        Output::Human => printer.page(&history.table())?,
        Output::Json => {
            let text = serde_json::to_string_pretty(&history).map_err(std::io::Error::other)?;
            printer.data(&format!("{text}\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn read(connected: &Connected) -> Result<StackHistory, Problem> {
    let stack = &connected.stack.name;
    let unreachable = |trouble| Problem::Manager {
        stack: stack.clone(),
        trouble,
    };
    let manager = connected.manager.clone().map_err(unreachable)?;
    let read = async {
        let journal = Journal::read(&manager, stack).await?;
        let lock = standing(&manager, stack).await?;
        let token = lock.as_ref().map(|lock| lock.token.as_str());
        // One without an end whose lock is gone was killed, or has ended since it
        // was read: the end is written before the lock goes.
        let unclear = |it: &Release| it.ending.is_none() && token != Some(&it.begun.lock);
        let again = match journal.releases().iter().any(unclear) {
            true => Some(Journal::read(&manager, stack).await?),
            false => None,
        };
        let latest = |it: &Release| {
            let again = again
                .as_ref()
                .and_then(|again| again.release(it.begun.number));
            again.unwrap_or(it).clone()
        };
        let releases: Vec<Release> = journal.releases().iter().map(latest).collect();
        Ok(StackHistory::of(
            stack,
            &releases,
            journal.unreadable(),
            token,
        ))
    };
    read.await
        .map_err(|error| unreachable(world::trouble(&error)))
}
