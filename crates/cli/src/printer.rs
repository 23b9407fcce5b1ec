//! The one door to stdout and stderr.
//!
//! Results go to stdout; progress, prompts and diagnostics to stderr
//! (design, command line). Colour is taken away where there is no terminal or
//! `NO_COLOR` is set. What a person reads is full of words from outside, such
//! as a task's error or a container's output: what would move a terminal's
//! cursor or reorder its text is made visible here, once for all views.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;

/// Where the program's words go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Printer;

impl Printer {
    /// A result that a person reads.
    pub(crate) fn page(self, text: &str) -> io::Result<()> {
        self.data(&harmless(text))
    }

    /// A result for a program, to the byte. A reader that went away, as in
    /// `imgstack plan | head`, is no error of ours.
    pub(crate) fn data(self, text: &str) -> io::Result<()> {
        let mut out = AutoStream::auto(io::stdout().lock());
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Progress, a prompt or a diagnostic. Without a stderr there is nobody to
    /// tell, so a failure is dropped.
    pub(crate) fn notice(self, text: &str) {
        let mut err = AutoStream::auto(io::stderr().lock());
        let _ = err
            .write_all(harmless(text).as_bytes())
            .and_then(|()| err.flush());
    }

    /// Whether a person watches stderr.
    pub(crate) fn is_watched(self) -> bool {
        io::stderr().is_terminal()
    }

    /// Whether colour may be used on stderr.
    pub(crate) fn coloured_notices(self) -> bool {
        AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
    }
}

/// `text` without anything that a terminal would act on, but line ends, tabs
/// and the colours of the views.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = colour(rest).unwrap_or(c.len_utf8());
        let (this, after) = rest.split_at(taken);
        if taken == c.len_utf8() && is_harmful(c) {
            out.push(char::REPLACEMENT_CHARACTER);
        } else {
            out.push_str(this);
        }
        rest = after;
    }
    out
}

fn is_harmful(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    reorders || (c.is_control() && c != '\n' && c != '\t')
}

/// The length of a sequence that sets a colour, if the text begins with one.
/// Blinking, inverted and invisible text is none of ours.
fn colour(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let end = inside.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let ours = |code: &str| matches!(code.parse(), Ok(0..=4u8 | 22 | 24 | 30..=39 | 90..=97));
    let known = inside[..end]
        .split(';')
        .all(|code| code.is_empty() || ours(code));
    (known && inside[end..].starts_with('m')).then_some(end + "\u{1b}[m".len())
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_terminal_obeys_nothing_but_our_colours() {
        let table = [
            ("plain\ttext\n", "plain\ttext\n"),
            (
                "\u{1b}[1;31mError:\u{1b}[0m ü",
                "\u{1b}[1;31mError:\u{1b}[0m ü",
            ),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("\u{1b}[8mhidden", "\u{fffd}[8mhidden"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("over\rwritten", "over\u{fffd}written"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{202e}b", "a\u{fffd}b"),
            ("cut \u{1b}[", "cut \u{fffd}["),
            ("cut \u{1b}[1", "cut \u{fffd}[1"),
        ];
        for (outside, shown) in table {
            assert_eq!(harmless(outside), shown);
        }
    }
}
