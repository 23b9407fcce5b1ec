//! `WWW-Authenticate`: how a registry asks who one is.
//!
//! The grammar is RFC 9110, section 11.6.1: several challenges may stand in
//! one header, separated by the same commas that separate their parameters,
//! and a quoted value may hold commas of its own.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One challenge: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Lower case.
    pub(crate) scheme: String,
    /// Names in lower case, in the order given.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All challenges of an answer. What cannot be read is passed over.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect()
}

/// The challenges of one header.
pub(crate) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, after)) = token(rest) else {
            return challenges;
        };
        match (parameter(after), challenges.last_mut()) {
            (Some((value, after)), Some(challenge)) => {
                challenge
                    .parameters
                    .push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            // A parameter of nothing.
            (Some((_, after)), None) => rest = after,
            (None, _) => {
                challenges.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                rest = without_token68(after);
            }
        }
    }
}

/// A token at the start of the text, and what follows it.
fn token(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `= value`, and what follows it.
fn parameter(text: &str) -> Option<(String, &str)> {
    let value = text.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let value = value.trim_start_matches([' ', '\t']);
    match value.strip_prefix('"') {
        Some(quoted) => Some(unquote(quoted)),
        None => token_value(value),
    }
}

/// An unquoted value. Wider than a token, because some registries leave the
/// quotes off a URL.
fn token_value(text: &str) -> Option<(String, &str)> {
    let end = text
        .find(|c: char| c == ',' || c == '=' || c.is_whitespace())
        .unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// The rest of a quoted string, and what follows the closing quote. A string
/// that is never closed ends with the header.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// Passes over the one blob that a scheme such as `Negotiate` may have in
/// place of parameters.
fn without_token68(text: &str) -> &str {
    let blob = text.trim_start_matches([' ', '\t']);
    let end = blob
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-._~+/".contains(c))
        .unwrap_or(blob.len());
    let padded = blob[end..].trim_start_matches('=');
    let ends = padded.trim_start_matches([' ', '\t']);
    if end > 0 && (ends.is_empty() || ends.starts_with(',')) {
        padded
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scheme name=value name=value; scheme …`
    fn shown(header: &str) -> String {
        let one = |challenge: &Challenge| {
            let parameters: Vec<_> = challenge
                .parameters
                .iter()
                .map(|(name, value)| format!(" {name}={value}"))
                .collect();
            challenge.scheme.clone() + &parameters.concat()
        };
        parse(header).iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn challenges_are_read_by_the_grammar() {
        #[rustfmt::skip]
        let table = [
            // GHCR, Docker Hub, Distribution
            (r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:o/n:pull""#,
             "bearer realm=https://ghcr.io/token service=ghcr.io scope=repository:o/n:pull"),
            (r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull",error="insufficient_scope""#,
             "bearer realm=https://auth.docker.io/token service=registry.docker.io scope=repository:library/x:pull error=insufficient_scope"),
            (r#"Basic realm="Registry Realm""#, "basic realm=Registry Realm"),
            // commas inside quotes
            (r#"Bearer realm="https://r/t",scope="repository:a/b:pull,push",service="s, of a kind""#,
             "bearer realm=https://r/t scope=repository:a/b:pull,push service=s, of a kind"),
            // several in one header, in any order
            (r#"Basic realm="a, b", Bearer realm="https://r/t" , service=s"#,
             "basic realm=a, b; bearer realm=https://r/t service=s"),
            (r#"Negotiate, Basic realm=x"#, "negotiate; basic realm=x"),
            (r#"Negotiate YIIB/+aa==, Basic realm=x"#, "negotiate; basic realm=x"),
            (r#"NTLM abc, Bearer realm="https://r""#, "ntlm; bearer realm=https://r"),
            // escapes, case, blanks, missing quotes
            (r#"bEaReR REALM = "https://r/\"q\\" ,Service="s""#, r#"bearer realm=https://r/"q\ service=s"#),
            ("Bearer realm=https://r/t,service=s", "bearer realm=https://r/t service=s"),
            (r#"Bearer realm="""#, "bearer realm="),
            ("Bearer", "bearer"),
            // nonsense stops without a panic
            ("", ""),
            (",,, ,", ""),
            ("=x", ""),
            ("realm=x", ""),
            (r#"Bearer realm="never closed, service=s"#, "bearer realm=never closed, service=s"),
            (r#"Bearer realm="ends in an escape\"#, "bearer realm=ends in an escape"),
            ("Bearer realm=", "bearer"),
            ("Bearer \u{fc}", "bearer"),
        ];
        for (header, expected) in table {
            assert_eq!(shown(header), expected, "{header}");
        }
    }
}
