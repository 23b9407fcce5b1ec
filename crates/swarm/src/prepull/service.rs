//! The service that makes nodes pull: made, told from others, removed.

use std::fmt::Write as _;
use std::time::Duration;

use imgstack_spec::ServiceName;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::{CREATED, LABEL, OWNER, Prepull, PrepullError};
use crate::patch::platforms_json;
use crate::{Error, Manager, Node, RawService, RegistryAuth, ServiceId};

/// No image has it, so no container of it ever starts.
const ENTRYPOINT: &str = "/imgstack-prepull";

/// Pauses before a removal is sent again.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

pub(super) fn name(wanted: &Prepull) -> String {
    let mut hash = Sha256::new();
    let nodes = wanted.nodes.iter().map(|node| node.as_str());
    let image = wanted.image.to_string();
    for part in [wanted.stack.as_str(), &image].into_iter().chain(nodes) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut name = "imgstack-prepull-".to_owned();
    for byte in hash.finalize().iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Makes the service, in the place of one that was left behind.
pub(super) async fn create(
    manager: &Manager,
    wanted: &Prepull,
    nodes: &[Node],
    auth: Option<&RegistryAuth>,
) -> Result<ServiceId, PrepullError> {
    let spec = spec(wanted, nodes, Timestamp::now());
    match manager.create_service(&spec, auth).await {
        Err(error) if error.is_conflict() => {
            clear(manager, wanted).await?;
            let made = manager.create_service(&spec, auth).await;
            found(manager, wanted, &spec, made).await
        }
        made => found(manager, wanted, &spec, made).await,
    }
}

/// After a lost answer the service may be there all the same.
async fn found(
    manager: &Manager,
    wanted: &Prepull,
    spec: &Value,
    made: Result<ServiceId, Error>,
) -> Result<ServiceId, PrepullError> {
    let error = match made {
        Ok(id) => return Ok(id),
        Err(error) => error,
    };
    if let Error::AnswerLost { .. } = error
        && let Some(service) = named(manager, &name(wanted)).await?
        && service.spec().get("Labels") == spec.get("Labels")
    {
        return Ok(service.id());
    }
    Err(error.into())
}

/// Makes way for a name of ours.
async fn clear(manager: &Manager, wanted: &Prepull) -> Result<(), PrepullError> {
    let name = name(wanted);
    let Some(service) = named(manager, &name).await? else {
        return Ok(());
    };
    if service.label(LABEL) != Some(wanted.stack.as_str()) {
        return Err(PrepullError::NameTaken { name });
    }
    Ok(remove(manager, &service.id()).await?)
}

async fn named(manager: &Manager, name: &str) -> Result<Option<RawService>, Error> {
    let Ok(name) = name.parse::<ServiceName>() else {
        return Ok(None);
    };
    let mut services = manager.services_named(&[name]).await?;
    Ok(services.pop())
}

/// Removes a service for good. That it is not there any more is as good.
pub(super) async fn remove(manager: &Manager, id: &ServiceId) -> Result<(), Error> {
    let mut pauses = AGAIN.iter();
    loop {
        let error = match manager.remove_service(id).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => error,
        };
        let may_pass = error.is_retryable() || matches!(error, Error::AnswerLost { .. });
        match pauses.next() {
            Some(pause) if may_pass => sleep(*pause).await,
            _ => return Err(error),
        }
    }
}

fn spec(wanted: &Prepull, nodes: &[Node], now: Timestamp) -> Value {
    let mut placement = json!({ "Constraints": constraints(wanted, nodes) });
    if !wanted.platforms.is_empty() {
        placement["Platforms"] = platforms_json(&wanted.platforms);
    }
    json!({
        "Name": name(wanted),
        "Labels": {
            LABEL: wanted.stack,
            OWNER: wanted.owner,
            CREATED: now.to_string(),
        },
        "Mode": {"Global": {}},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": wanted.image.to_string(),
                "Command": [ENTRYPOINT],
                // An engine whose default is an init of its own would start
                // that, and call the task running.
                "Init": false,
                "Healthcheck": {"Test": ["NONE"]},
            },
            "RestartPolicy": {"Condition": "none"},
            "Placement": placement,
        },
    })
}

/// Selects exactly the nodes that are wanted. Constraints must all hold, so
/// one node is named, and several are what is left when all others are
/// excluded.
fn constraints(wanted: &Prepull, nodes: &[Node]) -> Vec<String> {
    let mut only = wanted.nodes.iter();
    if let (Some(node), None) = (only.next(), only.next()) {
        return vec![format!("node.id=={node}")];
    }
    let others = nodes.iter().filter(|node| !wanted.nodes.contains(&node.id));
    others.map(|node| format!("node.id!={}", node.id)).collect()
}

#[cfg(test)]
mod tests;
