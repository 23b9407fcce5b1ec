//! `/services`

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answers::{Outcome, broken, ok};
use super::call::Call;
use super::defaults::with_defaults;
use super::filters::Filters;
use super::version::OF_23;
use crate::Answer;
use crate::swarm::{ApiError, ServiceUpdate};

/// `/services…`, but for logs.
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, []) => list(call),
        (&Method::POST, ["create"]) => create(call),
        (&Method::GET, [service]) => {
            let mut found = call.engines.read(|cluster| cluster.service(service))?;
            if call.flag("insertDefaults") {
                with_defaults(&mut found["Spec"]);
            }
            Ok(ok(&found))
        }
        (&Method::POST, [service, "update"]) => update(call, service),
        (&Method::DELETE, [service]) => {
            let remove = call
                .engines
                .with(|cluster, now| cluster.remove_service(now, service));
            remove.map(|()| Answer::empty(StatusCode::OK))
        }
        _ => Err(call.no_such_page()),
    }
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["name", "id", "label", "mode", "runtime"])?;
    let with_status = call.flag("status");
    let services = call.engines.read(|cluster| {
        let mut services = cluster.services();
        services.retain(|service| filters.is_empty() || is_wanted(service, &filters));
        for service in services.iter_mut().filter(|_| with_status) {
            let status = cluster.service_status(service["ID"].as_str().unwrap_or_default());
            service["ServiceStatus"] = status;
        }
        services
    });
    Ok(ok(&services))
}

fn is_wanted(service: &Value, filters: &Filters) -> bool {
    let spec = &service["Spec"];
    filters.prefix("name", spec["Name"].as_str().unwrap_or_default())
        && filters.prefix("id", service["ID"].as_str().unwrap_or_default())
        && filters.labels("label", &spec["Labels"])
        && filters.exact("mode", mode(spec))
        && filters.exact("runtime", "container")
}

fn mode(spec: &Value) -> &'static str {
    let has = |mode: &str| spec["Mode"].get(mode).is_some();
    match () {
        () if has("Global") => "global",
        () if has("ReplicatedJob") => "replicated-job",
        () if has("GlobalJob") => "global-job",
        () => "replicated",
    }
}

fn create(call: &Call<'_>) -> Outcome {
    let (mut spec, auth) = (call.body()?, call.credential()?);
    resolve_networks(call, &mut spec)?;
    let id = call
        .engines
        .with(|cluster, now| cluster.create_service(now, spec, auth))?;
    Ok(Answer::json(StatusCode::CREATED, &json!({ "ID": id })))
}

/// Networks by their IDs. Engines of old call one that is not there a fault.
fn resolve_networks(call: &Call<'_>, spec: &mut Value) -> Result<(), ApiError> {
    let resolved = call.engines.networks().resolve(spec);
    resolved.map_err(|error| match call.standing.spoken().newest < OF_23 {
        true => broken(error.message),
        false => error,
    })
}

fn update(call: &Call<'_>, service: &str) -> Outcome {
    let mut spec = call.body()?;
    resolve_networks(call, &mut spec)?;
    let update = ServiceUpdate {
        version: call.index("service")?,
        spec,
        auth: call.credential()?,
        auth_from_previous: match call.parameter("registryAuthFrom").as_deref() {
            None | Some("spec") => false,
            Some("previous-spec") => true,
            Some(_) => return Err(broken("unsupported registryAuthFrom value")),
        },
        rollback: match call.parameter("rollback").as_deref() {
            None | Some("none") => false,
            Some("previous") => true,
            Some(other) => return Err(broken(format!("unrecognized rollback option {other}"))),
        },
    };
    call.engines
        .with(|cluster, now| cluster.update_service(now, service, update))?;
    Ok(ok(&json!({ "Warnings": null })))
}
