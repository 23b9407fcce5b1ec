//! The image of a service in a stack file, as docker's `stack deploy` and
//! Compose read it.
//!
//! Several services often take their image from one place: an anchor, a merge
//! key, `extends`. That place is edited when all of them are to have the new
//! image, and left alone otherwise.
//!
//! Deliberately absent: other files, be they named by `include` or `extends`,
//! and what variables stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::entry;
use super::error::{Origin, Subject, UnreadImage};
use super::interpolation::{Obstacle, Template};
use super::outcome::{Draft, Meant};
use super::resolve::{Found, Step, measure, words};
use super::tree::{Content, NodeId, Tree};
use super::{Edit, EditError, Stretch};
use crate::ImageRef;
use crate::near::nearest;

const SERVICES: &str = "services";
const IMAGE: &str = "image";

/// The line of a service whose image nobody has named yet.
const SOME_IMAGE: &str = "image: REFERENCE";

/// The image of a service as a stack file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackImage {
    /// The text, with its variables.
    pub text: String,
    /// Where it is written, its quotes included; also when it only comes from
    /// there.
    pub stretch: Stretch,
    /// What is deployed when no variable in it is set.
    pub image: Result<ImageRef, UnreadImage>,
    /// The names of the variables in it.
    pub variables: Vec<String>,
    /// The other services that have their image from the same place.
    pub shared_with: Vec<String>,
}

/// Reads the image of a service.
///
/// # Errors
/// When the file has no such service, or the service has no image in this file.
pub fn stack_image(source: &str, service: &str) -> Result<StackImage, EditError> {
    let tree = Tree::parse(source)?;
    measure(&tree)?;
    let file = StackFile::read(&tree)?;
    let written = file.image(service, SOME_IMAGE)?;
    let text = tree.text(written.scalar).unwrap_or_default();
    let template = Template::parse(text);
    let image = match template.with_defaults() {
        Some(text) => text.parse().map_err(UnreadImage::from),
        None => Err(UnreadImage::Variable(
            template.first_unset().unwrap_or_default().to_owned(),
        )),
    };
    Ok(StackImage {
        text: text.to_owned(),
        stretch: Stretch::of(source, tree.node(written.scalar).span.clone()),
        image,
        variables: template.names(),
        shared_with: file.sharers(written.scalar, &BTreeSet::from([service])),
    })
}

/// Sets the image of a service, and leaves every other byte of the file as it
/// is. Of a text that names the repository already, only tag and digest change;
/// when the file says what is wanted, the edit is empty.
///
/// # Errors
/// When the service or its image is missing, when other services have their
/// image from the same place, or when the change would be in a variable.
pub fn set_stack_image(source: &str, service: &str, image: &ImageRef) -> Result<Edit, EditError> {
    set_stack_images(source, &[service], image)
}

/// Sets the image of several services at once: those may have it from one
/// place.
///
/// # Errors
/// As [`set_stack_image`].
pub fn set_stack_images(
    source: &str,
    services: &[&str],
    image: &ImageRef,
) -> Result<Edit, EditError> {
    let tree = Tree::parse(source)?;
    measure(&tree)?;
    let file = StackFile::read(&tree)?;
    let line = entry::line(IMAGE, &image.familiar());
    let wanted: BTreeSet<&str> = services.iter().copied().collect();
    // In the order of the file; of several services the first speaks for all.
    let mut places: BTreeMap<NodeId, (&str, Written)> = BTreeMap::new();
    for service in services {
        let written = file.image(service, &line)?;
        places.entry(written.scalar).or_insert((service, written));
    }
    let mut texts = Vec::new();
    for (scalar, (service, written)) in &places {
        let with = file.sharers(*scalar, &wanted);
        let text = new_text(&tree, service, *scalar, image, &line)?;
        if tree.text(*scalar) == Some(text.as_str()) {
            continue;
        }
        if !with.is_empty() {
            let with = with
                .into_iter()
                .map(|name| Subject::Service(name).to_string());
            return Err(shared(&tree, service, written, with.collect(), &line));
        }
        texts.push((*service, written, text));
    }
    let Some((first, written, _)) = texts.first() else {
        return Ok(Edit::none(source));
    };
    let draft = draft(&tree, &texts, &line)?;
    let is_meant = |path: &[Step]| is_meant(path, &wanted);
    let Some((edit, elsewhere)) = draft.make(&tree, is_meant)? else {
        return Err(no_safe_place(
            &tree,
            first,
            written.scalar,
            entry::UNUSUAL,
            &line,
        ));
    };
    if elsewhere.is_empty() {
        return Ok(edit);
    }
    let with = elsewhere.iter().map(|path| words(path)).collect();
    Err(shared(&tree, first, written, with, &line))
}

fn draft<'t>(
    tree: &Tree<'_>,
    texts: &'t [(&str, &Written, String)],
    line: &str,
) -> Result<Draft<'t>, EditError> {
    let mut splices = Vec::new();
    let mut meant = Vec::new();
    for (service, written, text) in texts {
        let entry = Found {
            key: written.key,
            value: written.scalar,
            merge: None,
        };
        let splice = entry::replace(tree, entry, text)
            .map_err(|cause| no_safe_place(tree, service, written.scalar, cause, line))?;
        splices.push(splice);
        meant.push(Meant::Replaced(written.scalar, text));
    }
    Ok(Draft { splices, meant })
}

/// The text that a scalar has to have.
fn new_text(
    tree: &Tree<'_>,
    service: &str,
    scalar: NodeId,
    image: &ImageRef,
    line: &str,
) -> Result<String, EditError> {
    let text = tree.text(scalar).unwrap_or_default();
    let what = Subject::ServiceImage(service.to_owned());
    let place = tree.place(scalar);
    let line = line.to_owned();
    let obstacle = match Template::parse(text).with(image) {
        Ok(text) => return Ok(text),
        Err(obstacle) => obstacle,
    };
    Err(match obstacle {
        Obstacle::Variable(variable) => EditError::Variable {
            what,
            place,
            variable,
            line,
        },
        Obstacle::OtherRepository => EditError::OtherRepository {
            what,
            place,
            text: text.to_owned(),
            wanted: image.repository.familiar(),
            line,
        },
    })
}

fn shared(
    tree: &Tree<'_>,
    service: &str,
    written: &Written,
    with: Vec<String>,
    line: &str,
) -> EditError {
    EditError::Shared {
        what: Subject::ServiceImage(service.to_owned()),
        place: tree.place(written.scalar),
        with,
        inherited: written.inherited,
        line: Some(line.to_owned()),
    }
}

fn no_safe_place(
    tree: &Tree<'_>,
    service: &str,
    scalar: NodeId,
    cause: entry::Cause,
    line: &str,
) -> EditError {
    EditError::NoSafePlace {
        what: Subject::ServiceImage(service.to_owned()),
        place: tree.place(scalar),
        cause,
        line: Some(line.to_owned()),
    }
}

/// Whether a value may change: the image of a service that is to have it, and
/// what only anchors are kept in.
fn is_meant(path: &[Step], services: &BTreeSet<&str>) -> bool {
    match path {
        [Step::Document(_), Step::Key(extension), ..] if extension.starts_with("x-") => true,
        [
            Step::Document(_),
            Step::Key(all),
            Step::Key(service),
            Step::Key(key),
        ] => all == SERVICES && services.contains(service.as_str()) && key == IMAGE,
        _ => false,
    }
}

/// The services of a file.
struct StackFile<'t, 's> {
    tree: &'t Tree<'s>,
    /// By name; of more than one none can be meant.
    services: BTreeMap<&'t str, Vec<Found>>,
}

/// Where the image of a service is written.
#[derive(Clone, Copy)]
struct Written {
    key: NodeId,
    scalar: NodeId,
    /// Whether the service has it from somewhere else.
    inherited: bool,
}

impl<'t, 's> StackFile<'t, 's> {
    fn read(tree: &'t Tree<'s>) -> Result<Self, EditError> {
        let mut services: BTreeMap<&str, Vec<Found>> = BTreeMap::new();
        for root in &tree.documents {
            let Some(all) = tree.value(*root, SERVICES)? else {
                continue;
            };
            let mut merged = BTreeMap::new();
            for found in tree.entries(all) {
                let Some(name) = tree.text(found.key) else {
                    continue;
                };
                match found.merge {
                    None => services.entry(name).or_default().push(found),
                    // Of those the first counts, and only without another.
                    Some(_) => drop(merged.entry(name).or_insert(found)),
                }
            }
            for (name, found) in merged {
                services.entry(name).or_insert_with(|| vec![found]);
            }
        }
        Ok(Self { tree, services })
    }

    fn find(&self, service: &str) -> Result<Option<Found>, EditError> {
        match self.services.get(service).map(Vec::as_slice) {
            Some([first, again, ..]) => Err(EditError::Twice {
                what: Subject::Service(service.to_owned()),
                first: self.tree.place(first.key),
                again: self.tree.place(again.key),
            }),
            Some([only]) => Ok(Some(*only)),
            Some([]) | None => Ok(None),
        }
    }

    /// Where the image of a service is written; `line` is what it may lack.
    fn image(&self, service: &str, line: &str) -> Result<Written, EditError> {
        let Some(found) = self.find(service)? else {
            let names = self.services.keys().copied();
            return Err(EditError::Missing {
                what: Subject::Service(service.to_owned()),
                near: nearest(service, names).map(str::to_owned),
            });
        };
        let Some(written) = self.follow(service, found, line)? else {
            return Err(EditError::NoImage {
                service: service.to_owned(),
                place: self.tree.place(found.key),
                line: line.to_owned(),
            });
        };
        match self.tree.node(written.scalar).content {
            Content::Scalar(_) => Ok(written),
            Content::List(_) | Content::Map { .. } | Content::Alias(_) => Err(EditError::NotText {
                what: Subject::ServiceImage(service.to_owned()),
                place: self.tree.place(written.scalar),
                noun: self.tree.noun(written.scalar),
                line: Some(line.to_owned()),
            }),
        }
    }

    /// The image of a service, or of the one that it extends.
    fn follow(
        &self,
        service: &str,
        found: Found,
        line: &str,
    ) -> Result<Option<Written>, EditError> {
        let tree = self.tree;
        let mut seen = BTreeSet::new();
        let mut next = Some(found);
        while let Some(found) = next.filter(|found| seen.insert(found.value)) {
            if let Some(image) = tree.get(found.value, IMAGE)?
                && !tree.is_null(image.value)
            {
                let scalar = tree.definition(image.value);
                return Ok(Some(Written {
                    key: image.key,
                    scalar,
                    inherited: scalar != image.value || image.merge.is_some() || seen.len() > 1,
                }));
            }
            let Some(extends) = tree.value(found.value, "extends")? else {
                return Ok(None);
            };
            let text = |key| -> Result<Option<&str>, EditError> {
                Ok(tree.value(extends, key)?.and_then(|value| tree.text(value)))
            };
            if let Some(file) = text("file")? {
                return Err(EditError::Elsewhere {
                    what: Subject::ServiceImage(service.to_owned()),
                    place: tree.place(extends),
                    origin: Origin::OtherFile(file.to_owned()),
                    line: Some(line.to_owned()),
                });
            }
            next = match tree.text(extends).or(text("service")?) {
                Some(base) => self.find(base)?,
                None => None,
            };
        }
        Ok(None)
    }

    /// The services that have their image from a place, without those named.
    fn sharers(&self, scalar: NodeId, without: &BTreeSet<&str>) -> Vec<String> {
        let has = |name: &str, found: &Found| {
            // What is wrong there is not asked for.
            let written = self.follow(name, *found, SOME_IMAGE).ok().flatten();
            written.is_some_and(|written| written.scalar == scalar)
        };
        self.services
            .iter()
            .filter(|(name, all)| {
                !without.contains(*name) && all.iter().any(|found| has(name, found))
            })
            .map(|(name, _)| (*name).to_owned())
            .collect()
    }
}
