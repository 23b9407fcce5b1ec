//! What may be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use imgstack_planner::PlanHash;
use imgstack_spec::{Address, GitHubRepository, GitRef, Tag};

use crate::generate::cloud_init::{self, SecretFile};
use crate::generate::review_action::ActionRef;
use crate::pins::Typed;

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

/// Which plan somebody has agreed to. It is then carried out without a question.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReviewArgs {
    /// Do nothing unless the plan has this hash, as `imgstack plan -o json` has it under `hash`;
    /// asks nothing
    #[arg(long, value_name = "HASH")]
    pub(crate) only_if_hash: Option<PlanHash>,
    /// Do nothing unless the plan is the one that `imgstack comment` has shown on the pull
    /// request; asks nothing
    #[arg(long, conflicts_with = "only_if_hash")]
    pub(crate) only_if_reviewed: bool,
    /// The pull request [default: the workflow's, or the one that its commit has come with]
    #[arg(long, value_name = "NUMBER", requires = "only_if_reviewed")]
    pull_request: Option<u64>,
    /// Its repository [default: $GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME", requires = "only_if_reviewed")]
    repository: Option<GitHubRepository>,
    /// The variable that holds the token [default: GH_TOKEN, then GITHUB_TOKEN, then the command
    /// `gh auth token`]
    #[arg(long, value_name = "VARIABLE", requires = "only_if_reviewed")]
    token_env: Option<String>,
    /// Where GitHub's API is [default: $GITHUB_API_URL]
    #[arg(long, value_name = "URL", requires = "only_if_reviewed")]
    api_url: Option<String>,
}

impl ReviewArgs {
    /// Where the review is.
    pub(crate) fn pull(&self) -> PullArgs {
        PullArgs {
            pull_request: self.pull_request,
            repository: self.repository.clone(),
            token_env: self.token_env.clone(),
            api_url: self.api_url.clone(),
        }
    }
}

/// A pull request of GitHub. What is not typed, a workflow's environment tells.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PullArgs {
    /// The pull request [default: the workflow's]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pull_request: Option<u64>,
    /// Its repository [default: $GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<GitHubRepository>,
    /// The variable that holds the token [default: GH_TOKEN, then GITHUB_TOKEN, then the command
    /// `gh auth token`]
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) token_env: Option<String>,
    /// Where GitHub's API is [default: $GITHUB_API_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CommentArgs {
    /// A plan saved by `imgstack plan --out`
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) pull: PullArgs,
    /// Leave the labels of the pull request alone
    #[arg(long)]
    pub(crate) no_labels: bool,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Print a cloud-config that logs a new node in and pulls the images; it holds no secret
    CloudInit(CloudInitArgs),
    /// Print a GitHub Actions workflow that builds an image and pushes it; it holds no secret
    Workflow(WorkflowArgs),
    /// Print a GitHub Actions workflow that shows a plan on a pull request, and applies that plan
    /// once it is merged; it holds no secret
    ReviewAction(ReviewActionArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CloudInitArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file on the new node that holds a registry's password; `{host}` is the registry
    #[arg(long, value_name = "PATH", default_value = cloud_init::DEFAULT_SECRET_FILE)]
    pub(crate) secret_file: SecretFile,
}

#[derive(Args, Debug)]
pub(crate) struct WorkflowArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The folder of the repository that the workflow is for
    /// [default: the nearest folder of git's above the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReviewActionArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The repository of imgstack that has `action.yml`, and the commit to use
    #[arg(long, value_name = "OWNER/NAME@COMMIT")]
    pub(crate) action: ActionRef,
    /// The branch that pull requests are merged into
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub(crate) branch: GitRef,
    /// The label of the runner that reaches the Swarm
    /// [default: ubuntu-latest, or self-hosted where the spec names no way for others]
    #[arg(long, value_name = "LABEL")]
    pub(crate) runner: Option<String>,
    /// The folder of the repository that the workflow is for
    /// [default: the nearest folder of git's above the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
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
