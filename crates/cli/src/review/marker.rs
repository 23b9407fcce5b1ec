//! The first line of our comments, which GitHub does not show.

use std::fmt;
use std::str::FromStr;

use imgstack_planner::{Plan, PlanHash};
use imgstack_spec::StackName;

const BEGIN: &str = "<!-- imgstack";
const END: &str = "-->";

/// What a comment is of:
/// `<!-- imgstack stack=shop plan=3f… state=changes text=8a… -->`
///
/// It is the whole first line, so that a comment which quotes one is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The stack that the comment is about.
    pub(super) stack: StackName,
    /// The hash of the whole plan, of all its stacks.
    pub(super) plan: PlanHash,
    pub(super) state: State,
    /// Digest of what is shown, but for the time: two plans made one after the
    /// other are the same to who reads them.
    pub(super) text: String,
}

/// What a plan of a stack comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Nothing is to be done.
    Nothing,
    /// Something is.
    Changes,
    /// Something cannot be planned, and nothing is to be done.
    Blocked,
    /// Both.
    ChangesAndBlocked,
}

impl State {
    const ALL: [Self; 4] = [
        Self::Nothing,
        Self::Changes,
        Self::Blocked,
        Self::ChangesAndBlocked,
    ];

    pub(super) fn of(plan: &Plan) -> Self {
        match (plan.is_empty(), plan.is_blocked()) {
            (true, false) => Self::Nothing,
            (false, false) => Self::Changes,
            (true, true) => Self::Blocked,
            (false, true) => Self::ChangesAndBlocked,
        }
    }

    pub(super) fn has_changes(self) -> bool {
        matches!(self, Self::Changes | Self::ChangesAndBlocked)
    }

    pub(super) fn is_blocked(self) -> bool {
        matches!(self, Self::Blocked | Self::ChangesAndBlocked)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Changes => "changes",
            Self::Blocked => "blocked",
            Self::ChangesAndBlocked => "changes,blocked",
        }
    }
}

impl Marker {
    /// The marker of a comment. None: it has none of ours.
    pub(super) fn of(body: &str) -> Option<Self> {
        body.lines().next()?.parse().ok()
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stack,
            plan,
            state,
            text,
        } = self;
        let state = state.word();
        write!(
            f,
            "{BEGIN} stack={stack} plan={plan} state={state} text={text} {END}"
        )
    }
}

/// Not a marker.
#[derive(Debug)]
pub(super) struct Other;

impl FromStr for Marker {
    type Err = Other;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let inside = line.trim_end().strip_prefix(BEGIN);
        let inside = inside
            .and_then(|rest| rest.strip_suffix(END))
            .ok_or(Other)?;
        let mut words = inside.split_ascii_whitespace();
        let mut word = |key: &str| {
            let (name, value) = words.next()?.split_once('=')?;
            (name == key).then_some(value)
        };
        let marker = Self {
            stack: word("stack").and_then(|it| it.parse().ok()).ok_or(Other)?,
            plan: word("plan").and_then(|it| it.parse().ok()).ok_or(Other)?,
            state: {
                let text = word("state").ok_or(Other)?;
                let mut all = State::ALL.into_iter();
                all.find(|state| state.word() == text).ok_or(Other)?
            },
            text: word("text").ok_or(Other)?.to_owned(),
        };
        match words.next() {
            None => Ok(marker),
            Some(_) => Err(Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(state: State) -> Marker {
        Marker {
            stack: "shop.db-1".parse().unwrap(),
            plan: "0f".repeat(32).parse().unwrap(),
            state,
            text: "8a01".to_owned(),
        }
    }

    #[test]
    fn a_marker_is_read_back() {
        for state in State::ALL {
            let marker = marker(state);
            for body in [format!("{marker}"), format!("{marker}\r\nmore\n")] {
                assert_eq!(Marker::of(&body), Some(marker.clone()), "{body}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let good = marker(State::Changes).to_string();
        for body in [
            String::new(),
            format!("> {good}"),
            format!("Look:\n{good}"),
            format!(" {good}"),
            format!("{good} and more"),
            good.replace("plan=0f", "plan=f"),
            good.replace("changes", "change"),
            good.replace("stack=", "stock="),
            good.replace(" -->", " more=1 -->"),
            good.replace("text=8a01 ", ""),
        ] {
            assert_eq!(Marker::of(&body), None, "{body}");
        }
    }
}
