//! What a person does instead, when a step of a major version is stopped.

use super::Verdict;
use crate::ImageName;

/// The files of the image, where the spec names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files<'a> {
    /// The Dockerfile.
    pub dockerfile: Option<&'a str>,
    /// The workflow that builds and pushes.
    pub workflow: Option<&'a str>,
    /// The stack file that runs the service.
    pub stack_file: Option<&'a str>,
}

/// The steps from one major version to another, in order, a sentence or two
/// each. None when the major version does not change.
#[must_use]
pub fn procedure(verdict: &Verdict, image: &ImageName, files: Files<'_>) -> Option<Vec<String>> {
    let (from, to, plan) = match verdict {
        Verdict::Upgrade { from, to, .. } => (
            from,
            to,
            format!(
                "Plan the migration of the data: as a rule {to} does not read what {from} has written. Choose a dump and a restore (for PostgreSQL `pg_dumpall`) or an upgrade in place (`pg_upgrade`), take a backup, and try it on a copy."
            ),
        ),
        Verdict::Downgrade { from, to, .. } => (
            from,
            to,
            format!(
                "Plan the way back of the data: {to} does not read what {from} has written. Take a backup, and restore a dump that {to} can read, for what was written since is in no older backup."
            ),
        ),
        Verdict::SameMajor { .. } | Verdict::Unknown { .. } => return None,
    };
    let dockerfile = named("the Dockerfile", files.dockerfile);
    let workflow = named("the workflow", files.workflow);
    let stack_file = named("the stack file", files.stack_file);
    Some(vec![
        plan,
        format!("Write a Dockerfile for {to} beside {dockerfile}, on a base of version {to}."),
        format!("Let {workflow} build it and push tags of {to}; those of {from} stay as they are."),
        format!(
            "Write the tag of {to} into {stack_file}, and into the spec under `tag`, `policy` or `pin`."
        ),
        format!(
            "Migrate the data, then run `imgstack apply --allow-major {image}`, or set `majorUpgrade: allow` for the image until it is done."
        ),
    ])
}

fn named(what: &str, file: Option<&str>) -> String {
    file.map_or_else(|| what.to_owned(), |file| format!("{what} `{file}`"))
}
