//! Where a text holds a secret, though it should not.
//!
//! A person who writes a password into the spec is told so, and the snippet
//! that tells it must not put the password on a screen or into the log of a
//! build. The tree knows about aliases, quotes and blocks, so what it says is
//! exact; where the text is not YAML there is no tree, and a scan of the lines
//! guesses, rather hiding too much. What is a secret by its own look is hidden
//! everywhere.
//!
//! Deliberately absent: any attempt at secrets in words of their own, such as
//! an argument of a `command`, unless they look like one or follow an option
//! that is named for one.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use crate::source::Span;
use crate::yaml::{Entry, Node, Value};

mod options;

pub(crate) use options::{in_options, is_given, is_option};

/// Beginnings of tokens that services hand out: GitHub, GitLab, Docker Hub,
/// Amazon's keys.
const TOKENS: [&str; 11] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "dckr_pat_",
    "dckr_oat_",
    "AKIA",
];

/// The shortest rest of a token.
const TOKEN_REST: usize = 12;

/// Where a password comes from; what stands there is not the password.
const SOURCES: [&str; 3] = ["env", "file", "command"];

/// Whether a value is a secret by the look of it: a token, or a URL with a
/// password in it.
pub(crate) fn is_literal(text: &str) -> bool {
    let url = |range: Range<usize>| text[..range.start].contains("://");
    tokens(text).next().is_some() || logins(text).any(url)
}

/// Whether what follows such a key may be a secret; also a misspelt key.
pub(crate) fn is_secret_key(key: &str) -> bool {
    /// Longer keys are not compared with a misspelt `password`.
    const SHORT: usize = 12;
    let key: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let words = [
        "pass",
        "pwd",
        "secret",
        "token",
        "credential",
        "apikey",
        "auth",
    ];
    words.iter().any(|word| key.contains(word))
        || key.len() <= SHORT && strsim::damerau_levenshtein(&key, "password") <= 2
}

/// Finds secrets in the tree of a text, and walks no part of it twice: aliases
/// and secret keys within secret keys would multiply.
#[derive(Default)]
pub(crate) struct Search {
    lists: HashMap<*const [Node], Rc<[Node]>>,
    maps: HashMap<*const [Entry], Rc<[Entry]>>,
}

impl Search {
    /// The secrets in the value of a key, at their definitions. Mappings in it
    /// have been asked before, when they were read.
    pub(crate) fn in_value(&mut self, key: &str, value: &Node, found: &mut impl FnMut(Span)) {
        if is_secret_key(key) {
            self.below_secret_key(value, found);
        }
    }

    fn below_secret_key(&mut self, node: &Node, found: &mut impl FnMut(Span)) {
        let Value::Map(map) = &node.value else {
            return self.all(node, found);
        };
        for entry in map.iter() {
            // `env` holds a name, unless somebody took it for the value.
            let named = match (&entry.value.value, entry.key.text.as_str()) {
                (Value::Scalar(scalar), "env") => is_variable(&scalar.text),
                (_, key) => SOURCES.contains(&key),
            };
            if !named {
                // `password: {hunter2}` is a mapping with a key and no value.
                match entry.value.is_null() {
                    true => found(entry.key.span),
                    false => self.all(&entry.value, found),
                }
            }
        }
    }

    fn all(&mut self, node: &Node, found: &mut impl FnMut(Span)) {
        // What has been walked is kept, so that no other takes its address.
        match &node.value {
            Value::Scalar(_) if node.is_null() => {}
            Value::Scalar(_) | Value::Unknown => found(node.definition),
            Value::List(items) => {
                if self
                    .lists
                    .insert(Rc::as_ptr(items), Rc::clone(items))
                    .is_none()
                {
                    items.iter().for_each(|item| self.all(item, found));
                }
            }
            Value::Map(map) => {
                if self.maps.insert(Rc::as_ptr(map), Rc::clone(map)).is_none() {
                    map.iter().for_each(|entry| self.all(&entry.value, found));
                }
            }
        }
    }
}

/// A variable's name, or the way a shell would write its value.
fn is_variable(text: &str) -> bool {
    let name = text.trim_start_matches(['$', '{']).trim_end_matches('}');
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !is_literal(name)
}

/// Finds what is a secret by its own look, wherever it stands.
pub(crate) fn by_look(text: &str) -> Vec<Range<usize>> {
    tokens(text).chain(logins(text)).collect()
}

/// Finds what looks like a secret in a text that may not even be YAML.
pub(crate) fn in_text(text: &str) -> Vec<Range<usize>> {
    let lines = lines(text);
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let Some(key) = SecretKey::find(line) else {
            continue;
        };
        let rest = &line.text[key.end..];
        // A value may begin on the key's line and go on below, further in.
        let below = lines[index..]
            .iter()
            .take_while(|line| {
                line.is_blank() || line.indentation() > key.column || line.is_value()
            })
            .count();
        let below = &lines[index..index + below];
        let starts_below = rest.trim().is_empty() || rest.trim_start().starts_with('#');
        let first = if starts_below {
            below
                .iter()
                .map(|line| line.text)
                .find(|text| !text.trim().is_empty())
        } else {
            Some(rest)
        };
        if first.is_some_and(names_a_source) {
            continue;
        }
        let start = key.end + rest.len() - rest.trim_start_matches(' ').len();
        found.push(line.start + start..line.start + line.text.len());
        found.extend(below.iter().map(Line::range));
        index += below.len();
    }
    found
}

/// Finds what looks like a secret in the comments of a text that is YAML: a
/// line that is out of use for a while.
pub(crate) fn in_comments(text: &str) -> Vec<Range<usize>> {
    let comment = |line: Line<'_>| {
        let at = line.text.find('#')?;
        let text = line.text[at..].trim_end();
        let key = SecretKey::find(&Line { start: 0, text })?;
        let value = text[key.end..].trim_start();
        let end = line.start + at + text.len();
        (!names_a_source(value)).then_some(end - value.len()..end)
    };
    lines(text).into_iter().filter_map(comment).collect()
}

/// Finds the values of `NAME=value` where the name is one of a secret, to the
/// end of the line: a stack file has its environment in such words.
pub(crate) fn in_assignments(text: &str) -> Vec<Range<usize>> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let value = |line: Line<'_>| {
        let end = line.start + line.text.trim_end().len();
        let mut signs = line.text.match_indices('=').map(|(at, _)| at);
        let at = signs.find(|at| {
            let name = &line.text[..*at];
            let start = name.trim_end_matches(word).len();
            is_secret_key(&name[start..])
        })?;
        Some(line.start + at + 1..end)
    };
    lines(text).into_iter().filter_map(value).collect()
}

/// `env: X` and the like, also as `{env: X}`.
fn names_a_source(text: &str) -> bool {
    let inside = text.trim_start_matches([' ', '{', '"', '\'']);
    SOURCES.iter().any(|source| {
        inside
            .strip_prefix(source)
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    })
}

struct Line<'t> {
    start: usize,
    text: &'t str,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn indentation(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    /// `: value`, which follows the rare `? key`.
    fn is_value(&self) -> bool {
        self.text.trim_start().starts_with(": ")
    }

    fn range(&self) -> Range<usize> {
        self.start + self.indentation()..self.start + self.text.len()
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let line = Line { start, text: line };
            start += line.text.len();
            line
        })
        .collect()
}

/// A key in a line whose value may be a secret.
struct SecretKey {
    /// Where the key begins in its line.
    column: usize,
    /// Where what follows its colon begins.
    end: usize,
}

impl SecretKey {
    fn find(line: &Line<'_>) -> Option<Self> {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let colons = line.text.match_indices(':').map(|(at, _)| at);
        // `? password` has its colon on the next line.
        let complex = line.text.trim_start().starts_with("? ");
        let ends = colons.chain(complex.then(|| line.text.trim_end().len()));
        for end in ends {
            let before = line.text[..end].trim_end_matches([' ', '\t', '"', '\'']);
            let column = before.rfind(|c| !word(c)).map_or(0, |at| {
                at + before[at..].chars().next().map_or(1, char::len_utf8)
            });
            if is_secret_key(&before[column..]) {
                let end = (end + 1).min(line.text.len());
                return Some(Self { column, end });
            }
        }
        None
    }
}

/// Tokens by their beginnings. Each is passed over when it is found, so that
/// the time does not grow with the square of a hostile text.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    TOKENS.into_iter().flat_map(move |prefix| {
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let at = from + text[from..].find(prefix)?;
                let rest = &text[at + prefix.len()..];
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
                from = at + prefix.len() + length;
                if length >= TOKEN_REST {
                    return Some(at..from);
                }
            }
        })
    })
}

/// The password in `[scheme://]user:password@host`, once a word.
fn logins(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    let words = text.split_inclusive([' ', '\t', '\r', '\n', '"', '\'']);
    words.filter_map(move |word| {
        let start = end;
        end += word.len();
        let password = password_in(word)?;
        Some(start + password.start..start + password.end)
    })
}

/// The password in an address: `[scheme://]user:password@host`, whatever is
/// in it. The `@` before an image's digest is another one.
pub(crate) fn password_in(address: &str) -> Option<Range<usize>> {
    let start = address.find("://").map_or(0, |at| at + "://".len());
    let at_sign = start + address[start..].rfind('@')?;
    let colon = start + address[start..at_sign].find(':')?;
    let is_login = colon + 1 < at_sign && !begins_digest(&address[at_sign + 1..]);
    is_login.then_some(colon + 1..at_sign)
}

/// Whether a text begins with a digest, also with one that has no algorithm or
/// an unknown one.
fn begins_digest(text: &str) -> bool {
    /// No digest is shorter, and no host is so long and of these digits alone.
    const SHORTEST: usize = 32;
    let hexadecimal = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_hexdigit);
        digits.take(SHORTEST).count() == SHORTEST
    };
    let named = ["sha256:", "sha512:"];
    named.iter().any(|name| text.starts_with(name))
        || hexadecimal(text)
        || text
            .split_once(':')
            .is_some_and(|(_, digits)| hexadecimal(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with every found place replaced.
    fn hidden(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for range in in_text(text).into_iter().chain(by_look(text)) {
            for byte in &mut bytes[range] {
                if !byte.is_ascii_whitespace() {
                    *byte = b'*';
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_searched_for_secrets() {
        let cases = [
            ("password: hunter2\nb: 1", "password: *******\nb: 1"),
            ("  - password: \"a b\"", "  - password: ** **"),
            (
                "{host: a, password: b, c: d}",
                "{host: a, password: ** ** **",
            ),
            ("pasword: b", "pasword: *"),
            ("\"password\": b", "\"password\": *"),
            ("password : b", "password : *"),
            ("api_token: b # c", "api_token: * * *"),
            (
                "password: |\n  a\n\n  b\nc: d",
                "password: *\n  *\n\n  *\nc: d",
            ),
            ("- password:\n    a\n  b: c", "- password:\n    *\n  b: c"),
            ("? password\n: b\nc: d", "? password\n* *\nc: d"),
            ("# password: b", "# password: *"),
            ("password: {env: A}", "password: {env: A}"),
            ("password:\n  env: A\nb: c", "password:\n  env: A\nb: c"),
            ("password: # x\n  file: a", "password: # x\n  file: a"),
            ("password: {value: a}", "password: ******* **"),
            ("a: ghp_0123456789abcdef!", "a: ********************!"),
            ("a: ghp_short", "a: ghp_short"),
            ("a: ssh://root:b@c", "a: ssh://root:*@c"),
            ("a: ssh://root@c:22", "a: ssh://root@c:22"),
            ("a: root:b@c", "a: root:*@c"),
            ("a: 'root:b:c@d@e'", "a: 'root:*****@e'"),
            ("a: git@c:22", "a: git@c:22"),
            ("a: b:1@sha256:2", "a: b:1@sha256:2"),
            (
                "a: b:1/c@0123456789abcdef0123456789abcdef",
                "a: b:1/c@0123456789abcdef0123456789abcdef",
            ),
            (
                "a: b:1@md5:0123456789abcdef0123456789abcdef",
                "a: b:1@md5:0123456789abcdef0123456789abcdef",
            ),
            ("ä: 1\npässword: b", "ä: 1\npässword: *"),
            ("name: compass", "name: compass"),
        ];
        for (text, expected) in cases {
            assert_eq!(hidden(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_a_secret_wherever_it_stands() {
        for (text, expected) in [
            ("ghp_0123456789abcdef", true),
            ("--token=ghp_0123456789abcdef", true),
            ("https://robot:hunter2@vault.example", true),
            ("https://robot@vault.example", false),
            // A word of some program's.
            ("vault:path@version", false),
            ("ghp_short", false),
        ] {
            assert_eq!(is_literal(text), expected, "{text}");
        }
    }

    #[test]
    fn comments_are_searched_for_secrets() {
        let text = "# password: a\npassword: b\nc: d #token: e f\n# password: {env: G}\n";
        let found: Vec<_> = in_comments(text).into_iter().map(|it| &text[it]).collect();
        assert_eq!(found, ["a", "e f"]);
    }

    #[test]
    fn assignments_are_searched_for_secrets() {
        let text = "- PGPASSWORD=a b\n- HOST=c\r\n- \"A=b API_TOKEN=d\"\r\n--auth=e\n- SECRET=\n";
        let found: Vec<_> = in_assignments(text)
            .into_iter()
            .map(|it| &text[it])
            .collect();
        assert_eq!(found, ["a b", "d\"", "e", ""]);
    }

    #[test]
    fn keys_that_hold_secrets() {
        for key in [
            "password",
            "Password",
            "pasword",
            "passwrd",
            "api-key",
            "GITHUB_TOKEN",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in ["host", "username", "name", "image", "env", "command"] {
            assert!(!is_secret_key(key), "{key}");
        }
    }
}
