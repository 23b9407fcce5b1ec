//! What the product says, held against what is so.

mod outcome;
mod plan;
mod pulls;
mod settings;

pub use outcome::{Day, order_is_kept, outcome_is_true, told};
pub use plan::{blocked, nothing_is_left, plan_is_true, steps, steps_of};
pub use pulls::{Held, held, pulls_are_those_needed, pulls_are_those_planned};
pub use settings::{Settings, with_settings};

use imgstack_executor::{Event, StepOutcome};
use imgstack_planner::{Action, StackPlan};
use imgstack_spec::ImageRef;

use crate::design::{Design, History, Service};
use crate::tally::shows;
use crate::truth::{self, Truth};
use crate::world::World;

/// Counts what an apply was about and how it ended.
pub fn day_shows(day: &Day<'_>) {
    let ended = &day.applied.outcome.steps;
    for (step, (_, ended)) in day.plan.steps.iter().zip(ended) {
        let what = match &step.action {
            Action::UpdateService(_) => "an update",
            Action::AdjustService(_) => "settings alone",
            Action::RotateCredential(_) => "a rotation",
            Action::PullImage(_) => "a pull",
            Action::RemoveLeftover(_) => "a removal",
            Action::LogIn(_) | Action::RemoveImage(_) => "something else",
        };
        shows(format!("plan {what}"));
        match ended {
            StepOutcome::Done => shows(format!("end {what} well")),
            StepOutcome::InFlight => shows("leave something in flight"),
            StepOutcome::Failed | StepOutcome::NotStarted | StepOutcome::Stopped => {}
        }
        let is_update = |id: &imgstack_planner::StepId| id.to_string().starts_with("update ");
        if *ended == StepOutcome::Done && step.after.iter().any(is_update) {
            shows("keep an order");
        }
    }
    for (event, _) in &day.applied.told {
        if let Event::StepFailed { failure, .. } = event {
            shows("see a failure");
            shows(format!("see {:?}", failure.kind));
        }
    }
}

/// The build of the service's own image that a reference, however it is
/// written, asks for.
pub fn build_of(world: &World, service: &Service, image: &str) -> Option<usize> {
    names_build(world, service.image, image)
}

/// The build of an image of the spec that a reference asks for.
fn names_build(world: &World, index: usize, image: &str) -> Option<usize> {
    let image = image.parse::<ImageRef>().ok()?;
    let design = &world.design.images[index];
    let host = world.design.hosts[design.host].name;
    let is_own = image.repository.host().as_str() == host && image.repository.path() == design.path;
    let digest = image.digest.filter(|_| is_own)?;
    let mut digests = world.digests[index].iter();
    digests.position(|it| it == digest.as_str())
}

/// Whether an image, however it is written, is the wanted build of a service.
pub fn is_wanted(world: &World, service: &Service, image: &str) -> bool {
    let wanted = world.design.wanted(service.image);
    wanted.is_some() && build_of(world, service, image) == wanted
}

/// Whether nothing in the world is against the wanted build running wherever
/// the service asks for it.
pub fn must_go_well(design: &Design, truth: &Truth, service: &Service) -> bool {
    let wanted = design.wanted(service.image);
    wanted.is_some_and(|build| goes_well(design, truth, service, build))
}

/// The same for any build of the service's image.
pub fn goes_well(design: &Design, truth: &Truth, service: &Service, build: usize) -> bool {
    let Some(there) = truth.services.get(&service.name) else {
        return false;
    };
    let image = &design.images[service.image];
    let build = &image.builds[build];
    let host = &design.hosts[image.host];
    // Nodes are told no when they come with a name that nobody knows.
    let wrong_login = service.credential && !host.login && host.name != "plain.acme.test:5000";
    let template = &there.spec["TaskTemplate"];
    let cores = template["Resources"]["Reservations"]["NanoCPUs"].as_u64();
    let crowded = template["Placement"]["MaxReplicas"].is_u64()
        || cores.is_some_and(|cores| cores > 1_000_000_000);
    build.is_good()
        // It has a delay of an hour.
        && service.history != History::Updating
        && design.is_readable(service.image)
        && !wrong_login
        && !crowded
        && has_room(truth, there, &build.architectures)
}

/// Whether that is so of every service that a plan is about to change.
pub fn all_must_go_well(world: &World, truth: &Truth, plan: &StackPlan) -> bool {
    steps(plan).all(|update| {
        let mut services = world.design.services.iter();
        let service = services.find(|it| it.name == update.service.as_str());
        must_go_well(&world.design, truth, service.unwrap())
    })
}

/// Every node that may be chosen can run it, and there is one.
fn has_room(truth: &Truth, service: &truth::Service, architectures: &[&str]) -> bool {
    let fits = |node: &&truth::Node| architectures.contains(&node.architecture.as_str());
    let mut places = truth.places(service);
    if service.is_global() {
        return places.all(|node| fits(&node));
    }
    // Platforms that are written down follow the build, and are asked for.
    let asks = !service.platforms().is_empty();
    let mut chosen = places.filter(|node| !asks || fits(node)).peekable();
    let nowhere = chosen.peek().is_none();
    chosen.all(|node| fits(&node)) && (!nowhere || truth.desired(service) == 0)
}
