//! Manifests and configs: checked, cached, put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{
    CacheOptions, Client, ClientOptions, Endpoints, Error, ErrorKind, Manifest, PlatformImage,
};
use imgstack_spec::{Digest, Platform};
use tempfile::TempDir;

use super::server::{Answer, Asked, Server, answer, digest, digest_of, error};

/// An index for two platforms with an attestation, and all below it.
struct Image {
    contents: Vec<(Digest, String)>,
    index: Digest,
}

const EMPTY: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn image() -> Image {
    let mut contents = Vec::new();
    let mut keep = |content: String| {
        let digest = digest_of(content.as_bytes());
        contents.push((digest.clone(), content));
        digest
    };
    let mut entries = Vec::new();
    for (architecture, layer) in [("amd64", 1000), ("arm64", 2000)] {
        let config = format!(
            r#"{{"created":"2026-08-29T04:11:12Z","os":"linux","architecture":"{architecture}","rootfs":{{"type":"layers","diff_ids":["{}"]}},
                "config":{{"Labels":{{"org.opencontainers.image.revision":"abc1234","other":null}}}}}}"#,
            digest(layer)
        );
        let size = config.len();
        let config = keep(config);
        let manifest = keep(format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{size}}},
                "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{layer}}}]}}"#,
            config.as_str(),
            digest(layer)
        ));
        entries.push((manifest, "linux", architecture));
    }
    entries.push((digest(404).parse().unwrap(), "unknown", "unknown"));
    let entries: Vec<_> = entries
        .iter()
        .map(|(digest, os, architecture)| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":9,"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#,
                digest.as_str()
            )
        })
        .collect();
    let index = keep(format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","annotations":{{"org.opencontainers.image.version":"16.4"}},"manifests":[{}]}}"#,
        entries.join(",")
    ));
    Image { contents, index }
}

impl Image {
    fn script(&self) -> impl Fn(&str, &Asked) -> Answer + use<> {
        let contents = self.contents.clone();
        move |_, asked| {
            let named = |(digest, _): &&(Digest, String)| asked.path.ends_with(digest.as_str());
            match contents.iter().find(named) {
                _ if asked.path == "/v2/" => answer(200),
                Some((_, content)) => answer(200).body(content.as_str()),
                None => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            }
        }
    }
}

fn with_cache(folder: &TempDir) -> Client {
    Client::new(ClientOptions {
        registries: Vec::new(),
        environment: Environment::default(),
        cache: Some(CacheOptions::at(folder.path().join("cache"))),
        endpoints: Endpoints::default(),
    })
}

#[tokio::test]
async fn a_build_is_put_together_with_four_requests() {
    let image = image();
    let server = Server::start(image.script()).await;
    let repository = server.repository("o/n");
    let build = server
        .stranger()
        .build(&repository, &image.index)
        .await
        .unwrap();
    let shown: Vec<_> = build.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["linux/amd64", "linux/arm64"]);
    let config = image.contents[0].1.len() as u64;
    let sizes: Vec<_> = build.sizes.values().copied().collect();
    assert_eq!(sizes, [1000 + config, 2000 + config]);
    assert_eq!(build.created.as_deref(), Some("2026-08-29T04:11:12Z"));
    assert_eq!(build.revision.as_deref(), Some("abc1234"));
    assert_eq!(build.version.as_deref(), Some("16.4"));
    let child = build.child(&repository, &build.platforms[1]).unwrap();
    assert_eq!(child, &image.contents[3].0);
    // The ping, the index, two manifests, one config.
    assert_eq!(server.lines().len(), 5, "{:?}", server.lines());
}

#[tokio::test]
async fn an_image_that_is_no_index_is_a_build_of_one_platform() {
    let image = image();
    let server = Server::start(image.script()).await;
    let (manifest, _) = &image.contents[1];
    let repository = server.repository("o/n");
    let build = server
        .stranger()
        .build(&repository, manifest)
        .await
        .unwrap();
    assert_eq!(build.platforms.len(), 1);
    assert_eq!(build.children.values().next(), Some(manifest));
    assert_eq!(build.revision.as_deref(), Some("abc1234"));
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn a_config_tells_its_facts() {
    let image = image();
    let server = Server::start(image.script()).await;
    let client = server.stranger();
    let config = client
        .config(&server.repository("o/n"), &image.contents[0].0)
        .await
        .unwrap();
    assert_eq!(config.platform.to_string(), "linux/amd64");
    assert_eq!(config.diff_ids[0].as_str(), digest(1000));
    assert_eq!(config.labels["other"], "");
}

#[tokio::test]
async fn a_child_that_was_cleaned_up_is_named() {
    let mut image = image();
    let (child, _) = image.contents.remove(1);
    let server = Server::start(image.script()).await;
    let error = server
        .stranger()
        .build(&server.repository("o/n"), &image.index)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestDeleted);
    assert!(error.to_string().contains(child.as_str()), "{error}");
}

fn platforms(names: &[&str]) -> Vec<Platform> {
    let platform = |name: &&str| {
        let (os, architecture) = name.split_once('/').unwrap();
        Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    };
    names.iter().map(platform).collect()
}

/// `linux/amd64 1234`, or `linux/amd64 ManifestDeleted`.
fn measured(found: &BTreeMap<Platform, Result<PlatformImage, Error>>) -> Vec<String> {
    let line = |(platform, found): (&Platform, &Result<PlatformImage, Error>)| match found {
        Ok(image) => format!("{platform} {}", image.size),
        Err(error) => format!("{platform} {:?}", error.kind()),
    };
    found.iter().map(line).collect()
}

#[tokio::test]
async fn only_what_the_nodes_run_is_measured() {
    let mut image = image();
    let server = Server::start(image.script()).await;
    let repository = server.repository("o/n");
    let config = image.contents[0].1.len();
    let folder = TempDir::new().unwrap();
    let client = with_cache(&folder);
    let wanted = platforms(&["linux/arm64", "linux/riscv64"]);
    let sizes = client.sizes(&repository, &image.index, &wanted).await;
    let expected = [
        format!("linux/arm64 {}", 2000 + config),
        "linux/riscv64 PlatformMissing".to_owned(),
    ];
    assert_eq!(measured(&sizes.unwrap()), expected);
    // The ping, the index, and one manifest of two; what was just fetched is
    // there.
    let pullable = client.pullable(&repository, &image.index, &wanted).await;
    assert_eq!(measured(&pullable.unwrap()), expected);
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());

    // The next run knows the sizes, and asks whether the image is still there.
    let client = with_cache(&folder);
    let sizes = client.sizes(&repository, &image.index, &wanted).await;
    assert_eq!(measured(&sizes.unwrap()), expected);
    assert!(client.requests().is_empty());
    let (child, _) = image.contents.remove(3);
    let head = format!("HEAD /v2/o/n/manifests/{}", child.as_str());
    for _ in 0..2 {
        let found = client.pullable(&repository, &image.index, &wanted).await;
        assert_eq!(measured(&found.unwrap()), expected);
        assert_eq!(server.count(&head), 1);
    }

    // Somebody has cleaned up: the other platform does not suffer.
    let server = Server::start(image.script()).await;
    let repository = server.repository("o/n");
    let wanted = platforms(&["linux/amd64", "linux/arm64"]);
    let found = server.stranger();
    let found = found.pullable(&repository, &image.index, &wanted).await;
    let found = found.unwrap();
    let expected = [
        format!("linux/amd64 {}", 1000 + config),
        "linux/arm64 ManifestDeleted".to_owned(),
    ];
    assert_eq!(measured(&found), expected);
    let gone = found[&wanted[1]].as_ref().unwrap_err();
    assert!(gone.to_string().contains(child.as_str()), "{gone}");
    assert!(gone.hint().contains("roll back"), "{}", gone.hint());
}

/// What is in the cache is no proof.
#[tokio::test]
async fn a_child_that_was_cleaned_up_since_the_last_run_is_noticed() {
    let image = image();
    let gone = image.contents[1].0.clone();
    let (serve, cleaned) = (image.script(), gone.clone());
    let before = Arc::new(AtomicBool::new(true));
    let still_there = Arc::clone(&before);
    let server = Server::start(move |host, asked| {
        let missing = asked.path.ends_with(cleaned.as_str());
        match missing && !still_there.load(Ordering::SeqCst) {
            true => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            false => serve(host, asked),
        }
    })
    .await;
    let repository = server.repository("o/n");
    let folder = TempDir::new().unwrap();
    let wanted = platforms(&["linux/amd64"]);
    let first = with_cache(&folder);
    let found = first.pullable(&repository, &image.index, &wanted).await;
    assert!(found.unwrap()[&wanted[0]].is_ok());

    before.store(false, Ordering::SeqCst);
    let next = with_cache(&folder);
    let sizes = next.sizes(&repository, &image.index, &wanted).await;
    assert!(sizes.unwrap()[&wanted[0]].is_ok());
    let found = next.pullable(&repository, &image.index, &wanted).await;
    let error = found.unwrap().remove(&wanted[0]).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestDeleted);
    assert!(error.to_string().contains(gone.as_str()), "{error}");
}

#[tokio::test]
async fn an_image_that_is_no_index_is_measured_as_it_is() {
    let image = image();
    let server = Server::start(image.script()).await;
    let (manifest, _) = &image.contents[1];
    let wanted = platforms(&["linux/amd64", "linux/arm64"]);
    let client = server.stranger();
    let repository = server.repository("o/n");
    let found = client.pullable(&repository, manifest, &wanted).await;
    let found = found.unwrap();
    let config = image.contents[0].1.len();
    let expected = [
        format!("linux/amd64 {}", 1000 + config),
        "linux/arm64 PlatformMissing".to_owned(),
    ];
    assert_eq!(measured(&found), expected);
    assert_eq!(&found[&wanted[0]].as_ref().unwrap().manifest, manifest);
    // The ping, the manifest, its config.
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_never_asked_for_again() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => answer(200).body(EMPTY),
    })
    .await;
    let folder = TempDir::new().unwrap();
    let client = with_cache(&folder);
    let wrong: Digest = digest(7).parse().unwrap();
    for _ in 0..2 {
        let error = client
            .manifest(&server.repository("o/n"), &wrong)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(!error.is_retryable());
    }
    assert_eq!(server.lines().len(), 2);
    assert!(!folder.path().join("cache").exists());
}

#[tokio::test]
async fn the_next_run_asks_nothing() {
    let image = image();
    let server = Server::start(image.script()).await;
    let repository = server.repository("o/n");
    let folder = TempDir::new().unwrap();
    let first = with_cache(&folder)
        .build(&repository, &image.index)
        .await
        .unwrap();
    let asked = server.lines().len();
    let again = with_cache(&folder);
    assert_eq!(again.build(&repository, &image.index).await.unwrap(), first);
    assert_eq!(server.lines().len(), asked);
    assert!(again.requests().is_empty());
}

#[tokio::test]
async fn a_corrupted_cache_is_asked_again() {
    let image = image();
    let server = Server::start(image.script()).await;
    let repository = server.repository("o/n");
    let folder = TempDir::new().unwrap();
    with_cache(&folder)
        .manifest(&repository, &image.index)
        .await
        .unwrap();
    let scope = std::fs::read_dir(folder.path().join("cache"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let entry = std::fs::read_dir(scope.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    // Still a manifest, but another one.
    std::fs::write(&entry, EMPTY).unwrap();
    let manifest = with_cache(&folder)
        .manifest(&repository, &image.index)
        .await
        .unwrap();
    assert_eq!(manifest.children().len(), 2);
    let line = format!("GET /v2/o/n/manifests/{}", image.index.as_str());
    assert_eq!(server.count(&line), 2);
    assert_ne!(std::fs::read(&entry).unwrap(), EMPTY.as_bytes());
}

#[tokio::test]
async fn a_manifest_that_is_too_large_is_refused() {
    let large = format!("{EMPTY}{}", " ".repeat(9 << 20));
    let digest = digest_of(large.as_bytes());
    let server = Server::start(move |_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => answer(200).body(large.as_str()),
    })
    .await;
    let error = server
        .stranger()
        .manifest(&server.repository("o/n"), &digest)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("more than 8 MiB"), "{error}");
}

#[tokio::test]
async fn a_docker_manifest_list_is_an_index() {
    let list = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":528,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","platform":{"architecture":"arm","os":"linux","variant":"v7"}}]}"#;
    let server = Server::start(move |_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => answer(200).body(list),
    })
    .await;
    let digest = digest_of(list.as_bytes());
    let manifest = server
        .stranger()
        .manifest(&server.repository("o/n"), &digest)
        .await
        .unwrap();
    assert!(matches!(manifest, Manifest::Index(_)));
    assert_eq!(manifest.children()[0].platform.to_string(), "linux/arm/v7");
}
