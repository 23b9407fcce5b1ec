//! What a Dockerfile builds on: the images of its `FROM` lines.
//!
//! Source of the rules: the Dockerfile reference. Only what those lines need is
//! read: comments, lines that go on, the escape directive, and defaults of
//! `ARG`s before the first `FROM`.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, ImageRef};

/// What a Dockerfile says of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It builds on it; with the digest, if it names one.
    Yes(Option<Digest>),
    /// It does not; on what it does build.
    No(Vec<String>),
    /// That depends on a variable without a default.
    Open,
}

/// Whether the Dockerfile builds on `base`, of which the tag counts.
pub(super) fn names(text: &str, base: &ImageRef) -> Named {
    let (images, open) = images(text);
    for image in &images {
        let Ok(found) = image.parse::<ImageRef>() else {
            continue;
        };
        let tag = found.tag.as_ref().map_or("latest", |tag| tag.as_str());
        let wanted = base.tag.as_ref().map_or("latest", |tag| tag.as_str());
        if found.repository == base.repository && tag == wanted {
            return Named::Yes(found.digest);
        }
    }
    match open {
        true => Named::Open,
        false => Named::No(images),
    }
}

/// The images of the `FROM` lines that are no stage and not `scratch`; and
/// whether there are some that cannot be told.
fn images(text: &str) -> (Vec<String>, bool) {
    let (mut images, mut stages, mut open) = (Vec::new(), Vec::new(), false);
    let mut arguments = BTreeMap::new();
    let mut before_first = true;
    for line in instructions(text) {
        let mut words = line.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        if keyword == "ARG" && before_first {
            let pairs = words.filter_map(|word| word.split_once('='));
            arguments.extend(pairs.map(|(name, value)| {
                (name.to_owned(), value.trim_matches(['"', '\'']).to_owned())
            }));
        } else if keyword == "FROM" {
            before_first = false;
            let mut words = words.skip_while(|word| word.starts_with("--"));
            let Some(image) = words.next() else { continue };
            match substituted(image, &arguments) {
                None => open = true,
                Some(image) if image == "scratch" || stages.contains(&image.to_lowercase()) => {}
                Some(image) => images.push(image),
            }
            if words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("as"))
            {
                stages.extend(words.next().map(str::to_lowercase));
            }
        }
    }
    (images, open)
}

/// The instructions, each on one line.
fn instructions(text: &str) -> Vec<String> {
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .peekable();
    let mut escape = '\\';
    // Directives come before all else.
    while let Some(directive) = lines.next_if(|line| line.starts_with('#')) {
        let directive: String = directive.split_whitespace().collect();
        if directive.eq_ignore_ascii_case("#escape=`") {
            escape = '`';
        }
    }
    let (mut instructions, mut begun) = (Vec::new(), String::new());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix(escape) {
            Some(part) => begun += part,
            None => instructions.push(std::mem::take(&mut begun) + line),
        }
    }
    instructions.push(begun);
    instructions
}

/// `$NAME`, `${NAME}` and `${NAME:-default}`; None for anything else.
fn substituted(text: &str, arguments: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out += before;
        let known = |name: &str| arguments.get(name).cloned().filter(|it| !it.is_empty());
        let value = if let Some(braced) = after.strip_prefix('{') {
            let (inside, after) = braced.split_once('}')?;
            rest = after;
            match inside.split_once(":-") {
                Some((name, default)) => known(name).or_else(|| Some(default.to_owned())),
                None => known(inside),
            }
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) = after.split_at(end.unwrap_or(after.len()));
            rest = after;
            known(name)
        };
        out += &value?;
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dockerfiles_build_on() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = format!("FROM postgres:16-alpine@{digest}");
        let no = |images: &[&str]| Named::No(images.iter().map(ToString::to_string).collect());
        let yes = Named::Yes(None);
        let table = [
            ("FROM postgres:16-alpine", yes.clone()),
            (
                "from docker.io/library/postgres:16-alpine as db",
                yes.clone(),
            ),
            (
                "# syntax=docker/dockerfile:1\n\nFROM --platform=$BUILDPLATFORM golang AS b\nFROM postgres:16-alpine",
                yes.clone(),
            ),
            (&pinned, Named::Yes(Some(digest.parse().unwrap()))),
            ("ARG V=16\nFROM postgres:${V}-alpine", yes.clone()),
            ("ARG V=\"16-alpine\"\nFROM postgres:$V", yes.clone()),
            ("FROM postgres:${V:-16-alpine}", yes.clone()),
            ("FROM \\\n  # a comment\n  postgres:16-alpine", yes.clone()),
            ("# escape=`\nFROM `\n postgres:16-alpine", yes),
            ("ARG V\nFROM postgres:$V", Named::Open),
            // Not known before the first FROM.
            (
                "FROM alpine\nARG V=16-alpine\nFROM postgres:$V",
                Named::Open,
            ),
            ("FROM postgres:16", no(&["postgres:16"])),
            ("FROM postgres", no(&["postgres"])),
            ("FROM scratch", no(&[])),
            ("FROM golang AS Build\nFROM build", no(&["golang"])),
            ("RUN echo FROM postgres:16-alpine", no(&[])),
            ("# FROM postgres:16-alpine\nFROM alpine", no(&["alpine"])),
            ("FROM", no(&[])),
            ("", no(&[])),
        ];
        let base = "postgres:16-alpine".parse().unwrap();
        for (text, expected) in table {
            assert_eq!(names(text, &base), expected, "{text}");
        }
    }
}
