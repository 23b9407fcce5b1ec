//! The order of services: `after`, then file order within an image, and the
//! leader of a group last.
//!
//! Executing asks for it again when another service leads than did when the
//! plan was made, so that both put the services into one and the same order.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{ImageName, Service, ServiceName, Stack};

use crate::leader::members;

/// What comes directly before each service.
pub(crate) struct Precedence<'a> {
    stack: &'a Stack,
    /// What it names in `after`, as far as that holds.
    by_name: BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
    /// If it names nothing, the previous service of the same image that names
    /// nothing either (design, spec: "one at a time in file order").
    by_place: BTreeMap<&'a ServiceName, &'a ServiceName>,
    /// The other services of a leader's group.
    before_leader: BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
    /// What does not hold, or a leader would not be the last.
    pub(crate) set_aside: Vec<SetAside<'a>>,
}

/// An entry of `after` that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetAside<'a> {
    /// Whose it is.
    pub(crate) service: &'a ServiceName,
    /// What it names.
    pub(crate) named: &'a ServiceName,
    /// The leader, which comes before what it names, or is it.
    pub(crate) leader: &'a ServiceName,
}

/// A service that is to be brought to another image, and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The service.
    pub service: ServiceName,
    /// Those that must have succeeded first.
    pub after: Vec<ServiceName>,
    /// Those that come first by their place in the file alone.
    pub follows: Vec<ServiceName>,
}

/// The order of the services that are to be brought to another image, where
/// these lead, at most one of the services of each image. Pure, as a plan is.
#[must_use]
pub fn arrange(
    stack: &Stack,
    leaders: &BTreeMap<ImageName, ServiceName>,
    moving: &BTreeSet<ServiceName>,
) -> Vec<Place> {
    let leaders = leaders.values().filter_map(|name| stack.service(name));
    let precedence = Precedence::of(stack, leaders.map(|it| &it.name).collect());
    let services = precedence.rollout_order().into_iter();
    let services = services.filter(|service| moving.contains(&service.name));
    let moving: BTreeSet<&ServiceName> = moving.iter().collect();
    let owned = |names: BTreeSet<&ServiceName>| names.into_iter().cloned().collect();
    services
        .map(|service| {
            let (after, follows) = precedence.nearest(&service.name, &moving);
            Place {
                service: service.name.clone(),
                after: owned(after),
                follows: owned(follows),
            }
        })
        .collect()
}

/// The services in rollout order, each with those that come directly before it,
/// as the spec alone has it: who leads, only the cluster knows.
#[must_use]
pub fn service_order(stack: &Stack) -> Vec<(&Service, Vec<&ServiceName>)> {
    let precedence = Precedence::of(stack, BTreeSet::new());
    let order = precedence.rollout_order().into_iter();
    let with_before = order.map(|service| (service, precedence.before(&service.name).collect()));
    with_before.collect()
}

impl<'a> Precedence<'a> {
    /// `leaders` go last of their groups.
    pub(crate) fn of(stack: &'a Stack, leaders: BTreeSet<&'a ServiceName>) -> Self {
        let named = |service: &'a Service| (&service.name, service.after.iter().collect());
        let mut precedence = Self {
            stack,
            by_name: stack.services.iter().map(named).collect(),
            by_place: BTreeMap::new(),
            before_leader: BTreeMap::new(),
            set_aside: Vec::new(),
        };
        // In file order, each against what the ones before it have come to: the
        // leaders of two images might wait for each other otherwise.
        for leader in &stack.services {
            if leaders.contains(&leader.name) {
                precedence.put_last(leader);
            }
        }
        precedence.put_in_file_order(&leaders);
        precedence
    }

    /// No other service of the leader's group waits for it any more, by whatever
    /// way; what named it takes over what it waits for itself.
    fn put_last(&mut self, leader: &'a Service) {
        let group: BTreeSet<&ServiceName> = members(self.stack, &leader.image)
            .map(|service| &service.name)
            .filter(|name| **name != leader.name)
            .collect();
        let own = self.by_name.get(&leader.name).cloned().unwrap_or_default();
        for service in &group {
            let named = self.by_name.get(service).cloned().unwrap_or_default();
            let (aside, mut kept): (Vec<_>, Vec<_>) = named
                .into_iter()
                .partition(|name| self.leads_to(name, &leader.name, &group));
            if aside.is_empty() {
                continue;
            }
            for name in &own {
                if !kept.contains(name) {
                    kept.push(name);
                }
            }
            self.set_aside
                .extend(aside.into_iter().map(|named| SetAside {
                    service,
                    named,
                    leader: &leader.name,
                }));
            self.by_name.insert(service, kept);
        }
        let group = group.into_iter().collect();
        self.before_leader.insert(&leader.name, group);
    }

    /// Whether a service waits for the leader. What a service of the group waits
    /// for is looked at on its own.
    fn leads_to(
        &self,
        from: &'a ServiceName,
        leader: &ServiceName,
        group: &BTreeSet<&ServiceName>,
    ) -> bool {
        let mut visited = BTreeSet::new();
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            if name == leader {
                return true;
            }
            if !group.contains(name) && visited.insert(name) {
                open.extend(self.waits_for(name));
            }
        }
        false
    }

    /// Services of one image that name nothing go one at a time, as they stand
    /// in the file; a leader as if it stood at its end.
    fn put_in_file_order(&mut self, leaders: &BTreeSet<&'a ServiceName>) {
        let mut last_of_image: BTreeMap<&ImageName, &ServiceName> = BTreeMap::new();
        let is_leader = |service: &&Service| leaders.contains(&service.name);
        let (last, others): (Vec<_>, Vec<_>) = self.stack.services.iter().partition(is_leader);
        for service in others.into_iter().chain(last) {
            let names_nothing = self
                .by_name
                .get(&service.name)
                .is_none_or(|names| names.is_empty());
            if !names_nothing {
                continue;
            }
            let previous = last_of_image.insert(&service.image, &service.name);
            if let Some(previous) = previous {
                self.by_place.insert(&service.name, previous);
            }
        }
    }

    /// What it must not go without: what the spec names, as far as it holds,
    /// and of a leader the others of its group.
    pub(crate) fn waits_for(&self, service: &ServiceName) -> impl Iterator<Item = &'a ServiceName> {
        let named = self.by_name.get(service).into_iter().flatten();
        let group = self.before_leader.get(service).into_iter().flatten();
        named.chain(group).copied()
    }

    fn before(&self, service: &ServiceName) -> impl Iterator<Item = &'a ServiceName> {
        let place = self.by_place.get(service).copied();
        self.waits_for(service).chain(place)
    }

    /// The services in rollout order: predecessors first, otherwise as in the
    /// file. Reading the spec refuses cycles; should one come out of a plan file
    /// that was edited by hand, its members follow in file order.
    pub(crate) fn rollout_order(&self) -> Vec<&'a Service> {
        let services = &self.stack.services;
        let index: BTreeMap<&ServiceName, usize> = services
            .iter()
            .enumerate()
            .map(|(index, service)| (&service.name, index))
            .collect();
        let mut missing = vec![0_usize; services.len()];
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); services.len()];
        for (&name, &this) in &index {
            let before: BTreeSet<_> = self.before(name).collect();
            for other in before.into_iter().filter_map(|name| index.get(name)) {
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
            order.push(&services[next]);
            for &follower in &followers[next] {
                missing[follower] = missing[follower].saturating_sub(1);
                if missing[follower] == 0 {
                    ready.insert(follower);
                }
            }
        }
        order
    }

    /// The nearest predecessors that are in `keep`, looking through those that
    /// are not: if A is after B and B is after C, and B needs no step, A still
    /// comes after C. First those that it must not go without, then those that
    /// only come first by their place in the file.
    pub(crate) fn nearest(
        &self,
        service: &ServiceName,
        keep: &BTreeSet<&ServiceName>,
    ) -> (BTreeSet<&'a ServiceName>, BTreeSet<&'a ServiceName>) {
        let after = self.nearest_of(self.waits_for(service).collect(), keep);
        let place = self.by_place.get(service).copied();
        let follows = self.nearest_of(place.into_iter().collect(), keep);
        let follows = follows.difference(&after).copied().collect();
        (after, follows)
    }

    fn nearest_of(
        &self,
        mut open: Vec<&'a ServiceName>,
        keep: &BTreeSet<&ServiceName>,
    ) -> BTreeSet<&'a ServiceName> {
        let mut found = BTreeSet::new();
        let mut visited = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !visited.insert(name) {
                continue;
            }
            if keep.contains(name) {
                found.insert(name);
            } else {
                open.extend(self.before(name));
            }
        }
        found
    }
}
