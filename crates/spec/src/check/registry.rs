//! `spec.registries`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::duration;
use crate::RegistryHost;
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, Password, PasswordSource, Spec};
use crate::model::{DEFAULT_WARN_BEFORE_EXPIRY, Registry, SecretSource};
use crate::secrets;
use crate::section::{At, Context};
use crate::source::Span;

/// Registries that answer by https only: `insecure` there would only serve to
/// hand the password to whoever is on the way.
const PUBLIC: [&str; 8] = [
    "docker.io",
    "gcr.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "quay.io",
    "registry.gitlab.com",
    "registry.k8s.io",
];

pub(super) fn all(spec: &Spec, context: &mut Context<'_>) -> Vec<Registry> {
    let mut seen: BTreeMap<RegistryHost, Span> = BTreeMap::new();
    let mut registries = Vec::new();
    for registry in spec.registries.iter().flat_map(|list| &list.value) {
        let host = registry.host.as_ref().and_then(|text| host(text, context));
        if let (Some(host), Some(text)) = (&host, &registry.host)
            && let Some(first) = seen.insert(host.clone(), text.span)
        {
            let message = format!("the registry `{host}` stands twice");
            let finding = Finding::new(Kind::Registry, message).at(text.span, "again here");
            let finding = finding.at(first, "first here");
            context.findings.push(finding.help("join the two entries"));
        }
        login(registry, context);
        insecure(registry, host.as_ref(), context);
        let warn = registry.warn_before_expiry.as_ref();
        let warn_before_expiry = warn
            .and_then(|text| duration(&text.0, context))
            .unwrap_or(DEFAULT_WARN_BEFORE_EXPIRY);
        let password = registry.password.as_ref();
        let password = password.and_then(|password| self::password(password, context));
        registries.extend(host.map(|host| Registry {
            host,
            username: registry.username.as_ref().map(|name| name.value.clone()),
            password,
            insecure: registry.insecure.as_ref().is_some_and(|at| at.value),
            warn_before_expiry,
        }));
    }
    registries
}

fn host(text: &At<String>, context: &mut Context<'_>) -> Option<RegistryHost> {
    let lowercase = text.value.to_lowercase();
    if let Ok(host) = text.value.parse::<RegistryHost>()
        && lowercase == text.value
    {
        return Some(host);
    }
    let message = format!("{} is not a registry's host", quoted(&text.value));
    let label = match lowercase.parse::<RegistryHost>() {
        Ok(_) => "write it in lowercase",
        Err(_) => "not a host with an optional port",
    };
    let finding = Finding::new(Kind::Registry, message).at(text.span, label);
    // A URL, a login, a path or capitals around what is meant.
    let bare = lowercase
        .split_once("://")
        .map_or(&*lowercase, |(_, rest)| rest);
    let bare = bare.split('/').next().unwrap_or_default();
    let bare = bare.rsplit('@').next().unwrap_or_default();
    context.findings.push(match bare.parse::<RegistryHost>() {
        Ok(_) => finding.did_you_mean(Some(bare)),
        Err(_) => finding.help("write the host as image references name it, such as `ghcr.io`"),
    });
    None
}

/// A login has two halves.
fn login(registry: &document::Registry, context: &mut Context<'_>) {
    if registry
        .username
        .as_ref()
        .is_some_and(|name| is_literal(name, context))
    {
        return;
    }
    let credentials = |message| Finding::new(Kind::Credentials, message);
    match (&registry.username, &registry.password) {
        (Some(username), None) => context.findings.push(
            credentials("`username` has no `password` with it")
                .at(username.span, "half a login")
                .help("add a line such as `password: {env: REGISTRY_TOKEN}`, or remove this one: the docker config brings its own username"),
        ),
        (None, Some(_)) => {
            let finding = credentials("`password` has no `username` with it");
            let host = registry.host.as_ref().map(|host| host.span);
            let finding = host.into_iter().fold(finding, |finding, span| {
                finding.at(span, "`username` is missing")
            });
            let help = "add a line such as `username: somebody`";
            context.findings.push(finding.help(help));
        }
        (Some(username), Some(_)) if username.value.is_empty() || username.value.contains([':', '\n']) => {
            context.findings.push(
                credentials("a username is not empty and contains no `:`")
                    .at(username.span, "not a username")
                    .help("write the name of the account alone"),
            );
            // What stands behind the colon may be the password.
            context.findings.blacken(username.span);
        }
        _ => {}
    }
}

fn insecure(registry: &document::Registry, host: Option<&RegistryHost>, context: &mut Context<'_>) {
    if let (Some(insecure), Some(host)) = (&registry.insecure, host)
        && insecure.value
        && PUBLIC.contains(&host.as_str())
    {
        let message = format!("`{host}` speaks https, so plain http could only leak the password");
        let finding = Finding::new(Kind::Registry, message);
        let finding = finding.at(insecure.span, "not for a public registry");
        context.findings.push(finding.help("remove the line"));
    }
}

fn password(password: &Password, context: &mut Context<'_>) -> Option<SecretSource> {
    match password {
        Password::Literal(span) => {
            context.findings.push(literal(*span));
            None
        }
        Password::Source(source) => one_source(source, context),
        Password::Wrong => None,
    }
}

fn literal(span: Span) -> Finding {
    Finding::new(Kind::LiteralSecret, "a password cannot stand in the spec")
        .at(span, "write where to read it instead")
        .help(
            "write `password: {env: REGISTRY_TOKEN}`, `password: {file: PATH}` or `password: {command: [pass, show, registry]}`; replace the password if anybody else could read this file",
        )
}

fn one_source(source: &PasswordSource, context: &mut Context<'_>) -> Option<SecretSource> {
    let places = [
        source.env.as_ref().map(|at| at.span),
        source.file.as_ref().map(|at| at.span),
        source.command.as_ref().map(|at| at.span),
    ];
    let mut given = places.into_iter().flatten();
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let finding = Finding::new(Kind::Credentials, "`password` has more than one source");
        let finding = finding.at(second, "a second one").at(first, "one source");
        let help = "keep one of `env`, `file` and `command`";
        context.findings.push(finding.help(help));
        return None;
    }
    match (&source.env, &source.file, &source.command) {
        (Some(name), _, _) => env(name, context),
        (_, Some(path), _) => file(path, context),
        (_, _, Some(words)) => command(words, context),
        (None, None, None) => None,
    }
}

/// Whether a secret stands where something else should; which is told, and the
/// place is not shown.
fn is_literal(text: &At<String>, context: &mut Context<'_>) -> bool {
    let found = secrets::is_literal(&text.value);
    if found {
        context.findings.blacken(text.span);
        context.findings.push(literal(text.span));
    }
    found
}

/// What is no variable's name may be the secret itself, and is not repeated.
fn env(name: &At<String>, context: &mut Context<'_>) -> Option<SecretSource> {
    if is_literal(name, context) {
        return None;
    }
    let is_name = |text: &str| {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        text.bytes().all(word) && !text.starts_with(|c: char| c.is_ascii_digit())
    };
    if !name.value.is_empty() && is_name(&name.value) {
        return Some(SecretSource::Env(name.value.clone()));
    }
    let finding = Finding::new(Kind::Credentials, "`env` is not the name of a variable");
    let finding = finding.at(name.span, "letters, digits and `_` only");
    let bare = name
        .value
        .trim_start_matches(['$', '{'])
        .trim_end_matches('}');
    context.findings.push(if !bare.is_empty() && is_name(bare) {
        finding.did_you_mean(Some(bare))
    } else {
        finding.help("write the name, such as `{env: REGISTRY_TOKEN}`, not the value")
    });
    None
}

fn file(path: &At<String>, context: &mut Context<'_>) -> Option<SecretSource> {
    if is_literal(path, context) {
        return None;
    }
    let finding = |message| Finding::new(Kind::Credentials, message).at(path.span, "not a path");
    if path.value.starts_with("~/") || path.value.contains('$') {
        let finding = finding("`file` is taken as it is: no `~` and no variables");
        context
            .findings
            .push(finding.help("write the path in full"));
        return None;
    }
    if path.value.is_empty() || path.value.contains(char::is_control) {
        context
            .findings
            .push(finding("`file` is not a path").help("write the path of a file"));
        return None;
    }
    Some(SecretSource::File(PathBuf::from(&path.value)))
}

fn command(words: &At<Vec<At<String>>>, context: &mut Context<'_>) -> Option<SecretSource> {
    let empty = words
        .value
        .first()
        .is_none_or(|program| program.value.is_empty());
    if empty || words.value.iter().any(|word| word.value.contains('\0')) {
        let finding = Finding::new(Kind::Credentials, "`command` names no program");
        let finding = finding.at(words.span, "not a program and its arguments");
        let help = "write the program and its arguments, such as `[pass, show, registry]`";
        context.findings.push(finding.help(help));
        return None;
    }
    // Arguments are seen by everybody who lists processes.
    let mut words = words.value.iter();
    if words.clone().any(|word| is_literal(word, context)) {
        return None;
    }
    Some(SecretSource::Command(
        words.by_ref().map(|word| word.value.clone()).collect(),
    ))
}
