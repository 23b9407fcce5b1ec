//! What is to be told of a plan, in words and in order, for every view that is
//! read as a document.
//!
//! The markdown, the page and the pictures walk this and decide only how it
//! looks; its words are the ones of the terminal's view. So they cannot
//! disagree, and what compares two specs needs to make an [`Outline`] and no
//! view of its own. Nothing in it is escaped: each view does that in its own way.

mod diff;
pub(crate) mod order;
mod plan;

use imgstack_planner::{Effect, Held, Severity};

pub(crate) use self::diff::of_diff;
pub(super) use self::order::{Edge, Order};
pub(crate) use self::plan::{of_plan, orders};
pub(super) use super::steps::Field;

/// A whole document.
pub(crate) struct Outline {
    /// What it is: "imgstack plan".
    pub(super) title: String,
    /// The line that says it all.
    pub(super) summary: String,
    /// What nobody may overlook.
    pub(super) banners: Vec<Banner>,
    /// One for each stack.
    pub(super) stacks: Vec<Part>,
    /// Files that differ.
    pub(super) texts: Vec<TextTold>,
    /// By what it was made, and when.
    pub(super) origin: String,
}

/// What nobody may overlook.
pub(super) struct Banner {
    pub(super) kind: BannerKind,
    /// "1 service is blocked".
    pub(super) words: String,
    /// Which.
    pub(super) names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BannerKind {
    /// Something goes.
    Removed,
    /// Something cannot be done.
    Blocked,
}

/// What is told of one stack.
pub(super) struct Part {
    pub(super) stack: String,
    /// Where the cluster was found, what was left out, the plan's hash.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) services: Vec<ServiceRow>,
    /// How many services stay as they are.
    pub(super) unchanged: usize,
    pub(super) images: Vec<ImageTold>,
    /// Steps in the order of doing, or changes of a spec.
    pub(super) steps: Vec<StepTold>,
    pub(super) are: StepsAre,
    pub(super) order: Order,
    pub(super) grid: Grid,
    pub(super) findings: Vec<FindingTold>,
}

/// What the steps of a part are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepsAre {
    /// Steps of a plan.
    Steps,
    /// Changes of a spec.
    Changes,
}

/// A file that differs.
pub(super) struct TextTold {
    pub(super) name: String,
    /// The lines of a unified diff, or why there is none.
    pub(super) lines: Vec<String>,
}

/// A service that something becomes of, or that is blocked.
pub(super) struct ServiceRow {
    /// Its name in the Swarm.
    pub(super) name: String,
    pub(super) image: String,
    pub(super) mark: Mark,
    /// "update", "blocked".
    pub(super) verb: &'static str,
    /// The image before and after, in short; None where it stays.
    pub(super) build: Option<(String, String)>,
    /// What the engine will do, or why it is blocked.
    pub(super) effect: String,
}

/// How something is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// `+`
    Add,
    /// `~`
    Change,
    /// `-`
    Destroy,
    /// `!`
    Blocked,
    /// Nothing becomes of it.
    Plain,
}

/// An image that something is to be said about.
pub(super) struct ImageTold {
    pub(super) address: String,
    /// Where it is, and what it follows there.
    pub(super) reference: String,
    pub(super) purpose: Option<String>,
    /// The builds that run, each with its services.
    pub(super) runs: Vec<(String, Vec<String>)>,
    /// The build that is wanted.
    pub(super) wants: String,
    /// Whether one is known.
    pub(super) known: bool,
}

/// A step.
pub(super) struct StepTold {
    pub(super) mark: Mark,
    pub(super) verb: &'static str,
    pub(super) address: String,
    /// What steps that do the same elsewhere have in common: "image.web".
    pub(super) what: String,
    /// What is to be said beside it.
    pub(super) detail: String,
    /// Why. Empty: that goes without saying.
    pub(super) reasons: String,
    pub(super) fields: Vec<Field>,
    /// What it waits for, before it and after it, each by its name.
    pub(super) gates: Vec<(&'static str, String)>,
    pub(super) labels: Vec<String>,
    /// Steps that must have succeeded first, by their place.
    pub(super) after: Vec<usize>,
    /// Steps that come first, whatever becomes of them.
    pub(super) follows: Vec<usize>,
    /// Whether a node does it.
    pub(super) on_node: bool,
}

/// Something that blocks, waits or wants attention.
pub(super) struct FindingTold {
    pub(super) severity: Severity,
    pub(super) about: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) procedure: Vec<String>,
}

/// Which node holds which build.
#[derive(Default)]
pub(super) struct Grid {
    /// The nodes, by hostname.
    pub(super) nodes: Vec<String>,
    pub(super) rows: Vec<GridRow>,
}

/// One build.
pub(super) struct GridRow {
    pub(super) image: String,
    pub(super) build: String,
    /// Whether the image wants it.
    pub(super) wanted: bool,
    /// For each node; None: it has nothing to do with it.
    pub(super) cells: Vec<Option<Held>>,
}

impl Mark {
    /// The sign of the terminal's view.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Change => "~",
            Self::Destroy => "-",
            Self::Blocked => "!",
            Self::Plain => " ",
        }
    }

    /// The name of its style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Destroy => "destroy",
            Self::Blocked => "blocked",
            Self::Plain => "plain",
        }
    }
}

impl From<Effect> for Mark {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Add => Self::Add,
            Effect::Change => Self::Change,
            Effect::Destroy => Self::Destroy,
        }
    }
}

impl StepsAre {
    /// "3 steps in the order of doing", "3 changes"
    pub(super) fn counted(self, count: usize) -> String {
        match self {
            Self::Steps => format!("{} in the order of doing", counted(count, "step")),
            Self::Changes => counted(count, "change"),
        }
    }

    /// "3 steps", "3 changes"
    pub(super) fn heading(self, count: usize) -> String {
        match self {
            Self::Steps => counted(count, "step"),
            Self::Changes => counted(count, "change"),
        }
    }

    /// What they are called where some are left out.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Changes => "changes",
        }
    }
}

/// What a cell of the grid says.
pub(super) fn held_words(held: Held) -> &'static str {
    match held {
        Held::Holds => "holds",
        Held::Pulls => "will pull",
        Held::Goes => "will be removed",
        Held::Lacks => "lacks",
        Held::Unknown => "unknown",
    }
}

/// "finding", "findings"
pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// The first of many: "a, b, c and 4 more".
pub(super) fn first_of(names: &[String], most: usize) -> String {
    let (first, rest) = names.split_at(names.len().min(most));
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
