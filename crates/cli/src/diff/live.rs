//! What the newer spec makes of the cluster that the older one does not.
//!
//! Both plans are made of one look at the world, as far as both specs have to
//! know the same: what differs then is the spec, and not the time. A build that
//! only one of them asks for is looked up for that one.

use std::collections::BTreeSet;

use imgstack_observer::Details;
use imgstack_planner::spec_diff::Beyond;
use imgstack_planner::{Inventory, Known, Only, Options, StackPlan};
use imgstack_spec::{Repository, Stack, StackSet};

use crate::args::WidthArgs;
use crate::problem::Problem;
use crate::world;

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
    let now = world::observe_all(connected, Details::WhereNeeded, Only::Everything, width).await;
    for seen in &now {
        if let Err(trouble) = &seen.connected.manager {
            return Err(Problem::Manager {
                stack: seen.connected.stack.name.clone(),
                trouble: trouble.clone(),
            });
        }
    }
    let mut then = world::observe_all(of_old, Details::WhereNeeded, Only::Everything, width).await;
    for seen in &mut then {
        let name = &seen.connected.stack.name;
        if let Some(same) = now.iter().find(|it| &it.connected.stack.name == name) {
            let stacks = (&seen.connected.stack, &same.connected.stack);
            adopt(stacks, &mut seen.inventory, &same.inventory);
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
fn adopt((was, is): (&Stack, &Stack), own: &mut Inventory, seen: &Inventory) {
    if was.endpoint != is.endpoint {
        return;
    }
    own.observed_at = seen.observed_at;
    own.cluster.clone_from(&seen.cluster);
    own.service_names.clone_from(&seen.service_names);
    own.references.clone_from(&seen.references);
    own.leftovers.clone_from(&seen.leftovers);
    own.history.clone_from(&seen.history);
    own.builds.extend(seen.builds.clone());
    services(own, seen);
    for (name, leads) in &mut own.leaders {
        let asks = [was, is].map(|stack| stack.service(name).map(|it| &it.last_if));
        if let (true, Some(same)) = (asks[0] == asks[1], seen.leaders.get(name)) {
            leads.clone_from(same);
        }
    }
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

#[cfg(test)]
mod tests {
    use imgstack_spec::{Input, read};
    use serde_json::json;

    use super::*;

    fn stack(tag: &str, more: &str) -> Stack {
        let text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: s}}\nspec:\n  \
             {more}\n  images:\n    - {{name: a, repository: r.test/a, tag: '{tag}'}}\n    \
             - {{name: b, repository: r.test/b, tag: '1'}}\n"
        );
        read(&[Input::new("a", text)]).unwrap().stacks.remove(0)
    }

    /// As it was seen by `observer`, with a digest of that number.
    fn seen(second: u32, tag: &str) -> Inventory {
        let digest = format!("sha256:{second:064}");
        let image = |name: &str, tag: &str| {
            json!({
                "reference": format!("r.test/{name}:{tag}"),
                "digest": {"present": digest},
            })
        };
        let service = json!({"image": digest});
        serde_json::from_value(json!({
            "observedAt": format!("2026-02-06T12:00:{second:02}Z"),
            "cluster": {"known": "c"}, "endpoint": "e", "observer": "o",
            "images": {"a": image("a", tag), "b": image("b", "1")},
            "builds": {}, "freshness": {}, "services": {"known": {}}, "serviceNames": [],
            "leftovers": {}, "nodes": {"unknown": {"why": digest, "hint": null}},
            "references": {"x": service}, "wantedElsewhere": {}, "credentials": {}, "warnings": [],
            "history": {"unknown": {"why": digest, "hint": null}},
        }))
        .unwrap()
    }

    #[test]
    fn what_both_specs_need_is_of_one_look() {
        let (old, new) = (seen(1, "16"), seen(2, "17"));
        let adopted = |was: &Stack, is: &Stack| {
            let mut own = old.clone();
            adopt((was, is), &mut own, &new);
            own
        };
        let (was, is) = (stack("16", ""), stack("17", ""));
        let own = adopted(&was, &is);
        assert_eq!(own.observed_at, new.observed_at);
        assert_eq!((&own.references, &own.nodes), (&new.references, &new.nodes));
        let names = ["a", "b"].map(|name| name.parse().unwrap());
        // The one that only the older spec asks for so was looked up for that.
        assert_eq!(own.images[&names[0]], old.images[&names[0]]);
        assert_eq!(own.images[&names[1]], new.images[&names[1]]);
        // What is asked of nodes is not the same.
        let nodes = stack("17", "nodes: [{name: n, minimumFreeDisk: 1GiB}]");
        assert_eq!(adopted(&was, &nodes).nodes, old.nodes);
        let elsewhere = stack("16", "swarm: {endpoint: 'ssh://root@m2'}");
        assert_eq!(adopted(&was, &elsewhere), old);
    }
}
