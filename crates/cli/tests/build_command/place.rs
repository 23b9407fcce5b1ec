//! Where a build is made: a repository of git's, a scripted docker, and a
//! simulated registry.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use imgstack_sim::registry::{Build, Manner, Registry, Settings, User};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Fault, Layout, Trigger, World};
use imgstack_spec::Tag;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

pub const SECRET: &str = "hunter2-of-publisher";
/// `publisher:hunter2-of-publisher`
pub const ENCODED: &str = "cHVibGlzaGVyOmh1bnRlcjItb2YtcHVibGlzaGVy";

/// How a program ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, Some(code), "{stdout}\n{stderr}");
        assert!(!stdout.contains(SECRET) && !stderr.contains(SECRET));
        self
    }

    /// The tags and what became of each, of `-o json`.
    pub fn states(&self) -> Vec<(String, String)> {
        let document: Value = serde_json::from_str(&self.stdout).unwrap();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let tags = document["tags"].as_array().unwrap();
        let states = tags.iter();
        states
            .map(|it| (text(&it["tag"]), text(&it["state"])))
            .collect()
    }

    #[track_caller]
    pub fn never_says(&self, word: &str) -> &Self {
        let all = format!("{} {}", self.stdout, self.stderr);
        let flat = all.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!flat.contains(word), "`{word}` is in:\n{all}");
        self
    }

    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let all = format!("{} {}", self.stdout, self.stderr);
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(
                flat(&all).contains(&flat(word)),
                "`{word}` is not in:\n{all}"
            );
        }
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub struct Place {
    dir: TempDir,
    pub world: World,
    pub registry: Registry,
}

impl Place {
    /// A repository with one commit, a registry with GHCR's manners, and a
    /// buildx with a builder of its own.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        layout.add_node(NodeSetup {
            hostname: "n1".to_owned(),
            role: Role::Manager,
            ..NodeSetup::default()
        });
        let registry = layout
            .add_local_registry(Settings::new(Manner::Ghcr))
            .unwrap();
        registry.add_user(User::writer("publisher", SECRET, ""));
        registry.add_user(User::reader("robot", "read-only", ""));
        let world = layout.start(dir.path()).await.unwrap();
        let place = Self {
            dir,
            world,
            registry,
        };
        for folder in ["bin", "stage", "tmp", "repo/docker", "docker/cli-plugins"] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        let docker = place.path("bin/docker");
        fs::write(&docker, include_str!("docker.sh")).unwrap();
        fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
        place.write(
            "docker/config.json",
            r#"{"credsStore":"none","auths":{"quay.test":{}}}"#,
        );
        place.stage("driver", "docker-container");
        place.write("repo/docker/Dockerfile", "FROM scratch\n");
        place.git(&["init", "--quiet"]);
        place.commit("one");
        place.spec("publisher", "");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What the scripted docker is to find.
    pub fn stage(&self, name: &str, text: &str) {
        self.write(&format!("stage/{name}"), text);
    }

    /// The commands that docker was given.
    pub fn told(&self) -> Vec<String> {
        self.read("stage/told").lines().map(str::to_owned).collect()
    }

    /// Whether docker was to build or to push anything.
    pub fn has_built(&self) -> bool {
        self.told()
            .iter()
            .any(|line| line.contains("build --") || line.starts_with("push"))
    }

    pub fn spec(&self, user: &str, image: &str) {
        let host = self.registry.host();
        self.write(
            "repo/imgstack.yaml",
            &format!(
                "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: shop}}\n\
                 spec:\n  registries:\n  - {{host: \"{host}\", username: {user}, password: {{env: PW}}}}\n\
                 \x20 images:\n  - name: db\n    repository: {host}/acme/db\n    tag: \"16\"\n\
                 \x20   build: {{context: docker}}\n{image}"
            ),
        );
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@test"])
            .args(args)
            .current_dir(self.path("repo"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "docker"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// `16-abc1234`
    pub fn by_commit(&self) -> String {
        format!("16-{}", &self.head()[..7])
    }

    /// A build of that commit and age, under these tags; its digest.
    pub fn push(&self, sha: &str, age: SignedDuration, tags: &[&str]) -> String {
        self.push_to("acme/db", sha, age, tags)
    }

    pub fn push_to(&self, name: &str, sha: &str, age: SignedDuration, tags: &[&str]) -> String {
        let build = Build::new(name, sha, Timestamp::now() - age);
        self.registry.push_build(&build, tags).digest
    }

    /// The build that docker will have made, of the commit that there is now.
    pub fn will_build(&self) -> String {
        let digest = self.push(&self.head(), SignedDuration::ZERO, &[]);
        self.stage("digest", &digest);
        digest
    }

    /// The same, and it says on what it was built.
    pub fn will_build_on(&self, base: &str, digest: &str) -> String {
        let digest = self.push_on(SignedDuration::ZERO, (base, digest), &[]);
        self.stage("digest", &digest);
        digest
    }

    /// A build of the commit that there is now, upon a base.
    pub fn push_on(&self, age: SignedDuration, base: (&str, &str), tags: &[&str]) -> String {
        let label = |name: &str| format!("org.opencontainers.image.base.{name}");
        let mut build = Build::new("acme/db", &self.head(), Timestamp::now() - age);
        build.labels.insert(label("name"), base.0.to_owned());
        build.labels.insert(label("digest"), base.1.to_owned());
        self.registry.push_build(&build, tags).digest
    }

    /// Requests of that method with that part in their path, but for the first
    /// ones, go wrong from now on.
    pub fn fault(&self, method: &str, path: &str, skip: usize, fault: Fault) {
        let trigger = Trigger {
            method: method.to_owned(),
            path: path.to_owned(),
            skip,
            ..Trigger::default()
        };
        self.world.server.faults.set(trigger, fault);
    }

    pub fn leads_to(&self, tag: &str) -> Option<String> {
        self.registry.digest("acme/db", tag)
    }

    pub fn point(&self, name: &str, tag: &str, digest: &str) {
        let _: Tag = tag.parse().unwrap();
        self.registry.set_tag(name, tag, &digest.parse().unwrap());
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgstack"));
        command
            .args(args)
            .current_dir(self.path("repo"))
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.path("tmp"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("STAGE", self.path("stage"))
            .env("PW", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn build(&self, args: &[&str]) -> Run {
        let all = [&["build", "db"][..], args].concat();
        self.command(&all).output().unwrap().into()
    }

    pub fn plan(&self) -> Run {
        let socket = self.world.socket("n1");
        let mut command = self.command(&["plan"]);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        command.output().unwrap().into()
    }

    /// Begins a build, and comes back when docker waits there.
    pub fn build_until(&self, point: &str) -> Child {
        self.stage(&format!("wait-{point}"), "");
        let child = self.command(&["build", "db"]).spawn().unwrap();
        let (at, began) = (self.path(&format!("stage/at-{point}")), Instant::now());
        while !at.exists() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "docker is not asked"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    pub fn go_on(&self, point: &str, child: Child) -> Run {
        fs::remove_file(self.path(&format!("stage/wait-{point}"))).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// What the builds have left in the folder for temporary files.
    pub fn left_behind(&self) -> usize {
        fs::read_dir(self.path("tmp")).unwrap().count()
    }

    /// The tags that imgstack has put, in order.
    pub fn puts(&self) -> Vec<String> {
        let entries = self.world.server.record.entries();
        let puts = entries.iter().filter(|it| it.method == "PUT");
        let tag = |path: &str| {
            Path::new(path)
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        puts.map(|it| tag(&it.path)).collect()
    }
}

/// What GHCR says to who may not read.
pub fn denied() -> Fault {
    Fault::Answer {
        status: 403,
        headers: Vec::new(),
        body: r#"{"errors":[{"code":"DENIED","message":"permission_denied: read_package"}]}"#
            .to_owned(),
    }
}

/// `16-20260209`, of today.
pub fn by_day() -> String {
    Timestamp::now().strftime("16-%Y%m%d").to_string()
}
