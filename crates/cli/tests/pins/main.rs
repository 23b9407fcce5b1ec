//! `imgstack pin`, `unpin` and `rollback` as a user runs them, on a simulated
//! registry and Swarm: what becomes of the files, and what does not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod documents;
mod held;
mod place;

use std::os::unix::fs::{PermissionsExt as _, symlink};

use place::Place;

const TAG: &str = "tag: \"16\"";

/// The spec with a pin.
fn pinned(place: &Place, pin: &str) -> String {
    place.spec(&format!("{TAG}\n      pin: {pin}"))
}

/// The digest as `imgstack tags` shows it.
fn short(digest: &str) -> String {
    format!("{}…", &digest[..19])
}

#[test]
fn a_build_is_held_and_let_go_again_to_the_byte() {
    let place = Place::new();
    let before = (place.read("imgstack.yaml"), place.read("stack.yml"));
    place.imgstack(&["plan"]).ends(0).never_says(&["stack.yml"]);
    let pin = place.imgstack(&["pin", "db", "16-abc0000"]).ends(0);
    // The plan sees the stack file as it is going to be.
    pin.never_says(&["docker stack deploy"]);
    pin.says(&[
        "the spec pins `16-abc0000`",
        "Plan: 1 to add, 2 to change",
        "+++ imgstack.yaml",
        "+      pin: 16-abc0000",
        "+++ stack.yml",
        &format!(
            "image.db is pinned to `16-abc0000` ({}): imgstack.yaml.",
            short(&place.builds[0])
        ),
        "stack.yml: the same build for a, b.",
        "To do it: imgstack apply",
        "Commit what changed in the files.",
    ]);
    assert_eq!(place.read("imgstack.yaml"), pinned(&place, "16-abc0000"));
    let held = format!(":16-abc0000@{}", place.builds[0]);
    assert_eq!(place.read("stack.yml"), place.stack_file(&held));
    // Said once more, there is nothing to write.
    place.imgstack(&["pin", "db", "16-abc0000"]).ends(0).says(&[
        "is pinned to `16-abc0000`",
        "already, in imgstack.yaml.",
        "stack.yml says so already, for a, b.",
    ]);
    let unpinned = place.imgstack(&["unpin", "db"]).ends(0);
    unpinned.says(&[
        "No changes.",
        "image.db is pinned no more: imgstack.yaml.",
        "stack.yml: the tag that is followed for a, b.",
    ]);
    unpinned.never_says(&["To do it"]);
    let after = (place.read("imgstack.yaml"), place.read("stack.yml"));
    assert_eq!(after, before);
    place
        .imgstack(&["unpin", "db"])
        .ends(0)
        .says(&["image.db is not pinned in imgstack.yaml."]);
}

#[test]
fn a_dry_run_shows_all_and_writes_nothing() {
    let place = Place::new();
    let before = (place.read("imgstack.yaml"), place.read("stack.yml"));
    let unpinned = pinned(&place, "16-abc0001");
    place
        .imgstack(&["pin", "db", "16-abc0000", "--dry-run"])
        .ends(0)
        .says(&[
            "+      pin: 16-abc0000",
            "+++ stack.yml",
            "would be pinned to `16-abc0000`",
            "stack.yml: it would get the same build for a, b.",
            "Nothing was written (--dry-run).",
        ])
        .never_says(&["To do it", "Commit"]);
    let rollback = ["rollback", "s_b", "--to", "16-abc0000", "--dry-run"];
    place.imgstack(&rollback).ends(0).says(&[
        "image.db would go back to `16-abc0000`",
        "service.s_b has that image together with service.s_a",
    ]);
    assert_eq!(
        (place.read("imgstack.yaml"), place.read("stack.yml")),
        before
    );
    place.write("imgstack.yaml", &unpinned);
    place
        .imgstack(&["unpin", "image.db", "--dry-run"])
        .ends(0)
        .says(&["-      pin: 16-abc0001", "would be pinned no more"]);
    assert_eq!(place.read("imgstack.yaml"), unpinned);
}

#[test]
fn a_build_is_named_as_tags_shows_it() {
    let place = Place::new();
    let digest = &place.builds[1];
    for build in [digest.clone(), short(digest), digest[..16].to_owned()] {
        place.write("imgstack.yaml", &place.spec(TAG));
        place.write("stack.yml", &place.stack_file(":16"));
        place
            .imgstack(&["rollback", "service.s_a", "--to", &build])
            .ends(0)
            .says(&["goes back to", &short(digest), "To do it: imgstack apply"]);
        // YAML takes no digest without quotes for anything but text.
        let spec = place.read("imgstack.yaml");
        let line = format!("      pin: {digest}\n");
        let quoted = format!("      pin: \"{digest}\"\n");
        assert!(spec.contains(&line) || spec.contains(&quoted), "{spec}");
        let held = format!(":16@{digest}");
        assert_eq!(place.read("stack.yml"), place.stack_file(&held));
        place
            .imgstack(&["plan", "--detailed-exitcode"])
            .ends(2)
            .never_says(&["stack.yml"]);
    }
}

#[test]
fn what_holds_no_build_is_refused_with_what_to_write() {
    let place = Place::new();
    let before = place.read("imgstack.yaml");
    let newest = format!("imgstack pin db {}", place.builds[2]);
    let nowhere = format!("sha256:{}", "0".repeat(64));
    let table: [(&[&str], &[&str]); 10] = [
        (&["db", "16"], &["`16` moves with the builds", &newest]),
        (&["db", "latest"], &["`latest` moves", "imgstack tags db"]),
        (
            &["db", "abc0001"],
            &["no tag `abc0001`", "did you mean `16-abc0001`?"],
        ),
        (&["db", "nothing-like-it"], &["no tag", "imgstack tags db"]),
        (&["db", &nowhere], &["is not in the registry"]),
        (
            &["db", "sha256:0000000"],
            &["no build of image.db begins with sha256:0000000", "--all"],
        ),
        (&["db", "sha256:000"], &["at least the first 7 of them"]),
        (&["db", "acme/db:16-abc0000"], &["without the repository"]),
        (
            &["dbb", "16-abc0000"],
            &["no image and no service `dbb`", "did you mean `db`?"],
        ),
        (&["db"], &["BUILD"]),
    ];
    for (args, words) in table {
        let args: Vec<&str> = ["pin"].iter().chain(args).copied().collect();
        place.imgstack(&args).ends(1).says(words);
        assert_eq!(place.read("imgstack.yaml"), before, "{args:?}");
    }
    let stdin = ["pin", "-f", "-", "db", "16-abc0000"];
    place
        .imgstack_on_stdin("imgstack.yaml", &stdin)
        .ends(1)
        .says(&[
            "defined on standard input",
            "name the file of the spec with -f",
        ]);
    // Nothing has been applied as yet.
    place.imgstack(&["rollback", "db"]).ends(1).says(&[
        "the journal knows of no other good build of image.db",
        "imgstack rollback db --to BUILD",
    ]);
}

/// A later imgstack's release, or a spoilt one, may tell of a failure.
#[test]
fn who_goes_back_by_a_journal_that_is_not_whole_is_told() {
    let place = Place::new();
    let told = "so what failed there may count as good here";
    place
        .imgstack(&["rollback", "db"])
        .ends(1)
        .never_says(&[told]);
    place.spoil_the_journal(7);
    let one = ["Warning: release 7 of the journal cannot be read", told];
    place.imgstack(&["rollback", "db"]).ends(1).says(&one);
    place.spoil_the_journal(8);
    let both = "releases 8, 7 of the journal cannot be read";
    place.imgstack(&["rollback", "db"]).ends(1).says(&[both]);
    // Who names a build needs no journal to find it; whether it may have failed
    // in these releases he has to know himself.
    let named = ["rollback", "db", "--to", "16-abc0000"];
    place.imgstack(&named).ends(1).never_says(&[told]).says(&[
        "the wanted build may have failed in release 8, which cannot be read, held",
        "imgstack apply --retry-failed",
    ]);
    place
        .imgstack(&[&named[..], &["--retry-failed"]].concat())
        .ends(0)
        .never_says(&[told, "held"]);
}

#[test]
fn another_major_version_is_refused_until_it_is_allowed() {
    let place = Place::new();
    place.push_major();
    let before = (place.read("imgstack.yaml"), place.read("stack.yml"));
    place.imgstack(&["pin", "db", "17-fff0000"]).ends(1).says(&[
        "major version 16 to 17 is a migration",
        "Write the tag of 17 into the stack file `stack.yml`",
        "nothing was written",
        "add `--allow-major db`",
    ]);
    assert_eq!(
        (place.read("imgstack.yaml"), place.read("stack.yml")),
        before
    );
    place
        .imgstack(&["pin", "db", "17-fff0000", "--allow-major", "db"])
        .ends(0)
        .says(&["which is allowed", "imgstack apply --allow-major db"]);
    assert_eq!(place.read("imgstack.yaml"), pinned(&place, "17-fff0000"));
}

#[test]
fn a_stack_file_that_cannot_follow_is_named_and_the_spec_counts() {
    let place = Place::new();
    let stack_file = place.stack_file(":${TAG:-16}");
    place.write("stack.yml", &stack_file);
    place.imgstack(&["pin", "db", "16-abc0000"]).ends(1).says(&[
        "image.db is pinned to `16-abc0000`",
        "stack.yml is left as it is, for a, b:",
        "`${TAG:-16}`",
        "To do it: imgstack apply",
    ]);
    assert_eq!(place.read("imgstack.yaml"), pinned(&place, "16-abc0000"));
    assert_eq!(place.read("stack.yml"), stack_file);
    // The plan tells as long as that is so.
    let undone = "the next `docker stack deploy` would undo that";
    place
        .imgstack(&["plan"])
        .ends(0)
        .says(&["`stack.yml` has `16` for `a`", undone]);
    // The same command mends it.
    place.write("stack.yml", &place.stack_file(":16"));
    place
        .imgstack(&["plan"])
        .ends(0)
        .says(&[undone, "write it into the file: imgstack pin db 16-abc0000"]);
    place.imgstack(&["pin", "db", "16-abc0000"]).ends(0);
    place.imgstack(&["plan"]).ends(0).never_says(&["stack.yml"]);
    std::fs::remove_file(place.file("stack.yml")).unwrap();
    place
        .imgstack(&["plan"])
        .ends(0)
        .says(&["is not known: there is no file stack.yml"]);
    place
        .imgstack(&["unpin", "db"])
        .ends(1)
        .says(&["is pinned no more", "stack.yml is left as it is"]);
    assert_eq!(place.read("imgstack.yaml"), place.spec(TAG));
}

#[test]
fn a_spec_that_has_no_place_for_the_line_is_left_whole() {
    let place = Place::new();
    let shared = place.spec("<<: {tag: \"16\", pin: 16-abc0001}");
    place.write("imgstack.yaml", &shared);
    place.imgstack(&["pin", "db", "16-abc0000"]).ends(1).says(&[
        "imgstack.yaml:",
        "nothing was written",
        "by hand",
    ]);
    assert_eq!(place.read("imgstack.yaml"), shared);
    assert_eq!(place.read("stack.yml"), place.stack_file(":16"));
}

#[test]
fn files_are_found_from_anywhere_and_keep_what_they_are() {
    let place = Place::new();
    // A folder that is given with -f holds nothing but specs.
    let folder = place.file("the specs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::rename(place.file("imgstack.yaml"), folder.join("b.yaml")).unwrap();
    let spec = "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {name: other}\n";
    let endpoint = place.endpoint();
    let other = format!("{spec}spec: {{swarm: {{endpoint: \"{endpoint}\"}}, images: []}}\n");
    place.write("the specs/a.yaml", &other);
    let deploy = place.file("deploy");
    std::fs::create_dir(&deploy).unwrap();
    std::fs::rename(place.file("stack.yml"), place.file("real.yml")).unwrap();
    symlink("../real.yml", deploy.join("stack.yml")).unwrap();
    let text = std::fs::read_to_string(folder.join("b.yaml")).unwrap();
    let text = text.replace("path: stack.yml", "path: ../deploy/stack.yml");
    std::fs::write(folder.join("b.yaml"), &text).unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.join("b.yaml"), mode).unwrap();
    place
        .imgstack_in(&deploy, &["pin", "-f", "../the specs", "s_a", "16-abc0001"])
        .ends(0)
        .says(&[
            "../the specs/b.yaml.",
            "To do it: imgstack apply -f '../the specs'",
        ]);
    let line = "tag: \"16\"\n";
    let with = format!("{line}      pin: 16-abc0001\n");
    assert_eq!(place.read("the specs/b.yaml"), text.replace(line, &with));
    assert_eq!(place.read("the specs/a.yaml"), other);
    let mode = std::fs::metadata(folder.join("b.yaml")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o7777, 0o600);
    assert!(deploy.join("stack.yml").is_symlink());
    let held = format!(":16-abc0001@{}", place.builds[1]);
    assert_eq!(place.read("real.yml"), place.stack_file(&held));
}
