//! How long the program takes for what is large.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What it prints, in under a second of the processor's time, also unoptimised,
/// and with its start: others may be at work on the machine.
pub fn in_a_second(folder: &Path, arguments: &[&str], what: &str) -> String {
    let printed = folder.join("printed");
    let done = Command::new("sh")
        .args(["-c", r#"out=$1; shift; "$@" > "$out" && times"#, "sh"])
        .arg(&printed)
        .arg(env!("CARGO_BIN_EXE_imgstack"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(done.status.success(), "{what}: {done:?}");
    let times = String::from_utf8(done.stdout).unwrap();
    // The second line is of what the shell has run: user and system.
    let spent: f64 = times.lines().nth(1).unwrap().split(' ').map(seconds).sum();
    assert!(
        spent > 0.0 && spent < 1.0,
        "{what}, {arguments:?}: {spent} s"
    );
    fs::read_to_string(printed).unwrap()
}

/// Of `0m0.130000s`.
fn seconds(time: &str) -> f64 {
    let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}
