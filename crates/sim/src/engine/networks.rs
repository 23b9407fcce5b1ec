//! Networks, as far as a stack needs them: they can be named, made, listed and
//! removed. No traffic flows in a simulation.

use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request, conflict, forbidden, not_found, ok};
use super::attachments::GATEWAY;
use super::call::Call;
use super::containers;
use crate::Answer;
use crate::swarm::ApiError;

const WORKER: &str = "Cannot create a multi-host network from a worker node. Please create the \
     network from a manager node.";

/// The networks of a Swarm and of its engines, in the order in which they were
/// made.
#[derive(Debug, Default)]
pub(super) struct Networks {
    all: Vec<Network>,
    made: u64,
}

#[derive(Debug)]
pub(super) struct Network {
    shown: Value,
    /// Whose engine has it; None: all of them.
    host: Option<String>,
    /// It was there before anybody made one.
    predefined: bool,
}

impl Networks {
    /// What is there before anybody made one.
    pub(super) fn of_new_swarm(now: Timestamp) -> Self {
        let mut networks = Self::default();
        let local = |name: &str, driver: &str| json!({"Name": name, "Driver": driver});
        let ingress = json!({"Name": "ingress", "Driver": "overlay", "Ingress": true});
        for spec in [
            local("bridge", "bridge"),
            local("host", "host"),
            ingress,
            local("none", "null"),
            // An engine makes it when it joins a Swarm.
            local(GATEWAY, "bridge"),
        ] {
            networks.add(&spec, None, now);
        }
        for network in &mut networks.all {
            network.predefined = !["ingress", GATEWAY].contains(&network.name());
        }
        networks
    }

    /// Makes a network; its ID.
    pub(super) fn add(&mut self, spec: &Value, host: Option<String>, now: Timestamp) -> String {
        self.made += 1;
        let scope = scope(spec);
        // Swarm's identifiers are 25 characters, an engine's own 64 digits.
        let id = match scope {
            "swarm" => format!("net{:022}", self.made),
            _ => format!("{:064x}", self.made),
        };
        let or = |field: &str, default: Value| match &spec[field] {
            Value::Null => default,
            value => value.clone(),
        };
        let flag = |field: &str| spec[field] == json!(true);
        let ipam = json!({"Driver": "default", "Options": null, "Config": []});
        let shown = json!({
            "Name": spec["Name"], "Id": id, "Created": now, "Scope": scope,
            "Driver": driver(spec), "EnableIPv6": flag("EnableIPv6"), "IPAM": or("IPAM", ipam),
            "Internal": flag("Internal"), "Attachable": flag("Attachable"),
            "Ingress": flag("Ingress"), "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
            "Containers": {}, "Options": or("Options", json!({})),
            "Labels": or("Labels", json!({})),
        });
        self.all.push(Network {
            shown,
            host,
            predefined: false,
        });
        id
    }

    /// What an engine knows: by ID, by name, or by the beginning of an ID.
    pub(super) fn find(&self, hostname: &str, id_or_name: &str) -> Option<&Network> {
        let here = || self.all.iter().filter(|network| network.is_on(hostname));
        here()
            .find(|network| network.id() == id_or_name)
            .or_else(|| here().find(|network| network.name() == id_or_name))
            .or_else(|| here().find(|network| network.id().starts_with(id_or_name)))
    }

    /// Puts IDs in the place of the names of networks in a service's spec.
    ///
    /// # Errors
    /// There is no such network.
    pub(super) fn resolve(&self, spec: &mut Value) -> Result<(), ApiError> {
        let old = spec.get_mut("Networks").map(Value::take);
        let template = spec.get_mut("TaskTemplate");
        let new = template.and_then(|template| template.get_mut("Networks"));
        let mut targets = [old, new.as_deref().cloned()];
        for target in targets.iter_mut().flatten() {
            for network in target.as_array_mut().into_iter().flatten() {
                let name = network["Target"].as_str().unwrap_or_default();
                // Every engine has them, so any will do as a point of view.
                let found = self.find("", name).ok_or_else(|| absent(name))?;
                network["Target"] = found.shown["Id"].clone();
            }
        }
        let [old, resolved] = targets;
        if let Some(old) = old {
            spec["Networks"] = old;
        }
        if let Some(resolved) = resolved {
            spec["TaskTemplate"]["Networks"] = resolved;
        }
        Ok(())
    }
}

impl Network {
    pub(super) fn id(&self) -> &str {
        self.shown["Id"].as_str().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.shown["Name"].as_str().unwrap_or_default()
    }

    /// Whether its containers reach what is outside of it, by their node.
    pub(super) fn reaches_out(&self) -> bool {
        self.shown["Driver"] == json!("overlay") && self.shown["Internal"] != json!(true)
    }

    fn is_on(&self, hostname: &str) -> bool {
        self.host.as_deref().is_none_or(|host| host == hostname)
    }
}

/// `/networks…`
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, []) => list(call),
        (&Method::POST, ["create"]) => create(call),
        (&Method::GET, [name]) => inspect(call, name),
        (&Method::DELETE, [name]) => remove(call, name),
        _ => Err(call.no_such_page()),
    }
}

/// With the containers of the node that are on it, which a list has not.
fn inspect(call: &Call<'_>, name: &str) -> Outcome {
    // Before the networks are locked: one lock at a time.
    let containers = containers::running(call);
    let networks = call.engines.networks();
    let network = networks.find(call.hostname, name);
    let network = network.ok_or_else(|| absent(name))?;
    let mut shown = network.shown.clone();
    for container in &containers {
        let member = container.member();
        if let Some(entry) = member.entry(network, &networks, call.hostname) {
            shown["Containers"][member.id] = entry;
        }
    }
    Ok(ok(&shown))
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["driver", "type", "name", "id", "label", "scope"])?;
    let networks = call.engines.networks();
    let wanted = networks.all.iter().filter(|network| {
        // Names and IDs match anywhere in this list, unlike in all others.
        let within = |filter: &str, held: &str| {
            let values = filters.get(filter);
            values.is_empty() || values.iter().any(|value| held.contains(value.as_str()))
        };
        let made = network.predefined || network.shown["Ingress"] == json!(true);
        let kind = if made { "builtin" } else { "custom" };
        let text = |field: &str| network.shown[field].as_str().unwrap_or_default();
        network.is_on(call.hostname)
            && within("name", network.name())
            && within("id", network.id())
            && filters.exact("driver", text("Driver"))
            && filters.exact("scope", text("Scope"))
            && filters.exact("type", kind)
            && filters.labels("label", &network.shown["Labels"])
    });
    let shown: Vec<&Value> = wanted.map(|network| &network.shown).collect();
    Ok(ok(&shown))
}

fn create(call: &Call<'_>) -> Outcome {
    let spec = call.body()?;
    let name = spec["Name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(bad_request("network name cannot be empty"));
    }
    let of_swarm = scope(&spec) == "swarm";
    if of_swarm && !call.standing.manages() {
        return Err(forbidden(WORKER));
    }
    if of_swarm {
        call.standing.must_manage()?;
    }
    let mut networks = call.engines.networks();
    let mut here = networks.all.iter().filter(|it| it.is_on(call.hostname));
    if here.any(|network| network.name() == name) {
        return Err(conflict(format!("network with name {name} already exists")));
    }
    let host = (!of_swarm).then(|| call.hostname.to_owned());
    let id = networks.add(&spec, host, call.now());
    let made = json!({"Id": id, "Warning": ""});
    Ok(Answer::json(StatusCode::CREATED, &made))
}

fn remove(call: &Call<'_>, name: &str) -> Outcome {
    // Before the networks are locked: one lock at a time.
    let services = call.engines.read(|cluster| cluster.services());
    let mut networks = call.engines.networks();
    let network = networks.find(call.hostname, name);
    let network = network.ok_or_else(|| absent(name))?;
    if network.predefined {
        return Err(forbidden(format!(
            "{name} is a pre-defined network and cannot be removed"
        )));
    }
    let id = network.id().to_owned();
    if network.name() == GATEWAY {
        // One is there always, which is no task's.
        return Err(forbidden(format!(
            "error while removing network: network {GATEWAY} id {id} has active endpoints"
        )));
    }
    if let Some(user) = services.iter().find(|service| uses(service, &id)) {
        let user = user["ID"].as_str().unwrap_or_default();
        return Err(bad_request(format!(
            "rpc error: code = FailedPrecondition desc = network {id} is in use by service {user}"
        )));
    }
    networks.all.retain(|network| network.id() != id);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn uses(service: &Value, id: &str) -> bool {
    let spec = &service["Spec"];
    let lists = [&spec["Networks"], &spec["TaskTemplate"]["Networks"]];
    let mut targets = lists.into_iter().filter_map(Value::as_array).flatten();
    targets.any(|network| network["Target"].as_str() == Some(id))
}

fn driver(spec: &Value) -> &str {
    let driver = spec["Driver"].as_str();
    driver
        .filter(|driver| !driver.is_empty())
        .unwrap_or("bridge")
}

fn scope(spec: &Value) -> &str {
    match spec["Scope"].as_str() {
        Some(scope) if !scope.is_empty() => scope,
        _ if driver(spec) == "overlay" => "swarm",
        _ => "local",
    }
}

fn absent(name: &str) -> ApiError {
    not_found(format!("network {name} not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_networks_in_a_service_become_their_ids() {
        let mut networks = Networks::of_new_swarm(Timestamp::UNIX_EPOCH);
        let overlay = json!({"Name": "demo_default", "Driver": "overlay"});
        let id = networks.add(&overlay, None, Timestamp::UNIX_EPOCH);
        assert_eq!(id.len(), 25);
        let target = json!([{"Target": "demo_default", "Aliases": ["db"]}]);
        let mut spec = json!({"TaskTemplate": {"Networks": target}, "Networks": target});
        networks.resolve(&mut spec).unwrap();
        let resolved = json!([{"Target": id, "Aliases": ["db"]}]);
        assert_eq!(spec["TaskTemplate"]["Networks"], resolved);
        assert_eq!(spec["Networks"], resolved);
        assert!(uses(&json!({ "Spec": spec }), &id));
        let mut again = spec.clone();
        networks.resolve(&mut again).unwrap();
        assert_eq!(again, spec);
        let mut unknown = json!({"TaskTemplate": {"Networks": [{"Target": "gone"}]}});
        assert_eq!(networks.resolve(&mut unknown).unwrap_err().status, 404);
        let mut without = json!({"TaskTemplate": {}});
        networks.resolve(&mut without).unwrap();
        assert_eq!(without, json!({"TaskTemplate": {}}));
    }

    #[test]
    fn an_engine_knows_its_own_networks_and_those_of_the_swarm() {
        let mut networks = Networks::of_new_swarm(Timestamp::UNIX_EPOCH);
        let local = json!({"Name": "own"});
        networks.add(&local, Some("one".to_owned()), Timestamp::UNIX_EPOCH);
        assert!(networks.find("one", "own").is_some());
        assert!(networks.find("two", "own").is_none());
        let ingress = networks.find("two", "ingress").unwrap();
        assert_eq!(ingress.shown["Scope"], "swarm");
        assert!(networks.find("two", "bridge").unwrap().predefined);
    }
}
