//! Whether the nodes can run the wanted build, and what the scheduler is told.

use std::collections::BTreeSet;

use imgstack_spec::{Address, ImageRef, NodeName, Platform};

use crate::inventory::ObservedService;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::{Build, Change, Inventory, Known};

/// `Placement.Platforms` after the image changed: they follow it where the
/// service has any (docker's own client writes them); a service without stays
/// without.
pub(crate) fn follow(
    observed: &ObservedService,
    wanted: &ImageRef,
    inventory: &Inventory,
) -> Option<Change<Vec<Platform>>> {
    let to = as_swarm_has_them(inventory.build(wanted.digest.as_ref()?)?);
    let differ = |to: &Vec<Platform>| {
        let set = |list: &[Platform]| list.iter().cloned().collect::<BTreeSet<_>>();
        !observed.platforms.is_empty() && set(&observed.platforms) != set(to)
    };
    Some(to).filter(differ).map(|to| Change {
        from: observed.platforms.clone(),
        to,
    })
}

/// Swarm's platforms have no variant, and leave the architecture of 32-bit ARM
/// open: nodes call it `armv7l`, which no image does (swarmkit issue 2294).
fn as_swarm_has_them(build: &Build) -> Vec<Platform> {
    let mut platforms = Vec::new();
    for platform in &build.platforms {
        let architecture = match platform.architecture.as_str() {
            "arm" => String::new(),
            other => other.to_owned(),
        };
        let platform = Platform {
            os: platform.os.clone(),
            architecture,
            variant: None,
        };
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
}

/// Warnings where a node that runs the service now could not run the wanted
/// build.
///
/// # Errors
/// The finding that blocks: no node could, or what the build runs on is not
/// known.
pub(crate) fn judge(
    address: &Address,
    observed: &ObservedService,
    wanted: &ImageRef,
    inventory: &Inventory,
) -> Result<Vec<Finding>, Box<Finding>> {
    let digest = wanted.digest.as_ref();
    let build = match digest.and_then(|digest| inventory.builds.get(digest)) {
        Some(Known::Known(build)) => build,
        Some(Known::Unknown(trouble)) => {
            return Err(Box::new(Finding {
                hint: trouble.hint.clone(),
                ..finding(
                    Severity::Blocked,
                    Code::ImageUnknown,
                    address,
                    format!(
                        "what the wanted build holds could not be read: {}",
                        trouble.why
                    ),
                )
            }));
        }
        None => return Ok(Vec::new()),
    };
    let Known::Known(nodes) = &inventory.nodes else {
        return Ok(Vec::new());
    };
    let placed = as_swarm_has_them(build);
    let fits = |node: &Platform| {
        let placeable = observed.platforms.is_empty() || lets(&placed, node);
        build.platforms.is_empty()
            || placeable && build.platforms.iter().any(|made| made.runs_on(node))
    };
    let mut usable = nodes.values().filter(|node| node.takes_tasks()).peekable();
    if usable.peek().is_some() && !usable.any(|node| fits(&node.platform)) {
        return Err(Box::new(nowhere(address, build)));
    }
    let hosts: BTreeSet<&NodeName> = observed
        .tasks
        .iter()
        .filter_map(|t| t.node.as_ref())
        .collect();
    let hosts = hosts
        .into_iter()
        .filter_map(|host| Some((host, &nodes.get(host)?.platform)));
    let unfit = hosts.filter(|(_, platform)| !fits(platform));
    Ok(unfit
        .map(|(host, platform)| elsewhere(address, host, platform))
        .collect())
}

/// Whether the scheduler lets a service with those `Placement.Platforms` onto a
/// node: unlike the node, it has no 386 run on amd64.
fn lets(platforms: &[Platform], node: &Platform) -> bool {
    let open = |it: &Platform| it.architecture.is_empty() || it.architecture == node.architecture;
    platforms.iter().any(|it| it.os == node.os && open(it))
}

fn nowhere(address: &Address, build: &Build) -> Finding {
    let names: Vec<String> = build.platforms.iter().map(ToString::to_string).collect();
    Finding {
        hint: Some("add the platform to the build".to_owned()),
        ..finding(
            Severity::Blocked,
            Code::PlatformMissing,
            address,
            format!(
                "the wanted build has nothing for the platform of any node; it has {}",
                names.join(", ")
            ),
        )
    }
}

fn elsewhere(address: &Address, host: &NodeName, platform: &Platform) -> Finding {
    Finding {
        hint: Some("add the platform to the build, or expect the task to move".to_owned()),
        ..finding(
            Severity::Attention,
            Code::PlatformMissing,
            address,
            format!("the wanted build has nothing for {platform}, which {host} is"),
        )
    }
}
