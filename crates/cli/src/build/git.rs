//! Which commit a folder is, and whether it is just that: what `git` says.
//!
//! Without an answer nothing is claimed: no commit, and so no tag that bears
//! one.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::ignored::DockerIgnore;
use super::program::{Said, ask};

/// Git reads a large work tree in less.
const LIMIT: Duration = Duration::from_secs(30);
/// Of these git would take its word where the work tree is, rather than ours.
const ELSEWHERE: [&str; 5] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
];
/// As many digits as GitHub's workflows and people write.
const SHORT: usize = 7;
/// What a commit is called with changes since.
pub(super) const DIRTY: &str = "-dirty";

/// A commit, and what has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// All of its hexadecimal digits.
    pub(crate) hash: String,
    /// What of the build is not as in the commit, as git names it.
    pub(crate) changed: Vec<String>,
}

/// What is known of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) commit: Commit,
    /// Where it was cloned from, as a link for people; without credentials.
    pub(super) source: Option<String>,
}

/// How the commit of a folder stands to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the same, or newer.
    Level,
    /// The other one was made upon it.
    Older,
    /// Neither was made upon the other.
    Apart,
    /// The other one is not known here.
    Unknown,
}

impl Commit {
    /// The commit as a tag names it.
    pub(crate) fn short(&self) -> &str {
        self.hash.get(..SHORT).unwrap_or(&self.hash)
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.changed.is_empty()
    }
}

/// Asks git about a folder and about a file that belongs to it. The error is
/// why nothing is known, in words.
pub(crate) async fn look(folder: &Path, file: &Path) -> Result<Tree, String> {
    let hash = git(folder, &["rev-parse", "--verify", "HEAD^{commit}"]).await?;
    if !hash.success {
        return Err(no_commit(folder, &hash));
    }
    let status = status(folder, file, "--ignored=no").await?;
    let remote = git(folder, &["remote", "get-url", "origin"]).await?;
    let changed = status.lines().filter_map(|line| line.get(3..));
    Ok(Tree {
        commit: Commit {
            hash: hash.stdout.trim().to_owned(),
            changed: changed.map(str::to_owned).collect(),
        },
        source: Some(remote)
            .filter(|remote| remote.success)
            .and_then(|remote| link(remote.stdout.trim())),
    })
}

/// The same for a folder that is built: a file that git ignores is built all
/// the same, unless docker ignores it as well.
pub(super) async fn look_built(context: &Path, dockerfile: &Path) -> Result<Tree, String> {
    let mut tree = look(context, dockerfile).await?;
    let status = status(context, dockerfile, "--ignored=matching").await?;
    let prefix = git(context, &["rev-parse", "--show-prefix"]).await?;
    if !prefix.success {
        return Err(silent(&prefix));
    }
    let prefix = prefix.stdout.trim_end_matches('\n');
    let docker = DockerIgnore::of(context, dockerfile);
    let is_built = |path: &&str| match path.strip_prefix(prefix) {
        Some(path) => !docker.leaves_out(path),
        None => true,
    };
    let ignored = status.lines().filter_map(|line| line.strip_prefix("!! "));
    let built = ignored.filter(is_built).map(str::to_owned);
    tree.commit.changed.extend(built);
    Ok(tree)
}

async fn status(folder: &Path, file: &Path, ignored: &str) -> Result<String, String> {
    let file = file.to_string_lossy();
    let said = [
        "-c",
        "core.quotePath=false",
        "status",
        "--porcelain",
        "--untracked-files=normal",
        ignored,
        "--",
        ".",
        &file,
    ];
    let said = git(folder, &said).await?;
    match said.success {
        true => Ok(said.stdout),
        false => Err(silent(&said)),
    }
}

fn silent(said: &Said) -> String {
    format!("git does not tell what changed: {}", said.complaint())
}

/// How `own` stands to what another build says of its commit.
pub(super) async fn compare(folder: &Path, own: &Commit, other: &str) -> Standing {
    let other = other.strip_suffix(DIRTY).unwrap_or(other);
    // Not a word that git would take for an option or a branch.
    if other.len() < SHORT || !other.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Standing::Unknown;
    }
    let wanted = format!("{other}^{{commit}}");
    let other = match git(folder, &["rev-parse", "--verify", "--quiet", &wanted]).await {
        Ok(said) if said.success => said.stdout.trim().to_owned(),
        Ok(_) | Err(_) => return Standing::Unknown,
    };
    if other == own.hash {
        return Standing::Level;
    }
    let (ours, theirs) = (own.hash.as_str(), other.as_str());
    match (
        is_ancestor(folder, ours, theirs).await,
        is_ancestor(folder, theirs, ours).await,
    ) {
        (Some(true), _) => Standing::Older,
        (_, Some(true)) => Standing::Level,
        (Some(false), Some(false)) => Standing::Apart,
        (None, _) | (_, None) => Standing::Unknown,
    }
}

/// None: git does not tell.
async fn is_ancestor(folder: &Path, first: &str, later: &str) -> Option<bool> {
    let arguments = ["merge-base", "--is-ancestor", first, later];
    let said = git(folder, &arguments).await.ok()?;
    // "No" is told by the exit code alone, and an error with words.
    match said.success {
        true => Some(true),
        false => said.stderr.trim().is_empty().then_some(false),
    }
}

/// What git says in a folder. The error is why it says nothing, in words.
pub(crate) async fn git(folder: &Path, args: &[&str]) -> Result<Said, String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(args)
        // Its words are read here, and a lock of the index is not needed.
        .envs([
            ("LC_ALL", "C"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ]);
    for variable in ELSEWHERE {
        command.env_remove(variable);
    }
    ask(command, LIMIT)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => "git is not installed".to_owned(),
            _ => format!("git does not answer: {error}"),
        })
}

fn no_commit(folder: &Path, said: &Said) -> String {
    let complaint = said.complaint();
    if complaint.contains("not a git repository") {
        format!("{} is in no git repository", folder.display())
    } else if complaint.contains("Needed a single revision") {
        "there is no commit yet".to_owned()
    } else {
        format!("git does not tell the commit: {complaint}")
    }
}

/// The address of a clone as a link: without a user, who may have a password,
/// and in https.
fn link(address: &str) -> Option<String> {
    let (host, path) = match address.split_once("://") {
        Some(("http" | "https" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // As scp writes it.
        None => address.split_once(':')?,
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = match address.starts_with("http") {
        true => host,
        // The port is ssh's.
        false => host.split(':').next().unwrap_or(host),
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    (plain(host) && plain(path) && host.len() > 1).then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_no_credential() {
        let table = [
            (
                "https://github.com/acme/web.git",
                Some("https://github.com/acme/web"),
            ),
            (
                "https://robot:s3cret@git.test:8443/a/b",
                Some("https://git.test:8443/a/b"),
            ),
            ("https://s3cret@git.test/a/b/", Some("https://git.test/a/b")),
            (
                "https://git.test/a/b.git?token=s3cret",
                Some("https://git.test/a/b"),
            ),
            (
                "git@github.com:acme/web.git",
                Some("https://github.com/acme/web"),
            ),
            (
                "ssh://git@github.com:22/acme/web.git",
                Some("https://github.com/acme/web"),
            ),
            ("git://git.test/a/b", Some("https://git.test/a/b")),
            ("/srv/git/web.git", None),
            ("../web", None),
            ("file:///srv/git/web.git", None),
            ("C:\\git\\web", None),
            ("https://git.test", None),
            ("", None),
        ];
        for (address, expected) in table {
            assert_eq!(link(address).as_deref(), expected, "{address}");
        }
    }

    async fn run(folder: &Path, args: &[&str]) {
        let own = ["-c", "user.name=A", "-c", "user.email=a@test"];
        let said = git(folder, &[&own[..], args].concat()).await.unwrap();
        assert!(said.success, "{args:?}: {}", said.complaint());
    }

    #[tokio::test]
    async fn only_what_is_built_makes_a_tree_dirty() {
        let home = tempfile::tempdir().unwrap();
        let (root, context) = (home.path(), home.path().join("docker"));
        let dockerfile = root.join("Dockerfile");
        let look = || look(&context, &dockerfile);
        std::fs::create_dir(&context).unwrap();
        assert!(
            look()
                .await
                .unwrap_err()
                .ends_with("is in no git repository")
        );
        run(root, &["init", "--quiet"]).await;
        assert_eq!(look().await.unwrap_err(), "there is no commit yet");
        std::fs::write(&dockerfile, "FROM scratch\n").unwrap();
        std::fs::write(context.join("a"), "1").unwrap();
        run(root, &["add", "."]).await;
        run(root, &["commit", "--quiet", "-m", "one"]).await;
        run(root, &["remote", "add", "origin", "git@git.test:a/b"]).await;
        let tree = look().await.unwrap();
        assert!(!tree.commit.is_dirty());
        assert_eq!((tree.commit.hash.len(), tree.commit.short().len()), (40, 7));
        assert_eq!(tree.source.as_deref(), Some("https://git.test/a/b"));
        std::fs::write(root.join("README"), "not built").unwrap();
        assert!(!look().await.unwrap().commit.is_dirty());
        for (file, text) in [
            ("docker/a", "2"),
            ("docker/new", ""),
            ("Dockerfile", "FROM a\n"),
        ] {
            let path = root.join(file);
            let before = std::fs::read(&path).ok();
            std::fs::write(&path, text).unwrap();
            let commit = look().await.unwrap().commit;
            assert_eq!(commit.changed, [file]);
            match before {
                Some(before) => std::fs::write(&path, before).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            assert!(!look().await.unwrap().commit.is_dirty(), "{file}");
        }
    }
}
