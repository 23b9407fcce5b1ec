//! A stack, with all that is in it.

use imgstack_spec::{Address, Stack};

use super::change::{Act, Change, Effect, Meaning, Said, Subject};
use super::sides::Sides;
use super::{image, node, order, registry, service};

/// The field of the manager.
const ENDPOINT: &str = "swarm.endpoint";

/// The differences of a stack that one set has, or both.
pub(super) fn compare(old: Option<&Stack>, new: Option<&Stack>, sides: &Sides<'_>) -> Vec<Change> {
    let Some(stack) = new.or(old) else {
        return Vec::new();
    };
    let mut changes = itself(old, new);
    let name = &stack.name;
    changes.extend(registry::compare(
        name,
        old.map_or(&[], |it| &it.registries),
        new.map_or(&[], |it| &it.registries),
    ));
    changes.extend(images(old, new, sides));
    changes.extend(
        old.zip(new)
            .and_then(|(old, new)| order::of_nodes(old, new)),
    );
    changes.extend(node::compare(
        name,
        old.map_or(&[], |it| &it.nodes),
        new.map_or(&[], |it| &it.nodes),
    ));
    changes.extend(services(old, new, sides));
    changes
}

fn itself(old: Option<&Stack>, new: Option<&Stack>) -> Vec<Change> {
    match (old, new) {
        (None, None) => Vec::new(),
        (None, Some(stack)) => vec![whole(
            stack,
            Meaning::new(Effect::Managed, "starts to be managed"),
            Act::Add,
        )],
        (Some(stack), None) => vec![whole(
            stack,
            Meaning::new(Effect::Unmanaged, "is managed no more; nothing is removed"),
            Act::Remove,
        )],
        (Some(old), Some(new)) => {
            // All of them by name, so that a new one is not forgotten here.
            let Stack {
                name,
                endpoint,
                registries: _,
                images: _,
                nodes: _,
                services: _,
            } = new;
            let is_other = old.endpoint != *endpoint;
            let change = is_other.then(|| Change {
                field: Some(ENDPOINT.to_owned()),
                from: old.endpoint.as_ref().map(ToString::to_string),
                to: endpoint.as_ref().map(ToString::to_string),
                ..other_manager(endpoint.is_some()).change(
                    name,
                    Subject::Thing(Address::Swarm),
                    Act::Change,
                )
            });
            change.into_iter().collect()
        }
    }
}

/// A stack that is new or no more.
fn whole(stack: &Stack, meaning: Meaning, action: Act) -> Change {
    let endpoint = stack.endpoint.as_ref().map(|endpoint| Said {
        field: ENDPOINT.to_owned(),
        value: endpoint.to_string(),
    });
    Change {
        says: endpoint.into_iter().collect(),
        ..meaning.change(&stack.name, Subject::Stack(stack.name.clone()), action)
    }
}

fn other_manager(is_named: bool) -> Meaning {
    let who = match is_named {
        true => "another manager is asked",
        false => "the manager is asked that docker itself would ask",
    };
    Meaning::new(
        Effect::OtherCluster,
        format!(
            "{who}; if it is of another cluster, that one is managed, and nothing is removed from \
             the old one"
        ),
    )
}

fn images(old: Option<&Stack>, new: Option<&Stack>, sides: &Sides<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(stack) = new {
        for image in &stack.images {
            match sides.old.images.get(&image.name) {
                Some((home, was)) => changes.extend(image::compare(
                    (&home.name, was),
                    (&stack.name, image),
                    sides,
                )),
                None => changes.push(image::added(&stack.name, image, sides)),
            }
        }
    }
    if let Some(stack) = old {
        let gone = stack.images.iter();
        let gone = gone.filter(|it| !sides.new.images.contains_key(&it.name));
        changes.extend(gone.map(|image| image::removed(&stack.name, image)));
    }
    changes
}

fn services(old: Option<&Stack>, new: Option<&Stack>, sides: &Sides<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(stack) = new {
        for service in &stack.services {
            match sides.old.services.get(&service.name) {
                Some((home, was)) => changes.extend(service::compare(
                    (&home.name, was),
                    (&stack.name, service),
                    sides,
                )),
                None => changes.push(service::added(&stack.name, service)),
            }
        }
    }
    if let Some(stack) = old {
        let gone = stack.services.iter();
        let gone = gone.filter(|it| !sides.new.services.contains_key(&it.name));
        changes.extend(gone.map(|service| service::removed(&stack.name, service)));
    }
    changes
}
