//! What a change of the spec means, without a cluster: for a review.
//!
//! Two sets of stacks are compared field by field, and of each difference is
//! said what kind of effect it has: does it restart tasks, is it a migration,
//! does something start to be managed. What the older spec asks for is taken
//! for what runs, which a plan alone knows.
//!
//! What has no meaning is no change: the order of images, of registries, of
//! stacks and of the names in `after`, a default that is written out, and the
//! file that something stands in.
//!
//! Deliberately absent: the texts of the specs, and what a cluster makes of the
//! newer one. A command puts the first beside this, and plans for the second.

mod beyond;
mod change;
mod document;
mod field;
mod image;
mod node;
mod order;
mod registry;
mod service;
mod sides;
mod stack;
mod wanted;

use imgstack_spec::StackSet;

pub use beyond::Beyond;
pub use change::{Act, Change, Effect, Said, Subject};
pub use document::{FORMAT_VERSION, SpecDiff, Summary, TextDiff};

use sides::Sides;

/// Everything that has another meaning in `new` than in `old`: stack by stack
/// as in the newer files, then the stacks that are no more. Of a stack first
/// what concerns all of it, then registries, images, nodes and services.
#[must_use]
pub fn changes(old: &StackSet, new: &StackSet) -> Vec<Change> {
    let sides = Sides::of(old, new);
    let mut changes = Vec::new();
    for stack in &new.stacks {
        let before = old.stacks.iter().find(|it| it.name == stack.name);
        changes.extend(stack::compare(before, Some(stack), &sides));
    }
    for stack in &old.stacks {
        if new.stacks.iter().all(|it| it.name != stack.name) {
            changes.extend(stack::compare(Some(stack), None, &sides));
        }
    }
    changes
}
