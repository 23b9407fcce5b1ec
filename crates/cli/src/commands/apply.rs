//! `imgstack apply`

use std::io::{self, BufRead};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgstack_executor::{Event, Outcome, StepOutcome, World, execute};
use imgstack_observer::Details;
use imgstack_planner::{Drift, Only, Options, Plan, drift};
use imgstack_spec::StackSet;
use tokio_util::sync::CancellationToken;

use crate::args::{ApplyArgs, ApplyOutput, DoingArgs, Output, WidthArgs};
use crate::commands::plan;
use crate::exit::Exit;
use crate::patience::waiting;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::apply::ApplyView;
use crate::views::ending::{closing, failure};
use crate::views::events;
use crate::world::{self, Seen};
use crate::{image, input, saved};

pub(crate) async fn run(
    args: ApplyArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let approved = args.doing.auto_approve || args.plan.is_some();
    may_ask(args.doing.output, approved)?;
    proceed(
        prepare(&args, printer),
        args.doing,
        args.making.width,
        approved,
        printer,
        cancel,
    )
    .await
}

/// Makes a plan, asks whether it is wanted unless that is known, and carries
/// it out.
pub(crate) async fn proceed(
    prepare: impl Future<Output = Result<(Plan, Vec<Seen>), Problem>>,
    how: DoingArgs,
    width: WidthArgs,
    approved: bool,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    // Nothing is changed before the carrying out, so it may stop anywhere.
    let prepared = tokio::select! {
        prepared = prepare => prepared?,
        () = cancel.cancelled() => return Ok(nothing_done(printer)),
    };
    let (plan, seen) = prepared;
    if !plan.is_empty() && !approved {
        match ask(printer, cancel).await? {
            Answer::Yes => {}
            Answer::Interrupted => return Ok(nothing_done(printer)),
        }
    } else if !plan.is_empty() && how.output == ApplyOutput::Human {
        // Between what will be done and what is done.
        printer.notice("\n");
    }
    let applied = carry_out(&plan, &seen, how, width, printer, cancel).await;
    finish(&plan, &applied, how.output, printer)
}

async fn prepare(args: &ApplyArgs, printer: Printer) -> Result<(Plan, Vec<Seen>), Problem> {
    if let Some(path) = &args.plan {
        let held = hold_to(saved::read(path)?, args, printer).await?;
        introduce(&held.0, args.doing.output, printer)?;
        return Ok(held);
    }
    let mut set = input::stacks(&args.spec)?;
    image::allow_major(&mut set, &args.allow.allow_major)?;
    let made = plan::make(&set, &args.making, Only::Everything, printer).await?;
    introduce(&made.0, args.doing.output, printer)?;
    Ok(made)
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
    args: &ApplyArgs,
    printer: Printer,
) -> Result<(Plan, Vec<Seen>), Problem> {
    let set = StackSet {
        stacks: saved.stacks.iter().map(|plan| plan.stack.clone()).collect(),
    };
    let looking = world::look(&set, Details::WhereNeeded, args.making.width);
    let seen = waiting(printer, looking).await?;
    let mut drifted = Drift::default();
    let mut fresh = Vec::with_capacity(seen.len());
    for (then, seen) in saved.stacks.iter().zip(&seen) {
        let now = seen.plan(&Options {
            targets: then.targets.clone(),
            only: then.only,
        });
        let drift = drift(then, &now);
        drifted.moved.extend(drift.moved);
        drifted.unknown.extend(drift.unknown);
        fresh.push(now);
    }
    if drifted.is_empty() {
        return Ok((saved, seen));
    }
    let fresh = Plan {
        stacks: fresh,
        created_at: world::now(),
        ..saved
    };
    refuse(drifted, &fresh, args.doing.output, printer)
}

fn refuse<T>(
    drift: Drift,
    fresh: &Plan,
    output: ApplyOutput,
    printer: Printer,
) -> Result<T, Problem> {
    let is_human = output == ApplyOutput::Human;
    if !is_human {
        printer.data(&events::refusal(&drift, fresh))?;
    }
    if drift.moved.is_empty() {
        return Err(Problem::Unchecked(drift.unknown));
    }
    if is_human {
        printer.notice("The plan as it would be now:\n\n");
        plan::show(fresh, Output::Human, printer)?;
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
        ApplyOutput::Human => plan::show(plan, Output::Human, printer),
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
async fn carry_out(
    plan: &Plan,
    seen: &[Seen],
    how: DoingArgs,
    width: WidthArgs,
    printer: Printer,
    cancel: &CancellationToken,
) -> Applied {
    let view = Mutex::new(ApplyView::new(printer));
    let failures = Mutex::new(Vec::new());
    let tell = |event: Event| {
        match how.output {
            // Progress is for people, whatever is printed for programs.
            ApplyOutput::Human | ApplyOutput::Json => lock(&view).show(&event),
            ApplyOutput::Ndjson => {
                // A reader that went away does not stop a rollout.
                let _ = printer.data(&events::line(&event));
            }
        }
        if matches!(event, Event::StepFailed { .. } | Event::LeftBehind { .. }) {
            lock(&failures).push(event);
        }
    };
    if how.output == ApplyOutput::Ndjson {
        let _ = printer.data(&events::header(plan));
    }
    let mut outcomes = Vec::with_capacity(plan.stacks.len());
    let work = async {
        for (plan, seen) in plan.stacks.iter().zip(seen) {
            let stopped = outcomes
                .last()
                .is_some_and(|outcome: &Outcome| !outcome.is_complete());
            outcomes.push(match &seen.connected.manager {
                Ok(manager) if !stopped && !plan.steps.is_empty() => {
                    let credentials = seen.connected.credentials().await;
                    let world = World {
                        manager,
                        engines: &seen.engines,
                        credentials: &credentials,
                        parallelism: width.nodes(),
                        owner: world::owner(),
                    };
                    execute(plan, &world, cancel, &tell).await
                }
                _ => {
                    let outcome = not_started(plan);
                    if how.output == ApplyOutput::Ndjson {
                        tell(Event::ApplyFinished {
                            stack: plan.stack.name.clone(),
                            outcome: outcome.clone(),
                        });
                    }
                    outcome
                }
            });
        }
    };
    tokio::select! {
        () = work => {}
        () = heartbeat(&view, cancel) => {}
    }
    drop(view);
    Applied {
        outcomes,
        failures: failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
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

fn not_started(plan: &imgstack_planner::StackPlan) -> Outcome {
    let steps = plan.steps.iter();
    Outcome {
        steps: steps
            .map(|step| (step.id.clone(), StepOutcome::NotStarted))
            .collect(),
        interrupted: false,
    }
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
