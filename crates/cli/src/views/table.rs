//! A table in columns, whatever colours its cells have.

use super::style::{DIM, paint};

/// Rows of so many cells under a head.
pub(crate) struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&'static str; N]) -> Self {
        Self {
            head,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines, indented by four.
    pub(crate) fn render(&self) -> String {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| width(&row[column]));
            cells
                .chain([width(self.head[column])])
                .max()
                .unwrap_or_default()
        });
        let line = |cells: [&str; N]| {
            let mut text = "   ".to_owned();
            for (cell, room) in cells.iter().zip(widths) {
                text.push(' ');
                text.push_str(cell);
                text.push_str(&" ".repeat(room.saturating_sub(width(cell)) + 1));
            }
            text.trim_end().to_owned()
        };
        let mut out = format!("{}\n", paint(DIM, line(self.head)));
        for row in &self.rows {
            out.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
            out.push('\n');
        }
        out
    }
}

/// What is seen of a cell: its colours take no room.
fn width(cell: &str) -> usize {
    let plain = anstream::adapter::strip_str(cell).to_string();
    plain.chars().count()
}
