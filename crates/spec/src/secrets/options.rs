//! Secrets among the arguments of a program, as the `command` of a service has
//! them: `--token X`, in one line or in two.

use std::ops::Range;

use super::{Line, is_secret_key, lines};

/// What may stand between an option and its value.
const BETWEEN: [char; 6] = [' ', ',', '"', '\'', '=', ']'];

/// Finds what follows an option whose name is one of a secret: the rest of its
/// line, or the next line where nothing is left of its own.
pub(crate) fn in_options(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut lines = lines(text).into_iter().peekable();
    while let Some(line) = lines.next() {
        let Some(at) = option_end(line.text) else {
            continue;
        };
        match line.text[at..].trim_end().trim_start_matches(BETWEEN) {
            "" => found.extend(lines.peek().map(value)),
            rest => {
                let end = line.start + line.text.trim_end().len();
                found.push(end - rest.len()..end);
            }
        }
    }
    found
}

/// Whether a word of a program is an option that is followed by a secret. An
/// option that only sounds like one, such as `--password-file`, is not.
pub(crate) fn is_option(word: &str) -> bool {
    const OPTIONS: [&str; 7] = [
        "password", "passwd", "pass", "token", "secret", "apikey", "api-key",
    ];
    let name = word.strip_prefix("--");
    name.is_some_and(|name| OPTIONS.contains(&name.to_ascii_lowercase().as_str()))
}

/// Whether a word of a program gives a secret by its name: `--token=a`, or
/// `PGPASSWORD=a` and `--password a` in a line for a shell. A path or a variable
/// is none.
pub(crate) fn is_given(word: &str) -> bool {
    let is_elsewhere = |value: &str| {
        let value = value.trim_matches(['"', '\'', ';']);
        value.is_empty() || value.starts_with(['/', '$', '<'])
    };
    let mut follows = false;
    word.split_whitespace().any(|part| {
        let is_value = follows && !part.starts_with('-') && !is_elsewhere(part);
        follows = is_option(part);
        let named = part.split_once('=');
        is_value || named.is_some_and(|(name, value)| is_secret_key(name) && !is_elsewhere(value))
    })
}

/// Where the first such option of a line ends.
fn option_end(line: &str) -> Option<usize> {
    let is_between = |c: char| c.is_whitespace() || c == '[' || BETWEEN.contains(&c);
    let mut start = 0;
    line.split_inclusive(is_between).find_map(|part| {
        let word = part.trim_end_matches(is_between);
        let end = start + word.len();
        start += part.len();
        (word.len() > 1 && word.starts_with('-') && is_secret_key(word)).then_some(end)
    })
}

/// The text of a line, without the dash of a list.
fn value(line: &Line<'_>) -> Range<usize> {
    let text = line.text.trim_end();
    let value = text.trim_start().trim_start_matches("- ").trim_start();
    let end = line.start + text.len();
    end - value.len()..end
}

#[cfg(test)]
mod tests {
    use super::{in_options, is_given, is_option};

    #[test]
    fn words_of_a_program_that_give_a_secret() {
        let cases = [
            ("--token=a", true),
            ("PGPASSWORD=a", true),
            ("PGPASSWORD='a' psql -c 'select 1'", true),
            ("PGPASSWORD=$POSTGRES_PASSWORD psql", false),
            ("--password-file=/run/secrets/a", false),
            ("--token=", false),
            ("--user=a", false),
            ("token", false),
        ];
        for (word, expected) in cases {
            assert_eq!(is_given(word), expected, "{word}");
        }
        let options = [
            "--password",
            "--Token",
            "--password-file",
            "--no-password",
            "password",
        ];
        let given = options.map(is_option);
        assert_eq!(given, [true, true, false, false, false]);
    }

    #[test]
    fn arguments_are_searched_for_secrets() {
        let cases: [(&str, &[&str]); 8] = [
            ("command: serve --token a b\r\nc: d", &["a b"]),
            ("command: [serve, \"--token\", \"a\", -v]", &["a\", -v]"]),
            ("- --api-token=a", &["a"]),
            ("- --token\n- \"a\"\n- -v", &["\"a\""]),
            ("- '--token'\n-   a b\n", &["a b"]),
            ("- --token", &[]),
            ("- --verbose\n- a\n- name: token", &[]),
            ("token: a # not-a-token b", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<_> = in_options(text).into_iter().map(|it| &text[it]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
