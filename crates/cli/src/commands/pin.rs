//! `imgstack pin`, `imgstack unpin`, `imgstack rollback`

use imgstack_observer::Details;
use imgstack_planner::{
    Code, Finding, Known, Observed, Only, Options, Plan, PlannedImage, Severity, Trouble,
};
use imgstack_spec::{Address, Image, ImageRef, Pin, ServiceName, Stack, StackSet};

use crate::args::{EditingArgs, Output, PinArgs, PlanOutput, RollbackArgs, UnpinArgs, WidthArgs};
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
        service: subject.service.cloned(),
        others: others(&subject),
        held: held.clone(),
        files: args.spec.file.clone(),
        allows_major: !args.allow.allow_major.is_empty(),
        retries: args.allow.retry_failed,
        dry_run: args.dry_run,
        image: image.clone(),
    };
    set_pin(&mut set, &image, pin);
    let options = Options {
        retry_failed: args.allow.retry_failed,
        ..Options::default()
    };
    let looking = world::look(&set, Details::WhereNeeded, options.only, args.width);
    let mut seen = waiting(printer, looking).await?;
    let target = match &held {
        Some(held) => Some(name_of(&image, held)),
        None => followed(&image, &world::plan_all(&seen, &options)),
    };
    let mut changes = Changes::of(spec, &stack, &image, target.as_ref());
    changes.foresee(&mut seen, &image);
    let plan = world::plan_all(&seen, &options);
    let is_stopped = is_stopped(&plan, &image);
    if args.output == Output::Human {
        commands::plan::show(&plan, PlanOutput::Human, printer)?;
        if !is_stopped {
            printer.page(&page.diffs(&changes))?;
        }
    }
    let is_written = !args.dry_run && !is_stopped;
    if is_written {
        changes.write()?;
    }
    match args.output {
        Output::Json => {
            let document = page.document(&changes, &plan, is_written);
            printer.data(&document.map_err(std::io::Error::other)?)?;
        }
        Output::Human if is_stopped => {}
        Output::Human => printer.page(&page.render(&changes, &plan))?,
    }
    if is_stopped {
        return Err(PinError::Major(image.name).into());
    }
    let is_failed = is_blocked(&plan, &stack, &image) || changes.is_partial();
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
    let seen = world::look(set, Details::WhereNeeded, Only::Everything, width).await?;
    let mut own = seen.iter();
    let own = own.find(|it| it.connected.stack.name == stack.name);
    let history = match own.map(|it| &it.inventory.history) {
        Some(Known::Known(history)) => history,
        Some(Known::Unknown(trouble)) => return Err(unreachable(trouble.clone())),
        None => return Err(unreachable(Trouble::new("it was not asked"))),
    };
    if let Some(warning) = unread(&history.unreadable) {
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
    let digest = last_good(image, &named, &all, wanted, history)?;
    Ok(Typed::Digest(digest))
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

/// Whether something is in the way of the image or of a service of it. What
/// blocks others is no failure of this command's.
fn is_blocked(plan: &Plan, stack: &Stack, image: &Image) -> bool {
    let concerns = |address: &Address| match address {
        Address::Image(name) => *name == image.name,
        Address::Service(name) => {
            let service = stack.service(name);
            service.is_some_and(|it| it.image == image.name)
        }
        Address::Node(_) | Address::Registry(_) | Address::Swarm => false,
    };
    let about = |it: &Finding| concerns(&it.address) || it.blocks.iter().any(concerns);
    let mut findings = plan.stacks.iter().flat_map(|it| &it.report.findings);
    findings.any(|it| it.severity == Severity::Blocked && about(it))
}
