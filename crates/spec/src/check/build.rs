//! `base` and `build` of an image.

use std::path::PathBuf;

use super::{duration, image, path};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document;
use crate::model::{BuildSource, DEFAULT_DOCKERFILE, GitHubWorkflow};
use crate::schedule::ScheduleError;
use crate::section::{At, Context};
use crate::{GitHubError, GitHubRepository, GitRef, ImageRef, Schedule, WorkflowFile};

const BUILD: path::Purpose = path::Purpose {
    kind: Kind::Build,
    example: "write a path, such as `docker`, or `.`",
    instead: "clone it, and write the path of the folder",
};

/// The image that another is built on: its tag is followed, so that it needs
/// one, and a digest would never move.
pub(super) fn base(text: &At<String>, context: &mut Context<'_>) -> Option<ImageRef> {
    let finding = |message: String| Finding::new(Kind::Base, message);
    let told = match text.value.parse::<ImageRef>() {
        Ok(reference) => match (&reference.tag, &reference.digest) {
            (Some(_), None) => return Some(reference),
            (Some(_), Some(_)) => {
                let at = text.value.find('@').unwrap_or_default();
                let part = at..text.value.len();
                let place = context.source.within(text.span, &text.value, part);
                finding("a base is followed by its tag, and a digest never moves".to_owned())
                    .at(place, "a digest")
                    .did_you_mean(Some(&text.value[..at]))
            }
            (None, _) => {
                let name = text.value.split('@').next().unwrap_or_default();
                finding(format!("the base {} has no tag to follow", quoted(name)))
                    .at(text.span, "no tag")
                    .help(format!(
                        "write its tag, such as {}",
                        quoted(&format!("{name}:latest"))
                    ))
            }
        },
        Err(error) => {
            let place = image::wrong_part(text, &error, context);
            let finding = finding(error.to_string()).at(place, image::label(&error));
            match &error {
                crate::ReferenceError::Scheme { rest, .. } => finding.did_you_mean(Some(rest)),
                crate::ReferenceError::Uppercase { .. } => {
                    finding.did_you_mean(Some(&text.value.to_lowercase()))
                }
                _ => finding.help(
                    "write an image and its tag, such as `docker.io/library/postgres:16-alpine`",
                ),
            }
        }
    };
    context.findings.push(told);
    None
}

pub(super) fn source(
    build: &document::BuildSource,
    context: &mut Context<'_>,
) -> Option<BuildSource> {
    let folder = build.context.as_ref();
    let folder = folder.and_then(|text| path::of(text, "context", &BUILD, context));
    let dockerfile = match &build.dockerfile {
        Some(text) => path::of(text, "dockerfile", &BUILD, context),
        None => Some(PathBuf::from(DEFAULT_DOCKERFILE)),
    };
    let github = build.github.as_ref();
    let github = github.and_then(|github| self::github(github, context));
    let schedule = build.schedule.as_ref();
    let schedule = schedule.and_then(|text| self::schedule(&text.0, context));
    let maximum_age = build.maximum_age.as_ref();
    let maximum_age = maximum_age.and_then(|text| duration(&text.0, context));
    Some(BuildSource {
        context: folder?,
        dockerfile: dockerfile?,
        github,
        schedule,
        maximum_age,
        spec_folder: context.source.folder.clone(),
    })
}

fn github(github: &document::GitHub, context: &mut Context<'_>) -> Option<GitHubWorkflow> {
    let repository = github.repository.as_ref();
    let repository = repository.and_then(|text| named::<GitHubRepository>(text, context));
    let workflow = github.workflow.as_ref();
    let workflow = workflow.and_then(|text| named::<WorkflowFile>(text, context));
    let reference = match &github.reference {
        Some(text) => named::<GitRef>(text, context),
        None => Some(GitRef::default()),
    };
    Some(GitHubWorkflow {
        repository: repository?,
        workflow: workflow?,
        reference: reference?,
    })
}

/// Reads what GitHub has by a name.
fn named<T>(text: &At<String>, context: &mut Context<'_>) -> Option<T>
where
    T: std::str::FromStr<Err = GitHubError>,
{
    let error = match text.value.parse() {
        Ok(named) => return Some(named),
        Err(error) => error,
    };
    let (label, bare, example) = match error {
        GitHubError::Repository => (
            "not `owner/name`",
            repository_of(&text.value),
            "write it as `owner/name`",
        ),
        GitHubError::Workflow => (
            "not the name of a file",
            text.value.rsplit('/').next().unwrap_or_default().to_owned(),
            "write the name of the file alone, such as `build.yml`",
        ),
        GitHubError::Ref => (
            "not a branch",
            text.value.trim_start_matches("refs/heads/").to_owned(),
            "write the short name of a branch, such as `main`",
        ),
        GitHubError::Commit => (
            "a commit",
            String::new(),
            "write the branch whose last commit is built, such as `main`",
        ),
    };
    let finding = Finding::new(Kind::GitHub, error.to_string()).at(text.span, label);
    context.findings.push(match bare.parse::<T>() {
        Ok(_) => finding.did_you_mean(Some(&bare)),
        Err(_) => finding.help(example),
    });
    None
}

/// `owner/name` out of the addresses that GitHub shows for a repository.
fn repository_of(text: &str) -> String {
    let rest = text
        .rsplit_once("github.com")
        .map_or(text, |(_, rest)| rest);
    let rest = rest.trim_start_matches([':', '/']);
    let mut parts = rest.splitn(3, '/').take(2);
    let (owner, name) = (parts.next(), parts.next());
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(name);
    format!("{}/{name}", owner.unwrap_or_default())
}

fn schedule(text: &At<String>, context: &mut Context<'_>) -> Option<Schedule> {
    let error = match text.value.parse() {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Schedule, error.to_string());
    let weekly = "write minute, hour, day, month and day of the week, such as `\"0 4 * * 1\"`: Mondays at 04:00 UTC";
    context.findings.push(match &error {
        ScheduleError::Fields(_) => finding.at(text.span, "not a schedule").help(weekly),
        ScheduleError::Part {
            part, at, field, ..
        } => {
            let range = *at..at + part.len();
            let place = context.source.within(text.span, &text.value, range);
            let finding = finding.at(place, format!("no {field}"));
            match (part.as_str(), *field) {
                ("7", "day of the week") => finding.help("write `0` or `SUN` for Sunday"),
                _ => finding.help(weekly),
            }
        }
        ScheduleError::TooOften(..) => finding
            .at(text.span, "too often")
            .help("GitHub starts a workflow every five minutes at most"),
        ScheduleError::Never => finding
            .at(text.span, "never")
            .help("write a day that a month has, or another month"),
    });
    None
}
