//! Operating system and architecture, as OCI indexes and Swarm nodes name them,
//! and which image of several a node runs.
//!
//! The choice is containerd's, since it is the node that makes it (`compare.go`
//! and `database.go` of containerd/platforms): a node has a list of platforms
//! that it runs, its own first, and takes the image that comes first in it. So
//! an `amd64` node never runs `amd64/v3`, an `arm/v7` node runs `arm/v6`, and an
//! `arm64` node runs 32-bit ARM when there is nothing better.
//!
//! Deliberately absent: versions of Windows.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A platform in OCI's words (`amd64`, not `x86_64`).
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Platform {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Architecture, such as `amd64` or `arm64`.
    pub architecture: String,
    /// Variant of the architecture, such as `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Platform {
    /// Whether a node of the platform `node` runs an image made for this one.
    #[must_use]
    pub fn runs_on(&self, node: &Self) -> bool {
        self.rank(&Cpu::of(node).runs(), node).is_some()
    }

    /// The one of `made` that a node of the platform `node` runs; the first of
    /// two that are equally good.
    pub fn best<'a>(made: impl IntoIterator<Item = &'a Self>, node: &Self) -> Option<&'a Self> {
        let list = Cpu::of(node).runs();
        let made = made.into_iter();
        let ranked = made.filter_map(|made| Some((made.rank(&list, node)?, made)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, made)| made)
    }

    /// The place in a node's list; None: not in it.
    fn rank(&self, list: &[Cpu], node: &Self) -> Option<usize> {
        let os = self.os.eq_ignore_ascii_case(&node.os);
        let own = Cpu::of(self);
        list.iter().position(|cpu| os && *cpu == own)
    }
}

/// Architecture and variant in the one form that containerd compares: what
/// stands for the least of its kind has no variant, but 32-bit ARM always has.
#[derive(Debug, PartialEq, Eq)]
struct Cpu {
    architecture: String,
    variant: String,
}

impl Cpu {
    fn of(platform: &Platform) -> Self {
        let variant = platform.variant.as_deref().unwrap_or_default();
        Self::new(&platform.architecture, variant)
    }

    fn new(architecture: &str, variant: &str) -> Self {
        let architecture = architecture.to_ascii_lowercase();
        let variant = variant.to_ascii_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("i386", _) => ("386", ""),
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", other) => ("amd64", other),
            ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
            ("aarch64", other) => ("arm64", other),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            other => other,
        };
        Self {
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        }
    }

    /// What it runs, best first.
    fn runs(self) -> Vec<Self> {
        let mut list = match self.architecture.as_str() {
            "amd64" => {
                let below = (1..number(&self.variant)).rev();
                let below = below.map(|level| Self::new("amd64", &format!("v{level}")));
                below.chain([Self::new("386", "")]).collect()
            }
            "arm" => older_arm(number(&self.variant)),
            "arm64" => older_arm64(&self.variant),
            _ => Vec::new(),
        };
        list.insert(0, self);
        list
    }
}

/// 32-bit ARM below a generation.
fn older_arm(generation: u8) -> Vec<Cpu> {
    let below = (5..generation).rev();
    below.map(|it| Cpu::new("arm", &format!("v{it}"))).collect()
}

/// 64-bit ARM below a variant, then all of 32-bit ARM.
fn older_arm64(variant: &str) -> Vec<Cpu> {
    let (major, minor) = variant.split_once('.').unwrap_or((variant, ""));
    let major = if major.is_empty() { 8 } else { number(major) };
    let mut minor = number(minor);
    let below = |major: u8, minor: u8| {
        (0..minor).rev().map(move |minor| match minor {
            0 => Cpu::new("arm64", &format!("v{major}")),
            _ => Cpu::new("arm64", &format!("v{major}.{minor}")),
        })
    };
    let mut list = Vec::new();
    if major == 9 {
        list.extend(below(9, minor));
        // Each v9.x has what v8.(x+5) has.
        minor = minor.saturating_add(5);
        list.push(Cpu::new("arm64", &format!("v8.{minor}")));
    }
    if major == 8 || major == 9 {
        list.extend(below(8, minor));
        list.push(Cpu::new("arm", "v8"));
        list.extend(older_arm(8));
    }
    list
}

/// 3 of `v3`; 0 for what is no number, so that nothing is below it.
fn number(variant: &str) -> u8 {
    let digits = variant.strip_prefix('v').unwrap_or(variant);
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let parts: Vec<_> = text.split('/').collect();
        Platform {
            os: parts[0].to_owned(),
            architecture: parts[1].to_owned(),
            variant: parts.get(2).map(ToString::to_string),
        }
    }

    /// Made, node, and which of them it runs: containerd's answers.
    #[test]
    fn what_a_node_runs() {
        #[rustfmt::skip]
        let table = [
            // the same, however it is written
            ("linux/amd64", "linux/amd64", Some("linux/amd64")),
            ("linux/amd64/v1", "linux/amd64", Some("linux/amd64/v1")),
            ("linux/amd64", "linux/amd64/v1", Some("linux/amd64")),
            ("linux/amd64", "linux/x86_64", Some("linux/amd64")),
            ("linux/arm64/v8", "linux/arm64", Some("linux/arm64/v8")),
            ("linux/arm64", "linux/aarch64/v8", Some("linux/arm64")),
            ("linux/arm", "linux/arm/v7", Some("linux/arm")),
            ("linux/ARM64", "Linux/arm64", Some("linux/ARM64")),
            ("linux/riscv64", "linux/riscv64", Some("linux/riscv64")),
            // levels of amd64 go down, never up
            ("linux/amd64/v3", "linux/amd64", None),
            ("linux/amd64/v2 linux/amd64", "linux/amd64", Some("linux/amd64")),
            ("linux/amd64 linux/amd64/v2 linux/amd64/v3", "linux/amd64/v3", Some("linux/amd64/v3")),
            ("linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v3", Some("linux/amd64/v2")),
            ("linux/386", "linux/amd64", Some("linux/386")),
            ("linux/386 linux/amd64", "linux/amd64", Some("linux/amd64")),
            ("linux/386", "linux/arm64", None),
            ("linux/amd64", "linux/386", None),
            // so do generations of 32-bit ARM
            ("linux/arm/v5 linux/arm/v6", "linux/arm/v7", Some("linux/arm/v6")),
            ("linux/arm/v6 linux/arm/v7", "linux/arm/v7", Some("linux/arm/v7")),
            ("linux/arm/v6 linux/arm/v7", "linux/arm", Some("linux/arm/v7")),
            ("linux/arm/v7", "linux/arm/v6", None),
            ("linux/arm", "linux/arm/v6", None),
            ("linux/arm/6", "linux/arm/v6", Some("linux/arm/6")),
            // 64-bit ARM, then 32-bit
            ("linux/arm/v7 linux/arm64", "linux/arm64", Some("linux/arm64")),
            ("linux/arm/v6 linux/arm/v7", "linux/arm64", Some("linux/arm/v7")),
            ("linux/arm64", "linux/arm/v8", None),
            ("linux/arm64/v8.1", "linux/arm64", None),
            ("linux/arm64 linux/arm64/v8.1", "linux/arm64/v8.2", Some("linux/arm64/v8.1")),
            ("linux/arm64 linux/arm64/v8.6 linux/arm64/v9.2", "linux/arm64/v9.1", Some("linux/arm64/v8.6")),
            ("linux/arm64 linux/arm64/v9", "linux/arm64/v9.1", Some("linux/arm64/v9")),
            ("linux/arm64/v9", "linux/arm64/v8.5", None),
            ("linux/arm/v7", "linux/arm64/v9", Some("linux/arm/v7")),
            // nothing that fits
            ("linux/amd64", "windows/amd64", None),
            ("linux/ppc64le", "linux/amd64", None),
            ("linux/riscv64/rva23u64", "linux/riscv64", None),
            ("", "linux/amd64", None),
            // nonsense has nothing below it
            ("linux/amd64", "linux/amd64/vx", None),
            ("linux/amd64/v999999", "linux/amd64/v999999", Some("linux/amd64/v999999")),
        ];
        for (made, node, expected) in table {
            let made: Vec<Platform> = made.split_whitespace().map(platform).collect();
            let node = platform(node);
            let best = Platform::best(&made, &node);
            let expected = expected.map(platform);
            assert_eq!(best, expected.as_ref(), "{made:?} on {node}");
            let any = made.iter().any(|made| made.runs_on(&node));
            assert_eq!(any, expected.is_some(), "{made:?} on {node}");
        }
    }

    #[test]
    fn the_first_of_two_that_are_equal() {
        let made = [platform("linux/arm64/v8"), platform("linux/arm64")];
        let node = platform("linux/arm64");
        assert_eq!(Platform::best(&made, &node), Some(&made[0]));
        let turned = [made[1].clone(), made[0].clone()];
        assert_eq!(Platform::best(&turned, &node), Some(&turned[0]));
    }
}
