//! Runs the program, and git.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run went.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// On either of the two.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        // Lines are folded.
        let all = format!("{}\n{}", self.stdout, self.stderr);
        let flat = all.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "{word}\n{all}");
        }
        self
    }

    #[track_caller]
    pub fn never_says(self, words: &[&str]) -> Self {
        for word in words {
            let is_said = self.stdout.contains(word) || self.stderr.contains(word);
            assert!(!is_said, "{word}\n{}\n{}", self.stdout, self.stderr);
        }
        self
    }
}

pub fn imgstack(folder: &Path, args: &[&str]) -> Said {
    with(folder, args, None, &[])
}

/// With a text on standard input, and variables.
pub fn with(folder: &Path, args: &[&str], stdin: Option<&str>, variables: &[(&str, &str)]) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(args)
        .current_dir(folder)
        .env_remove("IMGSTACK_FILE")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(stdin.unwrap_or_default().as_bytes())
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn git(folder: &Path, args: &[&str]) {
    let own = [
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@test",
        "-c",
        "protocol.file.allow=always",
        "-c",
        "init.defaultBranch=main",
    ];
    let mut command = Command::new("git");
    let output = command
        .args(own)
        .args(args)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}
