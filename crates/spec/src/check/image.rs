//! `spec.images`.

use super::{build, duration, policy};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, Spec};
use crate::model::{Image, MajorUpgrade, Pin};
use crate::section::{At, Context};
use crate::source::Span;
use crate::{Digest, ReferenceError, Repository, Tag, nearest};

pub(super) fn all(spec: &Spec, context: &mut Context<'_>) -> Vec<Image> {
    let images = spec.images.iter().flat_map(|list| &list.value);
    images.filter_map(|image| one(image, context)).collect()
}

fn one(image: &document::Image, context: &mut Context<'_>) -> Option<Image> {
    let follow = policy::follow(image, context);
    let image = &image.keys;
    let name = image.name.as_ref();
    let name = name.and_then(|text| super::parse_name(text, "an image", context));
    let purpose = image.purpose.as_ref();
    let purpose = purpose.and_then(|text| purpose_text(text, context));
    let repository = image.repository.as_ref();
    let repository = repository.and_then(|text| self::repository(text, context));
    let minimum_age = image.minimum_age.as_ref();
    let minimum_age = minimum_age.and_then(|text| duration(&text.0, context));
    let pin = image.pin.as_ref().and_then(|text| pin(&text.0, context));
    let base = image.base.as_ref();
    let base = base.and_then(|text| build::base(text, context));
    let build = image.build.as_ref();
    let build = build.and_then(|build| build::source(build, context));
    let major_upgrade = match &image.major_upgrade {
        Some(text) => major_upgrade(&text.0, context),
        None => Some(MajorUpgrade::default()),
    };
    let keep = image.keep.as_ref().and_then(|it| keep(&it.0, context));
    Some(Image {
        name: name?,
        purpose,
        repository: repository?,
        follow: follow?,
        minimum_age,
        pin,
        base,
        build,
        major_upgrade: major_upgrade?,
        keep,
    })
}

fn major_upgrade(text: &At<String>, context: &mut Context<'_>) -> Option<MajorUpgrade> {
    match text.value.as_str() {
        "block" => return Some(MajorUpgrade::Block),
        "allow" => return Some(MajorUpgrade::Allow),
        _ => {}
    }
    let message = format!("`majorUpgrade` is {}", quoted(&text.value));
    let finding = Finding::new(Kind::MajorUpgrade, message).at(text.span, "stay, or go?");
    context
        .findings
        .push(match nearest(&text.value, ["block", "allow"]) {
            near @ Some(_) => finding.did_you_mean(near),
            None => finding.help("write `block`, which is the default, or `allow`"),
        });
    None
}

/// It is shown on terminals, so nothing may stand in it that moves a cursor.
fn purpose_text(text: &At<String>, context: &mut Context<'_>) -> Option<String> {
    let words: Vec<_> = text.value.split_whitespace().collect();
    let words = words.join(" ");
    if words.contains(char::is_control) {
        let finding = Finding::new(Kind::Name, "`purpose` has control characters in it");
        let finding = finding.at(text.span, "not plain text");
        context
            .findings
            .push(finding.help("write what the image is for, in plain words"));
    }
    (!words.is_empty()).then_some(words)
}

fn repository(text: &At<String>, context: &mut Context<'_>) -> Option<Repository> {
    let error = match text.value.parse::<Repository>() {
        Ok(repository) => {
            let host = repository.host().as_str();
            // Hosts are the same in any case, but references to them are not.
            if host == host.to_lowercase() {
                return Some(repository);
            }
            let span = context.source.within(text.span, &text.value, 0..host.len());
            let message = format!("the host {} has uppercase letters", quoted(host));
            let finding = Finding::new(Kind::Repository, message).at(span, "write it in lowercase");
            let lowercase = text.value.to_lowercase();
            context
                .findings
                .push(finding.did_you_mean(Some(&lowercase)));
            return None;
        }
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Repository, error.to_string());
    let finding = finding.at(wrong_part(text, &error, context), label(&error));
    context.findings.push(match &error {
        ReferenceError::Scheme { rest, .. } => finding.did_you_mean(Some(rest)),
        ReferenceError::Uppercase { .. } => finding.did_you_mean(Some(&text.value.to_lowercase())),
        ReferenceError::TagInRepository(_) | ReferenceError::DigestInRepository(_) => {
            finding.help(apart(&text.value))
        }
        _ => finding.help("write host and path, such as `ghcr.io/owner/name`"),
    });
    None
}

/// How to write a whole reference with the keys of an image.
fn apart(reference: &str) -> String {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let tag = tag.map_or(String::new(), |tag| format!(" and `tag: \"{tag}\"`"));
    let pin = digest.map_or(String::new(), |digest| {
        format!("; to hold that build, add `pin: {digest}`")
    });
    format!("write `repository: {name}`{tag}{pin}")
}

pub(super) fn tag(text: &At<String>, context: &mut Context<'_>) -> Option<Tag> {
    let error = match text.value.parse::<Tag>() {
        Ok(tag) => return Some(tag),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Tag, error.to_string()).at(text.span, "not a tag");
    let last = text.value.rsplit([':', '/']).next().unwrap_or_default();
    context
        .findings
        .push(if text.value.parse::<Digest>().is_ok() {
            finding.help("a digest holds one build: write it as `pin:`, and the tag to follow here")
        } else if text.value.contains([':', '/']) && last.parse::<Tag>().is_ok() {
            finding.help(format!("write the tag alone: `tag: \"{last}\"`"))
        } else {
            finding.help("write a tag such as `\"16\"` or `latest`")
        });
    None
}

fn pin(text: &At<String>, context: &mut Context<'_>) -> Option<Pin> {
    let parsed = match text.value.contains(':') {
        true => text.value.parse().map(Pin::Digest),
        false => text.value.parse().map(Pin::Tag),
    };
    let error = match parsed {
        Ok(pin) => return Some(pin),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Pin, error.to_string());
    let finding = finding.at(text.span, "neither a tag nor a digest");
    let last = text.value.rsplit(['@', '/']).next().unwrap_or_default();
    let lowercase = text.value.to_lowercase();
    context
        .findings
        .push(if lowercase.parse::<Digest>().is_ok() {
            finding.did_you_mean(Some(&lowercase))
        } else if last != text.value && last.parse::<Digest>().is_ok() {
            finding.help(format!("write the digest alone: `pin: {last}`"))
        } else {
            finding.help("write a tag such as `16-abc1234`, or a whole digest, `sha256:…`")
        });
    None
}

/// The build that runs is always kept, so that none to keep would be one.
fn keep(builds: &At<u32>, context: &mut Context<'_>) -> Option<u32> {
    if builds.value > 0 {
        return Some(builds.value);
    }
    let finding = Finding::new(Kind::Keep, "`keep` must be at least 1");
    let finding = finding.at(builds.span, "too few");
    let help = "write how many builds each node keeps, such as `keep: 3`; without the line nothing is removed";
    context.findings.push(finding.help(help));
    None
}

/// Where in the reference the mistake is.
pub(super) fn wrong_part(text: &At<String>, error: &ReferenceError, context: &Context<'_>) -> Span {
    let whole = text.value.as_str();
    let range = match error {
        ReferenceError::TagInRepository(tag) => {
            // A tag stands at the end, or before a digest.
            let end = whole.find('@').unwrap_or(whole.len());
            end.saturating_sub(tag.as_str().len())..end
        }
        ReferenceError::Path(part) if part.is_empty() => match whole.find("//") {
            Some(at) => at..at + 2,
            None => 0..whole.len(),
        },
        _ => {
            let part = error.part().unwrap_or(whole);
            let at = whole.find(part).unwrap_or_default();
            at..at + part.len()
        }
    };
    context.source.within(text.span, whole, range)
}

pub(super) fn label(error: &ReferenceError) -> &'static str {
    match error {
        ReferenceError::Empty => "empty",
        ReferenceError::Scheme { .. } => "remove this",
        ReferenceError::Host(_) => "not a host",
        ReferenceError::Uppercase { .. } => "write it in lowercase",
        ReferenceError::Path(_) => "not a part of a path",
        ReferenceError::LongPath(_) => "too long",
        ReferenceError::Identifier => "not a name",
        ReferenceError::Tag(_) | ReferenceError::LongTag(_) => "not a tag, and out of place",
        ReferenceError::Digest(_) => "not a digest, and out of place",
        ReferenceError::TagInRepository(_) => "a tag",
        ReferenceError::DigestInRepository(_) => "a digest",
    }
}
