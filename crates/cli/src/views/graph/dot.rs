//! The order in the language of Graphviz.

use std::fmt::Write;

use super::super::outline::Order;
use crate::views::style::visible;

/// Renders graphs, one for each stack, as one.
pub(crate) fn render(orders: &[(String, Order)]) -> String {
    let mut out = String::from("digraph imgstack {\n  rankdir = TB;\n");
    out.push_str("  node [shape = box, style = rounded, fontname = \"monospace\"];\n");
    for (number, (stack, order)) in orders.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{number} {{");
        let _ = writeln!(out, "    label = {};", quoted(&[stack]));
        for (place, node) in order.nodes.iter().enumerate() {
            let label = quoted(&[&node.title, &node.about]);
            let class = node.mark.class();
            let _ = writeln!(
                out,
                "    s{number}_{place} [label = {label}, class = \"{class}\"];"
            );
        }
        for edge in &order.edges {
            // It only comes first.
            let style = if edge.needed { "" } else { " [style = dashed]" };
            let (from, to) = (edge.from, edge.to);
            let _ = writeln!(out, "    s{number}_{from} -> s{number}_{to}{style};");
        }
        out.push_str("  }\n");
    }
    out.push_str("}\n");
    out
}

/// Lines as one quoted string.
fn quoted(lines: &[&str]) -> String {
    let lines = lines.iter().map(|line| {
        let line = visible(line);
        line.replace('\\', "\\\\").replace('"', "\\\"")
    });
    format!("\"{}\"", lines.collect::<Vec<_>>().join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_ends_a_quoted_string() {
        let table = [
            (r#"a"]; x"#, r#""a\"]; x""#),
            (r"a\", r#""a\\""#),
            (r#"\""#, r#""\\\"""#),
            ("a\nb", r#""a b""#),
        ];
        for (outside, inside) in table {
            assert_eq!(quoted(&[outside]), inside);
        }
        assert_eq!(quoted(&["a", "b"]), r#""a\nb""#);
    }
}
