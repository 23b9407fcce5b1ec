//! The comment of each stack of a plan.

use imgstack_planner::{Plan, StackPlan};
use imgstack_spec::StackName;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::marker::{Marker, State};
use crate::views::comment::body;

/// The most characters that GitHub takes.
const LONGEST: usize = 65_536;
/// Bytes of the digest of a text.
const DIGEST: usize = 8;

/// A comment as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(super) marker: Marker,
    /// What people see.
    pub(super) text: String,
}

impl Draft {
    /// The whole of the comment.
    pub(super) fn body(&self) -> String {
        format!("{}\n{}", self.marker, self.text)
    }

    pub(crate) fn stack(&self) -> &StackName {
        &self.marker.stack
    }

    /// What people see.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A comment for each stack. Each is marked with the hash of the whole plan,
/// since that is what is carried out.
pub(crate) fn drafts(plan: &Plan) -> Vec<Draft> {
    plan.stacks.iter().map(|stack| draft(plan, stack)).collect()
}

fn draft(whole: &Plan, stack: &StackPlan) -> Draft {
    // The plan without the other stacks; its hash stays.
    let plan = &Plan {
        stacks: vec![stack.clone()],
        ..whole.clone()
    };
    let name = &stack.stack.name;
    let timeless = Plan {
        created_at: Timestamp::UNIX_EPOCH,
        ..plan.clone()
    };
    let digest = Sha256::digest(body(&timeless, name, LONGEST));
    let text = digest.iter().take(DIGEST).map(|byte| format!("{byte:02x}"));
    let marker = Marker {
        stack: name.clone(),
        plan: plan.hash.clone(),
        state: State::of(plan),
        text: text.collect(),
    };
    let room = LONGEST - marker.to_string().len() - 1;
    Draft {
        text: body(plan, name, room),
        marker,
    }
}
