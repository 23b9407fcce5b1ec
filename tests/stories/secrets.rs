//! No secret is shown anywhere: every command runs with marked ones, and all
//! that it says, writes and sends is searched for them.

mod sampler;
mod traces;

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use imgstack_tests::build::Kind;
use imgstack_tests::github::GitHub;
use imgstack_tests::guest::Guest;
use imgstack_tests::lab::Logins;
use imgstack_tests::marked::Marks;
use imgstack_tests::proxy::Proxy;
use imgstack_tests::story::{Story, log_in_to};
use imgstack_tests::world::World;
use serde_json::{Value, json};

use sampler::Sampler;
use traces::{in_the_cluster, logs};

imgstack_tests::both! {
    no_command_shows_a_secret_anywhere,
}

/// Long enough for a program to be seen.
const PAUSE: &str = "sleep 0.3";

/// Where credentials are read. Each has a registry of its own, an image there
/// and a service.
const SOURCES: [&str; 5] = ["env", "file", "command", "config", "helper"];

/// The variable with the token that writes comments.
const COMMENTS: &str = "COMMENTS_TOKEN";

async fn no_command_shows_a_secret_anywhere(world: World) {
    let mut stage = Stage::set(&world).await;
    let before = logs(&world);
    let since = jiff::Timestamp::now();
    let sampler = Sampler::start(stage.story.dir(), stage.marks.clone());
    let mut ran = Ran::default();
    without_a_cluster(&stage, &mut ran);
    for (round, sha) in ["abc1234", "def5678"].into_iter().enumerate() {
        stage.set_passwords(round);
        stage.push(sha).await;
        everything(&stage, &mut ran, round);
    }
    builds(&stage, &mut ran);
    refused(&stage, &mut ran);
    let mut commands = BTreeSet::new();
    leaves(&stage.story, &[], &mut commands);
    assert_eq!(ran.0, commands, "every command must run here");

    let sampled = sampler.stop();
    assert_eq!(sampled.found, BTreeSet::new());
    // It has seen what there was to see.
    let mut expected = vec!["imgstack", "cat", "docker-credential-marked"];
    if matches!(world, World::Lab(_)) {
        expected.extend(["ssh", "docker login"]);
    }
    for program in expected {
        let mut seen = sampled.seen.iter();
        assert!(
            seen.any(|it| it.contains(program)),
            "{program} was not seen"
        );
    }
    // What is given to docker for a build goes with the build.
    let runtime = std::fs::read_dir(stage.input(RUNTIME)).unwrap();
    assert_eq!(runtime.count(), 0, "a folder with a login is left");
    for (what, text) in in_the_cluster(&stage.story, since) {
        stage.is_clean(&what, text.as_bytes());
    }
    for (path, length) in before {
        let log = std::fs::read(&path).unwrap();
        stage.is_clean(&path.display().to_string(), &log[length.min(log.len())..]);
    }
}

/// One stack with five registries, which are doors to the same.
struct Stage {
    story: Story,
    marks: Marks,
    sources: Vec<Source>,
    /// Starts a workflow for a token that is a secret, too.
    github: GitHub,
    _logins: Option<Logins>,
}

struct Source {
    name: &'static str,
    door: Proxy,
    guest: Guest,
}

impl Source {
    /// The secret of a round.
    fn secret(&self, marks: &Marks, round: usize) -> String {
        marks.secret(&format!("{}-{round}", self.name))
    }
}

impl Stage {
    async fn set(world: &World) -> Self {
        let story = Story::in_registry(world, "secrets", world.private());
        let marks = Marks::default();
        let sources = SOURCES.map(|name| Source {
            name,
            door: Proxy::to_private(world),
            // A name is no secret.
            guest: Guest::new(
                world,
                &format!("{}-{name}", story.name),
                &marks.secret("none"),
            ),
        });
        let doors: Vec<&str> = sources.iter().map(|it| it.door.address()).collect();
        let logins = match world {
            World::Lab(lab) => Some(lab.logins(&doors)),
            World::Sim(_) => None,
        };
        let token = marks.secret("github");
        let mut stage = Self {
            github: GitHub::start(&token),
            story,
            marks,
            sources: sources.into(),
            _logins: logins,
        };
        stage.github.open(7, &stage.marks.secret("comments"));
        stage.set_passwords(0);
        stage.push("9b1d2e7").await;
        stage.create_services();
        stage.write_spec();
        let temporary = stage.story.file("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let runtime = stage.input(RUNTIME);
        std::fs::create_dir(&runtime).unwrap();
        stage.write_source();
        let path = format!("{}:{}", stage.helper().display(), world.path());
        for (key, value) in [
            ("TMPDIR", &*temporary.display().to_string()),
            ("XDG_RUNTIME_DIR", &*runtime.display().to_string()),
            ("PATH", &*path),
            ("DOCKER_HOST", &*world.endpoint()),
            ("IMGSTACK_ENDPOINTS", &*stage.github.endpoints()),
            ("GH_TOKEN", &*token),
            (COMMENTS, &*stage.marks.secret("comments")),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
        ] {
            stage.story.set(key, value);
        }
        stage
    }

    async fn push(&self, sha: &str) {
        let path = self.story.path();
        self.story.push_private(&path, Kind::Good, sha).await;
    }

    /// The secrets of that round are good from now on, and are found.
    fn set_passwords(&mut self, round: usize) {
        let docker = self.story.file(".docker");
        for source in &self.sources {
            let secret = source.secret(&self.marks, round);
            source.guest.set_password(&secret);
            let (name, host) = (source.name, source.door.address());
            match name {
                "env" => self.story.set("MARKED_PASSWORD", &secret),
                "config" => log_in_to(&docker, host, source.guest.name(), &secret),
                _ => std::fs::write(self.input(name), secret).unwrap(),
            }
        }
        let file = docker.join("config.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["credHelpers"] = json!({self.source("helper").door.address(): "marked"});
        std::fs::write(file, config.to_string()).unwrap();
    }

    fn source(&self, name: &str) -> &Source {
        let mut sources = self.sources.iter();
        sources.find(|it| it.name == name).unwrap()
    }

    /// A file that holds a secret on purpose.
    fn input(&self, name: &str) -> PathBuf {
        let folder = self.story.file(INPUTS);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    /// A credential helper, in a folder of its own, which is returned.
    fn helper(&self) -> PathBuf {
        let folder = self.story.file("helpers");
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("docker-credential-marked");
        let text = format!(
            "#!/bin/sh\n{PAUSE}\nprintf '{{\"Username\":\"{}\",\"Secret\":\"%s\"}}' \"$(cat '{}')\"\n",
            self.source("helper").guest.name(),
            self.input("helper").display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn create_services(&self) {
        for source in &self.sources {
            let config = self.input(&format!("docker-of-{}", source.name));
            let (host, secret) = (source.door.address(), source.secret(&self.marks, 0));
            log_in_to(&config, host, source.guest.name(), &secret);
            let image = format!("{host}/{}:16", self.story.path());
            self.story
                .create_image_as(&config, source.name, &image, &[]);
        }
    }

    /// What the image `env` is built from.
    fn write_source(&self) {
        let folder = self.story.file("docker");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("VERSION"), "1.0").unwrap();
        let dockerfile = "FROM scratch\nCOPY VERSION /\nCMD [\"/VERSION\"]\n";
        std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        // A workflow reaches no registry of the story's.
        let spec = r#"apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: ghcr}
spec:
  registries:
    - {host: ghcr.io, username: acme, password: {env: MARKED_PASSWORD}}
  images:
    - {name: env, repository: ghcr.io/acme/env, tag: "16", build: {context: docker}}
"#;
        std::fs::write(self.story.file("ghcr.yaml"), spec).unwrap();
    }

    fn write_spec(&self) {
        let (mut registries, mut images, mut services) =
            (String::new(), String::new(), String::new());
        for Source {
            name, door, guest, ..
        } in &self.sources
        {
            let file = self.input(name).display().to_string();
            let password = match *name {
                "env" => "{env: MARKED_PASSWORD}".to_owned(),
                "file" => format!("{{file: \"{file}\"}}"),
                "command" => format!("{{command: [sh, -c, \"{PAUSE} && cat {file}\"]}}"),
                _ => String::new(),
            };
            let password = match password.as_str() {
                "" => String::new(),
                password => format!(", username: {}, password: {password}", guest.name()),
            };
            let host = door.address();
            registries += &format!("    - {{host: \"{host}\", insecure: true{password}}}\n");
            let repository = format!("{host}/{}", self.story.path());
            let (github, workflow) = (GitHub::REPOSITORY, GitHub::WORKFLOW);
            let build = format!(
                "{{context: docker, github: {{repository: {github}, workflow: {workflow}}}}}"
            );
            images += &format!(
                "    - {{name: {name}, repository: \"{repository}\", tag: \"16\", keep: 1, build: {build}}}\n"
            );
            let stack_file = match *name {
                "env" => format!(", stackFile: {{path: {INPUTS}/{STACK_FILE}, service: env}}"),
                _ => String::new(),
            };
            services += &format!(
                "    - {{name: {}, image: {name}{stack_file}}}\n",
                self.story.service(name)
            );
        }
        let nodes = match &self.story.world {
            World::Lab(_) => {
                "    - {selector: {role: worker}, engine: \"ssh://root@{hostname}\", login: true}\n"
                    .to_owned()
            }
            World::Sim(_) => format!(
                "    - {{name: docker-infra-2, engine: \"{}\"}}\n",
                self.story.world.engine(2)
            ),
        };
        let text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: {}}}\nspec:\n  swarm: {{endpoint: \"{}\"}}\n  registries:\n{registries}  images:\n{images}  nodes:\n{nodes}  services:\n{services}",
            self.story.name,
            self.story.world.endpoint(),
        );
        std::fs::write(self.story.file("imgstack.yaml"), text).unwrap();
    }

    /// Where the service `env` is deployed from, with a secret beside it.
    fn write_stack_file(&self) {
        let host = self.source("env").door.address();
        let (path, secret) = (self.story.path(), self.marks.secret("stack"));
        let text = format!(
            "services:\n  env:\n    environment: [\"PASSWORD={secret}\"]\n    \
             image: {host}/{path}:16\n    command: [serve, --token, {secret}]\n"
        );
        std::fs::write(self.input(STACK_FILE), text).unwrap();
    }

    /// Fails the test if a secret is in the text.
    #[track_caller]
    fn is_clean(&self, what: &str, text: &[u8]) {
        assert_eq!(self.marks.found_in(text), None, "a secret is in: {what}");
    }

    /// Runs a command, and searches what it says.
    #[track_caller]
    fn run(&self, ran: &mut Ran, command: &str, args: &[&str], code: i32) {
        let words: Vec<&str> = command.split(' ').chain(args.iter().copied()).collect();
        let run = self.story.imgstack(&words).expect(code);
        self.is_clean(command, run.stdout.as_bytes());
        self.is_clean(command, run.stderr.as_bytes());
        ran.0.insert(command.to_owned());
    }
}

/// The commands that have run.
#[derive(Default)]
struct Ran(BTreeSet<String>);

fn without_a_cluster(stage: &Stage, ran: &mut Ran) {
    stage.run(ran, "schema", &[], 0);
    stage.run(ran, "validate", &[], 0);
    stage.run(ran, "generate cloud-init", &[], 0);
    let root = ["env", "--root", ".", "-f", "ghcr.yaml"];
    stage.run(ran, "generate workflow", &root, 0);
    let action = "acme/imgstack@0123456789abcdef0123456789abcdef01234567";
    let root = ["--root", ".", "--action", action];
    stage.run(ran, "generate review-action", &root, 0);
    for form in ["human", "json", "markdown", "html"] {
        let specs = ["/dev/null", "imgstack.yaml", "--text", "-o", form];
        stage.run(ran, "diff", &specs, 0);
    }
    stage.run(ran, "graph", &[], 0);
    stage.run(ran, "demo", &[], 0);
}

/// By hand, and by a workflow.
fn builds(stage: &Stage, ran: &mut Ran) {
    // The simulation's engines build nothing.
    let code = match stage.story.world {
        World::Lab(_) => 0,
        World::Sim(_) => 1,
    };
    stage.run(ran, "build", &["env", "--tag", "16-trial"], code);
    if code == 0 {
        let name = format!(
            "{}/{}:16-trial",
            stage.source("env").door.address(),
            stage.story.path()
        );
        stage.story.world.docker(&["image", "rm", &name]);
    }
    stage.run(ran, "rebuild", &["env"], 0);
    stage.run(ran, "rebuild", &["env", "-o", "ndjson"], 0);
}

/// From a plan to the end: in the first round the services get another build,
/// in the second another credential before that.
fn everything(stage: &Stage, ran: &mut Ran, round: usize) {
    stage.run(ran, "auth check", &[], 0);
    stage.run(ran, "auth check", &["-o", "json"], 0);
    if round > 0 {
        stage.run(ran, "auth rotate", &["--auto-approve"], 0);
    }
    stage.run(ran, "plan", &["--out", "p.json"], 0);
    stage.run(ran, "plan", &["-o", "json"], 0);
    stage.run(ran, "show", &["p.json"], 0);
    for form in ["json", "markdown", "html"] {
        stage.run(ran, "show", &["p.json", "-o", form], 0);
    }
    stage.run(ran, "graph", &["p.json", "-o", "svg"], 0);
    let on = ["p.json", "--repository", GitHub::REPOSITORY];
    let by = ["--pull-request", "7", "--token-env", COMMENTS];
    stage.run(ran, "comment", &[&on[..], &by].concat(), 0);
    match round {
        0 => stage.run(ran, "apply", &["p.json", "-o", "ndjson"], 0),
        _ => stage.run(ran, "apply", &["--auto-approve", "-o", "json"], 0),
    }
    stage.run(ran, "status", &[], 0);
    stage.run(ran, "status", &["-o", "json"], 0);
    for source in SOURCES {
        stage.run(ran, "tags", &[source, "--all", "--details"], 0);
        stage.run(ran, "tags", &[source, "-o", "json"], 0);
    }
    stage.run(ran, "history", &[], 0);
    stage.run(ran, "history", &["-o", "json"], 0);
    stage.run(ran, "history", &["1"], 0);
    stage.run(ran, "unlock", &[], 0);
    pins(stage, ran);
    stage.run(ran, "plan", &["--detailed-exitcode"], 0);
    // A plan that is stale says what moved.
    stage.run(ran, "apply", &["p.json"], 1);
}

/// A diff shows the lines around a change, which hold what stack files hold.
fn pins(stage: &Stage, ran: &mut Ran) {
    let service = stage.story.service("env");
    stage.write_stack_file();
    for dry in [&["--dry-run"][..], &[]] {
        let with = |args: &[&'static str]| [args, dry].concat();
        stage.run(ran, "pin", &with(&["env", "16-9b1d2e7"]), 0);
        stage.run(
            ran,
            "rollback",
            &[&[&*service, "--to", "16-9b1d2e7"], dry].concat(),
            0,
        );
        stage.run(ran, "unpin", &with(&["env"]), 0);
    }
    // What is no reference is not shown.
    let secret = stage.marks.secret("image");
    std::fs::write(
        stage.input(STACK_FILE),
        format!("services: {{env: {{image: \"{secret} {secret}\"}}}}\n"),
    )
    .unwrap();
    stage.run(ran, "plan", &[], 0);
    stage.run(ran, "pin", &["env", "16-9b1d2e7"], 1);
    stage.run(ran, "unpin", &["env"], 1);
    stage.write_stack_file();
}

/// What goes wrong with a secret is told without it.
fn refused(stage: &Stage, ran: &mut Ran) {
    stage.sources.iter().for_each(|it| it.guest.revoke());
    stage.run(ran, "plan", &[], 1);
    stage.run(ran, "diff", &["/dev/null", "imgstack.yaml", "--live"], 1);
    let on = ["p.json", "--repository", "acme/other"];
    let by = ["--pull-request", "7", "--token-env", COMMENTS];
    stage.run(ran, "comment", &[&on[..], &by].concat(), 1);
    stage.run(ran, "apply", &["--auto-approve"], 1);
    stage.run(ran, "auth check", &[], 1);
    stage.run(ran, "auth rotate", &["--auto-approve"], 1);
    stage.run(ran, "status", &[], 1);
    stage.run(ran, "build", &["env", "--tag", "16-trial"], 1);
    stage.run(ran, "tags", &["env"], 1);
}

/// The commands that imgstack itself lists, those without commands of their own.
fn leaves(story: &Story, of: &[&str], found: &mut BTreeSet<String>) {
    let help = story.imgstack(&[of, &["--help"]].concat()).expect(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed: Vec<&str> = listed
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if listed.is_empty() {
        found.insert(of.join(" "));
    }
    for command in listed {
        leaves(story, &[of, &[command]].concat(), found);
    }
}

/// The stack file among those inputs.
const STACK_FILE: &str = "stack.yml";
/// The folder of files that hold secrets on purpose.
const INPUTS: &str = "inputs";
/// The folder therein that stands for a user's own in memory.
const RUNTIME: &str = "runtime";
