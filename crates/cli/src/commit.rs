//! Which commit the spec is of.

use std::path::Path;

use imgstack_planner::Commit;

use crate::args::SpecArgs;
use crate::build::git;
use crate::input;

/// The commit of the folder of the spec, and whether something there is not as
/// in the commit. None without git, for standard input, and for files of
/// several commits.
pub(crate) async fn of(spec: &SpecArgs) -> Option<Commit> {
    let mut found: Option<Commit> = None;
    for path in input::named(spec) {
        // Git takes what it is given from the folder's point of view.
        let path = path.canonicalize().ok()?;
        let folder = match path.is_dir() {
            true => path.as_path(),
            false => path.parent().unwrap_or(Path::new("/")),
        };
        let commit = git::look(folder, &path).await.ok()?.commit;
        let dirty = commit.is_dirty();
        match &mut found {
            Some(known) if known.id == commit.hash => known.dirty |= dirty,
            Some(_) => return None,
            None => {
                let id = commit.hash;
                found = Some(Commit { id, dirty });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, args: &[&str]) {
        let own = ["-c", "user.name=A", "-c", "user.email=a@test", "-C"];
        let mut command = Command::new("git");
        command.args(own).arg(folder).args(args);
        assert!(command.status().unwrap().success(), "{args:?}");
    }

    async fn commit(files: &[PathBuf]) -> Option<Commit> {
        let file = files.to_vec();
        of(&SpecArgs { file }).await
    }

    #[tokio::test]
    async fn the_commit_of_the_folder_and_whether_it_is_just_that() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str| home.path().join(name);
        let (one, two) = (file("one/a.yaml"), file("one/b.yaml"));
        std::fs::create_dir_all(file("one")).unwrap();
        for path in [&one, &two] {
            std::fs::write(path, "a: 1\n").unwrap();
        }
        assert_eq!(commit(std::slice::from_ref(&one)).await, None);
        git(home.path(), &["init", "--quiet"]);
        git(home.path(), &["add", "."]);
        git(home.path(), &["commit", "--quiet", "-m", "one"]);
        let clean = commit(&[one.clone(), two.clone()]).await.unwrap();
        assert_eq!((clean.id.len(), clean.dirty), (40, false));
        assert_eq!(commit(&[file("one")]).await.unwrap(), clean);
        // What lies elsewhere does not count, nor what git ignores.
        std::fs::write(file("notes"), "").unwrap();
        std::fs::write(file(".git/info/exclude"), "*.log\n").unwrap();
        std::fs::write(file("one/a.log"), "").unwrap();
        assert!(!commit(std::slice::from_ref(&one)).await.unwrap().dirty);
        std::fs::write(&one, "a: 2\n").unwrap();
        let dirty = commit(&[two, one]).await.unwrap();
        assert_eq!((dirty.id, dirty.dirty), (clean.id, true));
        assert_eq!(commit(&[PathBuf::from("-")]).await, None);
        assert_eq!(commit(&[file("none.yaml")]).await, None);
    }
}
