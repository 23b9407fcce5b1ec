//! What an image follows: `tag`, or `policy` with what belongs to it.

use std::str::FromStr;

use super::image;
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, PolicyKeys};
use crate::model::Follow;
use crate::policy::{Order, Pattern, Policy, PolicyError};
use crate::section::{At, Context};
use crate::source::Span;

/// Exactly one of `tag` and `policy`.
pub(super) fn follow(image: &document::Image, context: &mut Context<'_>) -> Option<Follow> {
    let keys = &image.keys;
    let tag = keys
        .tag
        .as_ref()
        .and_then(|text| image::tag(&text.0, context));
    let policy = keys.policy.as_ref();
    let checked = policy.and_then(|policy| self::policy(policy, context));
    let subject = match &keys.name {
        Some(name) => format!("image {}", quoted(&name.value)),
        None => "this image".to_owned(),
    };
    let wrong = |message: String| Finding::new(Kind::Policy, message);
    match (&keys.tag, policy) {
        (Some(text), Some(policy)) => {
            let finding = wrong(format!("{subject} has both `tag` and `policy`"));
            let finding = finding.at(policy.place, "or the best of several?");
            let finding = finding.at(text.0.span, "this one tag?");
            let help =
                "keep the one that says what to follow; to hold one build for a while, write `pin`";
            context.findings.push(finding.help(help));
            return None;
        }
        (None, None) if !image.follows => {
            let finding = wrong(format!("{subject} has neither `tag` nor `policy`"));
            let finding = finding.at(image.place, "which build?");
            let help = "add a line such as `tag: \"16\"` or `policy: {semver: \"~3.3\"}`";
            context.findings.push(finding.help(help));
        }
        (None, Some(_)) => {
            let allow_downgrade = keys.allow_downgrade.as_ref().is_some_and(|it| it.value);
            return checked.map(|policy| Follow::Policy {
                policy,
                allow_downgrade,
            });
        }
        (Some(_) | None, None) => {}
    }
    if let Some(allow) = keys.allow_downgrade.as_ref().filter(|_| image.follows) {
        let finding = wrong("`allowDowngrade` is about a `policy`, and there is none".to_owned());
        let help = "remove the line: a `tag` is followed wherever it moves";
        let finding = finding.at(allow.span, "of which policy?").help(help);
        context.findings.push(finding);
    }
    tag.map(Follow::Tag)
}

/// Exactly one of `semver`, `regex` and `newest`, with what belongs to it.
fn policy(policy: &document::Policy, context: &mut Context<'_>) -> Option<Policy> {
    let keys = &policy.keys;
    let rules = [
        keys.semver.as_ref().map(|it| it.span),
        keys.regex.as_ref().map(|it| it.span),
        keys.newest.as_ref().map(|it| it.span),
    ];
    let mut rules = rules.into_iter().flatten();
    let first = rules.next();
    if let (Some(first), Some(second)) = (first, rules.next()) {
        let finding = Finding::new(Kind::Policy, "`policy` has more than one rule");
        let finding = finding.at(second, "a second one").at(first, "one rule");
        let help = "keep one of `semver`, `regex` and `newest`";
        context.findings.push(finding.help(help));
        return None;
    }
    // One that could not be read has been told of.
    if first.is_none() && policy.is_whole {
        let finding = Finding::new(Kind::Policy, "`policy` has no rule");
        let finding = finding.at(policy.place, "by which rule?");
        let help = "write `{semver: \"~3.3\"}`, `{regex: '16-(\\d{8})', order: date}` or `{newest: '16-.*'}`";
        context.findings.push(finding.help(help));
    }
    let (suffix, order) = companions(keys, first.is_some(), context);
    match keys {
        PolicyKeys {
            semver: Some(text), ..
        } => {
            let range = parsed(text, context)?;
            let suffix = match suffix {
                Some(text) => Some(parsed(text, context)?),
                None => None,
            };
            Some(Policy::Semver { range, suffix })
        }
        PolicyKeys {
            regex: Some(text), ..
        } => {
            let pattern = parsed::<Pattern>(text, context);
            let order = match order {
                Some(text) => parsed::<Order>(text, context),
                None => unordered(text.span, policy, context),
            };
            Some(Policy::Regex {
                pattern: pattern?,
                order: order?,
            })
        }
        PolicyKeys { newest, .. } => {
            let pattern = parsed(newest.as_ref()?, context)?;
            Some(Policy::Newest { pattern })
        }
    }
}

/// `suffix` and `order`, each beside the rule that it belongs to; elsewhere it
/// would be without effect.
fn companions<'k>(
    keys: &'k PolicyKeys,
    has_rule: bool,
    context: &mut Context<'_>,
) -> (Option<&'k At<String>>, Option<&'k At<String>>) {
    let order = keys.order.as_ref().map(|text| &text.0);
    let given = [
        ("suffix", "semver", keys.suffix.as_ref(), &keys.semver),
        ("order", "regex", order, &keys.regex),
    ];
    let [suffix, order] = given.map(|(key, rule, text, beside)| {
        let text = text?;
        if beside.is_some() {
            return Some(text);
        }
        if has_rule {
            let message = format!("`{key}` goes with `{rule}`, which is not there");
            let finding = Finding::new(Kind::Policy, message).at(text.span, "without effect");
            context.findings.push(finding.help("remove it"));
        }
        None
    });
    (suffix, order)
}

/// Each order finds another tag, so none is taken for granted.
fn unordered(place: Span, policy: &document::Policy, context: &mut Context<'_>) -> Option<Order> {
    if policy.is_whole {
        let finding = Finding::new(Kind::Policy, "`regex` has no `order` with it");
        let finding = finding.at(place, "in which order?");
        let orders: Vec<_> = Order::NAMES.iter().map(|(name, _)| *name).collect();
        let help = format!("add one of `order: {}`", orders.join("`, `order: "));
        context.findings.push(finding.help(help));
    }
    None
}

fn parsed<T>(text: &At<String>, context: &mut Context<'_>) -> Option<T>
where
    T: FromStr<Err = PolicyError>,
{
    let error = match text.value.parse() {
        Ok(parsed) => return Some(parsed),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Policy, error.to_string()).at(text.span, label(&error));
    context.findings.push(finding.help(error.remedy()));
    None
}

fn label(error: &PolicyError) -> &'static str {
    match error {
        PolicyError::Range { .. } => "not a range",
        PolicyError::Bare(_) => "this one, or later ones?",
        PolicyError::Suffix(_) => "not an end of a tag",
        PolicyError::EmptyPattern => "empty",
        PolicyError::Pattern { .. } => "not a pattern",
        PolicyError::LongPattern(_) | PolicyError::LargePattern(_) => "too much",
        PolicyError::Groups(_) => "which group?",
        PolicyError::Order(_) => "not an order",
    }
}
