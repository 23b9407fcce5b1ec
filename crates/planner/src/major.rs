//! The guard of major versions (issue 6): a step from 16 to 17, or back, is a
//! migration of data, and no tag or pin alone takes it.

use std::collections::BTreeSet;

use imgstack_spec::major::{Facts, Files, Verdict, judge, procedure};
use imgstack_spec::{Address, Image, ImageRef, MajorUpgrade, Stack};

use crate::Inventory;
use crate::inventory::ObservedService;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;

/// What the guard says to one service.
pub(crate) enum Guard {
    /// The major version stays, or nothing says that it does not.
    Silent,
    /// It changes, as the spec allows, or nobody can say of a pin whether it
    /// does.
    Allowed(Finding),
    /// It changes, and is not to: for the service, and for its image.
    Stops {
        service: Finding,
        image: Box<Finding>,
    },
}

impl Guard {
    /// Compares what a service runs with what it is to run.
    pub(crate) fn of(
        stack: &Stack,
        image: &Image,
        address: &Address,
        observed: &ObservedService,
        wanted: &ImageRef,
        inventory: &Inventory,
    ) -> Self {
        let Some(verdict) = verdict(image, observed, wanted, inventory) else {
            return Self::Silent;
        };
        let Some((from, to)) = verdict.change() else {
            return Self::Allowed(finding(
                Severity::Note,
                Code::MajorUpgrade,
                address,
                format!(
                    "whether the pin is of the major version that runs is not known: {}",
                    verdict.why()
                ),
            ));
        };
        let about = Address::Image(image.name.clone());
        match image.major_upgrade {
            MajorUpgrade::Allow => Self::Allowed(finding(
                Severity::Attention,
                Code::MajorUpgrade,
                address,
                format!("goes from major version {from} to {to}, which is allowed for {about}"),
            )),
            MajorUpgrade::Block => Self::Stops {
                service: finding(
                    Severity::Blocked,
                    Code::MajorUpgrade,
                    address,
                    format!("stays at major version {from}: see {about}"),
                ),
                image: Box::new(Finding {
                    procedure: instead(&verdict, stack, image),
                    blocks: vec![address.clone()],
                    ..finding(
                        Severity::Blocked,
                        Code::MajorUpgrade,
                        &about,
                        format!(
                            "major version {from} to {to} is a migration, not an update: {}",
                            verdict.why()
                        ),
                    )
                }),
            },
        }
    }
}

/// What there is to say of what the service asks for and what its tasks run:
/// the first change of the major version among them, or that a build which is
/// held by its digest does not tell its own.
fn verdict(
    image: &Image,
    observed: &ObservedService,
    wanted: &ImageRef,
    inventory: &Inventory,
) -> Option<Verdict> {
    let version = |reference: &ImageRef| {
        let build = inventory.build(reference.digest.as_ref()?)?;
        build.version.as_deref()
    };
    // A build that is held by its digest goes by the name of a tag that does
    // not speak of it.
    let is_named = !matches!(image.pin, Some(imgstack_spec::Pin::Digest(_)));
    let wants = Facts {
        tag: wanted.tag.as_ref().filter(|_| is_named),
        version: version(wanted),
    };
    let tasks = observed.tasks.iter().map(|task| &task.image);
    let running: BTreeSet<&String> = tasks.chain([&observed.image]).collect();
    let running = running.into_iter().filter_map(|it| it.parse().ok());
    let mut untold = None;
    for runs in running.filter(|runs: &ImageRef| !is_same_build(runs, wanted)) {
        let facts = Facts {
            tag: runs.tag.as_ref().filter(|_| is_same_image(&runs, wanted)),
            version: version(&runs),
        };
        let verdict = judge(facts, wants);
        if verdict.change().is_some() {
            return Some(verdict);
        }
        let runs_by_name = matches!(judge(facts, facts), Verdict::SameMajor { .. });
        if !is_named && runs_by_name && matches!(verdict, Verdict::Unknown { .. }) {
            untold = Some(verdict);
        }
    }
    untold
}

/// Under which name does not matter then: the data stay with what wrote them.
fn is_same_build(runs: &ImageRef, wanted: &ImageRef) -> bool {
    runs.digest.is_some() && runs.digest == wanted.digest
}

/// Whether both are one image, perhaps from two registries: tags of another
/// image are another's words.
fn is_same_image(runs: &ImageRef, wanted: &ImageRef) -> bool {
    let name = |it: &ImageRef| it.repository.path().rsplit('/').next().map(str::to_owned);
    name(runs) == name(wanted)
}

/// The Dockerfile, as people find it.
fn dockerfile(image: &Image) -> Option<String> {
    let build = image.build.as_ref()?;
    Some(build.context.join(&build.dockerfile).display().to_string())
}

fn instead(verdict: &Verdict, stack: &Stack, image: &Image) -> Vec<String> {
    let build = image.build.as_ref();
    let dockerfile = dockerfile(image);
    let services = stack.services.iter().filter(|it| it.image == image.name);
    let stack_files = services.filter_map(|it| it.stack_file.as_ref());
    let stack_files: BTreeSet<String> = stack_files
        .map(|it| it.path.display().to_string())
        .collect();
    let files = Files {
        dockerfile: dockerfile.as_deref(),
        workflow: build
            .and_then(|build| build.github.as_ref())
            .map(|github| github.workflow.as_str()),
        stack_files: &stack_files.iter().map(String::as_str).collect::<Vec<_>>(),
    };
    procedure(verdict, &image.name, files).unwrap_or_default()
}
