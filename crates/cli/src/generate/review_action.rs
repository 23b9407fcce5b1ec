//! A workflow of GitHub Actions that shows on a pull request what it would do to
//! the Swarm, and does that, and nothing else, once it is merged.
//!
//! Three jobs:
//!
//! - `check`, for every pull request: validates, and says what the change means.
//!   It has no secret, so it also runs for forks;
//! - `plan`, for branches of the repository itself: plans against the cluster,
//!   and comments. A fork gets no secrets of GitHub, and so no plan;
//! - `apply`, for what has come to the branch: carries out the plan that was
//!   shown on the pull request which the commit has come with. That is found by
//!   the commit and read from the comment by imgstack itself, so no text of a
//!   pull request goes through a shell. It runs on `push` and not on the
//!   closing of a pull request, where one from a fork would have no secrets.
//!
//! Each job has the permissions that it takes and no others. What stands in the
//! spec is never a part of a script: scripts read variables. Actions are pinned to
//! commits.
//!
//! Deliberately absent: `pull_request_target`, which would run what a stranger has
//! written with the secrets of the repository; and a plan that is kept from one
//! run to the next: what was agreed to is its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use imgstack_spec::{Endpoint, GitHubRepository, SecretSource, Stack, StackSet};
use thiserror::Error;

use super::actions::{CHECKOUT, literal, pattern, script, step};
use super::workflow::{FOLDER, WorkflowError, absolute, below, root_above};

/// The workflow's own file.
const FILE: &str = "imgstack.yml";
/// Hexadecimal digits of a commit.
const COMMIT: usize = 40;
/// Where the jobs put the plan.
const PLAN: &str = "\"$RUNNER_TEMP/plan.json\"";

/// Where imgstack's own action is: `OWNER/NAME@COMMIT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionRef {
    repository: GitHubRepository,
    commit: String,
}

/// Not the action of a commit.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("an action is named OWNER/NAME@COMMIT, with all {COMMIT} digits of the commit")]
pub(crate) struct ActionRefError;

impl FromStr for ActionRef {
    type Err = ActionRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (repository, commit) = text.split_once('@').ok_or(ActionRefError)?;
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if commit.len() != COMMIT || !commit.bytes().all(hex) {
            return Err(ActionRefError);
        }
        Ok(Self {
            repository: repository.parse().map_err(|_| ActionRefError)?,
            commit: commit.to_owned(),
        })
    }
}

/// Why no workflow is made.
#[derive(Debug, Error)]
pub(crate) enum ReviewActionError {
    /// A workflow names its spec in a variable.
    #[error("the workflow is for one file or folder, and {0} are named")]
    Several(usize),
    /// What GitHub does not get to see.
    #[error("standard input is no file of a repository")]
    NoFile,
    /// Not a file of the repository.
    #[error(transparent)]
    Place(#[from] WorkflowError),
}

impl ReviewActionError {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Several(_) => "put the specs into one folder, and name that with -f".to_owned(),
            Self::NoFile => "name the file or the folder with -f".to_owned(),
            Self::Place(error) => error.hint(),
        }
    }
}

/// What the workflow is made of.
struct Parts<'a> {
    action: &'a ActionRef,
    branch: &'a str,
    /// The spec, from the root of the repository.
    spec: String,
    /// What a change of plans for.
    paths: Vec<String>,
    /// Where the cluster is reached from.
    runner: &'a str,
    ways: Ways,
}

/// How the jobs reach the world.
#[derive(Default)]
struct Ways {
    /// Over ssh, or where a variable says.
    ssh: bool,
    /// A stack leaves its manager to docker.
    docker_host: bool,
    /// A stack's manager is reached on the runner itself, or with its files.
    near: bool,
    /// Variables that hold passwords, and of which registry.
    secrets: BTreeMap<String, String>,
    /// Registries whose password a program or a file of the runner has.
    elsewhere: BTreeSet<String>,
}

/// What may be chosen.
pub(crate) struct Choices<'a> {
    pub(crate) action: &'a ActionRef,
    pub(crate) branch: &'a str,
    pub(crate) root: Option<&'a Path>,
    /// None: GitHub's, or one of one's own where the cluster is reached only there.
    pub(crate) runner: Option<&'a str>,
}

/// The workflow for the stacks that these paths have.
///
/// # Errors
/// When a workflow could not find the spec.
pub(crate) fn review_action(
    set: &StackSet,
    named: &[PathBuf],
    choices: &Choices<'_>,
) -> Result<String, ReviewActionError> {
    let [spec] = named else {
        return Err(ReviewActionError::Several(named.len()));
    };
    if spec == Path::new("-") {
        return Err(ReviewActionError::NoFile);
    }
    let whole = absolute(spec);
    let root = choices.root.map_or_else(|| root_above(&whole), absolute);
    let spec = below(&root, &whole)?;
    let paths = match whole.is_dir() {
        true if spec == "." => vec![pattern("", "**")],
        true => vec![pattern(&spec, "/**")],
        false => vec![pattern(&spec, "")],
    };
    let mut ways = Ways::of(&set.stacks);
    // A runner of one's own has its keys, and is to keep no other.
    ways.ssh &= choices.runner.is_none() && !ways.near;
    let parts = Parts {
        action: choices.action,
        branch: choices.branch,
        spec,
        paths,
        runner: choices.runner.unwrap_or(match ways.near {
            true => "self-hosted",
            false => "ubuntu-latest",
        }),
        ways,
    };
    let mut out = preamble(&parts);
    triggers(&mut out, &parts);
    check(&mut out, &parts);
    plan(&mut out, &parts);
    apply(&mut out, &parts);
    Ok(out)
}

impl Ways {
    fn of(stacks: &[Stack]) -> Self {
        let mut ways = Self::default();
        for stack in stacks {
            match &stack.endpoint {
                None => ways.docker_host = true,
                Some(Endpoint::Ssh { .. }) => ways.ssh = true,
                Some(Endpoint::Unix(_) | Endpoint::Tcp { .. }) => ways.near = true,
            }
            let engines = stack.nodes.iter().filter_map(|rule| rule.engine.as_ref());
            ways.ssh |= engines
                .map(ToString::to_string)
                .any(|it| it.starts_with("ssh://"));
            for registry in &stack.registries {
                match &registry.password {
                    Some(SecretSource::Env(name)) => {
                        let host = registry.host.to_string();
                        ways.secrets.insert(name.clone(), host);
                    }
                    None | Some(SecretSource::File(_) | SecretSource::Command(_)) => {
                        ways.elsewhere.insert(registry.host.to_string());
                    }
                }
            }
        }
        // A variable may well name a host that is reached over ssh.
        ways.ssh |= ways.docker_host;
        ways
    }

    /// What the repository is to be given, a line for each.
    fn needs(&self) -> Vec<String> {
        let mut needs: Vec<String> = Vec::new();
        for (name, host) in &self.secrets {
            let secret = secret(name);
            if secret != TOKEN {
                needs.push(format!("secret {secret}: the password for {host}"));
            }
        }
        if self.ssh {
            needs.push("secret SWARM_SSH_KEY: a private key for the hosts of the Swarm".to_owned());
            needs.push(
                "secret SWARM_KNOWN_HOSTS: their host keys, as `ssh-keyscan HOST` prints them"
                    .to_owned(),
            );
        }
        if self.docker_host {
            needs.push("secret SWARM_DOCKER_HOST: a manager, such as ssh://root@HOST".to_owned());
        }
        if self.near {
            needs.push("a runner that reaches the Swarm as the spec says".to_owned());
        }
        for host in &self.elsewhere {
            needs.push(format!(
                "a credential for {host}, where docker's own settings have it"
            ));
        }
        needs
    }

    /// What the jobs that reach the cluster have in their environment.
    fn variables(&self) -> Vec<(String, String)> {
        let secrets = self.secrets.keys();
        let mut variables: Vec<(String, String)> = secrets
            .map(|name| {
                let value = match secret(name) {
                    secret if secret == TOKEN => "${{ github.token }}".to_owned(),
                    secret => format!("${{{{ secrets.{secret} }}}}"),
                };
                (name.clone(), value)
            })
            .collect();
        if self.docker_host {
            let value = "${{ secrets.SWARM_DOCKER_HOST }}".to_owned();
            variables.push(("DOCKER_HOST".to_owned(), value));
        }
        variables
    }
}

/// What every workflow has of itself.
const TOKEN: &str = "GITHUB_TOKEN";

/// The secret that a variable is filled from. GitHub keeps names that begin with
/// its own for itself.
fn secret(variable: &str) -> String {
    match variable {
        TOKEN => TOKEN.to_owned(),
        other if other.to_ascii_uppercase().starts_with("GITHUB_") => {
            format!("IMGSTACK_{}", other.to_ascii_uppercase())
        }
        other => other.to_ascii_uppercase(),
    }
}

fn preamble(parts: &Parts<'_>) -> String {
    let mut out = format!(
        "# Shows on a pull request what it would do to the Swarm, and does that once it is merged.\n\
         # Made by: imgstack generate review-action\n#\n\
         # It belongs to the repository of the spec, as {FOLDER}/{FILE}.\n#\n\
         # What is applied is the plan that the comment on the pull request shows, or nothing: when\n\
         # anything moved since, the job `apply` fails and shows the plan as it is now. A commit\n\
         # without a pull request is not applied, nor one of a fork or of Dependabot, for which no\n\
         # plan is made: look at `imgstack plan` then, and name its hash:\n\
         # imgstack apply --only-if-hash HASH\n\
         #\n# Protect the branch and the environment `swarm`, since they decide who may apply. Whoever\n\
         # may push a branch can use the secrets that the job `plan` has, as in any workflow.\n"
    );
    let needs = parts.ways.needs();
    if !needs.is_empty() {
        out.push_str("#\n# It needs:\n");
        for need in needs {
            let _ = writeln!(out, "# - {need}");
        }
    }
    out
}

fn triggers(out: &mut String, parts: &Parts<'_>) {
    out.push_str("name: \"imgstack\"\n\non:\n");
    for event in ["pull_request", "push"] {
        let branch = pattern(parts.branch, "");
        let _ = write!(
            out,
            "  {event}:\n    branches:\n      - {branch}\n    paths:\n"
        );
        for path in &parts.paths {
            let _ = writeln!(out, "      - {path}");
        }
        if parts.spec != "." {
            let _ = writeln!(out, "      - {}", pattern(&format!("{FOLDER}/{FILE}"), ""));
        }
    }
    let _ = write!(
        out,
        "\npermissions: {{}}\n\ndefaults:\n  run:\n    shell: bash\n\nenv:\n  IMGSTACK_FILE: {}\n\njobs:\n",
        literal(&parts.spec)
    );
}

/// The head of a job: its keys, and what it may.
fn job(out: &mut String, name: &str, keys: &[&str], permissions: &[&str]) {
    let _ = writeln!(out, "  {name}:");
    for key in keys {
        let _ = writeln!(out, "    {key}");
    }
    out.push_str("    permissions:\n");
    for permission in permissions {
        let _ = writeln!(out, "      {permission}");
    }
}

fn check(out: &mut String, parts: &Parts<'_>) {
    let keys = [
        "if: github.event_name == 'pull_request'",
        "runs-on: ubuntu-latest",
        "timeout-minutes: 30",
    ];
    job(out, "check", &keys, &["contents: read"]);
    out.push_str("    steps:\n");
    // What is checked out is the merge, whose first parent is the branch.
    prepare(out, parts, "2");
    script(out, "Validate", &[], &[], "imgstack validate");
    let text = "imgstack diff --base HEAD^1 -o markdown >>\"$GITHUB_STEP_SUMMARY\"";
    script(out, "What the change means", &[], &[], text);
    out.push('\n');
}

fn plan(out: &mut String, parts: &Parts<'_>) {
    let runner = format!("runs-on: {}", literal(parts.runner));
    let keys = [
        "# A fork gets no secrets, and Dependabot none of these.",
        "if: >-",
        "  github.event_name == 'pull_request' &&",
        "  github.event.pull_request.head.repo.full_name == github.repository &&",
        "  github.actor != 'dependabot[bot]'",
        "needs: check",
        &runner,
        "timeout-minutes: 30",
        "concurrency:",
        "  group: imgstack-plan-${{ github.event.pull_request.number }}",
        "  cancel-in-progress: true",
    ];
    let permissions = [
        "contents: read",
        "pull-requests: write",
        "# Makes the labels, the first time. Not needed once they are there.",
        "issues: write",
    ];
    job(out, "plan", &keys, &permissions);
    environment(out, parts);
    out.push_str("    steps:\n");
    prepare(out, parts, "1");
    ssh(out, parts);
    let text = format!("imgstack plan --out {PLAN}");
    script(out, "Plan", &["id: plan"], &[], &text);
    // A plan that is blocked in part fails the job, and is shown all the same.
    let shown = ["if: ${{ !cancelled() && steps.plan.outcome != 'skipped' }}"];
    let text = format!("imgstack comment {PLAN}");
    script(
        out,
        "Comment",
        &shown,
        &[(TOKEN, "${{ github.token }}")],
        &text,
    );
    out.push('\n');
}

fn apply(out: &mut String, parts: &Parts<'_>) {
    let runner = format!("runs-on: {}", literal(parts.runner));
    let keys = [
        "if: github.event_name == 'push'",
        &runner,
        "timeout-minutes: 120",
        "environment: swarm",
        "# One after another, and none is stopped half-way.",
        "concurrency:",
        "  group: imgstack-apply",
        "  cancel-in-progress: false",
    ];
    job(
        out,
        "apply",
        &keys,
        &["contents: read", "pull-requests: read"],
    );
    environment(out, parts);
    out.push_str("    steps:\n");
    prepare(out, parts, "1");
    ssh(out, parts);
    let text = "imgstack apply --only-if-reviewed --lock-timeout 10m";
    let token = [(TOKEN, "${{ github.token }}")];
    script(out, "Apply what was reviewed", &[], &token, text);
}

fn environment(out: &mut String, parts: &Parts<'_>) {
    let variables = parts.ways.variables();
    if !variables.is_empty() {
        out.push_str("    env:\n");
    }
    for (name, value) in variables {
        let _ = writeln!(out, "      {name}: {value}");
    }
}

/// The spec, and imgstack.
fn prepare(out: &mut String, parts: &Parts<'_>, depth: &str) {
    let with = [
        ("fetch-depth", depth.to_owned()),
        ("persist-credentials", "false".to_owned()),
    ];
    step(out, &CHECKOUT, &with);
    let ActionRef { repository, commit } = parts.action;
    let _ = writeln!(out, "      - uses: {repository}@{commit}");
}

/// The key, and whom it is shown to.
fn ssh(out: &mut String, parts: &Parts<'_>) {
    if !parts.ways.ssh {
        return;
    }
    let variables = [
        ("SSH_KEY", "${{ secrets.SWARM_SSH_KEY }}"),
        ("KNOWN_HOSTS", "${{ secrets.SWARM_KNOWN_HOSTS }}"),
    ];
    let text = include_str!("review_action/ssh.sh");
    script(out, "Reach the hosts of the Swarm", &[], &variables, text);
}
