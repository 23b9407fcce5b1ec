//! `--target`: a part of the plan.

use std::collections::BTreeSet;

use imgstack_spec::{Address, Image, ImageName, NodeName, RegistryHost, Service, Stack, StackSet};
use thiserror::Error;

use crate::{Inventory, Known};

/// A target that names nothing of the spec.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the target `{target}` is not {}", place(.target))]
pub struct TargetError {
    /// What was asked for.
    pub target: Address,
    /// The nearest address that is there.
    pub nearest: Option<String>,
}

fn place(target: &Address) -> &'static str {
    match target {
        Address::Node(_) => "a node of the Swarm",
        _ => "in the spec",
    }
}

/// Checks that every target names a service, an image or a registry of some
/// stack. Which nodes there are the spec alone does not say: see
/// [`check_target_nodes`].
///
/// # Errors
/// The first target that does not.
pub fn check_targets(targets: &[Address], set: &StackSet) -> Result<(), TargetError> {
    let known: BTreeSet<String> = set.stacks.iter().flat_map(addresses).collect();
    let targets = targets.iter().filter(|it| !matches!(it, Address::Node(_)));
    check(targets, &known)
}

/// Checks that every node among the targets is one of the cluster. Where no
/// manager answered nothing can be said, and nothing is.
///
/// # Errors
/// The first target that is not.
pub fn check_target_nodes(
    targets: &[Address],
    inventories: &[&Inventory],
) -> Result<(), TargetError> {
    let mut known = BTreeSet::new();
    for inventory in inventories {
        let Known::Known(nodes) = &inventory.nodes else {
            return Ok(());
        };
        let addresses = nodes.keys().map(|host| Address::Node(host.clone()));
        known.extend(addresses.map(|address| address.to_string()));
    }
    let targets = targets.iter().filter(|it| matches!(it, Address::Node(_)));
    check(targets, &known)
}

fn check<'a>(
    mut targets: impl Iterator<Item = &'a Address>,
    known: &BTreeSet<String>,
) -> Result<(), TargetError> {
    let strange = targets.find(|target| !known.contains(&target.to_string()));
    strange.map_or(Ok(()), |target| {
        let known = known.iter().map(String::as_str);
        let nearest = imgstack_spec::nearest(&target.to_string(), known);
        Err(TargetError {
            nearest: nearest.map(str::to_owned),
            target: target.clone(),
        })
    })
}

fn addresses(stack: &Stack) -> Vec<String> {
    let images = stack
        .images
        .iter()
        .map(|image| Address::Image(image.name.clone()));
    let services = stack
        .services
        .iter()
        .map(|service| Address::Service(service.name.clone()));
    let registries = stack.images.iter().map(|image| image.repository.host());
    let registries = registries.map(|host| Address::Registry(host.clone()));
    images
        .chain(services)
        .chain(registries)
        .map(|address| address.to_string())
        .collect()
}

/// The part of a stack that the targets, if there are any, take in.
///
/// A service takes in what it needs on nodes; a node, whatever is to be done
/// there and no service; a registry, the logins and credentials for it.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) targets: &'a [Address],
}

impl<'a> Scope<'a> {
    pub(crate) fn is_everything(self) -> bool {
        self.targets.is_empty()
    }

    /// Services that are named, or whose image is.
    pub(crate) fn services(self) -> impl Iterator<Item = &'a Service> {
        let services = self.stack.services.iter();
        services.filter(move |service| self.has_service(service))
    }

    /// Images that are named, or that a service of the scope uses, or that
    /// what else is named may hold.
    pub(crate) fn images(self) -> impl Iterator<Item = &'a Image> {
        let used: BTreeSet<&ImageName> = self.services().map(|service| &service.image).collect();
        let nodes = self.targets.iter().any(|it| matches!(it, Address::Node(_)));
        let images = self.stack.images.iter();
        images.filter(move |image| {
            nodes
                || used.contains(&image.name)
                || self.has_image(&image.name)
                || self.names_registry(image.repository.host())
        })
    }

    pub(crate) fn has_service(self, service: &Service) -> bool {
        let named =
            |target: &Address| matches!(target, Address::Service(name) if *name == service.name);
        self.has_image(&service.image) || self.targets.iter().any(named)
    }

    pub(crate) fn has_image(self, image: &ImageName) -> bool {
        let named = |target: &Address| matches!(target, Address::Image(name) if name == image);
        self.is_everything() || self.targets.iter().any(named)
    }

    pub(crate) fn has_node(self, host: &NodeName) -> bool {
        self.is_everything() || self.names_node(host)
    }

    pub(crate) fn names_node(self, host: &NodeName) -> bool {
        let named = |target: &Address| matches!(target, Address::Node(name) if name == host);
        self.targets.iter().any(named)
    }

    pub(crate) fn names_registry(self, host: &RegistryHost) -> bool {
        let named = |target: &Address| matches!(target, Address::Registry(name) if name == host);
        self.targets.iter().any(named)
    }
}
