//! `--target`: a part of the plan.

use std::collections::BTreeSet;

use imgstack_spec::{Address, Stack, StackSet};
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

/// Whether the targets, if there are any, take this service in: by its own
/// name or by its image's.
pub(crate) fn includes(targets: &[Address], service: &imgstack_spec::Service) -> bool {
    targets.is_empty()
        || targets.iter().any(|target| match target {
            Address::Service(name) => name == &service.name,
            Address::Image(name) => name == &service.image,
            Address::Node(_) | Address::Registry(_) | Address::Swarm => false,
        })
}
