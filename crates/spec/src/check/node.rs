//! `spec.nodes`.

use std::collections::BTreeMap;

use super::{endpoint_remedy, login, parse_name};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, Spec};
use crate::engine_template::{self, EngineTemplateError};
use crate::model::{NodeMatch, NodeRole, NodeRule, Selector};
use crate::near::nearest;
use crate::section::{At, Context};
use crate::source::Span;
use crate::{ByteSize, EngineTemplate};

/// What a constraint writes before a label's name.
const CONSTRAINT: &str = "node.labels.";

/// An entry as it is written, and what could be made of it.
pub(super) struct Rule<'d> {
    pub(super) keys: &'d document::NodeKeys,
    pub(super) which: Option<NodeMatch>,
    pub(super) engine: Option<EngineTemplate>,
}

pub(super) fn all(spec: &Spec, context: &mut Context<'_>) -> Vec<NodeRule> {
    let entries = spec.nodes.iter().flat_map(|list| &list.value);
    let mut names = BTreeMap::new();
    let mut rules = Vec::new();
    let mut checked = Vec::new();
    for entry in entries {
        let keys = &entry.keys;
        let which = which(entry, context);
        if let Some(name) = &keys.name {
            twice(name, &mut names, context);
        }
        let engine = keys.engine.as_ref();
        let engine = engine.and_then(|text| self::engine(text, context));
        one_for_many(keys, engine.as_ref(), context);
        let free = keys.minimum_free_disk.as_ref();
        let minimum_free_disk = free.and_then(|text| size(&text.0, context));
        checked.extend(which.clone().map(|which| NodeRule {
            which,
            engine: engine.clone(),
            login: keys.login.as_ref().map(|at| at.value),
            minimum_free_disk,
        }));
        rules.push(Rule {
            keys,
            which,
            engine,
        });
    }
    login::check(&rules, context);
    checked
}

/// A rule is for one node or for those that have something in common.
fn which(entry: &document::NodeRule, context: &mut Context<'_>) -> Option<NodeMatch> {
    let wrong = |message| Finding::new(Kind::Node, message);
    match (&entry.keys.name, &entry.keys.selector) {
        (Some(name), None) => parse_name(name, "a node", context).map(NodeMatch::Name),
        (None, Some(selector)) => self::selector(selector, context).map(NodeMatch::Selector),
        (Some(name), Some(_)) => {
            let finding = wrong("a node rule has both `name` and `selector`");
            let finding = finding.at(name.span, "for this node, or for those selected?");
            let help = "keep one of the two, and write a rule of its own for the other";
            context.findings.push(finding.help(help));
            None
        }
        // One that could not be read has been told of.
        (None, None) if entry.is_whole => {
            let finding = wrong("a node rule has neither `name` nor `selector`");
            let finding = finding.at(entry.place, "for which nodes?");
            let help = "add a line such as `name: node-1` or `selector: {role: worker}`; `selector: {}` is every node";
            context.findings.push(finding.help(help));
            None
        }
        (None, None) => None,
    }
}

fn twice(name: &At<String>, names: &mut BTreeMap<String, Span>, context: &mut Context<'_>) {
    let key = name.value.to_ascii_lowercase();
    let Some(first) = names.get(&key) else {
        names.insert(key, name.span);
        return;
    };
    let message = format!("the node {} stands twice", quoted(&name.value));
    let finding = Finding::new(Kind::DuplicateName, message).at(name.span, "again here");
    let finding = finding.at(*first, "first here");
    context.findings.push(finding.help("join the two entries"));
}

fn selector(selector: &document::Selector, context: &mut Context<'_>) -> Option<Selector> {
    let role = match &selector.role {
        Some(text) => Some(role(&text.0, context)?),
        None => None,
    };
    let labels = selector.labels.iter().flat_map(|labels| &labels.0);
    let mut by_key = BTreeMap::new();
    for (key, value) in labels {
        if label(key, context) {
            by_key.insert(key.value.clone(), value.0.value.clone());
        }
    }
    let labels = by_key;
    Some(Selector { role, labels })
}

fn role(text: &At<String>, context: &mut Context<'_>) -> Option<NodeRole> {
    match text.value.as_str() {
        "manager" => return Some(NodeRole::Manager),
        "worker" => return Some(NodeRole::Worker),
        _ => {}
    }
    let message = format!("{} is not the role of a node", quoted(&text.value));
    let finding = Finding::new(Kind::Node, message).at(text.span, "not a role");
    context
        .findings
        .push(match nearest(&text.value, ["manager", "worker"]) {
            near @ Some(_) => finding.did_you_mean(near),
            None => finding.help("write `manager` or `worker`"),
        });
    None
}

/// Whether a text is the name of a label, rather than what a constraint of
/// docker's calls it.
fn label(key: &At<String>, context: &mut Context<'_>) -> bool {
    let finding = |message, label| Finding::new(Kind::Node, message).at(key.span, label);
    if key.value.is_empty() {
        let finding = finding("a label has no name", "empty");
        context
            .findings
            .push(finding.help("write the label as `name: value`"));
        return false;
    }
    let Some(bare) = key.value.strip_prefix(CONSTRAINT) else {
        return true;
    };
    let finding = finding("a label is written without `node.labels.`", "remove this");
    context.findings.push(finding.did_you_mean(Some(bare)));
    false
}

fn engine(text: &At<String>, context: &mut Context<'_>) -> Option<EngineTemplate> {
    let error = match text.value.parse() {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Endpoint, error.to_string());
    let finding = match &error {
        EngineTemplateError::Placeholder(placeholder) => {
            let at = text.value.find(placeholder).unwrap_or_default();
            let part = at..at + placeholder.len();
            let span = context.source.within(text.span, &text.value, part);
            let finding = finding.at(span, "not a placeholder");
            match engine_template::meant(placeholder) {
                meant @ Some(_) => finding.did_you_mean(meant),
                None => finding.help("the placeholders are `{hostname}` and `{address}`"),
            }
        }
        EngineTemplateError::Brace(_) => finding
            .at(text.span, "not an endpoint")
            .help("write `{hostname}` or `{address}`, each in one pair of braces"),
        EngineTemplateError::Endpoint(error) => {
            let is_right = |guess: &str| guess.parse::<EngineTemplate>().is_ok();
            let finding = finding.at(text.span, "not an endpoint");
            endpoint_remedy(finding, error, is_right)
        }
        // Only of a node.
        EngineTemplateError::Hostname(_) | EngineTemplateError::Address(_) => finding,
    };
    context.findings.push(finding);
    None
}

/// One engine for all the nodes of a selector would be asked of each what is
/// true of one.
fn one_for_many(
    keys: &document::NodeKeys,
    engine: Option<&EngineTemplate>,
    context: &mut Context<'_>,
) {
    let (Some(text), Some(engine)) = (&keys.engine, engine) else {
        return;
    };
    if keys.selector.is_none() || engine.has_placeholder() {
        return;
    }
    let message = "every node that is selected would be reached at one engine";
    let finding = Finding::new(Kind::Node, message).at(text.span, "the same for each");
    context.findings.push(finding.help(
        "write what differs as `{hostname}` or `{address}`, such as `ssh://root@{hostname}`; or write the rule for one node, with `name`",
    ));
}

fn size(text: &At<String>, context: &mut Context<'_>) -> Option<ByteSize> {
    match text.value.parse::<ByteSize>() {
        Ok(size) => Some(size),
        Err(error) => {
            let finding = Finding::new(Kind::Size, error.to_string());
            let finding = finding.at(text.span, error.label());
            context
                .findings
                .push(finding.help(error.remedy(&text.value)));
            None
        }
    }
}
