//! An image of the spec, by the name that somebody typed: its own, or that of a
//! service.

use imgstack_spec::{Image, MajorUpgrade, ServiceName, Stack, StackSet, nearest};
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

/// An image, by its own name or by that of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'s> {
    pub(crate) stack: &'s Stack,
    pub(crate) image: &'s Image,
    /// The service that was named.
    pub(crate) service: Option<&'s ServiceName>,
}

/// There is no such image and no such service, or both.
#[derive(Debug, Error)]
pub(crate) enum UnknownSubject {
    #[error("there is no image and no service `{typed}` in the spec")]
    Neither {
        typed: String,
        nearest: Option<String>,
    },
    #[error("`{typed}` is an image and a service of another image")]
    Both { typed: String },
}

impl UnknownSubject {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Neither {
                nearest: Some(near),
                ..
            } => format!("did you mean `{near}`?"),
            Self::Neither { nearest: None, .. } => {
                "write a name of `images` or of `services` of the spec".to_owned()
            }
            Self::Both { typed } => format!("write `image.{typed}` or `service.{typed}`"),
        }
    }
}

/// The image that a name or an address means.
pub(crate) fn subject<'s>(set: &'s StackSet, typed: &str) -> Result<Subject<'s>, UnknownSubject> {
    let images = || {
        let stacks = set.stacks.iter();
        stacks.flat_map(|stack| stack.images.iter().map(move |image| (stack, image)))
    };
    let services = || {
        let stacks = set.stacks.iter();
        stacks.flat_map(|stack| stack.services.iter().map(move |service| (stack, service)))
    };
    let image = |name: &str| {
        let found = images().find(|(_, image)| image.name.as_str() == name);
        found.map(|(stack, image)| Subject {
            stack,
            image,
            service: None,
        })
    };
    let service = |name: &str| {
        let (stack, service) = services().find(|(_, it)| it.name.as_str() == name)?;
        Some(Subject {
            stack,
            image: stack.image(&service.image)?,
            service: Some(&service.name),
        })
    };
    let by_address = match typed.split_once('.') {
        Some(("image", name)) => image(name),
        Some(("service", name)) => service(name),
        _ => None,
    };
    match (image(typed), service(typed)) {
        (Some(image), Some(service)) if image.image.name != service.image.name => {
            Err(UnknownSubject::Both {
                typed: typed.to_owned(),
            })
        }
        (Some(found), _) | (None, Some(found)) => Ok(found),
        (None, None) => by_address.ok_or_else(|| {
            let images = images().map(|(_, image)| image.name.as_str());
            let services = services().map(|(_, service)| service.name.as_str());
            let name = typed
                .split_once('.')
                .map_or(typed, |(kind, name)| match kind {
                    "image" | "service" => name,
                    _ => typed,
                });
            UnknownSubject::Neither {
                typed: typed.to_owned(),
                nearest: nearest(name, images.chain(services)).map(str::to_owned),
            }
        }),
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
