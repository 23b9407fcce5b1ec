//! The layers of a build, as tar archives that depend on nothing but their
//! contents: no owner, no time.

use std::io;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::Kind;

/// What the builds and the tests' services call; all are busybox.
const APPLETS: [&str; 38] = [
    "awk", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "echo", "env", "false",
    "grep", "head", "hostname", "httpd", "id", "kill", "ls", "mkdir", "mount", "mv", "nc",
    "nslookup", "ps", "rm", "sed", "sh", "sleep", "sort", "stat", "tail", "test", "timeout",
    "touch", "true", "wc", "wget",
];

const USERS: &str = "root:x:0:0:root:/:/bin/sh\npostgres:x:70:70:postgres:/:/bin/sh\n";
const GROUPS: &str = "root:x:0:\npostgres:x:70:\n";

/// Busybox and what a program expects around it.
pub(super) fn base(busybox: &Path) -> io::Result<Vec<u8>> {
    let program = std::fs::read(busybox)?;
    let mut archive = Builder::new(Vec::new());
    for (folder, mode) in [("bin/", 0o755), ("etc/", 0o755), ("tmp/", 0o1777)] {
        append(&mut archive, EntryType::Directory, folder, mode, &[])?;
    }
    append(
        &mut archive,
        EntryType::Regular,
        "bin/busybox",
        0o755,
        &program,
    )?;
    for applet in APPLETS {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        archive.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    append(
        &mut archive,
        EntryType::Regular,
        "etc/passwd",
        0o644,
        USERS.as_bytes(),
    )?;
    append(
        &mut archive,
        EntryType::Regular,
        "etc/group",
        0o644,
        GROUPS.as_bytes(),
    )?;
    archive.into_inner()
}

/// What stands in for Patroni.
const PATRONI: &str = include_str!("patroni.sh");

/// What some kinds of builds have beside busybox.
pub(super) fn programs(kind: Kind) -> io::Result<Option<Vec<u8>>> {
    match kind {
        Kind::Good | Kind::Dying | Kind::Ending | Kind::Unhealthy => return Ok(None),
        Kind::Patroni | Kind::PatroniLagging | Kind::PatroniFading => {}
    }
    let mut archive = Builder::new(Vec::new());
    let program = PATRONI.as_bytes();
    append(
        &mut archive,
        EntryType::Regular,
        "bin/patroni",
        0o755,
        program,
    )?;
    archive.into_inner().map(Some)
}

/// What builds differ in: one file, and their ballast.
pub(super) fn build(sha: &str, ballast: usize) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let text = format!("{sha}\n");
    append(
        &mut archive,
        EntryType::Regular,
        "etc/build",
        0o644,
        text.as_bytes(),
    )?;
    if ballast > 0 {
        let ballast = vec![0; ballast];
        append(
            &mut archive,
            EntryType::Regular,
            "etc/ballast",
            0o644,
            &ballast,
        )?;
    }
    archive.into_inner()
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    contents: &[u8],
) -> io::Result<()> {
    let mut header = header(kind, mode, contents.len());
    archive.append_data(&mut header, path, contents)
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
