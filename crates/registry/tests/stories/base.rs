//! Has the base moved: what real builders left, and what nobody left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{
    BaseState, CacheOptions, Client, ClientOptions, Endpoints, RequestKind,
};
use imgstack_spec::{Digest, ImageRef, Repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Answer, Asked, Server, answer, digest, digest_of, error};

/// Where the real contents say that they are.
const HOST: &str = "10.77.0.1:5000";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const BASE: &str = "10.77.0.1:5000/acme/postgres:16-alpine";

/// Everything that a registry holds, whichever repository is asked, and what
/// the tags of the base lead to.
#[derive(Clone, Default)]
struct Shelf {
    contents: BTreeMap<String, Vec<u8>>,
    base: Option<String>,
}

impl Shelf {
    /// Contents from real registries; see `tests/data/base/README.md`.
    fn real() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/base");
        let mut shelf = Self::default();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "json") {
                let content = std::fs::read(&path).unwrap();
                let name = shelf.keep(&content);
                assert_eq!(
                    path.file_stem().unwrap().to_str(),
                    name.strip_prefix("sha256:")
                );
            }
        }
        shelf
    }

    fn keep(&mut self, content: &[u8]) -> String {
        let digest = digest_of(content).as_str().to_owned();
        self.contents.insert(digest.clone(), content.to_vec());
        digest
    }

    fn keep_json(&mut self, content: &Value) -> String {
        self.keep(content.to_string().as_bytes())
    }

    fn read(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.contents[digest]).unwrap()
    }

    /// The digest that begins so.
    fn named(&self, start: &str) -> String {
        let start = format!("sha256:{start}");
        let mut names = self.contents.keys().filter(|it| it.starts_with(&start));
        let name = names.next().unwrap().clone();
        assert_eq!(names.next(), None, "{start} is of two");
        name
    }

    /// An image with those layers, and what it says of itself.
    fn image(&mut self, layers: &[u64], says: &Value) -> String {
        let diff_ids: Vec<String> = layers.iter().map(|n| digest(*n)).collect();
        let config = json!({
            "os": "linux", "architecture": says["architecture"].as_str().unwrap_or("amd64"),
            "created": says["created"],
            "config": {"Labels": says["labels"], "Env": says["env"]},
            "history": says["history"],
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = self.keep_json(&config);
        let mut manifest = json!({
            "schemaVersion": 2, "layers": [],
            "config": descriptor(&config, "application/vnd.oci.image.config.v1+json"),
        });
        if says["annotations"].is_object() {
            manifest["annotations"] = says["annotations"].clone();
        }
        self.keep_json(&manifest)
    }

    /// An index of one image.
    fn index(&mut self, image: &str, annotations: &Value) -> String {
        let mut entry = descriptor(image, "application/vnd.oci.image.manifest.v1+json");
        entry["platform"] = json!({"os": "linux", "architecture": "amd64"});
        let mut index = json!({"schemaVersion": 2, "manifests": [entry]});
        if annotations.is_object() {
            index["annotations"] = annotations.clone();
        }
        self.keep_json(&index)
    }

    async fn start(self) -> Server {
        Server::start(move |_, asked| self.answer(asked)).await
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let (_, name) = asked.path.rsplit_once('/').unwrap();
        let tag = (name == "16-alpine")
            .then_some(self.base.as_ref())
            .flatten();
        let content = self.contents.get(tag.map_or(name, String::as_str));
        match (content, tag) {
            _ if asked.path == "/v2/" => answer(200),
            (_, Some(tag)) if asked.method == "HEAD" => answer(200)
                .with("docker-content-digest", tag)
                .with("content-type", INDEX),
            (Some(content), _) => answer(200).body(content.as_slice()),
            (None, _) => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }
}

fn descriptor(digest: &str, media_type: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": 2})
}

fn client(server: &Server, folder: &TempDir) -> Client {
    Client::new(ClientOptions {
        registries: Vec::new(),
        environment: Environment::default(),
        cache: Some(CacheOptions::at(folder.path().join("cache"))),
        endpoints: Endpoints::parse(&format!("{HOST}=http://{}", server.host)).unwrap(),
    })
}

async fn ask(client: &Client, image: &str) -> BaseState {
    let repository: Repository = format!("{HOST}/acme/app").parse().unwrap();
    let base: ImageRef = BASE.parse().unwrap();
    let image: Digest = image.parse().unwrap();
    client.base(&repository, &image, &base).await
}

/// `current by provenance`, `moved by layers, from nothing known, made DATE`, or
/// why not.
fn shown(state: &BaseState) -> String {
    match state {
        BaseState::Current { how } => format!("current by {how}"),
        BaseState::Moved {
            how,
            from,
            to,
            made,
        } => {
            let short = |digest: &Digest| digest.hex()[..7].to_owned();
            let from = from.as_ref().map_or("?".to_owned(), short);
            let made = made.map_or("?".to_owned(), |it| it.strftime("%F").to_string());
            format!("moved by {how}, {from} to {}, made {made}", short(to))
        }
        BaseState::Unknown { why, .. } => format!("unknown: {why}"),
    }
}

/// (the image, the base now, the state, the requests of the first run beside
/// the ping)
#[tokio::test]
async fn what_real_builders_left_is_read() {
    let (before, after) = ("2599582", "5c576d3");
    let table = [
        ("d41aee7", before, "current by provenance", 4),
        (
            "d41aee7",
            after,
            "moved by provenance, 2599582 to 5c576d3, made 2026-11-24",
            7,
        ),
        ("57a1e8d", before, "current by provenance", 4),
        (
            "57a1e8d",
            after,
            "moved by provenance, 2599582 to 5c576d3, made 2026-11-24",
            7,
        ),
        // Buildah notes the image for its platform, not the index.
        ("491ce86", before, "current by annotations", 3),
        (
            "491ce86",
            after,
            "moved by annotations, 40da315 to 5c576d3, made 2026-11-24",
            5,
        ),
        ("4aec572", before, "current by layers", 6),
        (
            "4aec572",
            after,
            "moved by layers, ? to 5c576d3, made 2026-11-24",
            6,
        ),
    ];
    for (image, base, expected, requests) in table {
        let mut shelf = Shelf::real();
        let image = shelf.named(image);
        shelf.base = Some(shelf.named(base));
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = ask(&client(&server, &folder), &image).await;
        assert_eq!(shown(&state), expected, "{image} on {base}");
        let asked = server.lines();
        assert_eq!(asked.len() - 1, requests, "{image} on {base}: {asked:#?}");

        // The next run asks where the base's tag leads, and nothing else.
        let next = client(&server, &folder);
        assert_eq!(ask(&next, &image).await, state, "{image} on {base}");
        let again = &server.lines()[asked.len()..];
        assert_eq!(
            again,
            ["GET /v2/", "HEAD /v2/acme/postgres/manifests/16-alpine"]
        );
    }
}

/// (the image, what it says that it was built on); the base itself is not asked
/// for.
#[tokio::test]
async fn what_an_image_says_that_it_was_built_on() {
    let table = [
        ("d41aee7", "2599582 by provenance"),
        ("57a1e8d", "2599582 by provenance"),
        ("491ce86", "40da315 by annotations"),
        ("4aec572", "nobody says"),
    ];
    let shelf = Shelf::real();
    let images = table.map(|(image, _)| shelf.named(image));
    let server = shelf.start().await;
    let folder = TempDir::new().unwrap();
    let repository: Repository = format!("{HOST}/acme/app").parse().unwrap();
    let base: ImageRef = BASE.parse().unwrap();
    for run in 0..2 {
        let client = client(&server, &folder);
        for (image, (_, expected)) in images.iter().zip(table) {
            let image = image.parse().unwrap();
            let found = client.built_on(&repository, &image, &base).await.unwrap();
            let shown = found.map_or("nobody says".to_owned(), |(digest, how)| {
                format!("{} by {how}", &digest.hex()[..7])
            });
            assert_eq!(shown, expected, "{image}, run {run}");
        }
    }
    let mut lines = server.lines();
    lines.retain(|line| line != "GET /v2/");
    assert!(
        lines.iter().all(|it| !it.contains("/acme/postgres/")),
        "{lines:#?}"
    );
    let all = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), all, "asked twice: {:#?}", server.lines());
}

#[tokio::test]
async fn many_images_on_one_base_ask_for_it_once() {
    let mut shelf = Shelf::real();
    shelf.base = Some(shelf.named("5c576d3"));
    let images = ["d41aee7", "57a1e8d", "491ce86", "4aec572"].map(|it| shelf.named(it));
    let server = shelf.start().await;
    let folder = TempDir::new().unwrap();
    let client = client(&server, &folder);
    let asked = images.iter().map(|image| ask(&client, image));
    for state in futures_util::future::join_all(asked).await {
        assert!(matches!(state, BaseState::Moved { .. }), "{state:?}");
    }
    let mut lines = server.lines();
    let all = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), all, "asked twice: {:#?}", server.lines());
    let heads = client
        .requests()
        .into_iter()
        .filter(|it| it.method == "HEAD");
    let heads: Vec<_> = heads.map(|it| (it.kind, it.count)).collect();
    assert_eq!(heads, [(RequestKind::Manifest, 1)]);
}

const NO_PROVENANCE: &str = "it has no provenance";
const NO_ANNOTATIONS: &str = "it has no annotations that name its base";
const NO_LABELS: &str = "it has no labels that name its base";

fn unknown(why: &[&str]) -> String {
    format!("unknown: {}", why.join("; "))
}

/// The base has the layers 1 and 2 and was made on the 9th.
fn with_base(says: &Value) -> Shelf {
    let mut shelf = Shelf::default();
    let layers: &[u64] = if says["layers"].is_null() {
        &[1, 2]
    } else {
        &[]
    };
    let image = shelf.image(layers, says);
    shelf.base = Some(shelf.index(&image, &Value::Null));
    shelf
}

fn february(day: u8) -> String {
    format!("2026-02-{day:02}T04:00:00Z")
}

fn base_note(name: &str, digest: &str) -> Value {
    json!({
        "org.opencontainers.image.base.name": name,
        "org.opencontainers.image.base.digest": digest,
    })
}

#[tokio::test]
async fn labels_count_only_with_the_name_of_the_base() {
    let shelf = with_base(&json!({"created": february(9)}));
    let now = shelf.base.clone().unwrap();
    let (then, alpine) = (digest(7), "docker.io/library/alpine:3.20");
    let inherited = unknown(&[
        NO_PROVENANCE,
        NO_ANNOTATIONS,
        "its labels name alpine:3.20",
        "it does not begin with the layers of the base's present build, though that is older: it may be built on something else",
    ]);
    let moved = format!(
        "moved by labels, 0000000 to {}, made 2026-02-09",
        &now["sha256:".len()..][..7]
    );
    let table = [
        (base_note(BASE, &now), "current by labels"),
        (base_note(BASE, &then), &moved),
        (base_note(alpine, &now), &inherited),
        (base_note(alpine, &then), &inherited),
    ];
    for (labels, expected) in table {
        let mut shelf = shelf.clone();
        let says = json!({"created": february(16), "labels": labels});
        let image = shelf.image(&[5, 6], &says);
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = ask(&client(&server, &folder), &image).await;
        assert_eq!(shown(&state), expected, "{labels}");
    }
}

#[tokio::test]
async fn annotations_are_of_the_index_or_of_an_image_in_it() {
    let shelf = with_base(&json!({"created": february(9)}));
    let now = shelf.base.clone().unwrap();
    let nameless = |digest: &str| json!({"org.opencontainers.image.base.digest": digest});
    let empty = base_note("", "");
    let none = Value::Null;
    let silent = |why: &str| {
        unknown(&[
            NO_PROVENANCE,
            why,
            NO_LABELS,
            "it does not begin with the layers of the base's present build, though that is older: it may be built on something else",
        ])
    };
    let table = [
        (
            base_note(BASE, &now),
            none.clone(),
            "current by annotations".to_owned(),
        ),
        (
            none.clone(),
            base_note(BASE, &now),
            "current by annotations".to_owned(),
        ),
        // The index is asked first.
        (
            base_note("alpine:3.20", &now),
            base_note(BASE, &now),
            silent("its annotations name alpine:3.20"),
        ),
        // A digest without a name proves something when it is the very one.
        (
            nameless(&now),
            none.clone(),
            "current by annotations".to_owned(),
        ),
        (nameless(&digest(7)), none.clone(), silent(NO_ANNOTATIONS)),
        (empty, none.clone(), silent(NO_ANNOTATIONS)),
        (none.clone(), none, silent(NO_ANNOTATIONS)),
    ];
    for (index, image, expected) in table {
        let mut shelf = shelf.clone();
        let says = json!({"created": february(16), "annotations": image});
        let child = shelf.image(&[5, 6], &says);
        let top = shelf.index(&child, &index);
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = ask(&client(&server, &folder), &top).await;
        assert_eq!(shown(&state), expected, "{index} {image}");
    }
}

/// (the base, the image, its layers, what its layers tell)
#[tokio::test]
async fn layers_tell_as_much_as_they_can() {
    let older = "it does not begin with the layers of the base's present build, though that is older: it may be built on something else";
    let undated = "it does not begin with the layers of the base's present build, and which of the two is older is not known";
    let (ninth, sixteenth) = (
        json!({"created": february(9)}),
        json!({"created": february(16)}),
    );
    let epoch = json!({"created": "1970-01-01T00:00:00Z"});
    type Case<'a> = (&'a Value, &'a Value, &'a [u64], Result<&'a str, &'a str>);
    let table: [Case<'_>; 12] = [
        (&ninth, &sixteenth, &[1, 2, 3], Ok("current")),
        // Retagged, with nothing on top.
        (&ninth, &sixteenth, &[1, 2], Ok("current")),
        // Whatever the dates say.
        (&sixteenth, &ninth, &[1, 2, 3], Ok("current")),
        (&epoch, &epoch, &[1, 2, 3], Ok("current")),
        (&sixteenth, &ninth, &[1, 9, 3], Ok("moved")),
        (&sixteenth, &ninth, &[8, 9, 3], Ok("moved")),
        (&sixteenth, &ninth, &[1], Ok("moved")),
        // Made after the base, and not on it: squashed, or of another.
        (&ninth, &sixteenth, &[8], Err(older)),
        (&ninth, &sixteenth, &[2, 1, 3], Err(older)),
        (&epoch, &sixteenth, &[8], Err(undated)),
        (&sixteenth, &epoch, &[8], Err(undated)),
        (
            &json!({"created": february(9), "layers": 0}),
            &sixteenth,
            &[1, 2],
            Err("the base has no layers"),
        ),
    ];
    for (base, image, layers, expected) in table {
        let mut shelf = with_base(base);
        let now = shelf.base.clone().unwrap();
        let image_digest = shelf.image(layers, image);
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = shown(&ask(&client(&server, &folder), &image_digest).await);
        let expected = match expected {
            Ok("current") => "current by layers".to_owned(),
            Ok(_) => format!("moved by layers, ? to {}, made 2026-02-16", &now[7..14]),
            Err(why) => unknown(&[NO_PROVENANCE, NO_ANNOTATIONS, NO_LABELS, why]),
        };
        assert_eq!(state, expected, "{base} {image} {layers:?}");
    }
}

/// (the image's variable, its own steps, what is told): the base's tag leads to
/// another build with the same layers, by whose config `V` is 2.
#[tokio::test]
async fn a_base_moves_without_a_layer() {
    let step = |text: &str| json!({"created_by": text});
    let base_steps = [step("COPY postgres /"), step("ENV V=2")];
    let otherwise = unknown(&[
        NO_PROVENANCE,
        NO_ANNOTATIONS,
        NO_LABELS,
        "it begins with the layers of the base's present build and is started otherwise: the base may have changed that, or the image",
    ]);
    let current = "current by layers".to_owned();
    let then = [step("COPY postgres /"), step("ENV V=1")];
    let table = [
        ("V=2", vec![], &current),
        ("V=1", then.to_vec(), &otherwise),
        ("V=1", vec![], &otherwise),
        (
            "V=1",
            [&base_steps[..], &[step("ENV V=1")]].concat(),
            &current,
        ),
    ];
    for (variable, history, expected) in table {
        let says = json!({"created": february(9), "env": ["V=2"], "history": base_steps});
        let mut shelf = with_base(&says);
        let says = json!({"created": february(16), "env": [variable], "history": history});
        let image = shelf.image(&[1, 2, 3], &says);
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = ask(&client(&server, &folder), &image).await;
        assert_eq!(shown(&state), *expected, "{variable} {history:?}");
    }
}

#[tokio::test]
async fn a_base_for_another_platform_tells_nothing() {
    let mut shelf = with_base(&json!({"created": february(9)}));
    let says = json!({"created": february(16), "architecture": "riscv64"});
    let image = shelf.image(&[1, 2, 3], &says);
    let server = shelf.start().await;
    let folder = TempDir::new().unwrap();
    let state = ask(&client(&server, &folder), &image).await;
    let why = "the base has nothing for its platforms";
    let expected = unknown(&[NO_PROVENANCE, NO_ANNOTATIONS, NO_LABELS, why]);
    assert_eq!(shown(&state), expected);
}

/// What a clean-up took costs one witness, and the next is heard.
#[tokio::test]
async fn provenance_that_is_gone_leaves_it_to_the_others() {
    for gone in ["the attestation", "the statement"] {
        let mut shelf = Shelf::real();
        let top = shelf.named("57a1e8d");
        for attestation in attestations(&shelf.read(&top)) {
            let manifest = shelf.read(&attestation);
            let statement = manifest["layers"][0]["digest"].as_str().unwrap();
            shelf.contents.remove(match gone {
                "the attestation" => attestation.as_str(),
                _ => statement,
            });
        }
        assert_eq!(
            by_layers(&shelf, &top).await,
            ["current", "moved"],
            "{gone}"
        );
    }
}

/// Whatever it says of that one.
#[tokio::test]
async fn provenance_of_an_image_that_is_not_in_the_index_is_not_heard() {
    let real = Shelf::real();
    let top = real.named("57a1e8d");
    let index = real.read(&top);
    let stranger = digest(9);
    let ours = index["manifests"][0]["digest"].as_str().unwrap();
    let linked = &attestations(&index)[0];
    let told = real.read(linked)["layers"][0]["digest"].clone();
    let told = told.as_str().unwrap();
    // (what is about the stranger: the index's entry, the statement)
    for (entry, statement) in [(true, false), (false, true), (true, true)] {
        let mut shelf = real.clone();
        let mut attestation = real.read(linked);
        if statement {
            let text = real.read(told).to_string();
            let bare = |digest: &str| digest["sha256:".len()..].to_owned();
            let text = text.replace(&bare(ours), &bare(&stranger));
            attestation["layers"][0]["digest"] = shelf.keep(text.as_bytes()).into();
        }
        let attestation = shelf.keep_json(&attestation);
        let mut index = index.clone();
        index["manifests"].as_array_mut().unwrap().truncate(3);
        index["manifests"][2]["digest"] = attestation.into();
        if entry {
            index["manifests"][2]["annotations"]["vnd.docker.reference.digest"] =
                stranger.clone().into();
        }
        let top = shelf.keep_json(&index);
        let heard = by_layers(&shelf, &top).await;
        assert_eq!(heard, ["current", "moved"], "{entry} {statement}");
    }
}

/// The attestations of a real index of two platforms.
fn attestations(index: &Value) -> Vec<String> {
    let digest = |n: usize| index["manifests"][n]["digest"].as_str().unwrap().to_owned();
    vec![digest(2), digest(3)]
}

/// What the layers tell, before and after the base moved.
async fn by_layers(shelf: &Shelf, top: &str) -> Vec<String> {
    let mut told = Vec::new();
    for base in ["2599582", "5c576d3"] {
        let mut shelf = shelf.clone();
        shelf.base = Some(shelf.named(base));
        let server = shelf.start().await;
        let folder = TempDir::new().unwrap();
        let state = shown(&ask(&client(&server, &folder), top).await);
        let told_so = state.split(" by layers").next().unwrap();
        told.push(told_so.to_owned());
    }
    told
}

/// What the base's registry says when asked for the tag, and the answer.
#[tokio::test]
async fn a_base_that_cannot_be_asked_for_is_unknown() {
    type Script = fn(&Asked) -> Option<Answer>;
    let table: [(&str, Script, &str, &str); 4] = [
        ("no such tag", |_| None, "no tag `16-alpine`", "build"),
        (
            "private",
            |it| (it.path.contains("postgres")).then(|| error(401, "UNAUTHORIZED", "no")),
            "authentication required",
            "",
        ),
        (
            "limited",
            |it| {
                it.path
                    .contains("postgres")
                    .then(|| error(429, "TOOMANYREQUESTS", "no").with("retry-after", "600"))
            },
            "rate limited",
            "",
        ),
        (
            "the base's manifest cannot be read",
            |it| match (it.path.contains("postgres"), it.method.as_str()) {
                (true, "HEAD") => {
                    let odd = digest_of(b"odd").to_string();
                    let head = answer(200).with("docker-content-digest", &odd);
                    Some(head.with("content-type", INDEX))
                }
                (true, _) => Some(answer(200).body("odd")),
                _ => None,
            },
            "a manifest of 10.77.0.1:5000/acme/postgres that is not one",
            "",
        ),
    ];
    for (what, script, expected, hint_says) in table {
        let shelf = Shelf::real();
        let image = shelf.named("57a1e8d");
        let server =
            Server::start(move |_, asked| script(asked).unwrap_or_else(|| shelf.answer(asked)))
                .await;
        let folder = TempDir::new().unwrap();
        match ask(&client(&server, &folder), &image).await {
            BaseState::Unknown { why, hint } => {
                assert!(why.contains(expected), "{what}: {why}");
                assert!(hint.unwrap_or_default().contains(hint_says), "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}
