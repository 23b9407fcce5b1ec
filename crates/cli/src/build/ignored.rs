//! What docker leaves out of a build: `.dockerignore`.
//!
//! It is asked about files that git ignores, so in doubt nothing is left out:
//! then the file counts as one that is built, which a person is told.
//!
//! Source of the rules: the reference of `.dockerignore`. Each line is a pattern
//! of whole paths from the context, as Go's `filepath.Match` has them, with `**`
//! for any number of folders; what lies below a folder that matches goes with
//! it; `!` takes back; the last line that matches counts. Deliberately absent:
//! classes of characters, `[a-z]`, which make a pattern match nothing here.

use std::path::Path;

const FILE: &str = ".dockerignore";

/// The patterns, in their order.
#[derive(Debug)]
pub(super) struct DockerIgnore(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    takes_back: bool,
    parts: Vec<String>,
}

impl DockerIgnore {
    /// That of a context. One beside the Dockerfile, with its name before
    /// `.dockerignore`, counts in its place.
    pub(super) fn of(context: &Path, dockerfile: &Path) -> Self {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(FILE);
        let text = std::fs::read_to_string(own);
        let text = text.or_else(|_| std::fs::read_to_string(context.join(FILE)));
        Self::read(&text.unwrap_or_default())
    }

    fn read(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let lines = lines.filter(|line| !line.starts_with('#')).map(str::trim);
        let pattern = |line: &str| {
            let (takes_back, path) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let parts: Vec<_> = path
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".")
                .map(str::to_owned)
                .collect();
            (!parts.is_empty()).then_some(Pattern { takes_back, parts })
        };
        Self(lines.filter_map(pattern).collect())
    }

    /// Whether docker does not get to see a path, relative to the context. Of a
    /// folder, which ends in `/`: nothing that is in it.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let is_folder = path.ends_with('/');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut out = false;
        for pattern in &self.0 {
            if pattern.takes_back && (is_folder || pattern.matches(&parts)) {
                // It may take back what is in the folder.
                out = false;
            } else if !pattern.takes_back && pattern.matches(&parts) {
                out = true;
            }
        }
        out
    }
}

impl Pattern {
    /// The path, or a folder that it is in.
    fn matches(&self, path: &[&str]) -> bool {
        (1..=path.len()).any(|end| fits(&self.parts, &path[..end]))
    }
}

fn fits(pattern: &[String], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return path.is_empty();
    };
    if first == "**" {
        return (0..=path.len()).any(|skip| fits(rest, &path[skip..]));
    }
    match path.split_first() {
        Some((part, below)) => is_like(first.as_bytes(), part.as_bytes()) && fits(rest, below),
        None => false,
    }
}

/// `*` and `?` within one part of a path.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| is_like(rest, &text[skip..])),
        (Some((b'[' | b']' | b'\\', _)), _) => false,
        (Some((b'?', rest)), Some((_, text))) => is_like(rest, text),
        (Some((wanted, rest)), Some((found, text))) => wanted == found && is_like(rest, text),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_does_not_get_to_see() {
        let table = [
            ("", "a.log", false),
            ("a.log", "a.log", true),
            ("/a.log", "a.log", true),
            ("*.log", "a.log", true),
            // Not in every folder, as git has it.
            ("*.log", "b/a.log", false),
            ("**/*.log", "b/c/a.log", true),
            ("**/*.log", "a.log", true),
            ("b", "b/c/a.log", true),
            ("b/**", "b/a.log", true),
            ("b/?.log", "b/a.log", true),
            ("node_modules", "node_modules/", true),
            ("node_modules/", "node_modules/", true),
            ("# a.log", "a.log", false),
            ("*\n!a.log", "a.log", false),
            ("*\n!a.log", "b.log", true),
            ("!a.log\n*", "a.log", true),
            // What is taken back may be in it.
            ("*\n!b/a.log", "b/", false),
            // In doubt it is built.
            ("[ab].log", "a.log", false),
        ];
        for (text, path, expected) in table {
            let ignore = DockerIgnore::read(text);
            assert_eq!(ignore.leaves_out(path), expected, "{text:?} {path}");
        }
    }
}
