//! How a text is written as a YAML scalar.

use granit_parser::ScalarStyle;

/// The text in quotes or without, as what stood there, if it can be. None: in
/// the style of a block, which has lines of its own.
pub(super) fn spell(text: &str, style: ScalarStyle, in_flow: bool) -> Option<String> {
    match style {
        ScalarStyle::Plain if is_plain(text, in_flow) => Some(text.to_owned()),
        ScalarStyle::SingleQuoted => Some(format!("'{}'", text.replace('\'', "''"))),
        ScalarStyle::Plain | ScalarStyle::DoubleQuoted => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            Some(format!("\"{text}\""))
        }
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}

/// Whether the text means itself without quotes, to every version of YAML.
pub(super) fn is_plain(text: &str, in_flow: bool) -> bool {
    let indicator = |c: char| "-?:,[]{}#&*!|>'\"%@`".contains(c);
    let inner = |c: char| in_flow && ",[]{}".contains(c) || c.is_control();
    !text.starts_with(|c: char| indicator(c) || c.is_whitespace())
        && !text.ends_with(|c: char| c == ':' || c.is_whitespace())
        && !text.contains(inner)
        && !text.contains(": ")
        && !text.contains(" #")
        && !is_other_type(text)
}

/// Whether YAML, 1.1 or 1.2, takes the text for something else than text.
fn is_other_type(text: &str) -> bool {
    let words = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan", "<<",
        "=", "---", "...",
    ];
    let word = text.to_ascii_lowercase();
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(&word);
    words.contains(&word.as_str())
        || words.contains(&unsigned)
        || is_number(&unsigned.replace('_', ""))
        || is_date(&word)
}

/// A number in any of its spellings, in lowercase and without `_`.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = text.strip_prefix("0x") {
        return rest.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(rest) = text.strip_prefix("0o").or_else(|| text.strip_prefix("0b")) {
        return digits(rest);
    }
    // 190:20:30 is a number to the base of 60.
    if text.contains(':') {
        return text
            .split(':')
            .all(|part| digits(&part.replacen('.', "", 1)));
    }
    let (number, exponent) = match text.split_once('e') {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let exponent = exponent.is_none_or(|it| digits(it.strip_prefix(['+', '-']).unwrap_or(it)));
    exponent && digits(&number.replacen('.', "", 1))
}

/// `2026-02-06`, alone or with a time behind it.
fn is_date(text: &str) -> bool {
    let digits = |part: &str, lengths: &[usize]| {
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let end = rest.find(['t', ' ']).unwrap_or(rest.len());
    digits(year, &[4]) && digits(month, &[1, 2]) && digits(&rest[..end], &[1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_when_yaml_would_read_another_type() {
        let plain = [
            "16-abc1234",
            "v1",
            "1.2.3",
            "16.4-alpine",
            "latest",
            "0x1g",
            "1e",
            "e5",
            "2026-02",
            "20260206-1",
            "2026-02-06-1",
            "a:1",
            "sha256:9f86",
            "postgres:16",
            "nope",
            "1_a",
            "${TAG:-16}",
            "x/y:16@sha256:0a",
        ];
        for text in plain {
            assert!(is_plain(text, false), "{text}");
        }
        let quoted = [
            "",
            "16",
            "016",
            "1.10",
            "1e3",
            "1E+3",
            "1234567",
            "12e4567",
            "0x1F",
            "0o17",
            "0b1",
            "1_000",
            "1.",
            "no",
            "Off",
            "TRUE",
            "null",
            "y",
            "2026-02-06",
            "2026-2-6",
            "190:20:30",
            "2026-02-06T10",
            ".inf",
            "-.INF",
            "-1",
            "+1.5",
            "=",
            "<<",
            "[::1]:5000/a",
            "a: b",
            "a #b",
            "a:",
            " a",
            "a ",
            "*a",
            "&a",
            "- a",
            "~",
            "a\tb\n",
            "@a",
        ];
        for text in quoted {
            assert!(!is_plain(text, false), "{text}");
        }
        assert!(!is_plain("${TAG:-16}", true));
        assert!(is_plain("postgres:16", true));
    }

    #[test]
    fn quotes_stay_as_they_are() {
        use ScalarStyle as S;
        for (text, style, expected) in [
            ("16", S::Plain, Some("\"16\"")),
            ("a", S::Plain, Some("a")),
            ("a", S::SingleQuoted, Some("'a'")),
            ("a'\"", S::SingleQuoted, Some("'a''\"'")),
            ("a\\\"", S::DoubleQuoted, Some("\"a\\\\\\\"\"")),
            ("a", S::Literal, None),
            ("a", S::Folded, None),
        ] {
            assert_eq!(spell(text, style, false).as_deref(), expected, "{text}");
        }
    }
}
