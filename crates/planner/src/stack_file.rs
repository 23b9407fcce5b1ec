//! Stack files: would the next `docker stack deploy` undo what the spec asks
//! for?
//!
//! A tag without a digest in a stack file is resolved when the stack is
//! deployed. Where the spec follows that very tag, both come to the same build,
//! and nothing is said; it is the name of a build otherwise, which may move or
//! lead past what holds a service back.

use imgstack_spec::{Address, Digest, Image, ImageRef, Pin, Service, StackFile, Tag};

use crate::follow::{Following, Wanted, own};
use crate::inventory::StackFileImage;
use crate::major::Guard;
use crate::report::{Code, Finding, Severity};
use crate::service::{finding, observed};
use crate::target::Scope;
use crate::{Inventory, Known};

/// The tag that a reference without one means.
const DEFAULT_TAG: &str = "latest";

/// What there is to say of the stack files of the services.
pub(crate) fn report(
    scope: Scope<'_>,
    inventory: &Inventory,
    following: &Following<'_>,
) -> Vec<Finding> {
    let services = scope.services();
    let findings = services.filter_map(|service| {
        let file = service.stack_file.as_ref()?;
        let about = Address::Service(service.name.clone());
        match inventory.stack_files.get(&service.name)? {
            Known::Unknown(trouble) => Some(Finding {
                hint: trouble.hint.clone(),
                ..finding(
                    Severity::Attention,
                    Code::StackFileUnknown,
                    &about,
                    format!(
                        "whether a deployment of `{}` would undo anything is not known: {}",
                        file.path.display(),
                        trouble.why
                    ),
                )
            }),
            Known::Known(found) => {
                let image = scope.stack.image(&service.image)?;
                let due = Due::of(scope, service, image, &about, inventory, following)?;
                let case = Case { file, image, due };
                case.judge(&about, found)
            }
        }
    });
    findings.collect()
}

/// The build that the spec makes a service run.
struct Due {
    build: ImageRef,
    /// Whether that is what it runs already, and what is followed leads
    /// elsewhere.
    held: bool,
}

impl Due {
    /// None: nobody can say, which is told elsewhere.
    fn of(
        scope: Scope<'_>,
        service: &Service,
        image: &Image,
        about: &Address,
        inventory: &Inventory,
        following: &Following<'_>,
    ) -> Option<Self> {
        let observed = observed(inventory, &service.name)?;
        let followed = following.get(&service.image)?;
        let held = |build: Option<ImageRef>| {
            let build = build?;
            Some(Self { build, held: true })
        };
        match followed.wanted(image, about, observed)? {
            Wanted::Blocked(_) => None,
            Wanted::Kept(kept) => held(kept),
            Wanted::Build(build) => {
                match Guard::of(scope.stack, image, about, observed, &build, inventory) {
                    Guard::Stops { .. } => held(own(observed, image)),
                    Guard::Silent | Guard::Allowed(_) => Some(Self { build, held: false }),
                }
            }
        }
    }
}

/// What a deployment would do to a service.
enum Standing {
    /// Nothing that the spec would not.
    InStep,
    /// It would bring another build.
    Other,
    /// It would bring what the tag means then, and a pin by digest does not.
    MayMove,
    /// It would bring the build that is held back.
    Passes,
}

/// A service with a stack file, and what it is to run.
struct Case<'a> {
    file: &'a StackFile,
    image: &'a Image,
    due: Due,
}

impl Case<'_> {
    fn judge(&self, about: &Address, found: &StackFileImage) -> Option<Finding> {
        let (file, service) = (self.file.path.display(), &self.file.service);
        let due = self.named(&self.due.build);
        let variables = variables(&found.variables);
        let Some(image) = &found.image else {
            return Some(Finding {
                hint: Some(self.without_variables()),
                ..finding(
                    Severity::Attention,
                    Code::StackFileUnknown,
                    about,
                    format!(
                        "the image of `{service}` in `{file}` depends on {variables}: whether a deployment brings {due} is not known"
                    ),
                )
            });
        };
        let standing = self.standing(image);
        if let (Standing::InStep, []) = (&standing, found.variables.as_slice()) {
            return None;
        }
        if let Standing::InStep = standing {
            let message = format!(
                "the image of `{service}` in `{file}` is {due} as long as {variables} is not set"
            );
            let code = Code::StackFileUnknown;
            return Some(finding(Severity::Note, code, about, message));
        }
        let unset = match found.variables.as_slice() {
            [] => String::new(),
            _ => format!(" while {variables} is not set"),
        };
        let message = format!(
            "`{file}` has {} for `{service}`{unset}, and {}",
            self.named(image),
            self.consequence(&standing, &due)
        );
        Some(Finding {
            hint: Some(match found.variables.is_empty() {
                true => self.remedy(),
                false => self.without_variables(),
            }),
            ..finding(Severity::Attention, Code::StackFileDiffers, about, message)
        })
    }

    fn standing(&self, found: &ImageRef) -> Standing {
        let Due { build, held } = &self.due;
        if found.repository != build.repository {
            return Standing::Other;
        }
        if found.digest.is_some() {
            return match found.digest == build.digest {
                true => Standing::InStep,
                false => Standing::Other,
            };
        }
        let tag = found.tag.as_ref().map_or(DEFAULT_TAG, Tag::as_str);
        let is_due = build.tag.as_ref().map(Tag::as_str) == Some(tag);
        let is_followed = self.image.tag().map(Tag::as_str) == Some(tag);
        match &self.image.pin {
            _ if !is_due => Standing::Other,
            Some(Pin::Digest(_)) => Standing::MayMove,
            Some(Pin::Tag(_)) => Standing::InStep,
            None if *held && is_followed => Standing::Passes,
            None => Standing::InStep,
        }
    }

    fn consequence(&self, standing: &Standing, due: &str) -> String {
        let wants = match (&self.image.pin, self.due.held) {
            (Some(_), _) => format!("the spec holds {due}"),
            (None, true) => format!("the service stays at {due}"),
            (None, false) => format!("the service is to run {due}"),
        };
        match standing {
            Standing::InStep => wants,
            Standing::Other => format!("{wants}: the next `docker stack deploy` would undo that"),
            Standing::MayMove => format!(
                "{wants}: the next `docker stack deploy` would undo that once the tag has moved"
            ),
            Standing::Passes => {
                format!("{wants}: the next `docker stack deploy` would bring the other build")
            }
        }
    }

    fn remedy(&self) -> String {
        match self.due.held {
            true => format!(
                "until that build may come, do not deploy the file, or hold what runs: {}",
                self.command()
            ),
            false => format!("write it into the file: {}", self.command()),
        }
    }

    fn without_variables(&self) -> String {
        format!(
            "deploy it with the right value, or write the image there without a variable; then: {}",
            self.command()
        )
    }

    /// What puts the stack file in step.
    fn command(&self) -> String {
        let name = &self.image.name;
        match (&self.image.pin, &self.due) {
            (Some(Pin::Tag(tag)), _) => format!("imgstack pin {name} {tag}"),
            (Some(Pin::Digest(digest)), _) => format!("imgstack pin {name} {digest}"),
            (
                None,
                Due {
                    held: true,
                    build:
                        ImageRef {
                            digest: Some(digest),
                            ..
                        },
                },
            ) => format!("imgstack pin {name} {digest}"),
            (None, _) => format!("imgstack unpin {name}"),
        }
    }

    /// An image in a few words: of the image's repository, tag and digest.
    fn named(&self, reference: &ImageRef) -> String {
        if reference.repository != self.image.repository {
            return format!("`{}`", reference.familiar());
        }
        match (&reference.tag, &reference.digest) {
            (Some(tag), None) => format!("`{tag}`"),
            (None, None) => format!("`{DEFAULT_TAG}`"),
            (None, Some(digest)) => short(digest),
            (Some(tag), Some(digest)) => format!("`{tag}` ({})", short(digest)),
        }
    }
}

fn variables(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`${{{name}}}`")).collect();
    names.join(" and ")
}

/// As much of a digest as tells builds apart.
fn short(digest: &Digest) -> String {
    let text = digest.as_str();
    let end = text.len().min("sha256:".len() + 12);
    format!("{}…", &text[..end])
}
