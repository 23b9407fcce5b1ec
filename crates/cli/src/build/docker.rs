//! Docker's own programs: which of them build, and what they are told.
//!
//! With `docker buildx` it is BuildKit that builds. One that runs in an engine
//! leaves the build there, and the engine pushes it; one that runs elsewhere
//! pushes by itself, with provenance, under no tag at all. Without buildx it is
//! the engine's classic builder, which docker's client still drives.
//!
//! Which engine that is docker's own settings say, and not
//! `spec.swarm.endpoint`: builds need not be made on a manager.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use imgstack_spec::{Digest, Repository, Tag};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::error::BuildError;
use super::labels::PREFIX;
use super::login::Settings;
use super::program::{Ended, Heard, Said, ask, watch};
use super::work::Progress;

/// A builder that has to be started answers in less.
const LIMIT: Duration = Duration::from_secs(60);
/// With 0 a user wants the classic builder.
const BUILDKIT: &str = "DOCKER_BUILDKIT";

/// Who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builder {
    /// The engine's BuildKit, by buildx.
    BuildxInEngine,
    /// A BuildKit of its own, by buildx; it pushes what it builds.
    BuildxApart,
    /// The engine's classic builder.
    Classic,
}

/// What is to be built.
pub(super) struct Order<'a> {
    pub(super) context: &'a Path,
    pub(super) dockerfile: &'a Path,
    pub(super) labels: &'a [(&'static str, String)],
    pub(super) repository: &'a Repository,
    /// The name that it has in an engine.
    pub(super) tag: &'a Tag,
    /// Whether it leaves for the registry.
    pub(super) push: bool,
    /// Whether that is spoken to in plain http.
    pub(super) insecure: bool,
}

/// Where a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Built {
    /// In the engine, by the ID of the image.
    InEngine(String),
    /// In the registry, under no tag.
    InRegistry(Digest),
}

/// Docker, as it is found here.
pub(super) struct Docker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) builder: Builder,
}

/// The part of what buildx writes about a build that is of use.
#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "containerimage.digest")]
    digest: Option<Digest>,
}

impl Builder {
    /// Who it is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::BuildxInEngine => "docker buildx, in the engine",
            Self::BuildxApart => "docker buildx, in a builder of its own",
            Self::Classic => "the engine's classic builder",
        }
    }
}

impl<'a> Docker<'a> {
    /// Looks who builds here.
    pub(super) async fn find(settings: &'a Settings) -> Result<Self, BuildError> {
        let mut docker = Self {
            settings,
            builder: Builder::Classic,
        };
        let wants_classic = std::env::var(BUILDKIT).is_ok_and(|it| it == "0");
        let version = docker.ask(&["buildx", "version"]).await?;
        if wants_classic || !version.success {
            return Ok(docker);
        }
        let said = docker.ask(&["buildx", "inspect"]).await?;
        if !said.success {
            return Err(BuildError::Builder(said.complaint()));
        }
        docker.builder = match driver(&said.stdout) {
            Some("docker") => Builder::BuildxInEngine,
            Some(_) => Builder::BuildxApart,
            None => return Err(BuildError::Builder("it names no driver".to_owned())),
        };
        Ok(docker)
    }

    /// Builds, and tells how it goes on.
    pub(super) async fn build(
        &self,
        order: &Order<'_>,
        tell: &(dyn Fn(Progress) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Built, BuildError> {
        let folder = tempfile::tempdir().map_err(BuildError::Folder)?;
        let mut command = self.command();
        command.args(arguments(self.builder, order, &folder));
        let ended = self.watch(command, "building", tell, cancel).await?;
        if !ended.success {
            return Err(BuildError::Failed);
        }
        built(self.builder, order, &folder)
    }

    /// Has the engine push a tag; the digest that it then leads to.
    pub(super) async fn push(
        &self,
        name: &str,
        tell: &(dyn Fn(Progress) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Digest, BuildError> {
        let mut command = self.command();
        command.args(["push", name]);
        let ended = self.watch(command, "pushing", tell, cancel).await?;
        match (ended.success, pushed(&ended.lines)) {
            (true, Some(digest)) => Ok(digest),
            (true, None) => Err(BuildError::NoDigest),
            (false, _) => Err(BuildError::NotPushed(ended.lines)),
        }
    }

    async fn watch(
        &self,
        command: Command,
        doing: &'static str,
        tell: &(dyn Fn(Progress) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Ended, BuildError> {
        let began = Instant::now();
        let heard = |heard: Heard<'_>| {
            tell(match heard {
                Heard::Line(line) => Progress::Line(line.to_owned()),
                Heard::Silence => Progress::Still(doing, began.elapsed()),
            });
        };
        let ended = watch(command, &heard, cancel).await.map_err(not_run)?;
        match ended.interrupted {
            true => Err(BuildError::Interrupted),
            false => Ok(ended),
        }
    }

    async fn ask(&self, arguments: &[&str]) -> Result<Said, BuildError> {
        let mut command = self.command();
        command.args(arguments);
        ask(command, LIMIT).await.map_err(not_run)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        self.settings.apply(&mut command);
        command
    }
}

fn not_run(error: io::Error) -> BuildError {
    match error.kind() {
        ErrorKind::NotFound => BuildError::NoDocker,
        _ => BuildError::Docker(error.to_string()),
    }
}

/// The driver of a builder, in what `buildx inspect` prints.
fn driver(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("Driver:"));
    line.map(str::trim).filter(|driver| !driver.is_empty())
}

fn metadata(folder: &TempDir) -> PathBuf {
    folder.path().join("metadata.json")
}

fn image_id(folder: &TempDir) -> PathBuf {
    folder.path().join("id")
}

fn arguments(builder: Builder, order: &Order<'_>, folder: &TempDir) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let mut arguments: Vec<String> = match builder {
        Builder::Classic => vec!["build".into()],
        Builder::BuildxInEngine | Builder::BuildxApart => {
            ["buildx", "build", "--progress", "plain"]
                .map(str::to_owned)
                .into()
        }
    };
    // What the base is now, whatever was pulled once.
    arguments.push("--pull".into());
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    add("--file", path(order.dockerfile));
    for (name, value) in order.labels {
        add("--label", format!("{PREFIX}{name}={value}"));
    }
    add("--iidfile", path(&image_id(folder)));
    let (repository, tag) = (order.repository, order.tag);
    match builder {
        Builder::BuildxApart if order.push => {
            let insecure = if order.insecure {
                ",registry.insecure=true"
            } else {
                ""
            };
            add("--metadata-file", path(&metadata(folder)));
            add(
                "--output",
                format!(
                    "type=image,name={repository},push-by-digest=true,name-canonical=true,push=true{insecure}"
                ),
            );
        }
        Builder::BuildxApart | Builder::BuildxInEngine => {
            add("--tag", format!("{repository}:{tag}"));
            arguments.push("--load".into());
        }
        Builder::Classic => add("--tag", format!("{repository}:{tag}")),
    }
    arguments.push(path(order.context));
    arguments
}

/// What was built, in what the builder wrote down.
fn built(builder: Builder, order: &Order<'_>, folder: &TempDir) -> Result<Built, BuildError> {
    let read = |path: PathBuf| std::fs::read_to_string(path).map_err(BuildError::Folder);
    if builder == Builder::BuildxApart && order.push {
        let text = read(metadata(folder))?;
        let metadata: Option<Metadata> = serde_json::from_str(&text).ok();
        let digest = metadata.and_then(|it| it.digest);
        return digest.map(Built::InRegistry).ok_or(BuildError::NoDigest);
    }
    Ok(Built::InEngine(read(image_id(folder))?.trim().to_owned()))
}

/// The digest in what `docker push` says at its end:
/// `16: digest: sha256:9f31… size: 1234`.
fn pushed(lines: &[String]) -> Option<Digest> {
    lines.iter().rev().find_map(|line| {
        let (_, rest) = line.split_once(": digest: ")?;
        rest.split(' ').next()?.parse().ok()
    })
}
