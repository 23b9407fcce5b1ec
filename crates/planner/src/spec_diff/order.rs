//! Orders that have a meaning: of the services of an image that go one after
//! another as they stand in the file, and of the rules for nodes.

use std::collections::BTreeSet;

use imgstack_spec::{Address, ImageName, NodeRule, ServiceName, Stack, StackName};

use super::change::{Act, Change, Meaning, Subject};
use super::field::list;
use super::node;
use super::sides::{Side, Sides};

/// Services of one image without `after` go as they stand in the file; those
/// with it, as it says. Only services that both sets have so are compared.
pub(super) fn of_services(
    stack: &StackName,
    image: &ImageName,
    sides: &Sides<'_>,
) -> Option<Change> {
    let (old, new) = (in_file(&sides.old, image), in_file(&sides.new, image));
    let both = |own: &[&ServiceName], other: &[&ServiceName]| -> Vec<String> {
        let other: BTreeSet<_> = other.iter().collect();
        let both = own.iter().filter(|it| other.contains(it));
        both.map(ToString::to_string).collect()
    };
    let (from, to) = (both(&old, &new), both(&new, &old));
    let address = Subject::Thing(Address::Image(image.clone()));
    let meaning = Meaning::no_restart("the next rollout takes the services in this order");
    (from != to).then(|| Change {
        field: Some("services".to_owned()),
        from: Some(list(&from)),
        to: Some(list(&to)),
        ..meaning.change(stack, address, Act::Change)
    })
}

fn in_file<'a>(side: &Side<'a>, image: &ImageName) -> Vec<&'a ServiceName> {
    let Some((stack, _)) = side.images.get(image) else {
        return Vec::new();
    };
    let services = stack.services.iter();
    let in_order = services.filter(|it| it.image == *image && it.after.is_empty());
    in_order.map(|it| &it.name).collect()
}

/// The first rule that says something wins, so their order may count.
pub(super) fn of_nodes(old: &Stack, new: &Stack) -> Option<Change> {
    let (before, after) = (keys(&old.nodes), keys(&new.nodes));
    let both = |own: &[String], other: &[String]| -> Vec<String> {
        own.iter()
            .filter(|it| other.contains(it))
            .cloned()
            .collect()
    };
    let (from, to) = (both(&before, &after), both(&after, &before));
    let meaning = Meaning::no_restart(
        "where several rules are for a node, the first one that says something wins",
    );
    (from != to).then(|| Change {
        field: Some("nodes".to_owned()),
        from: Some(format!("[{}]", from.join(", "))),
        to: Some(format!("[{}]", to.join(", "))),
        ..meaning.change(&new.name, Subject::Stack(new.name.clone()), Act::Change)
    })
}

/// Those for one node come first wherever they stand, so only the others have
/// an order.
fn keys(rules: &[NodeRule]) -> Vec<String> {
    let keyed = node::keyed(rules);
    let several = keyed.into_iter().map(|(subject, _)| subject);
    let several = several.filter(|it| matches!(it, Subject::Nodes(_)));
    several.map(|it| it.to_string()).collect()
}
