//! An image of the spec, by the name that somebody typed.

use imgstack_spec::{Image, MajorUpgrade, Stack, StackSet, nearest};
use thiserror::Error;

/// There is no such image.
#[derive(Debug, Error)]
#[error("there is no image `{typed}` in the spec")]
pub(crate) struct UnknownImage {
    typed: String,
    nearest: Option<String>,
    known: Vec<String>,
}

impl UnknownImage {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match (&self.nearest, self.known.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "add it to `images` of the spec".to_owned(),
            (None, known) => format!("the images there are: {}", known.join(", ")),
        }
    }
}

/// Lets the services of these images move to another major version, as if the
/// spec said so.
pub(crate) fn allow_major(set: &mut StackSet, typed: &[String]) -> Result<(), UnknownImage> {
    for typed in typed {
        let name = find(set, typed)?.1.name.clone();
        let images = set.stacks.iter_mut().flat_map(|stack| &mut stack.images);
        let named = images.filter(|image| image.name == name);
        named.for_each(|image| image.major_upgrade = MajorUpgrade::Allow);
    }
    Ok(())
}

/// The image and its stack. Its address, `image.NAME`, is as good as its name.
pub(crate) fn find<'s>(
    set: &'s StackSet,
    typed: &str,
) -> Result<(&'s Stack, &'s Image), UnknownImage> {
    let name = typed.strip_prefix("image.").unwrap_or(typed);
    let all = || {
        let stacks = set.stacks.iter();
        stacks.flat_map(|stack| stack.images.iter().map(move |image| (stack, image)))
    };
    let named = |wanted: &str| all().find(|(_, image)| image.name.as_str() == wanted);
    // An image may be called so itself.
    named(typed).or_else(|| named(name)).ok_or_else(|| {
        let known = || all().map(|(_, image)| image.name.as_str());
        UnknownImage {
            typed: typed.to_owned(),
            nearest: nearest(name, known()).map(str::to_owned),
            known: known().map(str::to_owned).collect(),
        }
    })
}
