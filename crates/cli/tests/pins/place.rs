//! A registry with builds, a Swarm that runs one, a spec and a stack file.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use imgstack_sim::registry::{Build, Manner, Registry, Settings};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Behaviour, Layout, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
const IMAGE: &str = "acme/db";
/// Stands in the stack file, and is never to be shown.
pub const SECRET: &str = "mArKeD0secret";

pub struct Place {
    pub world: World,
    pub registry: Registry,
    /// The digests of the builds `16-abc000N`, the oldest first; the tag `16`
    /// leads to the last, which the services `s_a` and `s_b` run.
    pub builds: Vec<String>,
    folder: TempDir,
}

fn sha(number: usize) -> String {
    format!("abc000{number}")
}

impl Place {
    /// The world is in a thread of its own.
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let place = Self::lay_out().await;
                let stop = place.world.server.stop.clone();
                sender.send(place).unwrap();
                stop.cancelled().await;
            });
        });
        let place: Self = receiver.recv().unwrap();
        place.write("imgstack.yaml", &place.spec("tag: \"16\""));
        place.write("stack.yml", &place.stack_file(":16"));
        place
    }

    async fn lay_out() -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::from_hours(1), 1);
        layout.add_node(NodeSetup {
            hostname: "n1".to_owned(),
            role: Role::Manager,
            ..NodeSetup::default()
        });
        let registry = layout
            .add_local_registry(Settings::new(Manner::Plain))
            .unwrap();
        let builds = (0..3).map(|number| {
            let days = i64::try_from(3 - number).unwrap();
            let created = Timestamp::now() - SignedDuration::from_hours(24 * days);
            let tag = format!("16-{}", sha(number));
            let build = Build::new(IMAGE, &sha(number), created);
            registry.push_build(&build, &[&tag, "16"]).digest
        });
        let builds: Vec<String> = builds.collect();
        let image = format!("{}/{IMAGE}:16@{}", registry.host(), builds[2]);
        for name in ["s_a", "s_b"] {
            layout.add_service(service(name, &image), None).unwrap();
        }
        layout.pass(SignedDuration::from_mins(30));
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        Self {
            world,
            registry,
            builds,
            folder,
        }
    }

    /// A build of another major version.
    pub fn push_major(&self) {
        let mut build = Build::new(IMAGE, "fff0000", Timestamp::now());
        build.version = Some("17.1".to_owned());
        self.registry.push_build(&build, &["17-fff0000"]);
    }

    /// The tag `16` leads to a build that dies; returns its digest.
    pub fn push_bad(&self, sha: &str) -> String {
        let mut build = Build::new(IMAGE, sha, Timestamp::now());
        build.behaviour = Behaviour {
            ends_after_ms: Some(200),
            exit_code: 1,
            ..Behaviour::default()
        };
        let tag = format!("16-{sha}");
        self.registry.push_build(&build, &[&tag, "16"]).digest
    }

    /// The tag `16` leads to another good build; returns its digest.
    pub fn push_good(&self, sha: &str) -> String {
        let build = Build::new(IMAGE, sha, Timestamp::now());
        let tag = format!("16-{sha}");
        self.registry.push_build(&build, &[&tag, "16"]).digest
    }

    /// A page of the journal that no imgstack has written.
    pub fn spoil_the_journal(&self, number: u32) {
        let body = json!({
            "Name": format!("imgstack.release.s.{number}"),
            "Labels": {"dev.imgstack.release": "s"},
            "Data": "aGVsbG8K",
        });
        let body = body.to_string();
        let mut engine = UnixStream::connect(self.world.socket("n1")).unwrap();
        let length = body.len();
        let head = format!(
            "POST /configs/create HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        engine.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        engine.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    pub fn repository(&self) -> String {
        format!("{}/{IMAGE}", self.registry.host())
    }

    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.world.socket("n1").display())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// The spec with these lines of the image.
    pub fn spec(&self, image: &str) -> String {
        format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: s}}\n\
             spec:\n  swarm: {{endpoint: \"{}\"}}\n  registries: [{{host: \"{}\", insecure: true}}]\n  \
             images:\n    - name: db   # the database\n      repository: \"{}\"\n      {image}\n  \
             services:\n    - {{name: s_a, image: db, stackFile: {{path: stack.yml, service: a}}}}\n    \
             - {{name: s_b, image: db, stackFile: {{path: stack.yml, service: b}}}}\n",
            self.endpoint(),
            self.registry.host(),
            self.repository(),
        )
    }

    /// The stack file with that behind the repository.
    pub fn stack_file(&self, reference: &str) -> String {
        format!(
            "# The stack\nx-image: &image '{}{reference}'   # one for both\nservices:\n  \
             a: {{image: *image, environment: {{PASSWORD: {SECRET}}}}}\n  b: {{image: *image}}\n",
            self.repository()
        )
    }

    /// Runs imgstack in the folder of the spec.
    pub fn imgstack(&self, args: &[&str]) -> Said {
        self.imgstack_in(self.folder.path(), args)
    }

    pub fn imgstack_in(&self, folder: &Path, args: &[&str]) -> Said {
        self.run(folder, args, Stdio::null())
    }

    /// With a spec of the folder on standard input.
    pub fn imgstack_on_stdin(&self, name: &str, args: &[&str]) -> Said {
        let file = std::fs::File::open(self.file(name)).unwrap();
        self.run(self.folder.path(), args, file.into())
    }

    fn run(&self, folder: &Path, args: &[&str], stdin: Stdio) -> Said {
        let output = Command::new(PROGRAM)
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/nowhere")
            .env("XDG_CACHE_HOME", self.file("cache"))
            .stdin(stdin)
            .output()
            .unwrap();
        let said = Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.all().contains(SECRET), "{}", said.all());
        said
    }
}

fn service(name: &str, image: &str) -> Value {
    json!({
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": image}},
        "Mode": {"Replicated": {"Replicas": 1}},
    })
}

/// How the program ended, and what it said.
pub struct Said {
    code: Option<i32>,
    pub stdout: String,
    stderr: String,
}

impl Said {
    fn all(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// What it said as one document.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}", self.all()))
    }

    /// All of these, on however many lines.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            let there = flat(&self.all()).contains(&flat(word));
            assert!(there, "`{word}` is not in:\n{}", self.all());
        }
        self
    }

    #[track_caller]
    pub fn never_says(&self, words: &[&str]) -> &Self {
        for word in words {
            let there = flat(&self.all()).contains(&flat(word));
            assert!(!there, "`{word}` is in:\n{}", self.all());
        }
        self
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
