//! What may be typed.

mod generate;
mod images;
mod plans;
mod review;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use generate::{CloudInitArgs, Generate, ReviewActionArgs, WorkflowArgs};
pub(crate) use images::{
    BuildArgs, EditingArgs, ImageArgs, PinArgs, RebuildArgs, RollbackArgs, TagsArgs, UnpinArgs,
};
pub(crate) use plans::{
    AllowArgs, ApplyArgs, DiffArgs, DoingArgs, GraphArgs, GraphOutput, PlanArgs, PlanOutput,
    PlanningArgs, ShowArgs,
};
pub(crate) use review::{CommentArgs, PullArgs, ReviewArgs};

/// Keeps the images of a Docker Swarm what one YAML file says they should be.
#[derive(Debug, Parser)]
#[command(name = "imgstack", version, max_term_width = 100)]
#[command(disable_help_subcommand = true, infer_subcommands = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what would change, and why; change nothing
    Plan(PlanArgs),
    /// Make the cluster what the spec says, or carry out a saved plan
    Apply(ApplyArgs),
    /// Print a saved plan
    Show(ShowArgs),
    /// Show a saved plan on a pull request of GitHub: one comment for each stack, and labels
    Comment(CommentArgs),
    /// Show what a change of the spec means, field by field; ask no cluster
    Diff(DiffArgs),
    /// Show which build runs where: image, service, node
    Status(StatusArgs),
    /// Show the builds of an image, the newest first, and what runs where
    Tags(TagsArgs),
    /// Hold one build of an image: write it into the spec, and into the stack files
    Pin(PinArgs),
    /// Let an image follow its tag or policy again
    Unpin(UnpinArgs),
    /// Go back to a build, without a name to the last good one, and hold it as a pin does
    Rollback(RollbackArgs),
    /// Build an image and push it under its three tags
    Build(BuildArgs),
    /// Build an image anew: start its GitHub workflow, and follow the run
    Rebuild(RebuildArgs),
    /// Show past applies, from the cluster: who, when, what, and how it ended
    History(HistoryArgs),
    /// Remove the lock of an apply whose process is gone
    Unlock(UnlockArgs),
    /// Check a spec without a cluster
    Validate(ValidateArgs),
    /// Print the JSON Schema of the spec, or of a plan
    Schema(SchemaArgs),
    /// Draw the order of the services, or of the steps of a plan
    Graph(GraphArgs),
    /// Show all of this on a simulated cluster, with nothing installed
    Demo(DemoArgs),
    /// Check the credentials, or put a new one into the services
    #[command(subcommand)]
    Auth(Auth),
    /// Print files for other programs, made from the spec
    #[command(subcommand)]
    Generate(Generate),
}

/// Where the spec is.
#[derive(Args, Debug)]
pub(crate) struct SpecArgs {
    /// A spec, a folder of specs, or `-` for standard input; may be repeated
    /// [default: $IMGSTACK_FILE, else imgstack.yaml]
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    pub(crate) file: Vec<PathBuf>,
}

/// How much is done side by side.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WidthArgs {
    /// How many nodes may be asked, or may work, at once; of services that are independent of one another, how many are updated at once
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: u16,
}

impl WidthArgs {
    pub(crate) fn nodes(self) -> usize {
        self.parallelism.into()
    }
}

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// What is described
    #[arg(value_enum, default_value_t, value_name = "OF")]
    pub(crate) of: Described,
}

/// What has a JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Described {
    /// The spec
    #[default]
    Spec,
    /// A plan, as `-o json` prints it and `--out` saves it
    Plan,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) width: WidthArgs,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Show this release with its steps
    #[arg(value_name = "N")]
    pub(crate) number: Option<u64>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Remove the lock also of an apply that goes on: it stops before its next step
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Specs, folders of specs, or `-` for standard input
    /// [default: $IMGSTACK_FILE, else imgstack.yaml]
    #[arg(value_name = "FILE|DIR", conflicts_with = "file")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Leave the simulated cluster to you, until Ctrl-C, and say how to reach it
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Show whether the credentials are good, until when, and which services carry them
    Check(AuthCheckArgs),
    /// Put the credential into every service and node login that has another; restarts nothing
    Rotate(AuthRotateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct AuthCheckArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) width: WidthArgs,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct AuthRotateArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) making: PlanningArgs,
    #[command(flatten)]
    pub(crate) doing: DoingArgs,
}

/// Forms of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Human,
    /// One JSON document
    Json,
}

/// Forms of what a command says that takes its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApplyOutput {
    /// For people
    #[default]
    Human,
    /// One JSON document, at the end
    Json,
    /// One event a line, as it happens
    Ndjson,
}

/// Reads the arguments. Long options may be typed with one dash, as
/// Terraform's are.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let known = long_options(&Cli::command());
    Cli::try_parse_from(args.map(|arg| two_dashes(arg, &known)))
}

fn long_options(command: &clap::Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_long());
    let mut names: Vec<String> = own.map(str::to_owned).collect();
    names.extend(["help".to_owned(), "version".to_owned()]);
    names.extend(command.get_subcommands().flat_map(long_options));
    names
}

fn two_dashes(arg: OsString, known: &[String]) -> OsString {
    let Some(text) = arg.to_str() else {
        return arg;
    };
    let name = text.strip_prefix('-').unwrap_or_default();
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    if known.iter().any(|long| long == name) {
        return format!("-{text}").into();
    }
    arg
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        for line in [
            "imgstack plan --out p.json --detailed-exitcode --target service.a",
            "imgstack plan -out p.json -detailed-exitcode -target service.a",
            "imgstack plan -out=p.json -detailed-exitcode -target=service.a",
        ] {
            let Command::Plan(plan) = parsed(line).unwrap().command else {
                panic!("{line}")
            };
            assert_eq!(plan.out, Some(PathBuf::from("p.json")), "{line}");
            assert!(plan.detailed_exitcode, "{line}");
            assert_eq!(plan.making.target[0].to_string(), "service.a");
        }
    }

    #[test]
    fn a_wait_is_a_duration() {
        let Command::Apply(apply) = parsed("imgstack apply -lock-timeout 1h30m")
            .unwrap()
            .command
        else {
            panic!("not an apply")
        };
        assert_eq!(apply.doing.lock_timeout, Some(Duration::from_secs(5_400)));
        for (wrong, words) in [("10", "write the unit: `10s`"), ("soon", "such as `90s`")] {
            let line = format!("imgstack apply --lock-timeout {wrong}");
            let error = parsed(&line).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn short_options_stay_short() {
        let Command::Plan(plan) = parsed("imgstack plan -f a.yaml -f - -o json")
            .unwrap()
            .command
        else {
            panic!("not a plan")
        };
        assert_eq!(
            plan.spec.file,
            [PathBuf::from("a.yaml"), PathBuf::from("-")]
        );
        assert_eq!(plan.output, PlanOutput::Json);
    }

    #[test]
    fn a_diff_has_two_sides() {
        for line in [
            "imgstack diff a.yaml b.yaml",
            "imgstack diff - b.yaml",
            "imgstack diff",
            "imgstack diff -f a.yaml",
            "imgstack diff --base main",
            "imgstack diff -base main -f a.yaml -f b --live --parallelism 2",
        ] {
            assert!(parsed(line).is_ok(), "{line}");
        }
        for line in [
            "imgstack diff a.yaml",
            "imgstack diff a.yaml b.yaml --base main",
            "imgstack diff a.yaml --base main",
            "imgstack diff a.yaml b.yaml -f c.yaml",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_review_is_named_in_one_way() {
        let hash = "0".repeat(64);
        for (line, good) in [
            (format!("imgstack apply --only-if-hash {hash}"), true),
            (format!("imgstack apply p.json -only-if-hash={hash}"), true),
            ("imgstack apply --only-if-hash 0123".to_owned(), false),
            ("imgstack apply --only-if-hash=".to_owned(), false),
            ("imgstack apply --only-if-reviewed".to_owned(), true),
            (
                "imgstack apply --only-if-reviewed --pull-request 7".to_owned(),
                true,
            ),
            ("imgstack apply --pull-request 7".to_owned(), false),
            (
                format!("imgstack apply --only-if-reviewed --only-if-hash {hash}"),
                false,
            ),
        ] {
            assert_eq!(parsed(&line).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn a_saved_plan_takes_no_spec() {
        assert!(parsed("imgstack apply p.json -f a.yaml").is_err());
        assert!(parsed("imgstack apply p.json --target service.a").is_err());
    }
}
