//! What the product says, held against what is so.

mod outcome;
mod plan;

pub use outcome::{Day, order_is_kept, outcome_is_true, told};
pub use plan::{blocked, nothing_is_left, plan_is_true, steps, steps_of};

use imgstack_planner::StackPlan;
use imgstack_spec::ImageRef;

use crate::design::{Design, History, Service};
use crate::truth::{self, Truth};
use crate::world::World;

/// Whether an image, however it is written, is the wanted build of a service.
pub fn is_wanted(world: &World, service: &Service, image: &str) -> bool {
    let (Ok(image), Some(wanted)) = (image.parse::<ImageRef>(), world.wanted(service.image)) else {
        return false;
    };
    let design = &world.design.images[service.image];
    image.repository.host().as_str() == world.design.hosts[design.host].name
        && image.repository.path() == design.path
        && image.digest.is_some_and(|digest| digest.as_str() == wanted)
}

/// Whether nothing in the world is against the wanted build running wherever
/// the service asks for it.
pub fn must_go_well(design: &Design, truth: &Truth, service: &Service) -> bool {
    let (Some(build), Some(there)) = (
        design.wanted(service.image),
        truth.services.get(&service.name),
    ) else {
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
