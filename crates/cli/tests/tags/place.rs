//! A registry with builds, its GitHub, a Swarm, and who asks.

use std::process::{Command, Stdio};
use std::sync::mpsc;

use imgstack_sim::github::{GitHub, Token};
use imgstack_sim::registry::{Build, Manner, Registry, Settings, User};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Credential, Layout, Recorded, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
pub const IMAGE: &str = "acme/stacks/db";
/// What GHCR and GitHub take.
pub const PULLS: &str = "ghp_mArKeD0pulls";

pub struct Place {
    pub world: World,
    pub github: GitHub,
    pub registry: Registry,
    /// The digests of the builds, the oldest first.
    pub builds: Vec<String>,
    /// What the spec says of the image, beside its name and repository.
    pub image: String,
    pub swarm: String,
    host: String,
    folder: TempDir,
}

/// A build of a day each, the last of them today's.
pub fn build(number: usize, of: usize) -> Build {
    let days = i64::try_from(of - 1 - number).unwrap();
    let created = Timestamp::now() - SignedDuration::from_hours(24 * days);
    Build::new(IMAGE, &sha(number), created)
}

pub fn sha(number: usize) -> String {
    format!("{:x}", 0xabc_0000 + number)
}

pub fn day(build: &Build) -> String {
    build.created.strftime("%Y%m%d").to_string()
}

impl Place {
    /// So many builds of three tags each, in that manner; a service runs the
    /// build of the number `runs`.
    pub fn new(manner: Manner, builds: usize, runs: Option<usize>) -> Self {
        let all = (0..builds).map(|number| build(number, builds)).collect();
        Self::of(manner, all, runs)
    }

    /// In a thread of its own.
    pub fn of(manner: Manner, builds: Vec<Build>, runs: Option<usize>) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let place = Self::lay_out(manner, builds, runs).await;
                let stop = place.world.server.stop.clone();
                sender.send(place).unwrap();
                stop.cancelled().await;
            });
        });
        receiver.recv().unwrap()
    }

    async fn lay_out(manner: Manner, builds: Vec<Build>, runs: Option<usize>) -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::from_hours(1), 1);
        for (hostname, role) in [("n1", Role::Manager), ("n2", Role::Worker)] {
            layout.add_node(NodeSetup {
                hostname: hostname.to_owned(),
                role,
                ..NodeSetup::default()
            });
        }
        let settings = Settings::new(manner);
        let registry = match manner {
            Manner::Ghcr => layout.add_registry("ghcr.io", settings),
            Manner::Plain | Manner::Token | Manner::Hub => {
                layout.add_local_registry(settings).unwrap()
            }
        };
        if manner == Manner::Ghcr {
            registry.add_user(User::reader("acme", PULLS, "acme"));
        }
        let github = layout.add_github(Some(&registry));
        github.add_token(Token::classic("acme", PULLS, &["read:packages"]));
        let push = |build: &Build| {
            let tags = [format!("16-{}", build.sha), format!("16-{}", day(build))];
            let tags = [&tags[0], &tags[1], "16"];
            registry.push_build(build, &tags).digest
        };
        let builds: Vec<String> = builds.iter().map(push).collect();
        let host = registry.host().to_owned();
        if let Some(number) = runs {
            let image = format!("{host}/{IMAGE}:16@{}", builds[number]);
            let credential = Credential {
                username: "acme".to_owned(),
                password: PULLS.into(),
            };
            let credential = (manner == Manner::Ghcr).then_some(credential);
            layout
                .add_service(service("pg", &image), credential)
                .unwrap();
            layout.pass(SignedDuration::from_mins(30));
        }
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        Self {
            swarm: format!("unix://{}", world.socket("n1").display()),
            world,
            github,
            registry,
            builds,
            image: "tag: '16'".to_owned(),
            host,
            folder,
        }
    }

    fn write_spec(&self) {
        let Self {
            host, image, swarm, ..
        } = self;
        let registries = match host.as_str() {
            "ghcr.io" => "{host: ghcr.io, username: acme, password: {env: GHCR_PAT}}".to_owned(),
            host => format!("{{host: \"{host}\", insecure: true}}"),
        };
        let spec = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: db}}\n\
             spec:\n  swarm: {{endpoint: \"{swarm}\"}}\n  registries: [{registries}]\n  \
             images:\n    - name: db\n      repository: \"{host}/{IMAGE}\"\n      {image}\n  \
             services: [{{name: pg, image: db}}]\n"
        );
        std::fs::write(self.folder.path().join("imgstack.yaml"), spec).unwrap();
    }

    /// Runs `imgstack tags db`, from a record without entries.
    pub fn tags(&self, args: &[&str]) -> Said {
        self.tags_as(PULLS, args)
    }

    /// The same with another token.
    pub fn tags_as(&self, token: &str, args: &[&str]) -> Said {
        self.write_spec();
        self.world.server.record.clear();
        let output = Command::new(PROGRAM)
            .args(["tags", "db"])
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/nowhere")
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("IMGSTACK_ENDPOINTS", self.world.endpoints())
            .env("GHCR_PAT", token)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.all().contains("mArKeD"), "{}", said.all());
        said
    }

    /// What the last run asked of a server, by imgstack alone.
    fn asked(&self, server: &str) -> Vec<Recorded> {
        let mut entries = self.world.server.record.entries();
        entries.retain(|it| {
            let agent = it.agent.as_deref().unwrap_or_default();
            it.server == server && agent.starts_with("imgstack/")
        });
        entries
    }

    pub fn asked_of_github(&self) -> usize {
        self.asked("api.github.com").len()
    }

    /// What was asked of the registry for the image: lists, HEADs of tags, and
    /// all else.
    pub fn asked_of_registry(&self) -> (usize, usize, usize) {
        let entries = self.asked(&self.host);
        let of_image: Vec<_> = entries
            .iter()
            .filter(|it| it.path.starts_with(&format!("/v2/{IMAGE}/")))
            .collect();
        let lists = of_image.iter().filter(|it| it.path.contains("/tags/list"));
        let heads = of_image.iter().filter(|it| it.method == "HEAD");
        let (lists, heads) = (lists.count(), heads.count());
        (lists, heads, of_image.len() - lists - heads)
    }
}

fn service(name: &str, image: &str) -> Value {
    json!({
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": image}},
        "Mode": {"Replicated": {"Replicas": 2}},
    })
}

/// How the program ended, and what it said.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn all(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// All of these, on however many lines.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            let there = flat(&self.stdout).contains(&flat(word));
            assert!(there, "`{word}` is not in:\n{}", self.all());
        }
        self
    }

    #[track_caller]
    pub fn never_says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(
                !self.stdout.contains(word),
                "`{word}` is in:\n{}",
                self.all()
            );
        }
        self
    }

    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}", self.all()))
    }

    /// The builds that are listed.
    #[track_caller]
    pub fn builds(&self) -> Vec<Value> {
        let document = self.document();
        let builds = document["image"]["builds"]["known"].as_array();
        builds.unwrap_or_else(|| panic!("{}", self.all())).clone()
    }
}

/// How many tags are shown of those builds.
pub fn shown_tags(builds: &[Value]) -> usize {
    let tags = builds.iter().map(|it| it["tags"].as_array().unwrap().len());
    tags.sum()
}

pub fn digests(builds: &[Value]) -> Vec<&str> {
    let digests = builds.iter().map(|it| it["digest"].as_str().unwrap());
    digests.collect()
}
