//! The text of a stack file's `image`, which may have variables in it:
//! `${REGISTRY:-ghcr.io}/x:16`.
//!
//! What a variable stands for is known only where the stack is deployed. So
//! only a tag and a digest that are written out can be changed here; the rest
//! of such a text stays, and must be able to mean the wanted repository.
//!
//! Source of the rules: the Compose specification, "Interpolation".

use std::ops::Range;

use crate::{ImageRef, Repository};

/// A reference is shorter, also with variables.
const LONGEST: usize = 4096;

/// How deep defaults may have variables in them.
const DEEPEST: usize = 8;

/// A text in its parts.
pub(super) struct Template<'t> {
    text: &'t str,
    variables: Vec<Variable>,
}

struct Variable {
    bytes: Range<usize>,
    name: String,
    /// What it stands for when it is not set.
    default: Option<String>,
}

/// Why a text cannot be changed into what is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// This variable stands where a change would be.
    Variable(String),
    /// The variables and the text around them are another repository.
    OtherRepository,
}

impl<'t> Template<'t> {
    pub(super) fn parse(text: &'t str) -> Self {
        Self::nested(text, DEEPEST)
    }

    fn nested(text: &'t str, depth: usize) -> Self {
        let mut variables = Vec::new();
        if text.len() > LONGEST {
            // Whatever this is, it is nothing that could be changed in part.
            let bytes = 0..text.len();
            variables.push(Variable {
                bytes,
                name: String::new(),
                default: None,
            });
            return Self { text, variables };
        }
        let mut from = 0;
        while let Some(at) = text[from..].find('$').map(|at| from + at) {
            from = match variable(text, at, depth) {
                Some(variable) => {
                    let end = variable.bytes.end;
                    variables.push(variable);
                    end
                }
                // `$$` is a dollar sign; anything else is for docker to refuse.
                None => at + 1 + usize::from(text[at + 1..].starts_with('$')),
            };
        }
        Self { text, variables }
    }

    /// The first variable that has no default, as it is written.
    pub(super) fn first_unset(&self) -> Option<&str> {
        let variable = self.variables.iter().find(|it| it.default.is_none())?;
        Some(&self.text[variable.bytes.clone()])
    }

    /// The variables' names.
    pub(super) fn names(&self) -> Vec<String> {
        self.variables.iter().map(|it| it.name.clone()).collect()
    }

    /// The text when no variable is set; None when one of them has no default.
    pub(super) fn with_defaults(&self) -> Option<String> {
        self.expanded(self.text.len())
    }

    /// The same for the text before `end`, which is in no variable.
    fn expanded(&self, end: usize) -> Option<String> {
        let mut text = String::new();
        let mut from = 0;
        for variable in self.variables.iter().filter(|it| it.bytes.end <= end) {
            text += &self.text[from..variable.bytes.start];
            text += variable.default.as_ref()?;
            from = variable.bytes.end;
        }
        Some(text + &self.text[from..end])
    }

    /// The text for the wanted image. As much as can be stays as it is.
    pub(super) fn with(&self, image: &ImageRef) -> Result<String, Obstacle> {
        let suffix = suffix(image);
        if self.variables.is_empty() {
            // The name may be spelt in another way than ours.
            let same = self.text.parse::<ImageRef>();
            let same = same.is_ok_and(|now| now.repository == image.repository);
            return Ok(match same {
                true => format!("{}{suffix}", &self.text[..self.name_end()]),
                false => image.familiar(),
            });
        }
        let end = self.name_end();
        if let Some(variable) = self.variables.iter().find(|it| it.bytes.end > end) {
            return Err(self.obstacle(variable));
        }
        // `${IMAGE}` may stand for a tag as well, `${HOST}/x` may not.
        let open = self.variables.iter().find(|it| it.bytes.end == end);
        if let Some(variable) = open.filter(|_| end == self.text.len()) {
            return Err(self.obstacle(variable));
        }
        match self.can_be(end, &image.repository) {
            true => Ok(format!("{}{suffix}", &self.text[..end])),
            false => Err(Obstacle::OtherRepository),
        }
    }

    fn obstacle(&self, variable: &Variable) -> Obstacle {
        Obstacle::Variable(self.text[variable.bytes.clone()].to_owned())
    }

    /// Where the name ends and a tag, a digest or nothing follows. What is
    /// behind the first `:` or `@` after the last slash is no name.
    fn name_end(&self) -> usize {
        let written = |at: &usize| !self.variables.iter().any(|it| it.bytes.contains(at));
        let last = |c| self.text.rmatch_indices(c).map(|(at, _)| at).find(written);
        let first = |c, from| {
            let found = self.text[from..].match_indices(c);
            found.map(|(at, _)| from + at).find(written)
        };
        let digest = first('@', 0).unwrap_or(self.text.len());
        let slash = last('/').filter(|at| *at < digest).map_or(0, |at| at + 1);
        first(':', slash).map_or(digest, |tag| tag.min(digest))
    }

    /// Whether the name up to `end` can be the repository.
    fn can_be(&self, end: usize, repository: &Repository) -> bool {
        if let Some(name) = self.expanded(end) {
            return name.parse() == Ok(repository.clone());
        }
        let mut literals = Vec::new();
        let mut from = 0;
        for variable in &self.variables {
            literals.push(&self.text[from..variable.bytes.start]);
            from = variable.bytes.end;
        }
        literals.push(&self.text[from..end]);
        [repository.to_string(), repository.familiar()]
            .iter()
            .any(|name| matches(name, &literals))
    }
}

/// `:16@sha256:…`, of which each may be absent.
fn suffix(image: &ImageRef) -> String {
    image.to_string()[image.repository.to_string().len()..].to_owned()
}

/// Whether the text is the literals with something between each two of them.
fn matches(text: &str, literals: &[&str]) -> bool {
    let [first, middle @ .., last] = literals else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for literal in middle {
        // Something stands for the variable, if only one character.
        let Some(at) = rest.get(1..).and_then(|rest| rest.find(literal)) else {
            return false;
        };
        rest = &rest[1 + at + literal.len()..];
    }
    rest.len() > last.len() && rest.ends_with(last)
}

/// The variable that begins at a `$`, unless none does.
fn variable(text: &str, at: usize, depth: usize) -> Option<Variable> {
    let name = |text: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        let length = text.find(|c| !word(c)).unwrap_or(text.len());
        text.starts_with(begins).then_some(length)
    };
    let rest = &text[at + 1..];
    let Some(inside) = rest.strip_prefix('{') else {
        let length = name(rest)?;
        return Some(Variable {
            bytes: at..at + 1 + length,
            name: rest[..length].to_owned(),
            default: None,
        });
    };
    let length = name(inside)?;
    let end = closing(inside)?;
    let rule = &inside[length..end];
    // Other rules have no default: `:?` refuses, `:+` stands for something else.
    let default = rule.strip_prefix(":-").or_else(|| rule.strip_prefix('-'));
    let default = default.filter(|_| depth > 0);
    Some(Variable {
        bytes: at..at + 2 + end + 1,
        name: inside[..length].to_owned(),
        default: default.and_then(|text| Template::nested(text, depth - 1).with_defaults()),
    })
}

/// Where the brace is that closes what begins here.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_what_is_not_to_change() {
        let hub = "docker.io/library/postgres:17";
        let other = "ghcr.io/a/x:17";
        let variable = |text: &str| Err(Obstacle::Variable(text.to_owned()));
        let text = |text: &str| Ok(text.to_owned());
        let cases = [
            ("postgres", hub, text("postgres:17")),
            ("postgres:16", hub, text("postgres:17")),
            (
                "index.docker.io/library/postgres:16",
                hub,
                text("index.docker.io/library/postgres:17"),
            ),
            ("localhost:5000/x", other, text(other)),
            ("not an image", other, text(other)),
            ("a$$b", other, text(other)),
            ("${R}/a/x:16", other, text("${R}/a/x:17")),
            ("$R/a/x:16", other, text("$R/a/x:17")),
            ("${R}/a/x", other, text("${R}/a/x:17")),
            ("${R:?not set}/x:16", other, text("${R:?not set}/x:17")),
            (
                "${R:-ghcr.io}/a/x:16@sha256:0",
                other,
                text("${R:-ghcr.io}/a/x:17"),
            ),
            (
                "${R-ghcr.io}/${O:-a}/x:16",
                other,
                text("${R-ghcr.io}/${O:-a}/x:17"),
            ),
            (
                "${R:-${S:-ghcr.io}}/a/x:16",
                other,
                text("${R:-${S:-ghcr.io}}/a/x:17"),
            ),
            ("${R:-ghcr.io/}a/x:16", other, text("${R:-ghcr.io/}a/x:17")),
            ("${R}a/x:16", other, text("${R}a/x:17")),
            ("${IMAGE}:16", other, text("${IMAGE}:17")),
            (
                "${R:-docker.io}/a/x:16",
                other,
                Err(Obstacle::OtherRepository),
            ),
            ("${R}/a/y:16", other, Err(Obstacle::OtherRepository)),
            ("ghcr.io/a/x${R}:16", other, Err(Obstacle::OtherRepository)),
            ("${R}ghcr.io/a/x:16", other, Err(Obstacle::OtherRepository)),
            ("ghcr.io/a/x:${T:-16}", other, variable("${T:-16}")),
            ("ghcr.io/a/x:16-${T}", other, variable("${T}")),
            ("ghcr.io/a/x${T}", other, variable("${T}")),
            ("${IMAGE}", other, variable("${IMAGE}")),
            (
                "${IMAGE:-ghcr.io/a/x:16}",
                other,
                variable("${IMAGE:-ghcr.io/a/x:16}"),
            ),
            ("ghcr.io/a/x@${D}", other, variable("${D}")),
            ("ghcr.io/a/x:16${D:+@}${D}", other, variable("${D:+@}")),
        ];
        for (written, wanted, expected) in cases {
            let wanted: ImageRef = wanted.parse().unwrap();
            assert_eq!(
                Template::parse(written).with(&wanted),
                expected,
                "{written}"
            );
        }
    }

    #[test]
    fn defaults_are_what_is_deployed_when_nothing_is_set() {
        let cases = [
            ("a:16", Some("a:16")),
            ("a:${T:-16}", Some("a:16")),
            ("a:${T-16}${U:-}", Some("a:16")),
            ("a:${T:-1${U:-6}}", Some("a:16")),
            ("a:$T", None),
            ("a:${T}", None),
            ("a:${T:?16}", None),
            ("a:${T:+16}", None),
            ("a:${T:-${U}}", None),
            // Not variables, so nothing stands in for them.
            ("a:$$T", Some("a:$$T")),
            ("a:${", Some("a:${")),
            ("a:$16", Some("a:$16")),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Template::parse(text).with_defaults().as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_hostile_text_is_not_followed() {
        let image = "a:16".parse().unwrap();
        for text in [
            "${A:-".repeat(900),
            "${A".repeat(1_000),
            "$".repeat(1_000_000),
        ] {
            let template = Template::parse(&text);
            let _ = (template.with(&image), template.with_defaults());
        }
        let deep = format!("{}b{}:1", "${A:-".repeat(20), "}".repeat(20));
        assert_eq!(Template::parse(&deep).with_defaults(), None);
    }
}
