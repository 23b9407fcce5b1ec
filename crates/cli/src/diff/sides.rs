//! The older and the newer spec, from where they are.

use std::io;
use std::path::{Path, PathBuf};

use imgstack_spec::{Input, StackSet, is_yaml, load};

use super::error::DiffError;
use super::revision;
use crate::problem::Problem;

/// Stands for standard input.
const STDIN: &str = "-";
/// Stands for no spec at all, as in git's own diffs.
const NOTHING: &str = "/dev/null";

/// A text, and what tells it from the others of its side: the texts of both
/// sides with the same key are two states of one file.
pub(crate) struct Text {
    pub(crate) key: PathBuf,
    pub(crate) input: Input,
}

/// One of the two specs.
pub(crate) struct Side {
    /// Where it was read, for people.
    pub(crate) words: String,
    /// Its texts. None at all is a spec with nothing in it.
    pub(crate) texts: Vec<Text>,
}

/// Both specs.
pub(crate) struct Sides {
    pub(crate) old: Side,
    pub(crate) new: Side,
}

impl Side {
    /// What it says.
    pub(crate) fn set(&self) -> Result<StackSet, Problem> {
        if self.texts.is_empty() {
            return Ok(StackSet::default());
        }
        let inputs: Vec<Input> = self.texts.iter().map(|it| it.input.clone()).collect();
        Ok(imgstack_spec::read(&inputs)?)
    }
}

/// Two files, two folders, or one of each.
pub(crate) fn two(old: &Path, new: &Path) -> Result<Sides, DiffError> {
    if old.as_os_str() == STDIN && new.as_os_str() == STDIN {
        return Err(DiffError::BothStdin);
    }
    let mut sides = Sides {
        old: side(old),
        new: side(new),
    };
    // Two files are two states of one, whatever they are called.
    if let ([old], [new]) = (&sides.old.texts[..], &mut sides.new.texts[..]) {
        new.key.clone_from(&old.key);
    }
    Ok(sides)
}

fn side(path: &Path) -> Side {
    let inputs = match path.as_os_str() == NOTHING {
        true => Vec::new(),
        false => load(&[path.to_owned()], io::stdin()),
    };
    let texts = inputs.into_iter().map(|input| {
        let file = input.file().unwrap_or(Path::new(STDIN));
        let key = file.strip_prefix(path).unwrap_or(file).to_owned();
        Text { key, input }
    });
    Side {
        words: words(path),
        texts: texts.collect(),
    }
}

fn words(path: &Path) -> String {
    match path.as_os_str() == STDIN {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// The files as they are, and as they were at a revision.
pub(crate) async fn since(rev: &str, paths: &[PathBuf]) -> Result<Sides, DiffError> {
    let mut then = Side {
        words: rev.to_owned(),
        texts: Vec::new(),
    };
    let mut now = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            return Err(DiffError::Stdin);
        }
        let was = revision::read(rev, path).await?;
        match (is_there(path), was.texts.is_empty()) {
            (true, _) => now.push(path.clone()),
            (false, false) => {}
            (false, true) if path.is_dir() => now.push(path.clone()),
            (false, true) => {
                return Err(DiffError::Nowhere {
                    path: path.clone(),
                    rev: rev.to_owned(),
                });
            }
        }
        then.words = was.words;
        let is_new = |text: &Text| then.texts.iter().all(|it| it.key != text.key);
        let texts: Vec<Text> = was.texts.into_iter().filter(is_new).collect();
        then.texts.extend(texts);
    }
    let texts = load(&now, io::empty()).into_iter().map(|input| {
        let file = input.file().unwrap_or(Path::new(STDIN));
        let key = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Text { key, input }
    });
    let named: Vec<_> = paths.iter().map(|it| it.display().to_string()).collect();
    Ok(Sides {
        old: then,
        new: Side {
            words: named.join(", "),
            texts: texts.collect(),
        },
    })
}

/// Whether there is something to read now. What cannot be looked at is said to
/// be there: reading it tells why not.
fn is_there(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(entries) => entries
            .filter_map(Result::ok)
            .any(|it| is_yaml(&it.path()) && it.path().is_file()),
        Err(_) => !matches!(path.try_exists(), Ok(false)),
    }
}
