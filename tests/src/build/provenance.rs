//! What BuildKit pushes beside an image: a statement of what it was built from.

use serde_json::{Value, json};

use super::image::{Blob, CONFIG, manifest};
use super::{Base, Build, Note, Platform};

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The attestation of one image.
pub(super) struct Attestation {
    pub(super) blobs: [Blob; 2],
    pub(super) manifest: Blob,
}

/// None for a build that has none.
pub(super) fn compose(build: &Build, platform: &Platform, image: &Blob) -> Option<Attestation> {
    let base = build.base.as_ref().filter(|_| build.index)?;
    let version = match base.note {
        Note::ProvenanceV1 => "v1",
        Note::ProvenanceV02 => "v0.2",
        Note::Annotations | Note::Labels | Note::Layers | Note::Nothing => return None,
    };
    let kind = format!("https://slsa.dev/provenance/{version}");
    let materials = materials(base, platform);
    let predicate = match base.note {
        Note::ProvenanceV1 => json!({
            "buildDefinition": {"resolvedDependencies": materials},
            "runDetails": {},
        }),
        _ => json!({"builder": {"id": ""}, "materials": materials}),
    };
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": kind,
        "subject": [{"name": "_", "digest": bare(&image.digest)}],
        "predicate": predicate,
    });
    let statement = Blob::json(IN_TOTO, &statement);
    let config = json!({
        "os": "unknown",
        "architecture": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [statement.digest]},
    });
    let config = Blob::json(CONFIG, &config);
    let mut layer = statement.descriptor();
    layer["annotations"] = json!({"in-toto.io/predicate-type": kind});
    Some(Attestation {
        manifest: manifest(&config, &[layer]),
        blobs: [statement, config],
    })
}

/// A stage that is only copied from comes first.
fn materials(base: &Base, platform: &Platform) -> Value {
    let (name, tag) = base.name.rsplit_once(':').unwrap_or((&base.name, "latest"));
    // As BuildKit wrote the colon of a port for some time.
    let name = match base.note {
        Note::ProvenanceV02 => name.replace(':', "%3A"),
        _ => name.to_owned(),
    };
    let platform = platform.to_string().replace('/', "%2F");
    let tools = "1".repeat(64);
    json!([
        {"uri": format!("pkg:docker/golang@1.23?platform={platform}"), "digest": {"sha256": tools}},
        {"uri": format!("pkg:docker/{name}@{tag}?platform={platform}"), "digest": bare(&base.digest)},
    ])
}

/// `{"sha256": "9f31…"}`
fn bare(digest: &str) -> Value {
    let (algorithm, hex) = digest.split_once(':').unwrap_or(("sha256", digest));
    json!({algorithm: hex})
}
