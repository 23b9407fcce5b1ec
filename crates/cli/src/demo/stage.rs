//! Where the demo plays: the world, a temporary folder, and what a user sets to
//! point imgstack at both.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imgstack_sim::World;
use imgstack_sim::swarm::{Cluster, ServiceUpdate};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::cluster::{self, INCIDENT, Kind, MANAGER, SERVICES, Source, TOKEN};

const SPEC: &str = include_str!("imgstack.yaml");
/// What stands in it for the folder of the nodes' sockets.
const SOCKETS: &str = "SOCKETS";
const SPEC_FILE: &str = "imgstack.yaml";
/// What a shell reads the token from, so that nobody needs to print it.
const TOKEN_FILE: &str = "token";
/// The token's variable, as the spec has it.
pub(super) const TOKEN_VARIABLE: &str = "GHCR_PAT";

const FOLDER: &str = "imgstack-demo-";
/// A socket's name may have 103 characters on all systems; the demo's folder
/// and the name of a node's socket in it take twenty each.
const LONGEST_PLACE: usize = 60;
/// Where there is room if the user's own place does not do.
const OTHER_PLACE: &str = "/tmp";

/// What of the user's own environment is for the terminal; the rest, such as
/// the user's own docker settings, must not reach the demo.
const INHERITED: [&str; 9] = [
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "NO_COLOR",
    "TERM",
];

/// The world and all that is around it. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    // Before its folder.
    world: World,
    source: Source,
    commits: AtomicU32,
    /// The spec as it was written at first.
    text: String,
    folder: TempDir,
}

impl Stage {
    /// Sets the stage: everything is as it is when the story begins.
    pub(crate) async fn set() -> io::Result<Self> {
        let folder = folder()?;
        let sockets = folder.path().display().to_string();
        let spec = SPEC.replace(SOCKETS, &sockets);
        std::fs::write(folder.path().join(SPEC_FILE), &spec)?;
        std::fs::write(folder.path().join(TOKEN_FILE), TOKEN)?;
        let (layout, source) = cluster::lay_out(Timestamp::now()).map_err(io::Error::other)?;
        let world = layout.start(folder.path()).await?;
        if !world.settles(Duration::from_secs(5)).await {
            return Err(io::Error::other("the simulated cluster does not come up"));
        }
        Ok(Self {
            world,
            source,
            commits: AtomicU32::new(0),
            text: spec,
            folder,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn spec(&self) -> PathBuf {
        self.folder().join(SPEC_FILE)
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.folder().join(TOKEN_FILE)
    }

    /// What a user sets beside the token.
    pub(super) fn settings(&self) -> [(&'static str, String); 3] {
        let socket = self.world.socket(MANAGER);
        [
            ("IMGSTACK_FILE", self.spec().display().to_string()),
            ("DOCKER_HOST", format!("unix://{}", socket.display())),
            ("IMGSTACK_ENDPOINTS", self.world.endpoints()),
        ]
    }

    /// This program, to be run on the stage.
    pub(super) fn imgstack(&self) -> io::Result<tokio::process::Command> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        let kept = INHERITED.iter().filter_map(|key| {
            let value = std::env::var_os(key)?;
            Some((key, value))
        });
        command
            .current_dir(self.folder())
            .env_clear()
            .envs(kept)
            .env("HOME", self.folder())
            .env("DOCKER_CONFIG", self.folder().join(".docker"))
            .env("XDG_CACHE_HOME", self.folder().join(".cache"))
            .envs(self.settings())
            .env(TOKEN_VARIABLE, TOKEN)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    /// A build arrives that was made so long ago.
    pub(super) fn build(&self, kind: Kind, sha: &str, age: SignedDuration) {
        let now = self.world.server.clock.now();
        let at = now.saturating_sub(age).unwrap_or(now);
        self.source.build(kind, sha, at);
    }

    /// A build arrives now, from a commit that there was not before; its name.
    pub(super) fn next_build(&self, kind: Kind) -> String {
        let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        // As scattered as commits are.
        let sha = format!("{:07x}", number.wrapping_mul(0x9e37_79b1) >> 4);
        self.build(kind, &sha, SignedDuration::ZERO);
        sha
    }

    /// What happened on 2026-02-02: a node's disk was full, so its replica was
    /// stopped, and a prune took the image. While it stands still, the Swarm
    /// does not pull by itself: nobody sees that the image is gone.
    pub(super) fn incident(&self) {
        self.world.engines.with(|swarm, now| {
            let Some(image) = scale(swarm, now, 0) else {
                return;
            };
            // That it is gone is what the scene is about: it shows in the plan.
            let _ = swarm.remove_image(now, INCIDENT, &image, true);
        });
    }

    /// The replica is started again.
    pub(super) fn restart(&self) {
        self.world.engines.with(|swarm, now| {
            // That it runs again is what the scene shows.
            let _ = scale(swarm, now, 1);
        });
    }

    /// Whether nothing goes on in the world any more, after a while at most.
    pub(super) async fn settles(&self) -> bool {
        self.world.settles(Duration::from_secs(10)).await
    }

    /// Whether all services run the build of that commit, and nothing goes on.
    pub(super) async fn runs(&self, sha: &str) -> bool {
        let Some(image) = self.source.reference(sha) else {
            return false;
        };
        self.settles().await
            && SERVICES.iter().all(|name| {
                let service = self.world.engines.read(|swarm| swarm.service(name));
                service.is_ok_and(|it| {
                    it["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == image.as_str()
                })
            })
    }
}

/// A folder in the user's own place for such, or in the one that all have.
fn folder() -> io::Result<TempDir> {
    let make = |place: &Path| tempfile::Builder::new().prefix(FOLDER).tempdir_in(place);
    let own = std::path::absolute(std::env::temp_dir())?;
    match fits(&own) {
        true => make(&own).or_else(|_| make(Path::new(OTHER_PLACE))),
        false => make(Path::new(OTHER_PLACE)),
    }
}

/// Whether sockets in that place can be spoken to. Their names are in
/// addresses, in a spec and in lines for a shell, so they are plain.
fn fits(place: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    let name = place.as_os_str().as_encoded_bytes();
    name.len() <= LONGEST_PLACE && name.iter().all(plain)
}

/// Gives the replica of the incident so many tasks; returns its image.
fn scale(swarm: &mut Cluster, now: Timestamp, replicas: u64) -> Option<String> {
    let [_, name, _] = SERVICES;
    let service = swarm.service(name).ok()?;
    let mut spec = service["Spec"].clone();
    spec["Mode"]["Replicated"]["Replicas"] = replicas.into();
    let image = spec["TaskTemplate"]["ContainerSpec"]["Image"]
        .as_str()?
        .to_owned();
    let update = ServiceUpdate {
        version: service["Version"]["Index"].as_u64()?,
        spec,
        auth: None,
        auth_from_previous: false,
        rollback: false,
    };
    swarm.update_service(now, name, update).ok()?;
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_place_is_told_from_a_plain_one() {
        let long = format!("/{}", "a".repeat(LONGEST_PLACE - 1));
        let table = [
            ("/tmp", true),
            ("/var/folders/x1/y_z-0000gn/T", true),
            (long.as_str(), true),
            (&format!("{long}a"), false),
            ("/tmp/a b", false),
            ("/tmp/{hostname}", false),
            ("/tmp/a\"b", false),
            ("/tmp/50%", false),
            ("/tmp/ü", false),
        ];
        for (place, expected) in table {
            assert_eq!(fits(Path::new(place)), expected, "{place}");
        }
    }
}
