//! `after`: no service may wait for itself, directly or through others.

use std::collections::BTreeMap;

use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::Service;
use crate::section::Context;
use crate::source::Span;

/// How many members of a cycle are written out.
const WRITTEN: usize = 8;

/// Who waits for whom: for each service its `after`, as indices, with places.
/// What is not defined or stands twice is left out.
type Waits = Vec<BTreeMap<usize, Span>>;

pub(super) fn check(services: &[Service], context: &mut Context<'_>) {
    let names: Vec<&str> = services
        .iter()
        .map(|service| service.name.as_ref().map_or("", |name| &name.value))
        .collect();
    let mut waits = waits(services, &names);
    while !context.findings.is_full() {
        let left = without_order(&waits);
        let Some(cycle) = left.and_then(|left| cycle(&waits, &left)) else {
            break;
        };
        context.findings.push(finding(&cycle, &names, &waits));
        for member in cycle {
            waits[member].clear();
        }
    }
}

fn waits(services: &[Service], names: &[&str]) -> Waits {
    let mut index = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        index.entry(*name).or_insert(at);
    }
    let after = |service: &Service| {
        let list = service.after.iter().flat_map(|list| &list.value);
        list.filter_map(|text| Some((*index.get(text.value.as_str())?, text.span)))
            .collect()
    };
    services.iter().map(after).collect()
}

/// Takes away, again and again, the services that wait for nobody; true for
/// those that remain. None when all can be ordered.
fn without_order(waits: &Waits) -> Option<Vec<bool>> {
    let mut missing: Vec<usize> = waits.iter().map(BTreeMap::len).collect();
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); waits.len()];
    for (service, after) in waits.iter().enumerate() {
        for first in after.keys() {
            waiting[*first].push(service);
        }
    }
    let mut ready: Vec<usize> = (0..waits.len()).filter(|at| missing[*at] == 0).collect();
    let mut ordered = 0;
    while let Some(service) = ready.pop() {
        ordered += 1;
        for next in &waiting[service] {
            missing[*next] -= 1;
            if missing[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    (ordered < waits.len()).then(|| missing.iter().map(|count| *count > 0).collect())
}

/// A cycle, from its first member in the file. Everyone who remains waits for
/// somebody who remains, so that following the waits comes round.
fn cycle(waits: &Waits, left: &[bool]) -> Option<Vec<usize>> {
    let mut at = left.iter().position(|left| *left)?;
    let mut step = vec![None; waits.len()];
    let mut path = Vec::new();
    while step[at].is_none() {
        step[at] = Some(path.len());
        path.push(at);
        at = *waits[at].keys().find(|next| left[**next])?;
    }
    let mut cycle = path.split_off(step[at]?);
    let first = (0..cycle.len()).min_by_key(|index| cycle[*index])?;
    cycle.rotate_left(first);
    Some(cycle)
}

fn finding(cycle: &[usize], names: &[&str], waits: &Waits) -> Finding {
    let name = |at: usize| quoted(names[at]);
    let next = |index: usize| cycle[(index + 1) % cycle.len()];
    let message = match cycle {
        [only] => format!("service {} is `after` itself", name(*only)),
        _ if cycle.len() <= WRITTEN => {
            let round: Vec<_> = cycle
                .iter()
                .chain(cycle.first())
                .map(|at| name(*at))
                .collect();
            format!("services wait for each other: {}", round.join(" → "))
        }
        _ => {
            let start: Vec<_> = cycle[..WRITTEN].iter().map(|at| name(*at)).collect();
            let count = cycle.len();
            format!(
                "{count} services wait for each other: {} → …",
                start.join(" → ")
            )
        }
    };
    let mut finding = Finding::new(Kind::Cycle, message);
    for (index, at) in cycle.iter().enumerate().take(WRITTEN) {
        let label = match cycle.len() {
            1 => "itself".to_owned(),
            _ => format!("{} waits for {}", name(*at), name(next(index))),
        };
        if let Some(span) = waits[*at].get(&next(index)) {
            finding = finding.at(*span, label);
        }
    }
    finding.help(match cycle.len() {
        1 => "remove it from `after`",
        _ => "remove one of these from its `after`",
    })
}
