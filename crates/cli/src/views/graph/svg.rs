//! The order as a picture of our own: no script, nothing that is loaded, and
//! colours for light and dark.

use std::fmt::Write;

use super::layout::{Layout, layout};
use crate::views::html::escape::escaped;
use crate::views::outline::{Edge, Order};

/// A character of the font in use, and what is around a text.
const CHARACTER: f64 = 7.3;
const PADDING: f64 = 14.0;
const BOX: f64 = 46.0;
/// From one row to the next.
const ROW: f64 = 84.0;
const MARGIN: f64 = 12.0;
/// Longer words are cut; all of them are in the box's title.
const LONGEST: usize = 56;

const STYLE: &str = include_str!("order.css");

/// Renders one graph. `number` tells it from the others of a page.
pub(crate) fn render(order: &Order, title: &str, number: usize) -> String {
    let widths: Vec<f64> = order
        .nodes
        .iter()
        .map(|node| {
            let longest = [&node.title, &node.about].map(|it| cut(it).chars().count());
            let longest = longest.into_iter().max().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "at most LONGEST")]
            let width = longest as f64 * CHARACTER + 2.0 * PADDING;
            width
        })
        .collect();
    let placed = layout(order, &widths);
    let width = placed.width + 2.0 * MARGIN;
    #[expect(clippy::cast_precision_loss, reason = "rows of boxes")]
    let rows = placed.rows as f64;
    let height = (rows * ROW - (ROW - BOX) + 2.0 * MARGIN).max(2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"order\" role=\"img\" \
         width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip{number}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        escaped(title)
    );
    for (edge, lanes) in order.edges.iter().zip(&placed.lanes) {
        line(&mut out, edge, lanes, &placed, number);
    }
    for (place, width) in widths.iter().enumerate() {
        a_box(&mut out, order, place, *width, &placed);
    }
    out.push_str("</svg>\n");
    out
}

#[expect(clippy::cast_precision_loss, reason = "rows of boxes")]
fn top(row: usize) -> f64 {
    MARGIN + row as f64 * ROW
}

fn a_box(out: &mut String, order: &Order, place: usize, width: f64, placed: &Layout) {
    let node = &order.nodes[place];
    let (row, middle) = placed.places[place];
    let (x, y) = (MARGIN + middle - width / 2.0, top(row));
    let text = x + PADDING;
    let _ = writeln!(
        out,
        "<g class=\"{}\"><title>{}: {}</title>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BOX:.0}\" rx=\"6\"/>\
         <text class=\"verb\" x=\"{text:.1}\" y=\"{:.1}\">{}</text>\
         <text x=\"{text:.1}\" y=\"{:.1}\">{}</text></g>",
        node.mark.class(),
        escaped(&node.title),
        escaped(&node.about),
        y + 19.0,
        escaped(&cut(&node.title)),
        y + 36.0,
        escaped(&cut(&node.about)),
    );
}

fn line(out: &mut String, edge: &Edge, lanes: &[(usize, f64)], placed: &Layout, number: usize) {
    let (from_row, from) = placed.places[edge.from];
    let (to_row, to) = placed.places[edge.to];
    let (mut x, mut y) = (MARGIN + from, top(from_row) + BOX);
    let mut path = format!("M{x:.1} {y:.1}");
    let mut go = |to_x: f64, to_y: f64| {
        let half = f64::midpoint(y, to_y);
        let _ = write!(
            path,
            "C{x:.1} {half:.1} {to_x:.1} {half:.1} {to_x:.1} {to_y:.1}"
        );
        (x, y) = (to_x, to_y);
    };
    for &(row, lane) in lanes {
        go(MARGIN + lane, top(row));
        go(MARGIN + lane, top(row) + BOX);
    }
    go(MARGIN + to, top(to_row) - 1.0);
    let class = if edge.needed { "needed" } else { "follows" };
    let _ = writeln!(
        out,
        "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip{number})\"/>"
    );
}

fn cut(words: &str) -> String {
    if words.chars().count() <= LONGEST {
        return words.to_owned();
    }
    let first: String = words.chars().take(LONGEST - 1).collect();
    format!("{first}…")
}
