//! The order that a spec asks for, worked out in the plainest way there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::design::Design;

/// For each service of the spec all that must be done before it: what it names
/// in `after`, and else the one before it in the file with the same image that
/// names nothing either; and whatever comes before those.
pub fn before(design: &Design) -> BTreeMap<String, BTreeSet<String>> {
    closure(design, direct(design, true))
}

/// The same by `after` alone: what a blocked service holds back.
pub fn after(design: &Design) -> BTreeMap<String, BTreeSet<String>> {
    closure(design, direct(design, false))
}

fn direct(design: &Design, by_file: bool) -> Vec<BTreeSet<usize>> {
    let services = &design.services;
    let mut direct = vec![BTreeSet::new(); services.len()];
    for (this, service) in services.iter().enumerate() {
        if !service.after.is_empty() {
            direct[this].extend(service.after.iter().copied());
        } else if by_file && service.in_spec {
            let earlier = (0..this).rev().find(|it| {
                let other = &services[*it];
                other.in_spec && other.image == service.image && other.after.is_empty()
            });
            direct[this].extend(earlier);
        }
    }
    direct
}

fn closure(design: &Design, direct: Vec<BTreeSet<usize>>) -> BTreeMap<String, BTreeSet<String>> {
    let name = |index: usize| design.services[index].name.clone();
    let all = |this: usize| {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = direct[this].iter().copied().collect();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(&direct[next]);
            }
        }
        found.into_iter().map(name).collect()
    };
    (0..direct.len())
        .map(|this| (name(this), all(this)))
        .collect()
}
