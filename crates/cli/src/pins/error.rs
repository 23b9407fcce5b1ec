//! Why a build is not held.

use std::path::PathBuf;

use imgstack_planner::Trouble;
use imgstack_spec::edit::EditError;
use imgstack_spec::{Digest, ImageName, Tag};
use thiserror::Error;

/// Why no file was changed.
#[derive(Debug, Error)]
pub(crate) enum PinError {
    /// A tag that leads elsewhere tomorrow.
    #[error("`{tag}` moves with the builds of image.{image}, so that it holds none of them")]
    Moves {
        image: ImageName,
        tag: Tag,
        /// The build that it leads to now, if that is known.
        digest: Option<Digest>,
    },
    /// It is not there, or the registry does not say.
    #[error("{}", .0.why)]
    NoBuild(Trouble),
    /// A beginning of several digests.
    #[error("{} builds begin with {}", .1.len(), .0)]
    Several(String, Vec<Digest>),
    /// The journal knows of none, and nobody named one.
    #[error("the journal knows of no other good build of image.{0} to go back to")]
    NoGoodBuild(ImageName),
    /// Which build is before the pin the journal does not tell.
    #[error("image.{image} is pinned already, so the build to go back to is to be named")]
    Pinned {
        image: ImageName,
        /// The last good build beside the pin, which may be newer.
        last: Option<Digest>,
    },
    /// What the spec asks for now is not known, so neither is what is another.
    #[error("which build image.{image} is to run now is not known: {}", trouble.why)]
    Unknown { image: ImageName, trouble: Trouble },
    /// The spec is no file.
    #[error("image.{0} is defined on standard input, where no pin can be written")]
    NoFile(ImageName),
    /// There is no place for the line in the spec.
    #[error("{}: {cause}; nothing was written", file.display())]
    Edit {
        file: PathBuf,
        cause: Box<EditError>,
    },
    /// The spec could not be written.
    #[error("cannot write {}: {cause}; nothing was written", file.display())]
    Write { file: PathBuf, cause: String },
    /// The services would go to another major version.
    #[error("image.{0} would go to another major version, see above; nothing was written")]
    Major(ImageName),
}

impl PinError {
    /// What helps.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Moves {
                image,
                digest: Some(digest),
                ..
            } => Some(format!(
                "hold the build that it leads to now: imgstack pin {image} {digest}"
            )),
            Self::Moves { image, .. } => Some(format!(
                "hold a build by a tag that stays, such as `16-abc1234`: imgstack tags {image}"
            )),
            Self::NoBuild(trouble) => trouble.hint.clone(),
            Self::Several(_, found) => {
                let all: Vec<_> = found.iter().map(Digest::as_str).collect();
                Some(format!("write more of it: {}", all.join(", ")))
            }
            Self::NoGoodBuild(image) => Some(format!(
                "name a build: imgstack tags {image}; then: imgstack rollback {image} --to BUILD"
            )),
            Self::Pinned { image, last } => Some(match last {
                Some(digest) => {
                    format!("the last good one beside it: imgstack rollback {image} --to {digest}")
                }
                None => format!(
                    "name a build: imgstack tags {image}; then: imgstack rollback {image} --to BUILD"
                ),
            }),
            Self::Unknown { trouble, .. } => trouble.hint.clone(),
            Self::NoFile(_) => Some("name the file of the spec with -f".to_owned()),
            Self::Edit { cause, .. } => Some(cause.hint()),
            Self::Write { .. } => {
                Some("look at the file, and run the same command again".to_owned())
            }
            Self::Major(image) => Some(format!(
                "when the data is ready for it, add `--allow-major {image}`"
            )),
        }
    }
}
