//! What is given to people: the optimised program (issue 2, acceptance 7).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Builds it. A debug build would say nothing of size or speed.
fn program() -> PathBuf {
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--package", "imgstack-cli"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status();
    assert!(cargo.unwrap().success(), "imgstack does not build");
    // The test itself is target/PROFILE/deps/release-HASH.
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().join("release/imgstack")
}

#[test]
#[ignore = "builds the program anew, optimised"]
fn the_program_is_small_and_starts_at_once() {
    let program = program();
    let size = program.metadata().unwrap().len();
    assert!(size <= 20 << 20, "{size} bytes");
    let once = || {
        let start = Instant::now();
        let mut version = Command::new(&program);
        version.arg("--version").stdout(Stdio::null());
        assert!(version.status().unwrap().success());
        start.elapsed()
    };
    // Half of them, at least: the machine has other things to do.
    let mut times: Vec<Duration> = (0..51).map(|_| once()).collect();
    times.sort();
    let median = times[25];
    assert!(median <= Duration::from_millis(10), "{median:?}");
}
