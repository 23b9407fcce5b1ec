//! A GitHub with one workflow, for what asks it: in real time, on a thread of
//! its own.

use std::sync::mpsc;
use std::time::Duration;

use imgstack_sim::github::{Repository, Script, Step, Token, Workflow};
use imgstack_sim::{Layout, World};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// A simulated GitHub, until it is dropped.
#[derive(Debug)]
pub struct GitHub {
    world: World,
    github: imgstack_sim::github::GitHub,
    _folder: TempDir,
}

impl GitHub {
    /// The repository that is there, as a spec names it.
    pub const REPOSITORY: &str = "acme/stacks";
    /// The file of its workflow.
    pub const WORKFLOW: &str = "build.yml";

    /// Starts it; `token` may start the workflow.
    ///
    /// # Panics
    /// Without a port or a folder.
    pub fn start(token: &str) -> Self {
        let (sender, receiver) = mpsc::channel();
        let token = token.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let github = Self::build(&token).await;
                let stop = github.world.server.stop.clone();
                sender.send(github).expect("somebody waits for it");
                stop.cancelled().await;
            });
        });
        receiver.recv().expect("a simulated GitHub")
    }

    /// Where it is, for the variable `IMGSTACK_ENDPOINTS`.
    pub fn endpoints(&self) -> String {
        self.world.endpoints()
    }

    /// Opens a pull request; the token is the one that a workflow has there.
    pub fn open(&self, number: u64, token: &str) {
        self.github.add_pull_request("acme", "stacks", number);
        let may = ["pull_requests:write", "issues:write"];
        let token = Token::of_workflow(token, &[Self::REPOSITORY], &may);
        self.github.add_token(token);
    }

    /// Merges it: it becomes that commit.
    pub fn merge(&self, number: u64, sha: &str) {
        self.github.merge("acme", "stacks", number, sha);
    }

    /// Writes a comment, as somebody does by hand.
    pub fn comment(&self, number: u64, author: &str, body: &str) {
        let place = ("acme", "stacks");
        self.github.add_comment(place, number, author, body);
    }

    /// Its comments: author and body.
    #[must_use]
    pub fn comments(&self, number: u64) -> Vec<(String, String)> {
        self.github.comments("acme", "stacks", number)
    }

    async fn build(token: &str) -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        let github = layout.add_github(None);
        let mut script = Script::new("build", vec![Step::new("Build and push", 1)]);
        script.queued = Duration::from_secs(1);
        let workflow = Workflow::new("Build", script);
        github.add_repository(Repository::new("acme", "stacks").with(Self::WORKFLOW, workflow));
        github.set_head("acme", "stacks", "main", &"abc1234".repeat(6)[..40]);
        let may = ["actions:write"];
        github.add_token(Token::fine_grained(
            "acme",
            token,
            &[Self::REPOSITORY],
            &may,
        ));
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            world: layout.start(folder.path()).await.expect("a world"),
            github,
            _folder: folder,
        }
    }
}
