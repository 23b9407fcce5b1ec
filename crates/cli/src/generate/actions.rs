//! Texts in a workflow of GitHub Actions: what stands in a spec stays a text,
//! and never becomes a key, an expression or a pattern. And its steps: an action,
//! pinned to a commit, or a script.

use std::fmt::Write as _;

/// An action, and the commit that its version is.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) commit: &'static str,
    pub(super) version: &'static str,
}

pub(super) const CHECKOUT: Action = Action {
    name: "actions/checkout",
    commit: "3d3c42e5aac5ba805825da76410c181273ba90b1",
    version: "v7.0.1",
};

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

pub(super) fn step(out: &mut String, action: &Action, with: &[(&str, String)]) {
    step_with_id(out, action, None, with);
}

pub(super) fn step_with_id(
    out: &mut String,
    action: &Action,
    id: Option<&str>,
    with: &[(&str, String)],
) {
    let Action {
        name,
        commit,
        version,
    } = action;
    let _ = writeln!(out, "      - uses: {name}@{commit} # {version}");
    if let Some(id) = id {
        let _ = writeln!(out, "        id: {id}");
    }
    if !with.is_empty() {
        out.push_str("        with:\n");
    }
    for (key, value) in with {
        let _ = writeln!(out, "          {key}: {value}");
    }
}

pub(super) fn script(
    out: &mut String,
    name: &str,
    keys: &[&str],
    variables: &[(&str, &str)],
    text: &str,
) {
    let _ = writeln!(out, "      - name: {name}");
    for key in keys {
        let _ = writeln!(out, "        {key}");
    }
    if !variables.is_empty() {
        out.push_str("        env:\n");
    }
    for (key, value) in variables {
        let _ = writeln!(out, "          {key}: {value}");
    }
    out.push_str("        run: |\n");
    for line in text.lines() {
        let indented = format!("          {line}");
        let _ = writeln!(out, "{}", indented.trim_end());
    }
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
