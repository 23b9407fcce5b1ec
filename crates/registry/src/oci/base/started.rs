//! Whether an image is started as its base is, but for what it sets itself.
//!
//! An image takes over its base's environment, command, user and the like, and
//! these move without any layer. So layers that are the same prove nothing where
//! the image is started otherwise: either it sets that itself, as the steps tell
//! that its history has beyond its base's, or the base did not use to be so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::oci::config::ImageConfig;

/// What an image does not take over, or what follows from something else.
const OWN: [&str; 2] = ["ArgsEscaped", "OnBuild"];

/// A setting, and for those that come one by one its name or value.
type Setting = (String, Option<String>);

/// Whether every difference is the image's own doing.
pub(super) fn alike(image: &ImageConfig, base: &ImageConfig) -> bool {
    let (ours, theirs) = (settings(&image.runtime), settings(&base.runtime));
    let names: BTreeSet<&Setting> = ours.keys().chain(theirs.keys()).collect();
    let own = own_steps(image, base);
    let mut others = names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name));
    others.all(|(key, name)| own.iter().any(|step| sets(step, key, name.as_deref())))
}

/// One by one, so that a variable which the image adds takes no other with it.
fn settings(runtime: &BTreeMap<String, Value>) -> BTreeMap<Setting, Value> {
    let mut settings = BTreeMap::new();
    let of_an_image = runtime
        .iter()
        .filter(|(key, _)| !OWN.contains(&key.as_str()));
    for (key, value) in of_an_image {
        match (key.as_str(), value) {
            ("Env", Value::Array(variables)) => {
                for variable in variables.iter().filter_map(Value::as_str) {
                    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                    settings.insert((key.clone(), Some(name.to_owned())), value.into());
                }
            }
            ("ExposedPorts" | "Volumes", Value::Object(many)) => {
                for (name, value) in many {
                    settings.insert((key.clone(), Some(name.clone())), value.clone());
                }
            }
            _ => {
                settings.insert((key.clone(), None), value.clone());
            }
        }
    }
    settings
}

/// The steps of the image's history beyond that of its base; none where that is
/// not its beginning, and so what is the image's own is not known.
fn own_steps<'a>(image: &'a ImageConfig, base: &ImageConfig) -> &'a [String] {
    match image.history.strip_prefix(base.history.as_slice()) {
        Some(own) if !base.history.is_empty() => own,
        Some(_) | None => &[],
    }
}

/// Whether a step sets this: `ENV PGDATA=/data`, or in the words of the classic
/// builder `/bin/sh -c #(nop)  ENV PGDATA=/data`.
fn sets(step: &str, key: &str, name: Option<&str>) -> bool {
    let step = step.strip_prefix("/bin/sh -c #(nop)").unwrap_or(step);
    let (instruction, rest) = step.trim().split_once(' ').unwrap_or((step.trim(), ""));
    match key {
        // Several may be set at once.
        "Env" => {
            let mut words = rest.split([' ', '=']);
            instruction == "ENV" && words.any(|word| Some(word) == name)
        }
        "Cmd" => matches!(instruction, "CMD" | "ENTRYPOINT"),
        "Entrypoint" => instruction == "ENTRYPOINT",
        "ExposedPorts" => instruction == "EXPOSE",
        "Healthcheck" => instruction == "HEALTHCHECK",
        "Shell" => instruction == "SHELL",
        "StopSignal" => instruction == "STOPSIGNAL",
        "User" => instruction == "USER",
        "Volumes" => instruction == "VOLUME",
        "WorkingDir" => instruction == "WORKDIR",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(runtime: &str, history: &[&str]) -> ImageConfig {
        let steps: Vec<Value> = history
            .iter()
            .map(|it| json!({"created_by": it, "created": "2026-02-09T04:00:00Z"}))
            .collect();
        let runtime: Value = serde_json::from_str(runtime).unwrap();
        let document = json!({
            "os": "linux", "architecture": "amd64", "config": runtime, "history": steps,
        });
        let repository = "ghcr.io/o/n".parse().unwrap();
        ImageConfig::read(&repository, document.to_string().as_bytes()).unwrap()
    }

    const BASE: &str = r#"{"Env":["PATH=/bin","V=2"],"Cmd":["postgres"]}"#;
    const STEPS: [&str; 3] = ["COPY postgres /", "ENV PATH=/bin V=2", "CMD [\"postgres\"]"];

    /// (how the image is started, its own steps, whether that is all its doing)
    #[test]
    fn what_an_image_sets_itself_is_no_move_of_its_base() {
        let table: &[(&str, &[&str], bool)] = &[
            (BASE, &[], true),
            (BASE, &["COPY app /"], true),
            (
                r#"{"Env":["V=2","PATH=/bin"],"Cmd":["postgres"],"Labels":{"a":"b"},"OnBuild":["RUN x"]}"#,
                &[],
                true,
            ),
            // The base had another one.
            (
                r#"{"Env":["PATH=/bin","V=1"],"Cmd":["postgres"]}"#,
                &["COPY app /"],
                false,
            ),
            (r#"{"Env":["PATH=/bin"],"Cmd":["postgres"]}"#, &[], false),
            (
                r#"{"Env":["PATH=/bin","V=2","OLD=1"],"Cmd":["postgres"]}"#,
                &["ENV NEW=1", "RUN ENV OLD=1", "LABEL OLD=1"],
                false,
            ),
            (r#"{"Env":["PATH=/bin","V=2"],"Cmd":["old"]}"#, &[], false),
            (
                r#"{"Env":["PATH=/bin","V=2"],"Cmd":["postgres"],"User":"70"}"#,
                &["CMD [\"USER\"]"],
                false,
            ),
            (
                r#"{"Env":["PATH=/bin","V=2"],"Cmd":["postgres"],"Strange":1}"#,
                &["STRANGE 1"],
                false,
            ),
            // The image has another one.
            (
                r#"{"Env":["PATH=/bin","V=1","A=1"],"Cmd":["postgres"]}"#,
                &["ENV A=1 V=1"],
                true,
            ),
            (
                r#"{"Env":["PATH=/bin","V=2"],"Cmd":["patroni"]}"#,
                &["/bin/sh -c #(nop)  CMD [\"patroni\"]"],
                true,
            ),
            // An entrypoint takes the command away.
            (
                r#"{"Env":["PATH=/bin","V=2"],"Entrypoint":["patroni"]}"#,
                &["ENTRYPOINT [\"patroni\"]"],
                true,
            ),
            (
                r#"{"Env":["PATH=/bin","V=2"],"Cmd":["postgres"],"User":"70","WorkingDir":"/d",
                    "ExposedPorts":{"8008/tcp":{}},"Volumes":{"/d":{}},"StopSignal":"SIGINT",
                    "Healthcheck":{"Test":["NONE"]},"Shell":["/bin/bash"]}"#,
                &[
                    "USER 70",
                    "WORKDIR /d",
                    "EXPOSE 8008",
                    "VOLUME [/d]",
                    "STOPSIGNAL SIGINT",
                    "HEALTHCHECK NONE",
                    "SHELL [/bin/bash]",
                ],
                true,
            ),
        ];
        let base = config(BASE, &STEPS);
        for (runtime, own, expected) in table {
            let steps = [&STEPS, *own].concat();
            let image = config(runtime, &steps);
            assert_eq!(alike(&image, &base), *expected, "{runtime} by {own:?}");
        }
    }

    /// Which steps are the image's own is known by its base's alone.
    #[test]
    fn without_its_base_s_history_nothing_is_an_image_s_own() {
        let other = r#"{"Env":["PATH=/bin","V=2"],"Cmd":["patroni"]}"#;
        let cmd = "CMD [\"patroni\"]";
        let table: &[(&[&str], &[&str], bool)] = &[
            (&STEPS, &[&STEPS[..], &[cmd]].concat(), true),
            (&STEPS, &[STEPS[0], "ENV V=1", STEPS[2], cmd], false),
            (&STEPS, &[cmd], false),
            (&[], &[cmd], false),
            (&[], &[], false),
        ];
        for (base, image, expected) in table {
            let (base, image) = (config(BASE, base), config(other, image));
            assert_eq!(alike(&image, &base), *expected, "{image:?}");
            let same = config(BASE, &[]);
            assert!(alike(&same, &base), "it is the same whoever did it");
        }
    }
}
