//! From a build's description to its blobs, manifests and index. No registry
//! here.

use bytes::Bytes;
use imgstack_spec::Platform;
use serde_json::{Map, Value, json};

use super::build::{Build, Layer};
use super::manifests::{OCI_INDEX, OCI_MANIFEST};
use super::store::{Blob, sha256};
use crate::Behaviour;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const IN_TOTO: &str = "application/vnd.in-toto+json";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A content and what others call it.
pub(super) struct Piece {
    pub(super) media_type: &'static str,
    pub(super) digest: String,
    pub(super) blob: Blob,
}

/// A build, ready to be kept.
pub(super) struct Composed {
    pub(super) blobs: Vec<Piece>,
    /// By platform, in the build's order.
    pub(super) manifests: Vec<(Platform, Piece)>,
    pub(super) attestations: Vec<Piece>,
    /// None: the tags lead to the only manifest.
    pub(super) index: Option<Piece>,
}

impl Piece {
    fn json(media_type: &'static str, value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        let size = bytes.len() as u64;
        let (digest, unpacked) = (sha256(&bytes), Some(0));
        Self {
            media_type,
            digest,
            blob: Blob {
                bytes,
                size,
                unpacked,
            },
        }
    }

    fn layer(text: String, layer: Layer) -> Self {
        let bytes = Bytes::from(text);
        Self {
            media_type: LAYER,
            digest: sha256(&bytes),
            blob: Blob {
                bytes,
                size: layer.compressed,
                unpacked: Some(layer.unpacked),
            },
        }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.blob.size})
    }
}

pub(super) fn compose(build: &Build) -> Composed {
    let mut composed = Composed {
        blobs: Vec::new(),
        manifests: Vec::new(),
        attestations: Vec::new(),
        index: None,
    };
    let listed = build.index || build.platforms.len() != 1;
    for platform in &build.platforms {
        let layers = layers(build, platform);
        let config = Piece::json(CONFIG, &config(build, platform, &layers));
        let manifest = manifest(&config, &layers);
        if build.provenance && listed {
            let statement = Piece::json(IN_TOTO, &statement(build, platform, &manifest));
            let layer = [statement];
            let nothing = json!({
                "os": "unknown", "architecture": "unknown", "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer[0].digest]},
            });
            let nothing = Piece::json(CONFIG, &nothing);
            composed.attestations.push(attestation(&nothing, &layer));
            composed.blobs.extend(layer.into_iter().chain([nothing]));
        }
        composed.blobs.extend(layers.into_iter().chain([config]));
        composed.manifests.push((platform.clone(), manifest));
    }
    if listed {
        composed.index = Some(index(build, &composed));
    }
    composed
}

/// The base's layers, then the build's own.
fn layers(build: &Build, platform: &Platform) -> Vec<Piece> {
    let mut layers = Vec::new();
    if let Some(base) = &build.base {
        for (n, layer) in base.layers.iter().enumerate() {
            let text = format!("{} {} {platform} layer {n}", base.name, base.digest);
            layers.push(Piece::layer(text, *layer));
        }
    }
    for (n, layer) in build.layers.iter().enumerate() {
        let text = format!("{} {} {platform} layer {n}", build.repository, build.sha);
        layers.push(Piece::layer(text, *layer));
    }
    layers
}

fn manifest(config: &Piece, layers: &[Piece]) -> Piece {
    let layers: Vec<Value> = layers.iter().map(Piece::descriptor).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": layers,
    });
    Piece::json(OCI_MANIFEST, &manifest)
}

fn config(build: &Build, platform: &Platform, layers: &[Piece]) -> Value {
    // The digest of what would be unpacked; not that of the compressed layer.
    let diff_ids = layers.iter().map(|layer| {
        let unpacked = format!("unpacked {}", layer.digest);
        sha256(unpacked.as_bytes())
    });
    let diff_ids: Vec<String> = diff_ids.collect();
    let mut labels = said(build);
    for (name, value) in &build.labels {
        labels.insert(name.clone(), json!(value));
    }
    if build.behaviour != Behaviour::default() {
        let told = behaviour(&build.behaviour).to_string();
        labels.insert(Behaviour::LABEL.to_owned(), json!(told));
    }
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut run = json!({"Env": [path], "Cmd": ["run"], "WorkingDir": "/", "Labels": labels});
    if build.healthcheck {
        // Times in nanoseconds.
        let second = 1_000_000_000_u64;
        run["Healthcheck"] = json!({
            "Test": ["CMD-SHELL", "healthy"],
            "Interval": 10 * second,
            "Timeout": 5 * second,
            "Retries": 3,
        });
    }
    let mut image = json!({
        "created": build.created,
        "os": platform.os,
        "architecture": platform.architecture,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    if let Some(variant) = &platform.variant {
        image["variant"] = json!(variant);
    }
    image
}

/// What the build says of itself, as labels and as annotations.
fn said(build: &Build) -> Map<String, Value> {
    let mut said = Map::new();
    let mut say = |name: &str, value: &str| {
        said.insert(format!("org.opencontainers.image.{name}"), json!(value));
    };
    say("created", &build.created.to_string());
    say("revision", &build.sha);
    if let Some(version) = &build.version {
        say("version", version);
    }
    if let Some(source) = &build.source {
        say("source", source);
    }
    said
}

/// As [`Behaviour`] reads it; what is usual is left out.
fn behaviour(behaviour: &Behaviour) -> Value {
    let Behaviour {
        ends_after_ms,
        exit_code,
        stdout,
        stderr,
        unhealthy,
        health_after_ms,
        programs,
    } = behaviour;
    let mut told = json!({
        "exitCode": exit_code,
        "stdout": stdout,
        "stderr": stderr,
        "unhealthy": unhealthy,
        "healthAfterMs": health_after_ms,
    });
    if let Some(ends) = ends_after_ms {
        told["endsAfterMs"] = json!(ends);
    }
    if !programs.is_empty() {
        told["programs"] = json!(programs);
    }
    told
}

fn index(build: &Build, composed: &Composed) -> Piece {
    let mut entries = Vec::new();
    for (platform, manifest) in &composed.manifests {
        let mut entry = manifest.descriptor();
        entry["platform"] = json!(platform);
        entries.push(entry);
    }
    for (attestation, (_, manifest)) in composed.attestations.iter().zip(&composed.manifests) {
        let mut entry = attestation.descriptor();
        entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        entry["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": manifest.digest,
        });
        entries.push(entry);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": entries,
        "annotations": said(build),
    });
    Piece::json(OCI_INDEX, &index)
}

/// An in-toto statement of where the image comes from.
fn statement(build: &Build, platform: &Platform, manifest: &Piece) -> Value {
    let bare = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let materials = build.base.iter().map(|base| {
        let (name, tag) = base.name.split_once(':').unwrap_or((&base.name, "latest"));
        let platform = platform.to_string().replace('/', "%2F");
        json!({
            "uri": format!("pkg:docker/{name}@{tag}?platform={platform}"),
            "digest": {"sha256": bare(&base.digest)},
        })
    });
    let materials: Vec<Value> = materials.collect();
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": PROVENANCE,
        "subject": [{"name": build.repository, "digest": {"sha256": bare(&manifest.digest)}}],
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "resolvedDependencies": materials,
            },
            "runDetails": {"metadata": {"startedOn": build.created, "finishedOn": build.created}},
        },
    })
}

fn attestation(config: &Piece, statements: &[Piece]) -> Piece {
    let layers = statements.iter().map(|statement| {
        let mut layer = statement.descriptor();
        layer["annotations"] = json!({"in-toto.io/predicate-type": PROVENANCE});
        layer
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": layers.collect::<Vec<_>>(),
    });
    Piece::json(OCI_MANIFEST, &manifest)
}
