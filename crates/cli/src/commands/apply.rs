//! `imgstack apply`

use std::io::{self, BufRead};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgstack_executor::journal::{Commit, Occasion};
use imgstack_executor::lock::LockError;
use imgstack_executor::{Event, Outcome, World, apply};
use imgstack_observer::Details;
use imgstack_planner::{Drift, Only, Options, Plan, PlanHash, StackPlan, check_targets, drift};
use imgstack_spec::StackSet;
use tokio_util::sync::CancellationToken;

use crate::args::{ApplyArgs, ApplyOutput, DoingArgs, PlanOutput, ReviewArgs, WidthArgs};
use crate::commands::plan;
use crate::exit::Exit;
use crate::holds::Holds;
use crate::patience::{GITHUB, waiting, waiting_for};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::review::{self, Reviewed};
use crate::views::apply::ApplyView;
use crate::views::ending::{closing, failure};
use crate::views::events;
use crate::views::typed::SpecWords;
use crate::world::{self, Connected, Seen};
use crate::{image, input, saved};

/// How a command changes the world.
pub(crate) struct Doing<'a> {
    /// What was typed, for the lock and the journal.
    pub(crate) command: &'static str,
    /// What names the spec in another command.
    pub(crate) spec: SpecWords,
    pub(crate) how: DoingArgs,
    pub(crate) width: WidthArgs,
    /// Nobody is to be asked.
    pub(crate) approved: bool,
    pub(crate) printer: Printer,
    pub(crate) cancel: &'a CancellationToken,
}

pub(crate) async fn run(
    args: ApplyArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let bound = args.review.only_if_hash.is_some() || args.review.only_if_reviewed;
    let approved = args.doing.auto_approve || args.plan.is_some() || bound;
    may_ask(args.doing.output, approved)?;
    let doing = Doing {
        command: "imgstack apply",
        spec: match args.plan {
            Some(_) => SpecWords::of_a_plan(),
            None => SpecWords::typed(&args.spec.file),
        },
        how: args.doing,
        width: args.making.width,
        approved,
        printer,
        cancel,
    };
    if let Some(path) = &args.plan {
        let saved = saved::read_to_apply(path)?;
        let set = StackSet {
            stacks: saved.stacks.iter().map(|plan| plan.stack.clone()).collect(),
        };
        let reviewed = agreed(&args.review, &set, &doing).await?;
        let hold = async |connected| {
            let held = waiting(printer, hold_to(saved, connected, args.making.width)).await;
            let held = held.or_else(|stale| refuse(*stale, args.doing.output, printer))?;
            hold_to_review(reviewed, &held.0, args.doing.output, printer)?;
            introduce(&held.0, args.doing.output, printer)?;
            Ok(held)
        };
        return proceed(&set, hold, &doing).await;
    }
    let mut set = input::stacks(&args.spec)?;
    image::allow_major(&mut set, &args.allow.allow_major)?;
    check_targets(&args.making.target, &set)?;
    let reviewed = agreed(&args.review, &set, &doing).await?;
    let options = Options {
        targets: args.making.target,
        retry_failed: args.allow.retry_failed,
        ..Options::default()
    };
    let make = async |connected| {
        let making = plan::make(connected, options, args.making.width, &args.spec);
        let made = waiting(printer, making).await?;
        hold_to_review(reviewed, &made.0, args.doing.output, printer)?;
        introduce(&made.0, args.doing.output, printer)?;
        Ok(made)
    };
    proceed(&set, make, &doing).await
}

/// What somebody has agreed to, if that is asked for.
async fn agreed(
    args: &ReviewArgs,
    set: &StackSet,
    doing: &Doing<'_>,
) -> Result<Option<Reviewed>, Problem> {
    if let Some(hash) = &args.only_if_hash {
        return Ok(Some(Reviewed::typed(hash.clone())));
    }
    if !args.only_if_reviewed {
        return Ok(None);
    }
    let stacks: Vec<_> = set.stacks.iter().map(|stack| &stack.name).collect();
    let pull = args.pull();
    let looking = review::reviewed(&pull, &stacks);
    Ok(Some(waiting_for(GITHUB, doing.printer, looking).await?))
}

/// Refuses any other plan than the one that was agreed to. One that does
/// nothing takes no agreement: so a job may be run again.
fn hold_to_review(
    reviewed: Option<Reviewed>,
    plan: &Plan,
    output: ApplyOutput,
    printer: Printer,
) -> Result<(), Problem> {
    let Some(reviewed) = reviewed else {
        return Ok(());
    };
    if plan.is_empty() || reviewed.hash == plan.hash {
        return Ok(());
    }
    let shown = match output {
        ApplyOutput::Human => {
            printer.notice("The plan as it is now:\n\n");
            plan::show(plan, PlanOutput::Human, printer)?;
            "above"
        }
        ApplyOutput::Json | ApplyOutput::Ndjson => {
            printer.data(&events::other_plan(&reviewed.hash, plan))?;
            "on standard output"
        }
    };
    Err(Problem::OtherPlan {
        reviewed,
        now: plan.hash.clone(),
        shown,
    })
}

/// Locks the stacks, makes a plan of what is so then, asks whether it is wanted
/// unless that is known, and carries it out. Whatever comes of it, the locks go.
pub(crate) async fn proceed(
    set: &StackSet,
    prepare: impl AsyncFnOnce(Vec<Connected>) -> Result<(Plan, Vec<Seen>), Problem>,
    doing: &Doing<'_>,
) -> Result<Exit, Problem> {
    let connected = tokio::select! {
        connected = waiting(doing.printer, world::connect_all(set)) => connected?,
        () = doing.cancel.cancelled() => return Ok(nothing_done(doing.printer)),
    };
    let holds = match Holds::take(&connected, doing).await {
        Ok(holds) => holds,
        Err(LockError::Interrupted) => return Ok(nothing_done(doing.printer)),
        Err(error) => return Err(Problem::Lock(error, doing.spec.clone())),
    };
    let result = under_locks(prepare(connected), &holds, doing).await;
    holds.release(doing.printer).await;
    result
}

async fn under_locks(
    prepare: impl Future<Output = Result<(Plan, Vec<Seen>), Problem>>,
    holds: &Holds,
    doing: &Doing<'_>,
) -> Result<Exit, Problem> {
    // Nothing is changed before the carrying out, so it may stop anywhere.
    let prepared = tokio::select! {
        prepared = prepare => prepared?,
        () = doing.cancel.cancelled() => return Ok(nothing_done(doing.printer)),
    };
    let (plan, seen) = prepared;
    if !plan.is_empty() && !doing.approved {
        match ask(doing.printer, doing.cancel).await? {
            Answer::Yes => {}
            Answer::Interrupted => return Ok(nothing_done(doing.printer)),
        }
    } else if !plan.is_empty() && doing.how.output == ApplyOutput::Human {
        // Between what will be done and what is done.
        doing.printer.notice("\n");
    }
    let applied = carry_out(&plan, &seen, holds, doing).await;
    finish(&plan, &applied, doing.how.output, doing.printer)
}

fn nothing_done(printer: Printer) -> Exit {
    printer.notice("\nInterrupted; nothing was done.\n");
    Exit::Interrupted
}

/// What became of a plan, and what failed on the way.
pub(crate) struct Applied {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) failures: Vec<Event>,
}

pub(crate) fn may_ask(output: ApplyOutput, approved: bool) -> Result<(), Problem> {
    match output {
        ApplyOutput::Human => Ok(()),
        _ if approved => Ok(()),
        ApplyOutput::Json => Err(Problem::CannotAsk("json")),
        ApplyOutput::Ndjson => Err(Problem::CannotAsk("ndjson")),
    }
}

/// Makes sure that a saved plan still fits the world (invariant 6).
async fn hold_to(
    saved: Plan,
    connected: Vec<Connected>,
    width: WidthArgs,
) -> Result<(Plan, Vec<Seen>), Box<Stale>> {
    let credentials = saved
        .stacks
        .iter()
        .all(|plan| plan.only == Only::Credentials);
    let only = match credentials {
        true => Only::Credentials,
        false => Only::Everything,
    };
    let seen = world::observe_all(connected, Details::WhereNeeded, only, width).await;
    let mut drifted = Drift::default();
    let mut fresh = Vec::with_capacity(seen.len());
    for (then, seen) in saved.stacks.iter().zip(&seen) {
        let now = seen.plan(&Options {
            targets: then.targets.clone(),
            only: then.only,
            retry_failed: then.retry_failed,
        });
        let drift = drift(then, &now);
        drifted.moved.extend(drift.moved);
        drifted.unknown.extend(drift.unknown);
        fresh.push(now);
    }
    let hash = PlanHash::of(&fresh);
    if drifted.is_empty() {
        // A file may say anything of its own hash.
        return Ok((Plan { hash, ..saved }, seen));
    }
    let fresh = Plan {
        hash,
        stacks: fresh,
        created_at: world::now(),
        ..saved
    };
    Err(Box::new(Stale {
        drift: drifted,
        fresh,
    }))
}

/// A saved plan that fits no more, and the plan as it is now.
struct Stale {
    drift: Drift,
    fresh: Plan,
}

fn refuse<T>(stale: Stale, output: ApplyOutput, printer: Printer) -> Result<T, Problem> {
    let Stale { drift, fresh } = stale;
    let is_human = output == ApplyOutput::Human;
    if !is_human {
        printer.data(&events::refusal(&drift, &fresh))?;
    }
    if drift.moved.is_empty() {
        return Err(Problem::Unchecked(drift.unknown));
    }
    if is_human {
        printer.notice("The plan as it would be now:\n\n");
        plan::show(&fresh, PlanOutput::Human, printer)?;
    }
    Err(Problem::Stale {
        moved: drift.moved,
        shown: if is_human {
            "above"
        } else {
            "on standard output"
        },
    })
}

pub(crate) fn introduce(plan: &Plan, output: ApplyOutput, printer: Printer) -> Result<(), Problem> {
    match output {
        ApplyOutput::Human => plan::show(plan, PlanOutput::Human, printer),
        ApplyOutput::Json | ApplyOutput::Ndjson => Ok(()),
    }
}

/// What a person said to a plan; a no is an error.
enum Answer {
    Yes,
    Interrupted,
}

async fn ask(printer: Printer, cancel: &CancellationToken) -> Result<Answer, Problem> {
    printer.notice(
        "\nDo you want to perform these actions?\n  \
         imgstack will do what is described above.\n  \
         Only 'yes' will be accepted to approve.\n\n  \
         Enter a value: ",
    );
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = read => line.map_err(io::Error::other)??,
        () = cancel.cancelled() => return Ok(Answer::Interrupted),
    };
    printer.notice("\n");
    match line.trim() {
        "yes" => Ok(Answer::Yes),
        "" if line.is_empty() => Err(Problem::NoAnswer),
        _ => Err(Problem::Declined),
    }
}

/// Carries the plans out, one stack after another, until one does not go well.
async fn carry_out(plan: &Plan, seen: &[Seen], holds: &Holds, doing: &Doing<'_>) -> Applied {
    let (printer, output) = (doing.printer, doing.how.output);
    let view = Mutex::new(ApplyView::new(printer));
    let failures = Mutex::new(Vec::new());
    let tell = |event: Event| {
        match output {
            // Progress is for people, whatever is printed for programs.
            ApplyOutput::Human | ApplyOutput::Json => lock(&view).show(&event),
            ApplyOutput::Ndjson => {
                // A reader that went away does not stop a rollout.
                let _ = printer.data(&events::line(&event));
            }
        }
        if is_failure(&event) {
            lock(&failures).push(event);
        }
    };
    if output == ApplyOutput::Ndjson {
        let _ = printer.data(&events::header(plan));
        holds.told().iter().cloned().for_each(tell);
    }
    let mut outcomes = Vec::with_capacity(plan.stacks.len());
    let commit = &plan.commit;
    let work = async {
        for (plan, seen) in plan.stacks.iter().zip(seen) {
            let mut before = outcomes.iter();
            let stopped = before.any(|outcome: &Outcome| !outcome.is_complete());
            let outcome = match stopped || plan.steps.is_empty() {
                false => one_stack((plan, commit), seen, holds, doing, &tell).await,
                true => None,
            };
            outcomes.push(outcome.unwrap_or_else(|| {
                let outcome = Outcome::not_started(plan);
                if output == ApplyOutput::Ndjson {
                    tell(Event::ApplyFinished {
                        stack: plan.stack.name.clone(),
                        outcome: outcome.clone(),
                    });
                }
                outcome
            }));
        }
    };
    tokio::select! {
        () = work => {}
        () = heartbeat(&view, doing.cancel) => {}
    }
    drop(view);
    Applied {
        outcomes,
        failures: failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    }
}

/// None: the manager could not be reached, so nothing was planned either.
async fn one_stack(
    (plan, commit): (&StackPlan, &Option<Commit>),
    seen: &Seen,
    holds: &Holds,
    doing: &Doing<'_>,
    tell: &(dyn Fn(Event) + Sync),
) -> Option<Outcome> {
    let manager = seen.connected.manager.as_ref().ok()?;
    let lock = holds.of(&plan.stack.name)?;
    let world = World {
        manager,
        engines: &seen.engines,
        credentials: &seen.connected.credentials().await,
        parallelism: doing.width.nodes(),
        owner: world::owner(),
    };
    let occasion = Occasion {
        owner: world::user(),
        host: world::host(),
        command: doing.command.to_owned(),
        imgstack_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit.clone(),
    };
    Some(apply(plan, &world, lock, &occasion, doing.cancel, tell).await)
}

/// What a program hears of in the one document, too.
fn is_failure(event: &Event) -> bool {
    match event {
        Event::StepFailed { .. }
        | Event::LeftBehind { .. }
        | Event::LockLost { .. }
        | Event::JournalFailed { .. } => true,
        Event::ApplyStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepProgress { .. }
        | Event::StepSucceeded { .. }
        // The failure tells how it ended.
        | Event::GoingBack { .. }
        | Event::HandingOver { .. }
        | Event::OrderChanged { .. }
        | Event::LockWaited { .. }
        | Event::LockTakenOver { .. }
        | Event::ReleaseWritten { .. }
        | Event::ApplyFinished { .. } => false,
    }
}

/// Never returns: keeps a person told while steps take their time.
async fn heartbeat(view: &Mutex<ApplyView>, cancel: &CancellationToken) {
    let mut told = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => lock(view).beat(),
            () = cancel.cancelled(), if !told => {
                told = true;
                lock(view).interrupted();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A view that panicked half-way still shows what it can.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn finish(
    plan: &Plan,
    applied: &Applied,
    output: ApplyOutput,
    printer: Printer,
) -> Result<Exit, Problem> {
    match output {
        ApplyOutput::Human => {
            for event in &applied.failures {
                if let Event::StepFailed {
                    step,
                    failure: cause,
                    ..
                } = event
                {
                    printer.notice(&failure(step, cause));
                }
            }
            if !plan.is_empty() {
                printer.page(&format!("\n{}", closing(plan, &applied.outcomes)))?;
            }
        }
        ApplyOutput::Json => printer.data(&events::document(plan, applied)?)?,
        ApplyOutput::Ndjson => {}
    }
    let outcomes = &applied.outcomes;
    Ok(if outcomes.iter().any(|outcome| outcome.interrupted) {
        Exit::Interrupted
    } else if !outcomes.iter().all(Outcome::is_complete) || plan.is_blocked() {
        Exit::Failed
    } else {
        Exit::Done
    })
}
