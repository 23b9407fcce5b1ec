//! What is wrong with a spec, for the person who wrote it.
//!
//! While reading, mistakes are collected as [`Finding`]s: plain places in plain
//! texts. Only at the end are they bound to the text that may be shown, in
//! which secrets are blackened, so that no order of events shows one.
//!
//! One type for all mistakes rather than one variant each: nothing branches on
//! them, and so the words stand beside the check that they explain.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};
use thiserror::Error;

mod finding;
mod kind;
mod shown;

pub(crate) use finding::{Finding, Findings, harmless, quoted};
pub use kind::Kind;
pub(crate) use shown::{Shown, hide};

/// One mistake, with the place, the reason and the remedy.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct Mistake {
    kind: Kind,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    text: Option<Shown>,
    elsewhere: Vec<Elsewhere>,
}

impl Mistake {
    /// Which rule is broken.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name of the file, as it was given; None when the mistake is not in
    /// a file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.text.as_ref().map(Shown::name)
    }

    /// The line of the mistake in its file, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        let offset = self.labels.first()?.offset();
        Some(self.text.as_ref()?.line(offset))
    }
}

impl Diagnostic for Mistake {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("imgstack::spec::{}", self.kind.code())))
    }

    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<_>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.text.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.elsewhere.is_empty()).then(|| {
            let places = self.elsewhere.iter();
            Box::new(places.map(|place| place as &dyn Diagnostic)) as Box<_>
        })
    }
}

/// A second place that belongs to a mistake but stands in another file, which
/// one snippet cannot show.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
struct Elsewhere {
    message: String,
    label: LabeledSpan,
    text: Shown,
}

impl Diagnostic for Elsewhere {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

/// Every mistake of a run, by file and place. Never empty.
///
/// As a [`Diagnostic`] it is a headline with the mistakes as its related ones;
/// to show them one by one, iterate.
#[derive(Clone, Debug, Error)]
#[error("{}", self.headline())]
pub struct Diagnostics {
    mistakes: Arc<[Mistake]>,
    omitted: usize,
}

impl Diagnostics {
    /// The mistakes, by file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.mistakes.iter()
    }

    /// How many more there are: past a hundred they are only counted.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    fn headline(&self) -> String {
        match (self.mistakes.len(), self.omitted) {
            (1, 0) => "the spec has a mistake".to_owned(),
            (count, 0) => format!("the spec has {count} mistakes"),
            (count, more) => format!(
                "the spec has {} mistakes, of which the first {count} are shown",
                count + more
            ),
        }
    }
}

impl Diagnostic for Diagnostics {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let mistakes = self.iter();
        Some(Box::new(mistakes.map(|mistake| mistake as &dyn Diagnostic)))
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
