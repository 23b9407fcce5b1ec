//! What goes wrong, and how it is set right again.

use std::time::Duration;

use imgstack_sim::registry::User;
use imgstack_sim::{Fault, Trigger};

use super::points;
use crate::draw::Dice;
use crate::truth::Truth;
use crate::world::{SECRET, World};

/// One mishap.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// A request does not go as it should.
    Network(Trigger, Fault),
    /// A registry is down.
    Off(usize),
    /// It has forgotten the tokens that it gave.
    TokensExpire(usize),
    /// It lets the robot in no more.
    Revoked(usize),
    /// It sends everybody away for so many requests.
    Throttled(usize, usize),
    /// A tag is said to lead to what is not there.
    WrongDigest(usize),
    /// A machine is gone.
    NodeLost(String),
    /// A disk is full.
    DiskFull(String),
    /// A node loses every image that no container of it uses.
    Pruned(String),
    /// Somebody drains a node, or lets it take no more tasks.
    Unavailable(String, &'static str),
    /// The leader of the managers changes.
    FailOver,
    /// The kernel kills a task of a service.
    Killed(String),
    /// Somebody else changes a service.
    Meddled(String, Meddling),
    /// A person stops the apply.
    Stopped,
    /// The wanted build of an image is a bad one.
    BadBuild,
}

/// What somebody else does to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    Label,
    Image,
    Scale,
    Remove,
    /// The same spec again.
    NoChange,
}

/// When it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    BeforeThePlan,
    BeforeTheApply,
    /// So long after the apply began.
    Later(Duration),
}

impl Mishap {
    /// Draws one for a world, and when.
    pub fn draw(dice: &mut Dice, world: &World) -> (Self, When) {
        let host = dice.0.usize(0..world.registries.len());
        let image = dice.0.usize(0..world.design.images.len());
        let nodes = &world.design.nodes;
        let node = nodes[dice.0.usize(0..nodes.len())].setup.hostname.clone();
        let services = &world.design.services;
        let service = services[dice.0.usize(0..services.len())].name.clone();
        let meddling = dice.pick(&[
            Meddling::Label,
            Meddling::Image,
            Meddling::Scale,
            Meddling::Remove,
            Meddling::NoChange,
        ]);
        let times = dice.0.usize(1..8);
        let away = dice.pick(&["drain", "pause"]);
        let (trigger, fault) = points::draw(dice, world);
        let mishap = dice.weighted(&[
            (35, Self::Network(trigger, fault)),
            (5, Self::Off(host)),
            (4, Self::TokensExpire(host)),
            (4, Self::Revoked(host)),
            (3, Self::Throttled(host, times)),
            (4, Self::WrongDigest(image)),
            (7, Self::NodeLost(node.clone())),
            (4, Self::DiskFull(node.clone())),
            (5, Self::Pruned(node.clone())),
            (5, Self::Unavailable(node, away)),
            (6, Self::FailOver),
            (5, Self::Killed(service.clone())),
            (8, Self::Meddled(service, meddling)),
            (5, Self::Stopped),
        ]);
        let later = Duration::from_millis(u64::from(dice.0.u32(0..12_000)));
        let when = dice.weighted(&[
            (20, When::BeforeThePlan),
            (25, When::BeforeTheApply),
            (55, When::Later(later)),
        ]);
        (mishap, when)
    }

    /// Lets it happen.
    pub fn happen(&self, world: &World) {
        let registry = |host: &usize| &world.registries[*host];
        match self {
            Self::Network(trigger, fault) => {
                world.sim.server.faults.set(trigger.clone(), fault.clone());
            }
            Self::Off(host) => registry(host).set_off(true),
            Self::TokensExpire(host) => registry(host).expire_tokens(),
            Self::Revoked(host) => registry(host).revoke("robot"),
            Self::Throttled(host, requests) => registry(host).throttle_next(*requests),
            Self::WrongDigest(image) => mislead(world, *image, true),
            Self::NodeLost(node) => world
                .sim
                .engines
                .with(|cluster, now| cluster.lose_node(now, node)),
            Self::DiskFull(node) => {
                world
                    .sim
                    .engines
                    .with(|cluster, _| cluster.fill_disk(node, 1 << 20));
            }
            Self::Pruned(node) => world.sim.engines.with(|cluster, now| {
                cluster.prune_containers(now, node, |_| true);
                cluster.prune_images(now, node, true);
            }),
            Self::Unavailable(node, away) => world.make_available(node, away),
            Self::FailOver => world
                .sim
                .engines
                .with(|cluster, now| cluster.fail_over(now)),
            Self::Killed(service) => kill(world, service),
            Self::Meddled(service, meddling) => meddle(world, service, *meddling),
            // The apply is told, and the build is there from the start.
            Self::Stopped | Self::BadBuild => {}
        }
    }

    /// Sets right what can be.
    pub fn mend(&self, world: &World) {
        world.sim.server.faults.clear();
        for (registry, host) in world.registries.iter().zip(&world.design.hosts) {
            registry.set_off(false);
            registry.throttle_next(0);
            if host.login {
                registry.add_user(User::reader("robot", SECRET, "acme"));
            }
        }
        for image in 0..world.design.images.len() {
            mislead(world, image, false);
        }
        for node in world.design.nodes.iter() {
            let name = &node.setup.hostname;
            world.sim.engines.with(|cluster, now| {
                cluster.fill_disk(name, 1 << 40);
                if !node.lost {
                    cluster.return_node(now, name);
                }
            });
        }
        if let Self::Unavailable(hostname, _) = self {
            let nodes = &world.design.nodes;
            let node = nodes
                .iter()
                .find(|it| it.setup.hostname == *hostname)
                .unwrap();
            world.make_available(hostname, node.availability);
        }
    }

    /// Whether what managers say may be lost on its way.
    pub fn is_between(&self, world: &World) -> bool {
        let manager = &world.design.nodes[0].setup.hostname;
        match self {
            Self::Network(trigger, _) => trigger.server == *manager,
            Self::NodeLost(node) => node == manager,
            Self::FailOver => true,
            _ => false,
        }
    }

    /// Whether what is read while it lasts need not be all that is so.
    pub fn hides(&self, world: &World) -> bool {
        match self {
            Self::Network(..)
            | Self::Off(_)
            | Self::TokensExpire(_)
            | Self::Revoked(_)
            | Self::Throttled(..)
            | Self::WrongDigest(_)
            | Self::FailOver => true,
            Self::NodeLost(node) => *node == world.design.nodes[0].setup.hostname,
            Self::DiskFull(_)
            | Self::Pruned(_)
            | Self::Unavailable(..)
            | Self::Killed(_)
            | Self::Meddled(..)
            | Self::Stopped
            | Self::BadBuild => false,
        }
    }

    /// Whether it came to bear after it happened: a fault that nobody has run
    /// into is none. `hits` is how often faults had hit before.
    pub fn has_hit(&self, world: &World, hits: usize) -> bool {
        match self {
            Self::Network(..) => world.sim.server.faults.hits() > hits,
            _ => true,
        }
    }

    /// In a word, and a fault in another one.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let word = |text: String| {
            let word = text.split(|it: char| !it.is_ascii_alphabetic()).next();
            word.unwrap_or_default().to_owned()
        };
        let fault = match self {
            Self::Network(_, fault) => Some(word(format!("{fault:?}"))),
            _ => None,
        };
        [word(format!("{self:?}"))].into_iter().chain(fault)
    }

    /// Whether answers of the managers may come late.
    pub fn delays(&self) -> bool {
        matches!(self, Self::Network(_, Fault::Delay(_)))
    }

    /// The node that loses its images while something is carried out.
    pub fn pruned(&self, when: When) -> Option<&str> {
        match (self, when) {
            (Self::Pruned(node), When::Later(_)) => Some(node),
            _ => None,
        }
    }

    /// The service that somebody else has changed.
    pub fn meddled(&self) -> Option<&str> {
        match self {
            Self::Meddled(service, _) => Some(service),
            _ => None,
        }
    }
}

/// A digest that nobody has pushed.
fn mislead(world: &World, image: usize, wrong: bool) {
    let digest = format!("sha256:{}", "5".repeat(64)).parse().unwrap();
    let design = &world.design.images[image];
    let registry = &world.registries[design.host];
    registry.mislead(&design.path, "16", wrong.then_some(&digest));
}

fn kill(world: &World, service: &str) {
    let truth: Truth = world.truth();
    let tasks = truth.services.get(service).map(|it| it.tasks.as_slice());
    let mut running = tasks
        .into_iter()
        .flatten()
        .filter(|it| it.state == "running");
    if let Some(task) = running.next() {
        world
            .sim
            .engines
            .with(|cluster, now| cluster.kill_task(now, &task.id, 137));
    }
}

fn meddle(world: &World, service: &str, meddling: Meddling) {
    match meddling {
        Meddling::NoChange => world.change(service, |_| {}),
        Meddling::Label => world.change(service, |spec| spec["Labels"]["somebody"] = "else".into()),
        Meddling::Image => world.change(service, |spec| {
            let host = world.registries[0].host();
            let image = format!("{host}/acme/elsewhere:1");
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = image.into();
        }),
        Meddling::Scale => world.change(
            service,
            |spec| match spec["Mode"]["Replicated"]["Replicas"].as_u64() {
                Some(number) => spec["Mode"]["Replicated"]["Replicas"] = (number + 1).into(),
                None => spec["Labels"]["somebody"] = "else".into(),
            },
        ),
        Meddling::Remove => {
            // It may not have been there.
            let _ = world
                .sim
                .engines
                .with(|cluster, now| cluster.remove_service(now, service));
        }
    }
}
