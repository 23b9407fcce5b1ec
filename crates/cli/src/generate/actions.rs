//! Texts in a workflow of GitHub Actions: what stands in a spec stays a text,
//! and never becomes a key, an expression or a pattern.

/// A text as a scalar of YAML's, in double quotes: JSON's are the same.
pub(super) fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as a scalar that GitHub looks for expressions in.
pub(super) fn literal(text: &str) -> String {
    scalar(&text.replace("${{", "${{ '${{' }}"))
}

/// A text as a string within an expression.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text as a pattern of branches or paths, followed by a pattern that is
/// none of the spec's.
pub(super) fn pattern(text: &str, rest: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '+' | '[' | ']' | '!' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    scalar(&(pattern + rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        let table = [
            (scalar("16"), r#""16""#),
            (scalar("a: \"b\" # c\\"), r#""a: \"b\" # c\\""#),
            (literal("a${{ b }}"), r#""a${{ '${{' }} b }}""#),
            (literal("$x ${y}"), r#""$x ${y}""#),
            (string("o'brien"), "'o''brien'"),
            (pattern("c++/*[a]!?", ""), r#""c\\+\\+/\\*\\[a\\]\\!\\?""#),
            (pattern("docker", "/**"), r#""docker/**""#),
        ];
        for (written, expected) in table {
            assert_eq!(written, expected);
        }
    }
}
