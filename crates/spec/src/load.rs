//! From paths to inputs: the part of reading that touches files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::reading::{MOST_BYTES, MOST_BYTES_OF_ONE};

/// The path that stands for standard input.
const STDIN: &str = "-";

/// More files than this in a folder are not a spec.
const MOST_FILES: usize = 1000;

/// A text to be read, or the reason why there is none: that is a mistake like
/// any other, and the other inputs are read all the same.
#[derive(Clone, Debug)]
pub struct Input {
    pub(crate) name: String,
    /// The file that it was read from, as it was named; None for standard
    /// input and for texts from elsewhere.
    pub(crate) file: Option<PathBuf>,
    /// The folder that paths in it start from. Empty: the working directory.
    pub(crate) folder: PathBuf,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Failed { message: String, help: String },
}

impl Input {
    /// A text under the name that diagnostics call it. Paths in it start from
    /// the working directory.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            file: None,
            folder: PathBuf::new(),
            content: Content::Bytes(bytes.into()),
        }
    }

    /// The same text, with the folder that paths in it start from.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { folder, ..self }
    }

    fn failed(name: String, message: String, help: &str) -> Self {
        let help = help.to_owned();
        Self {
            name,
            file: None,
            folder: PathBuf::new(),
            content: Content::Failed { message, help },
        }
    }

    /// What diagnostics call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it was read from, as it was named. None: it is no file, as
    /// standard input.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Its text, if it was read and is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Content::Failed { .. } => None,
        }
    }
}

/// Reads files, and the folders' files, in the order given; `-` is standard
/// input. A file that is named twice is read once.
///
/// Of a folder, these are its `*.yaml` and `*.yml` files by name, without
/// hidden ones and without folders in it. Once the files are together larger
/// than [`read`](crate::read) takes, no more are read: it tells which was the
/// first too many.
pub fn load(paths: &[PathBuf], mut stdin: impl Read) -> Vec<Input> {
    let mut loaded = Loaded::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            if loaded.is_new(PathBuf::from(STDIN)) {
                loaded.push(input("<stdin>".to_owned(), bytes(&mut stdin)));
            }
            continue;
        }
        match files(path) {
            Ok(files) => {
                for file in files {
                    // What cannot be resolved cannot be read, which is told then.
                    let real = file.canonicalize().unwrap_or_else(|_| file.clone());
                    if loaded.is_new(real) {
                        let content = File::open(&file).and_then(bytes);
                        let mut input = input(file.display().to_string(), content);
                        input.folder = file.parent().map(Path::to_owned).unwrap_or_default();
                        input.file = Some(file);
                        loaded.push(input);
                    }
                }
            }
            Err(failed) => loaded.push(failed),
        }
    }
    loaded.inputs
}

#[derive(Default)]
struct Loaded {
    inputs: Vec<Input>,
    seen: BTreeSet<PathBuf>,
    size: usize,
}

impl Loaded {
    /// Whether a file is to be read: not yet read, and not beyond the bound.
    fn is_new(&mut self, path: PathBuf) -> bool {
        self.size <= MOST_BYTES && self.seen.insert(path)
    }

    fn push(&mut self, input: Input) {
        if let Content::Bytes(bytes) = &input.content {
            self.size += bytes.len();
        }
        self.inputs.push(input);
    }
}

/// The file itself, or the files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, Input> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let name = path.display().to_string();
    let entries = fs::read_dir(path).map_err(|error| unreadable(name.clone(), &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_yaml(path) && !is_special(path))
        .take(MOST_FILES + 1)
        .collect();
    files.sort();
    if files.is_empty() {
        let message = format!("the folder `{name}` holds no file *.yaml or *.yml");
        return Err(Input::failed(
            name,
            message,
            "folders in it are not searched: name them",
        ));
    }
    if files.len() > MOST_FILES {
        let message = format!("the folder `{name}` holds more than {MOST_FILES} YAML files");
        return Err(Input::failed(name, message, "name the files of the spec"));
    }
    Ok(files)
}

/// A folder, or a pipe or the like, which might never end. What cannot be
/// looked at is not: reading it tells why.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Whether [`load`] reads a file of that name when it is given the folder.
#[must_use]
pub fn is_yaml(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml"))
}

/// At most one byte more than is allowed, so that what is too large is noticed
/// without being held.
fn bytes(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MOST_BYTES_OF_ONE as u64 + 1;
    reader.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn input(name: String, content: io::Result<Vec<u8>>) -> Input {
    match content {
        Ok(bytes) => Input::new(name, bytes),
        Err(error) => unreadable(name, &error),
    }
}

fn unreadable(name: String, error: &io::Error) -> Input {
    let (reason, help) = match error.kind() {
        io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "name a file or a folder with -f, or `-` for standard input",
        ),
        io::ErrorKind::PermissionDenied => (
            "it may not be read".to_owned(),
            "change its permissions, or name another file with -f",
        ),
        _ => (error.to_string(), "name another file with -f"),
    };
    Input::failed(
        name.clone(),
        format!("cannot read `{name}`: {reason}"),
        help,
    )
}
