//! `login`: done over ssh, so it needs an engine that is reached so.
//!
//! Rules are merged, so that the engine may be of another rule than the login.
//! Which selectors match a node is known when the Swarm has been asked; here
//! is told what is wrong whatever it answers. Each rule is looked at as the
//! nodes that it is for, to which other rules apply surely, perhaps or never.

use std::collections::BTreeSet;

use super::node::Rule;
use crate::diagnostic::{Finding, Kind};
use crate::model::{NodeMatch, Selector};
use crate::section::Context;
use crate::source::Span;

/// More rules than this are not compared with each other: nobody has so many,
/// and what is wrong with a login is seen again when it is planned.
const MOST: usize = 1000;

pub(super) fn check(rules: &[Rule<'_>], context: &mut Context<'_>) {
    if rules.len() > MOST {
        return;
    }
    let mut told = BTreeSet::new();
    for view in rules {
        let Some(nodes) = &view.which else { continue };
        let others = in_force(rules, nodes);
        let Some((of, login)) = login(&others) else {
            continue;
        };
        match engine(&others) {
            Engine::Perhaps => {}
            Engine::None if told.insert((login, None)) => {
                context.findings.push(without_engine(login, of));
            }
            Engine::Other(place) if told.insert((login, Some(place))) => {
                context.findings.push(with_other_engine(login, place));
            }
            Engine::None | Engine::Other(_) => {}
        }
    }
}

/// How sure it is that a rule applies to the nodes in view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Applies {
    Surely,
    Perhaps,
}

/// The rules that apply to some nodes, in the order in which they win.
fn in_force<'r>(rules: &'r [Rule<'r>], nodes: &NodeMatch) -> Vec<(&'r Rule<'r>, Applies)> {
    let every = Selector::default();
    let by_name = |rule: &&Rule<'_>| !matches!(rule.which, Some(NodeMatch::Selector(_)));
    let (mut sorted, selectors): (Vec<_>, Vec<_>) = rules.iter().partition(by_name);
    sorted.extend(selectors);
    let applies = |rule: &'r Rule<'r>| {
        let applies = match (&rule.which, nodes) {
            (None, _) => Applies::Perhaps,
            (Some(NodeMatch::Name(own)), NodeMatch::Name(name)) if own == name => Applies::Surely,
            (Some(NodeMatch::Name(_)), NodeMatch::Name(_)) => return None,
            (Some(NodeMatch::Name(_)), NodeMatch::Selector(_)) => Applies::Perhaps,
            (Some(NodeMatch::Selector(own)), NodeMatch::Name(_)) => match *own == every {
                true => Applies::Surely,
                false => Applies::Perhaps,
            },
            (Some(NodeMatch::Selector(own)), NodeMatch::Selector(nodes)) => {
                if own.covers(nodes) {
                    Applies::Surely
                } else if own.overlaps(nodes) {
                    Applies::Perhaps
                } else {
                    return None;
                }
            }
        };
        Some((rule, applies))
    };
    sorted.into_iter().filter_map(applies).collect()
}

/// The rule that surely has the nodes logged in, and where it says so.
fn login<'r>(rules: &[(&'r Rule<'r>, Applies)]) -> Option<(&'r Rule<'r>, Span)> {
    for (rule, applies) in rules {
        match (&rule.keys.login, applies) {
            (Some(login), Applies::Surely) => return login.value.then_some((*rule, login.span)),
            // For some of the nodes it may be the word that counts.
            (Some(login), Applies::Perhaps) if !login.value => return None,
            (Some(_) | None, _) => {}
        }
    }
    None
}

/// What is known of the engine of the nodes in view.
enum Engine {
    /// It is reached by ssh, or may be.
    Perhaps,
    /// No rule gives one that is.
    None,
    /// It is reached otherwise, as is said here.
    Other(Span),
}

fn engine(rules: &[(&Rule<'_>, Applies)]) -> Engine {
    for (rule, applies) in rules {
        let Some(text) = &rule.keys.engine else {
            continue;
        };
        let is_ssh = rule.engine.as_ref().is_none_or(|engine| engine.is_ssh());
        if is_ssh {
            return Engine::Perhaps;
        }
        if *applies == Applies::Surely {
            return Engine::Other(text.span);
        }
    }
    Engine::None
}

fn without_engine(login: Span, rule: &Rule<'_>) -> Finding {
    let host = match &rule.which {
        Some(NodeMatch::Name(name)) => name.as_str(),
        Some(NodeMatch::Selector(_)) | None => "{hostname}",
    };
    Finding::new(Kind::Node, "`login` has no engine that is reached by ssh")
        .at(login, "a login is made over ssh")
        .help(format!(
            "add a line such as `engine: \"ssh://root@{host}\"`"
        ))
}

fn with_other_engine(login: Span, engine: Span) -> Finding {
    Finding::new(Kind::Node, "`login` needs an engine that is reached by ssh")
        .at(engine, "not by ssh")
        .at(login, "a login is made over ssh")
        .help("write an engine such as `ssh://root@{hostname}`, or `login: false` beside this one")
}
