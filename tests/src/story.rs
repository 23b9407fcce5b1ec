//! A story: one operator, one repository, a few services, one spec.
//!
//! Everything a story makes bears its name, so stories run side by side in one
//! world; what it made is removed when it ends, also when it fails.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::build::{Build, Destination, Kind, Login, Pushed, push};
use crate::loan::{self, Loan, Thing};
use crate::screen;
use crate::world::{World, imgstack};

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// Exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Run {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless the program ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless all of `words` are said, on stdout or stderr, on
    /// however many lines.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let all = self.all();
        for word in words {
            assert!(
                unfolded(&all).contains(&unfolded(word)),
                "`{word}` is not in:\n{all}"
            );
        }
        self
    }

    /// Fails the test if any of `words` is said.
    #[track_caller]
    pub fn never_says(&self, words: &[&str]) -> &Self {
        let all = self.all();
        for word in words {
            assert!(
                !unfolded(&all).contains(&unfolded(word)),
                "`{word}` is in:\n{all}"
            );
        }
        self
    }

    fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// A text without what folding it has made of its blanks.
fn unfolded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One story.
#[derive(Debug)]
pub struct Story {
    /// Where it plays.
    pub world: World,
    /// Prefix of everything it makes.
    pub name: String,
    /// The registry that its images are in, host and port.
    pub registry: String,
    dir: TempDir,
    environment: Vec<(String, String)>,
    /// What the spec says of nodes, a rule an entry.
    nodes: Vec<String>,
    /// Of what it makes.
    _loan: Loan,
}

impl Story {
    /// A story of this name with the anonymous registry.
    ///
    /// # Panics
    /// Without a folder to work in.
    pub fn new(world: &World, name: &str) -> Self {
        Self::in_registry(world, name, world.anonymous())
    }

    /// A story with another registry.
    ///
    /// # Panics
    /// Without a folder to work in.
    pub fn in_registry(world: &World, name: &str, registry: &str) -> Self {
        // Unique, so that a repeated run finds no tags of an earlier one.
        let name = format!("{name}-{}", std::process::id());
        Self {
            world: world.clone(),
            registry: registry.to_owned(),
            dir: tempfile::tempdir().expect("a folder for the spec"),
            environment: Vec::new(),
            nodes: Vec::new(),
            _loan: Loan::of(world, Thing::Story(name.clone())),
            name,
        }
    }

    /// A variable for every run of imgstack from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// Specs written from now on say this of nodes: one rule an entry, in
    /// braces.
    pub fn nodes(&mut self, rules: &[&str]) {
        self.nodes = rules.iter().map(|rule| (*rule).to_owned()).collect();
    }

    /// The folder that imgstack runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The repository without its registry.
    pub fn path(&self) -> String {
        format!("stories/{}", self.name)
    }

    /// `registry/path`
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path())
    }

    /// The full name of a service of this story.
    pub fn service(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// Pushes a build under the three tags; returns its digest.
    pub async fn push(&self, kind: Kind, sha: &str) -> Pushed {
        let build = build(&self.path(), kind, sha);
        Self::push_build(self.world.anonymous(), build, None).await
    }

    /// Pushes a build that was made on that day; `version` stands for the `16`
    /// of the three tags.
    pub async fn push_version(&self, version: &str, sha: &str, date: Date) -> Pushed {
        let mut build = Build::new(&self.path(), Kind::Good, sha, date);
        build.major = version.to_owned();
        Self::push_build(self.world.anonymous(), build, None).await
    }

    /// Pushes a build to the registry that asks for a token.
    pub async fn push_private(&self, path: &str, kind: Kind, sha: &str) -> Pushed {
        let login = Login {
            username: "publisher".to_owned(),
            password: self.world.password("publisher"),
        };
        let build = build(path, kind, sha);
        Self::push_build(self.world.private(), build, Some(login)).await
    }

    /// Pushes a build that is large, in MiB.
    pub async fn push_large(&self, kind: Kind, sha: &str, mib: usize) -> Pushed {
        let build = Build {
            ballast: mib << 20,
            ..build(&self.path(), kind, sha)
        };
        Self::push_build(self.world.anonymous(), build, None).await
    }

    /// Pushes a build that is described whole.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn push_build(registry: &str, build: Build, login: Option<Login>) -> Pushed {
        let destination = Destination {
            registry: format!("http://{registry}"),
            login,
        };
        push(&build, &destination)
            .await
            .expect("the build is pushed")
    }

    /// Creates a service as an operator would: one replica unless `options` say
    /// otherwise, the tag `16`, back to the old build on failure.
    pub fn create(&self, name: &str, options: &[&str]) {
        let image = format!("{}:16", self.repository());
        self.create_with(name, &image, options);
    }

    /// Creates a service that runs `image`.
    pub fn create_with(&self, name: &str, image: &str, options: &[&str]) {
        let service = self.service(name);
        let mut args = vec!["service", "create", "--quiet", "--name", &service];
        args.extend([
            "--update-monitor",
            "1s",
            "--update-failure-action",
            "rollback",
        ]);
        args.extend(["--rollback-monitor", "1s", "--stop-grace-period", "1s"]);
        args.extend(options);
        args.push(image);
        self.world.docker(&args);
    }

    /// Logs docker in to the story's registry, without docker: a password is in
    /// no argument. Returns the folder of the configuration.
    pub fn log_in(&self, user: &str, password: &str) -> PathBuf {
        let folder = self.dir().join(format!("docker-of-{user}"));
        log_in_to(&folder, &self.registry, user, password);
        folder
    }

    /// As [`Story::create`], by somebody with that docker configuration, whose
    /// credential the service carries.
    pub fn create_as(&self, config: &Path, name: &str, options: &[&str]) {
        let image = format!("{}:16", self.repository());
        self.create_image_as(config, name, &image, options);
    }

    /// As [`Story::create_as`], with an image of another registry.
    pub fn create_image_as(&self, config: &Path, name: &str, image: &str, options: &[&str]) {
        let (service, config) = (self.service(name), config.display().to_string());
        let mut args = vec!["--config", &config, "service", "create", "--quiet"];
        args.extend(["--with-registry-auth", "--name", &service]);
        args.extend(["--update-monitor", "1s", "--stop-grace-period", "1s"]);
        args.extend(options);
        args.push(image);
        self.world.docker(&args);
    }

    /// `docker service update` of a service.
    pub fn update(&self, name: &str, options: &[&str]) {
        let service = self.service(name);
        let args = [&["service", "update", "--quiet"][..], options, &[&service]];
        self.world.docker(&args.concat());
    }

    /// Writes `imgstack.yaml`: one image `pg` that follows `16`, and these
    /// services as (name, the rest of their YAML).
    pub fn spec(&self, services: &[(&str, &str)]) {
        self.spec_with("tag: \"16\"", services);
    }

    /// As [`Story::spec`], with other lines for the image.
    pub fn spec_with(&self, image: &str, services: &[(&str, &str)]) {
        let endpoint = self.world.endpoint();
        let registry = format!("- {{host: \"{}\", insecure: true}}", self.registry);
        self.spec_full(&endpoint, &registry, image, services);
    }

    /// As [`Story::spec`], all parts given.
    pub fn spec_full(
        &self,
        endpoint: &str,
        registry: &str,
        image: &str,
        services: &[(&str, &str)],
    ) {
        let services: String = services
            .iter()
            .map(|(name, rest)| {
                // A service may name another image of the spec.
                let image = match rest.contains("image: ") {
                    true => "",
                    false => "      image: pg\n",
                };
                format!("    - name: {}\n{image}{rest}", self.service(name))
            })
            .collect();
        let endpoint = match endpoint {
            "" => String::new(),
            endpoint => format!("  swarm: {{endpoint: \"{endpoint}\"}}\n"),
        };
        let rules: String = self.nodes.iter().fold(String::new(), |text, rule| {
            let head = if text.is_empty() { "  nodes:\n" } else { "" };
            format!("{text}{head}    - {rule}\n")
        });
        let text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\n\
             metadata: {{name: {}}}\nspec:\n{endpoint}  registries:\n    {registry}\n\
             \x20 images:\n    - name: pg\n      repository: {}\n      {image}\n{rules}  services:\n{services}",
            self.name,
            self.repository(),
        );
        std::fs::write(self.dir().join("imgstack.yaml"), text).expect("the spec is written");
    }

    /// Runs imgstack in the story's folder.
    pub fn imgstack(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().expect("imgstack starts");
        Run::of(&output)
    }

    /// As [`Story::imgstack`], with variables of the environment.
    pub fn imgstack_in(&self, variables: &[(&str, &str)], args: &[&str]) -> Run {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        Run::of(&command.output().expect("imgstack starts"))
    }

    /// Starts imgstack without waiting for it.
    pub fn start(&self, args: &[&str]) -> Started {
        let child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("imgstack starts");
        Started(child)
    }

    /// As [`Story::start`], with somebody at the keyboard who types nothing.
    pub fn start_attended(&self, args: &[&str]) -> Started {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Started(command.spawn().expect("imgstack starts"))
    }

    /// Runs imgstack on a terminal, and looks at the screen as it draws.
    /// Returns the exit code.
    pub fn watch(&self, args: &[&str], look: impl FnMut(&[String])) -> Option<i32> {
        screen::watch(&self.command(args), look)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(imgstack());
        command
            .args(args)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            // Neither the machine's own docker settings nor its credentials.
            .env_clear()
            .env("PATH", self.world.path())
            .env("HOME", self.dir())
            .env("DOCKER_CONFIG", self.dir().join(".docker"))
            .env("XDG_CACHE_HOME", self.dir().join(".cache"))
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// A file in the story's folder, as an argument.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// A service as the engine has it.
    pub fn inspect(&self, name: &str) -> Value {
        let text = self
            .world
            .docker(&["service", "inspect", &self.service(name)]);
        let mut list: Vec<Value> = serde_json::from_str(&text).expect("docker prints JSON");
        list.remove(0)
    }

    /// The images of the tasks of a service that are meant to run and do.
    pub fn running(&self, name: &str) -> Vec<String> {
        let service = self.service(name);
        let args = [
            "service",
            "ps",
            "--no-trunc",
            "--filter",
            "desired-state=running",
        ];
        let format = ["--format", "{{.Image}} {{.CurrentState}}", &service];
        let text = self.world.docker(&[&args[..], &format[..]].concat());
        let lines = text.lines().filter_map(|line| line.split_once(" Running"));
        lines.map(|(image, _)| image.to_owned()).collect()
    }

    /// The hostnames of the nodes that run tasks of a service.
    pub fn nodes_of(&self, name: &str) -> Vec<String> {
        let service = self.service(name);
        let args = ["service", "ps", "--filter", "desired-state=running"];
        let format = ["--format", "{{.Node}} {{.CurrentState}}", &service];
        let text = self.world.docker(&[&args[..], &format[..]].concat());
        let lines = text.lines().filter_map(|line| line.split_once(" Running"));
        lines.map(|(node, _)| node.to_owned()).collect()
    }

    /// Whether a node has a build of this story's image.
    pub fn is_held(&self, node: u8, digest: &str) -> bool {
        let name = format!("{}@{digest}", self.repository());
        let format = "{{.Repository}}@{{.Digest}}";
        let list = ["image", "ls", "--digests", "--format", format];
        let held = self.world.docker_on(node, &list);
        held.lines().any(|it| it == name)
    }

    /// The IDs of all tasks of a service, history included.
    pub fn tasks(&self, name: &str) -> Vec<String> {
        let text = self
            .world
            .docker(&["service", "ps", "-q", "--no-trunc", &self.service(name)]);
        text.lines().map(str::to_owned).collect()
    }

    /// The configs that imgstack has made for the stack of this story, by name.
    ///
    /// # Panics
    /// When docker fails.
    pub fn configs(&self) -> Vec<String> {
        let configs = loan::configs(&self.world, &self.name);
        configs.unwrap_or_else(|words| panic!("docker config ls: {words}"))
    }
}

/// Writes a docker configuration that is logged in to a registry, beside what
/// is there.
///
/// # Panics
/// Without a place for it.
pub fn log_in_to(folder: &Path, registry: &str, user: &str, password: &str) {
    std::fs::create_dir_all(folder).expect("a folder for a login");
    let file = folder.join("config.json");
    let old = std::fs::read(&file).unwrap_or_default();
    let mut config: Value = serde_json::from_slice(&old).unwrap_or_else(|_| json!({}));
    let auth = STANDARD.encode(format!("{user}:{password}"));
    config["auths"][registry] = json!({"auth": auth});
    std::fs::write(file, config.to_string()).expect("the login");
}

fn build(path: &str, kind: Kind, sha: &str) -> Build {
    Build::new(path, kind, sha, jiff::civil::date(2026, 2, 9))
}

/// A run of imgstack that is going on.
#[derive(Debug)]
pub struct Started(std::process::Child);

impl Started {
    /// Sends it a signal, as `kill -NAME` would.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.0.id().to_string()])
            .status();
        assert!(status.expect("kill starts").success());
    }

    /// Types a line on its keyboard.
    pub fn type_line(&mut self, line: &str) {
        let keyboard = self.0.stdin.as_mut().expect("a piped stdin");
        writeln!(keyboard, "{line}").expect("imgstack reads");
    }

    /// Waits until it has said `words` on stderr, and returns all it said there.
    ///
    /// # Panics
    /// When it ends without.
    pub fn hear(&mut self, words: &str) -> String {
        let stderr = self.0.stderr.as_mut().expect("a piped stderr");
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&heard).contains(words) {
            let read = stderr.read(&mut byte).expect("stderr is read");
            let all = String::from_utf8_lossy(&heard);
            assert_eq!(read, 1, "`{words}` is not in:\n{all}");
            heard.push(byte[0]);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        // Keeps the keyboard until the end: hanging up is an answer too.
        let keyboard = self.0.stdin.take();
        let run = Run::of(&self.0.wait_with_output().expect("imgstack ends"));
        drop(keyboard);
        run
    }
}
