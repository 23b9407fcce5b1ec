//! `imgstack pin`, `imgstack unpin`, `imgstack rollback`

use imgstack_executor::journal::Journal;
use imgstack_observer::Details;
use imgstack_planner::{Code, Observed, Options, Plan, PlannedImage, Severity, Trouble};
use imgstack_spec::{Address, Image, ImageRef, Pin, ServiceName, StackSet};

use crate::args::{EditingArgs, PinArgs, PlanOutput, RollbackArgs, UnpinArgs, WidthArgs};
use crate::exit::Exit;
use crate::image::Subject;
use crate::patience::waiting;
use crate::pins::{Changes, Held, PinError, Typed, last_good, of_spec, resolve};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::pins::{Page, Words, unread};
use crate::{commands, image, input, world};

pub(crate) async fn pin(args: PinArgs, printer: Printer) -> Result<Exit, Problem> {
    let PinArgs { editing, build } = args;
    run(editing, Words::Pin, Build::Named(build), printer).await
}

pub(crate) async fn unpin(args: UnpinArgs, printer: Printer) -> Result<Exit, Problem> {
    run(args.editing, Words::Unpin, Build::Followed, printer).await
}

pub(crate) async fn rollback(args: RollbackArgs, printer: Printer) -> Result<Exit, Problem> {
    let RollbackArgs { editing, to } = args;
    let build = to.map_or(Build::LastGood, Build::Named);
    run(editing, Words::Rollback, build, printer).await
}

/// The build that is asked for.
enum Build {
    Named(Typed),
    LastGood,
    /// None in particular.
    Followed,
}

/// Edits the files, after the plan that would follow is shown.
async fn run(
    args: EditingArgs,
    words: Words,
    build: Build,
    printer: Printer,
) -> Result<Exit, Problem> {
    let inputs = input::inputs(&args.spec)?;
    let mut set = imgstack_spec::read(&inputs)?;
    image::allow_major(&mut set, &args.allow.allow_major)?;
    let subject = image::subject(&set, &args.name)?;
    let (stack, image) = (subject.stack.clone(), subject.image.clone());
    let registry = world::registries(&stack)?;
    let typed = match build {
        Build::Named(typed) => Some(typed),
        Build::LastGood => {
            let looking = journalled(&set, &subject, args.width, printer);
            Some(waiting(printer, looking).await?)
        }
        Build::Followed => None,
    };
    let held = match &typed {
        Some(typed) => Some(waiting(printer, resolve(&stack, &image, &registry, typed)).await?),
        None => None,
    };
    let pin = held.as_ref().map(|it| &it.pin);
    let spec = of_spec(&inputs, &stack, &image, pin)?;
    let page = Page {
        words,
        was_pinned: image.pin.is_some(),
        service: subject.service.cloned(),
        others: others(&subject),
        held: held.clone(),
        files: args.spec.file.clone(),
        allows_major: !args.allow.allow_major.is_empty(),
        dry_run: args.dry_run,
        image: image.clone(),
    };
    set_pin(&mut set, &image, pin);
    let looking = world::look(&set, Details::WhereNeeded, args.width);
    let mut seen = waiting(printer, looking).await?;
    let target = match &held {
        Some(held) => Some(name_of(&image, held)),
        None => followed(&image, &world::plan_all(&seen, &Options::default())),
    };
    let mut changes = Changes::of(spec, &stack, &image, target.as_ref());
    changes.foresee(&mut seen, &image);
    let plan = world::plan_all(&seen, &Options::default());
    commands::plan::show(&plan, PlanOutput::Human, printer)?;
    if is_stopped(&plan, &image) {
        return Err(PinError::Major(image.name).into());
    }
    printer.page(&page.diffs(&changes))?;
    if !args.dry_run {
        changes.write()?;
    }
    printer.page(&page.render(&changes, &plan))?;
    let is_failed = plan.is_blocked() || changes.is_partial();
    Ok(if is_failed { Exit::Failed } else { Exit::Done })
}

/// The last good build, by the journal.
async fn journalled(
    set: &StackSet,
    subject: &Subject<'_>,
    width: WidthArgs,
    printer: Printer,
) -> Result<Typed, Problem> {
    let Subject { stack, image, .. } = subject;
    let unreachable = |trouble: Trouble| Problem::Manager {
        stack: stack.name.clone(),
        trouble,
    };
    let seen = world::look(set, Details::WhereNeeded, width).await?;
    let mut own = seen.iter().map(|it| &it.connected);
    let own = own.find(|it| it.stack.name == stack.name);
    let manager = own.map(|it| it.manager.clone());
    let manager = manager.unwrap_or_else(|| Err(Trouble::new("it was not asked")));
    let manager = manager.map_err(unreachable)?;
    let journal = Journal::read(&manager, &stack.name).await;
    let journal = journal.map_err(|error| unreachable(world::trouble(&error)))?;
    if let Some(warning) = unread(journal.unreadable()) {
        printer.notice(&warning);
    }
    let plan = world::plan_all(&seen, &Options::default());
    let wanted = match planned(image, &plan).map(|it| &it.wants) {
        Some(Observed::Present(digest)) => digest,
        Some(Observed::Absent(trouble) | Observed::Unknown(trouble)) => {
            return Err(PinError::Unknown {
                image: image.name.clone(),
                trouble: trouble.clone(),
            }
            .into());
        }
        None => return Err(PinError::NoGoodBuild(image.name.clone()).into()),
    };
    let all = stack.services.iter().filter(|it| it.image == image.name);
    let all: Vec<&ServiceName> = all.map(|it| &it.name).collect();
    let named = subject.service.map_or_else(|| all.clone(), |it| vec![it]);
    let build = last_good(image, &named, &all, wanted, &journal)?;
    Ok(Typed::Digest(build.digest))
}

/// The services that go with the one that was named.
fn others(subject: &Subject<'_>) -> Vec<ServiceName> {
    let services = subject.stack.services.iter();
    services
        .filter(|it| it.image == subject.image.name && Some(&it.name) != subject.service)
        .map(|it| it.name.clone())
        .collect()
}

fn set_pin(set: &mut StackSet, image: &Image, pin: Option<&Pin>) {
    let images = set.stacks.iter_mut().flat_map(|stack| &mut stack.images);
    for named in images.filter(|it| it.name == image.name) {
        named.pin = pin.cloned();
    }
}

/// What the cluster is to run, to the letter: so a deployment of the stack
/// restarts nothing.
fn name_of(image: &Image, held: &Held) -> ImageRef {
    let tag = match &held.pin {
        Pin::Tag(tag) => Some(tag),
        Pin::Digest(_) => image.tag(),
    };
    ImageRef {
        tag: tag.cloned(),
        digest: Some(held.digest.clone()),
        ..image.anywhere()
    }
}

/// What an image without a pin follows: a tag alone, which a deployment
/// resolves as a plan does. None: its policy has chosen none.
fn followed(image: &Image, plan: &Plan) -> Option<ImageRef> {
    let tag = planned(image, plan)?.reference.tag.as_ref();
    tag.map(|tag| image.tagged(tag))
}

fn planned<'p>(image: &Image, plan: &'p Plan) -> Option<&'p PlannedImage> {
    let about = Address::Image(image.name.clone());
    let mut images = plan.stacks.iter().flat_map(|stack| &stack.images);
    images.find(|it| it.address == about)
}

/// Whether the guard of major versions is in the way.
fn is_stopped(plan: &Plan, image: &Image) -> bool {
    let about = Address::Image(image.name.clone());
    let mut findings = plan.stacks.iter().flat_map(|it| &it.report.findings);
    findings.any(|it| {
        it.code == Code::MajorUpgrade && it.severity == Severity::Blocked && it.address == about
    })
}
