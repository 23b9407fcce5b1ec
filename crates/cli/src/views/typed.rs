//! Commands as a person types them.

use std::fmt;
use std::path::PathBuf;

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@%+".contains(c);
    match word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What names the spec in a command: nothing where it is found by itself.
#[derive(Clone, Debug)]
pub(crate) struct SpecWords(String);

impl SpecWords {
    /// As it was typed.
    pub(crate) fn typed(typed: &[PathBuf]) -> Self {
        Self(files(typed))
    }

    /// Of a saved plan, which does not say where its spec lies.
    pub(crate) fn of_a_plan() -> Self {
        Self(" -f SPEC".to_owned())
    }
}

impl fmt::Display for SpecWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// ` -f FILE` for each file of the spec.
pub(crate) fn files(files: &[PathBuf]) -> String {
    let words = files.iter().map(|file| quoted(&file.to_string_lossy()));
    words.map(|word| format!(" -f {word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        let table = [
            ("/tmp/imgstack-demo-x/1.sock", "/tmp/imgstack-demo-x/1.sock"),
            ("ghcr.io=http://127.0.0.1:1", "ghcr.io=http://127.0.0.1:1"),
            ("/tmp/a b/$HOME", "'/tmp/a b/$HOME'"),
            ("it's", r"'it'\''s'"),
        ];
        for (word, shown) in table {
            assert_eq!(quoted(word), shown);
        }
    }
}
