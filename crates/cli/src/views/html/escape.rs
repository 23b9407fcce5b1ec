//! Words from outside as words of a page or a picture.

use crate::views::style::visible;

/// Text, in an element or in a quoted attribute.
pub(in crate::views) fn escaped(words: &str) -> String {
    let words = visible(words);
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

#[cfg(test)]
mod tests {
    use super::escaped;

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
