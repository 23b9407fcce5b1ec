//! A text in the place of a file, whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A text that lies beside the file that it is to replace.
pub(super) struct Staged {
    text: NamedTempFile,
    /// The file itself, where the path is a link.
    file: PathBuf,
    /// What it held when it was read.
    before: String,
}

impl Staged {
    /// Writes the text beside the file, with the file's mode and, as far as
    /// that is allowed, its owner.
    pub(super) fn beside(path: &Path, before: &str, after: &str) -> io::Result<Self> {
        let file = fs::canonicalize(path)?;
        // A folder that may be written to is no leave to write to a file in it.
        let old = OpenOptions::new().write(true).open(&file)?.metadata()?;
        if !old.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let folder = file.parent().unwrap_or(Path::new("/"));
        let mut text = tempfile::Builder::new()
            .prefix(".imgstack-")
            .tempfile_in(folder)?;
        text.write_all(after.as_bytes())?;
        let own = text.as_file().metadata()?;
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            // Only root may give a file away; the text is what counts.
            let _ = fchown(text.as_file(), Some(old.uid()), Some(old.gid()));
        }
        // Last: a change of the owner takes bits away.
        text.as_file().set_permissions(old.permissions())?;
        text.as_file().sync_all()?;
        Ok(Self {
            text,
            file,
            before: before.to_owned(),
        })
    }

    /// Puts the text in the place of the file, unless that was changed since it
    /// was read.
    pub(super) fn put(self) -> io::Result<()> {
        if fs::read(&self.file)? != self.before.as_bytes() {
            return Err(io::Error::other(
                "it was changed meanwhile, and is left as it is",
            ));
        }
        self.text.persist(&self.file).map_err(|error| error.error)?;
        // So that the name is on the disk as well; without it, the old text is.
        if let Some(folder) = self.file.parent() {
            let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
        Staged::beside(path, before, after)?.put()
    }

    /// The names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let file = inner.join("a.yaml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.yaml");
        symlink("inner/a.yaml", &link).unwrap();
        replace(&link, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        assert_eq!(names(&inner), ["a.yaml"]);
    }

    #[test]
    fn what_was_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "somebody's").unwrap();
        let error = replace(&file, "old", "new").unwrap_err();
        assert_eq!(
            error.to_string(),
            "it was changed meanwhile, and is left as it is"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's");
        assert_eq!(names(folder.path()), ["a.yaml"]);
        fs::remove_file(&file).unwrap();
        assert!(replace(&file, "old", "new").is_err());
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
