//! `--target`: a part of the plan.

use std::collections::BTreeSet;

use imgstack_spec::{Address, Image, ImageName, Service, Stack, StackSet};
use thiserror::Error;

/// A target that names nothing of the spec.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the target `{target}` is not in the spec")]
pub struct TargetError {
    /// What was asked for.
    pub target: Address,
    /// The nearest address that is there.
    pub nearest: Option<String>,
}

/// Checks that every target names a service or an image of some stack.
///
/// # Errors
/// The first target that does not.
pub fn check_targets(targets: &[Address], set: &StackSet) -> Result<(), TargetError> {
    let known: BTreeSet<String> = set.stacks.iter().flat_map(addresses).collect();
    let strange = |target: &&Address| !known.contains(&target.to_string());
    match targets.iter().find(strange) {
        None => Ok(()),
        Some(target) => Err(TargetError {
            nearest: imgstack_spec::nearest(&target.to_string(), known.iter().map(String::as_str))
                .map(str::to_owned),
            target: target.clone(),
        }),
    }
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
    images
        .chain(services)
        .map(|address| address.to_string())
        .collect()
}

/// The part of a stack that the targets, if there are any, take in.
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

    /// Images that are named, or that a service of the scope uses.
    pub(crate) fn images(self) -> impl Iterator<Item = &'a Image> {
        let used: BTreeSet<&ImageName> = self.services().map(|service| &service.image).collect();
        let images = self.stack.images.iter();
        images.filter(move |image| used.contains(&image.name) || self.names(&image.name))
    }

    pub(crate) fn has_service(self, service: &Service) -> bool {
        let named =
            |target: &Address| matches!(target, Address::Service(name) if *name == service.name);
        self.names(&service.image) || self.targets.iter().any(named)
    }

    fn names(self, image: &ImageName) -> bool {
        let named = |target: &Address| matches!(target, Address::Image(name) if name == image);
        self.is_everything() || self.targets.iter().any(named)
    }
}
