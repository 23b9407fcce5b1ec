//! The order in the language of Mermaid, which GitHub draws in a comment.

use std::fmt::Write;

use super::super::outline::{Mark, Order};
use crate::views::style::visible;

/// The colours of GitHub's own marks, readable in its light and dark pages.
const CLASSES: [(Mark, &str); 4] = [
    (Mark::Add, "stroke:#1a7f37,stroke-width:2px"),
    (Mark::Change, "stroke:#9a6700,stroke-width:2px"),
    (Mark::Destroy, "stroke:#cf222e,stroke-width:2px"),
    (Mark::Blocked, "stroke:#cf222e,stroke-dasharray:4 3"),
];

/// Renders one graph.
pub(crate) fn render(order: &Order) -> String {
    frames(&[("", order)])
}

/// Renders graphs, one for each stack, as one. A name makes a frame.
pub(crate) fn render_all(orders: &[(String, Order)]) -> String {
    let orders: Vec<(&str, &Order)> = orders
        .iter()
        .map(|(stack, order)| (stack.as_str(), order))
        .collect();
    frames(&orders)
}

fn frames(orders: &[(&str, &Order)]) -> String {
    let mut out = String::from("flowchart TD\n");
    for (number, (stack, order)) in orders.iter().enumerate() {
        if !stack.is_empty() {
            let _ = writeln!(out, "  subgraph g{number}[\"{}\"]", label(stack));
        }
        for (place, node) in order.nodes.iter().enumerate() {
            let (title, about) = (label(&node.title), label(&node.about));
            let _ = writeln!(out, "  s{number}_{place}[\"{title}<br/>{about}\"]");
        }
        for edge in &order.edges {
            // A dashed one only comes first.
            let arrow = if edge.needed { "-->" } else { "-.->" };
            let (from, to) = (edge.from, edge.to);
            let _ = writeln!(out, "  s{number}_{from} {arrow} s{number}_{to}");
        }
        if !stack.is_empty() {
            out.push_str("  end\n");
        }
    }
    for (mark, style) in CLASSES {
        classes(&mut out, orders, mark, style);
    }
    out
}

fn classes(out: &mut String, orders: &[(&str, &Order)], mark: Mark, style: &str) {
    let marked = orders.iter().enumerate().flat_map(|(number, (_, order))| {
        let nodes = order.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| node.mark == mark);
        nodes.map(move |(place, _)| format!("s{number}_{place}"))
    });
    let marked: Vec<String> = marked.collect();
    if !marked.is_empty() {
        let class = mark.class();
        let _ = writeln!(out, "  classDef {class} {style}");
        let _ = writeln!(out, "  class {} {class}", marked.join(","));
    }
}

/// A label: whatever could mean something to Mermaid, HTML or markdown is
/// written as the number of its character.
fn label(words: &str) -> String {
    let mut out = String::new();
    for c in visible(words).chars() {
        match c {
            ' ' | '.' | '/' | ':' | ',' | '-' | '+' | '…' | '–' => out.push(c),
            // Inside a word it is no emphasis.
            '_' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn nothing_ends_a_label_or_a_fence() {
        let table = [
            ("service.web_1", "service.web_1"),
            ("a\"] --> b", "a#34;#93; --#62; b"),
            ("```\nx", "#96;#96;#96; x"),
            ("<b>#1", "#60;b#62;#35;1"),
            ("@ops", "#64;ops"),
        ];
        for (outside, inside) in table {
            assert_eq!(label(outside), inside);
        }
    }
}
