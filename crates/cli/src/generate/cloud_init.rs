//! A cloud-config fragment for a machine that is to be a node: its docker is
//! logged in and has the images before the first task comes.
//!
//! cloud-init has no store for secrets, and whoever may read a machine's user
//! data would read one in it. So the script reads each from a file on the
//! machine, and how that comes there is the operator's choice; the fragment's
//! comment tells of two ways.
//!
//! The text is plain ASCII and free of `${` and `%{`, so that it may stand in a
//! template of Terraform's as it is.
//!
//! An image that follows a policy is left out, which the comment says: its tag
//! is chosen anew each time, and a script would go on pulling an old one.
//!
//! Deliberately absent: installing docker and joining the Swarm, which the
//! machine's own cloud-config does; and credentials of the docker config, which
//! are of this machine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use imgstack_spec::{RegistryHost, StackSet};
use thiserror::Error;

use super::shell::word;

/// Where the script lies on the machine.
const SCRIPT: &str = "/usr/local/sbin/imgstack-new-node";

/// What stands for a registry's host in the path of its secret.
const HOST: &str = "{host}";

/// The path of the secret files, on a file system that forgets them when the
/// machine stops.
pub(crate) const DEFAULT_SECRET_FILE: &str = "/run/secrets/imgstack/{host}";

/// The registry that does not take every token.
const GHCR: &str = "ghcr.io";

/// The beginning of the fragment, with its STACKS to be put in.
const PREAMBLE: &str = "#cloud-config
#
# Prepares a new node for STACKS: pulls the images, before the first
# task is placed there. Made by: imgstack generate cloud-init
#
# Docker must be installed when the script runs, and the node should join the
# Swarm after it. As a part of its own (multi-part user data) the list `runcmd`
# is appended to that of the part before; in one file, write it in between.
";

/// What is to be done about secrets, with the FILES to be put in, and one FILE
/// as an example.
const SECRETS: &str = "#
# No secret stands here. The script reads a password or token, on one line, from
# a file that only root may read:
FILES
#
# Best, a command before the script fetches it from a store of secrets. A
# templater such as Terraform can write it, too; but then it can be read by all
# who may read the user data or the templater's state:
#     write_files:
#       - path: FILE
#         permissions: \"0400\"
#         content: the token, put in by the templater
";

/// The part of the script that is the same for everybody.
const HEAD: &str = include_str!("cloud_init/head.sh");

/// How the fragment is merged with other parts.
const MERGE: &str = include_str!("cloud_init/merge.yaml");

/// The file on the machine that holds the password of a registry; `{host}`
/// stands for the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFile(String);

impl FromStr for SecretFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |c: char| c.is_ascii_alphanumeric() || "/._-+@:[]".contains(c);
        let is_path = text.starts_with('/') && !text.ends_with('/');
        if is_path && text.replace(HOST, "").chars().all(known) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "write an absolute path of letters, digits and `/._-+@:[]`, such as {DEFAULT_SECRET_FILE}"
        ))
    }
}

impl SecretFile {
    fn of(&self, host: &RegistryHost) -> String {
        self.0.replace(HOST, host.as_str())
    }
}

/// Why no script is made.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum CloudInitError {
    /// One machine has one login at a registry.
    #[error("the stacks log in to {0} as different users, and a node has one login there")]
    TwoUsers(RegistryHost),
    /// One registry would be told the password of another.
    #[error("{0} would be the secret of {count} registries", count = .1.len())]
    OneFile(String, Vec<RegistryHost>),
}

impl CloudInitError {
    /// What to type instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::TwoUsers(_) => "name one of the stacks alone with -f".to_owned(),
            Self::OneFile(..) => {
                format!("name a file for each: --secret-file {DEFAULT_SECRET_FILE}")
            }
        }
    }
}

/// The fragment for a node of all the stacks.
///
/// # Errors
/// When the stacks' logins do not fit on one machine.
pub(crate) fn cloud_config(
    set: &StackSet,
    secret_file: &SecretFile,
) -> Result<String, CloudInitError> {
    let logins = logins(set, secret_file)?;
    let mut out = preamble(set, &logins);
    let _ = write!(
        out,
        "write_files:\n  - path: {SCRIPT}\n    owner: root:root\n    permissions: \"0700\"\n    content: |\n"
    );
    for line in script(set, &logins).lines() {
        let indented = format!("      {line}");
        out.push_str(indented.trim_end());
        out.push('\n');
    }
    let _ = write!(out, "\nruncmd:\n  - [{SCRIPT}]\n\n{MERGE}");
    Ok(out)
}

/// A login that the machine is to have.
struct Login<'s> {
    host: &'s RegistryHost,
    username: &'s str,
    file: String,
}

fn logins<'s>(
    set: &'s StackSet,
    secret_file: &SecretFile,
) -> Result<Vec<Login<'s>>, CloudInitError> {
    let mut users = BTreeMap::new();
    for registry in set.stacks.iter().flat_map(|stack| &stack.registries) {
        let (Some(username), Some(_)) = (&registry.username, &registry.password) else {
            continue;
        };
        let other = users.insert(&registry.host, username.as_str());
        if other.is_some_and(|other| other != username) {
            return Err(CloudInitError::TwoUsers(registry.host.clone()));
        }
    }
    if users.len() > 1 && !secret_file.0.contains(HOST) {
        let hosts = users.into_keys().cloned().collect();
        return Err(CloudInitError::OneFile(secret_file.0.clone(), hosts));
    }
    let login = |(host, username)| Login {
        host,
        username,
        file: secret_file.of(host),
    };
    Ok(users.into_iter().map(login).collect())
}

/// What a person should know who puts the fragment to use.
fn preamble(set: &StackSet, logins: &[Login<'_>]) -> String {
    let names: Vec<_> = set.stacks.iter().map(|it| it.name.as_str()).collect();
    let mut out = PREAMBLE.replace("STACKS", &names.join(", "));
    if let Some(first) = logins.first() {
        let files: String = logins
            .iter()
            .map(|login| format!("#     {}\n", login.file))
            .collect();
        let secrets = SECRETS.replace("FILES\n", &files);
        out.push_str(&secrets.replace("FILE", &first.file));
    }
    if logins.iter().any(|login| login.host.as_str() == GHCR) {
        let _ = write!(
            out,
            "#\n# {GHCR} takes a classic token with read:packages, no fine-grained one.\n"
        );
    }
    let images = set.stacks.iter().flat_map(|stack| &stack.images);
    let images = images.filter(|image| image.reference().is_none());
    let images: String = images
        .map(|image| format!("#     {} ({})\n", image.name, image.repository))
        .collect();
    if !images.is_empty() {
        let _ = write!(
            out,
            "#\n# Not pulled here: a policy chooses their tags whenever a plan is made.\n{images}# `imgstack apply` brings them.\n"
        );
    }
    for host in insecure(set) {
        let _ = write!(
            out,
            "#\n# {host} is spoken to in plain http: docker needs it in the list\n# `insecure-registries` of /etc/docker/daemon.json.\n"
        );
    }
    out
}

/// The registries of which docker must be told that they have no TLS.
fn insecure(set: &StackSet) -> Vec<&RegistryHost> {
    let registries = set.stacks.iter().flat_map(|stack| &stack.registries);
    let mut hosts: Vec<_> = registries
        .filter(|registry| registry.insecure && !registry.host.is_loopback())
        .map(|registry| &registry.host)
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn script(set: &StackSet, logins: &[Login<'_>]) -> String {
    let mut out = HEAD.to_owned();
    for login in logins {
        let _ = writeln!(
            out,
            "log_in {} {} {}",
            word(login.host.as_str()),
            word(login.username),
            word(&login.file)
        );
    }
    let mut pulled = Vec::new();
    for image in set.stacks.iter().flat_map(|stack| &stack.images) {
        let Some(reference) = image.reference() else {
            continue;
        };
        let reference = reference.to_string();
        if !pulled.contains(&reference) {
            let _ = writeln!(out, "pull {}", word(&reference));
            pulled.push(reference);
        }
    }
    out.push_str("exit \"$failed\"\n");
    out
}
