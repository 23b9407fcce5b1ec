//! What the newer spec makes of the cluster that the older one does not.
//!
//! Both plans are made of one look at the world, as far as both specs have to
//! know the same: what differs then is the spec, and not the time. A build that
//! only one of them asks for is looked up for that one.

use std::collections::BTreeSet;

use imgstack_observer::Details;
use imgstack_planner::spec_diff::Beyond;
use imgstack_planner::{Inventory, Known, Options, StackPlan};
use imgstack_spec::{Repository, Stack, StackSet};

use crate::args::WidthArgs;
use crate::problem::Problem;
use crate::world::{self, Seen};

/// Plans both, and takes the one from the other, for each stack of the newer
/// spec.
pub(crate) async fn beyond(
    old: &StackSet,
    new: &StackSet,
    width: WidthArgs,
) -> Result<Vec<Beyond>, Problem> {
    // Side by side in one list, stacks share managers and registries.
    let stacks = new.stacks.iter().chain(&old.stacks).cloned().collect();
    let mut connected = world::connect_all(&StackSet { stacks }).await?;
    let of_old = connected.split_off(new.stacks.len());
    // Each half by itself: what the older spec wants is not another stack's.
    let now = world::observe_all(connected, Details::WhereNeeded, width).await;
    for seen in &now {
        if let Err(trouble) = &seen.connected.manager {
            return Err(Problem::Manager {
                stack: seen.connected.stack.name.clone(),
                trouble: trouble.clone(),
            });
        }
    }
    let mut then = world::observe_all(of_old, Details::WhereNeeded, width).await;
    for seen in &mut then {
        let name = &seen.connected.stack.name;
        if let Some(same) = now.iter().find(|it| &it.connected.stack.name == name) {
            adopt(seen, same);
        }
    }
    let options = Options::default();
    let plans: Vec<StackPlan> = then.iter().map(|it| it.plan(&options)).collect();
    let both = now.iter().map(|seen| {
        let plan = seen.plan(&options);
        let before = plans.iter().find(|it| it.stack.name == plan.stack.name);
        Beyond::of(before, &plan, seen.inventory.observed_at)
    });
    Ok(both.collect())
}

/// Puts what was seen for the newer spec into what was seen for the older one,
/// where both have to know the same.
fn adopt(old: &mut Seen, new: &Seen) {
    let (was, is) = (&old.connected.stack, &new.connected.stack);
    if was.endpoint != is.endpoint {
        return;
    }
    let seen = &new.inventory;
    let own = &mut old.inventory;
    own.observed_at = seen.observed_at;
    own.cluster.clone_from(&seen.cluster);
    own.service_names.clone_from(&seen.service_names);
    own.references.clone_from(&seen.references);
    own.leftovers.clone_from(&seen.leftovers);
    own.builds.extend(seen.builds.clone());
    services(own, seen);
    images(was, is, own, seen);
    if was.nodes == is.nodes
        && repositories(was) == repositories(is)
        && was.registries == is.registries
    {
        own.nodes.clone_from(&seen.nodes);
    }
    if was.registries == is.registries {
        let credentials = seen.credentials.clone().into_iter();
        let known = credentials.filter(|(host, _)| own.credentials.contains_key(host));
        let known: Vec<_> = known.collect();
        own.credentials.extend(known);
    }
}

fn services(own: &mut Inventory, seen: &Inventory) {
    let Known::Known(now) = &seen.services else {
        own.services.clone_from(&seen.services);
        return;
    };
    let Known::Known(then) = &mut own.services else {
        return;
    };
    for (name, service) in then {
        if let Some(same) = now.get(name) {
            service.clone_from(same);
        }
    }
}

fn images(was: &Stack, is: &Stack, own: &mut Inventory, seen: &Inventory) {
    let same = was
        .images
        .iter()
        .filter(|image| is.image(&image.name) == Some(image));
    for image in same {
        if let Some(found) = seen.images.get(&image.name) {
            own.images.insert(image.name.clone(), found.clone());
        }
        if let Some(found) = seen.freshness.get(&image.name) {
            own.freshness.insert(image.name.clone(), found.clone());
        }
    }
}

/// What nodes are asked of depends on them.
fn repositories(stack: &Stack) -> BTreeSet<&Repository> {
    stack.images.iter().map(|image| &image.repository).collect()
}
