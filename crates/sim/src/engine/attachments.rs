//! Where containers are attached, and the addresses that they have there.
//!
//! A container of a service without networks is on the bridge of its node. One
//! on an overlay network also hangs on the node's gateway bridge, unless all its
//! networks are internal. Nobody listens at any of these addresses.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::networks::{Network, Networks};

/// The bridge through which a node and its containers on overlay networks
/// reach each other.
pub(super) const GATEWAY: &str = "docker_gwbridge";
const BRIDGE: &str = "bridge";

/// A container that runs, as far as its networks need it.
pub(super) struct Member<'a> {
    /// Its identifier.
    pub(super) id: &'a str,
    /// What it is called.
    pub(super) name: &'a str,
    /// The spec of its task.
    pub(super) spec: &'a Value,
}

impl Member<'_> {
    /// `NetworkSettings.Networks` of a container, as it tells them itself.
    pub(super) fn networks(&self, networks: &Networks, hostname: &str) -> Value {
        let mut told = json!({});
        for network in self.attached(networks, hostname) {
            let address = self.address_in(network);
            let text = address.map(|it| it.to_string()).unwrap_or_default();
            told[network.name()] = json!({
                "NetworkID": network.id(),
                "IPAddress": text,
                "IPPrefixLen": if address.is_some() { 16 } else { 0 },
                "GlobalIPv6Address": "",
            });
        }
        told
    }

    /// Its entry in `Containers` of a network of its node; None if it is not
    /// there, or in one of the Swarm.
    pub(super) fn entry(&self, network: &Network, all: &Networks, hostname: &str) -> Option<Value> {
        let attached = self.attached(all, hostname);
        let is_there = match network.name() {
            GATEWAY => attached.iter().any(|it| it.reaches_out()),
            BRIDGE => attached.iter().any(|it| it.name() == BRIDGE),
            _ => false,
        };
        let address = self.address_in(network).filter(|_| is_there)?;
        let name = match network.name() {
            GATEWAY => format!("gateway_{}", self.id.get(..12).unwrap_or(self.id)),
            _ => self.name.to_owned(),
        };
        Some(json!({
            "Name": name,
            "IPv4Address": format!("{address}/16"),
            "IPv6Address": "",
        }))
    }

    fn attached<'n>(&self, networks: &'n Networks, hostname: &str) -> Vec<&'n Network> {
        let targets = self.spec["Networks"].as_array();
        let names: Vec<&str> = match targets.filter(|targets| !targets.is_empty()) {
            Some(targets) => targets
                .iter()
                .filter_map(|it| it["Target"].as_str())
                .collect(),
            None => vec![BRIDGE],
        };
        let found = names.into_iter().map(|name| networks.find(hostname, name));
        found.flatten().collect()
    }

    /// The same for its whole life, and hardly ever another one's.
    fn address_in(&self, network: &Network) -> Option<Ipv4Addr> {
        let second = match network.name() {
            "host" | "none" => return None,
            BRIDGE => [172, 17],
            GATEWAY => [172, 18],
            _ => [10, 0],
        };
        // FNV-1a.
        let hash = self.id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let [_, _, third, fourth] = hash.to_be_bytes();
        let [first, second] = second;
        // Neither the bridge's own, nor one that is no host's.
        Some(Ipv4Addr::new(first, second, third, fourth.clamp(2, 254)))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn who_hangs_on_which_bridge() {
        let mut networks = Networks::of_new_swarm(Timestamp::UNIX_EPOCH);
        for (name, internal) in [("data", false), ("closed", true)] {
            let spec = json!({"Name": name, "Driver": "overlay", "Internal": internal});
            networks.add(&spec, None, Timestamp::UNIX_EPOCH);
        }
        let table: [(&[&str], bool, bool); 6] = [
            (&[], false, true),
            (&["bridge"], false, true),
            (&["host"], false, false),
            (&["data"], true, false),
            (&["closed"], false, false),
            (&["closed", "data"], true, false),
        ];
        for (targets, on_gateway, on_bridge) in table {
            let targets: Vec<Value> = targets.iter().map(|it| json!({"Target": it})).collect();
            let spec = json!({"Networks": targets});
            let member = Member {
                id: "abcdef",
                name: "db.1.t1",
                spec: &spec,
            };
            for (bridge, expected) in [(GATEWAY, on_gateway), (BRIDGE, on_bridge)] {
                let network = networks.find("one", bridge).unwrap();
                let entry = member.entry(network, &networks, "one");
                assert_eq!(entry.is_some(), expected, "{bridge} {spec}");
            }
        }
    }

    #[test]
    fn a_container_tells_the_address_that_its_network_tells() {
        let networks = Networks::of_new_swarm(Timestamp::UNIX_EPOCH);
        let member = Member {
            id: "abcdef",
            name: "db.1.t1",
            spec: &json!({}),
        };
        let told = &member.networks(&networks, "one")["bridge"]["IPAddress"];
        let bridge = networks.find("one", "bridge").unwrap();
        let entry = member.entry(bridge, &networks, "one").unwrap();
        let address = told.as_str().unwrap();
        assert_eq!(entry["IPv4Address"], format!("{address}/16"));
    }
}
