//! Lines that fit into a terminal of 80 columns.
//!
//! The width is always the same one, whatever the terminal: what a person reads
//! depends on the plan alone, and a pipe gets the same text. A command and what
//! stands in backticks stay on one line, so that they can be copied.

/// The columns of a line.
const WIDTH: usize = 80;
/// What begins a command that a person may type.
const PROGRAMS: [&str; 2] = ["imgstack", "docker"];

/// Words on lines that fit; all but the first line are indented.
pub(crate) fn prose(text: &str, indent: usize) -> String {
    pieces("", &unbroken(text), indent)
}

/// Pieces on lines that fit, a blank between two; the first line begins with
/// `lead`, all others are indented.
pub(crate) fn pieces(lead: &str, pieces: &[String], indent: usize) -> String {
    let mut out = lead.to_owned();
    let mut column = width(lead);
    for (index, piece) in pieces.iter().enumerate() {
        let wide = width(piece);
        if index > 0 && column + 1 + wide > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(piece);
        column += wide;
    }
    out
}

/// Two things on one line if they fit; if not, the second begins a line of its
/// own, indented, and is folded between its pieces.
pub(crate) fn beside(first: &str, second: &[String], indent: usize) -> String {
    let joined = second.join(" ");
    if joined.is_empty() {
        return first.to_owned();
    }
    let line = format!("{first}   {joined}");
    if width(&line) <= WIDTH {
        return line;
    }
    let rest = pieces(&" ".repeat(indent), second, indent);
    format!("{first}\n{rest}")
}

/// The parts of a list, each with its comma.
pub(crate) fn listed(text: &str) -> Vec<String> {
    text.split_inclusive(", ")
        .map(|part| part.trim_end().to_owned())
        .collect()
}

/// Words, and what is to stay together.
fn unbroken(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let (mut quoted, mut command) = (false, false);
    for word in text.split(' ') {
        match pieces.last_mut() {
            Some(last) if quoted || command => {
                last.push(' ');
                last.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
        quoted ^= word.matches('`').count() % 2 == 1;
        let begins = PROGRAMS.contains(&word);
        command = (command || begins) && !word.ends_with([',', ';', '.', ')']);
    }
    pieces
}

/// The columns that a text takes, without its colours.
pub(super) fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                let _colour = chars.find(|c| *c == 'm');
            }
            _ => columns += 1,
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_a_terminal_unless_a_word_is() {
        let text = "word ".repeat(50);
        for line in prose(text.trim_end(), 4).lines() {
            assert!(width(line) <= WIDTH, "{line}");
        }
        let long = "x".repeat(100);
        assert_eq!(
            prose(&format!("a {long} b"), 2),
            format!("a\n  {long}\n  b")
        );
    }

    #[test]
    fn a_command_and_a_quotation_stay_whole() {
        let filler = "x".repeat(60);
        let table = [
            (
                "then: imgstack plan --out FILE",
                "then:\n  imgstack plan --out FILE",
            ),
            (
                "the tag `16 of olden` moved",
                "the tag\n  `16 of olden` moved",
            ),
            (
                "run imgstack plan, and wait on",
                "run imgstack plan,\n  and wait on",
            ),
        ];
        for (text, folded) in table {
            assert_eq!(
                prose(&format!("{filler} {text}"), 2),
                format!("{filler} {folded}")
            );
        }
    }

    #[test]
    fn colours_take_no_room() {
        let red = format!("\u{1b}[1;31m{}\u{1b}[0m", "x".repeat(40));
        let text = format!("{red} {}", "y".repeat(39));
        assert_eq!(prose(&text, 2), text);
    }

    #[test]
    fn two_things_are_side_by_side_if_they_fit() {
        let list = listed("restarts 1 task on a, stop-first");
        assert_eq!(
            beside("~ update", &list, 4),
            "~ update   restarts 1 task on a, stop-first"
        );
        let wide = "z".repeat(60);
        assert_eq!(
            beside(&wide, &list, 4),
            format!("{wide}\n    restarts 1 task on a, stop-first")
        );
        assert_eq!(beside("alone", &[], 4), "alone");
    }
}
