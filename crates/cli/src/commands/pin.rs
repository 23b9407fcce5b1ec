//! `imgstack pin`, `imgstack unpin`, `imgstack rollback`

use imgstack_observer::Details;
use imgstack_planner::{Code, Options, Plan, PlannedImage, Severity};
use imgstack_spec::{Address, Image, ImageRef, Pin, ServiceName, StackSet};

use crate::args::{EditingArgs, Output, PinArgs, RollbackArgs, UnpinArgs};
use crate::exit::Exit;
use crate::image::Subject;
use crate::patience::waiting;
use crate::pins::{Changes, Held, PinError, Typed, of_spec, resolve};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::pins::{Page, Words};
use crate::{commands, image, input, world};

pub(crate) async fn pin(args: PinArgs, printer: Printer) -> Result<Exit, Problem> {
    let PinArgs { editing, build } = args;
    run(editing, Words::Pin, Some(build), printer).await
}

pub(crate) async fn unpin(args: UnpinArgs, printer: Printer) -> Result<Exit, Problem> {
    run(args.editing, Words::Unpin, None, printer).await
}

pub(crate) async fn rollback(args: RollbackArgs, printer: Printer) -> Result<Exit, Problem> {
    let RollbackArgs { editing, to } = args;
    run(editing, Words::Rollback, Some(to), printer).await
}

/// Edits the files, after the plan that would follow is shown.
async fn run(
    args: EditingArgs,
    words: Words,
    build: Option<Typed>,
    printer: Printer,
) -> Result<Exit, Problem> {
    let inputs = input::inputs(&args.spec)?;
    let mut set = imgstack_spec::read(&inputs)?;
    image::allow_major(&mut set, &args.allow.allow_major)?;
    let subject = image::subject(&set, &args.name)?;
    let (stack, image) = (subject.stack.clone(), subject.image.clone());
    let registry = world::registries(&stack)?;
    let held = match &build {
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
    commands::plan::show(&plan, Output::Human, printer)?;
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
    let about = Address::Image(image.name.clone());
    let mut images = plan.stacks.iter().flat_map(|stack| &stack.images);
    let planned: &PlannedImage = images.find(|it| it.address == about)?;
    planned.reference.tag.as_ref().map(|tag| image.tagged(tag))
}

/// Whether the guard of major versions is in the way.
fn is_stopped(plan: &Plan, image: &Image) -> bool {
    let about = Address::Image(image.name.clone());
    let mut findings = plan.stacks.iter().flat_map(|it| &it.report.findings);
    findings.any(|it| {
        it.code == Code::MajorUpgrade && it.severity == Severity::Blocked && it.address == about
    })
}
