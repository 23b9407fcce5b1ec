//! Docker contexts: named engines in the folder of docker's settings.
//!
//! A context lies in `contexts/meta/ID/meta.json` and its certificates in
//! `contexts/tls/ID/docker/`, where ID is the sha256 of its name. Source:
//! `cli/context/store` of docker/cli.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Environment;
use crate::target::TargetError;

/// A context that exists and names an engine.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) name: String,
    /// The engine's address, as written.
    pub(crate) host: String,
    pub(crate) skip_verify: bool,
    /// Where its certificates are, if it has any.
    pub(crate) tls: PathBuf,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    #[serde(default)]
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_verify: bool,
}

#[derive(Default, Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

/// The context that `DOCKER_CONTEXT` or the config file names. None when none
/// is named, or the one called `default`, which stands for none.
pub(crate) fn chosen(environment: &Environment) -> Result<Option<Context>, TargetError> {
    let config = environment.docker_config();
    let named = match environment.get("DOCKER_CONTEXT") {
        Some(name) => Some((name.to_owned(), "DOCKER_CONTEXT".to_owned())),
        None => match &config {
            Some(folder) => current(&folder.join("config.json"))?,
            None => None,
        },
    };
    match named {
        Some((name, found_in)) if name != "default" => {
            let contexts = config.unwrap_or_default().join("contexts");
            load(&contexts, name, found_in).map(Some)
        }
        _ => Ok(None),
    }
}

/// `currentContext` of the config file, and who says so.
fn current(file: &Path) -> Result<Option<(String, String)>, TargetError> {
    let Some(config) = read::<ConfigFile>(file)? else {
        return Ok(None);
    };
    let found_in = file.display().to_string();
    let name = Some(config.current_context).filter(|name| !name.is_empty());
    Ok(name.map(|name| (name, found_in)))
}

fn load(contexts: &Path, name: String, found_in: String) -> Result<Context, TargetError> {
    let id = id(&name);
    let Some(meta) = read::<Meta>(&contexts.join("meta").join(&id).join("meta.json"))? else {
        let known = known(contexts, &name);
        return Err(TargetError::NoContext {
            name,
            found_in,
            known,
        });
    };
    match meta.endpoints.docker {
        Some(engine) if !engine.host.is_empty() => Ok(Context {
            name,
            host: engine.host,
            skip_verify: engine.skip_verify,
            tls: contexts.join("tls").join(id).join("docker"),
        }),
        _ => Err(TargetError::NoHost { name }),
    }
}

fn id(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of all contexts, the most similar to `name` first.
fn known(contexts: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(contexts.join("meta")).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| read::<Meta>(&entry.ok()?.path().join("meta.json")).ok()?)
        .map(|meta| meta.name)
        .filter(|known| !known.is_empty())
        .collect();
    names.sort_by_cached_key(|known| (strsim::damerau_levenshtein(known, name), known.clone()));
    names
}

/// A JSON file; None when it does not exist.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, TargetError> {
    let unreadable = |cause: String| TargetError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| unreadable(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
