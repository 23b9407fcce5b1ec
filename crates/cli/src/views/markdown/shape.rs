//! Sections that are put together until there is no more room.

/// So many are named of what was left out.
const NAMED: usize = 20;

/// A piece of the document that stands or goes by itself.
pub(super) struct Section {
    /// What it is called where it was left out, and its items: "services".
    pub(super) name: String,
    /// The smaller, the longer it stays.
    pub(super) rank: u8,
    /// What stands before and after its items.
    pub(super) open: String,
    pub(super) close: String,
    /// Each whole by itself: a row of a table, an entry of a list.
    pub(super) items: Vec<String>,
    /// Whether some of its items are of use without the others.
    pub(super) divisible: bool,
}

impl Section {
    fn len(&self, items: usize) -> usize {
        let items: usize = self.items[..items].iter().map(String::len).sum();
        self.open.len() + items + self.close.len()
    }

    /// How many of its items fit.
    fn fitting(&self, room: usize) -> usize {
        let frame = self.open.len() + self.close.len();
        let mut left = match room.checked_sub(frame) {
            Some(left) => left,
            None => return 0,
        };
        let fits = self.items.iter().take_while(|item| {
            let fits = item.len() <= left;
            left = left.saturating_sub(item.len());
            fits
        });
        match fits.count() {
            count if count == self.items.len() || self.divisible => count,
            _ => 0,
        }
    }
}

/// As many sections as there is room for, in their order, and what was left out.
pub(super) fn fitted(sections: &[Section], room: usize, whole: &str) -> String {
    let everything: usize = sections.iter().map(|it| it.len(it.items.len())).sum();
    if everything <= room {
        let counts: Vec<usize> = sections.iter().map(|it| it.items.len()).collect();
        return joined(sections, &counts);
    }
    // The line on what was left out must fit as well: at most all are named.
    let all = notice(sections, &vec![0; sections.len()], whole);
    let mut room = room.saturating_sub(all.len() + 64 * sections.len().min(100));
    let mut counts = vec![0; sections.len()];
    let mut ranked: Vec<usize> = (0..sections.len()).collect();
    ranked.sort_by_key(|&place| sections[place].rank);
    for place in ranked {
        let section = &sections[place];
        let count = section.fitting(room);
        counts[place] = count;
        if count > 0 {
            room -= section.len(count);
        }
    }
    let body = joined(sections, &counts);
    format!("{body}{}", notice(sections, &counts, whole))
}

fn joined(sections: &[Section], counts: &[usize]) -> String {
    let mut out = String::new();
    for (section, &count) in sections.iter().zip(counts) {
        if count > 0 {
            out.push_str(&section.open);
            out.extend(section.items[..count].iter().map(String::as_str));
            out.push_str(&section.close);
        }
    }
    out
}

/// "Left out to fit into a comment: 412 of 1000 services, the order."
fn notice(sections: &[Section], counts: &[usize], whole: &str) -> String {
    let left = sections.iter().zip(counts);
    let left = left.filter(|(section, count)| **count < section.items.len());
    let names: Vec<String> = left
        .map(|(section, count)| match section.divisible {
            true => format!(
                "{} of {} {}",
                section.items.len() - count,
                section.items.len(),
                section.name
            ),
            false => section.name.clone(),
        })
        .collect();
    let (first, rest) = names.split_at(names.len().min(NAMED));
    let more = match rest.len() {
        0 => String::new(),
        more => format!(", and {more} more sections"),
    };
    format!(
        "**Left out, to fit into a comment:** {}{more}. All of it: {}\n\n",
        first.join(", "),
        super::escape::code(whole)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, rank: u8, items: usize, divisible: bool) -> Section {
        Section {
            name: name.to_owned(),
            rank,
            open: format!("<{name}>\n"),
            close: format!("</{name}>\n"),
            items: (0..items).map(|it| format!("{name} {it:03}\n")).collect(),
            divisible,
        }
    }

    /// The least important goes first, in whole pieces, and is named.
    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let sections = [
            section("picture", 2, 30, false),
            section("rows", 1, 50, true),
        ];
        let all = fitted(&sections, 10_000, "imgstack show p");
        assert!(!all.contains("Left out"), "{all}");
        let mut last = usize::MAX;
        for room in (0..1100).rev() {
            let text = fitted(&sections, room, "imgstack show p");
            for name in ["picture", "rows"] {
                let (open, close) = (format!("<{name}>"), format!("</{name}>"));
                assert_eq!(text.contains(&open), text.contains(&close), "{text}");
            }
            let pictures = text.matches("picture 0").count();
            assert!(pictures == 0 || pictures == 30, "{text}");
            let rows = text.matches("rows 0").count();
            assert!(rows <= last, "{rows} rows in {room}");
            assert!(pictures == 0 || rows == 50, "the rows stay longer: {text}");
            last = rows;
            if rows + pictures < 80 {
                assert!(text.contains("Left out"), "{text}");
                if rows < 50 {
                    let words = format!("{} of 50 rows", 50 - rows);
                    assert!(text.contains(&words), "{text}");
                }
            }
            // Without room there is the notice all the same.
            assert!(text.len() <= room.max(400), "{room}: {}", text.len());
        }
        assert_eq!(last, 0);
    }
}
