//! The story, scene by scene. A scene more is an entry more in [`SCENES`].

use jiff::SignedDuration;

use super::cluster::Kind;
use super::stage::Stage;

/// One scene: what is told, what happens in the world, what is typed.
pub(super) struct Scene {
    /// Its heading, and its name when it does not go as told.
    pub(super) title: &'static str,
    /// What is told first, in lines that fit into a terminal.
    pub(super) told: &'static [&'static str],
    /// What happens in the world before anything is typed.
    pub(super) happens: fn(&Stage),
    /// What is typed after `imgstack`, and the exit code that it ends with.
    pub(super) typed: &'static [(&'static str, i32)],
    /// The commit of the build that all services run in the end.
    pub(super) leaves: &'static str,
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        title: "Last week's build runs on three nodes",
        told: &[],
        happens: |_| {},
        typed: &[("status", 0)],
        leaves: "9b1d2e7",
    },
    Scene {
        title: "A new build arrives",
        told: &[
            "GitHub Actions has built another commit and pushed it to GHCR: the tag 16",
            "has moved. What would change, and why?",
        ],
        happens: |stage| stage.build(Kind::Good, "abc1234", SignedDuration::from_hours(2)),
        typed: &[("plan", 0)],
        leaves: "9b1d2e7",
    },
    Scene {
        title: "It is rolled out",
        told: &[
            "One service after another, by digest, each until it has converged. Then",
            "there is nothing left to do.",
        ],
        happens: |_| {},
        typed: &[("apply --auto-approve", 0), ("plan", 0)],
        leaves: "abc1234",
    },
    Scene {
        title: "2 February: a disk was full, and a prune took the image",
        told: &[
            "The replica on docker-infra-2 was stopped to make room, and docker pruned",
            "its image. A start there needs the registry now; the plan says so.",
        ],
        happens: Stage::incident,
        typed: &[("plan --detailed-exitcode", 2), ("apply --auto-approve", 0)],
        leaves: "abc1234",
    },
    Scene {
        title: "The replica is started again",
        told: &["It starts from what the node holds, with or without the registry."],
        happens: Stage::restart,
        typed: &[("status", 0)],
        leaves: "abc1234",
    },
    Scene {
        title: "A bad build arrives",
        told: &[
            "Somebody has upgraded Patroni and forgotten its [etcd3]: the new build dies",
            "at start. The first service goes back, the others are not touched.",
        ],
        happens: |stage| stage.build(Kind::Dying, "bad0bad", SignedDuration::ZERO),
        typed: &[("apply --auto-approve", 1)],
        leaves: "abc1234",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_fits_into_a_terminal() {
        for scene in SCENES {
            for line in scene.told.iter().chain([&scene.title]) {
                assert!(line.chars().count() <= 76, "{line}");
            }
        }
    }
}
