//! A workflow of GitHub Actions that builds an image and pushes it, as
//! `imgstack build` does by hand: under three tags, of which the one that moves
//! comes last.
//!
//! It builds when what it builds from changes, on the image's schedule, and by
//! hand. What it is started with as the input `imgstack` stands in the run's
//! name, by which `imgstack rebuild` finds its run.
//!
//! What stands in the spec is never a part of a script: scripts read variables.
//! Actions are pinned to commits, since their tags may move. Nothing is cached:
//! a cached layer would keep the packages of its day, and the patches of a
//! weekly build are what it is made for.
//!
//! A tag of a commit or of a day is not overwritten here either. But a weekly
//! build has the commit of the last one, and must be pushed all the same: it
//! goes without the name that is taken. The tag that moves does not go back to an
//! older commit, so that an old run may be run again. No tag is given when the
//! base moved during the build, whose label would name another one.
//!
//! Deliberately absent: builds for several platforms, which the spec does not
//! name, and signatures.

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use imgstack_spec::{BuildSource, Image, ImageName, RegistryHost, Stack, Tag};
use thiserror::Error;

use super::actions::{
    Action, CHECKOUT, literal, pattern, scalar, script, step, step_with_id, string,
};

/// The registry for which a workflow has a credential of its own.
const GHCR: &str = "ghcr.io";
/// Where GitHub looks for workflows.
pub(super) const FOLDER: &str = ".github/workflows";
/// The branch that is built where the spec names none.
const MAIN: &str = "main";

const FACTS: &str = include_str!("workflow/facts.sh");
const TAGS: &str = include_str!("workflow/tags.sh");

const BUILDX: Action = Action {
    name: "docker/setup-buildx-action",
    commit: "37fe631027851001ddb9b187196cc803df7f5f0e",
    version: "v4.3.0",
};
const LOGIN: Action = Action {
    name: "docker/login-action",
    commit: "4907a6ddec9925e35a0a9e82d7399ccc52663121",
    version: "v4.1.0",
};
const BUILD: Action = Action {
    name: "docker/build-push-action",
    commit: "53b7df96c91f9c12dcc8a07bcb9ccacbed38856a",
    version: "v7.3.0",
};

/// Why no workflow is made.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum WorkflowError {
    /// The spec does not say from what.
    #[error("the image `{0}` has no `build` in the spec, which says from what it is built")]
    NoSource(ImageName),
    /// No tag is there to be moved.
    #[error("the image `{0}` follows a policy, so there is no tag that a build moves")]
    NoTag(ImageName),
    /// What GitHub does not get to see.
    #[error("{} is not below {}, the root of the repository", path.display(), root.display())]
    Outside { path: PathBuf, root: PathBuf },
    /// A path that no file of a repository has.
    #[error("{} cannot be written into a workflow", .0.display())]
    Path(PathBuf),
    /// A registry that the runners of GitHub do not reach.
    #[error("{0} is spoken to in plain http, which a workflow does not do")]
    Insecure(RegistryHost),
}

impl WorkflowError {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoSource(_) => {
                "write it at the image, such as `build: {context: docker}`".to_owned()
            }
            Self::NoTag(_) => {
                "let the spec follow a `tag`, or write the workflow by hand".to_owned()
            }
            Self::Outside { .. } => {
                "name the folder of the repository with --root, or let `build.context` be in it"
                    .to_owned()
            }
            Self::Path(_) => "give it a name of plain text".to_owned(),
            Self::Insecure(_) => {
                "push to a registry with TLS, or build by hand with imgstack build".to_owned()
            }
        }
    }
}

/// What the workflow is made of.
struct Parts<'a> {
    image: &'a Image,
    /// The one that every build moves.
    tag: &'a Tag,
    /// The workflow's own file, from the root of the repository.
    file: String,
    branch: &'a str,
    /// From the root of the repository; `.` is the root.
    context: String,
    dockerfile: String,
    schedule: Option<&'a str>,
    access: Access<'a>,
}

/// How the workflow logs in.
enum Access<'a> {
    /// As itself: the package is its owner's.
    Own,
    /// As this user, or one that a secret names, with a password that is a
    /// secret of the repository.
    Secret(Option<&'a str>),
}

/// The workflow of an image. `root` is the folder of the repository, where the
/// nearest one of git's above the spec is not meant.
///
/// # Errors
/// When the spec says too little, or what a workflow cannot do.
pub(crate) fn workflow(
    stack: &Stack,
    image: &Image,
    tag: &Tag,
    root: Option<&Path>,
) -> Result<String, WorkflowError> {
    let Some(source) = &image.build else {
        return Err(WorkflowError::NoSource(image.name.clone()));
    };
    let host = image.repository.host();
    if host.is_loopback()
        || stack
            .registry(host)
            .is_some_and(|registry| registry.insecure)
    {
        return Err(WorkflowError::Insecure(host.clone()));
    }
    let spec = absolute(&source.spec_folder);
    let root = root.map_or_else(|| root_above(&spec), absolute);
    let context = absolute(&source.folder());
    let github = source.github.as_ref();
    let file = github.map_or_else(
        || format!("build-{}.yml", image.name),
        |github| github.workflow.to_string(),
    );
    let parts = Parts {
        image,
        tag,
        file: format!("{FOLDER}/{file}"),
        branch: github.map_or(MAIN, |github| github.reference.as_str()),
        dockerfile: below(&root, &context.join(&source.dockerfile))?,
        context: below(&root, &context)?,
        schedule: source.schedule.as_ref().map(|it| it.as_str()),
        access: access(stack, image, source),
    };
    let mut out = preamble(&parts, source);
    triggers(&mut out, &parts);
    job(&mut out, &parts);
    Ok(out)
}

/// A workflow's own token may write its owner's packages.
fn access<'a>(stack: &'a Stack, image: &Image, source: &BuildSource) -> Access<'a> {
    let (host, path) = (image.repository.host(), image.repository.path());
    let owner = source.github.as_ref().map(|it| it.repository.owner());
    let own = owner.is_none_or(|owner| {
        let first = path.split('/').next().unwrap_or(path);
        first.eq_ignore_ascii_case(owner)
    });
    if host.as_str() == GHCR && own {
        return Access::Own;
    }
    let registry = stack.registry(host);
    Access::Secret(registry.and_then(|registry| registry.username.as_deref()))
}

/// The path without `.` and `..`, from the root of the file system. It need
/// not exist, so it is not looked at.
pub(super) fn absolute(path: &Path) -> PathBuf {
    // It fails for an empty path, which is this folder, and without a folder
    // to be in, where the path is all that is known.
    let whole = std::path::absolute(Path::new(".").join(path)).unwrap_or_else(|_| path.into());
    let mut plain = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The nearest folder of git's, or else the spec's.
pub(super) fn root_above(spec: &Path) -> PathBuf {
    let has_git = |folder: &&Path| folder.join(".git").exists();
    spec.ancestors().find(has_git).unwrap_or(spec).to_owned()
}

/// A path from the root of the repository, as git writes it.
pub(super) fn below(root: &Path, path: &Path) -> Result<String, WorkflowError> {
    let path = absolute(path);
    let Ok(rest) = path.strip_prefix(root) else {
        let root = root.to_owned();
        return Err(WorkflowError::Outside { path, root });
    };
    match rest.to_str() {
        None => Err(WorkflowError::Path(path)),
        Some("") => Ok(".".to_owned()),
        Some(rest) => Ok(rest.to_owned()),
    }
}

fn preamble(parts: &Parts<'_>, source: &BuildSource) -> String {
    let Parts {
        image,
        file,
        branch,
        ..
    } = parts;
    let (name, tag) = (&image.name, parts.tag);
    let mut out = format!("# Builds {name}");
    if let Some(purpose) = &image.purpose {
        let _ = write!(out, " ({purpose})");
    }
    let place = match &source.github {
        Some(github) => format!("{} on {branch}", github.repository),
        None => format!("the repository on {branch}"),
    };
    let _ = write!(
        out,
        " and pushes it.\n# Made by: imgstack generate workflow {name}\n#\n\
         # It belongs to {place}, as {file}.\n#\n\
         # `{tag}` is moved to every build, last of all, unless it leads to a newer commit's.\n\
         # `{tag}-<commit>` and `{tag}-<yyyymmdd>` stay with the first build that has them: a\n\
         # second build of a commit or of a day (UTC) goes without, and with neither it is\n\
         # named after its run.\n"
    );
    if let Access::Secret(user) = parts.access {
        let secrets = match user {
            Some(_) => "REGISTRY_PASSWORD",
            None => "REGISTRY_USERNAME and REGISTRY_PASSWORD",
        };
        let _ = write!(
            out,
            "#\n# It logs in at {} with secrets of the repository: {secrets}.\n",
            image.repository.host()
        );
    }
    if parts.schedule.is_some() {
        out.push_str(
            "#\n# GitHub keeps a schedule, which is in UTC, on the default branch alone.\n",
        );
    }
    out
}

fn triggers(out: &mut String, parts: &Parts<'_>) {
    let name = literal(&format!("Build {}", parts.image.name));
    let run = scalar(&format!(
        "Build {} ${{{{ inputs.imgstack }}}}",
        parts.image.name
    ));
    let _ = write!(
        out,
        "name: {name}\nrun-name: {run}\n\non:\n  push:\n    branches:\n      - {}\n    paths:\n",
        pattern(parts.branch, "")
    );
    let whole = parts.context == ".";
    let context = match whole {
        true => pattern("", "**"),
        false => pattern(&parts.context, "/**"),
    };
    let _ = writeln!(out, "      - {context}");
    if !whole {
        if !Path::new(&parts.dockerfile).starts_with(&parts.context) {
            let _ = writeln!(out, "      - {}", pattern(&parts.dockerfile, ""));
        }
        let _ = writeln!(out, "      - {}", pattern(&parts.file, ""));
    }
    if let Some(schedule) = parts.schedule {
        let _ = writeln!(out, "  schedule:\n    - cron: {}", scalar(schedule));
    }
    out.push_str(
        "  workflow_dispatch:\n    inputs:\n      imgstack:\n        \
         description: \"A mark in the name of the run, by which imgstack rebuild finds it\"\n        \
         type: string\n        required: false\n\n\
         # One build after another, so that the newest is the last to move the tag.\n\
         concurrency:\n  group: ${{ github.workflow }}\n  cancel-in-progress: false\n\n\
         permissions: {}\n\ndefaults:\n  run:\n    shell: bash\n\n",
    );
}

fn job(out: &mut String, parts: &Parts<'_>) {
    let image = parts.image;
    let base = image
        .base
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let packages = match parts.access {
        Access::Own => "      packages: write\n",
        Access::Secret(_) => "",
    };
    let wanted = format!("github.ref_name == {}", string(parts.branch));
    let _ = write!(
        out,
        "jobs:\n  build:\n    if: {}\n    runs-on: ubuntu-latest\n    timeout-minutes: 60\n    \
         permissions:\n      contents: read\n{packages}    env:\n      \
         REPOSITORY: {}\n      TAG: {}\n      BASE: {}\n      COMMIT: ${{{{ github.sha }}}}\n    steps:\n",
        scalar(&wanted),
        scalar(&image.repository.to_string()),
        scalar(parts.tag.as_str()),
        scalar(&base),
    );
    // Which of two commits is newer is in the history; of old files nothing is needed.
    let checkout = [
        ("persist-credentials", "false".to_owned()),
        ("fetch-depth", "0".to_owned()),
        ("filter", "blob:none".to_owned()),
    ];
    step(out, &CHECKOUT, &checkout);
    step(out, &BUILDX, &[]);
    step(out, &LOGIN, &login(parts));
    script(out, "Facts of the build", &["id: facts"], &[], FACTS);
    build(out, parts);
    let variables = [
        ("CREATED", "${{ steps.facts.outputs.created }}"),
        ("DIGEST", "${{ steps.build.outputs.digest }}"),
        ("BASE_DIGEST", "${{ steps.facts.outputs.base }}"),
    ];
    script(out, "Tags", &[], &variables, TAGS);
}

fn login(parts: &Parts<'_>) -> Vec<(&'static str, String)> {
    let host = scalar(parts.image.repository.host().as_str());
    let (username, password) = match parts.access {
        Access::Own => (
            "${{ github.actor }}".to_owned(),
            "${{ secrets.GITHUB_TOKEN }}",
        ),
        Access::Secret(user) => (
            user.map_or("${{ secrets.REGISTRY_USERNAME }}".to_owned(), literal),
            "${{ secrets.REGISTRY_PASSWORD }}",
        ),
    };
    vec![
        ("registry", host),
        ("username", username),
        ("password", password.to_owned()),
    ]
}

/// Pushed by its digest alone: which tags are free is not known before.
fn build(out: &mut String, parts: &Parts<'_>) {
    let labels = [
        ("created", "${{ steps.facts.outputs.created }}"),
        ("version", "${{ env.TAG }}"),
        ("revision", "${{ github.sha }}"),
        (
            "source",
            "${{ github.server_url }}/${{ github.repository }}",
        ),
        ("base.name", "${{ env.BASE }}"),
        ("base.digest", "${{ steps.facts.outputs.base }}"),
    ];
    let mut lines = "|\n".to_owned();
    for (name, value) in labels {
        let _ = writeln!(lines, "            org.opencontainers.image.{name}={value}");
    }
    let with = [
        ("context", literal(&parts.context)),
        ("file", literal(&parts.dockerfile)),
        ("pull", "true".to_owned()),
        ("provenance", "mode=max".to_owned()),
        (
            "outputs",
            "type=image,name=${{ env.REPOSITORY }},push-by-digest=true,name-canonical=true,push=true"
                .to_owned(),
        ),
        ("labels", lines.trim_end().to_owned()),
    ];
    step_with_id(out, &BUILD, Some("build"), &with);
}
