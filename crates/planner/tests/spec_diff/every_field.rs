//! Every leaf of the model that differs is named by a change.

use imgstack_planner::spec_diff::changes;
use imgstack_spec::StackSet;

use crate::draw::{Dice, set};
use crate::flat::{flat, unnamed};

const ROUNDS: u64 = 1000;

/// Fields for the order of a list, which has no leaf.
const ORDERS: [&str; 2] = ["services", "nodes"];

#[test]
fn a_set_differs_from_itself_in_nothing() {
    for seed in 0..ROUNDS {
        let set = set(&mut Dice::new(seed));
        assert_eq!(changes(&set, &set), [], "seed {seed}");
    }
}

#[test]
fn whatever_differs_is_named_and_nothing_else() {
    let (mut named, mut same) = (0, 0);
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let old = set(&mut dice);
        let new = match dice.once_in(3) {
            true => set(&mut dice),
            false => with_one_leaf_of(&old, &set(&mut dice), &mut dice),
        };
        let told = changes(&old, &new);
        let forgotten = unnamed(&old, &new, &told);
        assert!(
            forgotten.is_empty(),
            "seed {seed}: {forgotten:#?}\n{told:#?}"
        );
        if flat(&old) == flat(&new) {
            same += 1;
            let mut fields = told.iter().map(|it| it.field.as_deref());
            let is_order = |it: Option<&str>| it.is_some_and(|it| ORDERS.contains(&it));
            assert!(fields.all(is_order), "seed {seed}: {told:#?}");
        }
        for change in &told {
            let is_said = change.from != change.to || change.field.is_none();
            assert!(is_said, "seed {seed}: {change:#?}");
            named += 1;
        }
        assert_eq!(told, changes(&old, &new), "seed {seed}");
    }
    // Otherwise the dice are no good.
    assert!(named > 5000 && same > 20, "{named} {same}");
}

/// `old` with one thing replaced by the other set's of the same place.
fn with_one_leaf_of(old: &StackSet, other: &StackSet, dice: &mut Dice) -> StackSet {
    let mut new = old.clone();
    let (Some(stack), Some(from)) = (new.stacks.first_mut(), other.stacks.first()) else {
        return new;
    };
    match dice.below(6) {
        0 => stack.endpoint.clone_from(&from.endpoint),
        1 => stack.registries.reverse(),
        2 => stack.images.reverse(),
        3 => stack.nodes.clone_from(&from.nodes),
        4 => {
            if let (Some(own), Some(image)) = (stack.images.first_mut(), from.images.first()) {
                let name = own.name.clone();
                *own = image.clone();
                own.name = name;
            }
        }
        _ => {
            if let (Some(own), Some(service)) = (stack.services.first_mut(), from.services.first())
            {
                let (name, image) = (own.name.clone(), own.image.clone());
                *own = service.clone();
                (own.name, own.image, own.after) = (name, image, Vec::new());
            }
        }
    }
    new
}
