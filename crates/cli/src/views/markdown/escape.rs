//! Words from outside as words in GitHub's markdown.
//!
//! Nothing in them may become markup, a mention, a reference or a link, and
//! nothing may end what they stand in. Entities do that in a paragraph, a table
//! and a `<summary>` alike; a mention is made from the finished text, so only
//! a character between its sign and its name stops it.

use std::fmt::Write;

use crate::views::style::visible;

/// More than this of one text is no help in a comment.
const LONGEST: usize = 1000;

/// Text. What it quotes in backticks is shown as code.
pub(super) fn text(words: &str) -> String {
    let words = clipped(&visible(words));
    let parts: Vec<&str> = words.split('`').collect();
    // An odd number of backticks quotes nothing.
    if parts.len().is_multiple_of(2) {
        return prose(&words);
    }
    let mut out = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        match place % 2 {
            0 => out.push_str(&prose(part)),
            _ if part.trim().is_empty() => out.push_str(&prose(&format!("`{part}`"))),
            _ => out.push_str(&code(part)),
        }
    }
    out
}

/// A name, an address or a value, to the letter.
pub(super) fn code(words: &str) -> String {
    let words = clipped(&visible(words));
    // In a table a bar and a backslash before it mean something in code, too.
    let hard = |c: char| matches!(c, '`' | '|' | '\\');
    if words.is_empty() {
        return String::new();
    }
    if words.contains(hard) || words.starts_with(' ') || words.ends_with(' ') {
        return format!("<code>{}</code>", entities(&words));
    }
    format!("`{words}`")
}

/// The same inside of an element, where backticks are only characters.
pub(super) fn code_in_html(words: &str) -> String {
    format!("<code>{}</code>", entities(&clipped(&visible(words))))
}

fn prose(words: &str) -> String {
    let words: Vec<String> = words
        .split(' ')
        // A link would be live.
        .map(|word| match word.contains("://") || word.contains("www.") {
            true => code(word),
            false => entities(word),
        })
        .collect();
    words.join(" ")
}

/// Every character that markdown or HTML could take for its own, as an entity.
fn entities(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut before: Option<char> = None;
    let mut chars = words.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        match c {
            // Mentions and references are looked for in the finished text.
            '@' | '#' => {
                let _ = write!(out, "&#{};&#8203;", u32::from(c));
            }
            '_' if is_word(before) && is_word(after) => out.push(c),
            '-' if (before.is_some_and(|it| it.is_ascii_alphabetic()))
                && after.is_some_and(|it| it.is_ascii_digit())
                && ends_like_a_reference(&out) =>
            {
                out.push_str("-&#8203;");
            }
            '&' | '<' | '>' | '"' | '\'' | '`' | '*' | '_' | '~' | '[' | ']' | '\\' | '|' | '$'
            | '!' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// `GH-12` is a reference, too.
fn ends_like_a_reference(text: &str) -> bool {
    let end = text.get(text.len().saturating_sub(2)..).unwrap_or_default();
    end.eq_ignore_ascii_case("gh")
}

fn clipped(words: &str) -> String {
    let count = words.chars().count();
    if count <= LONGEST {
        return words.to_owned();
    }
    let first: String = words.chars().take(LONGEST).collect();
    format!("{first}… ({} more characters)", count - LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (from outside, as text, as code)
    #[test]
    fn what_comes_from_outside_is_only_words() {
        let table = [
            (
                "plain words, 16-abc_1",
                "plain words, 16-abc_1",
                "`plain words, 16-abc_1`",
            ),
            (
                "the tag `16` moved",
                "the tag `16` moved",
                "<code>the tag &#96;16&#96; moved</code>",
            ),
            ("a ` alone", "a &#96; alone", "<code>a &#96; alone</code>"),
            (
                "`` ``",
                "&#96;&#96; &#96;&#96;",
                "<code>&#96;&#96; &#96;&#96;</code>",
            ),
            (
                "```\ncode",
                "&#96;&#96;&#96; code",
                "<code>&#96;&#96;&#96; code</code>",
            ),
            (
                "a|b\\|c",
                "a&#124;b&#92;&#124;c",
                "<code>a&#124;b&#92;&#124;c</code>",
            ),
            ("</details>", "&#60;/details&#62;", "`</details>`"),
            (
                "<script>x</script>",
                "&#60;script&#62;x&#60;/script&#62;",
                "`<script>x</script>`",
            ),
            ("<!-- x -->", "&#60;&#33;-- x --&#62;", "`<!-- x -->`"),
            ("cc @team/ops", "cc &#64;&#8203;team/ops", "`cc @team/ops`"),
            ("fixes #123", "fixes &#35;&#8203;123", "`fixes #123`"),
            ("fixes GH-123", "fixes GH-&#8203;123", "`fixes GH-123`"),
            (
                "**bold** _it_ ~~x~~",
                "&#42;&#42;bold&#42;&#42; &#95;it&#95; &#126;&#126;x&#126;&#126;",
                "`**bold** _it_ ~~x~~`",
            ),
            (
                "![x](y) [a](b)",
                "&#33;&#91;x&#93;(y) &#91;a&#93;(b)",
                "`![x](y) [a](b)`",
            ),
            (
                "see https://x.y/z now",
                "see `https://x.y/z` now",
                "`see https://x.y/z now`",
            ),
            ("www.x.y", "`www.x.y`", "`www.x.y`"),
            ("(www.x.y)", "`(www.x.y)`", "`(www.x.y)`"),
            (
                "$1 &amp; \"q\"",
                "&#36;1 &#38;amp; &#34;q&#34;",
                "`$1 &amp; \"q\"`",
            ),
            ("a\r\nb\u{2028}c", "a  b c", "`a  b c`"),
            ("\u{1b}[31mred", "\u{fffd}&#91;31mred", "`\u{fffd}[31mred`"),
            (
                "a\u{202e}b\u{2066}c\u{200f}",
                "a\u{fffd}b\u{fffd}c\u{fffd}",
                "`a\u{fffd}b\u{fffd}c\u{fffd}`",
            ),
            (" x", " x", "<code> x</code>"),
            ("", "", ""),
        ];
        for (outside, as_text, as_code) in table {
            assert_eq!(text(outside), as_text, "{outside:?} as text");
            assert_eq!(code(outside), as_code, "{outside:?} as code");
        }
    }

    #[test]
    fn a_very_long_text_is_cut_and_says_so() {
        let long = "é".repeat(5000);
        assert!(text(&long).ends_with("é… (4000 more characters)"));
        assert!(code(&long).len() < 3000);
    }
}
