//! Plans: made, shown, compared, carried out.

use std::path::PathBuf;
use std::time::Duration;

use super::{ApplyOutput, ReviewArgs, SpecArgs, WidthArgs};
use clap::{Args, ValueEnum};
use imgstack_spec::Address;

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) making: PlanningArgs,
    #[command(flatten)]
    pub(crate) allow: AllowArgs,
    /// Save the plan, to be carried out by `imgstack apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 0 for no changes, 2 for changes, 1 for an error
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: PlanOutput,
}

/// How a plan is made.
#[derive(Args, Debug)]
pub(crate) struct PlanningArgs {
    /// Plan only this address, such as `service.web`, `image.web` or `node.host-1`; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<Address>,
    #[command(flatten)]
    pub(crate) width: WidthArgs,
}

/// What a person lets happen this once.
#[derive(Args, Debug)]
pub(crate) struct AllowArgs {
    /// Let the services of this image move to another major version, as `majorUpgrade: allow` does; may be repeated
    #[arg(long, value_name = "IMAGE")]
    pub(crate) allow_major: Vec<String>,
    /// Try builds again that have failed
    #[arg(long)]
    pub(crate) retry_failed: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// A plan saved by `imgstack plan --out`; without it, a plan is made now
    #[arg(value_name = "PLAN", conflicts_with_all = ["file", "target", "allow_major", "retry_failed"])]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) making: PlanningArgs,
    #[command(flatten)]
    pub(crate) allow: AllowArgs,
    #[command(flatten)]
    pub(crate) doing: DoingArgs,
    #[command(flatten)]
    pub(crate) review: ReviewArgs,
}

/// How a plan is carried out.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DoingArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Wait so long for somebody else who works on the stack, such as `10m`
    /// [default: do not wait]
    #[arg(long, value_name = "DURATION", value_parser = imgstack_spec::parse_duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// The form of the output; `ndjson` is one event a line, and never asks
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ApplyOutput,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// A plan saved by `imgstack plan --out`
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: PlanOutput,
}

#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    /// A plan saved by `imgstack plan --out`: draw its steps; without it, draw the order that the
    /// spec gives its services, which needs no cluster
    #[arg(value_name = "PLAN", conflicts_with = "file")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: GraphOutput,
}

/// Forms of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphOutput {
    /// The language of Graphviz
    #[default]
    Dot,
    /// The language of Mermaid, which GitHub draws
    Mermaid,
    /// A picture, for a browser
    Svg,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The older spec: a file, a folder, `-` for standard input, or /dev/null for none
    #[arg(value_name = "OLD", requires = "new")]
    #[arg(conflicts_with_all = ["base", "file"])]
    pub(crate) old: Option<PathBuf>,
    /// The newer spec, likewise
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<PathBuf>,
    /// Compare the spec as it lies here with what it was at this revision of git's, such as
    /// `main`, `HEAD~1` or a commit [default: HEAD, without OLD and NEW]
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Show the diff of the texts also where nothing changes in meaning
    #[arg(long)]
    pub(crate) text: bool,
    /// Ask the cluster as well: show what its plan has beyond that of the older spec
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) width: WidthArgs,
    /// Exit with 0 for no changes in meaning, 2 for changes, 1 for an error
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: PlanOutput,
}

/// Forms of a plan, and of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanOutput {
    /// For people
    #[default]
    Human,
    /// One JSON document; of a plan, as `imgstack schema plan` describes it
    Json,
    /// For a comment on a pull request: at most 65,536 characters
    Markdown,
    /// A page for a browser: one file, which loads nothing
    Html,
}
