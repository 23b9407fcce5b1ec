//! Workflows: each builds one image, under one tag and from one folder. Two
//! images with one workflow are told where that cannot be so.
//!
//! Only within a document: what its folders are relative to is one.

use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{Image, Spec};
use crate::section::{At, Context};

/// An image that a workflow builds.
struct Built<'d> {
    image: &'d Image,
    workflow: &'d At<String>,
    /// Owner and name are the same to GitHub in any case.
    key: (String, &'d str, &'d str),
}

pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    let images = spec.images.iter().flat_map(|list| &list.value);
    let built: Vec<Built<'_>> = images.filter_map(built).collect();
    for (at, later) in built.iter().enumerate() {
        let same = |earlier: &&Built<'_>| earlier.key == later.key;
        let Some(first) = built[..at].iter().find(same) else {
            continue;
        };
        if let Some(other) = difference(first.image, later.image) {
            context.findings.push(finding(first, later, other));
        }
    }
}

fn built(image: &Image) -> Option<Built<'_>> {
    let github = image.keys.build.as_ref()?.github.as_ref()?;
    let workflow = github.workflow.as_ref()?;
    let repository = github.repository.as_ref()?.value.to_lowercase();
    let branch = github.reference.as_ref().map_or("main", |it| &it.value);
    Some(Built {
        image,
        workflow,
        key: (repository, workflow.value.as_str(), branch),
    })
}

/// What one workflow cannot give to both.
fn difference(one: &Image, other: &Image) -> Option<&'static str> {
    let tag = |image: &Image| image.keys.tag.as_ref().map(|tag| tag.0.value.clone());
    let folder = |image: &Image| {
        let build = image.keys.build.as_ref()?;
        Some(build.context.as_ref()?.value.clone())
    };
    let differ = |one: Option<String>, other: Option<String>| {
        one.zip(other).is_some_and(|(one, other)| one != other)
    };
    if differ(tag(one), tag(other)) {
        Some("another `tag`")
    } else if differ(folder(one), folder(other)) {
        Some("another `context`")
    } else {
        None
    }
}

fn finding(first: &Built<'_>, later: &Built<'_>, other: &str) -> Finding {
    let name = |built: &Built<'_>| {
        let name = built.image.keys.name.as_ref();
        quoted(name.map_or("", |name| &name.value))
    };
    let message = format!(
        "{} and {} are built by one workflow, and have {other}",
        name(first),
        name(later)
    );
    Finding::new(Kind::GitHub, message)
        .at(later.workflow.span, "again here")
        .at(first.workflow.span, "first here")
        .help("a workflow builds one image under one tag: give each of the two its own file")
}
