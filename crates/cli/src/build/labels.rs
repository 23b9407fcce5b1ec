//! What a build tells of itself: the labels of the OCI image specification
//! (`annotations.md`), which other tools know as well.

use imgstack_spec::{Digest, ImageRef, Tag};
use jiff::Timestamp;

use super::git::{Commit, DIRTY};

/// What the names of all of them begin with.
pub(super) const PREFIX: &str = "org.opencontainers.image.";

/// What goes into the labels.
pub(super) struct Told<'a> {
    pub(super) created: Timestamp,
    pub(super) version: &'a Tag,
    pub(super) commit: Option<&'a Commit>,
    pub(super) source: Option<&'a str>,
    pub(super) base: Option<(&'a ImageRef, &'a Digest)>,
}

/// The labels, by the rest of their names. What is not known is empty rather than left out: a build takes
/// over the labels of its base, whose commit and whose base are not its own.
pub(super) fn labels(told: &Told<'_>) -> [(&'static str, String); 6] {
    let (name, digest) = told.base.unzip();
    let text = |it: Option<&dyn ToString>| it.map(ToString::to_string).unwrap_or_default();
    [
        ("created", told.created.to_string()),
        ("version", told.version.to_string()),
        ("revision", told.commit.map(revision).unwrap_or_default()),
        ("source", told.source.unwrap_or_default().to_owned()),
        ("base.name", text(name.map(|it| it as _))),
        ("base.digest", text(digest.map(|it| it as _))),
    ]
}

/// The commit; with changes since it is another text than that of any commit.
pub(super) fn revision(commit: &Commit) -> String {
    match commit.is_dirty() {
        true => format!("{}{DIRTY}", commit.short()),
        false => commit.hash.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_tells() {
        let tag: Tag = "16".parse().unwrap();
        let base: ImageRef = "postgres:16-alpine".parse().unwrap();
        let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let mut commit = Commit {
            hash: hash.to_owned(),
            changed: Vec::new(),
        };
        let value = |commit: Option<&Commit>, name: &str| {
            let told = Told {
                created: "2026-02-09T04:00:00Z".parse().unwrap(),
                version: &tag,
                commit,
                source: commit.map(|_| "https://git.test/a/b"),
                base: commit.map(|_| (&base, &digest)),
            };
            let labels = labels(&told);
            let found = labels.into_iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            value(Some(&commit), "created"),
            some("2026-02-09T04:00:00Z")
        );
        assert_eq!(value(Some(&commit), "version"), some("16"));
        assert_eq!(value(Some(&commit), "revision"), some(hash));
        assert_eq!(value(Some(&commit), "source"), some("https://git.test/a/b"));
        let name = "docker.io/library/postgres:16-alpine";
        assert_eq!(value(Some(&commit), "base.name"), some(name));
        assert_eq!(value(Some(&commit), "base.digest"), some(digest.as_str()));
        commit.changed.push("Dockerfile".to_owned());
        assert_eq!(value(Some(&commit), "revision"), some("0123456-dirty"));
        // Empty, so that those of the base do not show.
        assert_eq!(value(None, "revision"), some(""));
        assert_eq!(value(None, "source"), some(""));
        assert_eq!(value(None, "base.name"), some(""));
        assert_eq!(value(None, "base.digest"), some(""));
    }
}
