//! The names of everything that is read together, each of which may stand for
//! one thing only: they are addresses.

use std::collections::BTreeMap;

use crate::diagnostic::{Finding, Findings, Kind, quoted};
use crate::document::Document;
use crate::section::At;
use crate::source::Span;

/// The names of all documents, by kind.
#[derive(Debug, Default)]
pub(crate) struct Names {
    stacks: Defined,
    images: Defined,
    services: Defined,
}

/// Where each name is defined first, under its lowercase spelling: the Swarm
/// does not tell services apart by case, nor the configs that are named after
/// stacks.
type Defined = BTreeMap<String, Definition>;

#[derive(Debug)]
struct Definition {
    name: String,
    span: Span,
    stack: Option<String>,
}

impl Names {
    /// Collects the names, and tells of those that are defined twice.
    pub(crate) fn collect<'d>(
        documents: impl Iterator<Item = &'d Document>,
        findings: &mut Findings,
    ) -> Self {
        let mut names = Self::default();
        for document in documents {
            names.add(document, findings);
        }
        names
    }

    fn add(&mut self, document: &Document, findings: &mut Findings) {
        let stack = stack_name(document);
        let owner = stack.map(|name| name.value.as_str());
        define(&mut self.stacks, stack, "the stack", owner, findings);
        let Some(spec) = &document.spec else { return };
        for image in spec.images.iter().flat_map(|images| &images.value) {
            let name = image.keys.name.as_ref();
            define(&mut self.images, name, "the image", owner, findings);
        }
        for service in spec.services.iter().flat_map(|services| &services.value) {
            let name = service.name.as_ref();
            define(&mut self.services, name, "the service", owner, findings);
        }
    }

    /// The stack in which an image is defined, if in any.
    pub(super) fn stack_of_image(&self, name: &str) -> Option<&str> {
        stack_of(&self.images, name)
    }

    /// The stack in which a service is managed, if in any.
    pub(super) fn stack_of_service(&self, name: &str) -> Option<&str> {
        stack_of(&self.services, name)
    }
}

fn stack_name(document: &Document) -> Option<&At<String>> {
    document.metadata.as_ref()?.name.as_ref()
}

fn stack_of<'n>(defined: &'n Defined, name: &str) -> Option<&'n str> {
    let definition = defined.get(&name.to_lowercase())?;
    let stack = definition.stack.as_deref();
    stack.filter(|_| definition.name == name)
}

fn define(
    defined: &mut Defined,
    name: Option<&At<String>>,
    what: &str,
    stack: Option<&str>,
    findings: &mut Findings,
) {
    let Some(name) = name.filter(|name| !name.value.is_empty()) else {
        return;
    };
    let key = name.value.to_lowercase();
    let Some(first) = defined.get(&key) else {
        let definition = Definition {
            name: name.value.clone(),
            span: name.span,
            stack: stack.map(str::to_owned),
        };
        defined.insert(key, definition);
        return;
    };
    let (message, help) = if first.name == name.value {
        let message = format!("{what} {} is defined twice", quoted(&name.value));
        (
            message,
            "names are unique over all files: remove or rename one of the two",
        )
    } else {
        let (a, b) = (quoted(&first.name), quoted(&name.value));
        let message = format!("{a} and {b} are the same name but for case");
        (
            message,
            "names must differ in more than case: rename one of the two",
        )
    };
    let finding = Finding::new(Kind::DuplicateName, message).at(name.span, "again here");
    findings.push(finding.at(first.span, "first here").help(help));
}
