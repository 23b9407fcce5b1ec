//! Specs in git: what changed since a revision.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::run::{git, imgstack, with};

/// A spec with one image, by its tag.
fn spec(name: &str, tag: &str) -> String {
    format!(
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: {name}}}\nspec:\n  \
         images: [{{name: {name}, repository: ghcr.io/acme/{name}, tag: '{tag}'}}]\n  \
         services: [{{name: {name}_a, image: {name}}}]\n"
    )
}

struct Repository(TempDir);

impl Repository {
    /// With `imgstack.yaml` of the tag 16 in its only commit.
    fn new() -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        git(own.path(), &["init", "--quiet"]);
        own.write("imgstack.yaml", &spec("db", "16"));
        own.commit();
        own
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn commit(&self) {
        git(self.path(), &["add", "--all"]);
        git(self.path(), &["commit", "--quiet", "-m", "one"]);
    }
}

const BASE: [&str; 3] = ["diff", "--base", "HEAD"];

fn base<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&BASE[..], more].concat()
}

#[test]
fn what_is_not_committed_is_the_change() {
    let own = Repository::new();
    let path = own.path();
    imgstack(path, &base(&["--detailed-exitcode"]))
        .ends(0)
        .says(&["No changes: the texts are the same."]);
    own.write("imgstack.yaml", &spec("db", "16-alpine"));
    for args in [&["diff"][..], &BASE, &["diff", "--base=main"]] {
        imgstack(path, args).ends(0).says(&[
            "~ image.db",
            "tag 16 -> 16-alpine",
            "+++ imgstack.yaml",
        ]);
    }
    imgstack(path, &base(&["--detailed-exitcode"]))
        .ends(2)
        .says(&["--- HEAD:imgstack.yaml"]);
    // The commit that is named is the one that is read.
    own.commit();
    imgstack(path, &BASE).ends(0).says(&["No changes"]);
    let json = imgstack(path, &["diff", "--base", "HEAD~1", "-o", "json"]).ends(0);
    json.says(&["\"old\": \"HEAD~1 (", "\"from\": \"HEAD~1:imgstack.yaml\""]);
}

#[test]
fn a_comment_is_no_change_in_meaning() {
    let own = Repository::new();
    let text = format!("# of the shop\n{}", spec("db", "16"));
    own.write("imgstack.yaml", &text);
    imgstack(own.path(), &base(&["--detailed-exitcode"]))
        .ends(0)
        .says(&["No changes in meaning. The texts differ: --text shows where."])
        .never_says(&["of the shop"]);
    imgstack(own.path(), &base(&["--detailed-exitcode", "--text"]))
        .ends(0)
        .says(&["+# of the shop", "No changes in meaning."]);
    // Line ends are no change of the text that a person would see.
    own.write("imgstack.yaml", &spec("db", "16").replace('\n', "\r\n"));
    imgstack(own.path(), &base(&["--text"])).ends(0).says(&[
        "imgstack.yaml: only line ends differ, or what may be a secret",
        "No changes in meaning.",
    ]);
    own.write("imgstack.yaml", &spec("db", "18").replace('\n', "\r\n"));
    let told = imgstack(own.path(), &BASE).ends(0).says(&["tag 16 -> 18"]);
    let lines = told.stdout.lines().filter(|it| it.starts_with('+'));
    assert_eq!(lines.count(), 2, "{}", told.stdout);
    assert!(!told.stdout.contains('\u{fffd}'), "{}", told.stdout);
}

#[test]
fn a_secret_in_a_comment_is_not_shown() {
    let own = Repository::new();
    let token = format!("ghp_{}", "aB3dE6gH9jK2".repeat(3));
    let text = format!("{}# was {token}\n", spec("db", "17"));
    own.write("imgstack.yaml", &text);
    for form in ["human", "json"] {
        imgstack(own.path(), &base(&["-o", form]))
            .ends(0)
            .says(&["# was ***"])
            .never_says(&["aB3dE6gH9jK2"]);
    }
}

#[test]
fn a_file_that_is_new_or_gone() {
    let own = Repository::new();
    own.write("web.yaml", &spec("web", "1"));
    imgstack(own.path(), &base(&["-f", "web.yaml"]))
        .ends(0)
        .says(&[
            "+ stack.web",
            "+ image.web",
            "+ service.web_a",
            "--- /dev/null",
        ]);
    fs::remove_file(own.file("imgstack.yaml")).unwrap();
    for args in [base(&[]), base(&["-f", "imgstack.yaml"])] {
        imgstack(own.path(), &args).ends(0).says(&[
            "- stack.db",
            "- service.db_a",
            "is managed no more; nothing is removed",
            "+++ /dev/null",
        ]);
    }
    imgstack(own.path(), &base(&["-f", "wbe.yaml"]))
        .ends(1)
        .says(&["there is no wbe.yaml, neither here nor at HEAD"]);
}

#[test]
fn folders_are_compared_file_by_file() {
    let own = Repository::new();
    own.write("stacks/a.yaml", &spec("a", "1"));
    own.write("stacks/b.yml", &spec("b", "1"));
    // No specs: hidden, below, and of another kind.
    own.write("stacks/.c.yaml", "c: [");
    own.write("stacks/below/d.yaml", "d: [");
    own.write("stacks/notes.txt", "none");
    own.commit();
    own.write("stacks/a.yaml", &spec("a", "2-x"));
    fs::remove_file(own.file("stacks/b.yml")).unwrap();
    own.write("stacks/e.yaml", &spec("e", "1"));
    let told = imgstack(own.path(), &base(&["-f", "stacks"])).ends(0);
    let told = told.says(&[
        "tag 1 -> 2-x",
        "- service.b_a",
        "+ service.e_a",
        "--- HEAD:stacks/a.yaml",
        "+++ stacks/a.yaml",
        "--- HEAD:stacks/b.yml",
        "+++ stacks/e.yaml",
    ]);
    // From within, from elsewhere, and once where it is named twice.
    let words = |text: &str| {
        text.lines()
            .filter(|it| !it.starts_with(['+', '-']))
            .count()
    };
    for (folder, file) in [("stacks", "."), ("stacks/below", ".."), (".", "./stacks/")] {
        let folder = own.file(folder);
        let again = imgstack(&folder, &base(&["-f", file, "-f", file])).ends(0);
        assert_eq!(
            words(&again.stdout),
            words(&told.stdout),
            "{}",
            again.stdout
        );
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let path = own.file("stacks").display().to_string();
    imgstack(elsewhere.path(), &base(&["-f", &path]))
        .ends(0)
        .says(&["tag 1 -> 2-x", "- service.b_a", "+ service.e_a"]);
    // The whole folder is gone.
    fs::remove_dir_all(own.file("stacks")).unwrap();
    imgstack(own.path(), &base(&["-f", "stacks"]))
        .ends(0)
        .says(&["- service.a_a", "- service.b_a"]);
}

#[test]
fn the_spec_that_the_environment_names() {
    let own = Repository::new();
    own.write("other.yaml", &spec("other", "1"));
    own.commit();
    own.write("other.yaml", &spec("other", "1-x"));
    let variables = [("IMGSTACK_FILE", "other.yaml")];
    with(own.path(), &BASE, None, &variables)
        .ends(0)
        .says(&["image.other", "tag 1 -> 1-x"]);
    with(own.path(), &BASE, None, &[("IMGSTACK_FILE", "-")])
        .ends(1)
        .says(&["imgstack diff OLD -"]);
    // As in a hook of git's.
    with(
        own.path(),
        &base(&["-f", "other.yaml"]),
        None,
        &[("GIT_DIR", "/none")],
    )
    .ends(0)
    .says(&["tag 1 -> 1-x"]);
}

#[test]
fn a_mistake_names_its_revision() {
    let own = Repository::new();
    own.write(
        "imgstack.yaml",
        &spec("db", "16").replace("image: db}", "image: bd}"),
    );
    own.commit();
    own.write("imgstack.yaml", &spec("db", "16"));
    imgstack(own.path(), &BASE)
        .ends(1)
        .says(&["HEAD:imgstack.yaml:6", "did you mean `db`?"]);
    // And one of the newer spec does not.
    own.write("imgstack.yaml", "a: [");
    own.write("old.yaml", &spec("db", "16"));
    imgstack(own.path(), &["diff", "old.yaml", "imgstack.yaml"])
        .ends(1)
        .says(&["[imgstack.yaml:"])
        .never_says(&["HEAD:"]);
}

#[test]
fn a_revision_that_is_not_known() {
    let own = Repository::new();
    let clone = tempfile::tempdir().unwrap();
    git(own.path(), &["branch", "next"]);
    own.write("imgstack.yaml", &spec("db", "17"));
    own.commit();
    let from = format!("file://{}", own.path().display());
    git(
        clone.path(),
        &["clone", "--quiet", "--depth=1", "--branch=main", &from, "."],
    );
    let refused = |rev: &str, words: &[&str]| {
        let base = format!("--base={rev}");
        imgstack(clone.path(), &["diff", &base]).ends(1).says(words);
    };
    let shallow = "the clone is shallow";
    refused("next", &[shallow, "git fetch origin next"]);
    refused("origin/next", &[shallow, "git fetch origin next"]);
    refused("HEAD~1", &[shallow, "git fetch --unshallow origin"]);
    // Nothing of this is taken for an option, or for a place in the tree.
    refused("--all", &["git knows no commit `--all`"]);
    refused("HEAD:imgstack.yaml", &["git knows no commit"]);
    refused("", &["git knows no commit"]);
    // What is said helps.
    git(clone.path(), &["fetch", "--quiet", "origin", "next"]);
    imgstack(clone.path(), &["diff", "--base", "FETCH_HEAD"])
        .ends(0)
        .says(&["tag 16 -> 17"]);
    git(
        clone.path(),
        &[
            "fetch",
            "--quiet",
            "origin",
            "next:refs/remotes/origin/next",
        ],
    );
    refused("next", &["did you mean `--base origin/next`?"]);
    imgstack(clone.path(), &["diff", "--base", "origin/next"])
        .ends(0)
        .says(&["blocked: major version 16 to 17"]);
}

#[test]
fn what_git_cannot_tell() {
    let own = Repository::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("imgstack.yaml"), spec("db", "16")).unwrap();
    imgstack(outside.path(), &BASE)
        .ends(1)
        .says(&["is in no git repository", "imgstack diff OLD NEW"]);
    imgstack(own.path(), &base(&["-f", "-"]))
        .ends(1)
        .says(&["standard input has no older state"]);
    // A link is followed as it is now; where one led then is not looked up.
    std::os::unix::fs::symlink("imgstack.yaml", own.file("link.yaml")).unwrap();
    own.commit();
    imgstack(own.path(), &base(&["-f", "link.yaml"]))
        .ends(0)
        .says(&["No changes"]);
    fs::remove_file(own.file("link.yaml")).unwrap();
    imgstack(own.path(), &base(&["-f", "link.yaml"]))
        .ends(1)
        .says(&["HEAD:link.yaml is a link there"]);
    // What is no text stays no text.
    fs::write(own.file("imgstack.yaml"), b"a: \xff\n").unwrap();
    own.commit();
    own.write("imgstack.yaml", &spec("db", "16"));
    imgstack(own.path(), &BASE)
        .ends(1)
        .says(&["HEAD:imgstack.yaml", "not UTF-8"]);
}

#[test]
fn two_sides_without_git() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    for (name, tag) in [("a/x.yaml", "1"), ("b/x.yaml", "1-y")] {
        fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        fs::write(path.join(name), spec("x", tag)).unwrap();
    }
    let changed = ["tag 1 -> 1-y", "- images: [", "+ images: ["];
    imgstack(path, &["diff", "a", "b"]).ends(0).says(&changed);
    imgstack(path, &["diff", "a/x.yaml", "b/x.yaml"])
        .ends(0)
        .says(&changed);
    imgstack(path, &["diff", "a/x.yaml", "b"])
        .ends(0)
        .says(&changed);
    with(
        path,
        &["diff", "a/x.yaml", "-"],
        Some(&spec("x", "1-y")),
        &[],
    )
    .ends(0)
    .says(&changed)
    .says(&["+++ <stdin>"]);
    with(path, &["diff", "-", "b/x.yaml"], Some(&spec("x", "1")), &[])
        .ends(0)
        .says(&changed);
    imgstack(path, &["diff", "-", "-"])
        .ends(1)
        .says(&["cannot both be standard input"]);
    imgstack(path, &["diff", "/dev/null", "b"])
        .ends(0)
        .says(&["+ service.x_a"]);
    imgstack(path, &["diff", "a", "/dev/null"])
        .ends(0)
        .says(&["- service.x_a"]);
    imgstack(path, &["diff", "a", "c"])
        .ends(1)
        .says(&["there is no such file"]);
}
