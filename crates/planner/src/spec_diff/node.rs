//! Rules for nodes.

use std::collections::BTreeMap;

use imgstack_spec::{Address, NodeMatch, NodeRole, NodeRule, Selector, StackName};

use super::change::{Act, Change, Effect, Meaning, Subject};
use super::field::{Field, Named, differences, said};

/// The fields of a rule, but for the nodes that it is for.
#[derive(Clone, Copy)]
enum Key {
    Engine,
    Login,
    MinimumFreeDisk,
}

impl Named for Key {
    fn name(self) -> String {
        let name = match self {
            Self::Engine => "engine",
            Self::Login => "login",
            Self::MinimumFreeDisk => "minimumFreeDisk",
        };
        name.to_owned()
    }
}

/// The rules of a stack in both sets, or in one; those of a removed stack are
/// in the older.
pub(super) fn compare(stack: &StackName, old: &[NodeRule], new: &[NodeRule]) -> Vec<Change> {
    let (before, after) = (keyed(old), keyed(new));
    let mut changes = Vec::new();
    for (subject, rule) in &after {
        match before.iter().find(|(it, _)| it == subject) {
            Some((_, was)) => changes.extend(differences(
                stack,
                subject,
                fields(was),
                fields(rule),
                |key| meaning(key, rule),
            )),
            None => changes.push(added(stack, subject, rule)),
        }
    }
    let gone = before
        .iter()
        .filter(|(subject, _)| after.iter().all(|(it, _)| it != subject));
    changes.extend(gone.map(|(subject, rule)| removed(stack, subject, rule)));
    changes
}

/// The rules, each with what it is for; a second rule for the same nodes has
/// its number beside that.
pub(super) fn keyed(rules: &[NodeRule]) -> Vec<(Subject, &NodeRule)> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let keyed = rules.iter().map(|rule| {
        let subject = match &rule.which {
            NodeMatch::Name(name) => Subject::Thing(Address::Node(name.clone())),
            NodeMatch::Selector(selector) => {
                let which = written(selector);
                let count = known.entry(which.clone()).or_default();
                *count += 1;
                Subject::Nodes(match *count {
                    1 => which,
                    number => format!("{which}, rule {number}"),
                })
            }
        };
        (subject, rule)
    });
    keyed.collect()
}

/// `role=worker, labels.zone=a`, or `*` for every node.
fn written(selector: &Selector) -> String {
    let Selector { role, labels } = selector;
    let role = role.map(|role| match role {
        NodeRole::Manager => "role=manager".to_owned(),
        NodeRole::Worker => "role=worker".to_owned(),
    });
    let labels = labels
        .iter()
        .map(|(key, value)| format!("labels.{key}={value}"));
    let parts: Vec<String> = role.into_iter().chain(labels).collect();
    match parts.is_empty() {
        true => "*".to_owned(),
        false => parts.join(", "),
    }
}

fn fields(rule: &NodeRule) -> Vec<Field<Key>> {
    let NodeRule {
        which: _,
        engine,
        login,
        minimum_free_disk,
    } = rule;
    vec![
        Field::new(Key::Engine, engine.as_ref().map(ToString::to_string)),
        Field::new(Key::Login, login.map(|it| it.to_string())),
        Field::new(
            Key::MinimumFreeDisk,
            minimum_free_disk.map(|it| it.to_string()),
        ),
    ]
}

fn added(stack: &StackName, subject: &Subject, rule: &NodeRule) -> Change {
    let meaning = match rule.engine {
        Some(_) => Meaning::new(
            Effect::Managed,
            "starts to be managed: its own engine is asked what it holds, and pulls",
        ),
        None => Meaning::no_restart("is kept as said here, where no other rule says more"),
    };
    Change {
        says: said(fields(rule)),
        ..meaning.change(stack, subject.clone(), Act::Add)
    }
}

fn removed(stack: &StackName, subject: &Subject, rule: &NodeRule) -> Change {
    let message = match rule.engine {
        Some(_) => {
            "is reached through the manager, where no other rule says how; nothing is removed, \
             and a login stays"
        }
        None => "this rule counts no more; nothing is removed, and a login stays",
    };
    Change {
        says: said(fields(rule)),
        ..Meaning::new(Effect::Unmanaged, message).change(stack, subject.clone(), Act::Remove)
    }
}

fn meaning(key: Key, rule: &NodeRule) -> Meaning {
    Meaning::no_restart(match (key, rule) {
        (
            Key::Engine,
            NodeRule {
                engine: Some(_), ..
            },
        ) => "its engine is reached in this way",
        (Key::Engine, NodeRule { engine: None, .. }) => {
            "is reached through the manager, where no other rule says how"
        }
        (
            Key::Login,
            NodeRule {
                login: Some(true), ..
            },
        ) => "`docker login` is done there, for people",
        (Key::Login, NodeRule { login: _, .. }) => {
            "no login is done there any more; one that is there stays"
        }
        (
            Key::MinimumFreeDisk,
            NodeRule {
                minimum_free_disk: Some(_),
                ..
            },
        ) => "a pull that would leave less room is blocked, and the services that wait for it",
        (
            Key::MinimumFreeDisk,
            NodeRule {
                minimum_free_disk: None,
                ..
            },
        ) => "pulls take the room that there is",
    })
}
