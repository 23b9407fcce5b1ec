//! One image: its builds, and the one that is held.

use super::{AllowArgs, ApplyOutput, Output, SpecArgs, WidthArgs};
use crate::pins::Typed;
use clap::{ArgAction, Args};
use imgstack_spec::Tag;

#[derive(Args, Debug)]
pub(crate) struct TagsArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The most builds to show [default: 20, or all with --all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Show every build, and what is hidden otherwise: tags of signatures and attestations, and
    /// what has no tag
    #[arg(long)]
    pub(crate) all: bool,
    /// Show also platforms, labels and the base; takes some requests for each build, once
    #[arg(long)]
    pub(crate) details: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// An edit of the files.
#[derive(Args, Debug)]
pub(crate) struct EditingArgs {
    /// The image, by its name in the spec; of a service, its image
    #[arg(value_name = "IMAGE|SERVICE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) width: WidthArgs,
    #[command(flatten)]
    pub(crate) allow: AllowArgs,
    /// Show the plan and what would change in the files, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct PinArgs {
    #[command(flatten)]
    pub(crate) editing: EditingArgs,
    /// The build: a tag that stays, such as `16-abc1234`, or a digest, also as `imgstack tags`
    /// shows it
    #[arg(value_name = "BUILD")]
    pub(crate) build: Typed,
}

#[derive(Args, Debug)]
pub(crate) struct UnpinArgs {
    #[command(flatten)]
    pub(crate) editing: EditingArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) editing: EditingArgs,
    /// The build: a tag that stays, such as `16-abc1234`, or a digest, also as `imgstack tags`
    /// shows it [default: the last that is known to be good, and is not the one that is wanted now]
    #[arg(long, value_name = "BUILD")]
    pub(crate) to: Option<Typed>,
}

#[derive(Args, Debug)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Start the workflow and say where its run is to be seen
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// The form of the output; `ndjson` is one event a line
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ApplyOutput,
}

#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Push what is built
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) push: bool,
    /// For a trial: push under this tag alone, which nobody relies on; one that
    /// is there is moved only if `trial` is a part of its name
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<Tag>,
    /// Push under the tag of the commit also what is not as in the commit
    #[arg(long)]
    pub(crate) allow_dirty: bool,
    /// Move the tag back, from a newer commit's build to this one
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// One image of the spec.
#[derive(Args, Debug)]
pub(crate) struct ImageArgs {
    /// The image, by its name in the spec
    #[arg(value_name = "IMAGE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
}
