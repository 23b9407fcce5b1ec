//! Registries: how they are asked, and with which credential.

use imgstack_spec::{
    Address, DEFAULT_WARN_BEFORE_EXPIRY, Registry, SecretSource, StackName, write_duration,
};

use super::change::{Act, Change, Meaning, Subject};
use super::field::{Field, Named, differences, list, said};

/// The fields of a registry, but for its host.
#[derive(Clone, Copy)]
enum Key {
    Username,
    Password,
    Insecure,
    WarnBeforeExpiry,
}

impl Named for Key {
    fn name(self) -> String {
        let name = match self {
            Self::Username => "username",
            Self::Password => "password",
            Self::Insecure => "insecure",
            Self::WarnBeforeExpiry => "warnBeforeExpiry",
        };
        name.to_owned()
    }
}

/// The registries of a stack in both sets, or in one.
pub(super) fn compare(stack: &StackName, old: &[Registry], new: &[Registry]) -> Vec<Change> {
    let mut changes = Vec::new();
    for registry in new {
        let address = address(registry);
        match old.iter().find(|it| it.host == registry.host) {
            Some(was) => changes.extend(differences(
                stack,
                &address,
                fields(was),
                fields(registry),
                |key| meaning(key, registry),
            )),
            None => changes.push(Change {
                says: said(fields(registry)),
                ..credential(registry).change(stack, address, Act::Add)
            }),
        }
    }
    let gone = old
        .iter()
        .filter(|it| new.iter().all(|other| other.host != it.host));
    changes.extend(gone.map(|registry| Change {
        says: said(fields(registry)),
        ..Meaning::no_restart(DOCKERS).change(stack, address(registry), Act::Remove)
    }));
    changes
}

/// What becomes of services whose credential the spec does not name.
const DOCKERS: &str = "is asked with docker's own credential, which a plan alone does not put into \
                       services that carry another; no restart";

fn address(registry: &Registry) -> Subject {
    Subject::Thing(Address::Registry(registry.host.clone()))
}

fn fields(registry: &Registry) -> Vec<Field<Key>> {
    let Registry {
        host: _,
        username,
        password,
        insecure,
        warn_before_expiry,
    } = registry;
    let password = password.as_ref().map(|source| match source {
        SecretSource::Env(variable) => format!("{{env: {variable}}}"),
        SecretSource::File(path) => format!("{{file: {}}}", path.display()),
        SecretSource::Command(words) => format!("{{command: {}}}", list(words)),
    });
    let warn = write_duration(*warn_before_expiry);
    let is_usual = *warn_before_expiry == DEFAULT_WARN_BEFORE_EXPIRY;
    vec![
        Field::new(Key::Username, username.clone()),
        Field::new(Key::Password, password),
        Field::or_default(Key::Insecure, Some(insecure.to_string()), !insecure),
        Field::or_default(Key::WarnBeforeExpiry, Some(warn), is_usual),
    ]
}

fn credential(registry: &Registry) -> Meaning {
    Meaning::no_restart(match registry.password {
        Some(_) => {
            "the credential is read from here; services that carry another get it, without a \
             restart"
        }
        None => DOCKERS,
    })
}

fn meaning(key: Key, registry: &Registry) -> Meaning {
    match key {
        Key::Username | Key::Password => credential(registry),
        Key::Insecure => Meaning::no_restart(match registry.insecure {
            true => "plain http is allowed: whoever is in between can read the credential",
            false => "is asked by https alone",
        }),
        Key::WarnBeforeExpiry => {
            Meaning::no_restart("the end of a credential is told so long before")
        }
    }
}
