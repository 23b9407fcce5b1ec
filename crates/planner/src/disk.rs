//! Whether a node has room for what it is to pull.

use imgstack_spec::{Address, ByteSize, NodeName};

use crate::inventory::{Disk, ObservedNode};
use crate::presence::Pull;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::{Known, Trouble};

/// An image is fetched compressed and kept unpacked beside that until it is
/// complete, and unpacked it is at least as large.
const ROOM: u64 = 2;

/// A word on the disk of a node: too little room blocks what it is to pull.
pub(crate) fn judge(host: &NodeName, node: &ObservedNode, pulls: &[&Pull<'_>]) -> Option<Finding> {
    let minimum = node.minimum_free_disk.map_or(0, ByteSize::bytes);
    let disk = match &node.engine {
        Some(Known::Known(engine)) => match &engine.disk {
            Known::Known(disk) => disk,
            Known::Unknown(trouble) => return (minimum > 0).then(|| unknown(host, trouble)),
        },
        // That it does not answer is told of the node.
        Some(Known::Unknown(_)) => return None,
        None => return (minimum > 0).then(|| unknown(host, &no_engine())),
    };
    // Layers are fetched once, however many images share them: this is the most.
    let fetched: u64 = pulls.iter().filter_map(|pull| pull.bytes).sum();
    let room = fetched.saturating_mul(ROOM);
    if disk.free >= minimum.saturating_add(room) {
        return None;
    }
    Some(match pulls.is_empty() {
        true => low(host, *disk, minimum),
        false => full(host, *disk, minimum, fetched, pulls),
    })
}

fn full(host: &NodeName, disk: Disk, minimum: u64, fetched: u64, pulls: &[&Pull<'_>]) -> Finding {
    let images: Vec<String> = pulls
        .iter()
        .map(|pull| format!("image.{}", pull.image.name))
        .collect();
    let needs = match fetched {
        0 => format!("{} is to be pulled", images.join(", ")),
        _ => format!(
            "{} needs about {} ({} to fetch, and as much unpacked)",
            images.join(", "),
            human(fetched.saturating_mul(ROOM)),
            human(fetched),
        ),
    };
    let kept = match minimum {
        0 => String::new(),
        _ => format!(", and minimumFreeDisk keeps {}", human(minimum)),
    };
    let services = pulls.iter().flat_map(|pull| &pull.services);
    let mut blocks: Vec<Address> = services
        .map(|name| Address::Service((*name).clone()))
        .collect();
    blocks.sort();
    blocks.dedup();
    Finding {
        hint: Some(hint(pulls)),
        blocks,
        ..finding(
            Severity::Blocked,
            Code::DiskFull,
            &Address::Node(host.clone()),
            format!(
                "has {} free of {}; {needs}{kept}",
                human(disk.free),
                human(disk.total)
            ),
        )
    }
}

fn hint(pulls: &[&Pull<'_>]) -> String {
    let engine = pulls.iter().find_map(|pull| match &pull.via {
        crate::Via::Engine(endpoint) => Some(endpoint),
        crate::Via::Manager => None,
    });
    match engine {
        Some(endpoint) => format!("make room there; what takes it: docker -H {endpoint} system df"),
        None => "make room there; what takes it: docker system df".to_owned(),
    }
}

fn low(host: &NodeName, disk: Disk, minimum: u64) -> Finding {
    Finding {
        hint: Some(
            "make room there before the next pull: docker system df tells what takes it".to_owned(),
        ),
        ..finding(
            Severity::Attention,
            Code::DiskLow,
            &Address::Node(host.clone()),
            format!(
                "has {} free of {}, less than the {} of minimumFreeDisk",
                human(disk.free),
                human(disk.total),
                human(minimum)
            ),
        )
    }
}

fn unknown(host: &NodeName, trouble: &Trouble) -> Finding {
    Finding {
        hint: trouble.hint.clone(),
        ..finding(
            Severity::Note,
            Code::DiskUnknown,
            &Address::Node(host.clone()),
            format!("how much of its disk is free is not known: {}", trouble.why),
        )
    }
}

fn no_engine() -> Trouble {
    Trouble {
        why: "the spec names no way to its engine".to_owned(),
        hint: Some("give it an engine such as ssh://root@{hostname} under `nodes:`".to_owned()),
    }
}

/// Bytes as people read them: `112.4 MiB`.
fn human(bytes: u64) -> String {
    ByteSize::new(bytes).rounded()
}
