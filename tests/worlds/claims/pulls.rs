//! What nodes hold, against what a plan makes them pull.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_executor::StepOutcome;
use imgstack_planner::{Action, Code, PullImage, Severity, StackPlan};
use imgstack_spec::Address;

use super::{Day, names_build, steps_of};
use crate::design::{STACK, Service};
use crate::truth::{self, Truth};
use crate::world::World;

/// What each node holds, by hostname: `repository@digest` as docker has it.
pub type Held = BTreeMap<String, BTreeSet<String>>;

/// What each node holds now.
pub fn held(world: &World) -> Held {
    let nodes = world.design.nodes.iter();
    let names = nodes.map(|node| node.setup.hostname.as_str());
    world.sim.engines.read(|cluster| {
        let on = |name: &str| {
            let images = cluster.node_images(name);
            let digests = images.iter().flat_map(|it| it["RepoDigests"].as_array());
            let digests = digests.flatten().filter_map(|it| it.as_str());
            digests.map(str::to_owned).collect()
        };
        names.map(|name| (name.to_owned(), on(name))).collect()
    })
}

/// A build that the spec asks for, and a node.
struct Place<'a> {
    world: &'a World,
    truth: &'a Truth,
    image: usize,
    host: &'a str,
    node: &'a truth::Node,
}

/// Exactly those nodes pull that may run a service, are to hold its build and
/// do not. With `trouble` something may have been out of sight.
#[track_caller]
pub fn pulls_are_those_needed(
    world: &World,
    truth: &Truth,
    held: &Held,
    plan: &StackPlan,
    trouble: bool,
) {
    if trouble {
        return;
    }
    let planned: BTreeSet<(&str, &str)> = pulls(plan)
        .map(|pull| (pull.node.as_str(), pull.image.as_str()))
        .collect();
    for place in places(world, truth) {
        let image = &world.design.images[place.image];
        if !place.is_seen(plan) {
            continue;
        }
        let needed = place.is_needed(held, plan);
        let is_planned = planned.contains(&(place.host, image.name.as_str()));
        let services = &truth.services;
        assert_eq!(
            is_planned, needed,
            "{} on {}: {held:#?} {services:#?} {plan:#?}",
            image.name, place.host
        );
    }
}

/// Where a pull succeeded its image is, and no node has got a build that the
/// plan did not name for it.
#[track_caller]
pub fn pulls_are_those_planned(day: &Day<'_>, before: &Held, after: &Held) {
    // Tasks of a bad build go here and there.
    if !day.world.design.is_sound() {
        return;
    }
    for place in places(day.world, day.before) {
        let Some(name) = place.familiar() else {
            continue;
        };
        let image = &day.world.design.images[place.image].name;
        let mut pulls = pulls(day.plan);
        let pull = pulls.find(|it| it.node.as_str() == place.host && it.image.as_str() == image);
        let is_there = after[place.host].contains(&name);
        let is_new = is_there && !before[place.host].contains(&name);
        let was_pulled = pull.is_some_and(|pull| is_done(day, pull));
        assert!(is_there || !was_pulled, "{name} on {}", place.host);
        // Tasks that were on their way before have not ended their own pulls. A
        // service that names no platforms sends its tasks, and so the build,
        // also to nodes that can do nothing with it.
        let calm = place.fits()
            && place.users().all(|it| {
                let there = &day.before.services[&it.name];
                day.before.is_calm(there, 30)
            });
        assert!(
            pull.is_some() || !is_new || !calm,
            "{name} has come to {}: {:#?} {:#?}",
            place.host,
            day.before,
            day.plan.steps
        );
    }
}

fn is_done(day: &Day<'_>, pull: &PullImage) -> bool {
    let mut steps = day.plan.steps.iter();
    let step = steps.find(|it| matches!(&it.action, Action::PullImage(other) if other == pull));
    let mut ended = day.applied.outcome.steps.iter();
    step.is_some_and(|step| ended.any(|(id, ended)| *id == step.id && *ended == StepOutcome::Done))
}

fn pulls(plan: &StackPlan) -> impl Iterator<Item = &PullImage> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::PullImage(pull) => Some(pull),
        _ => None,
    })
}

fn places<'a>(world: &'a World, truth: &'a Truth) -> impl Iterator<Item = Place<'a>> {
    let images = 0..world.design.images.len();
    images.flat_map(move |image| {
        let nodes = truth.nodes.iter();
        nodes.map(move |(host, node)| Place {
            world,
            truth,
            image,
            host,
            node,
        })
    })
}

impl Place<'_> {
    /// Docker's name for the wanted build.
    fn familiar(&self) -> Option<String> {
        let digest = self.world.wanted(self.image)?;
        let repository = self.world.design.repository(self.image);
        let familiar = repository.strip_prefix("docker.io/").unwrap_or(&repository);
        Some(format!("{familiar}@{digest}"))
    }

    /// The services of the spec that have the image and may run there.
    fn users(&self) -> impl Iterator<Item = &Service> {
        let services = self.world.design.services.iter();
        let services = services.filter(|it| it.in_spec && it.image == self.image);
        services.filter(|it| {
            let there = self.truth.services.get(&it.name);
            there.is_some_and(|there| self.node.is_allowed(self.host, there))
        })
    }

    /// Whether what is so there can be told: the image is known, no task is
    /// on its way, and the disk has room.
    fn is_seen(&self, plan: &StackPlan) -> bool {
        let image = self.world.design.images[self.image].name.as_str();
        let mut findings = plan.report.findings.iter();
        let unknown = findings.any(|it| match &it.address {
            Address::Image(name) => it.severity == Severity::Blocked && name.as_str() == image,
            Address::Node(name) => {
                let codes = [Code::NodeUnknown, Code::DiskFull];
                codes.contains(&it.code) && name.as_str() == self.host
            }
            _ => false,
        });
        let mut users = self.users();
        !unknown && users.all(|it| self.truth.is_calm(&self.truth.services[&it.name], 5))
    }

    /// Whether the wanted build is one for the node's machine.
    fn fits(&self) -> bool {
        let design = &self.world.design;
        let wanted = design.wanted(self.image);
        wanted.is_some_and(|build| {
            let build = &design.images[self.image].builds[build];
            let architectures = &build.architectures;
            architectures.contains(&self.node.architecture.as_str())
        })
    }

    fn is_needed(&self, held: &Held, plan: &StackPlan) -> bool {
        let design = &self.world.design;
        let Some(name) = self.familiar() else {
            return false;
        };
        if !(self.fits() && self.node.up && self.node.active) {
            return false;
        }
        let moving = steps_of(plan);
        match design.engines {
            true => self.users().any(|it| !is_out(plan, it)) && !held[self.host].contains(&name),
            // Nobody can tell what it holds, so it pulls for what moves, unless
            // a task runs there that has the build.
            false => {
                let moves = self.users().any(|it| moving.contains_key(it.name.as_str()));
                moves && !self.runs()
            }
        }
    }

    /// Whether a task runs the wanted build there. Those of the spec's services
    /// are looked at, and of services that carry the stack's label.
    fn runs(&self) -> bool {
        let design = &self.world.design;
        let mut runs = self.truth.services.iter().filter(|(name, there)| {
            let mut services = design.services.iter();
            let is_ours = services.any(|it| it.in_spec && it.name == **name);
            is_ours || there.label("dev.imgstack.stack") == Some(STACK)
        });
        runs.any(|(_, there)| {
            let mut tasks = self.truth.running(there);
            tasks.any(|task| {
                task.node.as_deref() == Some(self.host)
                    && names_build(self.world, self.image, &task.image)
                        .is_some_and(|it| Some(it) == design.wanted(self.image))
            })
        })
    }
}

/// Whether nothing can be said of what a service is to run: it is not one of
/// those that nodes get something for.
fn is_out(plan: &StackPlan, service: &Service) -> bool {
    let mut findings = plan.report.findings.iter();
    findings.any(|it| match (&it.address, it.code) {
        (
            Address::Service(name),
            Code::SwarmUnknown
            | Code::ServiceNotFound
            | Code::ServiceIsJob
            | Code::UpdateInProgress
            | Code::ImageUnknown
            | Code::PlatformMissing
            | Code::StoppedHalfWay,
        ) => it.severity == Severity::Blocked && name.as_str() == service.name,
        _ => false,
    })
}
