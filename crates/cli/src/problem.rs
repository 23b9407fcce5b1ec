//! Errors as a person reads them: what, why, and what to do next.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use imgstack_executor::lock::LockError;
use imgstack_planner::{Moved, PLAN_FORMAT_VERSION, PlanHash, TargetError, Trouble, Unseen};
use imgstack_registry::oci::EndpointsError;
use imgstack_spec::{Diagnostics, StackName};
use miette::{GraphicalReportHandler, GraphicalTheme};
use thiserror::Error;

use crate::build::BuildError;
use crate::diff::DiffError;
use crate::generate::cloud_init::CloudInitError;
use crate::generate::review_action::ReviewActionError;
use crate::generate::workflow::WorkflowError;
use crate::image::{UnknownImage, UnknownSubject};
use crate::pins::PinError;
use crate::rebuild::RebuildError;
use crate::review::{ReviewError, Reviewed};
use crate::views::fold::prose;
use crate::views::lock;
use crate::views::style::{BAD, inline, paint};
use crate::views::typed::{self, SpecWords};

/// Why a command did not do what it should.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    /// The spec has mistakes.
    #[error(transparent)]
    Spec(#[from] Diagnostics),
    /// Nobody named a spec, and there is none where it is looked for.
    #[error("there is no {} ({origin})", path.display())]
    NoSpec {
        path: PathBuf,
        /// Who named it.
        origin: &'static str,
    },
    /// A target that is not in the spec.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// An image was not built, or not pushed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Two specs cannot be compared.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// A file cannot be read or written.
    #[error("cannot {verb} {}: {cause}", path.display())]
    File {
        verb: &'static str,
        path: PathBuf,
        cause: std::io::Error,
    },
    /// Not a plan, or not one of ours.
    #[error("{} is not a plan that can be read: {cause}", path.display())]
    NotAPlan { path: PathBuf, cause: String },
    /// A plan of a later version, which may ask for what is not known here.
    #[error(
        "{} was made by imgstack {} and has the format {}; this one carries out {PLAN_FORMAT_VERSION}",
        path.display(),
        inline(imgstack),
        inline(format)
    )]
    NewerPlan {
        path: PathBuf,
        format: String,
        imgstack: String,
    },
    /// The plan is no longer the one that would be made.
    #[error("the plan is stale: another one would be made now; nothing was done")]
    Stale {
        /// What moved.
        moved: Vec<Moved>,
        /// Where the plan as it is now can be read.
        shown: &'static str,
    },
    /// Whether the plan still fits cannot be told.
    #[error("the plan cannot be held against the world; nothing was done")]
    Unchecked(Vec<Unseen>),
    /// The plan is not the one that somebody has agreed to.
    #[error("the plan is not the reviewed one; nothing was done")]
    OtherPlan {
        /// What was agreed to, and where.
        reviewed: Reviewed,
        /// The plan's own hash.
        now: PlanHash,
        /// Where the plan as it is now can be read.
        shown: &'static str,
    },
    /// A pull request that cannot be commented on, or tells of no review.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// Standard input ended before an answer.
    #[error("no answer to the question, so nothing was done")]
    NoAnswer,
    /// The person said no.
    #[error("apply cancelled, nothing was done")]
    Declined,
    /// `-o json` and `-o ndjson` do not ask.
    #[error("`-o {0}` does not ask, and nobody approved")]
    CannotAsk(&'static str),
    /// The demo showed something else than it told.
    #[error("the scene `{scene}` did not go as told: {why}")]
    Untold { scene: &'static str, why: String },
    /// A variable of the environment that cannot be used.
    #[error(transparent)]
    Endpoints(#[from] EndpointsError),
    /// No cloud-config can be made of the stacks.
    #[error(transparent)]
    CloudInit(#[from] CloudInitError),
    /// An image that is not in the spec.
    #[error(transparent)]
    UnknownImage(#[from] UnknownImage),
    /// Neither an image nor a service of the spec, or both.
    #[error(transparent)]
    UnknownSubject(#[from] UnknownSubject),
    /// A build is not held, or not let go.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// An image cannot be built anew.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// No workflow can be made for the spec.
    #[error(transparent)]
    ReviewAction(#[from] ReviewActionError),
    /// No workflow can be made of the image.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// Somebody else works on the stack, or whether is not known.
    #[error("{}", lock::refusal(.0))]
    Lock(LockError, SpecWords),
    /// A manager that a command cannot do without.
    #[error("the Swarm of the stack {stack} cannot be asked: {}", trouble.why)]
    Manager {
        /// The stack.
        stack: StackName,
        /// Why.
        trouble: Trouble,
    },
    /// The journal has no such release.
    #[error("the journal has no release {0}")]
    NoRelease(u64),
    /// The runtime or stdout failed.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Problem {
    pub(crate) fn file(verb: &'static str, path: &Path, cause: std::io::Error) -> Self {
        Self::File {
            verb,
            path: path.to_owned(),
            cause,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Target(error) => error
                .nearest
                .as_ref()
                .map(|near| format!("did you mean `{near}`?")),
            Self::Build(error) => error.hint(),
            Self::Diff(error) => Some(error.hint()),
            Self::NoSpec { .. } => {
                Some("name a file or a folder with -f, or `-` for standard input".to_owned())
            }
            Self::NotAPlan { path, .. } if is_yaml(path) => Some(format!(
                "that is a spec? imgstack apply{}",
                typed::files(std::slice::from_ref(path))
            )),
            Self::NewerPlan { .. } => Some(
                "use that version, or make a plan with this one: imgstack plan --out FILE"
                    .to_owned(),
            ),
            Self::NotAPlan { .. } => Some("make one with: imgstack plan --out FILE".to_owned()),
            Self::Stale { shown, .. } => Some(format!(
                "look at the plan as it is now, {shown}; then make a new one: imgstack plan --out FILE"
            )),
            Self::OtherPlan {
                reviewed, shown, ..
            } => Some(reviewed.help(shown)),
            Self::Review(error) => Some(error.hint()),
            Self::Unchecked(_) => Some(
                "the plan may still be good: run the same command again when they answer"
                    .to_owned(),
            ),
            Self::NoAnswer => {
                Some("answer `yes` on a terminal, or run: imgstack apply --auto-approve".to_owned())
            }
            Self::CannotAsk(_) => Some(
                "add --auto-approve, or carry out a saved plan: imgstack apply PLAN".to_owned(),
            ),
            Self::Endpoints(_) => {
                Some("write it as: IMGSTACK_ENDPOINTS=ghcr.io=http://127.0.0.1:4000".to_owned())
            }
            Self::Untold { .. } => Some(
                "run it again; if it stays so, it is a mistake of imgstack's: please report it \
                 with all that is above"
                    .to_owned(),
            ),
            Self::Lock(error, spec) => lock::hint(error, spec),
            Self::Manager { trouble, .. } => trouble.hint.clone(),
            Self::NoRelease(_) => Some("see which there are: imgstack history".to_owned()),
            Self::CloudInit(error) => Some(error.hint()),
            Self::UnknownImage(error) => Some(error.hint()),
            Self::UnknownSubject(error) => Some(error.hint()),
            Self::Pin(error) => error.hint(),
            Self::Rebuild(error) => Some(error.hint()),
            Self::Workflow(error) => Some(error.hint()),
            Self::ReviewAction(error) => Some(error.hint()),
            Self::File { .. } => Some("check the path and its permissions".to_owned()),
            Self::Spec(_) | Self::Declined | Self::System(_) => None,
        }
    }

    /// The diagnostic as it is shown.
    pub(crate) fn render(&self, colour: bool) -> String {
        if let Self::Spec(diagnostics) = self {
            return spec_mistakes(diagnostics, colour);
        }
        let text = format!("{} {}", paint(BAD, "Error:"), inline(&self.to_string()));
        let mut out = prose(&text, 2) + "\n";
        if let Self::Stale { moved, .. } = self {
            for Moved {
                address,
                field,
                from,
                to,
            } in moved
            {
                let line = format!("  {address}: {field}: {from} -> {to}");
                let _ = writeln!(out, "{}", prose(&inline(&line), 6));
            }
        }
        if let Self::OtherPlan { reviewed, now, .. } = self {
            let _ = writeln!(out, "  reviewed  {}", inline(&reviewed.to_string()));
            let _ = writeln!(out, "  now       {now}");
        }
        if let Self::Unchecked(unseen) = self {
            for Unseen { address, trouble } in unseen {
                let line = format!("  {address}: {}", trouble.why);
                let _ = writeln!(out, "{}", prose(&inline(&line), 6));
                if let Some(hint) = &trouble.hint {
                    let _ = writeln!(out, "{}", prose(&format!("    help: {}", inline(hint)), 10));
                }
            }
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(out, "{}", prose(&format!("  help: {}", inline(&hint)), 8));
        }
        out
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|it| it == "yaml" || it == "yml")
}

fn spec_mistakes(diagnostics: &Diagnostics, colour: bool) -> String {
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(100);
    let mut out = String::new();
    for mistake in diagnostics {
        let _ = write!(out, "{} ", paint(BAD, "Error:"));
        // Writing to a String fails only if a Display of ours does.
        let _ = handler.render_report(&mut out, mistake);
        out.push('\n');
    }
    let _ = writeln!(out, "{diagnostics}");
    out
}
