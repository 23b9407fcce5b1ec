//! The whole way of a build: what it is, whether its tags are free, building,
//! pushing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use imgstack_registry::oci::Client;
use imgstack_spec::{BuildSource, Digest, Image, Registry, Tag};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::base::{self, Base};
use super::docker::{Builder, Built, Docker, Order};
use super::error::BuildError;
use super::git::{self, Commit};
use super::labels::{Told, labels};
use super::login::Settings;
use super::names::Names;
use super::older;
use super::push::{Tagged, Tagging, tag};
use super::taken::{self, Todo, leads_to_if_any};

/// When a build counts as made, for builds that can be made again.
const EPOCH: &str = "SOURCE_DATE_EPOCH";
/// So many changed files are named.
const NAMED: usize = 3;

/// What is to be built, and where it goes.
pub(crate) struct Job<'a> {
    pub(crate) image: &'a Image,
    pub(crate) goal: Goal<'a>,
    /// All images of the spec with this repository, this one included.
    pub(crate) siblings: &'a [&'a Image],
    /// What the spec says of the image's registry.
    pub(crate) registry: Option<&'a Registry>,
    pub(crate) client: &'a Client,
    pub(crate) wish: Wish,
    pub(crate) now: Timestamp,
}

/// Under which tags the build goes.
#[derive(Clone, Debug)]
pub(crate) enum Goal<'a> {
    /// Under three, of which this one moves: services follow it.
    Release(&'a Tag),
    /// Under this one alone.
    Trial(Tag),
}

impl Goal<'_> {
    /// The one that it is named after.
    pub(crate) fn tag(&self) -> &Tag {
        match self {
            Self::Release(tag) => tag,
            Self::Trial(tag) => tag,
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The build leaves for the registry.
    pub(crate) push: bool,
    /// The tag of the commit also where something has changed since.
    pub(crate) allow_dirty: bool,
    /// The moving tag may go back to an older commit.
    pub(crate) allow_older: bool,
}

/// What happens meanwhile.
pub(crate) enum Progress {
    /// Something that a person should know; what helps.
    Warning(String, Option<String>),
    /// Building has begun, by whom.
    Building(&'static str),
    /// A line of docker's.
    Line(String),
    /// It goes on without a word.
    Still(&'static str, Duration),
    /// The build is there.
    Built(Duration),
    /// The build has been in the registry since an earlier push.
    Found(Digest),
    /// Pushing the build has begun.
    Pushing(Tag),
    /// A tag leads to the build.
    Pushed(Tag),
}

/// What a build is, but for its content.
pub(crate) struct Facts {
    pub(crate) created: Timestamp,
    pub(crate) commit: Option<Commit>,
    pub(crate) source: Option<String>,
    pub(crate) base: Option<Base>,
}

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagState {
    /// It was given now.
    Pushed,
    /// It leads to the build, since before or as far as one can see.
    There,
    /// It does not lead to the build.
    Missing,
    /// It was to be given, and no answer came: it may lead to the build.
    NotKnown,
    /// It was not given, since something failed before.
    NotGiven,
    /// It stays with an earlier build of the same commit, this one.
    Left(Digest),
    /// Only the engine knows it.
    Local,
}

/// What became of the whole.
pub(crate) struct Outcome {
    pub(crate) facts: Facts,
    /// In the registry.
    pub(crate) digest: Option<Digest>,
    /// In the engine.
    pub(crate) image_id: Option<String>,
    pub(crate) tags: Vec<(Tag, TagState)>,
    /// Why not all tags are there.
    pub(crate) failure: Option<BuildError>,
}

/// Builds and pushes.
///
/// # Errors
/// Why nothing is in the registry. What stops it later is in the outcome.
pub(crate) async fn run(
    job: &Job<'_>,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Outcome, BuildError> {
    let place = Place::of(job)?;
    let facts = tokio::select! {
        facts = facts(job, &place, tell) => facts?,
        () = cancel.cancelled() => return Err(BuildError::Interrupted),
    };
    let todo = tokio::select! {
        todo = todo(job, &place, &facts, tell) => todo?,
        () = cancel.cancelled() => return Err(BuildError::Interrupted),
    };
    match todo {
        Todo::Build(names) => make(job, &place, facts, &names, tell, cancel).await,
        Todo::Finish(digest, names) => {
            tell(Progress::Found(digest.clone()));
            let done = tag_all(job, &names, &digest, tell, cancel).await;
            Ok(outcome(facts, digest, done))
        }
    }
}

/// What is built from.
struct Place {
    context: PathBuf,
    dockerfile: PathBuf,
    /// What stands in it.
    text: String,
}

impl Place {
    fn of(job: &Job<'_>) -> Result<Self, BuildError> {
        let source = source(job)?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(BuildError::Folder);
        let context = absolute(&source.folder())?;
        let not_there = |what, path: &Path, why: String| BuildError::NotThere {
            what,
            path: path.to_owned(),
            why,
        };
        match std::fs::metadata(&context) {
            Ok(data) if data.is_dir() => {}
            Ok(_) => return Err(not_there("build.context", &context, "is no folder".into())),
            Err(error) => return Err(not_there("build.context", &context, error.to_string())),
        }
        let dockerfile = context.join(&source.dockerfile);
        let text = std::fs::read_to_string(&dockerfile)
            .map_err(|error| not_there("build.dockerfile", &dockerfile, error.to_string()))?;
        Ok(Self {
            context,
            dockerfile,
            text,
        })
    }
}

fn source<'a>(job: &Job<'a>) -> Result<&'a BuildSource, BuildError> {
    let source = job.image.build.as_ref();
    source.ok_or_else(|| BuildError::NoSource(job.image.name.clone()))
}

async fn facts(
    job: &Job<'_>,
    place: &Place,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Facts, BuildError> {
    let created = created(job.now)?;
    let tree = git::look_built(&place.context, &place.dockerfile).await;
    let wants_commit = matches!(job.goal, Goal::Release(_));
    match &tree {
        Err(why) if wants_commit => {
            let why = format!("{why}: there will be no tag of a commit");
            tell(Progress::Warning(why, None));
        }
        Ok(tree) if tree.commit.is_dirty() && wants_commit => tell(dirty(job, &tree.commit)),
        Err(_) | Ok(_) => {}
    }
    let (commit, remote) = match tree {
        Ok(tree) => (Some(tree.commit), tree.source),
        Err(_) => (None, None),
    };
    let github = source(job)?.github.as_ref();
    let github = github.map(|github| format!("https://github.com/{}", github.repository));
    let base = match &job.image.base {
        Some(base) => base::find(base, &place.text, job.client, tell).await,
        None => None,
    };
    Ok(Facts {
        created,
        commit,
        source: github.or(remote),
        base,
    })
}

fn dirty(job: &Job<'_>, commit: &Commit) -> Progress {
    let mut named: Vec<&str> = commit.changed.iter().map(String::as_str).collect();
    let more = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (named, short) = (named.join(", "), commit.short());
    let tag = format!("`{}-{short}`", job.goal.tag());
    match job.wish.allow_dirty {
        true => Progress::Warning(
            format!(
                "not in commit {short}: {named}{more}; {tag} will lead to the build all the same"
            ),
            None,
        ),
        false => Progress::Warning(
            format!("not in commit {short}: {named}{more}; there will be no tag {tag}"),
            Some(
                "commit it, or name it in .dockerignore; or, if it is to be so, add --allow-dirty"
                    .to_owned(),
            ),
        ),
    }
}

/// When the build counts as made, to the second.
fn created(now: Timestamp) -> Result<Timestamp, BuildError> {
    let set = std::env::var(EPOCH).ok();
    // An empty variable is one that somebody meant to unset.
    let Some(text) = set.filter(|text| !text.is_empty()) else {
        return Ok(now);
    };
    let seconds = text.trim().parse().ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or(BuildError::Epoch(text))
}

/// Whether the build may be pushed, and under which names; before it is made,
/// since that may take long.
async fn todo(
    job: &Job<'_>,
    place: &Place,
    facts: &Facts,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Todo, BuildError> {
    if job.wish.push {
        job.client.may_push(&job.image.repository).await?;
    }
    match &job.goal {
        Goal::Trial(tag) => {
            if job.wish.push {
                taken::trial(job, tag).await?;
            }
            Ok(Todo::Build(Names::trial(tag)))
        }
        Goal::Release(tag) if job.wish.push => {
            let moving = older::check(job, tag, &place.context, facts, tell).await?;
            taken::look(job, tag, facts, moving.as_ref(), tell).await
        }
        Goal::Release(tag) => {
            let commit = facts.commit.as_ref();
            let named = commit.filter(|commit| !commit.is_dirty() || job.wish.allow_dirty);
            Ok(Todo::Build(Names::of(tag, named, facts.created)?))
        }
    }
}

async fn make(
    job: &Job<'_>,
    place: &Place,
    facts: Facts,
    names: &Names,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Outcome, BuildError> {
    let (image, tags) = (job.image, names.in_order());
    let repository = &image.repository;
    let credential = job.client.credential(repository.host()).await?;
    let settings = Settings::with(repository.host(), credential.as_deref())?;
    let docker = tokio::select! {
        docker = Docker::find(&settings) => docker?,
        () = cancel.cancelled() => return Err(BuildError::Interrupted),
    };
    let base = facts.base.as_ref();
    let labels = labels(&Told {
        created: facts.created,
        version: job.image.tag().unwrap_or(job.goal.tag()),
        commit: facts.commit.as_ref(),
        source: facts.source.as_deref(),
        base: base.map(|base| (&base.name, &base.digest)),
    });
    // There is always one.
    let first = tags.first().unwrap_or(job.goal.tag());
    let order = Order {
        context: &place.context,
        dockerfile: &place.dockerfile,
        labels: &labels,
        repository,
        tag: first,
        push: job.wish.push,
        insecure: job.registry.is_some_and(|registry| registry.insecure),
    };
    tell(Progress::Building(docker.builder.words()));
    let began = Instant::now();
    let built = docker.build(&order, tell, cancel).await?;
    tell(Progress::Built(began.elapsed()));
    if let (Built::InEngine(id), false) = (&built, job.wish.push) {
        return Ok(Outcome {
            facts,
            digest: None,
            image_id: Some(id.clone()),
            tags: vec![(first.clone(), TagState::Local)],
            failure: None,
        });
    }
    base::still(base, job.client).await?;
    let digest = match built {
        Built::InRegistry(digest) => digest,
        Built::InEngine(_) => {
            let moves = names.moving.as_ref() == Some(first);
            push_first(job, first, moves, &docker, tell, cancel).await?
        }
    };
    let mut done = tag_all(job, names, &digest, tell, cancel).await;
    if docker.builder != Builder::BuildxApart {
        // The engine has pushed it just now.
        for (_, state) in done.tags.iter_mut().filter(|(tag, _)| tag == first) {
            *state = TagState::Pushed;
        }
    }
    Ok(outcome(facts, digest, done))
}

/// Has the engine push the build under its first tag, if that is free still.
async fn push_first(
    job: &Job<'_>,
    first: &Tag,
    moves: bool,
    docker: &Docker<'_>,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Digest, BuildError> {
    let repository = &job.image.repository;
    if !moves && let Some(digest) = leads_to_if_any(job.client, repository, first).await? {
        let tag = first.clone();
        return Err(BuildError::Overtaken { tag, digest });
    }
    tell(Progress::Pushing(first.clone()));
    let name = format!("{repository}:{first}");
    let digest = docker.push(&name, tell, cancel).await?;
    tell(Progress::Pushed(first.clone()));
    Ok(digest)
}

async fn tag_all(
    job: &Job<'_>,
    names: &Names,
    digest: &Digest,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Tagged {
    let what = Tagging {
        repository: &job.image.repository,
        digest,
        names,
    };
    tag(&what, job.client, tell, cancel).await
}

fn outcome(facts: Facts, digest: Digest, done: Tagged) -> Outcome {
    Outcome {
        facts,
        digest: Some(digest),
        image_id: None,
        tags: done.tags,
        failure: done.failure,
    }
}
