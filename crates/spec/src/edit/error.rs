//! Why a file is left as it is.

use std::fmt;

use thiserror::Error;

use super::Place;
use crate::ReferenceError;
use crate::diagnostic::{harmless, quoted};

/// Why an edit was not made. The message says what stands in the way and in
/// which line; what to do is [`EditError::hint`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// Not YAML.
    #[error("the file is not YAML: {}, in line {}", harmless(.reason), .place.line)]
    Syntax {
        /// Where the parser noticed it.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// More than is read of a spec, in bytes, values or depth.
    #[error("the file is larger than what is edited, with everything that its aliases stand for")]
    TooLarge,
    /// The file has none of this name.
    #[error("the file has no {what}")]
    Missing {
        /// What was looked for.
        what: Subject,
        /// The nearest name that there is.
        near: Option<String>,
    },
    /// There are two of this name, or its key stands twice.
    #[error("{what} stands twice, in line {} and in line {}", .first.line, .again.line)]
    Twice {
        /// What was looked for.
        what: Subject,
        /// The first of them.
        first: Place,
        /// The second.
        again: Place,
    },
    /// A service that names no image, as one that is only built.
    #[error("{} in line {} names no image", in_words(.service), .place.line)]
    NoImage {
        /// The service.
        service: String,
        /// Its name in the file.
        place: Place,
        /// The line that it lacks.
        line: String,
    },
    /// A list or a mapping where text belongs.
    #[error("{what} in line {} is {noun}, not text", .place.line)]
    NotText {
        /// What was looked for.
        what: Subject,
        /// Where it stands.
        place: Place,
        /// What stands there.
        noun: &'static str,
        /// The line to write instead; None when one was to go.
        line: Option<String>,
    },
    /// The value is not written where it counts.
    #[error("{what} comes {origin}, in line {}", .place.line)]
    Elsewhere {
        /// What was looked for.
        what: Subject,
        /// Where it comes from.
        place: Place,
        /// By what it comes from there.
        origin: Origin,
        /// The line to write; None when one was to go.
        line: Option<String>,
    },
    /// An edit in this place would change more than was meant.
    #[error("{what} is shared, in line {}: to change it there would also change {}", .place.line, list(.with))]
    Shared {
        /// What was to be changed.
        what: Subject,
        /// Where it stands.
        place: Place,
        /// What else would change, in words.
        with: Vec<String>,
        /// Whether it would win over what it has from there if it had a value
        /// of its own.
        inherited: bool,
        /// The line to write; None when one was to go.
        line: Option<String>,
    },
    /// What would have to change is a variable of the stack file's.
    #[error("{what} in line {} has {} in it, which is set where the stack is deployed", .place.line, shown(.variable))]
    Variable {
        /// The image of a service.
        what: Subject,
        /// Where it stands.
        place: Place,
        /// The variable as it is written, such as `${TAG:-16}`.
        variable: String,
        /// The line to write.
        line: String,
    },
    /// Variables and text that cannot be the reference that was given.
    #[error("{what} in line {} is {}, which is not {}", .place.line, shown(.text), shown(.wanted))]
    OtherRepository {
        /// The image of a service.
        what: Subject,
        /// Where it stands.
        place: Place,
        /// As it is written.
        text: String,
        /// The repository that was given.
        wanted: String,
        /// The line to write.
        line: String,
    },
    /// There is no place where the change is safe, as in a style that nobody
    /// writes by hand.
    #[error("{what} cannot be edited safely in line {}: {cause}", .place.line)]
    NoSafePlace {
        /// What was to be changed.
        what: Subject,
        /// Where it was to be changed.
        place: Place,
        /// What is in the way.
        cause: &'static str,
        /// The line to write; None when one was to go.
        line: Option<String>,
    },
}

/// What an edit is about, as messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The stack of this name, in a spec.
    Stack(String),
    /// The image of this name, in a spec.
    Image(String),
    /// The pin of the image of this name, in a spec.
    Pin(String),
    /// The service of this name, in a stack file.
    Service(String),
    /// The image of the service of this name, in a stack file.
    ServiceImage(String),
    /// A key that leads to another.
    Key(String),
}

/// By what a value comes from another place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `*name`.
    Alias,
    /// `<<: *name`.
    MergeKey,
    /// `extends` of another file.
    OtherFile(String),
}

/// Why the text of a service's image is not a reference.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadImage {
    /// Not a reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It depends on variables that have no default.
    #[error("{} is set where the stack is deployed", shown(.0))]
    Variable(String),
}

impl EditError {
    /// Where in the file it is, if it is in a place.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::TooLarge | Self::Missing { .. } => None,
            Self::Twice { again: place, .. }
            | Self::Syntax { place, .. }
            | Self::NoImage { place, .. }
            | Self::NotText { place, .. }
            | Self::Elsewhere { place, .. }
            | Self::Shared { place, .. }
            | Self::Variable { place, .. }
            | Self::OtherRepository { place, .. }
            | Self::NoSafePlace { place, .. } => Some(*place),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        harmless(&match self {
            Self::Syntax { .. } => "correct the line".to_owned(),
            Self::TooLarge => "edit the file by hand".to_owned(),
            Self::Missing { what, near } => match (near, what) {
                (Some(near), _) => format!("did you mean {}?", shown(near)),
                (None, Subject::Service(_) | Subject::ServiceImage(_)) => {
                    "name a service as it stands under `services` in the file".to_owned()
                }
                (None, _) => "give the file that defines it".to_owned(),
            },
            Self::Twice { .. } => "remove one of the two".to_owned(),
            Self::NoImage {
                service: name,
                line,
                ..
            } => by_hand(&Subject::ServiceImage(name.clone()), line),
            Self::NotText { what, line, .. }
            | Self::Elsewhere { what, line, .. }
            | Self::NoSafePlace { what, line, .. }
            | Self::Shared {
                what,
                line,
                inherited: true,
                ..
            } => match line {
                Some(line) => by_hand(what, line),
                None => "remove it there by hand".to_owned(),
            },
            Self::Shared {
                line,
                inherited: false,
                ..
            } => match line {
                Some(line) => format!("write `{line}` there by hand, if it is meant for all"),
                None => "remove it there by hand, if it is to go for all".to_owned(),
            },
            Self::OtherRepository { what, line, .. } => by_hand(what, line),
            Self::Variable {
                what,
                variable,
                line,
                ..
            } => {
                let variable = shown(variable);
                let line = by_hand(what, line);
                format!("set {variable} where the stack is deployed, or {line}")
            }
        })
    }
}

/// The line is whole, however long it is: it is there to be copied.
fn by_hand(what: &Subject, line: &str) -> String {
    format!("write `{line}` {} by hand", what.owner())
}

impl Subject {
    /// Where a line about it belongs.
    fn owner(&self) -> String {
        match self {
            Self::Stack(name) => format!("in stack {}", shown(name)),
            Self::Image(name) | Self::Pin(name) => format!("in image {}", shown(name)),
            Self::Service(name) | Self::ServiceImage(name) => {
                format!("in service {}", shown(name))
            }
            Self::Key(_) => "in the file".to_owned(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Stack(name) => format!("stack {}", shown(name)),
            Self::Image(name) => format!("image {}", shown(name)),
            Self::Pin(image) => format!("the pin of image {}", shown(image)),
            Self::Service(name) => in_words(name),
            Self::ServiceImage(name) => format!("the image of {}", in_words(name)),
            Self::Key(key) => format!("the key {}", shown(key)),
        };
        f.write_str(&text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias => f.write_str("from an alias"),
            Self::MergeKey => f.write_str("with a merge key, `<<`"),
            Self::OtherFile(file) => write!(f, "from the file {}", shown(file)),
        }
    }
}

fn in_words(name: &str) -> String {
    format!("service {}", shown(name))
}

/// Text of the file's for a message.
fn shown(text: &str) -> String {
    harmless(&quoted(text))
}

/// The first few, and how many more there are.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| harmless(name))
        .collect();
    match (shown.split_last(), names.len().saturating_sub(SHOWN)) {
        (Some((last, [])), 0) => last.clone(),
        (Some((last, rest)), 0) => format!("{} and {last}", rest.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
