//! The named points at which a request can go wrong, and the ways.

use std::time::Duration;

use imgstack_sim::{Fault, Trigger};

use crate::draw::Dice;
use crate::world::World;

/// Requests to a manager: method, and a part of the path.
const MANAGER: [(&str, &str); 9] = [
    ("GET", "/version"),
    ("GET", "/info"),
    ("GET", "/nodes"),
    ("GET", "/services"),
    ("GET", "/services/"),
    ("GET", "/tasks"),
    ("GET", "/events"),
    ("GET", "/logs"),
    ("POST", "/update"),
];

/// Requests to a registry, by imgstack or by a node.
const REGISTRY: [(&str, &str); 5] = [
    ("GET", "/token"),
    ("HEAD", "/manifests/"),
    ("GET", "/manifests/"),
    ("GET", "/blobs/"),
    ("", ""),
];

/// Answers that are none.
const REFUSALS: [(u16, &str); 9] = [
    (429, "too many requests"),
    (500, "boom"),
    (
        500,
        "rpc error: code = Unavailable desc = transport is closing",
    ),
    (
        500,
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    (
        500,
        "rpc error: code = Unknown desc = The swarm does not have a leader.",
    ),
    (
        500,
        "rpc error: code = Unknown desc = update out of sequence",
    ),
    (502, "bad gateway"),
    (503, "service unavailable"),
    (504, "gateway timeout"),
];

/// Draws a point and what happens there.
pub fn draw(dice: &mut Dice, world: &World) -> (Trigger, Fault) {
    let at_manager = dice.chance(75);
    let (server, (method, path)) = match at_manager {
        true => {
            let manager = &world.design.nodes[0].setup.hostname;
            // The one that changes something is the one that matters most.
            let point = match dice.chance(55) {
                true => ("POST", "/update"),
                false => dice.pick(&MANAGER),
            };
            (manager.clone(), point)
        }
        false => {
            let host = dice.0.usize(0..world.registries.len());
            let registry = world.registries[host].host().to_owned();
            (registry, dice.pick(&REGISTRY))
        }
    };
    let times = dice.0.usize(1..4);
    let trigger = Trigger {
        server,
        method: method.to_owned(),
        path: path.to_owned(),
        skip: dice.weighted(&[(60, 0), (20, 1), (10, 4), (10, 12)]),
        times: dice.weighted(&[(50, Some(1)), (35, Some(times)), (15, None)]),
    };
    (trigger, fault(dice))
}

fn fault(dice: &mut Dice) -> Fault {
    let delay = dice.weighted(&[
        (40, u64::from(dice.0.clone().u32(50..3000))),
        (30, 9000),
        (30, 40_000),
    ]);
    let (status, message) = dice.pick(&REFUSALS);
    let refusal = Fault::Answer {
        status,
        headers: match status {
            429 => vec![("retry-after".to_owned(), "2".to_owned())],
            _ => Vec::new(),
        },
        body: format!("{{\"message\": \"{message}\"}}"),
    };
    dice.weighted(&[
        (15, Fault::Delay(Duration::from_millis(delay))),
        (20, Fault::Refuse),
        (22, Fault::Cut),
        (9, Fault::CutBody),
        (9, Fault::Corrupt),
        (25, refusal),
    ])
}
