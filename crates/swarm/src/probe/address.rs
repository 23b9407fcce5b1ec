//! Where a task's own node reaches its container.
//!
//! A container on an overlay network also hangs on the bridge
//! `docker_gwbridge` of its node, unless all its networks are internal. The
//! host reaches the address that it has there. Source: libnetwork
//! `default_gateway.go`, `needDefaultGW`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::{Early, Unasked};
use crate::NodeEngine;
use crate::http::Http;

const GATEWAY: &str = "docker_gwbridge";

/// The addresses of containers, each looked up once: a container keeps its own
/// for its life.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<BTreeMap<String, IpAddr>>);

impl Addresses {
    pub(super) async fn of(&self, engine: &NodeEngine, container: &str) -> Result<IpAddr, Early> {
        let known = self.known().get(container).copied();
        if let Some(address) = known {
            return Ok(address);
        }
        let found = look_up(engine.http(), container).await?;
        let address = found.ok_or_else(Unasked::no_address)?;
        self.known().insert(container.to_owned(), address);
        Ok(address)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None for a container that its node has no address for.
async fn look_up(http: &Http, container: &str) -> Result<Option<IpAddr>, Early> {
    let path = format!("/containers/{container}/json");
    let inspected: Result<Inspected, _> = http.get("a task's container", &path, &[]).await;
    let networks = match inspected {
        Ok(inspected) => inspected.network_settings.networks.unwrap_or_default(),
        Err(error) if error.is_not_found() => {
            return Err(Early::Silent("its container is gone".to_owned()));
        }
        Err(error) => return Err(Unasked::engine(&error).into()),
    };
    if networks.contains_key("host") {
        return Ok(Some(Ipv4Addr::LOCALHOST.into()));
    }
    if let Some(gateway) = network(http, GATEWAY).await? {
        let there = gateway.containers.unwrap_or_default().remove(container);
        if let Some(address) = there.and_then(|there| there.address()) {
            return Ok(Some(address));
        }
    }
    for (name, endpoint) in &networks {
        let id = endpoint.network_id.as_deref().unwrap_or(name);
        let driver = network(http, id).await?.and_then(|network| network.driver);
        if driver.as_deref() == Some("bridge") {
            return Ok(endpoint.address());
        }
    }
    Ok(None)
}

/// A network as the node has it; None when it has none of that name.
async fn network(http: &Http, name: &str) -> Result<Option<Network>, Early> {
    let found = http
        .get("a network", &format!("/networks/{name}"), &[])
        .await;
    match found {
        Ok(network) => Ok(Some(network)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Unasked::engine(&error).into()),
    }
}

/// `GET /containers/{id}/json`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inspected {
    network_settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    networks: Option<BTreeMap<String, Endpoint>>,
}

/// A container's place in a network, as the container tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "NetworkID")]
    network_id: Option<String>,
    #[serde(rename = "IPAddress")]
    v4: String,
    #[serde(rename = "GlobalIPv6Address")]
    v6: String,
}

/// `GET /networks/{id}`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    driver: Option<String>,
    containers: Option<BTreeMap<String, Member>>,
}

/// A container's place in a network, as the network tells it: `172.18.0.3/16`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Member {
    #[serde(rename = "IPv4Address")]
    v4: String,
    #[serde(rename = "IPv6Address")]
    v6: String,
}

impl Endpoint {
    fn address(&self) -> Option<IpAddr> {
        first([&self.v4, &self.v6])
    }
}

impl Member {
    fn address(&self) -> Option<IpAddr> {
        first([&self.v4, &self.v6])
    }
}

/// The first that is an address, with the length of its prefix or without.
fn first(written: [&String; 2]) -> Option<IpAddr> {
    written.into_iter().find_map(|text| {
        let address = text
            .split_once('/')
            .map_or(text.as_str(), |(address, _)| address);
        address.parse().ok()
    })
}
