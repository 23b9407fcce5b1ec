//! Draws a world from a seed. Most of what is drawn is common; now and then it
//! is something that people do only once.

mod spec;

use std::collections::BTreeMap;

use fastrand::Rng;
use imgstack_sim::Behaviour;
use imgstack_sim::registry::Manner;
use imgstack_sim::swarm::{NodeSetup, Role};

use crate::claims::Settings;
use crate::design::{Build, Design, History, Host, Image, Node, Runs, Service, Wants};

/// Dice with the words for them.
pub struct Dice(pub Rng);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// True that often in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(0..100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.usize(0..from.len())].clone()
    }

    /// The first whose share of a hundred is hit; the last takes the rest.
    pub fn weighted<T: Clone>(&mut self, from: &[(u32, T)]) -> T {
        let mut left = self.0.u32(0..100);
        for (share, value) in from {
            match left.checked_sub(*share) {
                None => return value.clone(),
                Some(rest) => left = rest,
            }
        }
        from[from.len() - 1].1.clone()
    }
}

/// A world whose builds are all good.
pub fn design(seed: u64, dice: &mut Dice) -> Design {
    let large = dice.chance(2);
    let mixed = dice.chance(25);
    let nodes = nodes(dice, if large { 12 } else { 6 }, mixed);
    let hosts = hosts(dice);
    let images = images(dice, &hosts, &nodes);
    let mut design = Design {
        seed,
        nodes,
        hosts,
        images,
        services: Vec::new(),
        engines: dice.chance(40),
    };
    let most = if large { 25 } else { 8 };
    let count = 1 + dice.0.usize(0..most).min(dice.0.usize(0..most));
    for number in 0..count {
        let service = service(dice, &design, number);
        design.services.push(service);
    }
    afters(dice, &mut design.services);
    // By dice of their own: worlds stay as they were before there were any.
    let mut own = Dice::of(!seed);
    for service in &mut design.services {
        service.rollout = spec::rollout(&mut own);
    }
    design
}

/// Makes the wanted build of one image a bad one.
pub fn spoil(dice: &mut Dice, design: &mut Design) {
    let index = dice.0.usize(0..design.images.len());
    let Some(wanted) = design.wanted(index) else {
        return;
    };
    let soon = u64::from(dice.0.u32(50..2500));
    let dying = |after: u64, code: i64| Behaviour {
        ends_after_ms: Some(after),
        exit_code: code,
        stderr: vec!["FATAL: no space left in the cupboard".to_owned()],
        ..Behaviour::default()
    };
    let unhealthy = Behaviour {
        unhealthy: true,
        health_after_ms: soon,
        ..Behaviour::default()
    };
    let late = u64::from(dice.0.u32(4000..90_000));
    let build = &mut design.images[index].builds[wanted];
    build.behaviour = dice.weighted(&[
        (45, dying(soon, 1)),
        (10, dying(soon, 0)),
        (25, unhealthy),
        (20, dying(late, 137)),
    ]);
    build.healthcheck |= build.behaviour.unhealthy;
}

fn nodes(dice: &mut Dice, most: usize, mixed: bool) -> Vec<Node> {
    let count = 1 + dice.0.usize(0..most);
    (0..count).map(|number| node(dice, number, mixed)).collect()
}

fn node(dice: &mut Dice, number: usize, mixed: bool) -> Node {
    let first = number == 0;
    let zone = dice.pick(&["a", "b"]);
    let setup = NodeSetup {
        hostname: format!("node-{}", number + 1),
        role: match first || dice.chance(25) {
            true => Role::Manager,
            false => Role::Worker,
        },
        labels: BTreeMap::from([("zone".to_owned(), zone.to_owned())]),
        architecture: match mixed && dice.chance(50) {
            true => "aarch64".to_owned(),
            false => "x86_64".to_owned(),
        },
        engine_version: dice
            .pick(&["20.10.24", "27.5.1", "29.6.1", "29.7.0"])
            .to_owned(),
        address: format!("10.0.0.{}", number + 1),
        bandwidth_bytes_per_s: dice.pick(&[5 << 20, 100 << 20]),
        ..NodeSetup::default()
    };
    Node {
        setup,
        availability: dice.weighted(&[(82, "active"), (9, "pause"), (9, "drain")]),
        from_the_start: dice.chance(50),
        lost: !first && dice.chance(5),
    }
}

fn hosts(dice: &mut Dice) -> Vec<Host> {
    let mut known = vec![
        ("ghcr.io", Manner::Ghcr),
        ("docker.io", Manner::Hub),
        ("registry.acme.test", Manner::Token),
        ("plain.acme.test:5000", Manner::Plain),
    ];
    dice.0.shuffle(&mut known);
    known.truncate(dice.weighted(&[(60, 1), (40, 2)]));
    let hosts = known.into_iter().map(|(name, manner)| Host {
        name,
        manner,
        // Without users nobody is asked for anything.
        login: manner != Manner::Plain && dice.chance(85),
    });
    hosts.collect()
}

fn images(dice: &mut Dice, hosts: &[Host], nodes: &[Node]) -> Vec<Image> {
    let count = dice.weighted(&[(50, 1), (30, 2), (20, 3)]);
    let images = (0..count).map(|number| {
        let host = dice.0.usize(0..hosts.len());
        let builds: Vec<Build> = (0..dice.weighted(&[(15, 1), (60, 2), (25, 3)]))
            .map(|serial| build(dice, nodes, number, serial))
            .collect();
        let any = dice.0.usize(0..builds.len());
        Image {
            name: format!("image-{number}"),
            host,
            path: format!("acme/app-{number}"),
            private: hosts[host].manner != Manner::Plain && dice.chance(50),
            wants: dice.weighted(&[
                (78, Wants::Tag),
                (10, Wants::PinnedTag(any)),
                (10, Wants::PinnedDigest(any)),
                (2, Wants::Missing),
            ]),
            builds,
        }
    });
    images.collect()
}

fn build(dice: &mut Dice, nodes: &[Node], image: usize, serial: usize) -> Build {
    let has_arm = nodes
        .iter()
        .any(|node| node.setup.architecture == "aarch64");
    let architectures = match (has_arm, dice.0.u32(0..100)) {
        (_, 0..2) => vec!["arm64"],
        (true, 2..90) => vec!["amd64", "arm64"],
        (false, 2..50) => vec!["amd64", "arm64"],
        _ => vec!["amd64"],
    };
    Build {
        sha: format!("{:07x}", image * 16 + serial + 0xabc_1000),
        architectures,
        index: dice.chance(70),
        behaviour: Behaviour {
            health_after_ms: u64::from(dice.0.u32(0..800)),
            ..Behaviour::default()
        },
        healthcheck: dice.chance(50),
    }
}

fn service(dice: &mut Dice, design: &Design, number: usize) -> Service {
    let image = dice.0.usize(0..design.images.len());
    let builds = design.images[image].builds.len();
    let any = dice.0.usize(0..builds);
    let name = dice.pick(&["web", "db_pg", "x-y"]);
    let credential = design.images[image].private || dice.chance(20);
    Service {
        name: format!("{name}-{number}"),
        image,
        spec: spec::service(dice),
        runs: dice.weighted(&[
            (50, Runs::Build(any)),
            (10, Runs::BuildByItsTag(any)),
            (8, Runs::BuildWithoutTag(any)),
            (18, Runs::BareTag),
            (7, Runs::Bare),
            (7, Runs::Elsewhere),
        ]),
        history: dice.weighted(&[
            (74, History::Calm),
            (8, History::Updated),
            (6, History::RolledBack),
            (5, History::Paused),
            (4, History::HalfWay),
            (3, History::Updating),
        ]),
        credential,
        after: Vec::new(),
        rollout: Settings::new(),
        timeout_seconds: u64::from(dice.0.u32(45..75)),
        is_there: dice.chance(98),
        in_spec: number == 0 || dice.chance(92),
    }
}

/// No cycles: whoever comes after somebody is behind in a random order.
fn afters(dice: &mut Dice, services: &mut [Service]) {
    let mut order: Vec<usize> = (0..services.len())
        .filter(|it| services[*it].in_spec)
        .collect();
    dice.0.shuffle(&mut order);
    for at in 1..order.len() {
        if !dice.chance(45) {
            continue;
        }
        let most = at.min(3);
        let count = dice.0.usize(1..=most);
        let mut before = order[..at].to_vec();
        dice.0.shuffle(&mut before);
        before.truncate(count);
        services[order[at]].after = before;
    }
}
