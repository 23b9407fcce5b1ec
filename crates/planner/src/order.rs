//! The order of services: `after`, then file order within an image.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{ImageName, Service, ServiceName, Stack};

/// For each service, those that come directly before it: what it names in
/// `after`, and, if it names nothing, the previous service of the same image
/// that names nothing either (design, spec: "one at a time in file order").
pub(crate) fn predecessors(stack: &Stack) -> BTreeMap<&ServiceName, Vec<&ServiceName>> {
    let mut last_of_image: BTreeMap<&ImageName, &ServiceName> = BTreeMap::new();
    let mut result = BTreeMap::new();
    for service in &stack.services {
        let before = if service.after.is_empty() {
            let previous = last_of_image.insert(&service.image, &service.name);
            previous.into_iter().collect()
        } else {
            service.after.iter().collect()
        };
        result.insert(&service.name, before);
    }
    result
}

/// The services in rollout order: predecessors first, otherwise as in the
/// file. Reading the spec refuses cycles; should one come out of a plan file
/// that was edited by hand, its members follow in file order.
pub(crate) fn rollout_order<'a>(
    stack: &'a Stack,
    predecessors: &BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
) -> Vec<&'a Service> {
    let index: BTreeMap<&ServiceName, usize> = stack
        .services
        .iter()
        .enumerate()
        .map(|(index, service)| (&service.name, index))
        .collect();
    let mut missing = vec![0_usize; stack.services.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); stack.services.len()];
    for (&name, before) in predecessors {
        let (Some(&this), unique) = (index.get(name), before.iter().collect::<BTreeSet<_>>())
        else {
            continue;
        };
        for other in unique.into_iter().filter_map(|name| index.get(name)) {
            missing[this] += 1;
            followers[*other].push(this);
        }
    }
    let mut ready: BTreeSet<usize> = (0..missing.len()).filter(|&i| missing[i] == 0).collect();
    let mut waiting: BTreeSet<usize> = (0..missing.len()).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(next) = ready.pop_first().or_else(|| waiting.first().copied()) {
        if !waiting.remove(&next) {
            continue;
        }
        order.push(&stack.services[next]);
        for &follower in &followers[next] {
            missing[follower] = missing[follower].saturating_sub(1);
            if missing[follower] == 0 {
                ready.insert(follower);
            }
        }
    }
    order
}

/// The services in rollout order, each with those that come directly before it,
/// as the spec alone has it.
#[must_use]
pub fn service_order(stack: &Stack) -> Vec<(&Service, Vec<&ServiceName>)> {
    let mut before = predecessors(stack);
    let order = rollout_order(stack, &before);
    let with_before = order.into_iter().map(|service| {
        let before = before.remove(&service.name).unwrap_or_default();
        (service, before)
    });
    with_before.collect()
}

/// The nearest predecessors of `service` that satisfy `keep`, looking through
/// those that do not: if A is after B and B is after C, and B needs no step,
/// A still comes after C.
pub(crate) fn nearest<'a>(
    service: &ServiceName,
    predecessors: &BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
    keep: &BTreeSet<&ServiceName>,
) -> BTreeSet<&'a ServiceName> {
    let mut found = BTreeSet::new();
    let mut visited = BTreeSet::new();
    let mut open: Vec<&ServiceName> = predecessors.get(service).cloned().unwrap_or_default();
    while let Some(name) = open.pop() {
        if !visited.insert(name) {
            continue;
        }
        if keep.contains(name) {
            found.insert(name);
        } else if let Some(before) = predecessors.get(name) {
            open.extend(before);
        }
    }
    found
}
