//! The `pin:` of an image in a spec.

use super::entry::{self, Cause, UNUSUAL};
use super::error::{Origin, Subject};
use super::outcome::{Draft, Meant};
use super::resolve::{Found, Path, Step, measure, words};
use super::tree::{Content, NodeId, Tree};
use super::{Edit, EditError};
use crate::document::KIND;
use crate::near::nearest;
use crate::{ImageName, Pin, StackName};

const KEY: &str = "pin";

/// The keys below one of which a new pin stands, the best first.
const ABOVE: [&str; 4] = ["policy", "tag", "repository", "name"];

/// Sets the pin of an image, or with None removes it, and leaves every other
/// byte of the file as it is.
///
/// A new line stands below the `tag` or the `policy`. When the file says
/// already what is wanted, the edit is empty.
///
/// # Errors
/// When the file has no such image, or when no place can be changed without
/// changing something else.
pub fn set_pin(
    source: &str,
    stack: &StackName,
    image: &ImageName,
    pin: Option<&Pin>,
) -> Result<Edit, EditError> {
    let tree = Tree::parse(source)?;
    measure(&tree)?;
    let wanted = pin.map(|pin| match pin {
        Pin::Tag(tag) => tag.as_str(),
        Pin::Digest(digest) => digest.as_str(),
    });
    let place = find(&tree, stack, image)?;
    let stands = tree.get(place.map, KEY)?;
    let draft = match (stands, wanted) {
        (None, None) => return Ok(Edit::none(source)),
        (Some(found), Some(text)) if tree.text(found.value) == Some(text) => {
            return Ok(Edit::none(source));
        }
        (
            Some(Found {
                merge: Some(merge), ..
            }),
            _,
        ) => return Err(place.merged(&tree, merge, wanted)),
        (None, Some(text)) => place.add(&tree, text)?,
        (Some(found), Some(text)) => place.replace(&tree, found, text)?,
        (Some(found), None) => place.remove(&tree, found)?,
    };
    let (edit, elsewhere) = draft
        .make(&tree, |path| path == place.path)?
        .ok_or_else(|| place.unsafe_at(&tree, place.map, UNUSUAL, wanted))?;
    if elsewhere.is_empty() {
        return Ok(edit);
    }
    let with = elsewhere.iter().map(|path| name(&tree, path)).collect();
    Err(EditError::Shared {
        what: place.subject(),
        place: tree.place(place.map),
        with,
        inherited: false,
        line: wanted.map(|text| entry::line(KEY, text)),
    })
}

/// An image of a spec.
struct ImagePlace<'a> {
    image: &'a ImageName,
    map: NodeId,
    /// The way to its pin, whether or not there is one.
    path: Path,
}

fn find<'a>(
    tree: &Tree<'_>,
    stack: &StackName,
    image: &'a ImageName,
) -> Result<ImagePlace<'a>, EditError> {
    let (document, spec) = spec(tree, stack)?;
    let images = spec.map(|spec| tree.value(spec, "images")).transpose()?;
    let items = images
        .flatten()
        .map_or(&[][..], |images| tree.items(images));
    let mut found: Option<(usize, NodeId)> = None;
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(name) = tree.value(*item, "name")? else {
            continue;
        };
        names.extend(tree.text(name));
        if tree.text(name) != Some(image.as_str()) {
            continue;
        }
        if let Some((_, first)) = found {
            return Err(EditError::Twice {
                what: Subject::Image(image.to_string()),
                first: tree.place(first),
                again: tree.place(*item),
            });
        }
        found = Some((index, *item));
    }
    let Some((index, item)) = found else {
        return Err(EditError::Missing {
            what: Subject::Image(image.to_string()),
            near: nearest(image.as_str(), names).map(str::to_owned),
        });
    };
    let key = |key: &str| Step::Key(key.to_owned());
    Ok(ImagePlace {
        image,
        map: tree.definition(item),
        path: vec![
            Step::Document(document),
            key("spec"),
            key("images"),
            Step::Item(index),
            key(KEY),
        ],
    })
}

/// The `spec` of a stack, and which document has it.
fn spec(tree: &Tree<'_>, stack: &StackName) -> Result<(usize, Option<NodeId>), EditError> {
    let mut found: Option<(usize, NodeId)> = None;
    let mut names = Vec::new();
    for (index, root) in tree.documents.iter().enumerate() {
        let kind = tree.value(*root, "kind")?.and_then(|kind| tree.text(kind));
        if kind != Some(KIND) {
            continue;
        }
        let metadata = tree.value(*root, "metadata")?;
        let name = metadata.map(|it| tree.value(it, "name")).transpose()?;
        let Some(name) = name.flatten() else { continue };
        names.extend(tree.text(name));
        if tree.text(name) != Some(stack.as_str()) {
            continue;
        }
        if let Some((_, first)) = found {
            return Err(EditError::Twice {
                what: Subject::Stack(stack.to_string()),
                first: tree.place(first),
                again: tree.place(*root),
            });
        }
        found = Some((index, *root));
    }
    let missing = || EditError::Missing {
        what: Subject::Stack(stack.to_string()),
        near: nearest(stack.as_str(), names).map(str::to_owned),
    };
    let (index, root) = found.ok_or_else(missing)?;
    Ok((index, tree.value(root, "spec")?))
}

impl ImagePlace<'_> {
    fn subject(&self) -> Subject {
        Subject::Pin(self.image.to_string())
    }

    /// A pin that a merge key brings, or would bring.
    fn merged(&self, tree: &Tree<'_>, merge: NodeId, wanted: Option<&str>) -> EditError {
        EditError::Elsewhere {
            what: self.subject(),
            place: tree.place(merge),
            origin: Origin::MergeKey,
            line: wanted.map(|text| entry::line(KEY, text)),
        }
    }

    fn unsafe_at(
        &self,
        tree: &Tree<'_>,
        at: NodeId,
        cause: Cause,
        wanted: Option<&str>,
    ) -> EditError {
        EditError::NoSafePlace {
            what: self.subject(),
            place: tree.place(at),
            cause,
            line: wanted.map(|text| entry::line(KEY, text)),
        }
    }

    fn add<'t>(&self, tree: &Tree<'_>, text: &'t str) -> Result<Draft<'t>, EditError> {
        let above = |key: &&str| tree.get(self.map, key).ok().flatten();
        let above = ABOVE.iter().filter_map(above);
        let above = above.into_iter().find(|found| found.merge.is_none());
        let refused = |at, cause| self.unsafe_at(tree, at, cause, Some(text));
        let above = above.ok_or_else(|| refused(self.map, "all its keys come from elsewhere"))?;
        let splice = entry::add(tree, self.map, above, KEY, text)
            .map_err(|cause| refused(above.key, cause))?;
        Ok(Draft {
            splices: vec![splice],
            meant: vec![Meant::Added(above.value, [KEY, text])],
        })
    }

    fn replace<'t>(
        &self,
        tree: &Tree<'_>,
        found: Found,
        text: &'t str,
    ) -> Result<Draft<'t>, EditError> {
        let place = tree.place(found.value);
        let line = Some(entry::line(KEY, text));
        match tree.node(found.value).content {
            Content::Scalar(_) => {}
            Content::Alias(_) => {
                return Err(EditError::Elsewhere {
                    what: self.subject(),
                    place,
                    origin: Origin::Alias,
                    line,
                });
            }
            Content::List(_) | Content::Map { .. } => {
                return Err(EditError::NotText {
                    what: self.subject(),
                    place,
                    noun: tree.noun(found.value),
                    line,
                });
            }
        }
        let splice = entry::replace(tree, found, text)
            .map_err(|cause| self.unsafe_at(tree, found.key, cause, Some(text)))?;
        Ok(Draft {
            splices: vec![splice],
            meant: vec![Meant::Replaced(found.value, text)],
        })
    }

    fn remove<'t>(&self, tree: &Tree<'_>, found: Found) -> Result<Draft<'t>, EditError> {
        if let Some(merge) = tree.get_merged(self.map, KEY).and_then(|it| it.merge) {
            // Without its own it would have that one.
            return Err(self.merged(tree, merge, None));
        }
        let refused = |cause| self.unsafe_at(tree, found.key, cause, None);
        if [found.key, found.value].iter().any(|id| tree.is_used(*id)) {
            return Err(refused("an alias in another place stands for it"));
        }
        let splice = entry::remove(tree, self.map, found).map_err(refused)?;
        Ok(Draft {
            splices: vec![splice],
            meant: vec![Meant::Removed(found.key, found.value)],
        })
    }
}

/// What a path of a spec is, for a person.
fn name(tree: &Tree<'_>, path: &[Step]) -> String {
    let [Step::Document(document), rest @ ..] = path else {
        return words(path);
    };
    let [Step::Key(spec), Step::Key(images), Step::Item(index), ..] = rest else {
        return words(path);
    };
    let value = |map, key| tree.value(map, key).ok().flatten();
    let item = tree
        .documents
        .get(*document)
        .and_then(|root| value(*root, spec))
        .and_then(|spec| value(spec, images))
        .and_then(|images| tree.items(images).get(*index).copied());
    let name = item.and_then(|item| value(item, "name"));
    match name.and_then(|name| tree.text(name)) {
        Some(name) if images == "images" => Subject::Image(name.to_owned()).to_string(),
        _ => words(path),
    }
}
