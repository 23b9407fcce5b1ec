//! `spec.services`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Names, order, parse_name, path, rollout};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, Document, Spec};
use crate::model::{Service, StackFile};
use crate::near::nearest;
use crate::section::{At, Context};
use crate::{ImageName, ServiceName};

const STACK_FILE: path::Purpose = path::Purpose {
    kind: Kind::StackFile,
    example: "write a path, such as `stack.yml`",
    instead: "clone it, and write the path of the file",
};

pub(super) fn all(
    document: &Document,
    spec: &Spec,
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<Service> {
    let services = spec.services.as_ref().map_or(&[][..], |list| &list.value);
    let stack = Neighbours::of(document, spec, names);
    let checked = services
        .iter()
        .filter_map(|service| one(service, &stack, context))
        .collect();
    order::check(services, context);
    checked
}

/// What a service may refer to.
struct Neighbours<'d> {
    stack: Option<&'d str>,
    /// Whether the list of images could be read.
    has_images: bool,
    /// Name and repository of each image.
    images: BTreeMap<&'d str, Option<&'d str>>,
    services: BTreeSet<&'d str>,
    /// The names of other stacks, which it may not refer to.
    all: &'d Names,
}

impl<'d> Neighbours<'d> {
    fn of(document: &'d Document, spec: &'d Spec, all: &'d Names) -> Self {
        let images = spec.images.iter().flat_map(|list| &list.value);
        let services = spec.services.iter().flat_map(|list| &list.value);
        let name = document.metadata.as_ref().and_then(|it| it.name.as_ref());
        Self {
            stack: name.map(|name| name.value.as_str()),
            has_images: spec.images.is_some(),
            images: images
                .filter_map(|image| {
                    let keys = &image.keys;
                    let repository = keys.repository.as_ref().map(|at| at.value.as_str());
                    Some((keys.name.as_ref()?.value.as_str(), repository))
                })
                .collect(),
            services: services
                .filter_map(|service| Some(service.name.as_ref()?.value.as_str()))
                .collect(),
            all,
        }
    }

    /// The name of the image whose repository a reference names.
    fn image_of(&self, reference: &str) -> Option<&'d str> {
        let names = |repository: &str| {
            let rest = reference.strip_prefix(repository);
            !repository.is_empty()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
        };
        let mut images = self.images.iter();
        images
            .find(|(_, repository)| repository.is_some_and(names))
            .map(|(name, _)| *name)
    }

    /// The stack other than this one, if there is one.
    fn other<'s>(&self, stack: Option<&'s str>) -> Option<&'s str> {
        stack.filter(|stack| Some(*stack) != self.stack)
    }
}

fn one(
    service: &document::Service,
    stack: &Neighbours<'_>,
    context: &mut Context<'_>,
) -> Option<Service> {
    let name = service.name.as_ref();
    let parsed = name.and_then(|text| parse_name(text, "a service", context));
    let image = service
        .image
        .as_ref()
        .and_then(|image| self::image(image, name, stack, context));
    let after = service.after.as_ref().map_or(&[][..], |list| &list.value);
    let after = self::after(after, name, stack, context);
    let rollout = service.rollout.as_ref();
    let rollout = rollout.map(|rollout| rollout::read(rollout, context));
    let rollout = rollout.unwrap_or_default();
    let stack_file = match &service.stack_file {
        Some(keys) => Some(self::stack_file(keys, context)?),
        None => None,
    };
    Some(Service {
        name: parsed?,
        image: image?,
        after,
        rollout: rollout.settings,
        timeout: rollout.timeout,
        probe: rollout.probe,
        last_if: rollout.last_if,
        stack_file,
    })
}

/// Whether the file is there is seen when it is needed: a spec is checked
/// without it.
fn stack_file(keys: &document::StackFile, context: &mut Context<'_>) -> Option<StackFile> {
    let path = keys.path.as_ref();
    let path = path.and_then(|text| path::of(text, "path", &STACK_FILE, context));
    let service = keys.service.as_ref();
    let service = service.and_then(|text| service_of_file(text, context));
    Some(StackFile {
        path: path?,
        service: service?,
        spec_folder: context.source.folder.clone(),
    })
}

/// A name that docker would take for a service of a stack file.
fn service_of_file(text: &At<String>, context: &mut Context<'_>) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let value = text.value.as_str();
    if !value.is_empty() && value.chars().all(is_allowed) {
        return Some(value.to_owned());
    }
    let message = format!("{} cannot be a service of a stack file", quoted(value));
    let finding = Finding::new(Kind::StackFile, message).at(text.span, "not a name");
    let help = "write the name as it stands under `services` in the file, such as `web`";
    context.findings.push(finding.help(help));
    None
}

fn image(
    image: &At<String>,
    service: Option<&At<String>>,
    stack: &Neighbours<'_>,
    context: &mut Context<'_>,
) -> Option<ImageName> {
    let wanted = image.value.as_str();
    if stack.images.contains_key(wanted) || !stack.has_images {
        // A name that is none, or images that are none, have been told of.
        return wanted.parse().ok();
    }
    let who = match service {
        Some(name) => format!("service {}", quoted(&name.value)),
        None => "this service".to_owned(),
    };
    if let Some(other) = stack.other(stack.all.stack_of_image(wanted)) {
        let (image_name, other) = (quoted(wanted), quoted(other));
        let message =
            format!("{who} uses the image {image_name}, which belongs to the stack {other}");
        let finding = Finding::new(Kind::UnknownImage, message).at(image.span, "of another stack");
        let help = "define an image of another name with the same repository in this stack";
        context.findings.push(finding.help(help));
        return None;
    }
    let message = format!(
        "{who} uses the image {}, which is not defined",
        quoted(wanted)
    );
    let finding = Finding::new(Kind::UnknownImage, message).at(image.span, "not defined");
    context.findings.push(match stack.image_of(wanted) {
        Some(name) => finding.help(format!("write the image's name: {}", quoted(name))),
        None if context.findings.is_full() => finding,
        None => match nearest(wanted, stack.images.keys().copied()) {
            near @ Some(_) => finding.did_you_mean(near),
            None => finding.help(match stack.images.keys().next() {
                Some(first) => {
                    let first = quoted(first);
                    format!("write the name of an image under `images`, such as {first}")
                }
                None => "define the image under `images`".to_owned(),
            }),
        },
    });
    None
}

fn after(
    list: &[At<String>],
    service: Option<&At<String>>,
    stack: &Neighbours<'_>,
    context: &mut Context<'_>,
) -> Vec<ServiceName> {
    let mut seen = BTreeMap::new();
    let mut names = Vec::new();
    for text in list {
        let wanted = text.value.as_str();
        if let Some(first) = seen.insert(wanted, text.span) {
            let message = format!("`after` names {} twice", quoted(wanted));
            let finding = Finding::new(Kind::DuplicateName, message).at(text.span, "again here");
            let finding = finding.at(first, "first here");
            context.findings.push(finding.help("remove one of the two"));
        } else if stack.services.contains(wanted) {
            names.extend(wanted.parse::<ServiceName>());
        } else {
            context
                .findings
                .push(unknown_service(text, service, stack, context));
        }
    }
    names
}

fn unknown_service(
    text: &At<String>,
    service: Option<&At<String>>,
    stack: &Neighbours<'_>,
    context: &Context<'_>,
) -> Finding {
    let wanted = quoted(&text.value);
    if let Some(other) = stack.other(stack.all.stack_of_service(&text.value)) {
        let message = format!(
            "`after` names {wanted}, which belongs to the stack {}",
            quoted(other)
        );
        return Finding::new(Kind::UnknownService, message)
            .at(text.span, "of another stack")
            .help("move both services into one stack");
    }
    let message = format!("`after` names the service {wanted}, which is not defined");
    let finding = Finding::new(Kind::UnknownService, message).at(text.span, "not defined");
    let own = service.map(|name| name.value.as_str());
    let others = stack
        .services
        .iter()
        .copied()
        .filter(|name| Some(*name) != own);
    match context.findings.is_full() {
        false => match nearest(&text.value, others) {
            near @ Some(_) => finding.did_you_mean(near),
            None => finding.help("write the name of a service under `services`"),
        },
        true => finding,
    }
}
