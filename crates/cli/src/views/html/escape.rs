//! Words from outside as words of a page or a picture.

use crate::views::style::visible;

/// Text, in an element or in a quoted attribute.
pub(in crate::views) fn escaped(words: &str) -> String {
    entities(&visible(words))
}

fn entities(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text, with what it quotes in backticks as code.
pub(super) fn prose(words: &str) -> String {
    let words = visible(words);
    let parts: Vec<&str> = words.split('`').collect();
    // An odd number of backticks quotes nothing.
    if parts.len().is_multiple_of(2) {
        return entities(&words);
    }
    let parts = parts.into_iter().enumerate();
    let parts = parts.map(|(place, part)| match place % 2 {
        0 => entities(part),
        _ => format!("<code>{}</code>", entities(part)),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::{escaped, prose};

    /// (from outside, as text)
    #[test]
    fn what_is_quoted_is_code() {
        let table = [
            ("the tag `16` moved", "the tag <code>16</code> moved"),
            ("`<b>`", "<code>&lt;b&gt;</code>"),
            ("a ` alone", "a ` alone"),
            ("a `b` `", "a `b` `"),
        ];
        for (outside, inside) in table {
            assert_eq!(prose(outside), inside);
        }
    }

    #[test]
    fn what_comes_from_outside_is_only_words() {
        let table = [
            ("plain `16` @ops #1 | x", "plain `16` @ops #1 | x"),
            ("</details>", "&lt;/details&gt;"),
            (
                "<script>alert('x')</script>",
                "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            ),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("&lt;", "&amp;lt;"),
            ("a\r\nb", "a  b"),
            ("\u{1b}[31m\u{0}\u{202e}x", "\u{fffd}[31m\u{fffd}\u{fffd}x"),
        ];
        for (outside, inside) in table {
            assert_eq!(escaped(outside), inside, "{outside:?}");
        }
    }
}
