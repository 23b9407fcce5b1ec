//! Why there is no build, or why it is not under its tags; and what helps.

use std::path::PathBuf;

use imgstack_registry::oci;
use imgstack_spec::{Digest, ImageName, ImageRef, ReferenceError, Tag};
use thiserror::Error;

/// Why a build was not made or not pushed.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    /// The spec does not say from what.
    #[error("the image `{0}` has no `build` in the spec, which says from what it is built")]
    NoSource(ImageName),
    /// No tag is there to be moved, and none was typed.
    #[error("the image `{0}` follows a policy, so there is no tag that a build moves")]
    NoTag(ImageName),
    /// No such folder or file.
    #[error("{what}: {} {why}", path.display())]
    NotThere {
        what: &'static str,
        path: PathBuf,
        why: String,
    },
    /// A variable that says when now is, and cannot be read.
    #[error("SOURCE_DATE_EPOCH is `{0}`, and not a number of seconds")]
    Epoch(String),
    /// A tag that cannot be one.
    #[error("the build cannot be named: {0}")]
    Name(#[from] ReferenceError),
    /// A trial under a tag that somebody relies on.
    #[error("`{tag}` is not for a trial: {}", by.words(image))]
    Relied {
        tag: Tag,
        /// Whose tag it is.
        image: ImageName,
        by: Reliance,
        /// The tag that the services of the built image follow.
        followed: Option<Tag>,
    },
    /// Whether a tag is there is refused to be told.
    #[error("whether `{tag}` leads to a build already is not known: {cause}")]
    Unreadable { tag: Tag, cause: Box<oci::Error> },
    /// The tag would go back.
    #[error(
        "commit {here} is older than {there}, of which the build is that `{tag}` leads to ({digest})"
    )]
    Older {
        tag: Tag,
        here: String,
        there: String,
        digest: Digest,
    },
    /// A tag that never moves leads to another build.
    #[error(
        "`{tag}` leads to another build already ({digest}{facts}), and such a tag is never overwritten"
    )]
    Taken {
        image: ImageName,
        tag: Tag,
        digest: Digest,
        /// Where that comes from, in words.
        facts: String,
        /// What of the tag is the same for both builds.
        same: Same,
    },
    /// A newer build is under the moving tag.
    #[error(
        "the build of this commit is in the registry ({digest}), and `{tag}` leads to a newer one by now"
    )]
    MovedOn { tag: Tag, digest: Digest },
    /// The base has moved while it was built on.
    #[error("{base} has moved while the build was made, so that it cannot be told on which it is")]
    BaseMoved { base: ImageRef },
    /// No docker.
    #[error("docker's client is not installed, or not in PATH")]
    NoDocker,
    /// Docker cannot be run.
    #[error("docker cannot be run: {0}")]
    Docker(String),
    /// No builder.
    #[error("docker buildx has no builder that works: {0}")]
    Builder(String),
    /// Docker's settings cannot be read.
    #[error("docker's settings in {}: {cause}", path.display())]
    Settings { path: PathBuf, cause: String },
    /// No temporary folder.
    #[error("a temporary folder cannot be used: {0}")]
    Folder(std::io::Error),
    /// The build failed; docker has said why.
    #[error("the build failed")]
    Failed,
    /// Docker did not push; its last words.
    #[error("docker could not push: {}", .0.last().map_or("it says nothing", String::as_str))]
    NotPushed(Vec<String>),
    /// It was pushed, and as what is not said.
    #[error("docker does not tell which digest it has pushed")]
    NoDigest,
    /// The registry.
    #[error(transparent)]
    Registry(#[from] oci::Error),
    /// Somebody else's build took a tag while this one was made.
    #[error("`{tag}` leads to another build since a moment ago ({digest})")]
    Overtaken { tag: Tag, digest: Digest },
    /// A stop was asked for.
    #[error("interrupted")]
    Interrupted,
}

/// What two builds have in common that have one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Same {
    /// The commit.
    Commit,
    /// The day.
    Day,
    /// The name alone.
    Name,
}

/// How an image relies on a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliance {
    /// Its services follow it.
    Followed,
    /// The spec holds it.
    Pinned,
    /// Its builds are named so, and such a name never moves.
    Audit,
    /// Its policy may choose it.
    Policy,
}

impl Reliance {
    fn words(self, image: &ImageName) -> String {
        match self {
            Self::Followed => format!("it is the tag that services of `{image}` follow"),
            Self::Pinned => format!("`{image}` is pinned to it"),
            Self::Audit => format!("builds of `{image}` are named so, and never overwritten"),
            Self::Policy => format!("the policy of `{image}` may choose it"),
        }
    }
}

impl BuildError {
    /// What helps.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSource(_) => {
                "write it at the image, such as `build: {context: docker}`".to_owned()
            }
            Self::NoTag(_) => {
                "for a trial name one: --tag NAME; or let the spec follow a `tag`".to_owned()
            }
            Self::NotThere { .. } => {
                "`context` is relative to the spec, and `dockerfile` to the context".to_owned()
            }
            Self::Epoch(_) => "unset it, or let it be a time such as 1770609600".to_owned(),
            Self::Name(_) | Self::Interrupted => return None,
            Self::Relied { followed, .. } => format!(
                "write another name, such as --tag {}",
                trial_name(followed.as_ref())
            ),
            Self::Unreadable { .. } => {
                "let the credential read what it pushes; nothing was built".to_owned()
            }
            Self::Older { tag, .. } => format!(
                "check out the newest commit; or, if `{tag}` is to go back, add --allow-older"
            ),
            Self::Taken {
                image, tag, same, ..
            } => taken(image, tag, *same),
            Self::MovedOn { tag, .. } => format!(
                "what `{tag}` leads to was built later; build the newest commit, or pin this \
                 build in the spec: `pin:` and its digest"
            ),
            Self::BaseMoved { .. } => "nothing was pushed: run it again".to_owned(),
            Self::NoDocker => {
                "install docker's client; the engine may be elsewhere (DOCKER_HOST)".to_owned()
            }
            Self::Docker(_) => "see whether `docker version` works".to_owned(),
            Self::Builder(_) => "see: docker buildx inspect --bootstrap; or set \
                 DOCKER_BUILDKIT=0 for the engine's classic builder"
                .to_owned(),
            Self::Settings { .. } => "check the file; nothing was changed in it".to_owned(),
            Self::Folder(_) => "check TMPDIR and the disk".to_owned(),
            Self::Failed => "see what docker says above; nothing was pushed".to_owned(),
            Self::NotPushed(lines) => return not_pushed(lines),
            Self::NoDigest => "see whether the builder can be updated".to_owned(),
            Self::Registry(oci::Error::UnsupportedToken { origin, .. }) => format!(
                "make a classic personal access token with `write:packages` and put it into \
                 {origin}; fine-grained tokens do not work there"
            ),
            Self::Registry(error) => error.hint(),
            Self::Overtaken { .. } => {
                "somebody else, such as a workflow, builds the same: see what is there".to_owned()
            }
        })
    }
}

fn taken(image: &ImageName, tag: &Tag, same: Same) -> String {
    let trial = format!("try this build under a name of its own: imgstack build {image} --tag");
    match same {
        Same::Commit => format!(
            "give the build a commit of its own (`git commit --allow-empty`, if nothing has \
             changed); or {trial} NAME"
        ),
        Same::Day => format!(
            "a day (UTC) has one commit's build: push the next one tomorrow; or {trial} NAME"
        ),
        Same::Name => format!(
            "write another name than `{tag}`; one with `trial` in it may be moved, such as \
             --tag {}",
            trial_name(None)
        ),
    }
}

/// A name that may be moved.
fn trial_name(followed: Option<&Tag>) -> String {
    followed.map_or("trial".to_owned(), |tag| format!("{tag}-trial"))
}

/// The engine passes on what a registry says, in words alone.
fn not_pushed(lines: &[String]) -> Option<String> {
    let said = lines.join("\n").to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    Some(if any(&["write_package", "denied", "insufficient_scope"]) {
        "the account may not push there: give it write access in the package's settings, under \
         Manage Actions access or Manage access; a token needs `write:packages`"
            .to_owned()
    } else if any(&["unauthorized", "no basic auth credentials"]) {
        "the registry does not take the credential: see imgstack auth check".to_owned()
    } else if any(&["server gave http response to https client"]) {
        "the engine wants https: name the registry in `insecure-registries` of its daemon.json"
            .to_owned()
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_when_docker_cannot_push() {
        let table = [
            (
                "denied: permission_denied: write_package",
                Some("`write:packages`"),
            ),
            ("unauthorized: authentication required", Some("auth check")),
            (
                "Get \"https://10.77.0.1:5000/v2/\": http: server gave HTTP response to HTTPS client",
                Some("insecure-registries"),
            ),
            ("dial tcp: i/o timeout", None),
        ];
        for (said, expected) in table {
            let error = BuildError::NotPushed(vec!["a: Waiting".to_owned(), said.to_owned()]);
            assert!(error.to_string().ends_with(said), "{error}");
            let hint = error.hint();
            assert_eq!(hint.is_some(), expected.is_some(), "{said}");
            assert!(
                hint.unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        }
    }
}
