//! The two sets, with what is looked up in them.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Image, ImageName, Service, ServiceName, Stack, StackSet};

use crate::order::service_order;

/// So many services are named in a sentence.
const NAMED: usize = 3;

/// The two sets. Names of images and services are unique over each.
pub(super) struct Sides<'a> {
    pub(super) old: Side<'a>,
    pub(super) new: Side<'a>,
}

/// One set.
pub(super) struct Side<'a> {
    pub(super) images: BTreeMap<&'a ImageName, (&'a Stack, &'a Image)>,
    pub(super) services: BTreeMap<&'a ServiceName, (&'a Stack, &'a Service)>,
    users: BTreeMap<&'a ImageName, Users>,
}

/// The services of an image, in rollout order.
#[derive(Clone, Default)]
pub(super) struct Users {
    pub(super) names: Vec<ServiceName>,
    /// Whether each comes after the one before it.
    is_chain: bool,
}

impl<'a> Sides<'a> {
    pub(super) fn of(old: &'a StackSet, new: &'a StackSet) -> Self {
        Self {
            old: Side::of(old),
            new: Side::of(new),
        }
    }

    /// The services that have the image in both sets: for one that comes to it,
    /// its own change tells.
    pub(super) fn users(&self, image: &ImageName) -> Users {
        let had = |name: &ServiceName| {
            let before = self.old.services.get(name);
            before.is_some_and(|(_, service)| service.image == *image)
        };
        let users = self.new.users(image);
        Users {
            names: users.names.into_iter().filter(had).collect(),
            ..users
        }
    }
}

impl<'a> Side<'a> {
    fn of(set: &'a StackSet) -> Self {
        let images = set.stacks.iter().flat_map(|stack| {
            let images = stack.images.iter();
            images.map(move |image| (&image.name, (stack, image)))
        });
        let services = set.stacks.iter().flat_map(|stack| {
            let services = stack.services.iter();
            services.map(move |service| (&service.name, (stack, service)))
        });
        Self {
            images: images.collect(),
            services: services.collect(),
            users: set.stacks.iter().flat_map(users).collect(),
        }
    }

    pub(super) fn image(&self, name: &ImageName) -> Option<&'a Image> {
        self.images.get(name).map(|(_, image)| *image)
    }

    pub(super) fn users(&self, image: &ImageName) -> Users {
        self.users.get(image).cloned().unwrap_or_default()
    }
}

fn users(stack: &Stack) -> BTreeMap<&ImageName, Users> {
    let order = service_order(stack);
    let before = order
        .iter()
        .map(|(service, before)| (&service.name, before.clone()));
    let before: BTreeMap<&ServiceName, Vec<&ServiceName>> = before.collect();
    let mut users: BTreeMap<&ImageName, Users> = BTreeMap::new();
    for (service, _) in order {
        let known = users.entry(&service.image).or_insert_with(|| Users {
            names: Vec::new(),
            is_chain: true,
        });
        known.is_chain = known.is_chain
            && known
                .names
                .last()
                .is_none_or(|last| comes_after(&service.name, last, &before));
        known.names.push(service.name.clone());
    }
    users
}

fn comes_after(
    service: &ServiceName,
    other: &ServiceName,
    before: &BTreeMap<&ServiceName, Vec<&ServiceName>>,
) -> bool {
    let (mut left, mut seen) = (vec![service], BTreeSet::new());
    while let Some(name) = left.pop() {
        if name == other {
            return true;
        }
        if seen.insert(name) {
            left.extend(before.get(name).into_iter().flatten().copied());
        }
    }
    false
}

impl Users {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// `service.a, service.b, service.c and 5 more`
    pub(super) fn named(&self) -> String {
        let names: Vec<_> = self
            .names
            .iter()
            .map(|it| format!("service.{it}"))
            .collect();
        match names.as_slice() {
            [] => "no service".to_owned(),
            [one] => one.clone(),
            all if all.len() <= NAMED => {
                let (last, first) = (&all[all.len() - 1], &all[..all.len() - 1]);
                format!("{} and {last}", first.join(", "))
            }
            all => format!("{} and {} more", all[..NAMED].join(", "), all.len() - NAMED),
        }
    }

    /// `restarts the tasks of service.a and service.b, one service after another`
    pub(super) fn restarts(&self) -> String {
        let how = match (self.names.len(), self.is_chain) {
            (0 | 1, _) => "",
            (_, true) => ", one service after another",
            (_, false) => ", in the order that `after` gives",
        };
        format!("restarts the tasks of {}{how}", self.named())
    }
}
