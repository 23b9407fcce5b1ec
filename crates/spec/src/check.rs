//! What the values of documents mean, and whether they fit together.
//!
//! Reading has seen to the form; here are the rules. Every mistake is told, so
//! each part is checked whether or not its neighbours are right, and a `Stack`
//! comes out only when all are.

use std::time::Duration;

use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{API_VERSION, ApiVersionText, Document, KIND, KindText, Spec};
use crate::duration;
use crate::model::Stack;
use crate::name::NameError;
use crate::near::nearest;
use crate::section::{At, Context};
use crate::{Endpoint, EndpointError};

mod build;
mod gate;
mod image;
mod login;
mod names;
mod node;
mod order;
mod path;
mod policy;
mod registry;
mod rollout;
mod service;
mod workflow;

pub(crate) use names::Names;

/// Checks one document; `names` are those of all documents read together.
pub(crate) fn stack(
    document: &Document,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Stack> {
    header(document, context);
    let name = document.metadata.as_ref().and_then(|metadata| {
        let name = metadata.name.as_ref()?;
        parse_name(name, "a stack", context)
    });
    let spec = document.spec.as_ref()?;
    let endpoint = endpoint(spec, context);
    let registries = registry::all(spec, context);
    let images = image::all(spec, context);
    workflow::check(spec, context);
    let nodes = node::all(spec, context);
    let services = service::all(document, spec, names, context);
    Some(Stack {
        name: name?,
        endpoint,
        registries,
        images,
        nodes,
        services,
    })
}

fn header(document: &Document, context: &mut Context<'_>) {
    let mut wrong = |text: &At<String>, key: &str, right: &str| {
        if text.value != right {
            let message = format!("this is not the {key} {}", quoted(right));
            let finding = Finding::new(Kind::ApiVersion, message).at(text.span, "not known");
            context.findings.push(finding.did_you_mean(Some(right)));
        }
    };
    if let Some(ApiVersionText(text)) = &document.api_version {
        wrong(text, "apiVersion", API_VERSION);
    }
    if let Some(KindText(text)) = &document.kind {
        wrong(text, "kind", KIND);
    }
}

fn endpoint(spec: &Spec, context: &mut Context<'_>) -> Option<Endpoint> {
    let text = spec.swarm.as_ref()?.endpoint.as_ref()?;
    let error = match text.value.parse() {
        Ok(endpoint) => return Some(endpoint),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Endpoint, error.to_string());
    let finding = finding.at(text.span, "not an endpoint");
    let is_right = |guess: &str| guess.parse::<Endpoint>().is_ok();
    context
        .findings
        .push(endpoint_remedy(finding, &error, is_right));
    None
}

/// What to write instead of what is no endpoint.
fn endpoint_remedy(
    finding: Finding,
    error: &EndpointError,
    is_right: impl Fn(&str) -> bool,
) -> Finding {
    let guess = match error {
        EndpointError::Scheme(text) => match text.split_once("://") {
            Some(("http" | "https", rest)) => format!("tcp://{rest}"),
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None if text.starts_with('/') => format!("unix://{text}"),
            None => format!("ssh://{text}"),
        },
        EndpointError::Port(text) => format!("{}:2376", text.trim_end_matches('/')),
        EndpointError::Path(text) => text.replacen("unix://", "unix:///", 1),
        EndpointError::Trailing(text) => text.rsplit_once('/').map_or("", |(head, _)| head).into(),
        EndpointError::Host(_) | EndpointError::User(_) => String::new(),
        EndpointError::Password => {
            return finding.help("remove the password and log in with a key: `ssh://USER@HOST`");
        }
    };
    if is_right(&guess) {
        finding.did_you_mean(Some(&guess))
    } else {
        finding.help("write `ssh://[USER@]HOST`, `tcp://HOST:PORT` or `unix:///PATH`")
    }
}

fn duration(text: &At<String>, context: &mut Context<'_>) -> Option<Duration> {
    match duration::parse(&text.value) {
        Ok(duration) => Some(duration),
        Err(error) => {
            let finding = Finding::new(Kind::Duration, error.to_string());
            let finding = finding.at(text.span, error.label());
            context
                .findings
                .push(finding.help(error.remedy(&text.value)));
            None
        }
    }
}

/// Reads a name; `whose` is "a stack", "an image", "a service" or "a node".
fn parse_name<T>(text: &At<String>, whose: &str, context: &mut Context<'_>) -> Option<T>
where
    T: std::str::FromStr<Err = NameError>,
{
    let error = match text.value.parse() {
        Ok(name) => return Some(name),
        Err(error) => error,
    };
    let message = format!("{} cannot be the name of {whose}", quoted(&text.value));
    let finding = Finding::new(Kind::Name, message);
    let foreign = |c: char| match error {
        NameError::ServiceForm => !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'),
        _ => !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'),
    };
    let finding = match (&error, text.value.char_indices().find(|(_, c)| foreign(*c))) {
        (NameError::Form | NameError::ServiceForm, Some((at, c))) => {
            let part = at..at + c.len_utf8();
            let span = context.source.within(text.span, &text.value, part);
            finding.at(span, "not allowed in a name")
        }
        (NameError::Empty, _) => finding.at(text.span, "empty"),
        (NameError::TooLong { .. }, _) => finding.at(text.span, "too long"),
        _ => finding.at(text.span, "wrong at one end"),
    };
    let guess = text.value.replace(foreign, "-");
    let guess = guess.trim_matches(['-', '_', '.']);
    let help = match guess.parse::<T>() {
        // What to make of an `ö` is for its people to say.
        Ok(_) if text.value.is_ascii() => format!("{error}: did you mean {}?", quoted(guess)),
        _ => error.to_string(),
    };
    context.findings.push(finding.help(help));
    None
}

/// Whether a document says that it is one of ours, or nearly.
pub(crate) fn is_ours(api_version: Option<&str>, kind: Option<&str>) -> bool {
    let near = |text: Option<&str>, right| {
        text.is_none_or(|text| text == right || nearest(text, [right]).is_some())
    };
    let named = api_version.is_some() || kind.is_some();
    named && near(api_version, API_VERSION) && near(kind, KIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_ours_when_it_nearly_says_so() {
        let cases = [
            (Some(API_VERSION), Some(KIND), true),
            (Some(API_VERSION), None, true),
            (None, Some(KIND), true),
            (None, None, false),
            (Some("imgstack.dev/v1alpha2"), Some("imagestack"), true),
            (Some("v1"), Some("ConfigMap"), false),
            (Some("v1"), Some(KIND), false),
            (Some(API_VERSION), Some("Service"), false),
        ];
        for (api_version, kind, expected) in cases {
            assert_eq!(
                is_ours(api_version, kind),
                expected,
                "{api_version:?} {kind:?}"
            );
        }
    }
}
