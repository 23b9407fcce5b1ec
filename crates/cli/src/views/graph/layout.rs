//! Where the boxes of a picture stand: in rows from top to bottom, each below
//! all that come before it.
//!
//! Rows by the longest way, broken where they grow too wide; within a row in
//! the order that crosses few edges, by the mean place of the neighbours. An
//! edge that passes rows has a place of its own in each. Pictures of plans are
//! small or thin, so nothing cleverer is needed.

use crate::views::outline::Order;

/// The widest row, in pixels, unless a box alone is wider.
const WIDEST: f64 = 960.0;
/// Between two boxes, and between a box and an edge that passes.
const GAP: f64 = 24.0;
/// The room for an edge that passes a row.
const LANE: f64 = 8.0;
/// So many lanes at most; with more, edges go straight.
const LANES: usize = 2000;
/// So often rows are put in order, and moved below one another.
const SWEEPS: usize = 4;

/// Where things are, in pixels; a row is counted, not measured.
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) width: f64,
    /// For each node its row and the middle of its box.
    pub(super) places: Vec<(usize, f64)>,
    /// For each edge where it passes the rows between.
    pub(super) lanes: Vec<Vec<(usize, f64)>>,
}

/// A box or a lane.
struct Item {
    row: usize,
    width: f64,
    middle: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Lays boxes of these widths out.
pub(super) fn layout(order: &Order, widths: &[f64]) -> Layout {
    let row_of = rows(order, widths);
    let count = row_of.iter().max().map_or(0, |last| last + 1);
    let mut items: Vec<Item> = row_of
        .iter()
        .zip(widths)
        .map(|(&row, &width)| Item::new(row, width))
        .collect();
    let passed: usize = order
        .edges
        .iter()
        .map(|edge| row_of[edge.to] - row_of[edge.from] - 1)
        .sum();
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    for edge in &order.edges {
        let mut way = vec![edge.from];
        if passed <= LANES {
            for row in row_of[edge.from] + 1..row_of[edge.to] {
                way.push(items.len());
                items.push(Item::new(row, LANE));
            }
        }
        way.push(edge.to);
        for hop in way.windows(2) {
            items[hop[0]].below.push(hop[1]);
            items[hop[1]].above.push(hop[0]);
        }
        lanes.push(way[1..way.len() - 1].to_vec());
    }
    let mut by_row: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (place, item) in items.iter().enumerate() {
        by_row[item.row].push(place);
    }
    arrange(&mut items, &mut by_row);
    let left = items.iter().map(|it| it.middle - it.width / 2.0);
    let left = left.fold(f64::INFINITY, f64::min);
    items.iter_mut().for_each(|it| it.middle -= left);
    let right = items.iter().map(|it| it.middle + it.width / 2.0);
    Layout {
        rows: count,
        width: right.fold(0.0, f64::max),
        places: (0..order.nodes.len())
            .map(|node| (items[node].row, items[node].middle))
            .collect(),
        lanes: lanes
            .iter()
            .map(|way| {
                let way = way
                    .iter()
                    .map(|&lane| (items[lane].row, items[lane].middle));
                way.collect()
            })
            .collect(),
    }
}

impl Item {
    fn new(row: usize, width: f64) -> Self {
        Self {
            row,
            width,
            middle: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        }
    }
}

/// The row of each node: one below the last that comes before it, or further
/// down where rows were broken.
fn rows(order: &Order, widths: &[f64]) -> Vec<usize> {
    let nodes = order.nodes.len();
    let mut depth = vec![0_usize; nodes];
    let mut edges = order.edges.clone();
    edges.sort_by_key(|edge| edge.to);
    for edge in &edges {
        depth[edge.to] = depth[edge.to].max(depth[edge.from] + 1);
    }
    let mut by_depth: Vec<usize> = (0..nodes).collect();
    by_depth.sort_by_key(|&node| (depth[node], node));
    let mut rows = vec![0; nodes];
    let (mut row, mut wide, mut last) = (0, 0.0, 0);
    for (place, &node) in by_depth.iter().enumerate() {
        let wider = wide + GAP + widths[node];
        if place > 0 && (depth[node] != last || wider > WIDEST) {
            row += 1;
            wide = widths[node];
        } else {
            wide = wider;
        }
        last = depth[node];
        rows[node] = row;
    }
    rows
}

/// Puts each row in order and in place, looking up and down in turns.
fn arrange(items: &mut [Item], by_row: &mut [Vec<usize>]) {
    for row in by_row.iter() {
        settle(items, row, &vec![0.0; row.len()]);
    }
    for sweep in 0..2 * SWEEPS {
        let down = sweep % 2 == 0;
        let rows = by_row.len();
        for step in 1..rows {
            let number = if down { step } else { rows - 1 - step };
            let row = &mut by_row[number];
            let wish = |item: &Item, items: &[Item]| {
                let near = if down { &item.above } else { &item.below };
                let sum: f64 = near.iter().map(|&it| items[it].middle).sum();
                match near.len() {
                    0 => item.middle,
                    #[expect(clippy::cast_precision_loss, reason = "a handful of edges")]
                    count => sum / count as f64,
                }
            };
            let mut wishes: Vec<(f64, usize)> = row
                .iter()
                .map(|&it| (wish(&items[it], items), it))
                .collect();
            wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = wishes.iter().map(|(_, it)| *it).collect();
            let wishes: Vec<f64> = wishes.into_iter().map(|(wish, _)| wish).collect();
            settle(items, row, &wishes);
        }
    }
    by_row.iter().for_each(|row| close_up(items, row));
}

/// Moves what no edge holds next to what stands right of it.
fn close_up(items: &mut [Item], row: &[usize]) {
    for pair in row.windows(2).rev() {
        let next = &items[pair[1]];
        let end = next.middle - next.width / 2.0 - GAP;
        let item = &mut items[pair[0]];
        if item.above.is_empty() && item.below.is_empty() {
            item.middle = end - item.width / 2.0;
        }
    }
}

/// Gives each item of a row its wish, as far as they do not overlap; the row as
/// a whole stays where its wishes are.
fn settle(items: &mut [Item], row: &[usize], wishes: &[f64]) {
    let mut end = f64::NEG_INFINITY;
    let mut moved = 0.0;
    for (&place, &wish) in row.iter().zip(wishes) {
        let item = &mut items[place];
        item.middle = wish.max(end + GAP + item.width / 2.0);
        end = item.middle + item.width / 2.0;
        moved += item.middle - wish;
    }
    #[expect(clippy::cast_precision_loss, reason = "a row of boxes")]
    let mean = moved / row.len().max(1) as f64;
    row.iter().for_each(|&place| items[place].middle -= mean);
}
