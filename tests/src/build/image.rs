//! From a build to the bytes of its blobs, manifests and index. No network here.

use std::collections::BTreeMap;

use imgstack_sim::Behaviour;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Base, Build, BuildError, Kind, Note, Platform, layer, provenance};

pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Bytes with their name.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) media_type: &'static str,
    pub(super) digest: String,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct Image {
    pub(super) blobs: Vec<Blob>,
    pub(super) manifests: BTreeMap<Platform, Blob>,
    pub(super) attestations: Vec<Blob>,
    /// What the tags name.
    pub(super) top: Blob,
}

/// The same build gives the same bytes.
pub(super) fn compose(build: &Build) -> Result<Image, BuildError> {
    let first = build.platforms.first().ok_or(BuildError::NoPlatform)?;
    let failed = |source| BuildError::Layer {
        path: build.busybox.clone(),
        source,
    };
    let mut layers = vec![Blob::new(
        LAYER,
        layer::base(&build.busybox).map_err(failed)?,
    )];
    if let Some(programs) = layer::programs(build.kind).map_err(failed)? {
        layers.push(Blob::new(LAYER, programs));
    }
    let upon = build.base.iter().filter(|base| base.note != Note::Nothing);
    let upon = upon.map(|base| (&base.sha, 0));
    for (sha, ballast) in upon.chain([(&build.sha, build.ballast)]) {
        layers.push(Blob::new(
            LAYER,
            layer::build(sha, ballast).map_err(failed)?,
        ));
    }
    let mut blobs = layers.clone();
    let mut manifests = BTreeMap::new();
    for platform in &build.platforms {
        let config = config(build, platform, &layers);
        let descriptors: Vec<Value> = layers.iter().map(Blob::descriptor).collect();
        manifests.insert(platform.clone(), manifest(&config, &descriptors));
        blobs.push(config);
    }
    let mut attestations = Vec::new();
    for (platform, manifest) in &manifests {
        if let Some(attestation) = provenance::compose(build, platform, manifest) {
            blobs.extend(attestation.blobs);
            attestations.push(attestation.manifest);
        }
    }
    let top = if build.index {
        index(build, &manifests, &attestations)
    } else {
        manifests[first].clone()
    };
    Ok(Image {
        blobs,
        manifests,
        attestations,
        top,
    })
}

impl Blob {
    pub(super) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            media_type,
            digest: format!("sha256:{hex}"),
            bytes,
        }
    }

    pub(super) fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    pub(super) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

fn index(build: &Build, manifests: &BTreeMap<Platform, Blob>, attestations: &[Blob]) -> Blob {
    let mut entries: Vec<Value> = manifests
        .iter()
        .map(|(platform, manifest)| {
            let mut entry = manifest.descriptor();
            entry["platform"] = json!({"os": platform.os, "architecture": platform.architecture});
            entry
        })
        .collect();
    for (attestation, about) in attestations.iter().zip(manifests.values()) {
        let mut entry = attestation.descriptor();
        entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        entry["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about.digest,
        });
        entries.push(entry);
    }
    let mut index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    if let Some(base) = noted(build, Note::Annotations) {
        index["annotations"] = base_note(base);
    }
    Blob::json(INDEX, &index)
}

/// The base, if the build says in that manner what it is.
fn noted(build: &Build, note: Note) -> Option<&Base> {
    build.base.as_ref().filter(|base| base.note == note)
}

/// OCI's own words for it.
fn base_note(base: &Base) -> Value {
    json!({
        "org.opencontainers.image.base.name": base.name,
        "org.opencontainers.image.base.digest": base.digest,
    })
}

/// `layers` are descriptors.
pub(super) fn manifest(config: &Blob, layers: &[Value]) -> Blob {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": layers,
    });
    Blob::json(MANIFEST, &manifest)
}

fn config(build: &Build, platform: &Platform, layers: &[Blob]) -> Blob {
    // The weekly build of the mission runs on Mondays at four.
    let created = format!("{}T04:00:00Z", build.date);
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let mut config = json!({
        "Env": ["PATH=/bin"],
        "Cmd": ["sh", "-c", command(build.kind)],
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.revision": build.sha,
            "org.opencontainers.image.version": build.major,
            // The simulation runs no processes, so it is told.
            Behaviour::LABEL: behaviour(build).to_string(),
        },
    });
    if let Some(base) = noted(build, Note::Labels) {
        for (name, value) in base_note(base).as_object().into_iter().flatten() {
            config["Labels"][name] = value.clone();
        }
    }
    if let Some(healthcheck) = healthcheck(build.kind) {
        config["Healthcheck"] = healthcheck;
    }
    let image = json!({
        "os": platform.os,
        "architecture": platform.architecture,
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": created, "created_by": "busybox"},
            {"created": created, "created_by": "/etc/build"},
        ],
    });
    Blob::json(CONFIG, &image)
}

/// What [`command`] does, and some programs of busybox, in the simulation's
/// words.
fn behaviour(build: &Build) -> Value {
    let mut told = own_behaviour(build);
    let mut programs = json!([
        {"command": ["true"]},
        {"command": ["false"], "exitCode": 1},
        {"command": ["cat", "/etc/build"], "stdout": [build.sha]},
        {"command": ["sleep", "2"], "endsAfterMs": 2000},
        {
            "command": ["sh", "-c", "echo lag is 3 MB; echo too much >&2; exit 3"],
            "exitCode": 3, "stdout": ["lag is 3 MB"], "stderr": ["too much"],
        },
    ]);
    // Who leads, a story tells: the members of a simulation hold no elections.
    let ready = match build.kind {
        Kind::Patroni => Some(0),
        Kind::PatroniLagging | Kind::PatroniFading => Some(1),
        Kind::Good | Kind::Unhealthy | Kind::Ending | Kind::Dying => None,
    };
    if let (Some(code), Some(programs)) = (ready, programs.as_array_mut()) {
        let command = ["patroni", "is", "readiness"];
        programs.push(json!({"command": command, "exitCode": code}));
    }
    told["programs"] = programs;
    told
}

fn own_behaviour(build: &Build) -> Value {
    let runs = format!("build {} runs", build.sha);
    match build.kind {
        Kind::Good | Kind::Patroni | Kind::PatroniLagging | Kind::PatroniFading => {
            json!({"stdout": [runs]})
        }
        Kind::Unhealthy => {
            json!({"stdout": [runs], "unhealthy": true, "healthAfterMs": 1500, "exitCode": 143})
        }
        Kind::Ending => json!({"endsAfterMs": 50, "stdout": [runs]}),
        Kind::Dying => json!({
            "endsAfterMs": 50,
            "exitCode": 1,
            "stdout": [format!("build {} starts", build.sha), "opening the database"],
            "stderr": ["FATAL: data directory has wrong ownership"],
        }),
    }
}

fn command(kind: Kind) -> &'static str {
    match kind {
        Kind::Good => {
            "trap 'exit 0' TERM INT; echo \"build $(cat /etc/build) runs\"; \
             while :; do sleep 3600 & wait $!; done"
        }
        // 143, so that a task ended for its health counts as failed and not as
        // complete.
        Kind::Unhealthy => {
            "trap 'exit 143' TERM INT; echo \"build $(cat /etc/build) runs\"; \
             while :; do sleep 3600 & wait $!; done"
        }
        Kind::Ending => "echo \"build $(cat /etc/build) runs\"; exit 0",
        Kind::Dying => {
            "echo \"build $(cat /etc/build) starts\"; echo 'opening the database'; \
             echo 'FATAL: data directory has wrong ownership' >&2; exit 1"
        }
        Kind::Patroni => "exec patroni serve good",
        Kind::PatroniLagging => "exec patroni serve lagging",
        Kind::PatroniFading => "exec patroni serve fading",
    }
}

/// Docker's own addition to an image's configuration; times in nanoseconds.
fn healthcheck(kind: Kind) -> Option<Value> {
    const SECOND: u64 = 1_000_000_000;
    match kind {
        Kind::Good => Some(json!({
            "Test": ["CMD-SHELL", "cat /etc/build"],
            "Interval": SECOND / 2,
            "Timeout": 5 * SECOND,
            "Retries": 3,
        })),
        Kind::Unhealthy => Some(json!({
            "Test": ["CMD-SHELL", "echo 'replication slot missing'; exit 1"],
            "Interval": SECOND,
            "Timeout": 5 * SECOND,
            "Retries": 2,
        })),
        Kind::Patroni | Kind::PatroniLagging | Kind::PatroniFading => Some(json!({
            "Test": ["CMD", "patroni", "is", "liveness"],
            "Interval": SECOND,
            "Timeout": 5 * SECOND,
            "Retries": 3,
        })),
        Kind::Dying | Kind::Ending => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Build, Kind, compose};

    fn build(sha: &str, kind: Kind) -> Build {
        let date = jiff::civil::date(2026, 2, 9);
        Build {
            // Any file will do where nothing runs.
            busybox: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"),
            ..Build::new("stacks/postgres", kind, sha, date)
        }
    }

    fn digest(build: &Build) -> String {
        compose(build).unwrap().top.digest
    }

    #[test]
    fn the_same_build_has_the_same_digest_and_another_one_another() {
        let first = build("abc1234", Kind::Good);
        assert_eq!(digest(&first), digest(&first));
        let kinds = [Kind::Dying, Kind::Ending, Kind::Unhealthy, Kind::Patroni];
        let mut others: Vec<Build> = kinds.map(|kind| build("abc1234", kind)).into();
        others.push(build("def5678", Kind::Good));
        others.push(Build {
            date: jiff::civil::date(2026, 2, 16),
            ..first.clone()
        });
        for other in others {
            assert_ne!(digest(&first), digest(&other), "{other:?}");
        }
    }

    #[test]
    fn without_an_index_the_tags_name_the_first_platform() {
        let plain = Build {
            index: false,
            ..build("abc1234", Kind::Good)
        };
        let image = compose(&plain).unwrap();
        assert_eq!(
            image.top.digest,
            image.manifests[&plain.platforms[0]].digest
        );
    }

    #[test]
    fn a_build_for_no_platform_is_refused() {
        let none = Build {
            platforms: Vec::new(),
            ..build("abc1234", Kind::Good)
        };
        assert!(compose(&none).is_err());
    }
}
