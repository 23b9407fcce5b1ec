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
    /// The stack files that its services are deployed from.
    pub stack_files: &'a [&'a str],
}

/// The steps from one major version to another, in order, a sentence or two
/// each. None when the major version does not change.
#[must_use]
pub fn procedure(verdict: &Verdict, image: &ImageName, files: Files<'_>) -> Option<Vec<String>> {
    match verdict {
        Verdict::Upgrade { from, to, .. } => Some(up(*from, *to, image, files)),
        Verdict::Downgrade { from, to, .. } => Some(down(*from, *to, image, files)),
        Verdict::SameMajor { .. } | Verdict::Unknown { .. } => None,
    }
}

fn up(from: u32, to: u32, image: &ImageName, files: Files<'_>) -> Vec<String> {
    let beside = files.dockerfile.map(|file| format!("`{file}`"));
    let beside = beside.unwrap_or_else(|| format!("the one of {from}"));
    let workflow = named("the workflow", files.workflow);
    vec![
        format!(
            "Plan the migration of the data: as a rule {to} does not read what {from} has written. Choose a dump and a restore (for PostgreSQL `pg_dumpall`) or an upgrade in place (`pg_upgrade`), take a backup, and try it on a copy."
        ),
        format!("Write a Dockerfile for {to} beside {beside}, on a base of version {to}."),
        format!("Let {workflow} build it and push tags of {to}; those of {from} stay as they are."),
        write_the_tag(to, files),
        format!("Migrate the data, then {}", allow(image)),
    ]
}

fn down(from: u32, to: u32, image: &ImageName, files: Files<'_>) -> Vec<String> {
    vec![
        format!(
            "Plan the way back of the data: as a rule {to} does not read what {from} has written. Take a backup, and restore into {to} a dump that it reads; what was written since an older backup is not in that backup."
        ),
        format!(
            "See that a build of {to} is still in the registry: `imgstack tags {image}` lists them."
        ),
        write_the_tag(to, files),
        format!("Restore the data, then {}", allow(image)),
    ]
}

fn write_the_tag(to: u32, files: Files<'_>) -> String {
    let stack_files = match files.stack_files {
        [] => "the stack file".to_owned(),
        [file] => format!("the stack file `{file}`"),
        several => {
            let names: Vec<_> = several.iter().map(|file| format!("`{file}`")).collect();
            format!("the stack files {}", names.join(", "))
        }
    };
    format!(
        "Write the tag of {to} into {stack_files}, and into the spec under `tag`, `policy` or `pin`."
    )
}

fn allow(image: &ImageName) -> String {
    format!(
        "run `imgstack apply --allow-major {image}`, or set `majorUpgrade: allow` for the image until it is done."
    )
}

fn named(what: &str, file: Option<&str>) -> String {
    file.map_or_else(|| what.to_owned(), |file| format!("{what} `{file}`"))
}
