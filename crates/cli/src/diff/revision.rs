//! Specs as they were at a revision, by git.
//!
//! The revision becomes a hash first, so that nothing that was typed is taken
//! for an option, and what is read is read from one commit.
//!
//! Deliberately absent: filters of git's (line ends, encryption). What is read
//! is what was committed.

use std::path::{Path, PathBuf};

use imgstack_spec::{Input, is_yaml};
use thiserror::Error;

use super::error::DiffError;
use super::sides::Text;
use crate::build::git::git;

/// A larger file is not read at all.
const MOST_BYTES: u64 = 8 << 20;

/// Git does not know a revision.
#[derive(Debug, Error)]
#[error("git knows no commit `{rev}` here{}", if *is_shallow { ": the clone is shallow" } else { "" })]
pub(crate) struct UnknownRevision {
    rev: String,
    is_shallow: bool,
    /// The branch of `origin` of that name is known.
    is_remote: bool,
}

impl UnknownRevision {
    pub(crate) fn hint(&self) -> String {
        let Self {
            rev,
            is_shallow,
            is_remote,
        } = self;
        if *is_remote {
            return format!("did you mean `--base origin/{rev}`?");
        }
        let name = rev.strip_prefix("origin/").unwrap_or(rev);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
        let is_name = !name.is_empty() && !name.starts_with('-') && name.chars().all(plain);
        match (is_name && name != "HEAD", is_shallow) {
            // What was fetched has that name whatever the clone fetches by itself.
            (true, _) if name == rev => {
                format!("fetch it: git fetch origin {name}; then compare with --base FETCH_HEAD")
            }
            (true, _) => format!(
                "fetch it: git fetch origin {name}; if it is not known then, compare with --base \
                 FETCH_HEAD"
            ),
            (false, true) => "fetch its history: git fetch --unshallow origin".to_owned(),
            (false, false) => "see which commits there are: git log --oneline".to_owned(),
        }
    }
}

/// What there is at a revision, of one path.
pub(super) struct Then {
    /// The revision, for people: `main (9f1fcb5)`.
    pub(super) words: String,
    /// The files. Empty: there was none.
    pub(super) texts: Vec<Text>,
}

/// Reads a file, or the files of a folder, as they were.
pub(super) async fn read(rev: &str, path: &Path) -> Result<Then, DiffError> {
    let place = Place::of(path);
    let commit = resolve(rev, &place.folder).await?;
    let words = format!("{rev} ({})", commit.get(..7).unwrap_or(&commit));
    let named = |name: &Path| format!("{rev}:{}", name.display());
    let mut found = Vec::new();
    let own = match place.rest.as_os_str().is_empty() {
        true => None,
        false => entries(&place, &commit, &place.rest.display().to_string())
            .await?
            .into_iter()
            .next(),
    };
    match own {
        Some(entry) if entry.kind != "tree" => {
            found.push((path.to_owned(), place.real(), entry));
        }
        _ => {
            let folder = match place.rest.as_os_str().is_empty() {
                true => String::new(),
                false => format!("{}/", place.rest.display()),
            };
            let mut inside = entries(&place, &commit, &folder).await?;
            inside.retain(|entry| is_yaml(Path::new(&entry.name)) && entry.kind != "tree");
            for entry in inside {
                let file = Path::new(&entry.name).file_name().unwrap_or_default();
                found.push((path.join(file), place.real().join(file), entry));
            }
        }
    }
    let mut texts = Vec::new();
    for (path, key, entry) in found {
        let name = named(&path);
        let bytes = blob(&place.folder, &name, &entry).await?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let input = Input::new(name, bytes).in_folder(folder);
        texts.push(Text { key, input });
    }
    Ok(Then { words, texts })
}

/// Where git is asked, and for what.
struct Place {
    /// A folder that is there now.
    folder: PathBuf,
    /// What is below it, which need not be there now. Empty: the folder.
    rest: PathBuf,
}

impl Place {
    /// Links are followed as far as they are there now.
    fn of(path: &Path) -> Self {
        let mut folder = path.to_owned();
        let mut rest = PathBuf::new();
        loop {
            let real = match folder.as_os_str().is_empty() {
                true => Path::new(".").canonicalize(),
                false => folder.canonicalize(),
            };
            match (real, folder.file_name()) {
                (Ok(real), _) if real.is_dir() => return Self { folder: real, rest },
                // The file itself may be a link to another folder.
                (Ok(real), _) => {
                    let name = real.file_name().map(PathBuf::from).unwrap_or_default();
                    rest = below(&name, &rest);
                    folder = real.parent().map(Path::to_owned).unwrap_or_default();
                }
                (Err(_), Some(name)) => {
                    rest = below(Path::new(name), &rest);
                    folder.pop();
                }
                (Err(_), None) => return Self { folder, rest },
            }
        }
    }

    /// What tells files apart, whatever they were called by.
    fn real(&self) -> PathBuf {
        below(&self.folder, &self.rest)
    }
}

/// A path in a folder; an empty one is the folder, without a stroke behind it.
fn below(folder: &Path, path: &Path) -> PathBuf {
    match path.as_os_str().is_empty() {
        true => folder.to_owned(),
        false => folder.join(path),
    }
}

/// The commit that a revision means.
async fn resolve(rev: &str, folder: &Path) -> Result<String, DiffError> {
    let verify = async |rev: &str| {
        let wanted = format!("{rev}^{{commit}}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        let said = git(folder, &args).await.map_err(DiffError::Git)?;
        Ok::<_, DiffError>(said)
    };
    let said = verify(rev).await?;
    if said.success {
        return Ok(said.stdout.trim().to_owned());
    }
    let args = ["rev-parse", "--is-shallow-repository"];
    let shallow = git(folder, &args).await.map_err(DiffError::Git)?;
    if !shallow.success {
        let complaint = shallow.complaint();
        return Err(DiffError::Git(
            match complaint.contains("not a git repository") {
                true => format!("{} is in no git repository", folder.display()),
                false => format!("git does not tell: {complaint}"),
            },
        ));
    }
    Err(UnknownRevision {
        rev: rev.to_owned(),
        is_shallow: shallow.stdout.trim() == "true",
        is_remote: verify(&format!("refs/remotes/origin/{rev}")).await?.success,
    }
    .into())
}

/// A file or a folder of a commit.
struct Entry {
    /// `blob`, `tree`, or `commit` for a submodule.
    kind: String,
    is_link: bool,
    id: String,
    bytes: u64,
    name: String,
}

/// What git lists below a path from the folder; empty: of the folder itself.
async fn entries(place: &Place, commit: &str, below: &str) -> Result<Vec<Entry>, DiffError> {
    let path = format!("./{below}");
    let mut args = vec!["ls-tree", "-z", "-l", commit];
    if !below.is_empty() {
        args.extend(["--", path.as_str()]);
    }
    let said = git(&place.folder, &args).await.map_err(DiffError::Git)?;
    if !said.success {
        let why = format!("git does not list it: {}", said.complaint());
        return Err(DiffError::Git(why));
    }
    Ok(said.stdout.split('\0').filter_map(entry).collect())
}

/// `100644 blob ID SIZE<tab>NAME`
fn entry(line: &str) -> Option<Entry> {
    let (facts, name) = line.split_once('\t')?;
    let mut facts = facts.split_ascii_whitespace();
    let (mode, kind, id) = (facts.next()?, facts.next()?, facts.next()?);
    Some(Entry {
        kind: kind.to_owned(),
        is_link: mode == "120000",
        id: id.to_owned(),
        // A folder has none.
        bytes: facts.next()?.parse().unwrap_or_default(),
        name: name.to_owned(),
    })
}

async fn blob(folder: &Path, name: &str, entry: &Entry) -> Result<Vec<u8>, DiffError> {
    let name = name.to_owned();
    if entry.is_link || entry.kind != "blob" {
        return Err(DiffError::NoFile { name });
    }
    if entry.bytes > MOST_BYTES {
        let bytes = entry.bytes;
        return Err(DiffError::TooLarge { name, bytes });
    }
    let said = git(folder, &["cat-file", "blob", &entry.id]).await;
    let said = said.map_err(DiffError::Git)?;
    match said.success {
        true => Ok(said.bytes),
        false => Err(DiffError::Git(format!(
            "git does not show {name}: {}",
            said.complaint()
        ))),
    }
}
